/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOF_S1U_BPF_H
#define TOF_S1U_BPF_H 1

/* The programs at the S1-U adapters: tof_enb and tof_sgw, or tof_s1u.
 *
 * Place in the flow: a part of tof.bpf.c, by whose look-ups they work. */

/* --- Uplink. --- */

/* Of an IP packet, whose first 20 bytes are there. */
static __always_inline void
set_ecn(void *l3, bool inner6, __u8 ecn)
{
    struct iphdr *ip = l3;
    __u8 *bytes = l3;

    if (inner6) {
        bytes[1] = (bytes[1] & ~(ECN_MASK << 4)) | ecn << 4;
    } else {
        __u16 old = *(__u16 *) bytes;
        bytes[1] = (bytes[1] & ~ECN_MASK) | ecn;
        /* RFC 1624, eqn. 3. */
        ip->check = fold((__u64) (__u16) ~ip->check + (__u16) ~old
                         + *(__u16 *) bytes);
    }
}

/* Takes everything before the inner packet off; the bearer's id and the UE's
 * address space go into the MAC addresses (see ovs/classifier.h).  'verdict'
 * is what bpf_redirect_map() has said. */
static __always_inline int
decapsulate(struct xdp_md *ctx, const struct packet *p, __u32 id, __u32 space,
            __u8 ecn, int verdict)
{
    if (bpf_xdp_adjust_head(ctx, (int) p->offset - ETH_HLEN)) {
        return XDP_PASS;
    }
    struct ethhdr *eth = (void *) (long) ctx->data;
    if ((void *) (eth + 1) + sizeof(struct iphdr)
        > (void *) (long) ctx->data_end) {
        return XDP_DROP;
    }
    if (ecn != p->inner_ecn) {
        set_ecn(eth + 1, p->inner6, ecn);
    }
    __u8 *mac = (__u8 *) eth;
    *(__be32 *) mac = bpf_htonl(0x02000000);
    *(__be16 *) (mac + 4) = bpf_htons(space);
    *(__be16 *) (mac + 6) = bpf_htons(0x0200);
    *(__be32 *) (mac + 8) = bpf_htonl(id);
    eth->h_proto = p->inner6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
    return verdict;
}

static __always_inline int
divert(struct xdp_md *ctx, const struct packet *p, const struct found *f,
       __u32 id, __u32 stats, bool chain)
{
    struct xdp_service_stats *s;
    int ecn = ecn_behind_tunnel(p->ecn, p->inner_ecn);
    int verdict = bpf_redirect_map(&devs, chain ? XDP_DEV_TUN : XDP_DEV_UE,
                                   XDP_PASS);

    if (verdict != XDP_REDIRECT) {
        return done(XDP_PASS, XDP_UP_NO_TARGET);
    }
    if (ecn < 0) {
        return done(XDP_DROP, XDP_UP_CE_NOT_ECT);
    }
    __sync_fetch_and_add(&f->e->count, XDP_COUNT(p->inner_len));
    s = bpf_map_lookup_elem(&service_stats, &stats);
    if (s) {
        s->up_packets++;
        s->up_bytes += p->inner_len;
    }
    if (is_traced(ue_key(p->inner_src, p->inner6))) {
        trace(ctx, OUTCOME(verdict, chain ? XDP_UP_CHAIN : XDP_UP_DECAP), 0,
              p->offset);
    }
    return done(decapsulate(ctx, p, id, READ(f->path->space), ecn, verdict),
                chain ? XDP_UP_CHAIN : XDP_UP_DECAP);
}

/* A packet of tunnel 'f'.  Returns SWITCH or an outcome. */
static __always_inline int
uplink(struct xdp_md *ctx, const struct packet *p, const struct found *f)
{
    struct xdp_service *s = (may_be_service(p->inner_dst)
                             ? find_service(p->inner_dst) : NULL);
    __u32 stats = stats_of(s);
    bool to_service = s, chain = s && READ(s->chain);
    bool bypassed = s && READ(s->bypassed);
    if (bypassed || (chain && !chain_lives(s))) {
        to_service = false;
    }
    struct xdp_entry *e = f->e;
    __u32 now = ticks(), stamp = READ(e->stamp), id = READ(e->bearer);
    if (!is_from_sender(p, 0, f)) {
        return done(XDP_PASS, XDP_UP_NEW_SENDER);
    }
    if (!f->path) {
        if (to_service) {
            return done(XDP_PASS, XDP_UP_HOLD);
        } else if (!is_switched_until(now, stamp)) {
            return done(XDP_PASS, XDP_UP_UNKNOWN);
        }
    } else {
        bool own = READ(e->ue) == ue_key(p->inner_src, p->inner6);

        if (!is_fresh(now, stamp & XDP_TICK_MASK)
            || READ(e->meta) != f->meta) {
            return done(XDP_PASS, XDP_UP_STALE);
        }
        now |= to_service ? stamp & XDP_STAMP_FORWARDED : XDP_STAMP_FORWARDED;
        if (own && stamp != now) {
            WRITE(e->stamp, now);
        }
        if (to_service) {
            return (!own ? done(XDP_PASS, XDP_UP_FOREIGN_SOURCE)
                    : may_stay(ctx, p) ? done(XDP_PASS, XDP_UP_STAYS)
                    : divert(ctx, p, f, id, stats, chain));
        }
    }
    return bypassed ? done(XDP_PASS, XDP_UP_BYPASSED) : SWITCH;
}

/* Returns an outcome. */
static __always_inline int
from_enb(struct xdp_md *ctx, const struct packet *p)
{
    struct found f;
    int outcome;

    if (!find_entry(p, 0, &f)) {
        return done(XDP_PASS, XDP_UP_UNKNOWN);
    }
    outcome = uplink(ctx, p, &f);
    if (outcome != SWITCH) {
        return outcome;
    }
    if (bpf_redirect_map(&devs, XDP_DEV_SGW, XDP_PASS) != XDP_REDIRECT) {
        return done(XDP_PASS, XDP_UP_NO_TARGET);
    }
    return done(XDP_REDIRECT, XDP_UP_FORWARD);
}

SEC("xdp")
int
tof_enb(struct xdp_md *ctx)
{
    struct packet p;
    enum parsed parsed = parse(ctx, &p);

    if (parsed != G_PDU) {
        return VERDICT(done(XDP_PASS, parsed == NOT_GTPU ? XDP_UP_NOT_GTPU
                            : parsed == MALFORMED ? XDP_UP_MALFORMED
                            : XDP_UP_OTHER_TYPE));
    }
    return told(ctx, &p, false, from_enb(ctx, &p));
}

/* --- Downlink. --- */

static __always_inline bool
is_from_pinger_target(const struct packet *p)
{
    if (config.n_pingers > XDP_PINGERS) {
        return true;
    }
    for (__u32 i = 0; i < XDP_PINGERS; i++) {
        if (i < config.n_pingers && same(config.pingers[i], p->inner_src)) {
            return true;
        }
    }
    return false;
}

/* Else a packet for all, or for a link: it says nothing of whose tunnel it
 * is. */
static __always_inline bool
is_for_host(const __u64 addr[2], bool inner6)
{
    const __u8 *b = (const __u8 *) addr;

    return (inner6 ? b[0] != 0xff && (b[0] != 0xfe || b[1] < 0x80)
            : b[12] && b[12] != 127 && b[12] < 224);
}

/* The tunnel carries another UE's packets: its TEID has been given away.
 * Nothing is sent into it any more, from this very moment on. */
static __always_inline void
withdraw(__u32 id)
{
    __u32 slot = id >> 8;
    struct xdp_template *t = bpf_map_lookup_elem(&templates, &slot);

    if (t && READ(t->id) == id) {
        WRITE(t->id, 0);
    }
}

/* A packet of tunnel 'f'.  Returns SWITCH or an outcome. */
static __always_inline int
downlink(const struct packet *p, const struct found *f)
{
    struct xdp_entry *e = f->e;
    __u32 id = READ(e->bearer);

    if (!is_from_sender(p, XDP_KIND_DOWN, f)) {
        return done(XDP_PASS, XDP_DOWN_NEW_SENDER);
    }
    if (f->path && READ(e->ue) != ue_key(p->inner_dst, p->inner6)
        && is_for_host(p->inner_dst, p->inner6)
        && READ(e->meta) == f->meta) {
        withdraw(id);
        return done(XDP_PASS, XDP_DOWN_REUSED);
    }
    return SWITCH;
}

/* Returns an outcome. */
static __always_inline int
from_sgw(const struct packet *p)
{
    struct found f;
    int outcome;

    if (p->echo_reply && is_from_pinger_target(p)) {
        return done(XDP_PASS, XDP_DOWN_PINGER);
    }
    if (!find_entry(p, XDP_KIND_DOWN, &f)) {
        return done(XDP_PASS, XDP_DOWN_UNKNOWN);
    }
    outcome = downlink(p, &f);
    if (outcome != SWITCH) {
        return outcome;
    }
    if (!is_switched_until(ticks(), READ(f.e->stamp))) {
        return done(XDP_PASS, XDP_DOWN_UNKNOWN);
    }
    if (bpf_redirect_map(&devs, XDP_DEV_ENB, XDP_PASS) != XDP_REDIRECT) {
        return done(XDP_PASS, XDP_DOWN_NO_TARGET);
    }
    return done(XDP_REDIRECT, XDP_DOWN_FORWARD);
}

SEC("xdp")
int
tof_sgw(struct xdp_md *ctx)
{
    struct packet p;
    enum parsed parsed = parse(ctx, &p);

    if (parsed != G_PDU) {
        return VERDICT(done(XDP_PASS, parsed == NOT_GTPU ? XDP_DOWN_NOT_GTPU
                            : parsed == MALFORMED ? XDP_DOWN_MALFORMED
                            : XDP_DOWN_OTHER_TYPE));
    }
    return told(ctx, &p, true, from_sgw(&p));
}

/* --- Both ways, at a single adapter. --- */

/* A VLAN is another adapter. */
static __always_inline bool
is_tagged(struct xdp_md *ctx)
{
    struct ethhdr *eth = (void *) (long) ctx->data;

    return ((void *) (eth + 1) > (void *) (long) ctx->data_end
            || eth->h_proto == bpf_htons(ETH_P_8021Q));
}

/* Else the frame only passes by. */
static __always_inline bool
is_for_us(struct xdp_md *ctx)
{
    struct ethhdr *eth = (void *) (long) ctx->data;
    const __u8 *mac = config.mac;

    return ((void *) (eth + 1) <= (void *) (long) ctx->data_end
            && *(__u32 *) eth->h_dest == READ(*(__u32 *) mac)
            && *(__u16 *) (eth->h_dest + 4) == READ(*(__u16 *) (mac + 4)));
}

/* Peers are on one side or the other, so a tunnel's receiver tells which way
 * it leads.  Only diverted bearers' tunnels are in the table: the filter knows
 * which others need no copy.  Whoever sends another UE's packet in a downlink
 * tunnel, and to whom, it is a warning.  Returns an outcome. */
static __always_inline int
from_s1u(struct xdp_md *ctx, const struct packet *p)
{
    struct found f;
    int outcome;

    if (find_entry(p, 0, &f)) {
        if (!is_for_us(ctx)) {
            return done(XDP_PASS, XDP_S1U_OTHER_HOST);
        }
        outcome = uplink(ctx, p, &f);
        return outcome == SWITCH ? done(XDP_PASS, XDP_UP_ROUTED) : outcome;
    }
    if (p->echo_reply && is_from_pinger_target(p)) {
        return done(XDP_PASS, XDP_DOWN_PINGER);
    }
    if (!find_entry(p, XDP_KIND_DOWN, &f)) {
        return done(XDP_PASS, XDP_S1U_UNKNOWN);
    }
    outcome = downlink(p, &f);
    return outcome == SWITCH ? done(XDP_PASS, XDP_DOWN_ROUTED) : outcome;
}

SEC("xdp")
int
tof_s1u(struct xdp_md *ctx)
{
    struct packet p;
    enum parsed parsed = is_tagged(ctx) ? NOT_GTPU : parse(ctx, &p);

    if (parsed != G_PDU) {
        return VERDICT(done(XDP_PASS, parsed == NOT_GTPU ? XDP_S1U_NOT_GTPU
                            : parsed == MALFORMED ? XDP_S1U_MALFORMED
                            : XDP_S1U_OTHER_TYPE));
    }
    return told(ctx, &p, is_traced(ue_key(p.inner_dst, p.inner6)),
                from_s1u(ctx, &p));
}

#endif /* xdp/tof_s1u.bpf.h */
