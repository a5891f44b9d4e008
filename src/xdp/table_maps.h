/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDP_TABLE_MAPS_H
#define TOF_XDP_TABLE_MAPS_H 1

/* The eBPF programs' tables in memory: what table.c, table_path.c and
 * table_services.c write. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "xdp/layout.h"

struct xdp_table {
    struct xdp_bucket *buckets;         /* config->n_buckets */
    struct xdp_template *templates;     /* config->n_templates */
    struct xdp_path *paths;             /* XDP_PATHS */
    struct xdp_service *services;       /* XDP_SERVICE_PLACES */
    struct xdp_config *config;

    /* Of table_services.c: which of the XDP_SERVICES counts are somebody's,
     * once it has looked. */
    bool counts_known;
    uint64_t counts[XDP_SERVICES / 64];
};

#define XDP_NOWHERE UINT32_MAX

/* An address as it is in the tables. */
static inline void
xdp_addr(__u64 dst[2], const struct in6_addr *addr)
{
    memcpy(dst, addr, sizeof *addr);
}

#endif /* xdp/table_maps.h */
