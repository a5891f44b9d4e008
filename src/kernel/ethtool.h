/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_ETHTOOL_H
#define TOF_ETHTOOL_H 1

/* Offloads of network interfaces.  All functions return 0 or a positive errno
 * value. */

#include <stddef.h>

/* `ethtool -K LINK tx off`, `txvlan off`, `rxvlan off`, `tso off`, `gro off`,
 * as bits. */
enum {
    OFFLOAD_TX_CSUM = 1 << 0,
    OFFLOAD_TX_VLAN = 1 << 1,
    OFFLOAD_RX_VLAN = 1 << 2,
    OFFLOAD_TSO = 1 << 3,
    OFFLOAD_GRO = 1 << 4,
};
int ethtool_offload_off(int netns_fd, const char *link, unsigned int which);

/* `ethtool -K LINK gro on`: a veth whose peer sends by XDP needs it. */
int ethtool_gro_on(int netns_fd, const char *link);

/* The first of the 'n' features, by the names that the kernel has for them,
 * that is on; NULL if none is, or if that cannot be told. */
const char *ethtool_first_on(const char *link, const char *const *names,
                             size_t n);

#endif /* kernel/ethtool.h */
