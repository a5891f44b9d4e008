/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Ethernet headers: see l2.h.
 *
 * The kernel's map keeps a header for a while and never replaces it before;
 * so an entry here is read again every few seconds while packets pass, and at
 * once if the sender's MAC address or the VLAN is a new one.  (Not if only the
 * priority in the tag is: that may differ from packet to packet.)  Entries
 * stay beyond the kernel's, as the last header known beats none, but no more
 * of them than the kernel's map has room for: whoever makes addresses up
 * pushes out only what has not been seen for longest. */

#include <config.h>

#include "filter/l2.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/untag.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

#define REFRESH_MS 5000
#define REPLICATED (LLONG_MIN / 2)

struct entry {
    struct hmap_node node;
    struct ovs_list use_node;   /* In by_use. */
    enum filter_side side;
    struct in6_addr src, dst;
    struct l2_header l2;
    long long int read;         /* From the kernel's map, ms; REPLICATED if it
                                 * is not from there. */
    bool restored;              /* Restored, and the kernel has not been
                                 * asked. */
};

static struct hmap entries;
static struct ovs_list by_use;  /* Longest unused first. */
static l2_changed_cb *changed_cb;

void
l2_init(l2_changed_cb *cb)
{
    hmap_init(&entries);
    ovs_list_init(&by_use);
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

static struct entry *
find(enum filter_side side, const struct in6_addr *src,
     const struct in6_addr *dst)
{
    struct entry *e;

    HMAP_FOR_EACH_WITH_HASH (e, node, l2_hash_pair(src, dst), &entries) {
        if (e->side == side && IN6_ARE_ADDR_EQUAL(&e->src, src)
            && IN6_ARE_ADDR_EQUAL(&e->dst, dst)) {
            return e;
        }
    }
    return NULL;
}

static void
forget(struct entry *e)
{
    hmap_remove(&entries, &e->node);
    ovs_list_remove(&e->use_node);
    free(e);
}

static struct entry *
insert(enum filter_side side, const struct in6_addr *src,
       const struct in6_addr *dst, const struct l2_header *l2,
       long long int read)
{
    struct entry *e = xmalloc(sizeof *e);

    *e = (struct entry) { .side = side, .src = *src, .dst = *dst, .l2 = *l2,
                          .read = read };
    hmap_insert(&entries, &e->node, l2_hash_pair(src, dst));
    ovs_list_push_back(&by_use, &e->use_node);
    if (hmap_count(&entries) > L2_MAX) {
        forget(CONTAINER_OF(ovs_list_front(&by_use), struct entry, use_node));
    }
    /* It may have been known before, and been forgotten. */
    changed_cb(side, src, dst, &e->l2);
    return e;
}

/* 'l2' is what packets have now.  (That what was replicated is right is news,
 * too: it was not told to anybody.) */
static void
read_anew(struct entry *e, const struct l2_header *l2)
{
    const bool new = e->read == REPLICATED;

    e->read = time_msec();
    if (new || !l2_header_equal(l2, &e->l2)) {
        e->l2 = *l2;
        changed_cb(e->side, &e->src, &e->dst, &e->l2);
    }
}

/* The entry for the pair, made if the kernel knows a header for it; else
 * NULL. */
static struct entry *
use(enum filter_side side, const struct in6_addr *src,
    const struct in6_addr *dst)
{
    struct entry *e = find(side, src, dst);
    struct l2_header l2;

    if (!e) {
        return (filter_l2_get(side, src, dst, &l2) ? NULL
                : insert(side, src, dst, &l2, time_msec()));
    }
    if (e->restored) {
        int error = filter_l2_get(side, src, dst, &l2);

        e->restored = error == ENOTCONN;
        if (!error) {
            read_anew(e, &l2);
        }
    }
    ovs_list_remove(&e->use_node);
    ovs_list_push_back(&by_use, &e->use_node);
    return e;
}

/* The TCI of 'l2' in the form of l2_seen()'s 'tag'. */
static uint32_t
tag_of(const struct l2_header *l2)
{
    return (l2->len == VLAN_ETH_HEADER_LEN
            ? LINK_TAG_PRESENT | l2->bytes[14] << 8 | l2->bytes[15] : 0);
}

static bool
sent_by(const struct l2_header *l2, const uint8_t *mac, uint32_t tag)
{
    const uint32_t which = LINK_TAG_PRESENT | VLAN_VID_MASK;

    return ((!mac || !memcmp(l2->bytes + ETH_ADDR_LEN, mac, ETH_ADDR_LEN))
            && (tag_of(l2) & which) == (tag & which));
}

static void
put_sender(struct l2_header *l2, const struct in6_addr *src,
           const uint8_t *mac, uint32_t tag)
{
    const uint16_t type = (IN6_IS_ADDR_V4MAPPED(src) ? ETH_TYPE_IP
                           : ETH_TYPE_IPV6);
    const uint8_t tagged[] = { 0x81, 0, tag >> 8, tag, type >> 8, type };

    if (mac) {
        memcpy(l2->bytes + ETH_ADDR_LEN, mac, ETH_ADDR_LEN);
    }
    if (tag) {
        memcpy(l2->bytes + 12, tagged, sizeof tagged);
    } else {
        memcpy(l2->bytes + 12, tagged + 4, 2);
    }
    l2->len = tag ? VLAN_ETH_HEADER_LEN : ETH_HEADER_LEN;
}

void
l2_seen(enum filter_side side, const struct in6_addr *src,
        const struct in6_addr *dst, const uint8_t *src_mac, uint32_t tag)
{
    struct entry *e = use(side, src, dst);
    long long int now = time_msec();
    struct l2_header l2;

    if (!e || (now - e->read < REFRESH_MS && sent_by(&e->l2, src_mac, tag))) {
        return;
    }
    if (filter_l2_get(side, src, dst, &l2)) {
        if (e->read != REPLICATED) {
            e->read = now;
        }
        return;
    }
    if (!sent_by(&l2, src_mac, tag)) {
        /* The map is behind: let the next packet fill it anew. */
        filter_l2_forget(side, src, dst);
        put_sender(&l2, src, src_mac, tag);
    }
    read_anew(e, &l2);
}

void
l2_replicated(enum filter_side side, const struct in6_addr *src,
              const struct in6_addr *dst, const struct l2_header *l2)
{
    struct entry *e = use(side, src, dst);

    if (!e) {
        insert(side, src, dst, l2, REPLICATED);
    } else if (e->read == REPLICATED && !l2_header_equal(l2, &e->l2)) {
        e->l2 = *l2;
        changed_cb(side, src, dst, &e->l2);
    }
}

void
l2_restored(enum filter_side side, const struct in6_addr *src,
            const struct in6_addr *dst, const struct l2_header *l2)
{
    l2_replicated(side, src, dst, l2);
    find(side, src, dst)->restored = true;
}

void
l2_dump(bool all, l2_dump_cb *cb, void *aux)
{
    const struct entry *e;

    HMAP_FOR_EACH (e, node, &entries) {
        if (all || e->read != REPLICATED) {
            cb(e->side, &e->src, &e->dst, &e->l2, aux);
        }
    }
}

size_t
l2_count(void)
{
    return hmap_count(&entries);
}

bool
l2_is_known(enum filter_side side, const struct in6_addr *src,
            const struct in6_addr *dst)
{
    return find(side, src, dst) != NULL;
}

bool
l2_get(enum filter_side side, const struct in6_addr *src,
       const struct in6_addr *dst, struct l2_header *l2)
{
    const struct entry *e = use(side, src, dst);

    if (e) {
        *l2 = e->l2;
    }
    return e != NULL;
}
