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

/* Features, which are told by numbers that only the kernel knows, and names. */

#define FEATURES_MAX 256        /* Linux 6.18 has 66. */

/* A link's features: which are on, by number. */
static int
get_features(int sock, const char *link, uint32_t on[FEATURES_MAX / 32])
{
    struct {
        struct ethtool_gfeatures head;
        struct ethtool_get_features_block blocks[FEATURES_MAX / 32];
    } get = { .head = { .cmd = ETHTOOL_GFEATURES,
                        .size = FEATURES_MAX / 32 } };
    struct ifreq ifr = { .ifr_data = (void *) &get };

    strncpy(ifr.ifr_name, link, sizeof ifr.ifr_name - 1);
    if (ioctl(sock, SIOCETHTOOL, &ifr)) {
        return errno;
    }
    for (size_t i = 0; i < FEATURES_MAX / 32; i++) {
        on[i] = i < get.head.size ? get.blocks[i].active : 0;
    }
    return 0;
}

/* Their names, which are the same for all links.  NULL if they cannot be
 * told. */
static const struct ethtool_gstrings *
feature_names(int sock, const char *link)
{
    static union {
        struct ethtool_gstrings head;
        char room[sizeof(struct ethtool_gstrings)
                  + FEATURES_MAX * ETH_GSTRING_LEN];
    } names;
    struct {
        struct ethtool_sset_info head;
        uint32_t n;
    } count = { .head = { .cmd = ETHTOOL_GSSET_INFO,
                          .sset_mask = 1ull << ETH_SS_FEATURES } };
    struct ifreq ifr = { .ifr_data = (void *) &count };

    if (!names.head.len) {
        strncpy(ifr.ifr_name, link, sizeof ifr.ifr_name - 1);
        if (ioctl(sock, SIOCETHTOOL, &ifr) || !count.head.sset_mask
            || count.n > FEATURES_MAX) {
            return NULL;
        }
        names.head.cmd = ETHTOOL_GSTRINGS;
        names.head.string_set = ETH_SS_FEATURES;
        names.head.len = count.n;
        ifr.ifr_data = (void *) &names;
        if (ioctl(sock, SIOCETHTOOL, &ifr)) {
            names.head.len = 0;
            return NULL;
        }
    }
    return &names.head;
}

const char *
ethtool_first_on(const char *link, const char *const *names, size_t n)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct ethtool_gstrings *known = feature_names(sock, link);
    uint32_t on[FEATURES_MAX / 32];
    const char *found = NULL;

    if (known && !get_features(sock, link, on)) {
        for (uint32_t i = 0; i < known->len && !found; i++) {
            const char *name = (const char *) &known->data[i
                                                           * ETH_GSTRING_LEN];

            for (size_t j = 0; on[i / 32] >> i % 32 & 1 && j < n; j++) {
                if (!strncmp(name, names[j], ETH_GSTRING_LEN)) {
                    found = names[j];
                }
            }
        }
    }
    close(sock);
    return found;
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
