/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_NETDEV_H
#define TOF_NETDEV_H 1

/* What a network interface can do for XDP.  All functions return 0 or a
 * positive errno value. */

#include <stdbool.h>

/* Whether packets can be redirected to the interface by its driver, by what
 * the kernel tells, or where it does not (before Linux 6.3) by trying it with
 * one frame: once, or for a veth every 10 seconds at most, as its peer may
 * change.  '*can' is false if an error is returned; ENETDOWN means that
 * without carrier this cannot be found out. */
int netdev_can_xdp_xmit(int ifindex, bool *can);
/* Trying only. */
int netdev_try_xdp_xmit(int ifindex, bool *can);

#endif /* kernel/netdev.h */
