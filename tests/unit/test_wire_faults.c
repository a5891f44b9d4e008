/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is wrong with a wire (wire_faults.c), by what is seen of it. */

#include <config.h>

#include <string.h>

#include "filter/wire_faults.h"
#include "openvswitch/dynamic-string.h"
#include "tap.h"

#define BIT(FAULT) (1u << WIRE_##FAULT)

static struct wire_adapter
adapter(const char *name)
{
    return (struct wire_adapter) {
        .name = name, .there = true, .up = true, .carrier = true,
        .mtu = 1500, .master = 7, .port = true, .forwarding = true,
        .flood = true,
    };
}

/* A bridge of two adapters, as tof-net makes it. */
static struct wire_seen
bridge(void)
{
    return (struct wire_seen) {
        .adapter = { adapter("enb0"), adapter("sgw0") }, .bridge_up = true,
    };
}

static struct wire_seen
single(void)
{
    struct wire_seen seen = {
        .adapter = { adapter("s1u0") }, .single = true, .forwards = true,
        .forwards6 = true,
    };

    seen.adapter[0].master = 0;
    seen.adapter[0].port = false;
    return seen;
}

/* Both the faults and, as a part of it, the text. */
static void
check(const struct wire_seen *seen, uint32_t faults, const char *text,
      const char *what)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    uint32_t found = wire_judge(seen, &ds);

    if (!tap_ok(found == faults && strstr(ds_cstr(&ds), text), "%s", what)) {
        tap_diag("%x, expected %x: %s", found, faults, ds_cstr(&ds));
    }
    ds_destroy(&ds);
}

static void
test_whole(void)
{
    struct wire_seen b = bridge(), s = single();

    check(&b, 0, "", "a bridge that is as tof-net makes it has no fault");
    check(&s, 0, "", "nor has an adapter whose host forwards");
}

static void
test_adapters(void)
{
    struct wire_seen seen = bridge();

    seen.adapter[1] = (struct wire_adapter) { .name = "sgw0" };
    check(&seen, BIT(NO_ADAPTER), "there is no sgw0", "an adapter is missing");

    seen = bridge();
    seen.adapter[0].up = seen.adapter[0].carrier = false;
    seen.adapter[0].forwarding = false;
    check(&seen, BIT(ADAPTER_DOWN), "enb0 is down",
          "an adapter that is down has that fault alone");
    seen.adapter[0].up = true;
    check(&seen, BIT(NO_CARRIER), "enb0 has no carrier",
          "and one without a carrier that one");
    seen = bridge();
    seen.adapter[1].merges = "rx-gro-list";
    check(&seen, BIT(OFFLOAD), "rx-gro-list", "an offload joins packets");
    seen = bridge();
    seen.adapter[1].mtu = 9000;
    check(&seen, BIT(MTU), "1500 and sgw0 has 9000", "two MTUs");
}

static void
test_ports(void)
{
    struct wire_seen seen = bridge();

    seen.adapter[1].port = false;
    seen.adapter[1].master = 0;
    check(&seen, BIT(NOT_A_PORT), "sgw0 is in no bridge",
          "one adapter has left the bridge");
    seen.adapter[0].port = false;
    check(&seen, BIT(NO_BRIDGE), "are in no bridge", "there is no bridge");
    seen = bridge();
    seen.adapter[1].master = 8;
    check(&seen, BIT(NOT_A_PORT), "two bridges", "a bridge for each adapter");
    seen = bridge();
    seen.adapter[0].forwarding = false;
    check(&seen, BIT(BLOCKED), "enb0 does not forward", "a blocked port");
    seen = bridge();
    seen.adapter[0].isolated = true;
    check(&seen, BIT(BLOCKED), "enb0 is isolated", "an isolated port");
    seen = bridge();
    seen.adapter[0].flood = false;
    check(&seen, BIT(BLOCKED), "enb0 is not flooded", "a port without flood");
    seen = bridge();
    seen.adapter[0].learning = true;
    check(&seen, BIT(LEARNING), "enb0 learns", "a port that learns");
}

static void
test_bridge(void)
{
    struct wire_seen seen = bridge();

    seen.bridge_up = false;
    seen.adapter[0].forwarding = seen.adapter[1].forwarding = false;
    check(&seen, BIT(BRIDGE_DOWN), "the bridge is down",
          "a bridge that is down, whose ports do not forward");
    seen = bridge();
    seen.netfilter = true;
    check(&seen, BIT(NETFILTER), "bridge-nf", "firewalls meet S1-U");
    seen = bridge();
    seen.vlan_filtering = true;
    check(&seen, BIT(BLOCKED), "filters VLANs", "a bridge of VLANs");
}

static void
test_single(void)
{
    struct wire_seen seen = single();

    seen.forwards = false;
    check(&seen, BIT(NO_FORWARDING), "net.ipv4.conf.s1u0.forwarding",
          "a host that does not forward IPv4");
    seen = single();
    seen.forwards6 = false;
    check(&seen, BIT(NO_FORWARDING), "net.ipv6.conf.s1u0.forwarding",
          "nor IPv6");
    seen = single();
    seen.refused = true;
    check(&seen, BIT(FIREWALL), "firewall", "a firewall in front of it");
    seen = single();
    seen.redirects = true;
    check(&seen, BIT(REDIRECTS), "redirects", "it sends redirects");
    seen = single();
    seen.adapter[0].port = true;
    check(&seen, BIT(NOT_A_PORT), "in a bridge", "its adapter is a port");
    seen = single();
    seen.adapter[0] = (struct wire_adapter) { .name = "s1u0" };
    seen.forwards = false;
    check(&seen, BIT(NO_ADAPTER), "there is no s1u0", "it has no adapter");
}

static void
test_severity(void)
{
    const uint32_t harmless = (BIT(OFFLOAD) | BIT(LEARNING) | BIT(REDIRECTS)
                               | BIT(MTU));
    const uint32_t by_hand = (BIT(NO_ADAPTER) | BIT(NO_CARRIER)
                              | BIT(FIREWALL) | BIT(MTU));
    const uint32_t all = (1u << WIRE_N_FAULTS) - 1;
    const uint32_t bridged = all & ~BIT(NO_BRIDGE);

    tap_ok(wire_cuts(all) == (all & ~harmless),
           "S1-U passes with some faults, and with no others");
    tap_ok(wire_mendable(bridged) == (bridged & ~by_hand),
           "tof-net can mend most of them");
    tap_ok(!wire_mendable(all), "and nothing where there is no bridge");
}

int
main(void)
{
    test_whole();
    test_adapters();
    test_ports();
    test_bridge();
    test_single();
    test_severity();
    return tap_done();
}
