/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDP_TABLE_SERVICES_H
#define TOF_XDP_TABLE_SERVICES_H 1

/* The eBPF programs' table of services: see table.h. */

#include <stdbool.h>
#include <stdint.h>

#include "xdp/table_maps.h"

/* Puts a service in, or changes its chain.  Returns 0 or ENOSPC. */
int xdp_table_service_set(struct xdp_table *, const struct in6_addr *ip,
                          enum xdp_chain);
/* The same, but uplink packets to it are passed on to the filter. */
int xdp_table_service_bypass(struct xdp_table *, const struct in6_addr *ip,
                             enum xdp_chain);
/* Is it there, or is there room for it? */
bool xdp_table_service_fits(struct xdp_table *, const struct in6_addr *ip);
void xdp_table_service_clear(struct xdp_table *, const struct in6_addr *ip);
/* XDP_NOWHERE if it is none. */
uint32_t xdp_table_service_find(const struct xdp_table *,
                                const struct in6_addr *ip);

/* Heartbeats come through br-tof: packets of services with a chain are sent
 * there. */
bool xdp_table_switch_lives(const struct xdp_table *);

#endif /* xdp/table_services.h */
