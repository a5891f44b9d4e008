/* SPDX-License-Identifier: GPL-3.0-or-later */

/* idtable.h: identifiers find what they were given to, and slots are used again
 * late, in the order in which they were freed. */

#include <config.h>

#include "base/idtable.h"
#include "tap.h"

#define N (8 * IDTABLE_RESTING)

static struct idtable t;
static uint32_t live[2 * N], freed[16 * N];
static size_t n_live, n_slots, first_freed, n_freed;

/* The identifier that has to come next, but for the generation of a new slot:
 * what the queue of freed ones says. */
static bool
add_is_right(void)
{
    bool again = n_freed - first_freed > IDTABLE_RESTING;
    uint32_t id = idtable_add(&t, &live[n_live]);
    bool right = (again ? id == (freed[first_freed] & ~0xffu)
                  + (uint8_t) (freed[first_freed] + 1)
                  : id >> 8 == n_slots + 1);

    first_freed += again;
    n_slots += !again;
    live[n_live++] = id;
    return right;
}

static void
remove_one(size_t i)
{
    freed[n_freed++] = live[i];
    idtable_remove(&t, live[i]);
    live[i] = live[--n_live];
}

static void
test_order(void)
{
    bool right = true;

    idtable_init(&t);
    while (n_live < N) {
        right = add_is_right() && right;
    }
    tap_ok(right, "new slots in order");
    /* The queue grows while it goes round. */
    for (size_t i = 0; n_live > N / 8; i++) {
        remove_one(i * 7919 % n_live);
        if (i % 3) {
            right = add_is_right() && right;
            remove_one(i * 104729 % n_live);
        }
    }
    tap_ok(right && first_freed > IDTABLE_RESTING,
           "slots again as they were freed, with the next generation");
    size_t so_far = n_slots;
    while (first_freed + IDTABLE_RESTING < n_freed) {
        right = add_is_right() && right;
    }
    tap_ok(right && n_slots == so_far, "until few are resting");
    tap_ok(add_is_right() && n_slots == so_far + 1, "then a new one");
    tap_ok(!idtable_get(&t, freed[first_freed]), "those that rest are dead");
    idtable_destroy(&t);
}

static void
test_restore(void)
{
    struct idtable restored;
    int value;

    idtable_init(&restored);
    tap_ok(idtable_restore(&restored, 0x00000703, &value)
           && idtable_get(&restored, 0x00000703) == &value
           && !idtable_restore(&restored, 0x00000704, &value),
           "an identifier from an earlier life has its slot");
    tap_ok(!idtable_restore(&restored, 0x00000001, &value)
           && !idtable_restore(&restored, IDTABLE_MAX_SLOTS << 8, &value),
           "but none that is never given");
    idtable_destroy(&restored);
}

int
main(void)
{
    test_order();
    test_restore();
    return tap_done();
}
