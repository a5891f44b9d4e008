/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Services in the eBPF programs' tables, and the heartbeat of the switch that
 * chains lead through: see table.h.
 *
 * Open addressing; a service's word 'used' is written last and cleared first,
 * and 'chain' changes in place.  There are many more places than services, and
 * so where one is counted, which costs memory for each processor, has a number
 * of its own. */

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
        uint32_t index = (xdp_service_hash(addr) + i) % XDP_SERVICE_PLACES;
        const struct xdp_service *s = &t->services[index];
        if (s->used && same(s->addr, addr)) {
            return index;
        }
    }
    return XDP_NOWHERE;
}

static void
take_count(struct xdp_table *t, uint32_t stats, bool taken)
{
    uint64_t bit = UINT64_C(1) << stats % 64;

    if (taken) {
        t->counts[stats / 64] |= bit;
    } else {
        t->counts[stats / 64] &= ~bit;
    }
}

/* One that no service has; XDP_NOWHERE if there is none. */
static uint32_t
free_count(struct xdp_table *t)
{
    for (uint32_t i = 0; !t->counts_known && i < XDP_SERVICE_PLACES; i++) {
        if (t->services[i].used) {
            take_count(t, t->services[i].stats, true);
        }
    }
    t->counts_known = true;
    for (uint32_t i = 0; i < XDP_SERVICES / 64; i++) {
        if (~t->counts[i]) {
            return i * 64 + __builtin_ctzll(~t->counts[i]);
        }
    }
    return XDP_NOWHERE;
}

static struct xdp_service *
free_place(const struct xdp_table *t, const __u64 addr[2])
{
    for (uint32_t i = 0; i < XDP_SERVICE_PROBES; i++) {
        struct xdp_service *s =
            &t->services[(xdp_service_hash(addr) + i) % XDP_SERVICE_PLACES];
        if (!s->used) {
            return s;
        }
    }
    return NULL;
}

bool
xdp_table_service_fits(struct xdp_table *t, const struct in6_addr *ip)
{
    __u64 addr[2];

    xdp_addr(addr, ip);
    return (xdp_table_service_find(t, ip) != XDP_NOWHERE
            || (free_place(t, addr) && free_count(t) != XDP_NOWHERE));
}

static int
put(struct xdp_table *t, const struct in6_addr *ip, enum xdp_chain chain,
    bool bypassed)
{
    uint32_t index = xdp_table_service_find(t, ip);
    struct xdp_service *s;
    uint32_t bit, stats;
    __u64 addr[2];

    if (index != XDP_NOWHERE) {
        STORE(t->services[index].chain, chain);
        STORE(t->services[index].bypassed, bypassed);
        return 0;
    }
    xdp_addr(addr, ip);
    s = free_place(t, addr);
    stats = free_count(t);
    if (!s || stats == XDP_NOWHERE) {
        return ENOSPC;
    }
    take_count(t, stats, true);
    memcpy(s->addr, addr, sizeof addr);
    s->chain = chain;
    s->stats = stats;
    s->bypassed = bypassed;
    STORE(s->used, 1);
    bit = xdp_service_hash(addr) % XDP_SERVICE_PLACES;
    __atomic_fetch_or(&t->config->service_bits[bit / 64], 1ull << bit % 64,
                      __ATOMIC_RELEASE);
    return 0;
}

int
xdp_table_service_set(struct xdp_table *t, const struct in6_addr *ip,
                      enum xdp_chain chain)
{
    return put(t, ip, chain, false);
}

int
xdp_table_service_bypass(struct xdp_table *t, const struct in6_addr *ip,
                         enum xdp_chain chain)
{
    return put(t, ip, chain, true);
}

/* The bit may be another service's, too, which then is in the same row. */
static void
clear_bit(struct xdp_table *t, uint32_t bit)
{
    for (uint32_t i = 0; i < XDP_SERVICE_PROBES; i++) {
        const struct xdp_service *s =
            &t->services[(bit + i) % XDP_SERVICE_PLACES];
        if (s->used
            && xdp_service_hash(s->addr) % XDP_SERVICE_PLACES == bit) {
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
        take_count(t, s->stats, false);
        clear_bit(t, xdp_service_hash(s->addr) % XDP_SERVICE_PLACES);
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
