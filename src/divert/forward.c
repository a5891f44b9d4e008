/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Packets that go on after having been held: see forward.h. */

#include <config.h>

#include "divert/forward.h"

#include <errno.h>

#include "base/metrics.h"
#include "divert/pmtu.h"
#include "divert/stay.h"
#include "filter/fragment.h"
#include "filter/l2.h"
#include "filter/reinject.h"
#include "gtp/ecn.h"
#include "gtp/endpoint.h"
#include "gtp/gtpu.h"
#include "gtp/gtpu_build.h"
#include "gtp/too_big.h"
#include "gtp/ue_frame.h"
#include "learn/prove.h"
#include "packets.h"
#include "session/session.h"
#include "timeval.h"
#include "trace/trace.h"
#include "usage/usage.h"
#include "util.h"

#define IP_DF_BYTE 0x40         /* In the byte with IPv4's flags. */

METRIC_COUNTER(n_switched, "tof_hold_switched_total", "",
               "Held packets that went on along the normal way.");
#define METRIC_LOST(VAR, REASON)                                        \
    METRIC_COUNTER(VAR, "tof_hold_lost_total", "reason=\"" REASON "\"",  \
                   "Held packets that could not go on along the normal way.")
METRIC_LOST(n_lost_address, "no_address");
METRIC_LOST(n_lost_header, "no_ethernet_header");
METRIC_LOST(n_lost_send, "not_sent");
METRIC_LOST(n_lost_room, "no_room");
METRIC_LOST(n_lost_busy, "endpoint_busy");
METRIC_COUNTER(n_congested, "tof_congestion_dropped_total", "",
               "Held packets marked \"congestion experienced\" outside, whose "
               "sender does not know ECN (RFC 6040).");
#define METRIC_DOWN(VAR, REASON)                                        \
    METRIC_COUNTER(VAR, "tof_down_dropped_total",                       \
                   "reason=\"" REASON "\"",                             \
                   "Packets of Apps that tofd has dropped, by reason.")
METRIC_DOWN(n_down_bearer, "no_bearer");
METRIC_DOWN(n_down_tunnel, "no_tunnel");
METRIC_DOWN(n_down_send, "not_sent");
METRIC_DOWN(n_down_big, "too_big");

static const struct endpoint_class *endpoint;

/* The UE's packet in 'p': its first byte, and how many there are at
 * '*len'. */
static const uint8_t *
ue_packet(const struct hold_packet *p, size_t *len)
{
    const size_t at = p->direction == HOLD_UP ? p->inner : ETH_HEADER_LEN;

    *len = (p->direction == HOLD_UP ? p->inner_len
            : p->len > at ? p->len - at : 0);
    return p->data + at;
}

static enum endpoint_direction
direction_of(const struct hold_packet *p)
{
    return p->direction == HOLD_UP ? ENDPOINT_UP : ENDPOINT_DOWN;
}

/* Tells who looks on what becomes of it.  'bare': it leaves its tunnel
 * here. */
static void
told(const struct hold_packet *p, bool bare, const char *where,
     const char *reason)
{
    size_t len;
    const uint8_t *ip = ue_packet(p, &len);

    trace_held(direction_of(p), ip, len, bare, where, reason);
}

/* It is lost.  'counter' counts the same reason. */
static void
drop(const struct hold_packet *p, struct metric *counter, const char *reason)
{
    size_t len;
    const uint8_t *ip = ue_packet(p, &len);

    metric_inc(counter);
    trace_dropped(direction_of(p), ip, len, reason);
}

void
forward_init(const struct endpoint_class *endpoint_)
{
    endpoint = endpoint_;
}

void
forward_drop_down(const struct hold_packet *p, enum forward_reason reason)
{
    if (reason == FORWARD_NO_BEARER) {
        drop(p, &n_down_bearer, "no_bearer");
    } else {
        drop(p, &n_down_tunnel, "no_tunnel");
    }
}

/* Puts it back on S1-U.  Returns NULL, or the reason why it is lost, which has
 * been counted. */
static const char *
switch_packet(enum filter_side from, const struct in6_addr *src,
              const struct in6_addr *dst, const void *ip, size_t len)
{
    struct l2_header l2;

    if (!l2_get(from, src, dst, &l2) && !reinject_is_routed()) {
        metric_inc(&n_lost_header);
        return "no_ethernet_header";
    } else if (reinject_send(from, &l2, ip, len)) {
        metric_inc(&n_lost_send);
        return "not_sent";
    }
    metric_inc(&n_switched);
    return NULL;
}

void
forward_switch(enum filter_side from, const void *ip, size_t len)
{
    struct gtpu_packet p;
    enum gtpu_error error = gtpu_parse_packet(ip, len, &p);
    const char *lost;

    /* What is malformed behind its addresses goes on like all else. */
    if (error == GTPU_E_NOT_IP) {
        metric_inc(&n_lost_address);
        return;
    }
    lost = switch_packet(from, &p.src, &p.dst, ip, len);
    if (!error && p.msg.type == GTPU_GPDU) {
        if (lost) {
            trace_dropped(from == SIDE_ENB ? ENDPOINT_UP : ENDPOINT_DOWN,
                          p.msg.payload, p.msg.payload_len, lost);
        }
        if (from == SIDE_ENB) {
            stay_seen(&p);
        }
    }
}

/* Whether the connection of what waits has been switched. */
static bool
stays(uint32_t id OVS_UNUSED, const struct hold_packet *p,
      const void *aux OVS_UNUSED)
{
    struct gtpu_packet gp;

    return (p->direction == HOLD_UP && !gtpu_parse_packet(p->data, p->len, &gp)
            && stay_is_switched(&gp));
}

void
forward_give_up_others(uint32_t id)
{
    hold_release_some(id, stays, NULL, forward_give_up);
}

void
forward_give_up(uint32_t id, const struct hold_packet *p)
{
    struct bearer *b = session_bearer_by_id(id);
    struct gtpu_packet gp;
    const char *lost;

    if (p->direction == HOLD_DOWN) {
        forward_drop_down(p, FORWARD_NO_TUNNEL);
        return;
    }
    lost = switch_packet(SIDE_ENB, &p->src, &p->dst, p->data, p->len);
    if (lost) {
        trace_dropped(ENDPOINT_UP, p->data + p->inner, p->inner_len, lost);
    } else {
        told(p, false, "sgw", "not_diverted");
    }
    if (b) {
        b->forwarded = time_msec();
    }
    if (!gtpu_parse_packet(p->data, p->len, &gp) && stay_switched(&gp)) {
        forward_give_up_others(id);
    }
}

/* The kernel has counted what it sends to a bearer.  What an app sends to a
 * UE of its own accord, or to one that has another bearer now, has got its
 * bearer here. */
static void
count_unclaimed(const struct bearer *b, const uint8_t *frame, size_t len)
{
    uint32_t id = ue_frame_id(frame, len);
    struct in6_addr src = { .s6_addr = { [10] = 0xff, 0xff } };

    if (len < ETH_HEADER_LEN + IP_HEADER_LEN
        || (id && !is_orphan_id(id))) {
        return;
    }
    const uint8_t *ip = frame + ETH_HEADER_LEN;
    if (ip[0] >> 4 == 4) {
        memcpy(src.s6_addr + 12, ip + 12, 4);
    } else if (len >= ETH_HEADER_LEN + IPV6_HEADER_LEN) {
        memcpy(&src, ip + 8, sizeof src);
    }
    usage_sent_down(b, &src, len - ETH_HEADER_LEN);
}

/* A frame for the UE, sent down; 'ip' is what is behind its Ethernet header,
 * in two pieces. */
struct cut {
    const struct endpoint_bearer *eb;
    const uint8_t *frame;
    int error;
};

static void
send_fragment(const void *a, size_t a_len, const void *b, size_t b_len,
              void *cut_)
{
    static uint8_t buf[ETH_HEADER_LEN + UINT16_MAX];
    struct cut *cut = cut_;
    int error;

    memcpy(buf, cut->frame, ETH_HEADER_LEN);
    memcpy(buf + ETH_HEADER_LEN, a, a_len);
    memcpy(buf + ETH_HEADER_LEN + a_len, b, b_len);
    error = endpoint->send_down(cut->eb, buf, ETH_HEADER_LEN + a_len + b_len);
    cut->error = error ? error : cut->error;
}

/* Cuts what NAT has let pass, as it did not know the bearer or its path yet,
 * and does not fit.  Returns 0 or a positive errno value. */
static int
send_cut(const struct endpoint_bearer *eb, const uint8_t *frame, size_t len,
         unsigned int room)
{
    const uint8_t *ip = frame + ETH_HEADER_LEN;
    struct cut cut = { eb, frame, 0 };
    int error = ip_fragment(ip, gtpu_inner_len(ip, len), room, 0,
                            send_fragment, &cut);

    return error ? error : cut.error;
}

/* What may not be cut is dropped, and its sender told, as NAT would do. */
static void
refuse_big(const struct endpoint_bearer *eb, const struct hold_packet *p,
           unsigned int room)
{
    const uint8_t *ip = p->data + ETH_HEADER_LEN;
    uint8_t icmp[TOO_BIG_MAX];
    size_t len = gtpu_inner_len(ip, p->len - ETH_HEADER_LEN);

    len = too_big_build(icmp, ip, len, room);
    if (len) {
        endpoint->send_app(eb, icmp, len);
    }
    drop(p, &n_down_big, "too_big");
}

static bool
may_be_cut(const uint8_t *ip)
{
    return ip[0] >> 4 == 4 && !(ip[6] & IP_DF_BYTE);
}

/* Returns 0 or a positive errno value. */
static int
send_to_app(struct bearer *b, const struct hold_packet *p)
{
    static uint8_t marked[UINT16_MAX];
    const struct endpoint_bearer eb = bearer_describe(b);
    const uint8_t *ip = p->data + p->inner;
    int ecn = ecn_behind_tunnel(gtpu_ecn(p->data), gtpu_ecn(ip));
    int error;

    if (ecn < 0) {
        drop(p, &n_congested, "congestion_not_ect");
        return 0;
    } else if (ecn != gtpu_ecn(ip)) {
        memcpy(marked, ip, p->inner_len);
        gtpu_set_ecn(marked, ecn);
        ip = marked;
    }
    error = endpoint->send_app(&eb, ip, p->inner_len);

    if (!error) {
        bearer_use(b)->counters.packets_up++;
        bearer_use(b)->counters.bytes_up += p->inner_len;
        told(p, true, "app", "released");
    }
    return error;
}

static int
send_to_ue(struct bearer *b, const struct hold_packet *p)
{
    const struct endpoint_bearer eb = bearer_describe(b);
    const size_t len = p->len - ETH_HEADER_LEN;
    unsigned int room = p->len > ETH_HEADER_LEN ? pmtu_room(b) : 0;
    const bool big = room && len > room;
    int error;

    if (big && !may_be_cut(p->data + ETH_HEADER_LEN)) {
        refuse_big(&eb, p, room);
        return 0;
    }
    error = (big ? send_cut(&eb, p->data, len, room)
             : endpoint->send_down(&eb, p->data, p->len));
    if (!error) {
        bearer_use(b)->counters.packets_down++;
        bearer_use(b)->counters.bytes_down += p->len;
        count_unclaimed(b, p->data, p->len);
        told(p, false, "enb", "released");
    }
    return error;
}

void
forward_send(uint32_t id, const struct hold_packet *p)
{
    struct bearer *b = session_bearer_by_id(id);

    if (!b || b->state != BEARER_ESTABLISHED) {
        forward_stop_waiting(id, p);
        return;
    }
    if (stays(id, p, NULL)) {
        forward_give_up(id, p);
        return;
    }
    int error = (p->direction == HOLD_UP ? send_to_app(b, p)
                 : send_to_ue(b, p));

    if (error == ENOBUFS && p->direction == HOLD_UP) {
        drop(p, &n_lost_busy, "endpoint_busy");
    } else if (error && p->direction == HOLD_DOWN) {
        drop(p, &n_down_send, "not_sent");
    } else if (error) {
        forward_give_up(id, p);
    }
}

void
forward_stop_waiting(uint32_t id, const struct hold_packet *p)
{
    const struct bearer *b = session_bearer_by_id(id);

    if (p->direction == HOLD_DOWN || !b || !stay_is_diverted(b)) {
        forward_give_up(id, p);
    } else if (b->diversion == DIVERSION_ASKED
               && prove_is_fresh(b, time_msec())) {
        forward_send(id, p);
    } else {
        drop(p, &n_lost_room, "no_room");
    }
}
