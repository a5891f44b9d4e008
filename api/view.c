/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the API shows of the TOF's state, as JSON.
 *
 * Place in the flow: routes.c and walk.c ask; session.c, service.c and
 * status.c are read, nothing is changed.  The member names are the contract
 * of swagger/tof.yaml: a change here is a change there.
 *
 * What makes a list (sessions, peers, services) gets one value for each item,
 * and is never in memory as a whole. */

#include <config.h>

#include "api/view.h"

#include <limits.h>
#include <string.h>

#include "base/addr.h"
#include "base/jsontext.h"
#include "base/status.h"
#include "learn/prove.h"
#include "service/apps.h"
#include "service/service.h"
#include "session/session.h"
#include "usage/usage.h"
#include "util.h"

#define APPS_DOWN_MAX 100       /* That /status names. */

bool
view_id_from_string(const char *s, uint32_t *id)
{
    bool ok = strlen(s) == VIEW_ID_LEN;

    *id = ok ? hexits_value(s, VIEW_ID_LEN, &ok) : 0;
    return ok;
}

/* Sessions. */

static json_t *
downlink_of(const struct bearer *b)
{
    return !b->down_known ? json_null()
           : json_pack("{so so sI si}",
                       "sgw", jsontext_address(b->down_sgw),
                       "enb", jsontext_address(b->down_enb),
                       "teid", (json_int_t) b->down_teid,
                       "qfi", b->down_qfi & QFI_MASK);
}

static json_t *
bearer_of(const struct bearer *b, long long int now)
{
    return json_pack("{so s{so so sI} so sb}", "id", jsontext_id(b->id),
                     "uplink", "enb", jsontext_address(b->enb),
                     "sgw", jsontext_address(b->sgw),
                     "teid", (json_int_t) b->up_teid,
                     "downlink", downlink_of(b),
                     "proved", prove_is_good(b, now));
}

/* Seconds since 'seen'; null if that is LLONG_MIN / 2 or less: never. */
static json_t *
age_of(long long int seen, long long int now)
{
    return (seen <= LLONG_MIN / 2 ? json_null()
            : json_real(MAX(now - seen, 0) / 1000.0));
}

static void
add_usage(const char *name, const struct in6_addr *service_ip,
          const struct counters *counters, void *services)
{
    json_array_append_new(services, counters_of_service_to_json(
        name, service_ip, counters));
}

json_t *
view_session(const struct session *session, long long int now)
{
    struct counters sum = { .packets_up = 0 };
    json_t *bearers = json_array(), *services = json_array();
    /* When was the UE last seen to be there, or did the SGW think so? */
    long long int seen = LLONG_MIN;
    const struct bearer *b;
    char ue[ADDR_UE_STRLEN];

    SESSION_FOR_EACH_BEARER (b, session) {
        json_array_append_new(bearers, bearer_of(b, now));
        seen = MAX(seen, MAX(b->heard, b->natural));
        seen = MAX(seen, bearer_proved(b));
        counters_add(&sum, &bearer_use_get(b)->counters);
    }
    usage_of_session(session->id, add_usage, services);
    return json_pack("{so ss ss so so so so}", "id", jsontext_id(session->id),
                     "ue", addr_format_ue(&session->ue, ue), "state",
                     bearer_state_name(session_state(session)),
                     "bearers", bearers, "evidenceAge", age_of(seen, now),
                     "counters", counters_to_json(&sum),
                     "services", services);
}

json_t *
view_peer(const struct in6_addr *addr, bool enb, unsigned int bearers)
{
    return json_pack("{so ss sI}", "address", jsontext_address(addr),
                     "role", enb ? "enb" : "sgw",
                     "bearers", (json_int_t) bearers);
}

/* Services. */

/* What differs from what goes without saying. */
static json_t *
health_of(const struct service_check *c)
{
    json_t *json = json_object();
    struct service_check usual;

    service_check_init(&usual);
    if (c->kind == SERVICE_CHECK_TCP) {
        json_object_set_new(json, "tcp", json_integer(c->port));
    } else if (c->kind == SERVICE_CHECK_HTTP) {
        json_object_set_new(json, "http", json_string(c->path));
        json_object_set_new(json, "port", json_integer(c->port));
        json_object_set_new(json, "expect", json_integer(c->expect));
    } else {
        json_object_set_new(json, "icmp", json_true());
    }
    if (c->interval_ms != usual.interval_ms) {
        json_object_set_new(json, "interval",
                            json_real(c->interval_ms / 1000.0));
    }
    if (c->fall != usual.fall) {
        json_object_set_new(json, "fall", json_integer(c->fall));
    }
    if (c->rise != usual.rise) {
        json_object_set_new(json, "rise", json_integer(c->rise));
    }
    return json;
}

static json_t *
applications_of(const struct service_spec *spec)
{
    json_t *apps = json_array();

    for (size_t i = 0; i < spec->n_apps; i++) {
        json_array_append_new(apps, json_pack(
            "{so si}", "ip", jsontext_address(&spec->apps[i].ip),
            "weight", spec->apps[i].weight));
    }
    return apps;
}

json_t *
view_service(const struct service_spec *spec)
{
    json_t *service = json_pack(
        "{ss so}", "name", spec->name,
        "serviceIP", jsontext_address(&spec->service_ip));

    if (spec->n_apps > 1) {
        json_object_set_new(service, "applications", applications_of(spec));
    } else {
        json_object_set_new(service, "applicationIP",
                            jsontext_address(&spec->apps[0].ip));
    }

    if (spec->n_chain) {
        json_t *chain = json_array();

        for (size_t i = 0; i < spec->n_chain; i++) {
            json_array_append_new(chain, json_string(spec->chain[i]));
        }
        json_object_set_new(service, "chain", chain);
    }
    if (spec->on_failure != SERVICE_BYPASS) {
        json_object_set_new(service, "on_failure", json_string(
            service_on_failure_name(spec->on_failure)));
    }
    if (spec->health.kind) {
        json_object_set_new(service, "health", health_of(&spec->health));
    }
    return service;
}

static json_t *
app_of(const struct app_view *app)
{
    json_t *json = json_pack("{ss so}", "state", app_state_name(app->state),
                             "since", jsontext_time(app->since));

    if (app->state == APP_DOWN) {
        json_object_set_new(json, "reason", jsontext_string(app->why));
    }
    return json;
}

static json_t *
app_at(const struct in6_addr *ip, const struct app_view *app)
{
    json_t *json = app_of(app);

    json_object_set_new(json, "address", jsontext_address(ip));
    return json;
}

static json_t *
apps_of_service(const struct service_spec *spec,
                const struct service_view *view)
{
    json_t *apps = json_array();

    for (size_t i = 0; i < spec->n_apps; i++) {
        json_array_append_new(apps, app_at(&spec->apps[i].ip,
                                           &view->apps[i]));
    }
    return apps;
}

json_t *
view_service_status(const struct service_spec *spec)
{
    struct service_view view;
    json_t *json;

    if (!service_describe(&spec->service_ip, &view)) {
        return NULL;
    }
    json = view_service(spec);
    json_object_set_new(json, "inForce", json_boolean(view.in_force));
    if (!view.in_force) {
        json_object_set_new(json, "reason", jsontext_string(view.why));
    }
    if (spec->n_apps > 1) {
        json_object_set_new(json, "apps", apps_of_service(spec, &view));
    } else {
        json_object_set_new(json, "app", app_of(&view.apps[0]));
    }
    return json;
}

/* The TOF itself. */

static void
add_app_down(const struct in6_addr *ip, const struct app_view *app, void *down)
{
    if (app->state == APP_DOWN && json_array_size(down) < APPS_DOWN_MAX) {
        json_array_append_new(down, app_at(ip, app));
    }
}

static json_t *
apps_of(void)
{
    json_t *apps = json_object(), *down = json_array();

    for (int state = 0; state < APP_N_STATES; state++) {
        json_object_set_new(apps, app_state_name(state),
                            json_integer(apps_count(state)));
    }
    apps_for_each(add_app_down, down);
    json_object_set_new(apps, "areDown", down);
    return apps;
}

static void
add_fact(const char *key, const char *value, void *facts)
{
    json_object_set_new(facts, key, jsontext_string(value));
}

json_t *
view_health(void)
{
    enum status_part part;
    enum health health = status_health(&part);
    json_t *json = json_pack("{ss}", "status", health_name(health));

    if (health != HEALTH_OK) {
        char *reason = xasprintf("%s: %s", status_name(part),
                                 status_detail(part));

        json_object_set_new(json, "reason", jsontext_string(reason));
        free(reason);
    }
    return json;
}

json_t *
view_status(void)
{
    json_t *parts = json_array(), *facts = json_object();
    json_t *bearers = json_object();

    for (int part = 0; part < STATUS_N_PARTS; part++) {
        json_array_append_new(parts, json_pack(
            "{ss sb so}", "name", status_name(part),
            "ready", status_ready(part),
            "detail", jsontext_string(status_detail(part))));
    }
    status_facts(add_fact, facts);
    for (int state = BEARER_EMBRYONIC; state <= BEARER_STALE; state++) {
        json_object_set_new(bearers, bearer_state_name(state),
                            json_integer(session_bearer_count(state)));
    }
    return json_pack("{sb so so so sI so so}", "ready", status_all_ready(),
                     "health", view_health(), "parts", parts, "facts", facts,
                     "sessions", (json_int_t) session_count(),
                     "bearers", bearers, "apps", apps_of());
}

json_t *
view_problem(unsigned int status, const char *title, const char *detail)
{
    return json_pack("{ss ss si so}", "type", "about:blank", "title", title,
                     "status", status, "detail", jsontext_string(detail));
}
