/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What has been noted lately: see recent.h. */

#include <config.h>

#include "base/recent.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/secure.h"
#include "util.h"

struct entry {
    struct hmap_node node;
    struct ovs_list age_node;
    long long int at;
    uint8_t key[];
};

void
recent_init(struct recent *r, size_t key_len, size_t max,
            long long int life_ms)
{
    hmap_init(&r->all);
    ovs_list_init(&r->by_age);
    r->key_len = key_len;
    r->max = max;
    r->life_ms = life_ms;
}

static struct entry *
find(const struct recent *r, const void *key)
{
    struct entry *e;

    HMAP_FOR_EACH_WITH_HASH (e, node, secure_bytes_hash(key, r->key_len),
                             &r->all) {
        if (!memcmp(e->key, key, r->key_len)) {
            return e;
        }
    }
    return NULL;
}

static void
drop(struct recent *r, struct entry *e)
{
    if (e) {
        hmap_remove(&r->all, &e->node);
        ovs_list_remove(&e->age_node);
        free(e);
    }
}

static struct entry *
oldest(const struct recent *r)
{
    return (ovs_list_is_empty(&r->by_age) ? NULL
            : CONTAINER_OF(ovs_list_front(&r->by_age), struct entry,
                           age_node));
}

void
recent_note(struct recent *r, const void *key, long long int now)
{
    struct entry *e;

    drop(r, find(r, key));
    while ((e = oldest(r)) && (hmap_count(&r->all) >= r->max
                               || e->at < now - r->life_ms)) {
        drop(r, e);
    }
    e = xmalloc(sizeof *e + r->key_len);
    e->at = now;
    memcpy(e->key, key, r->key_len);
    hmap_insert(&r->all, &e->node, secure_bytes_hash(key, r->key_len));
    ovs_list_push_back(&r->by_age, &e->age_node);
}

long long int
recent_when(const struct recent *r, const void *key, long long int now)
{
    const struct entry *e = find(r, key);

    return e && e->at >= now - r->life_ms ? e->at : LLONG_MIN;
}

void
recent_destroy(struct recent *r)
{
    while (oldest(r)) {
        drop(r, oldest(r));
    }
    hmap_destroy(&r->all);
}
