/* SPDX-License-Identifier: GPL-3.0-or-later */

/* gtpu_build.h: byte tables, and what gtpu.c reads out of what is built; and
 * too_big.h. */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "gtp/ecn.h"
#include "gtp/gtpu.h"
#include "gtp/gtpu_build.h"
#include "gtp/too_big.h"
#include "address.h"
#include "tap.h"

/* 192.0.2.1 pings 203.0.113.10; header checksum right. */
static const uint8_t inner4[] = {
    0x45, 0x00, 0x00, 0x1c, 0x00, 0x00, 0x40, 0x00, 0x40, 0x01, 0x3c, 0xd6,
    192, 0, 2, 1, 203, 0, 113, 10,
    8, 0, 0xf7, 0xfc, 0, 1, 0, 2,
};

static uint16_t
sum16(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += i & 1 ? p[i] : p[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static void
test_ipv4(void)
{
    static const uint8_t head[] = {
        0x45, 0xb8, 0x00, 0x40, 0x7f, 0x0b, 0x40, 0x00, 0x40, 0x11,
        0xa6, 0xe5, 10, 1, 0, 2, 10, 1, 0, 1,
        0x08, 0x68, 0x08, 0x68, 0x00, 0x2c, 0x00, 0x00,
        0x30, 0xff, 0x00, 0x1c, 0x01, 0x02, 0x03, 0x04,
    };
    struct tunnel t = { ip("10.1.0.2"), ip("10.1.0.1"), 0x01020304 };
    uint8_t buf[100];
    size_t n = gtpu_build(buf, sizeof buf, &t, 0xb8 >> 2, 0, inner4,
                          sizeof inner4);

    tap_ok(n == sizeof head + sizeof inner4, "length");
    tap_ok(!memcmp(buf, head, sizeof head), "IPv4, UDP and GTP-U headers");
    tap_ok(!memcmp(buf + sizeof head, inner4, sizeof inner4), "payload");
    tap_ok(!gtpu_build(buf, n - 1, &t, 0, 0, inner4, sizeof inner4),
           "no room");
}

/* RFC 6040: what the tunnel's end makes of each pair. */
static void
test_ecn(void)
{
    static const int wanted[4][4] = {   /* By outer and inner field. */
        [ECN_NOT_ECT] = { 0, 1, 2, 3 }, [ECN_ECT1] = { 0, 1, 1, 3 },
        [ECN_ECT0] = { 0, 1, 2, 3 }, [ECN_CE] = { -1, 3, 3, 3 },
    };
    struct tunnel t = { ip("10.1.0.2"), ip("10.1.0.1"), 7 };
    uint8_t inner[sizeof inner4], buf[100], ip6[40] = { 0x6b, 0x8f };

    for (int outer = 0; outer < 4; outer++) {
        for (int i = 0; i < 4; i++) {
            tap_ok(ecn_behind_tunnel(outer, i) == wanted[outer][i],
                   "outer %d, inner %d", outer, i);
        }
    }
    memcpy(inner, inner4, sizeof inner);
    inner[1] = 0xb8;
    gtpu_set_ecn(inner, ECN_CE);
    tap_ok(inner[1] == 0xbb && gtpu_ecn(inner) == ECN_CE
           && sum16(inner, 20, 0) == 0xffff, "set, IPv4");
    gtpu_build(buf, sizeof buf, &t, 10, 0, inner, sizeof inner);
    tap_ok(buf[1] == (10 << 2 | 3), "copied to the outer header");
    gtpu_set_ecn(ip6, ECN_ECT1);
    tap_ok(ip6[0] == 0x6b && ip6[1] == 0x9f && gtpu_ecn(ip6) == ECN_ECT1,
           "set, IPv6");
}

static void
test_qfi(void)
{
    uint8_t gtp[] = {
        0x34, 0xff, 0x00, 0x24, 0x00, 0x00, 0x00, 0x07,
        0x00, 0x00, 0x00, 0x85, 0x01, 0x00, 0x09, 0x00,
    };
    struct tunnel t = { ip("10.1.0.2"), ip("10.1.0.1"), 7 };
    struct gtpu_packet p;
    uint8_t buf[100];
    size_t n = gtpu_build(buf, sizeof buf, &t, 0, QFI_PRESENT | 9, inner4,
                          sizeof inner4);

    tap_ok(!memcmp(buf + 28, gtp, sizeof gtp), "PDU Session Container");
    tap_ok(gtpu_parse_packet(buf, n, &p) == GTPU_OK && p.msg.pdu.present
           && p.msg.pdu.type == 0 && p.msg.pdu.qfi == 9
           && p.msg.payload_len == sizeof inner4, "is read back");

    gtpu_build(buf, sizeof buf, &t, 0, QFI_PRESENT, inner4, sizeof inner4);
    gtp[14] = 0;
    tap_ok(!memcmp(buf + 28, gtp, sizeof gtp), "QFI 0");
    gtpu_build(buf, sizeof buf, &t, 0, QFI_PRESENT | QFI_UPLINK | 63, inner4,
               sizeof inner4);
    gtp[13] = 0x10;
    gtp[14] = 63;
    tap_ok(!memcmp(buf + 28, gtp, sizeof gtp), "an uplink one");
}

static void
test_ipv6(void)
{
    struct tunnel t = { ip("fd01::2"), ip("fd01::1"), 9 };
    uint8_t buf[120], inner[29];
    struct gtpu_packet p;
    size_t n;

    memcpy(inner, inner4, sizeof inner4);
    inner[3]++;                 /* An odd length. */
    inner[28] = 0xab;
    n = gtpu_build(buf, sizeof buf, &t, 0x20 >> 2, 0, inner, sizeof inner);
    tap_ok(n == 40 + 8 + 8 + 29 && buf[0] == 0x62 && buf[1] == 9
           && buf[6] == IPPROTO_UDP, "IPv6 header with traffic class");
    tap_ok(sum16(buf + 40, n - 40, sum16(buf + 8, 32, n - 40 + IPPROTO_UDP))
           == 0xffff, "UDP checksum over an odd number of bytes");
    tap_ok(gtpu_parse_packet(buf, n, &p) == GTPU_OK && p.msg.teid == 9
           && !memcmp(&p.src, &t.src, 16) && !memcmp(&p.dst, &t.dst, 16),
           "is read back");
}

static void
test_inner(void)
{
    struct in6_addr ue = ip("10.45.0.9"), ue6 = ip("2001:db8::9");
    uint8_t ip[sizeof inner4], ip6[48] = {
        0x60, [5] = 8, [6] = IPPROTO_ICMPV6, [7] = 64,
        [24] = 0x20, 0x01, [40] = 128, [45] = 1,
    };

    memcpy(ip, inner4, sizeof ip);
    tap_ok(!gtpu_set_inner_source(ip, sizeof ip, &ue)
           && !memcmp(ip + 12, &ue.s6_addr[12], 4)
           && sum16(ip, 20, 0) == 0xffff
           && !memcmp(ip + 20, inner4 + 20, 8), "IPv4 source");
    tap_ok(!gtpu_set_inner_source(ip6, sizeof ip6, &ue6)
           && !memcmp(ip6 + 8, &ue6, 16)
           && sum16(ip6 + 40, 8, sum16(ip6 + 8, 32, 8 + IPPROTO_ICMPV6))
           == 0xffff, "IPv6 source and ICMPv6 checksum");
    tap_ok(gtpu_set_inner_source(ip, sizeof ip, &ue6) == EINVAL
           && gtpu_set_inner_source(ip6, sizeof ip6, &ue) == EAFNOSUPPORT,
           "the other family is refused");
    tap_ok(gtpu_inner_len(ip, sizeof ip) == 28
           && gtpu_inner_len(ip6, sizeof ip6) == 48
           && !gtpu_inner_len(ip, 27) && !gtpu_inner_len(ip6, 47)
           && !gtpu_inner_len(ip, 0), "length of inner packets");
}

/* A router's error about 'packet', of which 'quoted' bytes are quoted. */
static size_t
router_says(uint8_t *buf, const uint8_t *packet, size_t quoted,
            unsigned int mtu)
{
    const bool v4 = packet[0] >> 4 == 4;
    const size_t header = v4 ? 20 : 40;
    uint8_t *icmp = buf + header;
    uint32_t sum;

    memset(buf, 0, header + 8);
    memcpy(icmp + 8, packet, quoted);
    icmp[0] = v4 ? 3 : 2;
    icmp[1] = v4 ? 4 : 0;
    icmp[6] = mtu >> 8;
    icmp[7] = mtu;
    if (v4) {
        memcpy(buf, (uint8_t[20]) { 0x45, [8] = 64, IPPROTO_ICMP }, 20);
        buf[3] = 28 + quoted;
        sum = sum16(icmp, 8 + quoted, 0);
    } else {
        memcpy(buf, (uint8_t[8]) { 0x60, [6] = IPPROTO_ICMPV6, 64 }, 8);
        buf[5] = 8 + quoted;
        memset(buf + 8, 0xfd, 32);
        sum = sum16(icmp, 8 + quoted,
                    sum16(buf + 8, 32, 8 + quoted + IPPROTO_ICMPV6));
    }
    icmp[2] = ~sum >> 8;
    icmp[3] = ~sum;
    return header + 8 + quoted;
}

static void
test_too_big_of(const char *sgw, const char *enb)
{
    struct tunnel t = { ip(sgw), ip(enb), 0x01020304 };
    uint8_t packet[120], buf[200];
    size_t n = gtpu_build(packet, sizeof packet, &t, 0, 0, inner4,
                          sizeof inner4);
    const size_t header = packet[0] >> 4 == 4 ? 20 : 40;
    size_t len = router_says(buf, packet, n, 1400);
    struct too_big big;

    tap_ok(too_big_parse(buf, len, &big) && big.mtu == 1400 && big.len == n
           && !memcmp(&big.tunnel, &t, sizeof t), "%s: too big", sgw);
    tap_ok(!too_big_parse(buf, len - 1, &big), "cut");
    buf[header + 7] ^= 1;
    tap_ok(!too_big_parse(buf, len, &big), "a wrong checksum");

    len = router_says(buf, packet, header + 8, 0);
    tap_ok(too_big_parse(buf, len, &big) && !big.mtu && !big.tunnel.teid
           && !memcmp(&big.tunnel.dst, &t.dst, 16), "the least of a quote");
    for (size_t cut = 0; cut < header + 8; cut++) {
        len = router_says(buf, packet, cut, 1400);
        if (too_big_parse(buf, len, &big)) {
            tap_ok(false, "a quote of %zu bytes", cut);
        }
    }

    packet[header == 20 ? 5 : 3] ^= 1;
    len = router_says(buf, packet, n, 1400);
    tap_ok(!too_big_parse(buf, len, &big), "another one's packet");
    packet[header == 20 ? 5 : 3] ^= 1;
    packet[header + 3] ^= 1;
    len = router_says(buf, packet, n, 1400);
    tap_ok(!too_big_parse(buf, len, &big), "to another port");
}

/* What is told an application: by what it is about. */
static void
test_tell_too_big(void)
{
    uint8_t about[1400] = { 0 }, buf[TOO_BIG_MAX];
    size_t n;

    memcpy(about, (uint8_t[20]) { 0x45, [2] = 1400 >> 8, 1400 & 0xff,
                                  [8] = 64, IPPROTO_UDP, [12] = 198, 51, 100,
                                  10, 10, 45, 0, 1 }, 20);
    n = too_big_build(buf, about, sizeof about, 1332);
    tap_ok(n == 576 && sum16(buf, 20, 0) == 0xffff
           && sum16(buf + 20, n - 20, 0) == 0xffff && buf[20] == 3
           && buf[21] == 4 && buf[26] << 8 == (1332 & 0xff00)
           && !memcmp(buf + 12, about + 16, 4)
           && !memcmp(buf + 16, about + 12, 4)
           && !memcmp(buf + 28, about, 548), "fragmentation needed");
    about[9] = IPPROTO_ICMP;
    about[20] = 3;
    tap_ok(!too_big_build(buf, about, sizeof about, 1332),
           "no error about an error");
    about[20] = 8;
    tap_ok(too_big_build(buf, about, sizeof about, 1332)
           && !too_big_build(buf, about, sizeof about - 1, 1332),
           "but about a ping, if it is whole");

    memcpy(about, (uint8_t[8]) { 0x60, [4] = 1360 >> 8, 1360 & 0xff,
                                 IPPROTO_UDP, 64 }, 8);
    memset(about + 8, 0x20, 16);
    memset(about + 24, 0x21, 16);
    n = too_big_build(buf, about, sizeof about, 1332);
    tap_ok(n == 1280 && buf[40] == 2 && buf[8] == 0x21 && buf[24] == 0x20
           && (buf[46] << 8 | buf[47]) == 1332
           && sum16(buf + 40, n - 40, sum16(buf + 8, 32,
                                            n - 40 + IPPROTO_ICMPV6))
              == 0xffff, "packet too big");
}

int
main(void)
{
    test_ipv4();
    test_ecn();
    test_qfi();
    test_ipv6();
    test_inner();
    test_too_big_of("10.1.0.2", "10.1.0.1");
    test_too_big_of("fd01::2", "fd01::1");
    test_tell_too_big();
    return tap_done();
}
