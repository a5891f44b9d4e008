/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The packets of one UE, as the eBPF programs tell of them: see trace.h. */

#include <config.h>

#include "xdp/trace.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>

#include "base/clock.h"
#include "gtp/endpoint.h"
#include "openvswitch/poll-loop.h"
#include "util.h"
#include "xdp/load.h"
#include "xdp/table.h"

#define BUDGET 512              /* Packets a round. */

static struct ring_buffer *ring;        /* NULL: there is no trace. */
static const struct endpoint_events *events;
static unsigned int budget;             /* Of this round. */
static uint64_t epoch;                  /* Of the monotonic clock: ns since
                                         * 1970. */

/* Where the programs send packets with that reason. */
static const char *
where_to(const struct xdp_trace *t)
{
    switch (t->reason) {
    case XDP_UP_FORWARD:
    case XDP_UP_ROUTED:
        return "sgw";
    case XDP_DOWN_FORWARD:
    case XDP_DOWN_ROUTED:
    case XDP_UE_ENCAP:
        return "enb";
    case XDP_UP_DECAP:
        return "app";
    case XDP_UP_CHAIN:
    case XDP_UE_CHAIN:
        return "chain";
    default:
        return (t->verdict == XDP_DROP ? "dropped"
                : t->flags & XDP_TRACE_UE ? "tofd" : "filter");
    }
}

static bool
goes_through(const struct xdp_trace *t)
{
    return (t->reason == XDP_UP_DECAP || t->reason == XDP_UP_CHAIN
            || t->reason == XDP_UE_ENCAP);
}

/* ring_buffer_sample_fn. */
static int
take(void *aux OVS_UNUSED, void *data, size_t size)
{
    static const char *const reasons[] = {
#define X(SYMBOL, PROGRAM, VERDICT, REASON) [XDP_##SYMBOL] = REASON,
        XDP_REASONS
#undef X
    };
    const struct xdp_trace *t = data;

    if (t->reason < XDP_N_REASONS && t->captured <= size - sizeof *t) {
        const struct traced_packet p = {
            .time = epoch + t->time,
            .direction = (t->flags & XDP_TRACE_DOWN
                          ? ENDPOINT_DOWN : ENDPOINT_UP),
            .frame = (const uint8_t *) (t + 1), .captured = t->captured,
            .length = t->length, .offset = t->offset,
            .tunnelled = !(t->flags & XDP_TRACE_UE),
            .bare = t->flags & XDP_TRACE_UE || goes_through(t),
            .where = where_to(t), .reason = reasons[t->reason],
        };
        events->traced(&p);
    }
    return --budget ? 0 : -EAGAIN;      /* That ends the round. */
}

/* What an earlier trace has left is nobody's any more. */
static int
forget(void *aux OVS_UNUSED, void *data OVS_UNUSED, size_t size OVS_UNUSED)
{
    return 0;
}

static struct ring_buffer *
open_ring(struct xdp *xdp, ring_buffer_sample_fn sample)
{
    return ring_buffer__new(xdp_map_fd(xdp, "traces"), sample, NULL, NULL);
}

int
xdp_trace_start(struct xdp *xdp, const struct in6_addr *ue,
                unsigned int seconds, const struct endpoint_events *events_)
{
    struct xdp_config *c = xdp_table(xdp)->config;
    struct ring_buffer *old = open_ring(xdp, forget);

    if (!old) {
        return errno;
    }
    ring_buffer__consume(old);
    ring_buffer__free(old);
    ring = open_ring(xdp, take);
    if (!ring) {
        return errno;
    }
    events = events_;
    epoch = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
    c->traces_lost = 0;
    c->traced = xdp_ue_key(ue);
    c->traced_until = clock_ns(CLOCK_MONOTONIC) + seconds * NS_PER_SECOND;
    return 0;
}

void
xdp_trace_stop(struct xdp *xdp)
{
    struct xdp_config *c = xdp_table(xdp)->config;

    c->traced_until = 0;
    c->traced = 0;
    if (ring) {
        ring_buffer__free(ring);
        ring = NULL;
    }
}

void
xdp_trace_run(struct xdp *xdp)
{
    if (ring) {
        budget = BUDGET;
        if (ring_buffer__consume(ring) == -EAGAIN) {
            poll_immediate_wake();
        }
        events->traces_lost(xdp_table(xdp)->config->traces_lost);
    }
}

void
xdp_trace_wait(void)
{
    if (ring) {
        poll_fd_wait(ring_buffer__epoll_fd(ring), POLLIN);
    }
}
