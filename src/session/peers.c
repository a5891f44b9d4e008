/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Addresses that are kept once: see peers.h. */

#include <config.h>

#include "session/peers.h"

#include <stdlib.h>
#include <string.h>

#include "base/secure.h"
#include "openvswitch/hmap.h"
#include "util.h"

struct peer {
    struct hmap_node node;              /* In peers, by 'addr'. */
    struct in6_addr addr;
    size_t n_users;
    unsigned int n_bearers[PEER_N_ROLES];
};

static struct hmap peers;

void
peers_init(void)
{
    hmap_init(&peers);
}

void
peers_destroy(void)
{
    hmap_destroy(&peers);
}

const struct in6_addr *
peers_get(const struct in6_addr *addr)
{
    uint32_t hash = secure_table_hash(addr, 0);
    struct peer *p;

    HMAP_FOR_EACH_WITH_HASH (p, node, hash, &peers) {
        if (IN6_ARE_ADDR_EQUAL(&p->addr, addr)) {
            p->n_users++;
            return &p->addr;
        }
    }
    p = xzalloc(sizeof *p);
    p->addr = *addr;
    p->n_users = 1;
    hmap_insert(&peers, &p->node, hash);
    return &p->addr;
}

void
peers_put(const struct in6_addr *addr)
{
    struct peer *p = CONTAINER_OF(addr, struct peer, addr);

    if (!--p->n_users) {
        hmap_remove(&peers, &p->node);
        free(p);
    }
}

void
peers_set(const struct in6_addr **peer, const struct in6_addr *addr)
{
    const struct in6_addr *old = *peer;

    *peer = peers_get(addr);
    peers_put(old);
}

void
peers_count(const struct in6_addr *peer, enum peer_role role, int n)
{
    CONTAINER_OF(peer, struct peer, addr)->n_bearers[role] += n;
}

bool
peers_next(struct peers_position *pos, struct in6_addr *addr,
           unsigned int n_bearers[PEER_N_ROLES])
{
    struct hmap_position at = { .bucket = pos->bucket, .offset = pos->offset };
    struct hmap_node *node = hmap_at_position(&peers, &at);

    if (node) {
        const struct peer *p = CONTAINER_OF(node, struct peer, node);

        pos->bucket = at.bucket;
        pos->offset = at.offset;
        *addr = p->addr;
        memcpy(n_bearers, p->n_bearers, sizeof p->n_bearers);
    }
    return node != NULL;
}
