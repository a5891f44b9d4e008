/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which App serves which UEs: see buckets.h. */

#include <config.h>

#include "service/buckets.h"

#include <string.h>

#include "jhash.h"

/* The App with the highest number of those that were looked at. */
struct winner {
    size_t index;
    uint32_t number;
};

/* (jhash, as other hashes may be others in the next version.) */
static uint32_t
hash_app(const struct in6_addr *ip, uint32_t seed)
{
    uint32_t words[4];

    for (int i = 0; i < 4; i++) {
        words[i] = ntohl(ip->s6_addr32[i]);
    }
    return jhash_words(words, 4, seed);
}

/* The highest number that the App has for the bucket; it has a weight. */
static uint32_t
best_number(const struct bucket_app *app, uint32_t bucket, uint32_t seed)
{
    const uint32_t hash = hash_app(&app->ip, seed);
    uint32_t best = 0;

    for (uint32_t i = 0; i < app->weight; i++) {
        const uint32_t words[2] = { bucket, i };
        uint32_t number = jhash_words(words, 2, hash);

        best = number > best ? number : best;
    }
    return best;
}

/* Of two with one number it is the lower address: the order of the list says
 * nothing. */
static bool
is_better(const struct bucket_app apps[], size_t index, uint32_t number,
          const struct winner *w)
{
    return (number != w->number ? number > w->number
            : memcmp(&apps[index].ip, &apps[w->index].ip,
                     sizeof apps->ip) < 0);
}

bool
buckets_fill(const struct bucket_app *apps, size_t n, uint32_t seed,
             uint8_t owners[NAT_BUCKETS])
{
    struct winner winners[NAT_BUCKETS];
    bool found = false;

    for (size_t i = 0; i < n; i++) {
        if (!apps[i].usable || !apps[i].weight) {
            continue;
        }
        for (uint32_t bucket = 0; bucket < NAT_BUCKETS; bucket++) {
            uint32_t number = best_number(&apps[i], bucket, seed);

            if (!found || is_better(apps, i, number, &winners[bucket])) {
                winners[bucket] = (struct winner) { i, number };
            }
        }
        found = true;
    }
    for (size_t i = 0; found && i < NAT_BUCKETS; i++) {
        owners[i] = winners[i].index;
    }
    return found;
}
