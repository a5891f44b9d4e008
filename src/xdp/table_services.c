/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Services in the eBPF programs' tables, and the heartbeat of the switch that
 * chains lead through: see table.h.
 *
 * Open addressing; a service's word 'used' is written last and cleared first,
 * and 'chain' changes in place. */

#include "xdp/table_services.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define STORE(X, VALUE) __atomic_store_n(&(X), VALUE, __ATOMIC_RELEASE)
#define LOAD(X) __atomic_load_n(&(X), __ATOMIC_ACQUIRE)

static bool
same(const __u64 a[2], const __u64 b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

uint32_t
xdp_table_service_find(const struct xdp_table *t, const struct in6_addr *ip)
{
    __u64 addr[2];

    xdp_addr(addr, ip);
    for (uint32_t i = 0; i < XDP_SERVICE_PROBES; i++) {
        uint32_t index = (xdp_service_hash(addr) + i) % XDP_SERVICES;
        const struct xdp_service *s = &t->services[index];
        if (s->used && same(s->addr, addr)) {
            return index;
        }
    }
    return XDP_NOWHERE;
}

int
xdp_table_service_set(struct xdp_table *t, const struct in6_addr *ip,
                      enum xdp_chain chain)
{
    uint32_t index = xdp_table_service_find(t, ip);
    __u64 addr[2];
    uint32_t hash;

    xdp_addr(addr, ip);
    hash = xdp_service_hash(addr);
    if (index != XDP_NOWHERE) {
        STORE(t->services[index].chain, chain);
        return 0;
    }
    for (uint32_t i = 0; i < XDP_SERVICE_PROBES; i++) {
        struct xdp_service *s = &t->services[(hash + i) % XDP_SERVICES];
        if (!s->used) {
            uint32_t bit = hash % XDP_SERVICE_BITS;

            memcpy(s->addr, addr, sizeof addr);
            s->chain = chain;
            STORE(s->used, 1);
            __atomic_fetch_or(&t->config->service_bits[bit / 64],
                              1ull << bit % 64, __ATOMIC_RELEASE);
            return 0;
        }
    }
    return ENOSPC;
}

/* The bit may be another service's, too. */
static void
clear_bit(struct xdp_table *t, uint32_t bit)
{
    for (uint32_t i = 0; i < XDP_SERVICES; i++) {
        const struct xdp_service *s = &t->services[i];
        if (s->used && xdp_service_hash(s->addr) % XDP_SERVICE_BITS == bit) {
            return;
        }
    }
    __atomic_fetch_and(&t->config->service_bits[bit / 64],
                       ~(1ull << bit % 64), __ATOMIC_RELEASE);
}

void
xdp_table_service_clear(struct xdp_table *t, const struct in6_addr *ip)
{
    uint32_t index = xdp_table_service_find(t, ip);

    if (index != XDP_NOWHERE) {
        struct xdp_service *s = &t->services[index];

        STORE(s->used, 0);
        clear_bit(t, xdp_service_hash(s->addr) % XDP_SERVICE_BITS);
    }
}

bool
xdp_table_switch_lives(const struct xdp_table *t)
{
    uint64_t last = LOAD(t->config->heartbeat);
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (int64_t) (ts.tv_sec * 1000000000ull + ts.tv_nsec - last)
           < XDP_LIVE_NS;
}
