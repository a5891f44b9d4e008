/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Where the NAT namespace's routes lead, and whether anybody is there.
 *
 * Place in the flow: service/register.c asks before a service is made, and
 * when routes have changed; agent.c before a bearer is diverted;
 * service/apps.c, several times a second, whether an App's host is there.  The
 * kernel is asked each time, and whoever makes routes in the namespace may do
 * so. */

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

int
nat_routes_fd(void)
{
    return nat.open ? rtnl_fd(nat.watch) : -1;
}

/* How the namespace sends to an application; NAT_APP_KNOWN if it does. */
static enum nat_app
find_way(const struct in6_addr *application_ip, struct rtnl_way *way)
{
    return (rtnl_route_get(nat.inside, application_ip, way)
            ? NAT_APP_NO_ROUTE
            : way->type == RTN_LOCAL ? NAT_APP_SELF
            : way->type == RTN_UNICAST && way->ifindex != nat.ue_ifindex
            ? NAT_APP_KNOWN : NAT_APP_NO_ROUTE);
}

bool
nat_reaches_app(const struct in6_addr *application_ip, const char **why)
{
    struct rtnl_way way;
    const enum nat_app found = (nat.open ? find_way(application_ip, &way)
                                : NAT_APP_KNOWN);

    *why = (found == NAT_APP_SELF
            ? "the application IP is an address of the TOF itself"
            : "there is no route to the application IP (apps.address, "
              "apps.routes)");
    return found == NAT_APP_KNOWN;
}

bool
nat_reaches_ue(const struct in6_addr *ue)
{
    struct rtnl_way way;

    return (!nat.open
            || (!rtnl_route_get(nat.inside, ue, &way)
                && way.type == RTN_UNICAST && way.ifindex == nat.ue_ifindex));
}

static enum nat_app
find_app(const struct in6_addr *application_ip, struct rtnl_way *way,
         uint16_t *state)
{
    const enum nat_app found = (nat.open ? find_way(application_ip, way)
                                : NAT_APP_UNASKED);
    struct rtnl_link link;

    if (found != NAT_APP_KNOWN) {
        way->next = *application_ip;
        return found;
    } else if (rtnl_link_get_by_index(nat.inside, way->ifindex, &link)
               || !link.up || !link.carrier) {
        return NAT_APP_NO_LINK;
    }
    *state = 0;
    rtnl_neigh_get(nat.inside, way->ifindex, &way->next, state);
    return (!*state ? NAT_APP_UNASKED
            : *state & NUD_FAILED ? NAT_APP_SILENT
            : *state & NUD_INCOMPLETE ? NAT_APP_ASKED
            : *state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP)
            ? NAT_APP_ANSWERS : NAT_APP_KNOWN);
}

enum nat_app
nat_find_app(const struct in6_addr *application_ip, struct in6_addr *next)
{
    struct rtnl_way way;
    uint16_t state;
    const enum nat_app found = find_app(application_ip, &way, &state);

    *next = way.next;
    return found;
}

enum nat_app
nat_ask_app(const struct in6_addr *application_ip, struct in6_addr *next)
{
    struct rtnl_way way;
    uint16_t state;
    const enum nat_app found = find_app(application_ip, &way, &state);

    if (nat.open && found <= NAT_APP_SILENT) {
        rtnl_neigh_ask(nat.inside, way.ifindex, &way.next, state);
    }
    *next = way.next;
    return found;
}
