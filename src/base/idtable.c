/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Slots with generations: see idtable.h.  Slot 0 is never handed out, so that
 * no identifier is 0.  Free slots form a queue: a slot just freed is the last
 * to be used again, and new ones are taken while the queue is short, which
 * keeps old identifiers dead for long. Generations start at random, so that
 * those of an earlier life do not come back with a restart. */

#include <config.h>

#include "base/idtable.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "util.h"

struct idtable_mark {
    uint8_t generation;
    bool queued;                /* In the queue of free slots? */
};

void
idtable_init(struct idtable *t)
{
    *t = (struct idtable) { .n_slots = 1 };
}

void
idtable_destroy(struct idtable *t)
{
    free(t->values);
    free(t->marks);
    free(t->free);
    idtable_init(t);
}

static uint32_t
make_id(const struct idtable *t, uint32_t slot)
{
    return slot << 8 | t->marks[slot].generation;
}

/* Makes slots up to and including 'slot' exist. */
static void
grow(struct idtable *t, uint32_t slot)
{
    while (slot >= t->allocated) {
        size_t old = t->allocated;

        t->values = x2nrealloc(t->values, &t->allocated, sizeof *t->values);
        t->marks = xrealloc(t->marks, t->allocated * sizeof *t->marks);
        for (size_t i = old; i < t->allocated; i++) {
            t->values[i] = NULL;
            t->marks[i] = (struct idtable_mark) {
                .generation = random_uint32(),
            };
        }
    }
}

static void
enqueue_free(struct idtable *t, uint32_t slot)
{
    if (t->n_free == t->free_allocated) {
        size_t n = t->free_allocated;

        t->free_allocated = n ? 2 * n : 64;
        t->free = xrealloc(t->free, t->free_allocated * sizeof *t->free);
        /* What had wrapped around goes on behind the old end. */
        memcpy(t->free + n, t->free, t->first_free * sizeof *t->free);
    }
    t->marks[slot].queued = true;
    t->free[(t->first_free + t->n_free++) & (t->free_allocated - 1)] = slot;
}

/* Takes the oldest slot that is still free from the queue (a restored
 * identifier may have claimed one that is queued); 0 if there is none. */
static uint32_t
dequeue_free(struct idtable *t)
{
    while (t->n_free) {
        uint32_t slot = t->free[t->first_free++];

        t->first_free &= t->free_allocated - 1;
        t->n_free--;
        t->marks[slot].queued = false;
        if (!t->values[slot]) {
            return slot;
        }
    }
    return 0;
}

uint32_t
idtable_add(struct idtable *t, void *value)
{
    uint32_t slot = (t->n_free > IDTABLE_RESTING
                     || t->n_slots >= IDTABLE_MAX_SLOTS
                     ? dequeue_free(t) : 0);

    if (!slot) {
        if (t->n_slots >= IDTABLE_MAX_SLOTS) {
            return 0;
        }
        slot = t->n_slots++;
        grow(t, slot);
    }
    t->values[slot] = value;
    return make_id(t, slot);
}

bool
idtable_restore(struct idtable *t, uint32_t id, void *value)
{
    uint32_t slot = id >> 8;

    if (!slot || slot >= IDTABLE_MAX_SLOTS) {
        return false;
    }
    grow(t, slot);
    while (t->n_slots <= slot) {
        uint32_t gap = t->n_slots++;
        if (gap != slot) {
            enqueue_free(t, gap);
        }
    }
    if (t->values[slot]) {
        return false;
    }
    t->values[slot] = value;
    t->marks[slot].generation = id;
    return true;
}

void *
idtable_get(const struct idtable *t, uint32_t id)
{
    uint32_t slot = id >> 8;

    return (slot && slot < t->n_slots
            && t->marks[slot].generation == (uint8_t) id
            ? t->values[slot] : NULL);
}

void
idtable_remove(struct idtable *t, uint32_t id)
{
    uint32_t slot = id >> 8;

    if (idtable_get(t, id)) {
        t->values[slot] = NULL;
        t->marks[slot].generation++;
        if (!t->marks[slot].queued) {
            enqueue_free(t, slot);
        }
    }
}

void *
idtable_next(const struct idtable *t, uint32_t id)
{
    for (uint32_t slot = (id >> 8) + 1; slot < t->n_slots; slot++) {
        if (t->values[slot]) {
            return t->values[slot];
        }
    }
    return NULL;
}
