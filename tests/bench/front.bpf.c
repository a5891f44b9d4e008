// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where the generator's frames come from.
 *
 * Place in the flow: engine.c runs front() on live frames.  A live frame is
 * recycled with what the last run has left in it, so front() writes the
 * headers anew, puts in which session it is, and tail-calls the program in
 * "jump": the one under test, or redirect(), the bare redirect that it is
 * compared with.  Both cost the same up to there. */

#include "engine.h"

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

const volatile struct flow_conf conf;

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct flow_state);
} state SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SLOTS);
    __type(key, __u32);
    __type(value, struct slot);
} slots SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} jump SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} out SEC(".maps");

/* The session of this frame, counted from 0. */
static __always_inline __u32
pick_session(struct flow_state *s)
{
    if (conf.random) {
        s->random = s->random * 6364136223846793005ull
                    + 1442695040888963407ull;
        return (s->random >> 32) * s->sessions >> 32;
    }
    __u32 i = s->next++;
    if (s->next >= s->sessions) {
        s->next = 0;
    }
    return i;
}

/* RFC 1624: the checksum at 'p' covered 'old', and shall cover 'new'. */
static __always_inline void
mend_checksum(__u16 *p, __u32 old, __u32 new)
{
    __u32 sum = (__u16) ~*p;

    sum += (__u16) ~(old >> 16) + (__u16) ~(old & 0xffff);
    sum += (new >> 16) + (new & 0xffff);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    *p = ~sum;
}

static __always_inline void
put_stamp(void *data, struct flow_state *s)
{
    struct stamp *stamp = data + conf.stamp_at;

    stamp->magic = STAMP_MAGIC;
    stamp->seq = s->seq++;
    stamp->sent = bpf_ktime_get_ns();
}

/* Puts session 'i' into the frame.  The caller has checked that 'copy' bytes
 * are there, and no place is beyond them. */
static __always_inline void
personalize(void *data, struct flow_state *s, __u32 i)
{
    if (conf.id_at) {
        *(__u32 *) (data + conf.id_at)
            = bpf_htonl(s->id_base + i * conf.id_step);
    }
    if (conf.addr_at) {
        __u32 *addr = data + conf.addr_at;
        __u32 old = *addr, new = bpf_htonl(s->addr_base + i);

        *addr = new;
        mend_checksum(data + conf.csum_at, old, new);
        if (conf.l4_csum_at) {
            mend_checksum(data + conf.l4_csum_at, old, new);
        }
    }
    if (conf.stamp_at) {
        put_stamp(data, s);
    }
}

static long
still_early(__u32 i __attribute__((unused)), void *arg)
{
    __u64 *due = arg;

    return bpf_ktime_get_ns() >= *due;
}

/* Waits until the next burst is due.  A sender that is late makes up for at
 * most a millisecond. */
static __always_inline void
pace(struct flow_state *s)
{
    if (!s->left) {
        __u64 now = bpf_ktime_get_ns();
        __u64 due = s->due + s->gap;

        if (due + 1000000 < now) {
            due = now - 1000000;
        }
        if (now < due) {
            bpf_loop(1 << 20, still_early, &due, 0);
        }
        s->due = due;
        s->left = BURST;
    }
    s->left--;
}

static __always_inline void
mark_time(struct flow_state *s)
{
    if (!(s->frames++ & (MARK - 1))) {
        s->ended = bpf_ktime_get_ns();
        if (!s->began) {
            s->began = s->ended;
        }
    }
}

SEC("xdp")
int
front(struct xdp_md *ctx)
{
    __u32 zero = 0;
    struct flow_state *s = bpf_map_lookup_elem(&state, &zero);
    if (!s) {
        return XDP_ABORTED;
    }

    mark_time(s);
    if (s->gap) {
        pace(s);
    }
    __u32 n = conf.mixed ? s->slot : 0;
    struct slot *slot = bpf_map_lookup_elem(&slots, &n);
    if (!slot || bpf_xdp_store_bytes(ctx, 0, slot->data, conf.copy)) {
        return XDP_ABORTED;
    }
    if (conf.mixed) {
        s->slot = n + 1 < SLOTS ? n + 1 : 0;
        int cut = slot->len - (ctx->data_end - ctx->data);
        if (cut && bpf_xdp_adjust_tail(ctx, cut)) {
            return XDP_ABORTED;
        }
    }

    void *data = (void *) (long) ctx->data;
    void *end = (void *) (long) ctx->data_end;
    if (data + conf.copy > end) {
        return XDP_ABORTED;
    }
    personalize(data, s, s->first + pick_session(s));
    bpf_tail_call(ctx, &jump, 0);
    return XDP_ABORTED;
}

SEC("xdp")
int
redirect(struct xdp_md *ctx __attribute__((unused)))
{
    return bpf_redirect_map(&out, 0, 0);
}

char bpf_license[] SEC("license") = "Dual BSD/GPL";
