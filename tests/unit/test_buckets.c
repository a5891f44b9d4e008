/* SPDX-License-Identifier: GPL-3.0-or-later */

/* buckets.h: who serves which UEs, whatever happens to the others. */

#include <config.h>

#include "service/buckets.h"

#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "tap.h"

#define N_SEEDS 200
#define N_APPS 5

static struct bucket_app apps[N_APPS];

/* All of weight 1, and there. */
static void
make_apps(void)
{
    for (size_t i = 0; i < N_APPS; i++) {
        apps[i] = (struct bucket_app) {
            .ip = ip("192.168.100.10"), .weight = 1, .usable = true,
        };
        apps[i].ip.s6_addr[15] += i;
    }
}

static void
test_nobody(void)
{
    uint8_t owners[NAT_BUCKETS] = { 77 };

    make_apps();
    tap_ok(!buckets_fill(apps, 0, 0, owners), "no App has no bucket");
    apps[0].weight = 0;
    apps[1].usable = false;
    tap_ok(!buckets_fill(apps, 2, 0, owners) && owners[0] == 77,
           "nor have Apps that take no connections");
}

static void
test_order(void)
{
    struct bucket_app reversed[N_APPS];
    uint8_t owners[NAT_BUCKETS], others[NAT_BUCKETS];
    bool same = true;

    make_apps();
    apps[2].weight = 7;
    for (size_t i = 0; i < N_APPS; i++) {
        reversed[i] = apps[N_APPS - 1 - i];
    }
    for (uint32_t seed = 0; seed < N_SEEDS; seed++) {
        buckets_fill(apps, N_APPS, seed, owners);
        buckets_fill(reversed, N_APPS, seed, others);
        for (int i = 0; i < NAT_BUCKETS; i++) {
            same &= owners[i] == N_APPS - 1 - others[i];
        }
    }
    tap_ok(same, "the order of the list says nothing");
}

/* How many buckets differ, other than from or to the App 'free'. */
static unsigned int
count_moved(const uint8_t a[NAT_BUCKETS], const uint8_t b[NAT_BUCKETS],
            uint8_t free)
{
    unsigned int n = 0;

    for (int i = 0; i < NAT_BUCKETS; i++) {
        n += a[i] != b[i] && a[i] != free && b[i] != free;
    }
    return n;
}

static bool
has_any(const uint8_t owners[NAT_BUCKETS], uint8_t app)
{
    return memchr(owners, app, NAT_BUCKETS);
}

/* One goes, in one of two ways, and comes back. */
static void
test_end(void)
{
    uint8_t before[NAT_BUCKETS], after[NAT_BUCKETS], back[NAT_BUCKETS];
    bool moved = false, has = false, had = true, same = true;

    for (uint32_t seed = 0; seed < N_SEEDS; seed++) {
        const uint8_t gone = seed % N_APPS;

        make_apps();
        buckets_fill(apps, N_APPS, seed, before);
        if (seed & 1) {
            apps[gone].usable = false;
        } else {
            apps[gone].weight = 0;
        }
        buckets_fill(apps, N_APPS, seed, after);
        make_apps();
        buckets_fill(apps, N_APPS, seed, back);
        had &= has_any(before, gone);
        has |= has_any(after, gone);
        moved |= count_moved(before, after, gone);
        same &= !memcmp(before, back, sizeof back);
    }
    tap_ok(had && !has, "who has gone, or is drained, has no bucket");
    tap_ok(!moved, "all others keep theirs");
    tap_ok(same, "who is back has the same ones");
}

static void
test_weights(void)
{
    static const unsigned int weights[N_APPS] = { 1, 2, 3, 4, 10 };
    unsigned int counts[N_APPS] = { 0 }, sum = 0;
    uint8_t owners[NAT_BUCKETS];

    make_apps();
    for (size_t i = 0; i < N_APPS; i++) {
        apps[i].weight = weights[i];
        sum += weights[i];
    }
    for (uint32_t seed = 0; seed < N_SEEDS; seed++) {
        buckets_fill(apps, N_APPS, seed, owners);
        for (int i = 0; i < NAT_BUCKETS; i++) {
            counts[owners[i]]++;
        }
    }
    for (size_t i = 0; i < N_APPS; i++) {
        double share = (double) counts[i] / (N_SEEDS * NAT_BUCKETS);
        double due = (double) weights[i] / sum;

        tap_ok(share > due - 0.01 && share < due + 0.01,
               "of weight %u: %.2f %%, %.2f %% are due", weights[i],
               share * 100, due * 100);
    }
}

static void
test_growth(void)
{
    uint8_t before[NAT_BUCKETS], after[NAT_BUCKETS];
    bool moved = false, lost = false;

    for (uint32_t seed = 0; seed < N_SEEDS; seed++) {
        make_apps();
        apps[1].weight = 3;
        buckets_fill(apps, N_APPS, seed, before);
        apps[1].weight = 4;
        buckets_fill(apps, N_APPS, seed, after);
        moved |= count_moved(before, after, 1);
        for (int i = 0; i < NAT_BUCKETS; i++) {
            lost |= before[i] == 1 && after[i] != 1;
        }
    }
    tap_ok(!moved && !lost, "who gets more weight takes, and loses none");
}

/* A fleet has TOFs of several versions. */
static void
test_known(void)
{
    static const uint8_t known[] = {
        1, 2, 0, 1, 2, 1, 3, 4, 3, 4, 0, 3, 1, 4, 4, 2,
    };
    static const struct {
        const char *ue;
        unsigned int bucket;
    } ues[] = {
        { "10.45.0.2", 89 }, { "10.45.0.3", 117 },
        { "2001:db8:45::2", 141 }, { "2001:db8:46::2", 148 },
    };
    uint8_t owners[NAT_BUCKETS];

    make_apps();
    buckets_fill(apps, N_APPS, BUCKETS_SEED, owners);
    if (!tap_ok(!memcmp(owners, known, sizeof known),
                "buckets are filled as ever")) {
        for (size_t i = 0; i < sizeof known; i++) {
            tap_diag("%u", owners[i]);
        }
    }
    for (size_t i = 0; i < sizeof ues / sizeof *ues; i++) {
        const struct in6_addr ue = ip(ues[i].ue);

        tap_ok(nat_bucket(&ue) == ues[i].bucket, "%s is in bucket %u",
               ues[i].ue, nat_bucket(&ue));
    }
}

/* UEs of a network, one after the other, as a core gives addresses out. */
static void
test_ues(void)
{
    const struct in6_addr first[] = { ip("10.45.0.0"), ip("2001:db8::1") };

    for (int family = 0; family < 2; family++) {
        unsigned int counts[NAT_BUCKETS] = { 0 }, least = 10000, most = 0;

        for (unsigned int i = 0; i < 100 * NAT_BUCKETS; i++) {
            struct in6_addr ue = first[family];
            int last = family ? 7 : 15;

            ue.s6_addr[last] = i;
            ue.s6_addr[last - 1] = i >> 8;
            counts[nat_bucket(&ue)]++;
        }
        for (int i = 0; i < NAT_BUCKETS; i++) {
            least = counts[i] < least ? counts[i] : least;
            most = counts[i] > most ? counts[i] : most;
        }
        tap_ok(least > 50 && most < 150, "IPv%d: %u to %u UEs in a bucket",
               family ? 6 : 4, least, most);
    }

    const struct in6_addr a = ip("2001:db8::1"), b = ip("2001:db8::ffff:2");
    tap_ok(nat_bucket(&a) == nat_bucket(&b),
           "the addresses of a UE's prefix are one UE");
}

int
main(void)
{
    test_nobody();
    test_order();
    test_end();
    test_weights();
    test_growth();
    test_known();
    test_ues();
    return tap_done();
}
