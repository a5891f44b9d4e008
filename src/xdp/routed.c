/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A single adapter: see routed.h. */

#include <config.h>

#include "xdp/routed.h"

#include <string.h>

#include "filter/filter.h"
#include "filter/links.h"
#include "kernel/ethtool.h"
#include "kernel/rtnl.h"
#include "util.h"
#include "xdp/load.h"
#include "xdp/table.h"

enum { ADAPTER, ENB_LINK, ENB_PEER, SGW_LINK, SGW_PEER, N_LINKS };

static const char *names[N_LINKS] = {
    [ENB_LINK] = FILTER_ENB_LINK, [ENB_PEER] = ENB_PORT,
    [SGW_LINK] = FILTER_SGW_LINK, [SGW_PEER] = SGW_PORT,
};
static struct rtnl_link was[N_LINKS];   /* When last plumbed. */
static struct l2_header headers[2];     /* IPv4, IPv6. */

static int
look(struct rtnl_link links[N_LINKS])
{
    struct rtnl *rtnl;
    int error = rtnl_open(-1, &rtnl);

    for (int i = 0; !error && i < N_LINKS; i++) {
        error = rtnl_link_get(rtnl, names[i], &links[i]);
    }
    rtnl_close(rtnl);
    return error;
}

static int
make_links(unsigned int mtu, char **what)
{
    struct rtnl *rtnl;
    int error = rtnl_open(-1, &rtnl);

    if (!error) {
        error = links_make_both(rtnl, true, mtu, what);
        rtnl_close(rtnl);
    }
    if (!error) {
        /* A veth takes what is redirected to its peer only so. */
        error = ethtool_gro_on(-1, FILTER_ENB_LINK);
    }
    return error;
}

int
xdp_routed_plumb(const char *adapter, unsigned int mtu, struct xdp *xdp,
                 char **what)
{
    int error;

    names[ADAPTER] = adapter;
    error = make_links(mtu, what);
    if (!error) {
        error = look(was);
    }
    for (int i = 0; !error && i < 2; i++) {
        error = links_header(FILTER_ENB_LINK, ENB_PORT, i, &headers[i]);
    }
    if (!error) {
        xdp_table_set_mac(xdp_table(xdp), was[ADAPTER].mac);
        error = xdp_set_dev(xdp, XDP_DEV_ENB, was[ENB_PEER].ifindex);
    }
    if (error && !*what) {
        *what = xasprintf("%s or %s", FILTER_ENB_LINK, adapter);
    }
    return error;
}

bool
xdp_routed_plumbed(void)
{
    struct rtnl_link is[N_LINKS];

    if (look(is)) {
        return false;
    }
    for (int i = 0; i < N_LINKS; i++) {
        if (is[i].ifindex != was[i].ifindex || !is[i].up
            || memcmp(is[i].mac, was[i].mac, sizeof is[i].mac)) {
            return false;
        }
    }
    return true;
}

bool
xdp_routed_l2(const struct in6_addr *dst, struct l2_header *l2)
{
    if (names[ADAPTER]) {
        *l2 = headers[!IN6_IS_ADDR_V4MAPPED(dst)];
    }
    return names[ADAPTER];
}
