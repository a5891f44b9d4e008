/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The TOF Control Agent.
 *
 * Two flows make the TOF, and each reads from top to bottom:
 *
 *   uplink_seen()      TEID detection and tunnel set-up.  Called for each
 *                      uplink G-PDU that the filter copies or holds; goes on
 *                      in reply_seen() when the Pinger's reply comes back.
 *   register.c         Application registration, called by service.c.
 *
 * Around them: packets come in from nfq.c by packet_seen(), bearer events
 * from session.c by bearer_event(), the endpoint's events by the functions of
 * struct endpoint_events. */

#include <config.h>

#include "agent.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "addr.h"
#include "adopt.h"
#include "answer.h"
#include "conf.h"
#include "dataplane.h"
#include "gtp/endpoint.h"
#include "gtp/filter.h"
#include "gtp/gtpu.h"
#include "gtp/l2.h"
#include "gtp/nfq.h"
#include "hold.h"
#include "metrics.h"
#include "nft/nat.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "onward.h"
#include "ovs/registry.h"
#include "packets.h"
#include "pinger.h"
#include "prove.h"
#include "register.h"
#include "remember.h"
#include "service.h"
#include "service_table.h"
#include "session.h"
#include "signalling.h"
#include "status.h"
#include "timeval.h"
#include "usage.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(agent);

#define EMBRYONIC_MS 30000               /* Beyond the next sample. */
#define EXPIRE_BUDGET 200         /* A round of the loop and kind. */
#define SLOW_MS 1000
#define READY_RETRY_MS 100

METRIC_COUNTER(n_spoofed, "tof_packets_spoofed_total", "",
               "Packets with another inner source than the bearer's UE.");
METRIC_COUNTER(n_nested, "tof_packets_nested_total", "",
               "G-PDUs with GTP-U inside, of which nothing is learned.");
METRIC_COUNTER(n_strangers, "tof_packets_strangers_total", "",
               "Packets of peers outside of the configured prefixes.");

static struct metric n_malformed[GTPU_N_ERRORS];        /* By reason. */

static const struct conf *conf;
static const struct endpoint_class *endpoint;
static bool ending;                     /* What is in force stays so. */
static bool endpoint_started;
static long long int evidence_ms;
static long long int slow_due, counters_due;
static long long int counters_ms;       /* Each of some kinds in turn. */
static bool conntrack_due;              /* Diverted bearers have gone. */
static const char *gone_reason = "reused";      /* Why bearers go just now. */

/* Its UE has been in the tunnel lately, so whoever else shows up there makes
 * addresses up. */
static bool
is_taken(const struct bearer *b, long long int now)
{
    return (prove_is_fresh(b, now)
            || (b->state == BEARER_ESTABLISHED && b->ready
                && now - b->heard <= evidence_ms));
}

/* Diverts 'b', whose proof is fresh; goes on in answer_ready(). */
static void
divert(struct bearer *b, long long int now)
{
    struct endpoint_bearer eb = bearer_describe(b);

    b->diverted = true;
    if (b->ready) {
        b->ready = false;
        b->unready = now;
    }
    b->asked = now;
    usage_bearer(b);
    endpoint->bearer_set(&eb, false);
}

/* TEID detection and tunnel set-up. */

/* A held uplink service packet of 'b'. */
static void
service_packet_held(struct bearer *b, const struct nfq_packet *np,
                    long long int now)
{
    b->diverted = true;
    if (b->ready && prove_is_fresh(b, now)) {
        /* Overtaken on its way here by the bearer getting ready. */
        onward_send(b->id, HOLD_UP, np->ip, np->len);
        if (now - b->asked > READY_RETRY_MS) {
            divert(b, now);
        }
    } else if (!prove_is_fresh(b, now) && !prove_is_possible(b)) {
        onward_switch(WIRE_SGW, np->ip, np->len);
        b->onward = now;
    } else {
        hold_add(b->id, HOLD_UP, np->ip, np->len, now, onward_give_up);
        if (!prove_is_fresh(b, now)) {
            prove_ask(b, true);
        } else if (hold_count(b->id) == 1) {
            divert(b, now);
        }
    }
}

static sa_family_t
inner_family(const struct gtpu_packet *p)
{
    return p->inner.version == 6 ? AF_INET6 : AF_INET;
}

static uint8_t
qfi_of(const struct gtpu_packet *p)
{
    return p->msg.pdu.present ? QFI_PRESENT | p->msg.pdu.qfi : 0;
}

/* Packets like 'p', of a tunnel that is known now, need not be copied for a
 * while. */
static void
learned(enum filter_side from, const struct gtpu_packet *p)
{
    const struct tunnel tunnel = { p->src, p->dst, p->msg.teid };

    if (p->msg.type != GTPU_GPDU) {
        return;
    } else if (endpoint->learned) {
        endpoint->learned(from, &tunnel, (from == SIDE_ENB ? &p->inner.src
                                          : &p->inner.dst));
    } else {
        filter_learned(&tunnel, inner_family(p));
    }
}

/* An uplink G-PDU: first half of the flow diagram "TEID detection and tunnel
 * set-up". */
static void
uplink_seen(const struct nfq_packet *np, const struct gtpu_packet *p)
{
    const bool held = np->queue == QUEUE_HOLD_ENB;
    const struct fteid up = { p->dst, p->msg.teid };
    long long int now = time_msec();

    /* 1. Is it from a UE that the tunnel does not belong to? */
    const struct in6_addr ue = addr_ue_key(&p->inner.src);
    struct bearer *b = session_bearer_by_uplink(&up, addr_family(&ue));
    if (b && !IN6_ARE_ADDR_EQUAL(&b->session->ue, &ue) && is_taken(b, now)) {
        metric_inc(&n_spoofed);
        if (held) {
            onward_switch(WIRE_SGW, np->ip, np->len);
        }
        return;
    }

    /* 2. Note the tunnel between eNodeB and SGW, with this TEID. */
    b = (addr_problem(&p->inner.src) ? NULL
         : session_uplink(&p->src, &up, &p->inner.src, now));
    if (!b) {
        if (held) {
            onward_switch(WIRE_SGW, np->ip, np->len);
        }
        return;
    }
    b->up_qfi = qfi_of(p);
    b->up_dscp = p->tos >> 2;
    if (!held) {
        learned(SIDE_ENB, p);
        b->onward = now;
    }

    /* 3. Have the Pinger make the SGW show the tunnel back; a packet for a
     * service waits for that. */
    if (held) {
        service_packet_held(b, np, now);
    } else if (b->state != BEARER_ESTABLISHED) {
        prove_ask(b, false);
    }
}

/* A reply shows that a downlink tunnel answers 'b'. */
static void
proved(struct bearer *b, const struct gtpu_packet *p, long long int now)
{
    const struct fteid down = { p->dst, p->msg.teid };

    /* 4. The tunnel from the SGW to the eNodeB is proved; unless it leads to
     * the eNodeB that the UE has left, then the next reply may tell. */
    b->down_dscp = p->tos >> 2;
    if (!session_proved(b, &p->src, &down, qfi_of(p), now)) {
        return;
    }

    /* 5. The Pinger stops.  If the tunnel does not lead to where the UE's
     * packets come from, the path may be about to be switched: it goes on. */
    if (IN6_ARE_ADDR_EQUAL(&p->dst, &b->enb)) {
        pinger_stop(b->id);
    } else {
        pinger_confirm(b->id);
    }

    /* 6. A bearer that talks to a service is diverted; what has been held
     * goes on when that is in force. */
    if (b->diverted) {
        divert(b, now);
    }
}

/* The SGW's answer to the Pinger: second half. */
static void
reply_seen(uint32_t id, const struct gtpu_packet *p)
{
    const struct in6_addr ue = addr_ue_key(&p->inner.dst);
    struct bearer *b = session_bearer_by_id(id), *vouched;
    long long int now = time_msec();

    if (!b || !IN6_ARE_ADDR_EQUAL(&b->session->ue, &ue)) {
        return;
    }
    vouched = prove_vouched(b);
    proved(b, p, now);
    if (vouched) {
        proved(vouched, p, now);
    }
}

/* Other packets from the wire. */

/* "pairing: observed": the only bearer of the UE with that key, behind the SGW
 * that sends, is the one that is answered here. */
static struct bearer *
pair_observed(const struct gtpu_packet *p, const struct in6_addr *ue)
{
    struct session *s = (conf->pinger.pairing == PAIRING_OBSERVED
                         ? session_find_unambiguous(ue) : NULL);
    struct bearer *b = s ? session_only_bearer(s) : NULL;

    return b && IN6_ARE_ADDR_EQUAL(&b->up.addr, &p->src) ? b : NULL;
}

/* Does the downlink tunnel 'down', which has been that of another UE, now have
 * packets for 'ue', sent by 'sgw'?  Where several UEs have that address, those
 * of another SGW are for another one. */
static bool
is_reused(const struct fteid *down, const struct in6_addr *ue,
          const struct in6_addr *sgw)
{
    const struct bearer *b = session_bearer_by_downlink(down);

    for (; b; b = session_next_by_downlink(b)) {
        if (bearer_family(b) == addr_family(ue)
            && (!IN6_ARE_ADDR_EQUAL(&b->session->ue, ue)
                || (!IN6_ARE_ADDR_EQUAL(&b->down_sgw, sgw)
                    && !session_find_unambiguous(ue)))) {
            return true;
        }
    }
    return false;
}

/* A downlink G-PDU: natural ones show a tunnel that is alive; with "pairing:
 * observed" that is taken for a proof where it is unambiguous. */
static void
downlink_seen(const struct gtpu_packet *p)
{
    const struct fteid down = { p->dst, p->msg.teid };
    const struct in6_addr ue = addr_ue_key(&p->inner.dst);
    struct bearer *observed = pair_observed(p, &ue);
    long long int now = time_msec();

    if (addr_problem(&p->inner.dst)) {
        return;                 /* Router advertisements and the like. */
    }
    bool reused = is_reused(&down, &ue, &p->src);
    for (struct bearer *b = session_bearer_by_downlink(&down); b;
         b = session_next_by_downlink(b)) {
        b->natural = now;
        if (reused) {
            session_invalidate(b);
            continue;
        }
        b->down_dscp = p->tos >> 2;
        if (bearer_family(b) == addr_family(&ue)) {
            session_touch(b, now);
        }
    }
    /* Where they are evidence all are copied; also of a UE whose uplink has
     * not been seen yet, as copies of both sides may overtake each other. */
    if (conf->pinger.pairing != PAIRING_OBSERVED) {
        learned(SIDE_SGW, p);
    } else if (observed
               && !prove_is_fresh(observed, now + evidence_ms / 2)) {
        reply_seen(observed->id, p);
    }
}

static void
held_from_sgw(const struct nfq_packet *np, const struct gtpu_packet *p)
{
    const uint8_t *inner = p->msg.payload;
    uint32_t id;

    if (pinger_is_reply(inner, p->msg.payload_len, &id)) {
        reply_seen(id, p);
    } else {
        onward_switch(WIRE_ENB, np->ip, np->len);
    }
}

/* GTP-U inside GTP-U: a UE plays eNodeB or SGW.  Its tunnels are its own. */
static bool
is_nested(const struct gtpu_packet *p)
{
    const struct gtpu_inner *inner = &p->inner;

    return (p->msg.type == GTPU_GPDU && inner->proto == IPPROTO_UDP
            && inner->l4 && inner->l4_len >= UDP_HEADER_LEN
            && (inner->l4[2] << 8 | inner->l4[3]) == GTPU_PORT);
}

/* Nothing is learned from peers outside of the configured prefixes, if there
 * are any. */
static bool
are_peers(const struct in6_addr *enb, const struct in6_addr *sgw)
{
    return ((!conf->s1u.enodebs.n
             || ip_prefix_list_contains(&conf->s1u.enodebs, enb))
            && (!conf->s1u.sgws.n
                || ip_prefix_list_contains(&conf->s1u.sgws, sgw)));
}

static void
packet_seen(const struct nfq_packet *np)
{
    const bool from_enb = (np->queue == QUEUE_COPY_ENB
                           || np->queue == QUEUE_HOLD_ENB);
    const bool held = (np->queue == QUEUE_HOLD_ENB
                       || np->queue == QUEUE_HOLD_SGW);
    struct gtpu_packet p;
    enum gtpu_error error = gtpu_parse_packet(np->ip, np->len, &p);

    if (error) {
        metric_inc(&n_malformed[error]);
        if (held) {
            onward_switch(from_enb ? WIRE_SGW : WIRE_ENB, np->ip, np->len);
        }
        return;
    }
    l2_seen(from_enb ? SIDE_ENB : SIDE_SGW, &p.src, &p.dst, np->src_mac,
            np->tag);
    if (is_nested(&p)) {
        metric_inc(&n_nested);
        if (held) {
            onward_switch(from_enb ? WIRE_SGW : WIRE_ENB, np->ip, np->len);
        }
        return;
    }
    if (!are_peers(from_enb ? &p.src : &p.dst, from_enb ? &p.dst : &p.src)) {
        metric_inc(&n_strangers);
        if (held) {
            onward_switch(from_enb ? WIRE_SGW : WIRE_ENB, np->ip, np->len);
        } else {
            learned(from_enb ? SIDE_ENB : SIDE_SGW, &p);
        }
        return;
    }
    if (p.msg.type == GTPU_ERROR_INDICATION) {
        signalling_error_indication(np, &p, from_enb);
    } else if (p.msg.type == GTPU_END_MARKER) {
        signalling_end_marker(&p);
    } else if (p.msg.type == GTPU_GPDU) {
        if (from_enb) {
            uplink_seen(np, &p);
        } else if (held) {
            held_from_sgw(np, &p);
        } else {
            downlink_seen(&p);
        }
    }
}

/* What the session table says. */

/* What the Pinger has asked before may be answered on the old path. */
static void
prove_anew(const struct bearer *b)
{
    pinger_stop(b->id);
    if (hold_count(b->id)) {
        prove_ask(b, true);
    }
}

static void
bearer_event(const struct bearer *b, enum bearer_event event)
{
    struct endpoint_bearer eb = bearer_describe(b);

    if (remember_is_replaying() || ending) {
        return;
    }
    switch (event) {
    case BEARER_CHANGED:
        remember_bearer(b, STATELET_BEARER);
        break;
    case BEARER_MOVED:
        prove_anew(b);
        remember_bearer(b, STATELET_BEARER);
        break;
    case BEARER_INVALIDATED:
        if (b->diverted) {
            endpoint->bearer_clear(&eb);
        }
        if (b->ready) {
            CONST_CAST(struct bearer *, b)->ready = false;
            CONST_CAST(struct bearer *, b)->unready = time_msec();
        }
        prove_anew(b);
        remember_bearer(b, STATELET_INVALID);
        break;
    case BEARER_GONE:
        usage_bearer_gone(b, gone_reason);
        pinger_stop(b->id);
        if (b->diverted) {
            endpoint->bearer_clear(&eb);
            hold_release(b->id, onward_give_up);
            conntrack_due = true;
        }
        remember_bearer(b, STATELET_GONE);
        break;
    }
}

void
agent_session_purge(struct session *s)
{
    uint32_t id = s->id;
    struct session *alive;

    gone_reason = "deleted";
    while ((alive = session_by_id(id))) {
        struct bearer *b = CONTAINER_OF(ovs_list_front(&alive->bearers),
                                        struct bearer, session_node);
        struct endpoint_bearer eb = bearer_describe(b);

        session_forget(b);
        if (endpoint->unlearn) {
            endpoint->unlearn(&eb);
        } else {
            filter_unlearn(&eb);
        }
    }
    /* In force when the caller says so.  (If nftables refuses, which it logs,
     * elements end by their timeouts.) */
    filter_run();
    gone_reason = "reused";
}

/* Start, end, loop. */

static bool
bearer_is_gone(uint32_t id)
{
    return !session_bearer_by_id(id);
}

static void
dataplane_came_up(void)
{
    adopt_bearers(endpoint);
    conntrack_due = nat_flush_bearers(bearer_is_gone) != 0;
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
    if (!endpoint_started && dataplane_is_up() && service_is_synced()) {
        endpoint_started = true;
        adopt_services();
        endpoint->start();
    }
}

static void
register_malformed(void)
{
    for (int i = GTPU_OK + 1; i < GTPU_N_ERRORS; i++) {
        n_malformed[i] = (struct metric) {
            .name = "tof_packets_malformed_total",
            .labels = xasprintf("reason=\"%s\"", gtpu_reason(i)),
            .help = "Copied or held packets that are not well-formed GTP-U, "
                    "by reason.",
            .type = "counter",
        };
        metric_register(&n_malformed[i]);
    }
}

int
agent_init(const struct conf *conf_, char **what)
{
    const struct dataplane_events events = {
        .packet = packet_seen,
        .endpoint = { answer_ready, answer_held, answer_unclaimed,
                      account_bearer, account_alive, signalling_reused,
                      account_service },
        .up = dataplane_came_up,
    };
    char *remotes;
    int error;

    conf = conf_;
    error = endpoint_choose(conf, &endpoint, what);
    if (error) {
        return error;
    }
    register_malformed();
    evidence_ms = conf->sessions.evidence_seconds * 1000ll;
    counters_ms = MIN(SLOW_MS, evidence_ms / 16);
    session_init(conf->sessions.max, bearer_event);
    hold_init();
    l2_init(endpoint->path_changed);
    onward_init(endpoint);
    account_init(evidence_ms);
    signalling_init(conf->sessions.idle_seconds * 1000ll);
    error = remember_open(conf->state_dir, what);
    if (error) {
        return error;
    }
    prove_init(conf, endpoint);
    register_init(conf, endpoint);
    answer_init(conf);
    usage_init(conf);

    remotes = (conf->n_registry
               ? xasprintf("%s", conf->registry[0])
               : xasprintf("unix:%s/ovs/db.sock", conf->run_dir));
    for (size_t i = 1; i < conf->n_registry; i++) {
        char *more = xasprintf("%s,%s", remotes, conf->registry[i]);
        free(remotes);
        remotes = more;
    }
    registry_init(remotes);
    free(remotes);
    service_init(&register_plane);
    dataplane_init(conf, endpoint, &events);
    return 0;
}

void
agent_destroy(void)
{
    registry_destroy();
    service_destroy();
    dataplane_destroy();
    prove_destroy();
    hold_destroy();
    signalling_destroy();
    l2_destroy();
    ending = true;
    usage_destroy();
    session_destroy();
    remember_close();
}

void
agent_reopen(void)
{
    usage_reopen();
}

static void
report_status(void)
{
    bool ready = dataplane_is_up() && endpoint->ready();

    status_set(STATUS_REGISTRY, registry_is_connected(), "%s",
               registry_is_connected() ? "connected" : "not connected");
    if (endpoint->report) {
        endpoint->report(dataplane_is_up());
        return;
    }
    status_set(STATUS_OPENFLOW, ready, "%s",
               ready ? "flows are in force" : "waiting for Open vSwitch");
    if (dataplane_is_up()) {
        bool live = ready && filter_endpoint_is_live();
        status_set(STATUS_ENDPOINT, live, "%s",
                   live ? "heartbeats arrive" : "no heartbeats: switching");
    }
}

static void
expire_sessions(void)
{
    const long long int idle_ms = conf->sessions.idle_seconds * 1000ll;

    gone_reason = "idle";
    if (session_expire(time_msec(), EMBRYONIC_MS + idle_ms / 5, idle_ms,
                       EXPIRE_BUDGET)) {
        poll_immediate_wake();
    }
    gone_reason = "reused";
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
    if (conntrack_due && !nat_flush_bearers(bearer_is_gone)) {
        conntrack_due = false;
    }
    filter_poll_counters();
}

void
agent_run(void)
{
    service_run();
    dataplane_run();
    signalling_run(queues_are_behind());
    start_endpoint();
    if (dataplane_is_up()) {
        pinger_run();
        hold_expire(time_msec(), onward_give_up);
    }
    expire_sessions();
    run_slowly();
    usage_run(dataplane_is_up(), !conntrack_due);
    remember_run();
    report_status();
}

void
agent_wait(void)
{
    service_wait();
    dataplane_wait();
    if (dataplane_is_up()) {
        pinger_wait();
        hold_wait();
    }
    usage_wait(dataplane_is_up());
    remember_wait();
    poll_timer_wait_until(slow_due);
    poll_timer_wait_until(counters_due);
}
