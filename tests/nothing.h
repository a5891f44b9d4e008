/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_TESTS_NOTHING_H
#define TOF_TESTS_NOTHING_H 1

/* Stand-ins for who would be told something, or would have something to
 * tell. */

#include <limits.h>

#include "filter/l2.h"
#include "gtp/endpoint.h"
#include "util.h"

/* An l2_changed_cb, or a path_changed() of an endpoint. */
static inline void
nothing_changed(enum filter_side from OVS_UNUSED,
                const struct in6_addr *src OVS_UNUSED,
                const struct in6_addr *dst OVS_UNUSED,
                const struct l2_header *l2 OVS_UNUSED)
{
}

/* A bearer_look() and a bearer_left() of an endpoint. */
static inline void
nothing_to_see(const struct endpoint_bearer *b OVS_UNUSED,
               struct endpoint_look *look)
{
    *look = (struct endpoint_look) { .seen = LLONG_MIN };
}

static inline const char *
nothing_left(const struct endpoint_bearer *b OVS_UNUSED)
{
    return NULL;
}

#endif /* tests/nothing.h */
