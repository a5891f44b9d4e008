/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDP_ROUTED_H
#define TOF_XDP_ROUTED_H 1

/* What the eBPF programs need where there is a single adapter.
 *
 * Place in the flow: endpoint.c calls this.  Answers that tof_ue has built
 * are redirected into ENB_PORT, come in at FILTER_ENB_LINK and are forwarded
 * by the kernel, as anything else on S1-U: so they go by its routes and
 * neighbours, and through its firewall. */

#include <netinet/in.h>
#include <stdbool.h>

struct l2_header;
struct xdp;

/* Makes the links, or adopts them, and has tof_s1u know which frames are for
 * this host, 'adapter' being the only one.  Returns 0 or a positive errno
 * value with '*what' (malloc'd). */
int xdp_routed_plumb(const char *adapter, unsigned int mtu, struct xdp *,
                     char **what);
/* Is all of that as it was? */
bool xdp_routed_plumbed(void);

/* Header of answers to 'dst', whoever that is; false if there are two
 * adapters. */
bool xdp_routed_l2(const struct in6_addr *dst, struct l2_header *);

#endif /* xdp/routed.h */
