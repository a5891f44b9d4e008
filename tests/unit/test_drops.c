/* SPDX-License-Identifier: GPL-3.0-or-later */

/* drops.h: what has been dropped, by UE and reason; a flood of other UEs does
 * not make what is told wrong. */

#include <config.h>

#include "trace/drops.h"

#include <string.h>

#include "address.h"
#include "tap.h"

/* What is told of a UE and reason. */
static const struct drop *
find(const struct in6_addr *ue, const char *reason)
{
    const struct drop *d = NULL;

    while ((d = drops_next(ue, d))) {
        if (!strcmp(d->reason, reason)) {
            return d;
        }
    }
    return NULL;
}

static unsigned int
count(const struct in6_addr *ue)
{
    const struct drop *d = NULL;
    unsigned int n = 0;

    while ((d = drops_next(ue, d))) {
        n++;
    }
    return n;
}

int
main(void)
{
    const struct in6_addr ue = ip("10.45.0.1"), other = ip("10.45.0.2");
    const struct drop *d;

    tap_ok(!drops_next(&ue, NULL), "nothing was dropped at first");
    drops_note(&ue, "no_room", 1000);
    drops_note(&ue, "no_room", 3000);
    drops_note(&ue, "no_tunnel", 2000);
    drops_note(&other, "no_tunnel", 4000);
    d = find(&ue, "no_room");
    tap_ok(d && d->n == 2 && d->last == 3000, "a reason's last one is known");
    d = find(&ue, "no_tunnel");
    tap_ok(d && d->n == 1 && d->last == 2000, "reasons, and UEs, are apart");
    tap_ok(count(&ue) == 2 && count(&other) == 1, "each is told once");

    for (uint32_t i = 0; i < 100000; i++) {
        struct in6_addr many = ip("2001:db8::");

        memcpy(many.s6_addr + 4, &i, sizeof i);
        drops_note(&many, "no_tunnel", 5000);
    }
    d = find(&ue, "no_room");
    tap_ok(!d || (d->n == 2 && d->last == 3000),
           "another's place is taken, not its count");
    return tap_done();
}
