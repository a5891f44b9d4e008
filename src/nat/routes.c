/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Where the NAT namespace's routes lead.
 *
 * Place in the flow: service/register.c asks before a service is made, and
 * when routes have changed; agent.c before a bearer is diverted.  The kernel
 * is asked each time, and whoever makes routes in the namespace may do so. */

#include "nat/nat.h"

#include <linux/rtnetlink.h>

#include "kernel/rtnl.h"
#include "nat/private.h"

bool
nat_routes_changed(void)
{
    return nat.open && rtnl_changed(nat.watch);
}

bool
nat_reaches_app(const struct in6_addr *application_ip)
{
    uint8_t type;
    int ifindex;

    return (!nat.open
            || (!rtnl_route_get(nat.inside, application_ip, &ifindex, &type)
                && (type == RTN_UNICAST || type == RTN_LOCAL)
                && ifindex != nat.ue_ifindex));
}

bool
nat_reaches_ue(const struct in6_addr *ue)
{
    uint8_t type;
    int ifindex;

    return (!nat.open
            || (!rtnl_route_get(nat.inside, ue, &ifindex, &type)
                && type == RTN_UNICAST && ifindex == nat.ue_ifindex));
}
