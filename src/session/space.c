/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Address spaces: see space.h. */

#include <config.h>

#include "session/space.h"

#include <stdlib.h>
#include <string.h>

#include "base/secure.h"
#include "random.h"
#include "util.h"

static struct hmap spaces;              /* Of struct space, by SGW. */
static struct space *by_number[UINT16_MAX + 1]; /* 0 is never used. */
static struct ovs_list empty;           /* Without a session, oldest first. */
static uint16_t last;                   /* At random at first: flows may still
                                         * have numbers of an earlier life. */

void
space_init(void)
{
    hmap_init(&spaces);
    ovs_list_init(&empty);
    memset(by_number, 0, sizeof by_number);
    last = random_uint16();
}

void
space_destroy(void)
{
    struct space *space;

    HMAP_FOR_EACH_POP (space, node, &spaces) {
        free(space);
    }
    hmap_destroy(&spaces);
}

static void
space_free(struct space *space)
{
    hmap_remove(&spaces, &space->node);
    by_number[space->number] = NULL;
    free(space);
}

static struct space *
space_find(const struct in6_addr *sgw, uint16_t rank, uint32_t hash)
{
    struct space *space;

    HMAP_FOR_EACH_WITH_HASH (space, node, hash, &spaces) {
        if (space->rank == rank && IN6_ARE_ADDR_EQUAL(&space->sgw, sgw)) {
            return space;
        }
    }
    return NULL;
}

/* With the number 'wanted' if that is nonzero and free. */
static struct space *
space_create(const struct in6_addr *sgw, uint16_t rank, uint32_t hash,
             uint16_t wanted)
{
    if (rank >= SPACES_PER_SGW) {
        return NULL;
    }
    if (hmap_count(&spaces) >= UINT16_MAX) {
        if (ovs_list_is_empty(&empty)) {
            return NULL;
        }
        space_free(CONTAINER_OF(ovs_list_pop_front(&empty), struct space,
                                empty_node));
    }
    while (!wanted || by_number[wanted]) {
        wanted = ++last;
    }

    struct space *space = xzalloc(sizeof *space);
    space->sgw = *sgw;
    space->rank = rank;
    space->number = wanted;
    by_number[wanted] = space;
    hmap_insert(&spaces, &space->node, hash);
    ovs_list_push_back(&empty, &space->empty_node);
    return space;
}

struct space *
space_get(const struct in6_addr *sgw, uint16_t rank)
{
    uint32_t hash = secure_table_hash(sgw, 0);
    struct space *space = space_find(sgw, rank, hash);

    return space ? space : space_create(sgw, rank, hash, 0);
}

struct space *
space_restore(const struct in6_addr *sgw, uint16_t number)
{
    uint32_t hash = secure_table_hash(sgw, 0);
    struct space *space = by_number[number];
    uint16_t rank = 0;

    if (!number || space) {
        return space && IN6_ARE_ADDR_EQUAL(&space->sgw, sgw) ? space : NULL;
    }
    while (space_find(sgw, rank, hash)) {
        rank++;
    }
    return space_create(sgw, rank, hash, number);
}

void
space_hold(struct space *space)
{
    if (!space->n_sessions++) {
        ovs_list_remove(&space->empty_node);
    }
}

void
space_release(struct space *space)
{
    if (!--space->n_sessions) {
        ovs_list_push_back(&empty, &space->empty_node);
    }
}
