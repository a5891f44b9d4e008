/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_DROPS_H
#define TOF_DROPS_H 1

/* What has been dropped lately, by UE and reason, as far as that is known.
 *
 * Place in the flow: trace.c notes what tofd drops, and, while a UE is traced,
 * what the data plane drops of it; explain.c tells who asks for such a UE.  A
 * table of fixed size, in which a later UE and reason take the place of earlier
 * ones now and then. */

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

struct drop {
    struct in6_addr ue;         /* Its key: addr_ue_key(). */
    const char *reason;         /* A constant word; NULL: nothing is noted
                                 * here. */
    uint64_t n;                 /* Packets since it has this place. */
    long long int last;         /* ms. */
};

void drops_note(const struct in6_addr *ue, const char *reason,
                long long int now);

/* The first one of the UE with that key behind 'd' (NULL: of all); NULL if
 * there is none. */
const struct drop *drops_next(const struct in6_addr *ue,
                              const struct drop *d);

#endif /* trace/drops.h */
