/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Paths: from an SGW to an eNodeB, in the table that eBPF programs read.
 *
 * Place in the flow: a part of table.c, see table.h.  The version is
 * odd while headers are written.  Addresses are written once, before anybody
 * knows of the path, and stay. */

#include "xdp/table_path.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "base/tunnel.h"

#define PATH_PROBES 64
#define IP_DF 0x4000
#define TTL 64
#define STORE(X, VALUE) __atomic_store_n(&(X), VALUE, __ATOMIC_RELEASE)

static uint32_t
sum_words(const uint8_t *p, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i += 2) {
        uint16_t word;
        memcpy(&word, p + i, 2);
        sum += word;
    }
    return sum;
}

static void
fill_ip(struct xdp_path *path, const struct in6_addr *src,
        const struct in6_addr *dst)
{
    memset(path->ip, 0, sizeof path->ip);
    if (IN6_IS_ADDR_V4MAPPED(dst)) {
        path->ip_len = 20;
        path->ip[0] = 0x45;
        path->ip[4] = OUTER_ID >> 8;
        path->ip[5] = OUTER_ID & 0xff;
        path->ip[6] = IP_DF >> 8;
        path->ip[8] = TTL;
        path->ip[9] = IPPROTO_UDP;
        memcpy(&path->ip[12], &src->s6_addr[12], 4);
        memcpy(&path->ip[16], &dst->s6_addr[12], 4);
        path->sum = sum_words(path->ip, 20);
    } else {
        path->ip_len = 40;
        path->ip[0] = 0x60;
        path->ip[1] = OUTER_FLOW_LABEL >> 16;
        path->ip[2] = OUTER_FLOW_LABEL >> 8 & 0xff;
        path->ip[3] = OUTER_FLOW_LABEL & 0xff;
        path->ip[6] = IPPROTO_UDP;
        path->ip[7] = TTL;
        memcpy(&path->ip[8], src, 16);
        memcpy(&path->ip[24], dst, 16);
        path->sum = sum_words(&path->ip[8], 32) + htons(IPPROTO_UDP);
    }
}

static bool
is_path(const struct xdp_path *path, const __u64 src[2], const __u64 dst[2])
{
    return (path->src[0] == src[0] && path->src[1] == src[1]
            && path->dst[0] == dst[0] && path->dst[1] == dst[1]);
}

/* Where the path from 'src' to 'dst' is, of an address space, or of any one
 * (0); else, if 'room', where it may be put; 0 for neither. */
static uint32_t
path_place(const struct xdp_table *t, const __u64 src[2], const __u64 dst[2],
           uint16_t space, bool room)
{
    static const __u64 none[2];
    uint32_t hash = xdp_mix(xdp_mix(src[0] ^ src[1] * 3)
                            ^ dst[0] ^ dst[1] * 5);

    /* None is ever taken away: there are no gaps. */
    for (uint32_t i = 0; i < PATH_PROBES; i++) {
        uint32_t index = 1 + (hash + i) % (XDP_PATHS - 1);
        const uint16_t its = t->paths[index].space;

        if (is_path(&t->paths[index], src, dst)
            && (!space || !its || its == space)) {
            return index;
        } else if (is_path(&t->paths[index], none, none)) {
            return room ? index : 0;
        }
    }
    return 0;
}

uint32_t
xdp_table_path_get(struct xdp_table *t, const struct in6_addr *src,
                   const struct in6_addr *dst, uint16_t space)
{
    __u64 s[2], d[2];
    uint32_t index;

    xdp_addr(s, src);
    xdp_addr(d, dst);
    index = path_place(t, s, d, space, true);
    if (index && space) {
        STORE(t->paths[index].space, space);
    }
    if (index) {
        memcpy(t->paths[index].src, s, sizeof s);
        memcpy(t->paths[index].dst, d, sizeof d);
    }
    return index;
}

uint32_t
xdp_table_path_find(const struct xdp_table *t, const struct in6_addr *src,
                    const struct in6_addr *dst)
{
    __u64 s[2], d[2];
    uint32_t index;

    xdp_addr(s, src);
    xdp_addr(d, dst);
    index = path_place(t, s, d, 0, false);
    return t->paths[index].l2_len ? index : 0;
}

uint32_t
xdp_table_path_set(struct xdp_table *t, const struct in6_addr *src,
                   const struct in6_addr *dst, const uint8_t *l2,
                   size_t l2_len)
{
    uint32_t index = xdp_table_path_get(t, src, dst, 0);
    struct xdp_path *path = &t->paths[index];

    if (index && (path->l2_len != l2_len
                  || memcmp(path->l2, l2, l2_len))) {
        uint32_t version = path->version | 1;

        STORE(path->version, version);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        fill_ip(path, src, dst);
        memcpy(path->l2, l2, l2_len);
        path->l2_len = l2_len;
        STORE(path->version, version + 1);
    }
    return index;
}
