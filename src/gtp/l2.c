/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Ethernet headers: see l2.h.
 *
 * The kernel's map keeps a header for a while and never replaces it before;
 * so an entry here is read again every few seconds while packets pass, and at
 * once if the sender's MAC address is a new one.  An entry here never goes
 * away: the last header known beats none. */

#include <config.h>

#include "l2.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "openvswitch/hmap.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

#define REFRESH_MS 5000

struct entry {
    struct hmap_node node;
    enum filter_side side;
    struct in6_addr src, dst;
    struct l2_header l2;
    long long int read;         /* From the kernel's map, ms. */
};

static struct hmap entries;
static l2_changed_cb *changed_cb;

void
l2_init(l2_changed_cb *cb)
{
    hmap_init(&entries);
    changed_cb = cb;
}

void
l2_destroy(void)
{
    struct entry *e;

    HMAP_FOR_EACH_POP (e, node, &entries) {
        free(e);
    }
    hmap_destroy(&entries);
}

static uint32_t
hash_pair(const struct in6_addr *src, const struct in6_addr *dst)
{
    return hash_bytes(dst, sizeof *dst, hash_bytes(src, sizeof *src, 0));
}

static struct entry *
find(enum filter_side side, const struct in6_addr *src,
     const struct in6_addr *dst)
{
    struct entry *e;

    HMAP_FOR_EACH_WITH_HASH (e, node, hash_pair(src, dst), &entries) {
        if (e->side == side && IN6_ARE_ADDR_EQUAL(&e->src, src)
            && IN6_ARE_ADDR_EQUAL(&e->dst, dst)) {
            return e;
        }
    }
    return NULL;
}

static struct entry *
create(enum filter_side side, const struct in6_addr *src,
       const struct in6_addr *dst)
{
    struct l2_header l2;
    struct entry *e;

    if (filter_l2_get(side, src, dst, &l2)) {
        return NULL;
    }
    e = xmalloc(sizeof *e);
    *e = (struct entry) { .side = side, .src = *src, .dst = *dst, .l2 = l2,
                          .read = time_msec() };
    hmap_insert(&entries, &e->node, hash_pair(src, dst));
    return e;
}

static bool
sent_by(const struct l2_header *l2, const uint8_t *mac)
{
    return !mac || !memcmp(l2->bytes + ETH_ADDR_LEN, mac, ETH_ADDR_LEN);
}

void
l2_seen(enum filter_side side, const struct in6_addr *src,
        const struct in6_addr *dst, const uint8_t *src_mac)
{
    struct entry *e = find(side, src, dst);
    long long int now = time_msec();
    struct l2_header l2;

    if (!e) {
        e = create(side, src, dst);
    }
    if (!e || (now - e->read < REFRESH_MS && sent_by(&e->l2, src_mac))) {
        return;
    }
    e->read = now;
    if (filter_l2_get(side, src, dst, &l2)) {
        return;
    }
    if (!sent_by(&l2, src_mac)) {
        /* The map is behind: let the next packet fill it anew. */
        filter_l2_forget(side, src, dst);
        memcpy(l2.bytes + ETH_ADDR_LEN, src_mac, ETH_ADDR_LEN);
    }
    /* Beyond the header are other bytes of the packet. */
    if (l2.len != e->l2.len || memcmp(l2.bytes, e->l2.bytes, l2.len)) {
        e->l2 = l2;
        changed_cb(side, src, dst, &e->l2);
    }
}

bool
l2_get(enum filter_side side, const struct in6_addr *src,
       const struct in6_addr *dst, struct l2_header *l2)
{
    const struct entry *e = find(side, src, dst);

    if (!e) {
        e = create(side, src, dst);
    }
    if (e) {
        *l2 = e->l2;
    }
    return e != NULL;
}
