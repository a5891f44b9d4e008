/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_IDTABLE_H
#define TOF_IDTABLE_H 1

/* Identifiers that fit a MAC address: a 24-bit slot and an 8-bit generation,
 * (slot << 8 | generation), never 0.  The generation changes each time a slot
 * is used again, so that what still carries an old identifier finds nothing.
 * A slot rests until IDTABLE_RESTING others have been freed after it: so all
 * generations of one take 256 times as many, and seconds, to pass by.
 *
 * Used by session/table.c for bearers and for sessions. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idtable {
    void **values;                      /* By slot; NULL: free. */
    struct idtable_mark *marks;         /* By slot, too. */
    size_t n_slots, allocated;
    uint32_t *free;                     /* A ring: the slot that was freed
                                         * first is used first. */
    size_t first_free, n_free, free_allocated;  /* The last: a power of 2. */
};

/* Those that begin with 0xff are never given: see ue_frame.h. */
#define IDTABLE_MAX_SLOTS 0xff0000u
#define IDTABLE_RESTING 1024

void idtable_init(struct idtable *);
void idtable_destroy(struct idtable *);

/* Returns a new identifier for 'value' (nonnull), or 0 if all slots are
 * taken. */
uint32_t idtable_add(struct idtable *, void *value);

/* Puts 'value' in under an identifier from an earlier life.  Returns false if
 * its slot is taken, or there is none. */
bool idtable_restore(struct idtable *, uint32_t id, void *value);

void *idtable_get(const struct idtable *, uint32_t id);
void idtable_remove(struct idtable *, uint32_t id);

/* The value with the lowest slot above that of 'id' (0: the very first). */
void *idtable_next(const struct idtable *, uint32_t id);

#endif /* base/idtable.h */
