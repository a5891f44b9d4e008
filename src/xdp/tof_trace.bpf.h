/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOF_TRACE_BPF_H
#define TOF_TRACE_BPF_H 1

/* The packets of one UE, while it is traced, into a ring that tofd reads.
 *
 * Place in the flow: a part of tof.bpf.c.  All other packets, and all while
 * there is no trace, pay for one comparison with a word that lies beside those
 * that they need anyway.  No function of its own: with one, Linux 6.1 would
 * tell apart all values of all registers. */

#include "xdp/layout.h"

/* What a trace gets of a packet: constant, so that the verifier knows the
 * size. */
const volatile __u32 trace_whole = 0;   /* Else only its headers. */

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, XDP_TRACE_RING);
} traces SEC(".maps");

/* 'key': ue_key().  Some IPv6 prefixes have the same one as an IPv4 address;
 * tofd knows which family it has asked for. */
static __always_inline bool
is_traced(__u64 key)
{
    return key == READ(config.traced);
}

/* As a number at once: only whole pointers can be kept on the stack. */
static __always_inline __u64
frame_len(struct xdp_md *ctx)
{
    __u64 len = (long) ctx->data_end - (long) ctx->data;

    barrier_var(len);
    return len;
}

static __always_inline void
put_trace(struct xdp_md *ctx, const struct xdp_trace *what, __u32 max)
{
    struct xdp_trace *t = bpf_ringbuf_reserve(&traces, sizeof *t + max, 0);
    __u64 len = frame_len(ctx);

    if (!t) {
        __sync_fetch_and_add(&config.traces_lost, 1);
        return;
    }
    *t = *what;
    t->length = len;
    barrier_var(len);
    if (len > max) {
        len = max;
    }
    t->captured = len;
    if (len < ETH_HLEN || bpf_xdp_load_bytes(ctx, 0, t + 1, len)) {
        t->captured = 0;
    }
    bpf_ringbuf_submit(t, 0);
}

/* Tells of the packet as it is now, in which the UE's is at 'offset'.
 * 'flags': of XDP_TRACE_*. */
static __always_inline void
trace(struct xdp_md *ctx, int outcome, __u32 flags, __u32 offset)
{
    const struct xdp_trace what = {
        .time = bpf_ktime_get_ns(),
        .verdict = VERDICT(outcome), .reason = outcome >> REASON_SHIFT,
        .flags = flags, .offset = offset,
    };

    if ((__s64) (READ(config.traced_until) - what.time) <= 0) {
        return;
    } else if (trace_whole) {
        put_trace(ctx, &what, XDP_TRACE_WHOLE);
    } else {
        put_trace(ctx, &what, XDP_TRACE_HEADERS);
    }
}

/* A packet at an S1-U adapter; returns the verdict.  What has been taken out
 * of its tunnel has been told of before that. */
static __always_inline int
told(struct xdp_md *ctx, const struct packet *p, bool down, int outcome)
{
    if (is_traced(ue_key(down ? p->inner_dst : p->inner_src, p->inner6))
        && outcome != OUTCOME(XDP_REDIRECT, XDP_UP_DECAP)
        && outcome != OUTCOME(XDP_REDIRECT, XDP_UP_CHAIN)) {
        trace(ctx, outcome, down ? XDP_TRACE_DOWN : 0, p->offset);
    }
    return VERDICT(outcome);
}

/* The same for an answer, which may be in its tunnel by now.  Its UE is that
 * of the template: were its own address needed once more, the verifier would walk
 * through the checksum's loops for each way to it. */
static __always_inline int
told_answer(struct xdp_md *ctx, const struct answer *a, int outcome)
{
    if (is_traced(a->template ? READ(a->template->ue)
                  : ue_key(a->dst, a->inner6))) {
        const bool inside = outcome == OUTCOME(XDP_REDIRECT, XDP_UE_ENCAP);

        trace(ctx, outcome, XDP_TRACE_DOWN | (inside ? 0 : XDP_TRACE_UE),
              inside ? frame_len(ctx) - a->len : ETH_HLEN);
    }
    return VERDICT(outcome);
}

#endif /* xdp/tof_trace.bpf.h */
