/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Veths of our own: see links.h. */

#include <config.h>

#include "filter/links.h"

#include <string.h>

#include "filter/filter.h"
#include "kernel/netns.h"
#include "kernel/rtnl.h"
#include "packets.h"
#include "util.h"

int
links_make(struct rtnl *rtnl, const char *link, const char *peer,
           unsigned int mtu, char **what)
{
    const char *ends[] = { link, peer };
    int error = rtnl_veth_ensure(rtnl, link, peer, -1, mtu);

    for (size_t i = 0; !error && i < ARRAY_SIZE(ends); i++) {
        sysctl_write(-1, "1", "net/ipv6/conf/%s/disable_ipv6", ends[i]);
        error = rtnl_link_set_up(rtnl, ends[i], true);
    }
    if (error) {
        *what = xasprintf("interface %s", link);
    }
    return error;
}

/* The source addresses of what comes in at 'link' belong beyond another
 * interface: rp_filter 2 is content with that if the link has an address, and
 * so it gets the dummy one of RFC 7600. */
static int
make_routed(struct rtnl *rtnl, const char *link, char **what)
{
    struct in6_addr dummy;
    int error;

    in6_addr_set_mapped_ipv4(&dummy, htonl(0xc0000008));
    sysctl_write(-1, "1", "net/ipv4/conf/%s/forwarding", link);
    sysctl_write(-1, "2", "net/ipv4/conf/%s/rp_filter", link);
    rtnl_link_no_addrgen(rtnl, link);
    sysctl_write(-1, "0", "net/ipv6/conf/%s/accept_ra", link);
    sysctl_write(-1, "0", "net/ipv6/conf/%s/disable_ipv6", link);
    sysctl_write(-1, "1", "net/ipv6/conf/%s/forwarding", link);
    sysctl_write(-1, "1", "net/ipv6/conf/%s/force_forwarding", link);
    error = rtnl_addr_ensure(rtnl, link, &dummy, 32);
    if (!error) {
        error = rtnl_link_set_up(rtnl, link, true);
    }
    if (error) {
        *what = xasprintf("address of %s", link);
    }
    return error;
}

int
links_make_both(struct rtnl *rtnl, bool routed, unsigned int mtu, char **what)
{
    static const char *const pairs[][2] = {
        { FILTER_ENB_LINK, ENB_PORT }, { FILTER_SGW_LINK, SGW_PORT },
    };
    int error = 0;

    for (size_t i = 0; !error && i < ARRAY_SIZE(pairs); i++) {
        error = links_make(rtnl, pairs[i][0], pairs[i][1], mtu, what);
        if (!error && routed) {
            error = make_routed(rtnl, pairs[i][0], what);
        }
    }
    return error;
}

int
links_header(const char *link, const char *peer, bool v6,
             struct l2_header *l2)
{
    const ovs_be16 type = htons(v6 ? ETH_TYPE_IPV6 : ETH_TYPE_IP);
    const char *ends[] = { link, peer };
    struct rtnl *rtnl;
    int error = rtnl_open(-1, &rtnl);

    if (error) {
        return error;
    }
    for (size_t i = 0; !error && i < ARRAY_SIZE(ends); i++) {
        struct rtnl_link end;

        error = rtnl_link_get(rtnl, ends[i], &end);
        if (!error) {
            memcpy(l2->bytes + i * ETH_ADDR_LEN, end.mac, ETH_ADDR_LEN);
        }
    }
    memcpy(l2->bytes + 2 * ETH_ADDR_LEN, &type, sizeof type);
    l2->len = ETH_HEADER_LEN;
    rtnl_close(rtnl);
    return error;
}
