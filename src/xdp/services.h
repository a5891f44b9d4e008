/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDP_SVC_H
#define TOF_XDP_SVC_H 1

/* Services at the eBPF programs.
 *
 * Place in the flow: endpoint.c, whose calls these are (see endpoint.h);
 * table_services.c writes the table; chain.c does what chains need. */

#include <netinet/in.h>
#include <stdbool.h>

#include "gtp/endpoint.h"

struct service_spec;
struct xdp;

void xdp_svc_init(struct xdp *, const struct endpoint_events *);
void xdp_svc_destroy(void);

/* All services are known: others are taken out of the table. */
void xdp_svc_sweep(void);

int xdp_svc_set(const struct service_spec *);
void xdp_svc_clear(const struct in6_addr *ip);
bool xdp_svc_possible(const struct service_spec *, const char **why);
bool xdp_svc_ready(const struct in6_addr *ip);
int xdp_svc_divert(const struct in6_addr *ip, enum endpoint_service);

/* Where a packet to 'ip' goes: '*chain' is by way of a chain.  EAGAIN if that
 * is not there now. */
int xdp_svc_way(const struct in6_addr *ip, bool *chain);

void xdp_svc_poll_counters(void);

#endif /* xdp/services.h */
