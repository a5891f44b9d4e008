/* SPDX-License-Identifier: GPL-3.0-or-later */

/* TEID detection and tunnel set-up: see detect.h.
 *
 * The flow reads from top to bottom: uplink_seen() for each uplink G-PDU that
 * the filter copies or holds; reply_seen() when the Pinger's reply comes back;
 * divert/divert.c has the bearer diverted, and goes on when the endpoint says
 * that it is programmed. */

#include <config.h>

#include "learn/detect.h"

#include <stdlib.h>

#include "base/addr.h"
#include "base/metrics.h"
#include "conf/conf.h"
#include "filter/l2.h"
#include "filter/nfq.h"
#include "gtp/endpoint.h"
#include "gtp/gtpu.h"
#include "gtp/gtpu_build.h"
#include "learn/foreign.h"
#include "learn/namesake.h"
#include "learn/pinger.h"
#include "learn/prove.h"
#include "learn/signalling.h"
#include "learn/stranger.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(detect);

METRIC_COUNTER(n_spoofed, "tof_packets_spoofed_total", "",
               "Packets with another inner source than the bearer's UE.");
METRIC_COUNTER(n_nested, "tof_packets_nested_total", "",
               "G-PDUs with GTP-U inside, of which nothing is learned.");
METRIC_COUNTER(n_backwards, "tof_packets_backwards_total", "",
               "Packets to UEs that an eNodeB sends back, of which nothing is "
               "learned.");
METRIC_COUNTER(n_strangers, "tof_packets_strangers_total", "",
               "Packets of peers outside of the configured prefixes.");

METRIC_COUNTER(n_missed, "tof_packets_missed_total", "",
               "Diverted packets for which the endpoint had no flow yet, or "
               "no more: they go on like held ones.");

static struct metric n_malformed[GTPU_N_ERRORS];        /* By reason. */

static const struct conf *conf;
static const struct endpoint_class *endpoint;
static struct detect_events events;
static long long int evidence_ms;

static namesake_cb both_proved;
static stranger_cb next_seen, seen_again, refused;

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

void
detect_init(const struct conf *conf_, const struct endpoint_class *endpoint_,
            const struct detect_events *events_)
{
    conf = conf_;
    endpoint = endpoint_;
    events = *events_;
    evidence_ms = conf->sessions.evidence_seconds * 1000ll;
    register_malformed();
    namesake_init(conf->pinger.interval_ms, both_proved);
    stranger_init(conf->pinger.interval_ms, next_seen, seen_again, refused);
}

/* 'np' goes on as if nothing had happened, if it was held; of a copy the
 * original has. */
static void
pass(const struct nfq_packet *np)
{
    if (queue_is_held(np->queue)) {
        events.pass(queue_side(np->queue), np->ip, np->len);
    }
}

/* Its UE has been in the tunnel lately, so whoever else shows up there makes
 * addresses up. */
static bool
is_taken(const struct bearer *b, long long int now)
{
    return (prove_is_fresh(b, now)
            || (b->state == BEARER_ESTABLISHED && bearer_is_ready(b)
                && now - b->heard <= evidence_ms));
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

    if (p->msg.type == GTPU_GPDU) {
        endpoint->learned(from, &tunnel, (from == SIDE_ENB ? &p->inner.src
                                          : &p->inner.dst));
    }
}

/* The packet of another source than the tunnel's UE. */
static void
refused(const struct nfq_packet *np)
{
    metric_inc(&n_spoofed);
    pass(np);
}

/* Whether it is a packet to a UE that its eNodeB has left to the SGW to
 * forward, to the next eNodeB (TS 23.401 clause 5.5.1.2): in 5G it says so; in
 * LTE its receiver is a UE that has been proved.  A UE's packet to another UE
 * teaches nothing then, but its next one does. */
static bool
is_backwards(const struct gtpu_packet *p)
{
    const struct in6_addr ue = addr_ue_key(&p->inner.dst);
    const struct session *s = session_next_of_ue(&ue, NULL);

    while (s && session_state(s) == BEARER_EMBRYONIC) {
        s = session_next_of_ue(&ue, s);
    }
    return s || (p->msg.pdu.present && p->msg.pdu.type == GTPU_PDU_DOWNLINK);
}

/* An uplink G-PDU from 'p->inner.src': first half of the flow diagram "TEID
 * detection and tunnel set-up". */
static void
uplink_of_ue(const struct nfq_packet *np, const struct gtpu_packet *p)
{
    const bool held = queue_is_held(np->queue);
    const struct fteid up = { p->dst, p->msg.teid };
    long long int now = time_msec();

    /* 2. Note the tunnel between eNodeB and SGW, with this TEID. */
    struct bearer *b = session_uplink(&p->src, &up, &p->inner.src, now);
    if (!b) {
        pass(np);
        return;
    }
    b->up_qfi = qfi_of(p);
    b->up_dscp = p->tos >> 2;
    if (!held) {
        learned(SIDE_ENB, p);
        b->forwarded = now;
    }

    /* 3. Have the Pinger make the SGW show the tunnel back; a packet for a
     * service waits for that. */
    if (held) {
        events.service_packet(b, p, np->ip, np->len, now);
    } else if (b->state != BEARER_ESTABLISHED) {
        prove_ask(b, false);
    }
}

/* An uplink G-PDU. */
static void
uplink_seen(const struct nfq_packet *np, const struct gtpu_packet *p)
{
    const struct fteid up = { p->dst, p->msg.teid };
    const struct in6_addr ue = addr_ue_key(&p->inner.src);
    const struct bearer *b = session_bearer_by_uplink(&up, addr_family(&ue));
    const bool own = b && IN6_ARE_ADDR_EQUAL(&b->session->ue, &ue);

    if (!queue_is_held(np->queue)) {
        events.switched(p);
    }
    /* 1. Is it from a UE that the tunnel does not belong to? */
    if (addr_problem(&p->inner.src)) {
        pass(np);
    } else if (!own && !queue_is_held(np->queue) && is_backwards(p)) {
        metric_inc(&n_backwards);
    } else if (b && !own && is_taken(b, time_msec())) {
        refused(np);
    } else {
        enum stranger_verdict verdict = (b && !own ? stranger_seen(b, np, p)
                                         : STRANGER_TAKES);

        if (verdict == STRANGER_TAKES) {
            uplink_of_ue(np, p);
        } else if (verdict == STRANGER_REFUSED) {
            refused(np);
        }
    }
}

/* Packets that have waited: whose source is the next UE that has the tunnel;
 * of which that is still the question. */

static void
next_seen(const struct nfq_packet *np)
{
    struct gtpu_packet p;

    if (!gtpu_parse_packet(np->ip, np->len, &p)) {
        uplink_of_ue(np, &p);
    }
}

static void
seen_again(const struct nfq_packet *np)
{
    struct gtpu_packet p;

    if (!gtpu_parse_packet(np->ip, np->len, &p)) {
        uplink_seen(np, &p);
    }
}

/* A reply shows that a downlink tunnel answers 'b'. */
static void
proved(struct bearer *b, const struct answer *a)
{
    /* 4. The tunnel from the SGW to the eNodeB is proved; unless it leads to
     * the eNodeB that the UE has left, then the next reply may tell. */
    b->down_dscp = a->dscp;
    if (!session_proved(b, &a->sgw, &a->down, a->qfi, a->since)) {
        return;
    }
    VLOG_DBG("%s: proved: downlink TEID 0x%08"PRIx32, bearer_log_name(b),
             a->down.teid);

    /* 5. The Pinger stops.  If the tunnel does not lead to where the UE's
     * packets come from, the path may be about to be switched: it goes on. */
    if (IN6_ARE_ADDR_EQUAL(&a->down.addr, b->enb)) {
        pinger_stop(b->id);
    } else {
        pinger_confirm(b->id);
    }

    /* 6. A bearer that talks to a service is diverted; what has been held
     * goes on when that is in force. */
    events.proved(b);
}

/* The bearer, and the other one of its dual-stack pair if that is proved by
 * it. */
static void
both_proved(struct bearer *b, const struct answer *a)
{
    proved(b, a);

    struct bearer *vouched = prove_vouched(b);
    if (vouched) {
        proved(vouched, a);
    }
}

/* The SGW's answer to the Pinger, which came after 'since': second half.  It
 * proves nothing if we were so late that the UE may have moved since. */
static void
reply_seen(uint32_t id, const struct gtpu_packet *p, long long int since)
{
    const struct in6_addr ue = addr_ue_key(&p->inner.dst);
    const struct answer a = {
        .sgw = p->src, .down = { p->dst, p->msg.teid },
        .qfi = qfi_of(p), .dscp = p->tos >> 2, .since = since,
    };
    struct bearer *b = session_bearer_by_id(id);

    if (!b || !IN6_ARE_ADDR_EQUAL(&b->session->ue, &ue)
        || time_msec() - since > evidence_ms) {
        return;
    }
    if (!namesake_waits(b, &a)) {
        both_proved(b, &a);
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

    return b && IN6_ARE_ADDR_EQUAL(b->sgw, &p->src) ? b : NULL;
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
                || (!IN6_ARE_ADDR_EQUAL(b->down_sgw, sgw)
                    && !session_find_unambiguous(ue)))) {
            return true;
        }
    }
    return false;
}

/* A downlink G-PDU: natural ones show a tunnel that is alive; with "pairing:
 * observed" that is taken for a proof where it is unambiguous. */
static void
downlink_seen(const struct gtpu_packet *p, long long int since)
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
        reply_seen(observed->id, p, since);
    }
}

static void
held_from_sgw(const struct nfq_packet *np, const struct gtpu_packet *p)
{
    const uint8_t *inner = p->msg.payload;
    uint32_t id;

    if (pinger_is_reply(inner, p->msg.payload_len, &id)) {
        reply_seen(id, p, np->since);
    } else {
        pass(np);
    }
}

/* GTP-U inside GTP-U: a UE plays eNodeB or SGW.  Its tunnels are its own.  But
 * what a UE sends to a service (the filter holds nothing else from that side)
 * is the service's, whichever port it listens on. */
static bool
is_nested(const struct nfq_packet *np, const struct gtpu_packet *p)
{
    const struct gtpu_inner *inner = &p->inner;

    return (np->queue != QUEUE_HOLD_ENB && p->msg.type == GTPU_GPDU && inner->proto == IPPROTO_UDP
            && inner->l4 && inner->l4_len >= UDP_HEADER_LEN
            && (inner->l4[2] << 8 | inner->l4[3]) == GTPU_PORT);
}

void
detect_packet(const struct nfq_packet *np)
{
    const enum filter_side from = queue_side(np->queue);
    struct gtpu_packet p;
    enum gtpu_error error = gtpu_parse_packet(np->ip, np->len, &p);

    if (error == GTPU_E_NOT_UDP && queue_is_held(np->queue)) {
        events.too_big(np);
        return;
    } else if (error) {
        metric_inc(&n_malformed[error]);
        pass(np);
        return;
    }
    l2_seen(from, &p.src, &p.dst, np->src_mac, np->tag);
    if (is_nested(np, &p)) {
        metric_inc(&n_nested);
        pass(np);
    } else if (!(from == SIDE_ENB ? conf_are_peers(conf, &p.src, &p.dst)
                 : conf_are_peers(conf, &p.dst, &p.src))) {
        /* Nothing is learned from strangers. */
        metric_inc(&n_strangers);
        if (from == SIDE_ENB) {
            foreign_note(&p, time_msec());
        }
        pass(np);
        if (!queue_is_held(np->queue)) {
            learned(from, &p);
        }
    } else if (p.msg.type == GTPU_ERROR_INDICATION) {
        signalling_error_indication(np, &p);
    } else if (p.msg.type == GTPU_END_MARKER) {
        signalling_end_marker(&p);
    } else if (p.msg.type == GTPU_GPDU) {
        if (from == SIDE_ENB) {
            uplink_seen(np, &p);
        } else if (queue_is_held(np->queue)) {
            held_from_sgw(np, &p);
        } else {
            downlink_seen(&p, np->since);
        }
    }
}

/* Its G-PDU is built once more, as the UE's packets have been of late. */
void
detect_missed(const struct tunnel *tunnel, const void *ip, size_t len)
{
    static uint8_t buf[UINT16_MAX];
    const struct fteid up = { tunnel->dst, tunnel->teid };
    const uint8_t *version = ip;
    const struct bearer *b = session_bearer_by_uplink(
        &up, *version >> 4 == 6 ? AF_INET6 : AF_INET);
    struct nfq_packet np = { .queue = QUEUE_HOLD_ENB, .ip = buf };
    struct gtpu_packet p;

    metric_inc(&n_missed);
    np.len = gtpu_build(buf, sizeof buf, tunnel, b ? b->up_dscp : 0,
                        b && b->up_qfi ? b->up_qfi | QFI_UPLINK : 0, ip, len);
    enum gtpu_error error = gtpu_parse_packet(buf, np.len, &p);
    if (error) {
        metric_inc(&n_malformed[error]);
    } else {
        uplink_seen(&np, &p);
    }
}
