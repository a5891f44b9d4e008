/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What has been cleared lately: see cache_guard.h. */

#include <config.h>

#include "ovs/cache_guard.h"

#include <stdlib.h>

#include "base/secure.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "timeval.h"
#include "util.h"

#define GUARD_MS 500
#define CACHE_LIFE_MS 30000     /* Longer than an unused entry of the cache. */

struct cleared {
    struct hmap_node node;
    struct ovs_list age_node;
    struct in6_addr addr;
    uint32_t teid;
    long long int at;
};

static struct hmap cleared;
static struct ovs_list cleared_by_age;

static struct cleared *
find_cleared(const struct in6_addr *addr, uint32_t teid)
{
    struct cleared *c;

    HMAP_FOR_EACH_WITH_HASH (c, node, secure_table_hash(addr, teid),
                             &cleared) {
        if (c->teid == teid && IN6_ARE_ADDR_EQUAL(&c->addr, addr)) {
            return c;
        }
    }
    return NULL;
}

static void
forget_cleared(struct cleared *c)
{
    hmap_remove(&cleared, &c->node);
    ovs_list_remove(&c->age_node);
    free(c);
}

void
cache_guard_note(const struct in6_addr *addr, uint32_t teid)
{
    long long int now = time_msec();
    struct cleared *c = find_cleared(addr, teid);

    if (c) {
        forget_cleared(c);
    }
    c = xmalloc(sizeof *c);
    *c = (struct cleared) { .addr = *addr, .teid = teid, .at = now };
    hmap_insert(&cleared, &c->node, secure_table_hash(addr, teid));
    ovs_list_push_back(&cleared_by_age, &c->age_node);
    while ((c = CONTAINER_OF(ovs_list_front(&cleared_by_age), struct cleared,
                             age_node))->at < now - CACHE_LIFE_MS) {
        forget_cleared(c);
    }
}

long long int
cache_guard_until(const struct in6_addr *addr, uint32_t teid)
{
    return time_msec() + (find_cleared(addr, teid) ? GUARD_MS : 0);
}

void
cache_guard_init(void)
{
    hmap_init(&cleared);
    ovs_list_init(&cleared_by_age);
}

void
cache_guard_destroy(void)
{
    while (!ovs_list_is_empty(&cleared_by_age)) {
        forget_cleared(CONTAINER_OF(ovs_list_front(&cleared_by_age),
                                    struct cleared, age_node));
    }
    hmap_destroy(&cleared);
}
