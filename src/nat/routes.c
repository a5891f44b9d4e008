/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Where the NAT namespace's routes lead.
 *
 * Place in the flow: service/register.c asks before a service is made, and
 * when routes have changed; agent.c before a bearer is diverted.  The kernel
 * is asked each time, and whoever makes routes in the namespace may do so. */

#include "nat/nat.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "kernel/rtnl.h"
#include "nat/private.h"

bool
nat_routes_changed(void)
{
    return nat.open && rtnl_changed(nat.watch);
}

static bool
leads_to_app(const struct rtnl_way *way)
{
    return ((way->type == RTN_UNICAST || way->type == RTN_LOCAL)
            && way->ifindex != nat.ue_ifindex);
}

bool
nat_reaches_app(const struct in6_addr *application_ip)
{
    struct rtnl_way way;

    return (!nat.open
            || (!rtnl_route_get(nat.inside, application_ip, &way)
                && leads_to_app(&way)));
}

bool
nat_reaches_ue(const struct in6_addr *ue)
{
    struct rtnl_way way;

    return (!nat.open
            || (!rtnl_route_get(nat.inside, ue, &way)
                && way.type == RTN_UNICAST && way.ifindex == nat.ue_ifindex));
}

enum nat_app
nat_find_app(const struct in6_addr *application_ip, struct in6_addr *next)
{
    struct rtnl_way way;
    struct rtnl_link link;
    uint16_t state;

    *next = *application_ip;
    if (!nat.open || rtnl_route_get(nat.inside, application_ip, &way)
        || !leads_to_app(&way)) {
        return NAT_APP_NO_ROUTE;
    }
    *next = way.next;
    if (rtnl_link_get_by_index(nat.inside, way.ifindex, &link)
        || !link.up || !link.carrier) {
        return NAT_APP_NO_LINK;
    } else if (way.type == RTN_LOCAL) {
        return NAT_APP_KNOWN;
    } else if (rtnl_neigh_get(nat.inside, way.ifindex, next, &state)) {
        return NAT_APP_UNASKED;
    }
    return (state & (NUD_INCOMPLETE | NUD_FAILED) ? NAT_APP_SILENT
            : state ? NAT_APP_KNOWN : NAT_APP_UNASKED);
}
