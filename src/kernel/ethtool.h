/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_ETHTOOL_H
#define TOF_ETHTOOL_H 1

/* Offloads of network interfaces.  All functions return 0 or a positive errno
 * value. */

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

#endif /* kernel/ethtool.h */
