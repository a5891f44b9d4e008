/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The REST API without the rest of the TOF, for test_rest.py.
 *
 * Place in the flow: in tofd's place, runs api/ and the real session.c in a
 * main loop of its own, over services kept in memory.  A service's name says
 * what its change shall meet: "slow-..." is answered after SLOW_MS from the
 * main loop, as by a data plane that takes its time, "fail-..." with
 * SERVICE_FAILED, "down-..." with SERVICE_UNAVAILABLE; any other at once,
 * before the request's function returns.
 *
 *     rest_driver [-l ADDRESS:PORT] [-a] [-u PATH] [-i INTERFACE]
 *                 [-t TOKEN_FILE] [-c CERT -k KEY] [-s SESSIONS]
 *                 [-m MISSING_PART]
 *
 * SIGHUP has it read the files that are named so anew, and say on standard
 * output "reloaded", or why not.
 *
 * SIGTERM ends it in the order that tofd ends: the API first, then what its
 * requests still wait for. */

#include <config.h>

#include <arpa/inet.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "conf/conf.h"
#include "base/addr.h"
#include "persist/import.h"
#include "api/json.h"
#include "latch.h"
#include "base/metrics.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "api/rest.h"
#include "service/service.h"
#include "session/session.h"
#include "base/status.h"
#include "timeval.h"
#include "usage/usage.h"
#include "util.h"

#define SLOW_MS 300
#define SERVICES_MAX 512

METRIC_COUNTER(sample, "tof_driver_sample_total", "reason=\"none\"",
               "A metric of the driver.");

static struct latch term, hup;

/* Services in effect, ordered by name. */
static struct service_spec services[SERVICES_MAX];
static size_t n_services;

enum change_type { CHANGE_CREATE, CHANGE_UPDATE, CHANGE_DELETE };

struct change {
    struct ovs_list node;       /* In 'changes'. */
    long long int due;
    enum change_type type;
    char *key;                  /* Not for CHANGE_CREATE. */
    struct service_spec spec;   /* Not for CHANGE_DELETE. */
    uint64_t version;
    service_done_cb *cb;
    void *aux;
};
static struct ovs_list changes = OVS_LIST_INITIALIZER(&changes);

static struct service_spec *
find_service(const char *key)
{
    struct in6_addr ip;
    bool is_ip = addr_parse(key, &ip);

    for (size_t i = 0; i < n_services; i++) {
        if (is_ip ? IN6_ARE_ADDR_EQUAL(&services[i].service_ip, &ip)
            : !strcmp(services[i].name, key)) {
            return &services[i];
        }
    }
    return NULL;
}

static bool
is_taken(const struct service_spec *spec, const struct service_spec *except)
{
    for (size_t i = 0; i < n_services; i++) {
        if (&services[i] != except
            && (!strcmp(services[i].name, spec->name)
                || IN6_ARE_ADDR_EQUAL(&services[i].service_ip,
                                      &spec->service_ip))) {
            return true;
        }
    }
    return false;
}

static int
compare_services(const void *a, const void *b)
{
    return strcmp(((const struct service_spec *) a)->name,
                  ((const struct service_spec *) b)->name);
}

static enum service_error
apply_change(const struct change *c)
{
    struct service_spec *old = c->key ? find_service(c->key) : NULL;

    if (c->type == CHANGE_DELETE && !strncmp(c->key, "fail-", 5)) {
        return SERVICE_FAILED;
    } else if (c->type == CHANGE_DELETE && !strncmp(c->key, "down-", 5)) {
        return SERVICE_UNAVAILABLE;
    } else if (c->key && !old) {
        return SERVICE_NOT_FOUND;
    } else if (c->version != SERVICE_ANY_VERSION
               && c->version != service_spec_version(old)) {
        return SERVICE_CHANGED;
    } else if (c->type == CHANGE_DELETE) {
        *old = services[--n_services];
    } else if (is_taken(&c->spec, old)) {
        return SERVICE_CONFLICT;
    } else if (!strncmp(c->spec.name, "fail-", 5)) {
        return SERVICE_FAILED;
    } else if (!strncmp(c->spec.name, "down-", 5)
               || (!old && n_services == SERVICES_MAX)) {
        return SERVICE_UNAVAILABLE;
    } else {
        *(old ? old : &services[n_services++]) = c->spec;
    }
    qsort(services, n_services, sizeof *services, compare_services);
    return SERVICE_OK;
}

static void
finish_change(struct change *c)
{
    enum service_error error = apply_change(c);
    bool show = error == SERVICE_OK && c->type != CHANGE_DELETE;

    c->cb(error, error ? "The driver refuses." : "Done.",
          show ? &c->spec : NULL, c->aux);
    free(c->key);
    free(c);
}

static void
start_change(enum change_type type, const char *key,
             const struct service_spec *spec, uint64_t version,
             service_done_cb *cb, void *aux)
{
    struct change *c = xzalloc(sizeof *c);
    const char *name = spec ? spec->name : key;

    *c = (struct change) {
        .due = time_msec() + SLOW_MS, .type = type,
        .key = nullable_xstrdup(key), .version = version, .cb = cb,
        .aux = aux,
    };
    if (spec) {
        c->spec = *spec;
    }
    if (!strncmp(name, "slow-", 5)) {
        ovs_list_push_back(&changes, &c->node);
    } else {
        finish_change(c);
    }
}

void
service_create(const struct service_spec *spec, service_done_cb *cb, void *aux)
{
    start_change(CHANGE_CREATE, NULL, spec, SERVICE_ANY_VERSION, cb, aux);
}

void
service_update(const char *name, const struct service_spec *spec,
               uint64_t version, service_done_cb *cb, void *aux)
{
    start_change(CHANGE_UPDATE, name, spec, version, cb, aux);
}

void
service_delete(const char *key, uint64_t version, service_done_cb *cb,
               void *aux)
{
    start_change(CHANGE_DELETE, key, NULL, version, cb, aux);
}

const struct service_spec *
service_find(const char *key)
{
    struct in6_addr ip;

    for (size_t i = 0; i < n_services; i++) {
        if (!strcmp(services[i].name, key)
            || (addr_parse(key, &ip)
                && IN6_ARE_ADDR_EQUAL(&services[i].service_ip, &ip))) {
            return &services[i];
        }
    }
    return NULL;
}

const struct service_spec *
service_by_ip(const struct in6_addr *ip, const struct counters **counters)
{
    static const struct counters some = { 1, 100, 2, 200 };

    *counters = &some;
    for (size_t i = 0; i < n_services; i++) {
        if (IN6_ARE_ADDR_EQUAL(&services[i].service_ip, ip)) {
            return &services[i];
        }
    }
    return NULL;
}

void
service_for_each(void (*cb)(const struct service_spec *,
                            const struct counters *, void *aux),
                 void *aux)
{
    struct counters counters = { 1, 100, 2, 200 };

    for (size_t i = 0; i < n_services; i++) {
        cb(&services[i], &counters, aux);
    }
}

/* All of them are in force. */
bool
service_describe(const struct in6_addr *ip OVS_UNUSED,
                 struct service_view *view)
{
    *view = (struct service_view) { .in_force = true };
    for (size_t i = 0; i < SERVICE_APPS_MAX; i++) {
        view->apps[i] = (struct app_view) {
            .state = i % 2 ? APP_DOWN : APP_UP, .why = "it is odd",
            .since = INT64_C(1796040000000) + i * 1000,
        };
    }
    return true;
}

void
usage_of_session(uint32_t session_id,
                 void (*cb)(const char *name,
                            const struct in6_addr *service_ip,
                            const struct counters *, void *aux),
                 void *aux)
{
    const struct counters counters = { session_id, 2, 3, 4 };
    const struct session *s = session_by_id(session_id);

    if (session_state(s) != BEARER_EMBRYONIC) {
        cb("edge", &s->ue, &counters, aux);
        cb("a \"quoted\" name", &s->ue, &counters, aux);
    }
}

void
agent_session_purge(struct session *s)
{
    uint32_t id = s->id;

    while ((s = session_by_id(id))) {
        session_forget(s->first, "deleted");
    }
}

/* Runs the changes that are due, or all of them. */
static void
changes_run(bool all)
{
    struct change *c;

    LIST_FOR_EACH_SAFE (c, node, &changes) {
        if (all || time_msec() >= c->due) {
            ovs_list_remove(&c->node);
            finish_change(c);
        }
    }
}

static void
changes_wait(void)
{
    if (!ovs_list_is_empty(&changes)) {
        poll_timer_wait_until(CONTAINER_OF(ovs_list_front(&changes),
                                           struct change, node)->due);
    }
}

static struct in6_addr
ipv4(uint32_t addr)
{
    struct in6_addr ip = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

    addr = htonl(addr);
    memcpy(&ip.s6_addr[12], &addr, sizeof addr);
    return ip;
}

/* UEs from 10.45.0.1 on, over 16 eNodeBs and 2 SGWs.  Of every three, one is
 * embryonic, one established and one stale. */
static void
make_sessions(unsigned int n)
{
    struct in6_addr enb, ue;
    struct fteid up, down;

    for (unsigned int i = 0; i < n; i++) {
        enb = ipv4(0x0a010001 + i % 16);
        ue = ipv4(0x0a2d0001 + i);
        up = (struct fteid) { ipv4(0x0a010101 + i % 2), 0xf0000000 + i };
        down = (struct fteid) { enb, 0x1000 + i };

        struct bearer *b = session_uplink(&enb, &up, &ue, time_msec());
        if (i % 3) {
            session_proved(b, &up.addr, &down, i % 64, time_msec());
        }
        if (i % 3 == 2) {
            session_invalidate(b);
        }
        bearer_use(b)->counters.packets_up = i;
    }
}

static void
set_status(const char *missing)
{
    for (enum status_part part = 0; part < STATUS_N_PARTS; part++) {
        bool ready = !missing || strcmp(status_name(part), missing);

        status_set(part, ready, "%s", ready ? "ready" : "taken away");
    }
    status_fact("datapath", "none: this is a test");
}

static unsigned int
parse_options(int argc, char *argv[], struct conf *conf, const char **missing)
{
    unsigned int sessions = 0;
    int c;

    while ((c = getopt(argc, argv, "al:u:i:t:c:k:s:m:")) != -1) {
        switch (c) {
        case 'l': conf->api.listen = optarg; break;
        case 'u': conf->api.unix_path = optarg; break;
        case 'a': conf->api.allow_without_token = true; break;
        case 'i': conf->api.interface = optarg; break;
        case 't': conf->api.token_file = optarg; break;
        case 'c': conf->api.tls_cert = optarg; break;
        case 'k': conf->api.tls_key = optarg; break;
        case 's': sessions = atoi(optarg); break;
        case 'm': *missing = optarg; break;
        default: exit(2);
        }
    }
    return sessions;
}

static void
on_signal(int signr)
{
    latch_set(signr == SIGTERM ? &term : &hup);
}

static void
reload(const struct conf *conf)
{
    char *error = NULL;

    if (latch_poll(&hup)) {
        puts(rest_reload(conf, &error) ? error : "reloaded");
        fflush(stdout);
        free(error);
    }
}

int
main(int argc, char *argv[])
{
    struct conf conf = { .registry = NULL };
    const char *missing = NULL;
    unsigned int n_sessions;
    char *error;

    set_program_name(argv[0]);
    n_sessions = parse_options(argc, argv, &conf, &missing);
    latch_init(&term);
    latch_init(&hup);
    signal(SIGTERM, on_signal);
    signal(SIGHUP, on_signal);
    set_status(missing);
    session_init(n_sessions * 4 + 1000, 10000, NULL);
    import_init(&conf);
    make_sessions(n_sessions);
    if (rest_init(&conf, &error)) {
        fprintf(stderr, "%s\n", error);
        free(error);
        session_destroy();
        return 1;
    }
    metric_inc(&sample);
    puts("ready");
    fflush(stdout);
    while (!latch_is_set(&term)) {
        changes_run(false);
        reload(&conf);
        rest_run();
        rest_wait();
        changes_wait();
        latch_wait(&term);
        latch_wait(&hup);
        poll_block();
    }
    rest_destroy();
    changes_run(true);
    session_destroy();
    latch_destroy(&term);
    latch_destroy(&hup);
    return 0;
}
