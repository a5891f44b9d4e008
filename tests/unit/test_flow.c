/* SPDX-License-Identifier: GPL-3.0-or-later */

/* flow.h: what is read of a UE's packet, byte by byte. */

#include <config.h>

#include "gtp/flow.h"

#include <string.h>

#include "tap.h"

static const uint8_t syn4[] = {
    0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 45, 0, 1, 198, 51, 100, 10,
    0x1b, 0x59, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 4, 0, 0, 0, 0, 0,
};
static const uint8_t udp6[] = {
    0x60, 0, 0, 0, 0, 8, 17, 64,
    0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    0x20, 1, 0xd, 0xb8, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    0x1b, 0x59, 0, 7, 0, 8, 0, 0,
};

static struct flow f;
static bool begins;

/* Reads 'packet' with one byte changed. */
static bool
read_with(const uint8_t *packet, size_t len, size_t at, uint8_t value)
{
    uint8_t copy[64];

    memcpy(copy, packet, len);
    copy[at] = value;
    return flow_read(&f, copy, len, &begins);
}

static bool
has_ports(uint16_t src, uint16_t dst)
{
    const uint8_t ports[] = { src >> 8, src, dst >> 8, dst };

    return !memcmp(f.ports, ports, sizeof ports);
}

int
main(void)
{
    tap_ok(sizeof f == 60, "no padding: it is a key");
    tap_ok(flow_read(&f, syn4, sizeof syn4, &begins) && begins
           && has_ports(7001, 80) && f.is_tcp, "a SYN begins a connection");
    tap_ok(read_with(syn4, sizeof syn4, 33, 0x12) && !begins
           && read_with(syn4, sizeof syn4, 33, 0x10) && !begins,
           "SYN ACK and ACK do not");
    tap_ok(read_with(syn4, sizeof syn4, 6, 0x20) && !begins
           && has_ports(0, 0) && !f.is_tcp, "a fragment has no ports");
    tap_ok(read_with(syn4, sizeof syn4, 0, 0x46) && has_ports(0, 0),
           "nor has a packet with IP options");
    tap_ok(flow_read(&f, udp6, sizeof udp6, &begins) && !begins
           && has_ports(7001, 7) && !f.is_tcp, "UDP over IPv6");
    tap_ok(read_with(udp6, sizeof udp6, 6, 44) && has_ports(0, 0),
           "extension headers hide ports");
    tap_ok(!flow_read(&f, syn4, 19, &begins), "no IP packet");
    return tap_done();
}
