/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Bits of connections that stay on the normal way: see table_stay.h. */

#include "xdp/table_stay.h"

#include <stdint.h>
#include <string.h>

#include "gtp/flow.h"
#include "xdp/table_maps.h"

#define STORE(X, VALUE) __atomic_store_n(&(X), VALUE, __ATOMIC_RELEASE)
#define N_WORDS (XDP_STAY_BITS / 64)

static uint32_t
bit_of(const struct flow *f)
{
    __u64 src[2], dst[2];
    uint32_t ports;

    xdp_addr(src, &f->src);
    xdp_addr(dst, &f->dst);
    memcpy(&ports, f->ports, sizeof ports);
    return xdp_stay_hash(f->teid, src, dst, ports) % XDP_STAY_BITS;
}

void
xdp_table_stay(struct xdp_table *t, const struct flow *f)
{
    uint32_t bit = bit_of(f);
    __u64 *word = &t->config->stay_bits[bit / 64];

    STORE(*word, *word | (__u64) 1 << bit % 64);
    STORE(t->config->stays, 1);
}

void
xdp_table_stay_all(struct xdp_table *t, const struct flow *flows, size_t n)
{
    static __u64 words[N_WORDS];

    memset(words, 0, sizeof words);
    for (size_t i = 0; i < n; i++) {
        uint32_t bit = bit_of(&flows[i]);
        words[bit / 64] |= (__u64) 1 << bit % 64;
    }
    for (size_t i = 0; i < N_WORDS; i++) {
        STORE(t->config->stay_bits[i], words[i]);
    }
    STORE(t->config->stays, n > 0);
}
