/* SPDX-License-Identifier: GPL-3.0-or-later */

/* kernel/rtnl.h against the kernel, in a network namespace of the program's
 * own and in one with a name, which it makes and deletes.  What is made is
 * read back with `ip`. */

#define _GNU_SOURCE 1

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/ethtool.h"
#include "kernel/netdev.h"
#include "kernel/netns.h"
#include "kernel/rtnl.h"
#include "nettest.h"
#include "../unit/tap.h"

static struct rtnl *rtnl;

static void
test_links(void)
{
    static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
    struct rtnl_link a, b;

    tap_ok(rtnl_link_get(rtnl, "a0", &a) == ENODEV, "no such link");
    tap_ok(!rtnl_veth_ensure(rtnl, "a0", "b0", -1, 1500), "a veth is made");
    tap_ok(!rtnl_link_get(rtnl, "a0", &a) && a.mtu == 1500 && !a.up
           && !a.master, "its MTU is as asked for");
    tap_ok(!rtnl_veth_ensure(rtnl, "a0", "b0", -1, 1600)
           && !rtnl_link_get(rtnl, "a0", &b) && b.ifindex == a.ifindex
           && b.mtu == 1600, "it is adopted, its MTU set");
    tap_ok(!rtnl_link_set_mtu(rtnl, "a0", 1500)
           && !rtnl_link_set_mtu(rtnl, "b0", 1500), "MTU");
    tap_ok(!system("ip link set a0 address 02:00:00:00:00:09")
           && !rtnl_link_get(rtnl, "a0", &b) && !memcmp(b.mac, mac, 6),
           "MAC address");
    tap_ok(!rtnl_link_no_addrgen(rtnl, "a0")
           && !rtnl_link_no_addrgen(rtnl, "b0"), "addrgenmode none");
    tap_ok(!ethtool_offload_off(-1, "a0", OFFLOAD_TX_CSUM | OFFLOAD_TX_VLAN
                                | OFFLOAD_RX_VLAN | OFFLOAD_TSO)
           && !ethtool_offload_off(-1, "a0", OFFLOAD_TX_VLAN),
           "offloads off, twice");
    tap_ok(!rtnl_link_set_up(rtnl, "a0", true)
           && !rtnl_link_set_up(rtnl, "b0", true)
           && !rtnl_link_get(rtnl, "a0", &b) && b.up && b.carrier, "up");
    tap_ok(ethtool_offload_off(-1, "nosuch", OFFLOAD_TX_CSUM) == ENODEV
           && rtnl_link_set_up(rtnl, "nosuch", true) == ENODEV
           && rtnl_link_set_up(rtnl, "name-too-long-for-a-link", true)
           == ENODEV, "operations on what is not there");
    tap_ok(!rtnl_link_delete(rtnl, "nosuch"), "deleting it is no error");
}

/* True if that is, or soon becomes, the answer. */
static bool
answers(int (*can_xmit)(int ifindex, bool *can), int ifindex, bool wanted)
{
    for (int i = 0; i < 1500; i++) {
        bool can = !wanted;
        if (!can_xmit(ifindex, &can) && can == wanted) {
            return true;
        }
        usleep(10000);
    }
    return false;
}

/* A veth sends what is redirected to it only to a peer with GRO; a driver
 * without that function sends nothing. */
static void
test_xdp_xmit(const char *how, int (*can_xmit)(int ifindex, bool *can))
{
    struct rtnl_link a, bridge;
    bool can = true;

    tap_ok(!system("ethtool -K b0 gro off") && !rtnl_link_get(rtnl, "a0", &a)
           && answers(can_xmit, a.ifindex, false),
           "%s: a veth whose peer has no GRO cannot send by XDP", how);
    tap_ok(!ethtool_gro_on(-1, "b0") && answers(can_xmit, a.ifindex, true),
           "%s: one whose peer has GRO can", how);
    tap_ok(!system("ip link add xb type bridge && ip link add xp type veth "
                   "peer xq && ip link set xq up && ip link set xp up master xb "
                   "&& ip link set xb up")
           && !rtnl_link_get(rtnl, "xb", &bridge)
           && answers(can_xmit, bridge.ifindex, false),
           "%s: a driver without that", how);
    tap_ok(can_xmit(9999, &can) && !can && ethtool_gro_on(-1, "no"),
           "%s: what is not there", how);
    rtnl_link_delete(rtnl, "xb");
    rtnl_link_delete(rtnl, "xp");
}

/* Whoever is without carrier cannot be tried. */
static void
test_xdp_xmit_down(void)
{
    struct rtnl_link a;
    bool can = true;

    rtnl_link_set_up(rtnl, "b0", false);
    tap_ok(!rtnl_link_get(rtnl, "a0", &a)
           && netdev_try_xdp_xmit(a.ifindex, &can) == ENETDOWN && !can,
           "a link without carrier");
    rtnl_link_set_up(rtnl, "b0", true);
}

static void
test_addresses(void)
{
    static const char *const shown[] = {
        "192.0.2.1/24", "fd00::1/64",
        "default via 169.254.1.2 dev a0 proto static onlink mtu 1432",
        "default via fe80::2 dev a0 proto static",
        "198.0.2.0/23 dev a0",
        "1000:\tfrom all fwmark 0xfe000534 iif b0 lookup 70000",
        "default via 169.254.1.2 dev a0 proto static onlink mtu 1332",
        "169.254.1.2 dev a0 lladdr 02:00:00:00:00:00 PERMANENT",
        "fe80::2 dev a0 lladdr 02:00:00:00:00:00 PERMANENT", NULL
    };
    static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0 };
    struct in6_addr a4 = { .s6_addr = { [10] = 0xff, 0xff, 192, 0, 2, 1 } };
    struct in6_addr g4 = { .s6_addr = { [10] = 0xff, 0xff, 169, 254, 1, 2 } };
    struct in6_addr d4 = { .s6_addr = { [10] = 0xff, 0xff } };
    struct in6_addr a6 = { .s6_addr = { 0xfd, [15] = 1 } };
    struct in6_addr g6 = { .s6_addr = { 0xfe, 0x80, [15] = 2 } };
    struct rtnl_route route;
    char *s;

    tap_ok(!rtnl_addr_ensure(rtnl, "a0", &a4, 24)
           && !rtnl_addr_ensure(rtnl, "a0", &a4, 24)
           && !rtnl_addr_ensure(rtnl, "a0", &a6, 64)
           && !rtnl_addr_ensure(rtnl, "a0", &a6, 64), "addresses, twice");
    tap_ok(!rtnl_neigh_replace(rtnl, "a0", &g4, mac)
           && !rtnl_neigh_replace(rtnl, "a0", &g6, mac), "neighbours");
    route = (struct rtnl_route) { .dst = d4, .via = &g4, .onlink = true,
                                  .mtu = 1400 };
    tap_ok(!rtnl_route_replace(rtnl, "a0", &route), "a default route");
    route.mtu = 1432;
    tap_ok(!rtnl_route_replace(rtnl, "a0", &route), "in place of another");
    route.table = 70000;
    route.mtu = 1332;
    tap_ok(!rtnl_route_replace(rtnl, "a0", &route)
           && !rtnl_rule_ensure(rtnl, AF_INET, "b0", 0xfe000534, 70000)
           && !rtnl_rule_ensure(rtnl, AF_INET, "b0", 0xfe000534, 70000),
           "a route in a table of its own, and a rule for it, twice");
    route = (struct rtnl_route) { .dst = in6addr_any, .via = &g6,
                                  .onlink = true, .mtu = 1432 };
    tap_ok(!rtnl_route_replace(rtnl, "a0", &route), "one of IPv6");
    a4.s6_addr[12] = 198;       /* With host bits. */
    route = (struct rtnl_route) { .dst = a4, .prefix_len = 23 };
    tap_ok(!rtnl_route_replace(rtnl, "a0", &route),
           "a route whose prefix has host bits");
    route = (struct rtnl_route) { .dst = a4, .prefix_len = 24, .via = &g6,
                                  .onlink = true };
    tap_ok(rtnl_route_replace(rtnl, "a0", &route) == EINVAL,
           "a gateway of the other family");
    s = output_of("ip addr show dev a0; ip route; ip -6 route; ip neigh;"
                  "ip -6 neigh; ip rule; ip route show table 70000");
    tap_ok(contains(s, shown) && !strstr(s, "1400"), "`ip` shows them");
    free(s);
}

static int
say_42(void *aux)
{
    *(struct rtnl_link *) aux = (struct rtnl_link) { .ifindex = 0 };
    return 42;
}

static void
test_sysctls(const char *name, int fd)
{
    char command[256], *s;

    tap_ok(!sysctl_write(fd, "1", "net/ipv4/conf/%s/rp_filter", "all"),
           "sysctl there");
    s = output_of("cat /proc/sys/net/ipv4/conf/all/rp_filter");
    tap_ok(*s == '0', "does not change it here");
    free(s);
    snprintf(command, sizeof command, "nsenter --net=/run/netns/%s "
             "cat /proc/sys/net/ipv4/conf/all/rp_filter", name);
    s = output_of(command);
    tap_ok(*s == '1', "but there");
    free(s);
    tap_ok(sysctl_write(fd, "1", "net/nosuch") == ENOENT
           && sysctl_write(fd, "x", "net/ipv4/ip_forward") == EINVAL,
           "errors of sysctls");
}

/* 'there' is in the namespace 'fd'. */
static void
test_veths_into(struct rtnl *there, int fd)
{
    struct rtnl_link link;

    tap_ok(!rtnl_veth_ensure(rtnl, "v0", "v1", fd, 1500)
           && !rtnl_link_get(there, "v1", &link)
           && !rtnl_veth_ensure(rtnl, "v0", "v1", fd, 1400)
           && !rtnl_link_get(there, "v1", &link) && link.mtu == 1400,
           "a veth into it, twice");
    free(output_of("ip link set v0 name other"));
    tap_ok(!rtnl_veth_ensure(rtnl, "v0", "v1", fd, 1500)
           && rtnl_link_get(rtnl, "other", &link) == ENODEV,
           "another's half is replaced");
    free(output_of("ip link del v0; ip link add v0 type dummy || "
                   "ip link add v0 type bridge"));
    tap_ok(rtnl_veth_ensure(rtnl, "v0", "v1", fd, 1500) == EEXIST
           && !rtnl_link_get(rtnl, "v0", &link),
           "what is no veth is left alone");
    rtnl_link_delete(rtnl, "v0");
    tap_ok(!rtnl_veth_ensure(rtnl, "v0", "v1", -1, 1500)
           && !rtnl_link_move(rtnl, "v1", fd)
           && !rtnl_link_get(there, "v1", &link)
           && rtnl_link_get(rtnl, "v1", &link) == ENODEV, "move");
    rtnl_link_delete(rtnl, "v0");
}

static void
test_netns(void)
{
    struct rtnl_link link;
    struct rtnl *there;
    char name[32], command[256], *s;
    bool made;
    int fd, fd2;

    snprintf(name, sizeof name, "tn-%d", (int) getpid());
    tap_ok(netns_open(name, &fd) == ENOENT, "no such namespace");
    tap_ok(netns_ensure("../x", &fd, NULL) == EINVAL
           && netns_ensure("", &fd, NULL) == EINVAL, "bad names");
    tap_ok(!netns_ensure(name, &fd, &made) && made, "a namespace is made");
    tap_ok(!netns_ensure(name, &fd2, &made) && !made, "and found");
    close(fd2);
    tap_ok(!rtnl_open(fd, &there) && !rtnl_link_get(there, "lo", &link)
           && link.up, "its loopback is up");
    tap_ok(rtnl_link_get(there, "a0", &link) == ENODEV
           && !rtnl_link_get(rtnl, "a0", &link), "it is another one");
    snprintf(command, sizeof command, "ip netns exec %s ip link", name);
    s = output_of(command);
    tap_ok(strstr(s, "lo:") != NULL, "`ip netns` knows it");
    free(s);
    tap_ok(netns_call(fd, say_42, &link) == 42
           && !rtnl_link_get(rtnl, "a0", &link), "a call, and back");

    test_sysctls(name, fd);
    test_veths_into(there, fd);
    rtnl_close(there);
    close(fd);
    tap_ok(!netns_delete(name) && !netns_delete(name)
           && netns_open(name, &fd) == ENOENT, "deleted, twice");
    snprintf(command, sizeof command, "/run/netns/%s", name);
    close(open(command, O_CREAT | O_WRONLY, 0600));
    tap_ok(netns_open(name, &fd) == ENOENT
           && !netns_ensure(name, &fd, &made) && made,
           "an empty file in its place is none");
    close(fd);
    netns_delete(name);
}

int
main(void)
{
    if (!own_namespace()) {
        return 0;
    }
    if (rtnl_open(-1, &rtnl)) {
        return 1;
    }
    rtnl_link_set_up(rtnl, "lo", true);
    test_links();
    test_xdp_xmit("as found", netdev_can_xdp_xmit);
    test_xdp_xmit("tried", netdev_try_xdp_xmit);
    test_xdp_xmit_down();
    test_addresses();
    test_netns();
    rtnl_close(rtnl);
    return tap_done();
}
