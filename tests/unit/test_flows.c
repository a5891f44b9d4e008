/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The flow compilers: descriptions in, flows out. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "base/addr.h"
#include "base/tunnel.h"
#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "ovs/classifier.h"
#include "ovs/sff.h"
#include "packets.h"
#include "base/service_spec.h"
#include "tap.h"
#include "util.h"

static void
check(struct ds *ds, const char *expected, const char *name)
{
    if (!tap_ok(!strcmp(ds_cstr(ds), expected), "%s", name)) {
        tap_diag("expected:\n%s", expected);
        tap_diag("got:\n%s", ds_cstr(ds));
    }
    ds_clear(ds);
}

/* As check(), with an expected text that is formatted. */
static void OVS_PRINTF_FORMAT(3, 4)
check_f(struct ds *ds, const char *name, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *expected = xvasprintf(format, args);
    va_end(args);
    check(ds, expected, name);
    free(expected);
}

/* IPv6 inside and outside. */
static void
test_ipv6(const struct classifier_ports *ports)
{
    const struct sff_hop hops[] = { { 11, 12 } };
    const struct endpoint_bearer b = {
        .id = 0x01020304, .space = 0x0506, .ue = ip("2001:db8:1:2::"),
        .ue_addr = ip("2001:db8:1:2::5"),
        .up = { ip("fd01::1"), ip("fd01::2"), 0x11 },
        .down = { ip("fd01::3"), ip("fd01::4"), 0x22 },
        .up_qfi = QFI_PRESENT | 5, .down_qfi = QFI_PRESENT,
    };
    const uint32_t hash = hash_bytes(&b.down, sizeof b.down,
                                     hash_bytes(&b.up, sizeof b.up, 0)) | 1;
    struct service_spec spec = { .name = "web" };
    struct ds ds = DS_EMPTY_INITIALIZER;

    spec.service_ip = ip("2001:db8:5::10");
    classifier_bearer(ports, &b, 10, &ds);
    check_f(&ds, "IPv6, 5G: a bearer",
            "table=0,priority=100,in_port=1,tun_id=0x11,tun_ipv6_src=fd01::1,"
            "tun_ipv6_dst=fd01::2,ipv6,ipv6_src=2001:db8:1:2::/64,"
            "actions=set_field:02:00:01:02:03:04->eth_src,"
            "set_field:02:00:00:00:05:06->eth_dst,"
            "learn(table=20,priority=100,hard_timeout=10,cookie=0x1020304,"
            "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
            "NXM_NX_REG1[]=%#"PRIx32","
            "load:0x22->NXM_NX_TUN_ID[0..31],"
            "load:0xfd010000000000000000000000000003->NXM_NX_TUN_IPV6_SRC[],"
            "load:0xfd010000000000000000000000000004->NXM_NX_TUN_IPV6_DST[],"
            "load:0->NXM_NX_PKT_MARK[],load:0x100->NXM_NX_TUN_GTPU_QFI[],"
            "load:0x1->NXM_NX_REG0[]),"
            "goto_table:1\n"
            "table=19,priority=100,dl_dst=02:00:01:02:03:04,"
            "actions=load:%#"PRIx32"->NXM_NX_REG1[],resubmit(,20),"
            "goto_table:21\n", hash, hash);

    classifier_send_up(ports, &b, &ds);
    check(&ds, "set_field:2001:db8:1:2::5->ipv6_src,set_field:0x11->tun_id,"
          "set_field:fd01::1->tun_ipv6_src,set_field:fd01::2->tun_ipv6_dst,"
          "set_field:0->pkt_mark,set_field:0x145->tun_gtpu_qfi,output:1",
          "IPv6: a ping goes up from the UE's last address, with its QFI");

    classifier_send_down(ports, &b, &ds);
    check(&ds, "set_field:0x22->tun_id,set_field:fd01::3->tun_ipv6_src,"
          "set_field:fd01::4->tun_ipv6_dst,set_field:0->pkt_mark,"
          "set_field:0x100->tun_gtpu_qfi,output:1",
          "5G: an answer goes down with its QFI, which may be 0");

    classifier_service(&spec, 11, &ds);
    check(&ds, "table=1,priority=100,ipv6,ipv6_dst=2001:db8:5::10,"
          "actions=output:11\n", "IPv6: a service");

    sff_service(&spec, hops, 1, 2, &ds);
    check(&ds,
          "table=0,priority=100,ipv6,ipv6_dst=2001:db8:5::10,in_port=12,"
          "actions=output:2\n"
          "table=0,priority=100,ipv6,ipv6_src=2001:db8:5::10,in_port=11,"
          "actions=goto_table:19\n"
          "table=10,priority=100,ipv6,ipv6_src=2001:db8:5::10,"
          "actions=output:12\n", "IPv6: a chain");
    ds_destroy(&ds);
}

static void
test_bearer(const struct classifier_ports *ports)
{
    const struct endpoint_bearer b = {
        .id = 0x01020304, .space = 0x0506, .ue = ip("10.45.0.2"),
        .ue_addr = ip("10.45.0.2"), .up_dscp = 46, .down_dscp = 10,
        .up = { ip("10.1.0.1"), ip("10.1.0.2"), 0x11 },
        .down = { ip("10.1.0.3"), ip("10.1.0.4"), 0x22 },
    };
    const uint32_t hash = hash_bytes(&b.down, sizeof b.down,
                                     hash_bytes(&b.up, sizeof b.up, 0)) | 1;
    struct ds ds = DS_EMPTY_INITIALIZER;

    classifier_bearer(ports, &b, 10, &ds);
    check_f(&ds, "a bearer: id into the MAC, lease of its own tunnel",
          "table=0,priority=100,in_port=1,tun_id=0x11,tun_src=10.1.0.1,"
          "tun_dst=10.1.0.2,ip,nw_src=10.45.0.2,"
          "actions=set_field:02:00:01:02:03:04->eth_src,"
          "set_field:02:00:00:00:05:06->eth_dst,"
          "learn(table=20,priority=100,hard_timeout=10,cookie=0x1020304,"
          "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
          "NXM_NX_REG1[]=%#"PRIx32","
          "load:0x22->NXM_NX_TUN_ID[0..31],"
          "load:0xa010003->NXM_NX_TUN_IPV4_SRC[],"
          "load:0xa010004->NXM_NX_TUN_IPV4_DST[],"
          "load:0xa->NXM_NX_PKT_MARK[],"
          "load:0x1->NXM_NX_REG0[]),goto_table:1\n"
          "table=19,priority=100,dl_dst=02:00:01:02:03:04,"
          "actions=load:%#"PRIx32"->NXM_NX_REG1[],resubmit(,20),"
          "goto_table:21\n", hash, hash);

    classifier_lease(ports, &b, 10, &ds);
    check_f(&ds, "a lease says what the learn action says",
          "table=20,priority=100,hard_timeout=10,"
          "dl_dst=02:00:01:02:03:04,reg1=%#"PRIx32",actions="
          "load:0x22->NXM_NX_TUN_ID[0..31],"
          "load:0xa010003->NXM_NX_TUN_IPV4_SRC[],"
          "load:0xa010004->NXM_NX_TUN_IPV4_DST[],"
          "load:0xa->NXM_NX_PKT_MARK[],load:0x1->NXM_NX_REG0[]",
          hash);

    classifier_send_up(ports, &b, &ds);
    check(&ds, "set_field:10.45.0.2->ip_src,set_field:0x11->tun_id,"
          "set_field:10.1.0.1->tun_src,set_field:10.1.0.2->tun_dst,"
          "set_field:0x2e->pkt_mark,output:1", "a ping goes up as the UE");

    classifier_send_down(ports, &b, &ds);
    check(&ds, "set_field:0x22->tun_id,set_field:10.1.0.3->tun_src,"
          "set_field:10.1.0.4->tun_dst,set_field:0xa->pkt_mark,output:1",
          "an answer goes down, with the downlink tunnel's DSCP");
    ds_destroy(&ds);
}

static void
test_service(void)
{
    const struct sff_hop hops[] = { { 11, 12 }, { 21, 22 } };
    struct service_spec spec = { .name = "web" };
    struct ds ds = DS_EMPTY_INITIALIZER;

    spec.service_ip = ip("198.51.100.10");

    classifier_service(&spec, 11, &ds);
    check(&ds, "table=1,priority=100,ip,nw_dst=198.51.100.10,"
          "actions=output:11\n", "a service goes to its chain's first port");

    sff_service(&spec, hops, 0, 2, &ds);
    check(&ds, "table=10,priority=100,ip,nw_src=198.51.100.10,"
          "actions=goto_table:19\n", "without a chain: straight back");

    sff_service(&spec, hops, 2, 2, &ds);
    check(&ds,
          "table=0,priority=100,ip,nw_dst=198.51.100.10,in_port=12,"
          "actions=output:21\n"
          "table=0,priority=100,ip,nw_src=198.51.100.10,in_port=11,"
          "actions=goto_table:19\n"
          "table=0,priority=100,ip,nw_dst=198.51.100.10,in_port=22,"
          "actions=output:2\n"
          "table=0,priority=100,ip,nw_src=198.51.100.10,in_port=21,"
          "actions=output:12\n"
          "table=10,priority=100,ip,nw_src=198.51.100.10,"
          "actions=output:22\n",
          "a chain of two, there and back");

    sff_broken(&spec, &ds);
    check(&ds, "table=10,priority=100,ip,nw_src=198.51.100.10,actions=drop\n",
          "a function is missing: no answer gets past the chain");
    ds_destroy(&ds);
}

int
main(void)
{
    const struct classifier_ports ports = { .gtp = 1, .nat = 2 };

    test_bearer(&ports);
    test_service();
    test_ipv6(&ports);
    return tap_done();
}
