/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Flows that nobody wants: see strays.h. */

#include <config.h>

#include "ovs/strays.h"

#include <stddef.h>

#include "timeval.h"
#include "util.h"

#define STRAYS_MAX 64           /* Enough for an operator who asks about one. */
#define STRAY_MS 10000          /* A round of statistics takes less. */

struct stray {
    uint32_t id;                /* 0: none. */
    long long int first, last;
};

static struct stray strays[STRAYS_MAX];

static bool
is_old(const struct stray *s, long long int now)
{
    return !s->id || s->last + STRAY_MS < now;
}

void
strays_note(uint32_t id, long long int polled)
{
    struct stray *free = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(strays); i++) {
        struct stray *s = &strays[i];

        if (is_old(s, polled)) {
            free = s;
        } else if (s->id == id) {
            s->last = polled;
            return;
        }
    }
    if (free) {
        *free = (struct stray) { id, polled, polled };
    }
}

bool
strays_has(uint32_t id)
{
    const long long int now = time_msec();

    for (size_t i = 0; i < ARRAY_SIZE(strays); i++) {
        const struct stray *s = &strays[i];

        if (s->id == id && !is_old(s, now)) {
            return s->last > s->first;
        }
    }
    return false;
}
