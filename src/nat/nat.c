/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The NAT namespace: makes what is in it.
 *
 * Place in the flow: dataplane.c calls nat_init(); register.c then brings
 * the services up to date (nat_service_dump(), nat_service_set(),
 * nat_service_clear()) before the classifier and the filter let any packet
 * come here, and takes them out last (services.c).  The rules are in
 * rules.c.
 *
 * nat_init() goes through its steps in an order in which what is likely to
 * fail comes first, and notes what it makes, to take it back on failure.  A
 * step finds its work done when tofd is restarted. */

#define _GNU_SOURCE 1

#include "nat/nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "kernel/ethtool.h"
#include "kernel/netns.h"
#include "kernel/rtnl.h"
#include "nat/conntrack.h"
#include "nat/private.h"

/* Where packets to UEs go: neighbours that exist only as an entry each. */
static const struct in6_addr ue_gateway4 = {
    .s6_addr = { [10] = 0xff, 0xff, 169, 254, 1, 2 }
};
static const struct in6_addr ue_gateway6 = {
    .s6_addr = { 0xfe, 0x80, [15] = 2 }
};
static const uint8_t ue_mac[6] = { 0x02 };

struct nat nat;

/* nat_init() at work. */
struct setup {
    const struct conf *conf;
    const char *ue_port;
    unsigned int mtu, down_mtu;
    char **what;

    struct rtnl *own;           /* In tofd's namespace. */
    bool made_netns, made_veth, made_inet, made_netdev, moved_apps;
};

/* Sets '*what' if 'error', and returns that. */
__attribute__((format(printf, 3, 4)))
static int
failed(struct setup *s, int error, const char *format, ...)
{
    va_list args;

    if (error && !*s->what) {
        va_start(args, format);
        if (vasprintf(s->what, format, args) < 0) {
            *s->what = NULL;
        }
        va_end(args);
    }
    return error;
}

static int
open_all(struct setup *s)
{
    int error = netns_ensure(s->conf->apps.namespace, &nat.netns,
                             &s->made_netns);

    if (!error) {
        nat.open = true;
        nat.raw[0] = nat.raw[1] = -1;
        nat.conf = s->conf;
        nat.adapter_mtu = nat.path_mtu = s->down_mtu;
        if (s->conf->s1u.mtu && s->conf->s1u.mtu < s->down_mtu) {
            nat.path_mtu = s->conf->s1u.mtu;
        }
        error = rtnl_open(-1, &s->own);
    }
    if (!error) {
        error = rtnl_open(nat.netns, &nat.inside);
    }
    if (!error) {
        error = rtnl_open(nat.netns, &nat.watch);
    }
    if (!error) {
        error = rtnl_watch_routes(nat.watch);
    }
    if (!error) {
        error = nft_open(nat.netns, &nat.nft);
    }
    if (!error) {
        error = nft_open(nat.netns, &nat.reader);
    }
    if (!error) {
        error = conntrack_open(nat.netns, &nat.ct);
    }
    if (!error) {
        error = nat_probe_open();
    }
    return failed(s, error, "apps.namespace %s: %s",
                  s->conf->apps.namespace, strerror(error));
}

/* The Apps adapter has to be in either namespace. */
static int
check_apps(struct setup *s)
{
    const char *apps = s->conf->apps.interface;
    struct rtnl_link link;
    int error = rtnl_link_get(nat.inside, apps, &link);

    if (error == ENODEV) {
        error = rtnl_link_get(s->own, apps, &link);
    }
    return failed(s, error, "apps.interface %s: %s", apps,
                  error == ENODEV ? "no such interface" : strerror(error));
}

/* ue0 <-> ue_port, neither of which says anything of its own accord. */
static int
make_ue(struct setup *s)
{
    struct rtnl_link link;
    int error;

    s->made_veth = (rtnl_link_get(s->own, s->ue_port, &link) == ENODEV
                    || rtnl_link_get(nat.inside, NAT_UE, &link) == ENODEV);
    error = rtnl_veth_ensure(s->own, s->ue_port, NAT_UE, nat.netns, s->mtu);
    if (error) {
        s->made_veth = false;
        return failed(s, error, "veth %s: %s", s->ue_port, strerror(error));
    }
    error = sysctl_write(-1, "1", "net/ipv6/conf/%s/disable_ipv6",
                         s->ue_port);
    if (!error || error == ENOENT) {
        error = rtnl_link_no_addrgen(nat.inside, NAT_UE);
    }
    if (!error || error == EAFNOSUPPORT) {
        /* Packets leave into tunnels from here: with finished checksums. */
        error = ethtool_offload_off(nat.netns, NAT_UE, OFFLOAD_TX_CSUM);
    }
    return failed(s, error, "veth %s: %s", s->ue_port, strerror(error));
}

/* Sysctls of the namespace.  "%s" is both ue0 and the Apps adapter. */
static const struct {
    const char *path, *value;
    bool optional;              /* The kernel may be without. */
} sysctls[] = {
    { "net/ipv4/ip_forward", "1", false },
    { "net/ipv4/fwmark_reflect", "1", false },
    { "net/ipv4/conf/all/rp_filter", "0", false },
    { "net/ipv4/conf/%s/rp_filter", "0", false },
    { "net/ipv4/conf/all/log_martians", "0", false },
    { "net/ipv4/conf/%s/log_martians", "0", false },
    { "net/ipv4/conf/all/send_redirects", "0", false },
    { "net/ipv4/conf/%s/send_redirects", "0", false },
    { "net/ipv6/conf/all/forwarding", "1", true },
    { "net/ipv6/fwmark_reflect", "1", true },
    { "net/ipv6/conf/%s/disable_ipv6", "0", true },
    { "net/ipv6/conf/%s/accept_ra", "0", true },
    /* How long the kernel waits for a neighbour's answer before it asks again,
     * up to three times (NAT_ASK_MS). */
    { "net/ipv4/neigh/%s/retrans_time_ms", "250", true },
    { "net/ipv6/neigh/%s/retrans_time_ms", "250", true },
    /* Else no neighbour can be asked for in the first seconds. */
    { "net/ipv6/conf/%s/accept_dad", "0", true },
    /* Seconds.  The rest of a datagram comes at once or never; in 30 s, as it
     * is by default, another UE may have the address. */
    { "net/ipv4/ipfrag_time", "2", false },
    { "net/netfilter/nf_conntrack_frag6_timeout", "2", true },
    /* Packets may be missing from what it sees of a flow. */
    { "net/netfilter/nf_conntrack_tcp_be_liberal", "1", true },
    /* Seconds.  As short as a NAT's may be: RFC 4787, REQ-5, and RFC 5382,
     * REQ-5.  The kernel's own value for TCP is five days. */
    { "net/netfilter/nf_conntrack_udp_timeout_stream", "120", true },
    { "net/netfilter/nf_conntrack_tcp_timeout_established", "7440", true },
};

static int
write_sysctls(struct setup *s)
{
    const char *links[] = { NAT_UE, s->conf->apps.interface };

    for (size_t i = 0; i < sizeof sysctls / sizeof *sysctls; i++) {
        const char *rest = strstr(sysctls[i].path, "%s");
        int head = rest ? rest - sysctls[i].path : 0;

        for (size_t j = 0; j < (rest ? 2 : 1); j++) {
            int error = (rest
                         ? sysctl_write(nat.netns, sysctls[i].value,
                                        "%.*s%s%s", head, sysctls[i].path,
                                        links[j], rest + 2)
                         : sysctl_write(nat.netns, sysctls[i].value, "%s",
                                        sysctls[i].path));

            if (error && !(sysctls[i].optional && error == ENOENT)) {
                return failed(s, error, "sysctl %s in namespace %s: %s",
                              sysctls[i].path, s->conf->apps.namespace,
                              strerror(error));
            }
        }
    }
    return 0;
}

/* Elements of a map, remembered. */
struct saved {
    const struct nft_set *map;
    struct nft_batch *b;
};

static void
save_cb(const void *key, const void *data,
        uint64_t expires_ms __attribute__((unused)), void *saved_)
{
    struct saved *saved = saved_;

    nft_elem_add(saved->b, &nat_inet, saved->map, key, data, 0);
}

/* Another version of us may have left chains or maps that cannot be turned
 * into ours: takes the tables out and puts ours in, at once. */
static int
replace_rules(const struct conf *conf, char **what)
{
    struct nft_batch *b = nft_begin(nat.nft);

    nft_table_add(b, &nat_inet, 0);
    nft_table_add(b, &nat_netdev, 0);
    nft_table_delete(b, &nat_inet);
    nft_table_delete(b, &nat_netdev);
    nat_rules(b, conf);
    for (int i = 0; i < 2; i++) {
        const struct nft_set *const sets[] = {
            &nat_services[i], &nat_apps[i], &nat_buckets[i], &nat_members[i],
            &nat_lost[i],
        };

        for (size_t j = 0; j < sizeof sets / sizeof *sets; j++) {
            struct saved saved = { sets[j], b };

            /* Failure: it is not there, or not ours. */
            nft_elem_dump(nat.nft, &nat_inet, saved.map, save_cb, &saved);
        }
    }
    return nft_commit(b, what);
}

static int
install_rules(struct setup *s)
{
    struct nft_batch *b;
    char *what;
    int error;

    s->made_inet = nft_table_exists(nat.nft, &nat_inet) == ENOENT;
    s->made_netdev = nft_table_exists(nat.nft, &nat_netdev) == ENOENT;
    b = nft_begin(nat.nft);
    nat_rules(b, s->conf);
    error = nft_commit(b, &what);
    if (error && !(s->made_inet && s->made_netdev)) {
        free(what);
        error = replace_rules(s->conf, &what);
    }
    if (error) {
        s->made_inet = s->made_netdev = false;
    }
    failed(s, error, "nftables in namespace %s: %s: %s",
           s->conf->apps.namespace, what ? what : "", strerror(error));
    free(what);
    return error;
}

static int
take_apps(struct setup *s)
{
    const char *apps = s->conf->apps.interface;
    struct rtnl_link link;
    int error = 0;

    if (rtnl_link_get(nat.inside, apps, &link)) {
        error = rtnl_link_move(s->own, apps, nat.netns);
        s->moved_apps = !error;
    }
    return failed(s, error, "apps.interface %s: into namespace %s: %s", apps,
                  s->conf->apps.namespace, strerror(error));
}

static int
links_up(struct setup *s)
{
    const char *apps = s->conf->apps.interface;
    int error = rtnl_link_set_up(s->own, s->ue_port, true);

    if (!error) {
        error = rtnl_link_set_up(nat.inside, NAT_UE, true);
    }
    if (error) {
        return failed(s, error, "veth %s: %s", s->ue_port, strerror(error));
    }
    error = rtnl_link_set_up(nat.inside, apps, true);
    return failed(s, error, "apps.interface %s: %s", apps, strerror(error));
}

/* The connected and configured networks of applications. */
static int
route_apps(struct setup *s)
{
    const struct ip_prefix_list *address = &s->conf->apps.address;
    const struct ip_prefix_list *routes = &s->conf->apps.routes;
    const char *apps = s->conf->apps.interface;
    int error = 0;

    for (size_t i = 0; !error && i < address->n; i++) {
        error = rtnl_addr_ensure(nat.inside, apps, &address->prefixes[i].addr,
                                 address->prefixes[i].len);
    }
    if (error) {
        return failed(s, error, "apps.address: %s", strerror(error));
    }
    for (size_t i = 0; !error && i < routes->n; i++) {
        const struct rtnl_route route = {
            .dst = routes->prefixes[i].addr,
            .prefix_len = routes->prefixes[i].len,
        };
        error = rtnl_route_replace(nat.inside, apps, &route);
    }
    return failed(s, error, "apps.routes: %s", strerror(error));
}

int
nat_route_ues(int family, unsigned int room, uint32_t table)
{
    const struct rtnl_route routes[2] = {
        { .dst.s6_addr = { [10] = 0xff, 0xff }, .via = &ue_gateway4,
          .onlink = true, .mtu = room, .table = table },
        { .dst = in6addr_any, .via = &ue_gateway6, .onlink = true,
          .mtu = room > NAT_IPV6_MTU_MIN ? room : NAT_IPV6_MTU_MIN,
          .table = table },
    };

    return rtnl_route_replace(nat.inside, NAT_UE, &routes[family]);
}

/* Everything else is UEs.  The routes' MTU is less than the device's: so
 * packets from UEs may be as large as they come, and the kernel tells
 * applications (or fragments, or clamps the TCP MSS) in the other
 * direction. */
static int
route_ues(struct setup *s)
{
    const unsigned int room = nat.path_mtu - NAT_OUTER_HEADERS;
    int error = rtnl_neigh_replace(nat.inside, NAT_UE, &ue_gateway4, ue_mac);

    if (!error) {
        error = nat_route_ues(0, room, 0);
    }
    if (error) {
        return failed(s, error, "default route: %s", strerror(error));
    }
    error = rtnl_neigh_replace(nat.inside, NAT_UE, &ue_gateway6, ue_mac);
    if (!error) {
        error = nat_route_ues(1, room, 0);
    }
    /* A kernel without IPv6, or a device too small for it. */
    if (error == EAFNOSUPPORT || error == EOPNOTSUPP
        || s->mtu < NAT_IPV6_MTU_MIN) {
        error = 0;
    }
    return failed(s, error, "IPv6 default route: %s", strerror(error));
}

int
nat_weigh(uint64_t *weight)
{
    uint64_t inet = 0, netdev = 0;
    int error = nft_table_weigh(nat.nft, &nat_inet, &inet);

    if (!error) {
        error = nft_table_weigh(nat.nft, &nat_netdev, &netdev);
    }
    *weight = inet << 32 | netdev;
    return error;
}

static int
note(struct setup *s)
{
    struct rtnl_link ue;
    int error = rtnl_link_get(nat.inside, NAT_UE, &ue);

    if (error) {
        return failed(s, error, "%s", NAT_UE);
    }
    nat.ue_ifindex = ue.ifindex;
    return failed(s, nat_weigh(&nat.weight), "nftables in namespace %s",
                  s->conf->apps.namespace);
}

/* Takes back what has been made, last things first. */
static void
roll_back(struct setup *s)
{
    int own;

    if (s->moved_apps && !netns_open(NULL, &own)) {
        rtnl_link_move(nat.inside, s->conf->apps.interface, own);
        close(own);
    }
    if (s->made_inet || s->made_netdev) {
        struct nft_batch *b = nft_begin(nat.nft);

        if (s->made_inet) {
            nft_table_delete(b, &nat_inet);
        }
        if (s->made_netdev) {
            nft_table_delete(b, &nat_netdev);
        }
        nft_commit(b, NULL);
    }
    if (s->made_veth) {
        rtnl_link_delete(s->own, s->ue_port);
    }
    nat_close();
    if (s->made_netns) {
        netns_delete(s->conf->apps.namespace);
    }
}

int
nat_init(const struct conf *conf, const char *ue_port, unsigned int mtu,
         unsigned int down_mtu, char **what)
{
    /* Interfaces come before what refers to them.  The adapter has moved
     * before its sysctls are written. */
    static int (*const steps[])(struct setup *) = {
        open_all, check_apps, make_ue, install_rules, take_apps,
        write_sysctls, links_up, route_apps, route_ues, note,
    };
    char *unused;
    struct setup s = { .conf = conf, .ue_port = ue_port, .mtu = mtu,
                       .down_mtu = down_mtu, .what = what ? what : &unused };
    int error = 0;

    *s.what = NULL;
    nat_close();
    if (down_mtu <= NAT_OUTER_HEADERS) {
        error = failed(&s, EINVAL, "MTU %u: too small", down_mtu);
    }
    for (size_t i = 0; !error && i < sizeof steps / sizeof *steps; i++) {
        error = steps[i](&s);
    }
    if (error) {
        roll_back(&s);
    }
    rtnl_close(s.own);
    if (!what) {
        free(unused);
    }
    return error;
}

/* Gone, or down (and its routes with it); not if that cannot be told. */
static bool
is_lost(const char *name)
{
    struct rtnl_link link;
    int error = rtnl_link_get(nat.inside, name, &link);

    return error ? error == ENODEV : !link.up;
}

bool
nat_in_force(void)
{
    uint64_t weight;

    return (nat.open && (nat_weigh(&weight) || weight == nat.weight)
            && !is_lost(NAT_UE) && !is_lost(nat.conf->apps.interface));
}

void
nat_close(void)
{
    if (nat.open) {
        nat_path_abort();
        nat_flows_stop();
        nat_trace_abort();
        rtnl_close(nat.watch);
        rtnl_close(nat.inside);
        nat_probe_close();
        conntrack_close(nat.ct);
        nft_close(nat.reader);
        nft_close(nat.nft);
        close(nat.netns);
        nat = (struct nat) { .open = false };
    }
}
