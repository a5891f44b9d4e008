/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Packets that wait: their bounds, and their order. */

#include <config.h>

#include "divert/hold.h"

#include <limits.h>
#include <string.h>

#include "tap.h"

static uint32_t given[2 * HOLD_TOTAL];  /* What packets say, in order. */
static unsigned int n_given;

static void
give(uint32_t bearer_id, const struct hold_packet *p)
{
    (void) bearer_id;
    memcpy(&given[n_given++], p->data, sizeof *given);
}

static void
add_to(uint32_t bearer_id, enum hold_direction direction, const void *data,
       size_t len, long long int now)
{
    const struct hold_packet p = {
        .direction = direction, .data = data, .len = len,
    };

    hold_add(bearer_id, &p, now, give);
}

static void
add_bytes(uint32_t bearer_id, const void *data, size_t len, long long int now)
{
    add_to(bearer_id, HOLD_UP, data, len, now);
}

static void
add(uint32_t bearer_id, uint32_t n, long long int now)
{
    add_bytes(bearer_id, &n, sizeof n, now);
}

static bool
is_odd(uint32_t bearer_id, const struct hold_packet *p, const void *aux)
{
    uint32_t n;

    (void) bearer_id;
    (void) aux;
    memcpy(&n, p->data, sizeof n);
    return n % 2;
}

/* 'n' packets have been given, numbered from 'first' in steps of one. */
static bool
in_order(unsigned int n, uint32_t first)
{
    for (unsigned int i = 0; i < n_given; i++) {
        if (given[i] != first + i) {
            return false;
        }
    }
    return n_given == n;
}

int
main(void)
{
    hold_init();
    for (uint32_t i = 0; i < HOLD_PER_BEARER + 36; i++) {
        add(1, i, i);
    }
    tap_ok(in_order(36, 0) && hold_count(1) == HOLD_PER_BEARER,
           "the oldest of a bearer make room");
    tap_ok(hold_since(1) == 0 && hold_since(2) == LLONG_MAX,
           "and do not stop the clock");
    hold_release(1, give);
    tap_ok(in_order(HOLD_PER_BEARER + 36, 0) && !hold_count(1),
           "and all have gone in order");

    n_given = 0;
    for (uint32_t i = 0; i < 6; i++) {
        add(1, i, 0);
    }
    hold_release_some(1, is_odd, NULL, give);
    tap_ok(n_given == 3 && given[0] == 1 && given[1] == 3 && given[2] == 5
           && hold_count(1) == 3, "some go, in order, and the others wait");
    hold_release(1, give);

    n_given = 0;
    for (uint32_t i = 0; i < HOLD_TOTAL + 100; i++) {
        add(1000 + i, i, 200 + i / 100);
    }
    tap_ok(in_order(100, 0) && !hold_count(1000) && hold_count(1100) == 1,
           "the oldest of all make room");
    hold_expire(199 + HOLD_MS, give);
    tap_ok(n_given == 100, "nobody waits for less than his time");
    hold_expire(210 + HOLD_MS, give);
    tap_ok(in_order(1100, 0), "nor for more");

    static uint32_t large[HOLD_BYTES / 256 / sizeof(uint32_t)];
    hold_expire(2 * HOLD_MS * HOLD_MS, give);
    n_given = 0;
    for (large[0] = 0; large[0] < 260; large[0]++) {
        add_bytes(1000 + large[0], large, sizeof large, 0);
    }
    tap_ok(in_order(4, 0), "the oldest make room for bytes");
    hold_expire(3 * HOLD_MS * HOLD_MS, give);

    n_given = 0;
    for (uint32_t i = 0; i < 10; i++) {
        const uint32_t n = i / 2 + (i % 2 ? 100 : 0);

        add_to(1, i % 2 ? HOLD_DOWN : HOLD_UP, &n, sizeof n, 0);
    }
    hold_give_up(1, HOLD_UP, give);
    tap_ok(in_order(5, 0) && hold_count(1) == 5,
           "one direction is given up, the other one waits");
    n_given = 0;
    hold_give_up(1, HOLD_DOWN, give);
    tap_ok(in_order(5, 100) && !hold_count(1), "until it is, too");
    hold_destroy();
    return tap_done();
}
