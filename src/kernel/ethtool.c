/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Offloads of network interfaces, switched off (and GRO on).
 *
 * Place in the flow: whoever makes a veth for packets that leave or enter
 * tunnels calls this right after, since such packets must carry finished
 * checksums, and (XDP) their VLAN tag in the packet.  The old ioctls do what
 * `ethtool -K` does with the same words: they stand for groups of features
 * whose names differ among drivers. */

#define _GNU_SOURCE 1

#include "kernel/ethtool.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "kernel/netns.h"

struct offload {
    const char *link;
    unsigned int which;
};

static int
ethtool_value(int sock, const char *link, uint32_t cmd, uint32_t *data)
{
    struct ethtool_value value = { .cmd = cmd, .data = *data };
    struct ifreq ifr = { .ifr_data = (void *) &value };

    memcpy(ifr.ifr_name, link, strlen(link) + 1);
    if (ioctl(sock, SIOCETHTOOL, &ifr)) {
        return errno;
    }
    *data = value.data;
    return 0;
}

static int
offload_off(int sock, const struct offload *o)
{
    uint32_t vlan = ((o->which & OFFLOAD_TX_VLAN ? ETH_FLAG_TXVLAN : 0)
                     | (o->which & OFFLOAD_RX_VLAN ? ETH_FLAG_RXVLAN : 0));
    uint32_t off = 0, flags = 0;
    int error = 0;

    if (o->which & OFFLOAD_TSO) {
        error = ethtool_value(sock, o->link, ETHTOOL_STSO, &off);
    }
    if (!error && o->which & OFFLOAD_TX_CSUM) {
        error = ethtool_value(sock, o->link, ETHTOOL_STXCSUM, &off);
    }
    if (!error && o->which & OFFLOAD_GRO) {
        error = ethtool_value(sock, o->link, ETHTOOL_SGRO, &off);
    }
    if (!error && vlan) {
        error = ethtool_value(sock, o->link, ETHTOOL_GFLAGS, &flags);
        if (!error && flags & vlan) {
            flags &= ~vlan;
            error = ethtool_value(sock, o->link, ETHTOOL_SFLAGS, &flags);
        }
    }
    return error;
}

static int
open_and_switch_off(void *o)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error;

    if (sock < 0) {
        return errno;
    }
    error = offload_off(sock, o);
    close(sock);
    return error;
}

static int
open_and_switch_gro_on(void *link)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint32_t on = 1;
    int error;

    if (sock < 0) {
        return errno;
    }
    error = ethtool_value(sock, link, ETHTOOL_SGRO, &on);
    close(sock);
    return error;
}

int
ethtool_gro_on(int netns_fd, const char *link)
{
    char name[IFNAMSIZ];

    if (strlen(link) >= sizeof name) {
        return ENODEV;
    }
    strcpy(name, link);
    return netns_call(netns_fd, open_and_switch_gro_on, name);
}

int
ethtool_offload_off(int netns_fd, const char *link, unsigned int which)
{
    struct offload o = { .link = link, .which = which };

    if (strlen(link) >= IFNAMSIZ) {
        return ENODEV;
    }
    return netns_call(netns_fd, open_and_switch_off, &o);
}
