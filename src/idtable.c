/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Slots with generations: see idtable.h.  Slot 0 is never handed out, so that
 * no identifier is 0.  Free slots form a queue: a slot just freed is the last
 * to be used again, and new ones are taken while the queue is short, which
 * keeps old identifiers dead for long. Generations start at random, so that
 * those of an earlier life do not come back with a restart. */

#include <config.h>

#include "idtable.h"

#include <stdlib.h>

#include "random.h"
#include "util.h"

struct idtable_slot {
    void *value;                /* NULL: free. */
    uint32_t next_free;
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
    free(t->slots);
    idtable_init(t);
}

static uint32_t
make_id(const struct idtable *t, uint32_t slot)
{
    return slot << 8 | t->slots[slot].generation;
}

/* Makes slots up to and including 'slot' exist. */
static void
grow(struct idtable *t, uint32_t slot)
{
    while (slot >= t->allocated) {
        size_t old = t->allocated;
        t->slots = x2nrealloc(t->slots, &t->allocated, sizeof *t->slots);
        for (size_t i = old; i < t->allocated; i++) {
            t->slots[i] = (struct idtable_slot) {
                .generation = random_uint32(),
            };
        }
    }
}

static void
enqueue_free(struct idtable *t, uint32_t slot)
{
    struct idtable_slot *s = &t->slots[slot];

    s->queued = true;
    s->next_free = 0;
    if (t->free_tail) {
        t->slots[t->free_tail].next_free = slot;
    } else {
        t->free_head = slot;
    }
    t->free_tail = slot;
    t->n_free++;
}

/* Takes the oldest slot that is still free from the queue (a restored
 * identifier may have claimed one that is queued); 0 if there is none. */
static uint32_t
dequeue_free(struct idtable *t)
{
    while (t->free_head) {
        uint32_t slot = t->free_head;
        struct idtable_slot *s = &t->slots[slot];

        t->free_head = s->next_free;
        t->n_free--;
        if (!t->free_head) {
            t->free_tail = 0;
        }
        s->queued = false;
        if (!s->value) {
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
    t->slots[slot].value = value;
    return make_id(t, slot);
}

bool
idtable_restore(struct idtable *t, uint32_t id, void *value)
{
    uint32_t slot = id >> 8;

    if (!slot) {
        return false;
    }
    grow(t, slot);
    while (t->n_slots <= slot) {
        uint32_t gap = t->n_slots++;
        if (gap != slot) {
            enqueue_free(t, gap);
        }
    }
    if (t->slots[slot].value) {
        return false;
    }
    t->slots[slot].value = value;
    t->slots[slot].generation = id;
    return true;
}

void *
idtable_get(const struct idtable *t, uint32_t id)
{
    uint32_t slot = id >> 8;

    return (slot && slot < t->n_slots
            && t->slots[slot].generation == (uint8_t) id
            ? t->slots[slot].value : NULL);
}

void
idtable_remove(struct idtable *t, uint32_t id)
{
    uint32_t slot = id >> 8;

    if (idtable_get(t, id)) {
        t->slots[slot].value = NULL;
        t->slots[slot].generation++;
        if (!t->slots[slot].queued) {
            enqueue_free(t, slot);
        }
    }
}

void *
idtable_next(const struct idtable *t, uint32_t id)
{
    for (uint32_t slot = (id >> 8) + 1; slot < t->n_slots; slot++) {
        if (t->slots[slot].value) {
            return t->slots[slot].value;
        }
    }
    return NULL;
}
