// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

/* GTP Tunnel Endpoints in the kernel, as XDP programs.
 *
 *   tof_enb   on the adapter towards the eNodeBs: uplink.  A known tunnel's
 *             packet is redirected to the other adapter, untouched; one of a
 *             diverted bearer to a service is decapsulated and sent to ue0.
 *   tof_sgw   on the adapter towards the SGWs: downlink.  A known tunnel's
 *             packet is redirected to the other adapter, untouched.
 *   tof_ue    on the peer of ue0: answers of ME Apps.  The destination MAC
 *             names the bearer; its template says into which tunnel.
 *   tof_s1u   on a single adapter, in place of the first two: a known tunnel's
 *             packet is passed to the kernel, which forwards it.
 *
 * A service with a chain of functions has br-tof, an Open vSwitch bridge,
 * between tof_enb and ue0:
 *
 *   tof_enb -> tof-tun|ovs-tun - br-tof - ovs-nat|tof-nat -> tof_nat -> ue0
 *   tof_tun <- tof-tun|ovs-tun - br-tof - ovs-nat|tof-nat <- tof_ue  <- ue0
 *
 *   tof_tun   does with answers what tof_ue does with those of other services;
 *             sends heartbeats back into the switch.
 *   tof_nat   to ue0, which sends heartbeats back to tof_ue: they have gone in
 *             and out of br-tof, and show that it lives.
 *   tof_port  on both ports: nothing, but without a program there a veth
 *             takes nothing that is redirected to its peer.
 *
 * Fail-open: whatever is odd, unknown or not ours is XDP_PASS, and meets what
 * would have been there without us: at the adapters the nftables filter and
 * the bridge (hold, copy, switch), behind ue0 tofd's packet socket.  A packet
 * is changed only when it is known that there is somewhere to send it to.
 *
 * Who writes what: tofd all maps (table.c), the programs only counters,
 * the stamp of an uplink entry, a template's 'seen', 'owner' and 'id' (0: not
 * to be used any more), the heartbeat, and traces.  Loads are taken to be in
 * order, as on x86: see load.c. */

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>

#include "xdp/layout.h"
#include "xdp/tof_build.bpf.h"
#include "xdp/tof_parse.bpf.h"

const volatile __u64 seed = 0;          /* Of xdp_hash(). */
const volatile __u32 n_buckets = 1;

struct xdp_config config SEC(".data.config");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct xdp_bucket);
} sessions SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct xdp_template);
} templates SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, XDP_PATHS);
    __type(key, __u32);
    __type(value, struct xdp_path);
} paths SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, XDP_SERVICE_PLACES);
    __type(key, __u32);
    __type(value, struct xdp_service);
} services SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, XDP_SERVICES);
    __type(key, __u32);
    __type(value, struct xdp_service_stats);
} service_stats SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct xdp_stats);
} stats SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, XDP_N_DEVS);
    __type(key, __u32);
    __type(value, __u32);
} devs SEC(".maps");

/* What becomes of a packet, and why. */
#define REASON_SHIFT 8
#define OUTCOME(VERDICT, REASON) ((VERDICT) | (REASON) << REASON_SHIFT)
#define VERDICT(OUTCOME) ((OUTCOME) & 0xff)
#define SWITCH -1                       /* No verdict: go on as without us. */

#define READ(X) (*(const volatile typeof(X) *) &(X))
#define WRITE(X, VALUE) (*(volatile typeof(X) *) &(X) = (VALUE))

#include "xdp/tof_find.bpf.h"               /* Needs all of the above. */

/* Returns an outcome. */
static __always_inline int
done(int verdict, enum xdp_reason reason)
{
    __u32 zero = 0;
    struct xdp_stats *s = bpf_map_lookup_elem(&stats, &zero);

    if (s) {
        s->n[reason]++;
    }
    return OUTCOME(verdict, reason);
}

static __always_inline __u32
ticks(void)
{
    return bpf_ktime_get_coarse_ns() >> XDP_TICK_SHIFT & XDP_TICK_MASK;
}

/* Signed: another CPU may be a tick ahead. */
static __always_inline bool
is_fresh(__u32 now, __u32 seen)
{
    return (__s32) (now - seen) < (__s32) config.evidence;
}

/* --- Look-ups. --- */

static __always_inline bool
is_switched_until(__u32 now, __u32 until)
{
    return (__s32) (until - now) > 0;
}

static __always_inline struct xdp_service *
find_service(const __u64 addr[2])
{
    __u32 hash = xdp_service_hash(addr);

    for (__u32 i = 0; i < XDP_SERVICE_PROBES; i++) {
        __u32 index = (hash + i) % XDP_SERVICE_PLACES;
        struct xdp_service *s = bpf_map_lookup_elem(&services, &index);
        if (s && READ(s->used) && same(s->addr, addr)) {
            return s;
        }
    }
    return NULL;
}

/* Where a service is counted; XDP_SERVICES, which is nowhere, for none. */
static __always_inline __u32
stats_of(const struct xdp_service *service)
{
    return service ? READ(service->stats) : XDP_SERVICES;
}

/* Most packets are for no service, and know by one bit. */
static __always_inline bool
may_be_service(const __u64 addr[2])
{
    __u32 bit = xdp_service_hash(addr) % XDP_SERVICE_PLACES;

    return READ(config.service_bits[bit / 64]) >> (bit % 64) & 1;
}

/* Ports as in gtp/flow.h, of the packet whose first 20 bytes are there.  In
 * this form for Linux 6.1. */
static __always_inline __u32
read_ports(const __u8 *ip, void *end, bool inner6)
{
    const __u8 proto = inner6 ? ip[6] : ip[9];
    const __u8 *l4 = ip + (inner6 ? 40 : 20);

    if ((proto != IPPROTO_TCP && proto != IPPROTO_UDP)
        || (!inner6 && (ip[0] != 0x45 || ip[6] & 0x3f || ip[7]))) {
        return 0;
    }
    barrier_var(l4);
    return (void *) (l4 + 4) <= end ? *(__u32 *) l4 : 0;
}

/* Of what connection a packet is, but for its ports.  Without padding, which
 * the verifier of Linux 6.1 would not let pass, as nobody has written it. */
struct stay_key {
    __u64 src[2], dst[2];       /* Inner. */
    __u32 teid;
    __u32 offset;               /* Of the inner packet. */
    __u64 inner6;
};

/* What is to a service may be of a connection that stays on the normal way.
 * Global: the verifier looks at it once, not once for each way that leads
 * here. */
__attribute__((noinline)) int
stay_bit(struct xdp_md *ctx, const struct stay_key *k)
{
    void *end = (void *) (long) ctx->data_end;
    __u32 offset = k ? k->offset : 4096;

    barrier_var(offset);
    if (!k || offset >= 4096) {
        return 1;
    }
    __u8 *ip = (void *) (long) ctx->data + offset;
    if ((void *) (ip + sizeof(struct iphdr)) > end) {
        return 1;
    }
    __u32 bit = xdp_stay_hash(k->teid, k->src, k->dst,
                              read_ports(ip, end, k->inner6)) % XDP_STAY_BITS;

    return READ(config.stay_bits[bit / 64]) >> (bit % 64) & 1;
}

static __always_inline bool
may_stay(struct xdp_md *ctx, const struct packet *p)
{
    const struct stay_key key = {
        .src = { p->inner_src[0], p->inner_src[1] },
        .dst = { p->inner_dst[0], p->inner_dst[1] },
        .teid = p->teid, .offset = p->offset, .inner6 = p->inner6,
    };

    return READ(config.stays) && stay_bit(ctx, &key);
}

/* --- Chains of functions. --- */

/* Signed: another CPU may have noted a heartbeat meanwhile. */
static __always_inline bool
chain_lives(const struct xdp_service *s)
{
    __s64 silence = bpf_ktime_get_coarse_ns() - READ(config.heartbeat);

    return READ(s->chain) == XDP_CHAIN_ON && silence < XDP_LIVE_NS;
}

/* CFM, IEEE 802.1ag. */
static __always_inline bool
is_heartbeat(struct xdp_md *ctx)
{
    struct ethhdr *eth = (void *) (long) ctx->data;

    return ((void *) (eth + 1) <= (void *) (long) ctx->data_end
            && eth->h_proto == bpf_htons(ETH_P_CFM));
}

#include "xdp/tof_trace.bpf.h"
#include "xdp/tof_s1u.bpf.h"                /* At the S1-U adapters. */

/* --- From the UE port. --- */

/* The uplink entry has seen the UE later than the template has. */
static __always_inline bool
uplink_is_fresh(struct xdp_template *t, __u32 id, __u32 entry, __u32 now)
{
    __u32 bucket = entry / XDP_BUCKET;
    struct xdp_bucket *b = bpf_map_lookup_elem(&sessions, &bucket);

    if (!b) {
        return false;
    }
    struct xdp_entry *e = &b->e[entry % XDP_BUCKET];
    __u32 meta = READ(e->meta), stamp = READ(e->stamp) & XDP_TICK_MASK;
    if (!XDP_META_KIND(meta) || XDP_META_KIND(meta) & XDP_KIND_DOWN
        || READ(e->bearer) != id || !is_fresh(now, stamp)
        || READ(e->meta) != meta) {
        return false;
    }
    WRITE(t->seen, stamp);
    return true;
}

/* Fills in the rest of '*a' from the bearer's template.  Returns XDP_REDIRECT,
 * or an outcome. */
static __always_inline int
use_template(struct answer *a)
{
    __u32 slot = a->id >> 8, now = ticks();
    struct xdp_template *t = bpf_map_lookup_elem(&templates, &slot);

    if (!t || READ(t->id) != a->id) {
        return done(XDP_PASS, XDP_UE_UNKNOWN);
    }
    __u32 version = READ(t->version), entry = READ(t->entry);
    __u64 ue = READ(t->ue);
    bool inner6 = READ(t->inner6);
    a->teid = READ(t->teid);
    a->path = READ(t->path);
    a->tos = READ(t->tos) | a->ecn;
    a->qfi = READ(t->qfi);
    if (!is_fresh(now, READ(t->seen))
        && !uplink_is_fresh(t, a->id, entry, now)) {
        return done(XDP_PASS, XDP_UE_STALE);
    }
    if (version & 1 || READ(t->id) != a->id || READ(t->version) != version) {
        return done(XDP_PASS, XDP_UE_UNKNOWN);
    }
    if (inner6 != a->inner6 || ue != ue_key(a->dst, a->inner6)) {
        return done(XDP_DROP, XDP_UE_FOREIGN);
    }
    a->template = t;
    return XDP_REDIRECT;
}

/* In front of the IP packet comes all that leads to the eNodeB.  'verdict' is
 * what bpf_redirect_map() has said.  Returns an outcome. */
static __always_inline int
encapsulate(struct xdp_md *ctx, const struct answer *a, int verdict)
{
    struct xdp_path *path = bpf_map_lookup_elem(&paths, &a->path);
    __u32 version, l2_len, ip_len;

    if (!path || (version = READ(path->version)) & 1
        || !(l2_len = READ(path->l2_len))) {
        return done(XDP_PASS, XDP_UE_NO_PATH);
    }
    ip_len = READ(path->ip_len);
    if ((ip_len != sizeof(struct iphdr) && a->len > MAX_CSUM - 64)
        || (a->spare && bpf_xdp_adjust_tail(ctx, -(int) a->spare))
        || bpf_xdp_adjust_head(ctx, ETH_HLEN - (int) (l2_len + ip_len
                                                      + gtpu_len(a)))) {
        return done(XDP_PASS, XDP_UE_NO_ROOM);
    }
    if (!put_headers(ctx, a, path, l2_len, ip_len)
        || READ(path->version) != version) {
        return done(XDP_DROP, XDP_UE_TORN);
    }
    return done(verdict, XDP_UE_ENCAP);
}

/* Almost always it is one processor that receives from ue0.  That one adds
 * without a locked instruction, for which it would have to wait until all
 * memory that it has asked for is there. */
static __always_inline void
count_down(struct xdp_template *t, __u32 len)
{
    __u32 me = bpf_get_smp_processor_id() + 1, owner = READ(t->owner);

    if (owner == me) {
        WRITE(t->own, READ(t->own) + XDP_COUNT(len));
        return;
    }
    if (!owner) {
        __sync_val_compare_and_swap(&t->owner, 0, me);
    }
    __sync_fetch_and_add(&t->any, XDP_COUNT(len));
}

static __always_inline void
count_answer(const struct answer *a, __u32 stats)
{
    struct xdp_service_stats *s;

    count_down(a->template, a->len);
    s = bpf_map_lookup_elem(&service_stats, &stats);
    if (s) {
        s->down_packets++;
        s->down_bytes += a->len;
    }
}

/* Into the bearer's tunnel.  Returns an outcome. */
static __always_inline int
send_down(struct xdp_md *ctx, struct answer *a, __u32 stats)
{
    int outcome, verdict;

    if (!a->id) {
        return done(XDP_PASS, XDP_UE_UNCLAIMED);
    }
    outcome = use_template(a);
    if (outcome != XDP_REDIRECT) {
        return outcome;
    }
    verdict = bpf_redirect_map(&devs, XDP_DEV_ENB, XDP_PASS);
    if (verdict != XDP_REDIRECT) {
        return done(XDP_PASS, XDP_UE_NO_TARGET);
    }
    outcome = encapsulate(ctx, a, verdict);
    if (VERDICT(outcome) == XDP_REDIRECT) {
        count_answer(a, stats);
    }
    return outcome;
}

/* To the chain of 's', never past one that is not there.  Returns an
 * outcome. */
static __always_inline int
send_to_chain(const struct xdp_service *s)
{
    if (chain_lives(s)
        && bpf_redirect_map(&devs, XDP_DEV_NAT, XDP_DROP) == XDP_REDIRECT) {
        return done(XDP_REDIRECT, XDP_UE_CHAIN);
    }
    return done(XDP_DROP, XDP_UE_NO_CHAIN);
}

SEC("xdp")
int
tof_ue(struct xdp_md *ctx)
{
    struct xdp_service *s;
    struct answer a;

    if (!parse_answer(ctx, &a)) {
        if (is_heartbeat(ctx)) {
            WRITE(config.heartbeat, bpf_ktime_get_coarse_ns());
            return XDP_DROP;
        }
        return VERDICT(done(XDP_PASS, XDP_UE_NOT_IP));
    }
    s = find_service(a.src);
    return told_answer(ctx, &a, s && READ(s->chain) ? send_to_chain(s)
                       : send_down(ctx, &a, stats_of(s)));
}

/* --- Behind the chains of functions. --- */

SEC("xdp")
int
tof_tun(struct xdp_md *ctx)
{
    struct answer a;

    if (is_heartbeat(ctx)) {
        return XDP_TX;
    } else if (!parse_answer(ctx, &a)) {
        return VERDICT(done(XDP_PASS, XDP_UE_NOT_IP));
    }
    return told_answer(ctx, &a,
                       send_down(ctx, &a, stats_of(find_service(a.src))));
}

SEC("xdp")
int
tof_nat(struct xdp_md *ctx)
{
    if (bpf_redirect_map(&devs, XDP_DEV_UE, XDP_DROP) != XDP_REDIRECT) {
        return VERDICT(done(XDP_DROP, XDP_NAT_NO_TARGET));
    } else if (is_heartbeat(ctx)) {
        return XDP_REDIRECT;
    }
    return VERDICT(done(XDP_REDIRECT, XDP_NAT_FORWARD));
}

SEC("xdp")
int
tof_port(struct xdp_md *ctx)
{
    (void) ctx;
    return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
