/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What has been cleared lately: see cache_guard.h. */

#include <config.h>

#include "ovs/cache_guard.h"

#include <limits.h>
#include <stdint.h>

#include "base/recent.h"
#include "timeval.h"
#include "util.h"

#define CACHE_MS 200           /* The cache has followed, almost always. */
#define GUARD_MS 500            /* It has followed. */
#define CACHE_LIFE_MS 30000     /* Longer than an unused entry of the cache. */

struct key {
    struct in6_addr addr;
    uint32_t teid;
};

static struct recent cleared;

void
cache_guard_note(const struct in6_addr *addr, uint32_t teid)
{
    const struct key key = { *addr, teid };

    recent_note(&cleared, &key, time_msec());
}

static bool
was_cleared(const struct in6_addr *addr, uint32_t teid)
{
    const struct key key = { *addr, teid };

    return recent_when(&cleared, &key, time_msec()) != LLONG_MIN;
}

long long int
cache_guard_until(const struct in6_addr *addr, uint32_t teid)
{
    return time_msec() + (was_cleared(addr, teid) ? GUARD_MS : 0);
}

unsigned int
cache_guard_wait_ms(const struct in6_addr *addr, uint32_t teid)
{
    return was_cleared(addr, teid) ? CACHE_MS : 0;
}

void
cache_guard_init(void)
{
    recent_init(&cleared, sizeof(struct key), SIZE_MAX, CACHE_LIFE_MS);
}

void
cache_guard_destroy(void)
{
    recent_destroy(&cleared);
}
