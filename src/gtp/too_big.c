/* SPDX-License-Identifier: GPL-3.0-or-later */

/* ICMP errors that say that a packet is too big: see too_big.h. */

#include "gtp/too_big.h"

#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "gtp/gtpu.h"
#include "gtp/gtpu_build.h"

#define IP4_LEN 20
#define IP6_LEN 40
#define UDP_LEN 8
#define GTP_LEN 8
#define ICMP_LEN 8
#define TTL 64
#define ICMP4_UNREACHABLE 3
#define ICMP4_FRAGMENTATION_NEEDED 4
#define ICMP4_QUOTE 548         /* RFC 1812 clause 4.3.2.3: 576 in all. */
#define ICMP6_TOO_BIG 2

static uint16_t
checksum6(const uint8_t *ip, const uint8_t *icmp, size_t len)
{
    return sum_finish(sum_bytes(icmp, len,
                                sum_bytes(ip + 8, 2 * 16,
                                          len + IPPROTO_ICMPV6)));
}

/* The UDP header and what is behind it, of which 'len' bytes are quoted. */
static bool
parse_quoted_gpdu(const uint8_t *udp, size_t len, struct too_big *t)
{
    const uint8_t *gtp = udp + UDP_LEN;

    if (len < UDP_LEN || get16(udp) != GTPU_PORT
        || get16(udp + 2) != GTPU_PORT) {
        return false;
    }
    t->tunnel.teid = 0;
    if (len >= UDP_LEN + GTP_LEN) {
        t->tunnel.teid = (uint32_t) get16(gtp + 4) << 16 | get16(gtp + 6);
        return gtp[0] >> 4 == 3 && gtp[1] == GTPU_GPDU && t->tunnel.teid;
    }
    return true;
}

static bool
parse_ip4(const uint8_t *icmp, size_t len, struct too_big *t)
{
    const uint8_t *ip = icmp + ICMP_LEN;

    if (len < ICMP_LEN + IP4_LEN || icmp[0] != ICMP4_UNREACHABLE
        || icmp[1] != ICMP4_FRAGMENTATION_NEEDED
        || sum_finish(sum_bytes(icmp, len, 0))
        || ip[0] != 0x45 || ip[9] != IPPROTO_UDP
        || get16(ip + 4) != OUTER_ID) {
        return false;
    }
    t->mtu = get16(icmp + 6);
    t->len = get16(ip + 2);
    t->tunnel.src = addr_of_ipv4(ip + 12);
    t->tunnel.dst = addr_of_ipv4(ip + 16);
    return parse_quoted_gpdu(ip + IP4_LEN, len - ICMP_LEN - IP4_LEN, t);
}

static bool
parse_ip6(const uint8_t *outer, const uint8_t *icmp, size_t len,
          struct too_big *t)
{
    const uint8_t *ip = icmp + ICMP_LEN;

    if (len < ICMP_LEN + IP6_LEN || icmp[0] != ICMP6_TOO_BIG || icmp[1]
        || checksum6(outer, icmp, len)
        || ip[0] >> 4 != 6 || ip[6] != IPPROTO_UDP
        || ((ip[1] & 0xf) << 16 | get16(ip + 2)) != OUTER_FLOW_LABEL) {
        return false;
    }
    t->mtu = get16(icmp + 4) ? UINT16_MAX : get16(icmp + 6);
    t->len = IP6_LEN + get16(ip + 4);
    memcpy(&t->tunnel.src, ip + 8, 16);
    memcpy(&t->tunnel.dst, ip + 24, 16);
    return parse_quoted_gpdu(ip + IP6_LEN, len - ICMP_LEN - IP6_LEN, t);
}

bool
too_big_parse(const void *ip_, size_t len, struct too_big *t)
{
    const uint8_t *ip = ip_;
    const size_t own = gtpu_inner_len(ip, len);

    if (own && ip[0] >> 4 == 4) {
        const size_t header = (ip[0] & 15) * 4;

        return (ip[9] == IPPROTO_ICMP && !(get16(ip + 6) & 0x3fff)
                && parse_ip4(ip + header, own - header, t));
    }
    return (own && ip[6] == IPPROTO_ICMPV6
            && parse_ip6(ip, ip + IP6_LEN, own - IP6_LEN, t));
}

/* What must not draw an ICMP error: another one (RFC 1122 clause 3.2.2, RFC
 * 4443 clause 2.4), and what is behind the first fragment. */
static bool
is_error(const uint8_t *ip, size_t len)
{
    if (ip[0] >> 4 == 4) {
        const size_t header = (ip[0] & 15) * 4;

        return ((get16(ip + 6) & 0x1fff)
                || (ip[9] == IPPROTO_ICMP && header < len
                    && (ip[header] == 3 || ip[header] == 11
                        || ip[header] == 12)));
    }
    return ip[6] == IPPROTO_ICMPV6 && (len <= IP6_LEN || ip[IP6_LEN] < 128);
}

static size_t
build_ip4(uint8_t *buf, const uint8_t *about, size_t len, unsigned int mtu)
{
    const size_t quote = len < ICMP4_QUOTE ? len : ICMP4_QUOTE;
    uint8_t *icmp = buf + IP4_LEN;

    memset(buf, 0, IP4_LEN + ICMP_LEN);
    buf[0] = 0x45;
    put16(buf + 2, IP4_LEN + ICMP_LEN + quote);
    buf[8] = TTL;
    buf[9] = IPPROTO_ICMP;
    memcpy(buf + 12, about + 16, 4);
    memcpy(buf + 16, about + 12, 4);
    put16(buf + 10, sum_finish(sum_bytes(buf, IP4_LEN, 0)));
    icmp[0] = ICMP4_UNREACHABLE;
    icmp[1] = ICMP4_FRAGMENTATION_NEEDED;
    put16(icmp + 6, mtu);
    memcpy(icmp + ICMP_LEN, about, quote);
    put16(icmp + 2, sum_finish(sum_bytes(icmp, ICMP_LEN + quote, 0)));
    return IP4_LEN + ICMP_LEN + quote;
}

static size_t
build_ip6(uint8_t *buf, const uint8_t *about, size_t len, unsigned int mtu)
{
    const size_t room = TOO_BIG_MAX - IP6_LEN - ICMP_LEN;
    const size_t quote = len < room ? len : room;
    uint8_t *icmp = buf + IP6_LEN;

    memset(buf, 0, IP6_LEN + ICMP_LEN);
    buf[0] = 0x60;
    put16(buf + 4, ICMP_LEN + quote);
    buf[6] = IPPROTO_ICMPV6;
    buf[7] = TTL;
    memcpy(buf + 8, about + 24, 16);
    memcpy(buf + 24, about + 8, 16);
    icmp[0] = ICMP6_TOO_BIG;
    put32(icmp + 4, mtu);
    memcpy(icmp + ICMP_LEN, about, quote);
    put16(icmp + 2, checksum6(buf, icmp, ICMP_LEN + quote));
    return IP6_LEN + ICMP_LEN + quote;
}

size_t
too_big_build(uint8_t buf[TOO_BIG_MAX], const void *about_, size_t len,
              unsigned int mtu)
{
    const uint8_t *about = about_;

    if (!len || gtpu_inner_len(about, len) != len || is_error(about, len)) {
        return 0;
    }
    return (about[0] >> 4 == 4 ? build_ip4 : build_ip6)(buf, about, len, mtu);
}
