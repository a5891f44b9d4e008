/* SPDX-License-Identifier: GPL-3.0-or-later */

/* recent.h: keys are forgotten by age, and the oldest when there are many. */

#include <config.h>

#include "base/recent.h"

#include <limits.h>
#include <stdint.h>

#include "tap.h"

#define LIFE 1000

static struct recent r;

static bool
is_there(uint32_t key, long long int now)
{
    return recent_when(&r, &key, now) != LLONG_MIN;
}

static void
note(uint32_t key, long long int now)
{
    recent_note(&r, &key, now);
}

int
main(void)
{
    recent_init(&r, sizeof(uint32_t), 3, LIFE);
    note(1, 0);
    tap_ok(is_there(1, LIFE) && !is_there(2, 0), "what was noted is known");
    tap_ok(!is_there(1, LIFE + 1), "until it is too old");
    note(2, 10);
    note(1, 20);
    tap_ok(is_there(1, LIFE + 20), "noted again, it is young");
    note(3, 30);
    note(4, 40);
    tap_ok(!is_there(2, 40) && is_there(1, 40) && is_there(3, 40)
           && is_there(4, 40), "the oldest makes room");
    recent_destroy(&r);
    return tap_done();
}
