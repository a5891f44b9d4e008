/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_NFTTEST_H
#define TOF_NFTTEST_H 1

/* The tables and sets of test_nft.c, and what it asks of them.  Included by
 * one file a program. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/nft.h"
#include "kernel/rtnl.h"
#include "nettest.h"
#include "../unit/tap.h"

#define R(N) (NFT_REG32_00 + (N))

static const struct nft_table netdev = { NFPROTO_NETDEV, "tof" };
static const struct nft_table inet = { NFPROTO_INET, "tof" };
static const struct nft_set
    seen = { .name = "seen", .key_len = 4, .key_type = 7, .timeouts = true,
             .dynamic = true, .size = 65536 },
    macs = { .name = "macs", .key_len = 8, .key_type = 7 << 6 | 7,
             .data_len = 6, .data_type = 9, .timeouts = true, .dynamic = true,
             .timeout_ms = 3600000, .size = 1024 },
    ways = { .name = "ways", .key_len = 4, .key_type = 7,
             .verdict_map = true },
    fixed = { .name = "fixed", .key_len = 4, .key_type = 7,
              .constant = true },
    plain = { .name = "plain", .key_len = 12 },
    six = { .name = "six", .key_len = 36 },
    map4 = { .name = "map4", .key_len = 4, .key_type = 7, .data_len = 4,
             .data_type = 7 };

static struct rtnl *rtnl;
static struct nft *nft;

static long long int
now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void
listed(const char *text)
{
    char *s = output_of("nft list ruleset");
    bool found = strstr(s, text);

    tap_ok(found, "nft lists: %s", text);
    if (!found) {
        tap_diag("but:\n%s", s);
    }
    free(s);
}

static int
commit(struct nft_batch *b)
{
    char *what;
    int error = nft_commit(b, &what);

    if (error) {
        tap_diag("%s: %s", what ? what : "?", strerror(error));
    }
    free(what);
    return error;
}

/* Expects 'error', blamed on something that contains 'blamed'. */
static void
refused(struct nft_batch *b, int error, const char *blamed, const char *name)
{
    char *what = NULL;
    int got = nft_commit(b, &what);

    tap_ok(got == error && what && strstr(what, blamed),
           "%s: %s: %s", name, what ? what : "(null)", strerror(got));
    free(what);
}

static uint32_t
ip(unsigned int n)
{
    return htonl(0x0a000000 + n);
}

static bool
has(const struct nft_set *set, uint32_t key)
{
    return !nft_elem_get(nft, &netdev, set, &key, NULL, NULL);
}

static void
count_cb(const void *key, const void *data, uint64_t expires, void *n)
{
    (void) key;
    (void) data;
    (void) expires;
    ++*(unsigned int *) n;
}

static unsigned int
count(const struct nft_table *table, const struct nft_set *set)
{
    unsigned int n = 0;

    return nft_elem_dump(nft, table, set, count_cb, &n) ? ~0u : n;
}

#endif /* nfttest.h */
