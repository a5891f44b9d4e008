/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_L2_H
#define TOF_L2_H 1

/* Ethernet headers by pair of outer addresses: what a packet that is put back
 * on the wire, or built, has to carry.
 *
 * Place in the flow: the filter notes headers in a map of the kernel's as
 * packets are copied or held; detect.c calls l2_seen() for each of them;
 * reinject.c and path.c take what is known from l2_get(). */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/filter.h"
#include "hash.h"

/* A pair's hash: of the addresses alone, in each process the same. */
static inline uint32_t
l2_hash_pair(const struct in6_addr *src, const struct in6_addr *dst)
{
    return hash_bytes(dst, sizeof *dst, hash_bytes(src, sizeof *src, 0));
}

/* Called when the header of a pair has become known or has changed. */
typedef void l2_changed_cb(enum filter_side, const struct in6_addr *src,
                           const struct in6_addr *dst,
                           const struct l2_header *);

void l2_init(l2_changed_cb *);
void l2_destroy(void);

/* Calls 'cb' for every pair whose packets have been seen here, or for all of
 * which something is known. */
typedef void l2_dump_cb(enum filter_side, const struct in6_addr *src,
                        const struct in6_addr *dst, const struct l2_header *,
                        void *aux);
void l2_dump(bool all, l2_dump_cb *, void *aux);
size_t l2_count(void);

/* Where another TOF intercepts the same packets, they have this header.  Good
 * until one is seen here. */
void l2_replicated(enum filter_side, const struct in6_addr *src,
                   const struct in6_addr *dst, const struct l2_header *);

/* An earlier tofd has known this header.  Good until one is seen here, or the
 * kernel is asked for the first time and knows one. */
void l2_restored(enum filter_side, const struct in6_addr *src,
                 const struct in6_addr *dst, const struct l2_header *);

/* A packet from 'src' to 'dst' has just come in on that side, sent by MAC
 * address 'src_mac' (6 bytes, or NULL if not known), with a VLAN tag or none
 * (LINK_TAG_PRESENT | TCI, or 0). */
void l2_seen(enum filter_side, const struct in6_addr *src,
             const struct in6_addr *dst, const uint8_t *src_mac,
             uint32_t tag);

/* Whether a header is known here; the kernel is not asked. */
bool l2_is_known(enum filter_side, const struct in6_addr *src,
                 const struct in6_addr *dst);

/* Returns false if no header is known. */
bool l2_get(enum filter_side, const struct in6_addr *src,
            const struct in6_addr *dst, struct l2_header *);

#endif /* filter/l2.h */
