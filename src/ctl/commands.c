/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What each command of tofctl does: see commands.h. */

#include <config.h>

#include "ctl/commands.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/export.h"
#include "ctl/http.h"
#include "ctl/human.h"
#include "ctl/services.h"
#include "ctl/sessions.h"
#include "ctl/table.h"
#include "ctl/top.h"
#include "ctl/trace.h"

#define NOT_UTF8 "the arguments must be UTF-8"

static void
show_status(char *args[] __attribute__((unused)))
{
    json_t *status = http_get("/status");
    const json_t *bearers = json_object_get(status, "bearers");
    const char *key;
    json_t *value;
    size_t i;

    if (!print_raw(status)) {
        table_row("PART", "READY", "DETAIL", NULL);
        json_array_foreach (json_object_get(status, "parts"), i, value) {
            table_row(text_of(value, "name"), text_of(value, "ready"),
                      text_of(value, "detail"), NULL);
        }
        table_print();
        putchar('\n');
        json_object_foreach (json_object_get(status, "facts"), key, value) {
            printf("%s: %s\n", key, json_string_value(value));
        }
        printf("sessions: %s; bearers: %s established, %s stale, "
               "%s embryonic\n", text_of(status, "sessions"),
               text_of(bearers, "established"), text_of(bearers, "stale"),
               text_of(bearers, "embryonic"));
    }
    json_decref(status);
}

static void
show_health(char *args[] __attribute__((unused)))
{
    json_t *health = http_get("/healthz");

    if (!print_raw(health)) {
        const json_t *reason = json_object_get(health, "reason");

        printf("%s%s%s%s%s\n", human_colour(text_of(health, "status")),
               text_of(health, "status"), human_colour_end(),
               reason ? ": " : "", reason ? json_string_value(reason) : "");
    }
    json_decref(health);
}

/* Returns the functions of a service, "-" if there are none; to be freed. */
static char *
chain_of(const json_t *service)
{
    json_t *function;
    char *chain = format_text("%s", "-");
    size_t i;

    json_array_foreach (json_object_get(service, "chain"), i, function) {
        char *longer = format_text("%s%s%s", i ? chain : "", i ? "," : "",
                                   json_string_value(function));
        free(chain);
        chain = longer;
    }
    return chain;
}

/* Returns the Apps of a service, as service_spell() reads them; to be
 * freed. */
static char *
apps_of(const json_t *service)
{
    const json_t *apps = json_object_get(service, "applications"), *app;
    char *text = format_text("%s", (apps ? "" : text_of(service,
                                                        "applicationIP")));
    size_t i;

    json_array_foreach (apps, i, app) {
        char *longer = format_text(
            "%s%s%s=%d", text, i ? "," : "", text_of(app, "ip"),
            (int) json_integer_value(json_object_get(app, "weight")));
        free(text);
        text = longer;
    }
    return text;
}

static void
add_service_row(const json_t *service)
{
    char *chain = chain_of(service), *apps = apps_of(service);

    table_row(text_of(service, "name"), text_of(service, "serviceIP"), apps,
              chain, NULL);
    free(chain);
    free(apps);
}

/* Returns the states of a service's Apps, to be freed; '*since' becomes when the
 * last one of them came into its own. */
static char *
states_of(const json_t *service, const char **since)
{
    const json_t *apps = json_object_get(service, "apps"), *app;
    char *states = format_text("%s", "");
    size_t i;

    if (!apps) {
        app = json_object_get(service, "app");
        *since = text_of(app, "since");
        free(states);
        return format_text("%s", text_of(app, "state"));
    }
    *since = "";
    json_array_foreach (apps, i, app) {
        const char *when = text_of(app, "since");
        char *longer = format_text("%s%s%s", states, i ? "," : "",
                                   text_of(app, "state"));
        free(states);
        states = longer;
        *since = strcmp(when, *since) > 0 ? when : *since;
    }
    return states;
}

/* The same with how it is. */
static void
add_service_status(const json_t *service)
{
    const json_t *in_force = json_object_get(service, "inForce");
    const char *since;
    char *chain = chain_of(service), *apps = apps_of(service);
    char *states = states_of(service, &since);

    table_row(text_of(service, "name"), text_of(service, "serviceIP"), apps,
              chain, json_is_true(in_force) ? "yes" : "no", states, since,
              NULL);
    free(chain);
    free(apps);
    free(states);
}

/* JSON is for scripts, which may send it back. */
static void
show_services(char *args[] __attribute__((unused)))
{
    json_t *services = http_get(raw_json ? "/service"
                                : "/service?view=status");
    json_t *service;
    size_t i;

    if (!print_raw(services)) {
        table_row("NAME", "SERVICE IP", "APPLICATION IP", "CHAIN", "IN FORCE",
                  "APP", "SINCE", NULL);
        json_array_foreach (services, i, service) {
            add_service_status(service);
        }
        table_print();
    }
    json_decref(services);
}

/* Sends 'json', which it frees; NULL: made of words that are no UTF-8. */
static void
send_json(const char *method, const char *path, json_t *json,
          struct answer *answer)
{
    char *body;

    if (!json) {
        die(EXIT_USAGE, NOT_UTF8);
    }
    body = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    http_request(method, path, body, answer);
    free(body);
}

/* Sends the service that 'words' spell, and shows what the TOF made of it. */
static void
send_service(const char *method, const char *path, char *words[])
{
    struct answer answer;
    json_t *service;

    send_json(method, path, service_spell(words), &answer);
    service = http_parse(&answer);
    if (!print_raw(service)) {
        add_service_row(service);
        table_print();
    }
    json_decref(service);
    free(answer.text);
}

static void
add_service(char *args[])
{
    send_service("POST", "/service", args);
}

static void
set_service(char *args[])
{
    char *path = http_path("/service/", args[0]);

    send_service("PUT", path, args);
    free(path);
}

static void
delete_at(const char *prefix, const char *word)
{
    char *path = http_path(prefix, word);
    struct answer answer;

    http_request("DELETE", path, NULL, &answer);
    free(answer.text);
    free(path);
}

static void
delete_service(char *args[])
{
    delete_at("/service/", args[0]);
}

static void
purge_session(char *args[])
{
    delete_at("/session/", args[0]);
}

/* As Wireshark and the logs of other nodes have it. */
static const char *
teid_of(const json_t *tunnel)
{
    static char texts[2][sizeof "0x00000000"];
    static unsigned int next;
    const json_t *teid = json_object_get(tunnel, "teid");
    char *text = texts[next++ % 2];

    if (!json_is_integer(teid)) {
        return "-";
    }
    snprintf(text, sizeof *texts, "0x%08x",
             (unsigned int) json_integer_value(teid));
    return text;
}

/* One row for each bearer; the session itself is in the first of them. */
static void
add_session_rows(const json_t *session)
{
    json_t *bearer;
    size_t i;

    json_array_foreach (json_object_get(session, "bearers"), i, bearer) {
        const json_t *up = json_object_get(bearer, "uplink");
        const json_t *down = json_object_get(bearer, "downlink");

        table_row(i ? "" : text_of(session, "id"),
                  i ? "" : text_of(session, "ue"),
                  i ? "" : text_of(session, "state"),
                  i ? "" : human_age(session, "evidenceAge"),
                  text_of(up, "enb"), text_of(up, "sgw"),
                  teid_of(up), teid_of(down), NULL);
    }
}

static void
add_session_heading(void)
{
    table_row("ID", "UE", "STATE", "AGE", "ENB", "SGW", "UP TEID",
              "DOWN TEID", NULL);
}

static void
show_sessions(char *args[])
{
    json_t *sessions = sessions_get(args[0]);
    json_t *session;
    size_t i;

    if (!print_raw(sessions)) {
        add_session_heading();
        json_array_foreach (sessions, i, session) {
            add_session_rows(session);
        }
        table_print();
    }
    json_decref(sessions);
}

static void
print_usage(const json_t *session)
{
    json_t *services = json_object_get(session, "services");
    const json_t *service;
    size_t i;

    if (!json_array_size(services)) {
        return;
    }
    putchar('\n');
    table_row("SERVICE", "IP", "PACKETS UP", "BYTES UP", "PACKETS DOWN",
              "BYTES DOWN", NULL);
    json_array_foreach (services, i, service) {
        table_row(text_of(service, "name"), text_of(service, "serviceIP"),
                  text_of(service, "packetsUp"), text_of(service, "bytesUp"),
                  text_of(service, "packetsDown"),
                  text_of(service, "bytesDown"), NULL);
    }
    table_print();
}

static void
show_session(char *args[])
{
    char *path = http_path("/session/", args[0]);
    json_t *session = http_get(path);
    const json_t *counters = json_object_get(session, "counters");

    if (!print_raw(session)) {
        add_session_heading();
        add_session_rows(session);
        table_print();
        printf("\nto applications: %s packets, %s bytes\n"
               "to the UE: %s packets, %s bytes\n",
               text_of(counters, "packetsUp"), text_of(counters, "bytesUp"),
               text_of(counters, "packetsDown"),
               text_of(counters, "bytesDown"));
        print_usage(session);
    }
    json_decref(session);
    free(path);
}

static void
show_peers(char *args[] __attribute__((unused)))
{
    json_t *peers = http_get("/peer");
    json_t *peer;
    size_t i;

    if (!print_raw(peers)) {
        table_row("ADDRESS", "ROLE", "BEARERS", NULL);
        json_array_foreach (peers, i, peer) {
            table_row(text_of(peer, "address"), text_of(peer, "role"),
                      text_of(peer, "bearers"), NULL);
        }
        table_print();
    }
    json_decref(peers);
}

static void
show_metrics(char *args[] __attribute__((unused)))
{
    struct answer answer;

    http_request("GET", "/metrics", NULL, &answer);
    fputs(answer.text, stdout);
    free(answer.text);
}

static void
print_step(const json_t *step)
{
    const json_t *subject = json_object_get(step, "subject");
    const json_t *advice = json_object_get(step, "advice");

    printf("%s%-6s%s %s: ", human_colour(text_of(step, "verdict")),
           text_of(step, "verdict"), human_colour_end(),
           text_of(step, "step"));
    if (subject) {
        printf("%s: ", json_string_value(subject));
    }
    puts(json_string_value(json_object_get(step, "found")));
    if (advice) {
        printf("       %s\n", json_string_value(advice));
    }
}

/* The last line: what is wrong; if nothing is, what is not known or does not
 * hold now. */
static void
print_reason(const json_t *explanation)
{
    const json_t *reason = json_object_get(explanation, "reason"), *step;
    const char *what = "Wrong", *colour = human_colour("wrong");
    size_t i;

    if (!json_is_object(reason)) {
        what = "Nothing is wrong; but";
        colour = human_colour("open");
        json_array_foreach (json_object_get(explanation, "steps"), i, step) {
            if (!strcmp(text_of(step, "verdict"), "open")) {
                reason = step;
                break;
            }
        }
    }
    if (json_is_object(reason)) {
        printf("\n%s%s:%s %s\n", colour, what, human_colour_end(),
               json_string_value(json_object_get(reason, "found")));
    } else {
        puts("\nNothing keeps it from being diverted.");
    }
}

static void
explain_ue(char *args[])
{
    char *path = http_path("/explain?ue=", args[0]);
    json_t *explanation, *step;
    size_t i;

    http_add_parameter(&path, "service", args[1]);
    explanation = http_get(path);
    if (!print_raw(explanation)) {
        json_array_foreach (json_object_get(explanation, "steps"), i, step) {
            print_step(step);
        }
        print_reason(explanation);
    }
    json_decref(explanation);
    free(path);
}

static void
show_log(void)
{
    json_t *levels = http_get("/log");
    const char *module;
    json_t *level;

    if (!print_raw(levels)) {
        json_object_foreach (levels, module, level) {
            table_row(module, json_string_value(level), NULL);
        }
        table_print();
    }
    json_decref(levels);
}

/* Without arguments: all levels; with a module and a level: sets it. */
static void
run_log(char *args[])
{
    struct answer answer;
    char *path;

    if (!args[0]) {
        show_log();
        return;
    } else if (!args[1]) {
        die(EXIT_USAGE, "log takes [MODULE LEVEL]");
    }
    path = http_path("/log/", args[0]);
    send_json("PUT", path, json_pack("{ss}", "level", args[1]), &answer);
    free(answer.text);
    free(path);
}

const struct command commands[] = {
    { "status", "", 0, 0, show_status,
      "What each part of the TOF says of itself." },
    { "health", "", 0, 0, show_health,
      "Whether all is there that diverting depends on." },
    { "services", "", 0, 0, show_services, "The services." },
    { "sessions", " [UE]", 0, 1, show_sessions,
      "The sessions, or those of a UE." },
    { "explain", " UE [SERVICE]", 1, 2, explain_ue,
      "Why a UE is diverted, or why not." },
    { "trace", " UE [SECONDS]", 1, 2, trace_ue,
      "The packets of a UE as they come, for 10 seconds or so many." },
    { "session", " ID", 1, 1, show_session,
      "A session, and how much of its traffic was diverted." },
    { "top", "", 0, 0, top_run,
      "Sessions and services by their rates, again and again." },
    { "peers", "", 0, 0, show_peers, "The eNodeBs and SGWs seen." },
    { "metrics", "", 0, 0, show_metrics,
      "All counters, in the text format of Prometheus." },
    { "add", " NAME SERVICE_IP APP_IP [FUNCTION...]", 3, 11, add_service,
      "Registers a service." },
    { "set", " NAME SERVICE_IP APP_IP [FUNCTION...]", 3, 11, set_service,
      "Changes the service that has this name." },
    { "delete", " NAME|SERVICE_IP", 1, 1, delete_service,
      "Deletes a service." },
    { "purge", " SESSION_ID", 1, 1, purge_session, "Forgets a session." },
    { "log", " [MODULE LEVEL]", 0, 2, run_log,
      "How much each module logs; or sets that, for \"any\" or one." },
    { "export", " [FILE]", 0, 1, export_sessions,
      "Writes all sessions to a file." },
    { "import", " [FILE]", 0, 1, import_sessions,
      "Tells the TOF of the sessions in a file." },
};
const size_t n_commands = sizeof commands / sizeof *commands;
