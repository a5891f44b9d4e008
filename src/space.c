/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Address spaces: see space.h. */

#include <config.h>

#include "space.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "util.h"

static struct hmap spaces;              /* Of struct space, by SGW. */
static bool taken[UINT16_MAX + 1];      /* By number; 0 is never used. */

void
space_init(void)
{
    hmap_init(&spaces);
    memset(taken, 0, sizeof taken);
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

struct space *
space_get(const struct in6_addr *sgw, uint16_t wanted)
{
    static uint16_t last;
    uint32_t hash = hash_bytes(sgw, sizeof *sgw, 0);
    struct space *space;

    HMAP_FOR_EACH_WITH_HASH (space, node, hash, &spaces) {
        if (IN6_ARE_ADDR_EQUAL(&space->sgw, sgw)) {
            return space;
        }
    }
    if (hmap_count(&spaces) >= UINT16_MAX) {
        return NULL;
    }
    while (!wanted || taken[wanted]) {
        wanted = ++last;
    }
    space = xzalloc(sizeof *space);
    space->sgw = *sgw;
    space->number = wanted;
    taken[wanted] = true;
    hmap_insert(&spaces, &space->node, hash);
    return space;
}

void
space_put(struct space *space)
{
    if (!--space->n_sessions) {
        hmap_remove(&spaces, &space->node);
        taken[space->number] = false;
        free(space);
    }
}
