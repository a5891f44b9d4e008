/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Services at the eBPF programs: see services.h.
 *
 * A service without a chain is in the table while it is diverted or bypassed.
 * One with a chain is there from the first, as XDP_CHAIN_OFF while it is not
 * diverted: what the App sends must not get past its chain. */

#include <config.h>

#include "xdp/services.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/service_spec.h"
#include "gtp/endpoint.h"
#include "hash.h"
#include "openvswitch/hmap.h"
#include "util.h"
#include "xdp/chain.h"
#include "xdp/load.h"
#include "xdp/table.h"
#include "xdp/table_services.h"

struct xdp_svc {
    struct hmap_node node;              /* In services, by service IP. */
    struct in6_addr ip;
    bool chain;
};

#define POLL_BUDGET 1024

static struct hmap services;            /* What there should be. */
static struct hmap_position polled;     /* Whose counters have been read. */
static struct xdp *xdp;
static struct xdp_table *table;         /* Of 'xdp'. */
static const struct endpoint_events *events;

void
xdp_svc_init(struct xdp *xdp_, const struct endpoint_events *events_)
{
    hmap_init(&services);
    xdp = xdp_;
    table = xdp_table(xdp);
    events = events_;
}

void
xdp_svc_destroy(void)
{
    struct xdp_svc *s;

    HMAP_FOR_EACH_POP (s, node, &services) {
        free(s);
    }
    hmap_destroy(&services);
}

static struct xdp_svc *
find(const struct in6_addr *ip)
{
    struct xdp_svc *s;

    HMAP_FOR_EACH_WITH_HASH (s, node, hash_bytes(ip, sizeof *ip, 0),
                             &services) {
        if (IN6_ARE_ADDR_EQUAL(&s->ip, ip)) {
            return s;
        }
    }
    return NULL;
}

void
xdp_svc_sweep(void)
{
    for (uint32_t i = 0; i < XDP_SERVICE_PLACES; i++) {
        const struct xdp_service *s = &table->services[i];
        struct in6_addr ip;

        memcpy(&ip, s->addr, sizeof ip);
        if (s->used && !find(&ip)) {
            xdp_table_service_clear(table, &ip);
        }
    }
}

static bool
is_in_table(const struct in6_addr *ip)
{
    return xdp_table_service_find(table, ip) != XDP_NOWHERE;
}

/* As the table has it; XDP_CHAIN_NONE if it is not there. */
static enum xdp_chain
chain_in_table(const struct in6_addr *ip)
{
    uint32_t index = xdp_table_service_find(table, ip);

    return (index == XDP_NOWHERE ? XDP_CHAIN_NONE
            : (enum xdp_chain) table->services[index].chain);
}

static int
put(const struct in6_addr *ip, enum xdp_chain chain, bool bypassed)
{
    bool there = is_in_table(ip);
    int error = (bypassed ? xdp_table_service_bypass(table, ip, chain)
                 : xdp_table_service_set(table, ip, chain));

    if (!error && !there) {
        uint32_t index = xdp_table_service_find(table, ip);

        xdp_clear_service_stats(xdp, table->services[index].stats);
    }
    return error;
}

int
xdp_svc_set(const struct service_spec *spec)
{
    const struct in6_addr *ip = &spec->service_ip;
    struct xdp_svc *s = find(ip);
    int error = 0;

    if (spec->n_chain) {
        error = xdp_chain_set(spec);
        /* What is diverted already stays so, with a chain or without. */
        if (!error && !is_in_table(ip)) {
            error = put(ip, XDP_CHAIN_OFF, false);
        }
    }
    if (!error && !s) {
        s = xmalloc(sizeof *s);
        s->ip = *ip;
        hmap_insert(&services, &s->node, hash_bytes(ip, sizeof *ip, 0));
    }
    if (!error) {
        s->chain = spec->n_chain;
    }
    return error;
}

void
xdp_svc_clear(const struct in6_addr *ip)
{
    struct xdp_svc *s = find(ip);

    xdp_chain_clear(ip);
    if (s) {
        xdp_table_service_clear(table, ip);
        hmap_remove(&services, &s->node);
        free(s);
    }
}

bool
xdp_svc_possible(const struct service_spec *spec, const char **why)
{
    bool in_force = chain_in_table(&spec->service_ip) == XDP_CHAIN_ON;

    if (!xdp_table_service_fits(table, &spec->service_ip)) {
        *why = "there is no room for more services";
        return false;
    }
    *why = NULL;
    return !spec->n_chain || xdp_chain_possible(spec, in_force, why);
}

bool
xdp_svc_ready(const struct in6_addr *ip)
{
    const struct xdp_svc *s = find(ip);

    return s && (!s->chain || xdp_chain_ready(ip));
}

int
xdp_svc_divert(const struct in6_addr *ip, enum endpoint_service how)
{
    const struct xdp_svc *s = find(ip);
    bool chain = s && s->chain, on = how != ENDPOINT_SWITCHES;
    int error = 0;

    if (on || chain) {
        error = put(ip, (!chain ? XDP_CHAIN_NONE
                         : on ? XDP_CHAIN_ON : XDP_CHAIN_OFF),
                    how == ENDPOINT_BYPASSES);
    } else {
        xdp_table_service_clear(table, ip);
    }
    if (!chain) {
        xdp_chain_clear(ip);    /* It may have had one until now. */
    }
    return error;
}

int
xdp_svc_way(const struct in6_addr *ip, bool *chain)
{
    enum xdp_chain how = chain_in_table(ip);

    *chain = how != XDP_CHAIN_NONE;
    return (!*chain || (how == XDP_CHAIN_ON && xdp_table_switch_lives(table))
            ? 0 : EAGAIN);
}

static void
read_counters(const struct xdp_svc *svc)
{
    uint32_t index = xdp_table_service_find(table, &svc->ip);
    struct xdp_service_stats s;

    if (index != XDP_NOWHERE
        && !xdp_read_service_stats(xdp, table->services[index].stats, &s)) {
        events->service_counters(&svc->ip, ENDPOINT_UP, s.up_packets,
                                 s.up_bytes);
        events->service_counters(&svc->ip, ENDPOINT_DOWN, s.down_packets,
                                 s.down_bytes);
    }
}

/* Each takes a system call: so only some of them in a turn. */
void
xdp_svc_poll_counters(void)
{
    for (int i = 0; i < POLL_BUDGET; i++) {
        struct hmap_node *node = hmap_at_position(&services, &polled);

        if (!node) {
            break;
        }
        read_counters(CONTAINER_OF(node, struct xdp_svc, node));
    }
}
