/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The TOF Control Agent.
 *
 * Two flows make the TOF, and each reads from top to bottom:
 *
 *   learn/detect.c       TEID detection and tunnel set-up, from packets.
 *   service/register.c   Application registration, called by service.c.
 *
 * Here they are joined: who tells whom (agent_init()), what becomes of a
 * bearer's diversion when the session table changes (bearer_event()), and the
 * order of things in a round of the loop (agent_run()). */

#include <config.h>

#include "agent.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/status.h"
#include "conf/conf.h"
#include "dataplane.h"
#include "divert/adopt.h"
#include "divert/divert.h"
#include "divert/downlink.h"
#include "divert/evidence.h"
#include "divert/hold.h"
#include "divert/forward.h"
#include "divert/pmtu.h"
#include "divert/stay.h"
#include "endpoint_choose.h"
#include "filter/filter.h"
#include "filter/l2.h"
#include "filter/nfq.h"
#include "gtp/endpoint.h"
#include "gtp/ue_frame.h"
#include "learn/detect.h"
#include "learn/namesake.h"
#include "learn/pinger.h"
#include "learn/prove.h"
#include "learn/signalling.h"
#include "learn/stranger.h"
#include "nat/nat.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "persist/import.h"
#include "persist/persist.h"
#include "persist/replicate_receive.h"
#include "persist/replicate_send.h"
#include "service/register.h"
#include "service/registry.h"
#include "service/service.h"
#include "service/service_table.h"
#include "session/session.h"
#include "stream-ssl.h"
#include "timeval.h"
#include "trace/trace.h"
#include "usage/usage.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(agent);

#define EMBRYONIC_MS 30000        /* Beyond the next sample. */
#define EXPIRE_BUDGET 200         /* A round of the loop and kind. */
#define SLOW_MS 1000

static const struct conf *conf;
static const struct endpoint_class *endpoint;
static bool ending;                     /* What is in force stays so. */
static bool endpoint_started;
static long long int slow_due, counters_due;
static long long int counters_ms;       /* Each of some kinds in turn. */
static bool conntrack_due;              /* Diverted bearers have gone. */
static long long int flows_due;         /* After nat_flows_run() failed. */

/* What the session table says. */

static void
note(const struct bearer *b, enum statelet_op op)
{
    persist_bearer(b, op);
    replicate_send_bearer(b, op);
}

static void
bearer_event(struct bearer *b, enum bearer_event event, const char *reason)
{
    char enb[INET6_ADDRSTRLEN];

    if (persist_is_replaying() || ending) {
        return;
    }
    switch (event) {
    case BEARER_CHANGED:
        note(b, STATELET_BEARER);
        break;
    case BEARER_MOVED:
        VLOG_DBG("%s: eNodeB %s sends for it now", bearer_log_name(b),
                 addr_format(b->enb, enb));
        divert_moved(b);
        note(b, STATELET_BEARER);
        break;
    case BEARER_INVALIDATED:
        VLOG_DBG("%s: its downlink tunnel is not proved any more",
                 bearer_log_name(b));
        divert_invalidated(b);
        note(b, STATELET_INVALID);
        break;
    case BEARER_GONE:
        VLOG_DBG("%s: has ended: %s", bearer_log_name(b), reason);
        usage_bearer_gone(b, reason);
        conntrack_due = conntrack_due || bearer_is_diverted(b);
        divert_gone(b);
        note(b, STATELET_GONE);
        break;
    }
}

void
agent_session_purge(struct session *s)
{
    uint32_t id = s->id;
    struct session *alive;

    while ((alive = session_by_id(id))) {
        struct bearer *b = alive->first;
        struct endpoint_bearer eb = bearer_describe(b);

        session_forget(b, "deleted");
        endpoint->unlearn(&eb);
    }
    /* In force when the caller says so.  (If nftables refuses, which it logs,
     * elements end by their timeouts.) */
    filter_run();
}

/* Start, end, loop. */

static void
path_changed(enum filter_side from, const struct in6_addr *src,
             const struct in6_addr *dst, const struct l2_header *l2)
{
    if (!persist_is_replaying()) {
        endpoint->path_changed(from, src, dst, l2);
        persist_path(from, src, dst, l2);
        replicate_send_path(from, src, dst, l2);
    }
}

/* To the services' databases. */
static void
start_registry(void)
{
    struct ds remotes = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < conf->registry.n; i++) {
        const char *remote = conf->registry.items[i];

        ds_put_format(&remotes, "%s%s", i ? "," : "", remote);
        if (!strncmp(remote, "ssl:", 4) && !conf->tls.key) {
            VLOG_ERR("%s needs tls.cert, tls.key and tls.ca", remote);
        }
    }
    if (!conf->registry.n) {
        ds_put_format(&remotes, "unix:%s/ovs/db.sock", conf->run_dir);
    }
    registry_init(ds_cstr(&remotes));
    ds_destroy(&remotes);
}

static uint32_t
flow_owner(uint32_t id, uint16_t space)
{
    return (is_orphan_id(id) || session_bearer_by_id(id) ? id
            : orphan_id(space));
}

/* Flows change before any identifier is given to a bearer anew. */
static void
reassign_flows_at_once(void)
{
    nat_flows_reassign(flow_owner);
    while (nat_flows_run() == EINPROGRESS) {
        continue;
    }
    conntrack_due = false;
}

static void
dataplane_came_up(void)
{
    pmtu_refill();
    stay_adopt();
    adopt_bearers(conf, endpoint);
    reassign_flows_at_once();
    usage_adopt();
    if (service_is_synced()) {
        adopt_services();
    }
    service_reapply();
}

/* The endpoint may compare its flows with what we want only when we know what
 * we want. */
static void
start_endpoint(void)
{
    if (!endpoint_started && dataplane_is_up() && service_is_applied()) {
        endpoint_started = true;
        adopt_services();
        endpoint->start();
    }
}

static bool
diverted_elsewhere(struct bearer *b, long long int now)
{
    return dataplane_is_up() && divert_in_advance(b, now);
}

/* What cannot be answered behind the NAT must not go there. */
static bool
admits(const struct bearer *b)
{
    const struct in6_addr ue = bearer_describe(b).ue;

    return nat_has_room() && nat_reaches_ue(&ue);
}

static const struct dataplane_events dataplane_events = {
    .packet = detect_packet,
    .endpoint = {
        .bearer_ready = divert_ready,
        .bearer_refused = divert_refused,
        .held_down = downlink_held,
        .unclaimed = downlink_unclaimed,
        .orphaned = downlink_orphaned,
        .counters = evidence_counted,
        .alive = evidence_alive,
        .missed = detect_missed,
        .reused = signalling_reused,
        .service_counters = service_count,
        .traced = trace_packet,
        .traces_lost = trace_packets_lost,
    },
    .up = dataplane_came_up,
};

static const struct detect_events detect_events = {
    .pass = forward_switch,
    .service_packet = divert_service_packet,
    .switched = stay_seen,
    .proved = divert_proved,
    .too_big = pmtu_too_big,
};

int
agent_init(const struct conf *conf_, char **what)
{
    int error;

    conf = conf_;
    error = endpoint_choose(conf, &endpoint, what);
    if (error) {
        return error;
    }

    const long long int evidence_ms = conf->sessions.evidence_seconds * 1000ll;
    counters_ms = MIN(SLOW_MS, evidence_ms / 16);
    session_init(conf->sessions.max, evidence_ms, bearer_event);
    hold_init();
    stay_init(endpoint);
    l2_init(path_changed);
    trace_init(conf, endpoint);
    forward_init(endpoint);
    divert_init(endpoint, evidence_ms, admits);
    evidence_init(conf, counters_ms, divert_overdue);
    pmtu_init(conf, forward_switch);
    signalling_init(conf->sessions.idle_seconds * 1000ll, forward_switch);
    if (conf->tls.key) {
        stream_ssl_set_key_and_cert(conf->tls.key, conf->tls.cert);
        stream_ssl_set_ca_cert_file(conf->tls.ca, false);
    }
    replicate_send_init(conf);
    replicate_receive_init(conf, diverted_elsewhere);
    error = persist_open(conf->state_dir, what);
    if (error) {
        return error;
    }
    prove_init(conf, endpoint, counters_ms);
    detect_init(conf, endpoint, &detect_events);
    register_init(conf, endpoint, dataplane_is_up, stay_take_up);
    downlink_init(conf);
    import_init(conf);
    usage_init(conf, service_name_of);

    start_registry();
    service_init();
    dataplane_init(conf, endpoint, &dataplane_events);
    return 0;
}

/* What has been held goes on along the normal way, and its connections do. */
static void
release_held(void)
{
    dataplane_hold_nothing();
    signalling_run(false);
    stranger_give_up();
    hold_expire(LLONG_MAX, forward_give_up);
    filter_run();
}

void
agent_destroy(void)
{
    if (dataplane_is_up()) {
        release_held();
    }
    trace_destroy();
    registry_destroy();
    replicate_receive_destroy();
    replicate_send_destroy();
    service_destroy();
    dataplane_destroy();
    prove_destroy();
    evidence_destroy();
    hold_destroy();
    pmtu_destroy();
    stay_destroy();
    signalling_destroy();
    namesake_destroy();
    stranger_destroy();
    l2_destroy();
    ending = true;
    usage_destroy();
    session_destroy();
    persist_close();
}

void
agent_reload(void)
{
    usage_reopen();
    if (conf->tls.key) {
        stream_ssl_set_certificate_file(conf->tls.cert);
        stream_ssl_set_private_key_file(conf->tls.key);
        stream_ssl_set_ca_cert_file(conf->tls.ca, false);
    }
}

static void
report_status(void)
{
    status_set(STATUS_REGISTRY, registry_is_connected(), "%s",
               registry_is_connected() ? "connected" : "not connected");
    endpoint->report(dataplane_is_up());
}

static void
expire_sessions(void)
{
    const long long int idle_ms = conf->sessions.idle_seconds * 1000ll;

    if (session_expire(time_msec(), EMBRYONIC_MS + idle_ms / 5, idle_ms,
                       EXPIRE_BUDGET)) {
        poll_immediate_wake();
    }
}

static void
run_slowly(void)
{
    long long int now = time_msec();

    if (endpoint_started && now >= counters_due) {
        counters_due = now + counters_ms;
        endpoint->poll_counters();
    }
    if (now < slow_due) {
        return;
    }
    slow_due = now + SLOW_MS;
    if (conntrack_due) {
        conntrack_due = false;
        nat_flows_reassign(flow_owner);
    }
    filter_poll_counters();
    if (dataplane_is_up()) {
        nat_poll_counters();
    }
    prove_report(now);
}

static void
run_flows(void)
{
    const bool done = nat_flows_done();
    int error = time_msec() >= flows_due ? nat_flows_run() : 0;

    if (error && error != EINPROGRESS) {
        flows_due = time_msec() + SLOW_MS;
    } else if (error || (!done && nat_flows_done())) {
        poll_immediate_wake();  /* Services may have waited for that. */
    }
}

void
agent_run(void)
{
    service_run();
    dataplane_run();
    signalling_run(queues_are_behind());
    stranger_run();
    namesake_run();
    start_endpoint();
    replicate_receive_run();
    if (dataplane_is_up()) {
        pinger_run();
        pmtu_run();
        evidence_run();
        hold_expire(time_msec(), divert_expired);
        stay_run();
    }
    expire_sessions();
    run_slowly();
    run_flows();
    usage_run(dataplane_is_up(), !conntrack_due && nat_flows_done());
    persist_run();
    replicate_send_run();
    trace_run();
    report_status();
}

void
agent_wait(void)
{
    service_wait();
    dataplane_wait();
    if (dataplane_is_up()) {
        pinger_wait();
        pmtu_wait();
        namesake_wait();
        stranger_wait();
        evidence_wait();
        hold_wait();
    }
    usage_wait(dataplane_is_up());
    persist_wait();
    replicate_receive_wait();
    replicate_send_wait();
    trace_wait();
    poll_timer_wait_until(slow_due);
    if (endpoint_started) {
        poll_timer_wait_until(counters_due);
    }
}

const struct endpoint_class *
agent_endpoint(void)
{
    return endpoint;
}
