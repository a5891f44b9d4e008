/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOF_FIND_BPF_H
#define TOF_FIND_BPF_H 1

/* The table of sessions: from a G-PDU to the entry of its tunnel.
 *
 * Place in the flow: a part of tof.bpf.c, behind the maps that it needs
 * ("sessions", "paths"), 'seed' and 'n_buckets'. */

#include "xdp/layout.h"
#include "xdp/tof_parse.bpf.h"

static __always_inline bool
same(const __u64 a[2], const __u64 b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

struct key {                            /* What a tunnel is known by. */
    const struct packet *p;
    __u64 tag;                          /* Of the receiver. */
    __u32 kind;
};

struct found {
    struct xdp_entry *e;
    struct xdp_path *path;              /* Of a bearer's, else NULL. */
    __u32 meta;                         /* As it was then. */
};

static __always_inline bool
is_it(const struct key *k, struct found *f)
{
    f->meta = READ(f->e->meta);
    if (READ(f->e->teid) != k->p->teid || XDP_META_KIND(f->meta) != k->kind) {
        return false;
    }
    if (!READ(f->e->bearer)) {
        f->path = NULL;
        return READ(f->e->dst) == k->tag;
    }
    __u32 path = XDP_META_PATH(f->meta);
    f->path = bpf_map_lookup_elem(&paths, &path);
    return f->path && same(k->kind & XDP_KIND_DOWN ? f->path->dst
                           : f->path->src, k->p->dst);
}

static __always_inline bool
find_in_bucket(const struct key *k, __u32 index, __u32 start, struct found *f)
{
    struct xdp_bucket *b = bpf_map_lookup_elem(&sessions, &index);

    if (!b) {
        return false;
    }
    for (__u32 i = 0; i < XDP_BUCKET; i++) {
        f->e = &b->e[(start ^ i) & (XDP_BUCKET - 1)];
        if (is_it(k, f)) {
            return true;
        }
    }
    return false;
}

/* The entry of the tunnel that 'p' came by. */
static __always_inline bool
find_entry(const struct packet *p, __u32 direction, struct found *f)
{
    const struct key k = {
        .p = p, .tag = xdp_tag(p->dst, seed),
        .kind = (XDP_KIND_USED | direction
                 | (p->inner6 ? XDP_KIND_INNER6 : 0)),
    };
    struct xdp_place place = xdp_hash(k.tag, p->teid, k.kind, n_buckets);

    return (find_in_bucket(&k, place.bucket[0], place.start, f)
            || find_in_bucket(&k, place.bucket[1], place.start, f));
}

/* 'p' has the sender that the tunnel has. */
static __always_inline bool
is_from_sender(const struct packet *p, __u32 direction, const struct found *f)
{
    return (!f->path ? READ(f->e->src) == xdp_tag(p->src, seed)
            : same(direction ? f->path->src : f->path->dst, p->src));
}

#endif /* xdp/tof_find.bpf.h */
