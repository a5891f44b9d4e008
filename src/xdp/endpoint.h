/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDP_ENDPOINT_H
#define TOF_XDP_ENDPOINT_H 1

/* GTP Tunnel Endpoints as eBPF programs in the kernel: see gtp/endpoint.h. */

#include "gtp/endpoint.h"

extern const struct endpoint_class endpoint_xdp;

/* Loads the eBPF programs, so that endpoint_xdp can be used.  Returns 0 or a
 * positive errno value with '*why' (malloc'd). */
int endpoint_xdp_load(const struct conf *, char **why);
/* Takes away what an endpoint_xdp has left in this network namespace. */
void endpoint_xdp_remove(void);

#endif /* xdp/endpoint.h */
