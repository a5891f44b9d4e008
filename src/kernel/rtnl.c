/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Links, addresses, routes and neighbours over rtnetlink.
 *
 * Place in the flow: nat/nat.c, filter/filter.c and the endpoints build their
 * veths and routes by these calls, each a request that the kernel answers
 * before the send call returns; so nothing here waits.  Each is written so
 * that doing it again changes nothing: a restarted tofd runs its whole set-up
 * over what is there. */

#define _GNU_SOURCE 1

#include "kernel/rtnl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <libmnl/libmnl.h>

#include "base/addr.h"
#include "kernel/netlink.h"

#define RULE_PRIORITY 1000      /* After the local table, before the main. */

struct rtnl {
    struct netlink nl;
};

/* A request under construction. */
struct request {
    struct nlmsghdr nlh;
    char room[1020] __attribute__((aligned(NLMSG_ALIGNTO)));
};

int
rtnl_open(int netns_fd, struct rtnl **rtnlp)
{
    struct rtnl *rtnl = calloc(1, sizeof *rtnl);
    int error = (rtnl ? netlink_open(&rtnl->nl, netns_fd, NETLINK_ROUTE)
                 : ENOMEM);

    if (error) {
        free(rtnl);
        rtnl = NULL;
    }
    *rtnlp = rtnl;
    return error;
}

void
rtnl_close(struct rtnl *rtnl)
{
    if (rtnl) {
        netlink_close(&rtnl->nl);
        free(rtnl);
    }
}

/* Starts a request with its own header of 'size' bytes. */
static void *
start(struct request *r, int type, uint16_t flags, size_t size)
{
    mnl_nlmsg_put_header(r);
    r->nlh.nlmsg_type = type;
    r->nlh.nlmsg_flags = flags;
    return mnl_nlmsg_put_extra_header(&r->nlh, size);
}

static int
talk(struct rtnl *rtnl, struct request *r)
{
    return netlink_talk(&rtnl->nl, &r->nlh, NULL, NULL);
}

/* Links. */

/* Starts a request about the link 'name'. */
static int
named_link_request(struct request *r, int type, const char *name)
{
    if (!*name || strlen(name) >= IFNAMSIZ) {
        return ENODEV;
    }
    start(r, type, 0, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(&r->nlh, IFLA_IFNAME, name);
    return 0;
}

/* What rtnl_link_get() tells, and more. */
struct link_info {
    struct rtnl_link link;
    int peer;                   /* IFLA_LINK: of a veth, its peer's ifindex. */
    bool veth;
};

static void
take_bridge(const struct nlattr *data, struct rtnl_link *link)
{
    const struct nlattr *attr;

    mnl_attr_for_each_nested(attr, data) {
        switch (mnl_attr_get_type(attr)) {
        case IFLA_BR_VLAN_FILTERING:
            link->vlan_filtering = mnl_attr_get_u8(attr);
            break;
        case IFLA_BR_NF_CALL_IPTABLES:
        case IFLA_BR_NF_CALL_IP6TABLES:
        case IFLA_BR_NF_CALL_ARPTABLES:
            link->netfilter |= mnl_attr_get_u8(attr);
            break;
        }
    }
}

static void
take_port(const struct nlattr *data, struct rtnl_link *link)
{
    const struct nlattr *attr;

    mnl_attr_for_each_nested(attr, data) {
        switch (mnl_attr_get_type(attr)) {
        case IFLA_BRPORT_STATE:
            link->forwarding = mnl_attr_get_u8(attr) == BR_STATE_FORWARDING;
            break;
        case IFLA_BRPORT_LEARNING:
            link->learning = mnl_attr_get_u8(attr);
            break;
        case IFLA_BRPORT_UNICAST_FLOOD:
            link->flood = mnl_attr_get_u8(attr);
            break;
        case IFLA_BRPORT_ISOLATED:
            link->isolated = mnl_attr_get_u8(attr);
            break;
        }
    }
}

/* Of either kind and data the kind comes first. */
static void
take_kind(const struct nlattr *nest, struct link_info *info)
{
    const struct nlattr *attr;

    mnl_attr_for_each_nested(attr, nest) {
        switch (mnl_attr_get_type(attr)) {
        case IFLA_INFO_KIND:
            info->veth = !strcmp(mnl_attr_get_str(attr), "veth");
            info->link.bridge = !strcmp(mnl_attr_get_str(attr), "bridge");
            break;
        case IFLA_INFO_DATA:
            if (info->link.bridge) {
                take_bridge(attr, &info->link);
            }
            break;
        case IFLA_INFO_SLAVE_KIND:
            info->link.port = !strcmp(mnl_attr_get_str(attr), "bridge");
            break;
        case IFLA_INFO_SLAVE_DATA:
            if (info->link.port) {
                take_port(attr, &info->link);
            }
            break;
        }
    }
}

static int
take_link(const struct nlmsghdr *nlh, void *info_)
{
    struct link_info *info = info_;
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *attr;

    info->link.ifindex = ifi->ifi_index;
    info->link.up = ifi->ifi_flags & IFF_UP;
    info->link.carrier = ifi->ifi_flags & IFF_LOWER_UP;
    mnl_attr_for_each(attr, nlh, sizeof *ifi) {
        switch (mnl_attr_get_type(attr)) {
        case IFLA_IFNAME:
            strncpy(info->link.name, mnl_attr_get_str(attr),
                    sizeof info->link.name - 1);
            break;
        case IFLA_MTU:
            info->link.mtu = mnl_attr_get_u32(attr);
            break;
        case IFLA_ADDRESS:
            if (mnl_attr_get_payload_len(attr) == sizeof info->link.mac) {
                memcpy(info->link.mac, mnl_attr_get_payload(attr),
                       sizeof info->link.mac);
            }
            break;
        case IFLA_MASTER:
            info->link.master = mnl_attr_get_u32(attr);
            break;
        case IFLA_LINK:
            info->peer = mnl_attr_get_u32(attr);
            break;
        case IFLA_LINKINFO:
            take_kind(attr, info);
            break;
        }
    }
    return MNL_CB_OK;
}

static int
ask_link(struct rtnl *rtnl, struct request *r, struct link_info *info)
{
    int error;

    memset(info, 0, sizeof *info);
    mnl_attr_put_u32(&r->nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    error = netlink_talk(&rtnl->nl, &r->nlh, take_link, info);
    return !error && !info->link.ifindex ? ENODEV : error;
}

static int
get_link_info(struct rtnl *rtnl, const char *name, struct link_info *info)
{
    struct request r;
    int error = named_link_request(&r, RTM_GETLINK, name);

    return error ? error : ask_link(rtnl, &r, info);
}

int
rtnl_link_get(struct rtnl *rtnl, const char *name, struct rtnl_link *link)
{
    struct link_info info;
    int error = get_link_info(rtnl, name, &info);

    if (!error) {
        *link = info.link;
    }
    return error;
}

int
rtnl_link_get_by_index(struct rtnl *rtnl, int ifindex, struct rtnl_link *link)
{
    struct link_info info;
    struct ifinfomsg *ifi;
    struct request r;
    int error;

    ifi = start(&r, RTM_GETLINK, 0, sizeof *ifi);
    ifi->ifi_index = ifindex;
    error = ask_link(rtnl, &r, &info);
    if (!error) {
        *link = info.link;
    }
    return error;
}

static int
watch(struct rtnl *rtnl, int group)
{
    return mnl_socket_setsockopt(rtnl->nl.socket, NETLINK_ADD_MEMBERSHIP,
                                 &group, sizeof group) ? errno : 0;
}

int
rtnl_watch(struct rtnl *rtnl)
{
    return watch(rtnl, RTNLGRP_LINK);
}

/* Of a link that goes down the kernel takes the routes out without saying
 * so. */
int
rtnl_watch_routes(struct rtnl *rtnl)
{
    static const int groups[] = {
        RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE,
        RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE,
    };
    int error = 0;

    for (size_t i = 0; !error && i < sizeof groups / sizeof *groups; i++) {
        error = watch(rtnl, groups[i]);
    }
    return error;
}

bool
rtnl_changed(struct rtnl *rtnl)
{
    return netlink_drain(&rtnl->nl);
}

int
rtnl_fd(const struct rtnl *rtnl)
{
    return mnl_socket_get_fd(rtnl->nl.socket);
}

static int
veth_create(struct rtnl *rtnl, const char *name, const char *peer,
            int peer_netns_fd, unsigned int mtu)
{
    struct nlattr *linkinfo, *data, *info_peer;
    struct request r;

    if (strlen(name) >= IFNAMSIZ || strlen(peer) >= IFNAMSIZ) {
        return EINVAL;
    }
    start(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
          sizeof(struct ifinfomsg));
    mnl_attr_put_strz(&r.nlh, IFLA_IFNAME, name);
    mnl_attr_put_u32(&r.nlh, IFLA_MTU, mtu);
    linkinfo = mnl_attr_nest_start(&r.nlh, IFLA_LINKINFO);
    mnl_attr_put_strz(&r.nlh, IFLA_INFO_KIND, "veth");
    data = mnl_attr_nest_start(&r.nlh, IFLA_INFO_DATA);
    info_peer = mnl_attr_nest_start(&r.nlh, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(&r.nlh, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(&r.nlh, IFLA_IFNAME, peer);
    mnl_attr_put_u32(&r.nlh, IFLA_MTU, mtu);
    if (peer_netns_fd >= 0) {
        mnl_attr_put_u32(&r.nlh, IFLA_NET_NS_FD, peer_netns_fd);
    }
    mnl_attr_nest_end(&r.nlh, info_peer);
    mnl_attr_nest_end(&r.nlh, data);
    mnl_attr_nest_end(&r.nlh, linkinfo);
    return talk(rtnl, &r);
}

/* Removes 'name' if it is a veth; somebody else's device is not ours to
 * remove. */
static int
veth_remove(struct rtnl *rtnl, const char *name)
{
    struct link_info info;
    int error = get_link_info(rtnl, name, &info);

    return (error == ENODEV ? 0
            : error ? error
            : !info.veth ? EEXIST
            : rtnl_link_delete(rtnl, name));
}

static int
veth_ensure(struct rtnl *rtnl, const char *name, struct rtnl *peer_rtnl,
            const char *peer, int peer_netns_fd, unsigned int mtu)
{
    struct link_info a, b;
    int error_a = get_link_info(rtnl, name, &a);
    int error_b = get_link_info(peer_rtnl, peer, &b);
    int error;

    if (!error_a && !error_b && a.veth && b.veth
        && a.peer == b.link.ifindex && b.peer == a.link.ifindex) {
        error = rtnl_link_set_mtu(rtnl, name, mtu);
        return error ? error : rtnl_link_set_mtu(peer_rtnl, peer, mtu);
    }
    if ((error_a && error_a != ENODEV) || (error_b && error_b != ENODEV)) {
        return error_a && error_a != ENODEV ? error_a : error_b;
    }

    /* Halves of other pairs, left by something cut short. */
    error = veth_remove(rtnl, name);
    if (!error) {
        error = veth_remove(peer_rtnl, peer);
    }
    return error ? error : veth_create(rtnl, name, peer, peer_netns_fd, mtu);
}

int
rtnl_veth_ensure(struct rtnl *rtnl, const char *name, const char *peer,
                 int peer_netns_fd, unsigned int mtu)
{
    struct rtnl *peer_rtnl = rtnl;
    int error = 0;

    if (peer_netns_fd >= 0) {
        error = rtnl_open(peer_netns_fd, &peer_rtnl);
    }
    if (!error) {
        error = veth_ensure(rtnl, name, peer_rtnl, peer, peer_netns_fd, mtu);
        if (peer_rtnl != rtnl) {
            rtnl_close(peer_rtnl);
        }
    }
    return error;
}

int
rtnl_link_delete(struct rtnl *rtnl, const char *name)
{
    struct request r;
    int error = named_link_request(&r, RTM_DELLINK, name);

    if (!error) {
        error = talk(rtnl, &r);
    }
    return error == ENODEV ? 0 : error;
}

int
rtnl_link_set_up(struct rtnl *rtnl, const char *name, bool up)
{
    struct request r;
    int error = named_link_request(&r, RTM_NEWLINK, name);
    struct ifinfomsg *ifi;

    if (!error) {
        ifi = mnl_nlmsg_get_payload(&r.nlh);
        ifi->ifi_change = IFF_UP;
        ifi->ifi_flags = up ? IFF_UP : 0;
        error = talk(rtnl, &r);
    }
    return error;
}

int
rtnl_link_set_mtu(struct rtnl *rtnl, const char *name, unsigned int mtu)
{
    struct request r;
    int error = named_link_request(&r, RTM_NEWLINK, name);

    if (!error) {
        mnl_attr_put_u32(&r.nlh, IFLA_MTU, mtu);
        error = talk(rtnl, &r);
    }
    return error;
}

int
rtnl_link_move(struct rtnl *rtnl, const char *name, int netns_fd)
{
    struct request r;
    int error = named_link_request(&r, RTM_NEWLINK, name);

    if (!error) {
        mnl_attr_put_u32(&r.nlh, IFLA_NET_NS_FD, netns_fd);
        error = talk(rtnl, &r);
    }
    return error;
}

int
rtnl_link_no_addrgen(struct rtnl *rtnl, const char *name)
{
    struct nlattr *af_spec, *inet6;
    struct request r;
    int error = named_link_request(&r, RTM_NEWLINK, name);

    if (!error) {
        af_spec = mnl_attr_nest_start(&r.nlh, IFLA_AF_SPEC);
        inet6 = mnl_attr_nest_start(&r.nlh, AF_INET6);
        mnl_attr_put_u8(&r.nlh, IFLA_INET6_ADDR_GEN_MODE,
                        IN6_ADDR_GEN_MODE_NONE);
        mnl_attr_nest_end(&r.nlh, inet6);
        mnl_attr_nest_end(&r.nlh, af_spec);
        error = talk(rtnl, &r);
    }
    return error;
}

/* Addresses, routes, neighbours. */

/* An address as its family has it. */
struct raw_addr {
    int family;
    size_t len;
    const uint8_t *bytes;
};

static struct raw_addr
raw_addr(const struct in6_addr *addr)
{
    return (IN6_IS_ADDR_V4MAPPED(addr)
            ? (struct raw_addr) { AF_INET, 4, addr->s6_addr + 12 }
            : (struct raw_addr) { AF_INET6, 16, addr->s6_addr });
}

static void
put_addr(struct request *r, uint16_t type, const struct raw_addr *addr)
{
    mnl_attr_put(&r->nlh, type, addr->len, addr->bytes);
}

static int
get_ifindex(struct rtnl *rtnl, const char *name, int *ifindex)
{
    struct rtnl_link link;
    int error = rtnl_link_get(rtnl, name, &link);

    *ifindex = error ? 0 : link.ifindex;
    return error;
}

int
rtnl_addr_ensure(struct rtnl *rtnl, const char *link,
                 const struct in6_addr *addr, unsigned int prefix_len)
{
    struct raw_addr raw = raw_addr(addr);
    struct ifaddrmsg *ifa;
    struct request r;
    int ifindex;
    int error = get_ifindex(rtnl, link, &ifindex);

    if (error) {
        return error;
    }
    ifa = start(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof *ifa);
    ifa->ifa_family = raw.family;
    ifa->ifa_prefixlen = prefix_len;
    ifa->ifa_scope = RT_SCOPE_UNIVERSE;
    ifa->ifa_index = ifindex;
    put_addr(&r, IFA_LOCAL, &raw);
    put_addr(&r, IFA_ADDRESS, &raw);
    if (raw.family == AF_INET6) {
        /* Of use at once, not only after duplicate address detection. */
        mnl_attr_put_u32(&r.nlh, IFA_FLAGS, IFA_F_NODAD);
    }
    error = talk(rtnl, &r);
    return error == EEXIST ? 0 : error;
}

/* Returns 'addr' without its bits beyond 'prefix_len', for which the kernel
 * refuses a route. */
static struct in6_addr
mask_addr(const struct in6_addr *addr, unsigned int prefix_len)
{
    unsigned int len = prefix_len + (IN6_IS_ADDR_V4MAPPED(addr) ? 96 : 0);
    struct in6_addr masked = *addr;

    for (unsigned int i = 0; i < 16; i++) {
        unsigned int keep = len > i * 8 ? len - i * 8 : 0;

        if (keep < 8) {
            masked.s6_addr[i] &= 0xff00 >> keep;
        }
    }
    return masked;
}

int
rtnl_route_replace(struct rtnl *rtnl, const char *link,
                   const struct rtnl_route *route)
{
    const struct in6_addr network = mask_addr(&route->dst, route->prefix_len);
    const struct in6_addr *via = route->via;
    struct raw_addr raw = raw_addr(&network);
    struct rtmsg *rtm;
    struct request r;
    int ifindex;
    int error = get_ifindex(rtnl, link, &ifindex);

    if (error) {
        return error;
    }
    rtm = start(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE,
                  sizeof *rtm);
    rtm->rtm_family = raw.family;
    rtm->rtm_dst_len = route->prefix_len;
    rtm->rtm_table = route->table ? RT_TABLE_UNSPEC : RT_TABLE_MAIN;
    rtm->rtm_protocol = RTPROT_STATIC;
    rtm->rtm_scope = via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    rtm->rtm_type = RTN_UNICAST;
    rtm->rtm_flags = via && route->onlink ? RTNH_F_ONLINK : 0;
    if (route->prefix_len) {
        put_addr(&r, RTA_DST, &raw);
    }
    if (route->table) {
        mnl_attr_put_u32(&r.nlh, RTA_TABLE, route->table);
    }
    mnl_attr_put_u32(&r.nlh, RTA_OIF, ifindex);
    if (via) {
        struct raw_addr gateway = raw_addr(via);

        if (gateway.family != raw.family) {
            return EINVAL;
        }
        put_addr(&r, RTA_GATEWAY, &gateway);
    }
    if (route->mtu) {
        struct nlattr *metrics = mnl_attr_nest_start(&r.nlh, RTA_METRICS);

        mnl_attr_put_u32(&r.nlh, RTAX_MTU, route->mtu);
        mnl_attr_nest_end(&r.nlh, metrics);
    }
    return talk(rtnl, &r);
}

static void
take_gateway(const struct nlattr *attr, struct in6_addr *next)
{
    const size_t len = mnl_attr_get_payload_len(attr);

    if (len == 4) {
        *next = addr_of_ipv4(mnl_attr_get_payload(attr));
    } else if (len == sizeof *next) {
        memcpy(next, mnl_attr_get_payload(attr), len);
    }
}

static int
take_route(const struct nlmsghdr *nlh, void *way_)
{
    const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
    struct rtnl_way *way = way_;
    const struct nlattr *attr;

    way->type = rtm->rtm_type;
    mnl_attr_for_each(attr, nlh, sizeof *rtm) {
        if (mnl_attr_get_type(attr) == RTA_OIF) {
            way->ifindex = mnl_attr_get_u32(attr);
        } else if (mnl_attr_get_type(attr) == RTA_GATEWAY) {
            take_gateway(attr, &way->next);
        }
    }
    return MNL_CB_OK;
}

int
rtnl_route_get(struct rtnl *rtnl, const struct in6_addr *dst,
               struct rtnl_way *way)
{
    struct raw_addr raw = raw_addr(dst);
    struct request r;
    struct rtmsg *rtm = start(&r, RTM_GETROUTE, 0, sizeof *rtm);
    int error;

    *way = (struct rtnl_way) { .next = *dst };
    rtm->rtm_family = raw.family;
    rtm->rtm_dst_len = raw.family == AF_INET ? 32 : 128;
    put_addr(&r, RTA_DST, &raw);
    error = netlink_talk(&rtnl->nl, &r.nlh, take_route, way);
    return !error && !way->ifindex ? ENETUNREACH : error;
}

int
rtnl_rule_ensure(struct rtnl *rtnl, sa_family_t family, const char *iif,
                 uint32_t mark, uint32_t table)
{
    struct fib_rule_hdr *rule;
    struct request r;
    int error;

    rule = start(&r, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, sizeof *rule);
    rule->family = family;
    rule->action = FR_ACT_TO_TBL;
    mnl_attr_put_strz(&r.nlh, FRA_IIFNAME, iif);
    mnl_attr_put_u32(&r.nlh, FRA_PRIORITY, RULE_PRIORITY);
    mnl_attr_put_u32(&r.nlh, FRA_FWMARK, mark);
    mnl_attr_put_u32(&r.nlh, FRA_FWMASK, UINT32_MAX);
    mnl_attr_put_u32(&r.nlh, FRA_TABLE, table);
    error = talk(rtnl, &r);
    return error == EEXIST ? 0 : error;
}

int
rtnl_neigh_replace(struct rtnl *rtnl, const char *link,
                   const struct in6_addr *addr, const uint8_t mac[6])
{
    struct raw_addr raw = raw_addr(addr);
    struct ndmsg *ndm;
    struct request r;
    int ifindex;
    int error = get_ifindex(rtnl, link, &ifindex);

    if (error) {
        return error;
    }
    ndm = start(&r, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
                  sizeof *ndm);
    ndm->ndm_family = raw.family;
    ndm->ndm_ifindex = ifindex;
    ndm->ndm_state = NUD_PERMANENT;
    put_addr(&r, NDA_DST, &raw);
    mnl_attr_put(&r.nlh, NDA_LLADDR, 6, mac);
    return talk(rtnl, &r);
}

static int
take_neigh(const struct nlmsghdr *nlh, void *state)
{
    const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);

    *(uint16_t *) state = ndm->ndm_state;
    return MNL_CB_OK;
}

int
rtnl_neigh_get(struct rtnl *rtnl, int ifindex, const struct in6_addr *addr,
               uint16_t *state)
{
    struct raw_addr raw = raw_addr(addr);
    struct request r;
    struct ndmsg *ndm = start(&r, RTM_GETNEIGH, 0, sizeof *ndm);

    *state = NUD_NONE;
    ndm->ndm_family = raw.family;
    ndm->ndm_ifindex = ifindex;
    put_addr(&r, NDA_DST, &raw);
    return netlink_talk(&rtnl->nl, &r.nlh, take_neigh, state);
}

int
rtnl_neigh_ask(struct rtnl *rtnl, int ifindex, const struct in6_addr *addr,
               uint16_t state)
{
    const bool known = state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY);
    struct raw_addr raw = raw_addr(addr);
    struct ndmsg *ndm;
    struct request r;

    if (state & (NUD_PERMANENT | NUD_NOARP | NUD_PROBE | NUD_INCOMPLETE)) {
        return 0;
    }
    ndm = start(&r, RTM_NEWNEIGH, known ? NLM_F_REPLACE : NLM_F_CREATE,
                sizeof *ndm);
    ndm->ndm_family = raw.family;
    ndm->ndm_ifindex = ifindex;
    ndm->ndm_state = known ? NUD_PROBE : NUD_NONE;
    ndm->ndm_flags = known ? 0 : NTF_USE;
    put_addr(&r, NDA_DST, &raw);
    return talk(rtnl, &r);
}
