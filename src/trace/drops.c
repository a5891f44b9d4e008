/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What has been dropped lately: see drops.h. */

#include <config.h>

#include "trace/drops.h"

#include <string.h>

#include "hash.h"

#define PLACES 4096

static struct drop places[PLACES];

static struct drop *
place_of(const struct in6_addr *ue, const char *reason)
{
    return &places[hash_bytes(ue, sizeof *ue, hash_string(reason, 0))
                   % PLACES];
}

void
drops_note(const struct in6_addr *ue, const char *reason, long long int now)
{
    struct drop *d = place_of(ue, reason);

    if (!d->reason || strcmp(d->reason, reason)
        || !IN6_ARE_ADDR_EQUAL(&d->ue, ue)) {
        *d = (struct drop) { .ue = *ue, .reason = reason };
    }
    d->n++;
    d->last = now;
}

const struct drop *
drops_next(const struct in6_addr *ue, const struct drop *d)
{
    for (d = d ? d + 1 : places; d < places + PLACES; d++) {
        if (d->reason && IN6_ARE_ADDR_EQUAL(&d->ue, ue)) {
            return d;
        }
    }
    return NULL;
}
