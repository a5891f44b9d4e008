/* SPDX-License-Identifier: GPL-3.0-or-later */

/* G-PDUs, built: see gtpu_build.h. */

#include "gtp/gtpu_build.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "gtp/ecn.h"
#include "gtp/gtpu.h"

#define IP4_LEN 20
#define IP6_LEN 40
#define UDP_LEN 8
#define GTP_LEN 8
#define EXT_LEN 8
#define TTL 64
#define PDU_SESSION_CONTAINER 0x85

static void
put_ipv4(uint8_t *ip, const struct tunnel *t, uint8_t tos, size_t len)
{
    memset(ip, 0, IP4_LEN);
    ip[0] = 0x45;
    ip[1] = tos;
    put16(ip + 2, IP4_LEN + len);
    put16(ip + 4, OUTER_ID);
    ip[6] = 0x40;               /* Don't fragment. */
    ip[8] = TTL;
    ip[9] = IPPROTO_UDP;
    memcpy(ip + 12, &t->src.s6_addr[12], 4);
    memcpy(ip + 16, &t->dst.s6_addr[12], 4);
    put16(ip + 10, sum_finish(sum_bytes(ip, IP4_LEN, 0)));
}

static void
put_ipv6(uint8_t *ip, const struct tunnel *t, uint8_t tos, size_t len)
{
    uint8_t *udp = ip + IP6_LEN;
    uint16_t sum;

    put32(ip, 6u << 28 | (uint32_t) tos << 20 | OUTER_FLOW_LABEL);
    put16(ip + 4, len);
    ip[6] = IPPROTO_UDP;
    ip[7] = TTL;
    memcpy(ip + 8, &t->src, 16);
    memcpy(ip + 24, &t->dst, 16);
    sum = sum_finish(sum_bytes(udp, len,
                           sum_bytes(ip + 8, 32, len + IPPROTO_UDP)));
    put16(udp + 6, sum ? sum : 0xffff);
}

static void
put_gtpu(uint8_t *gtp, uint32_t teid, uint8_t qfi, size_t len)
{
    gtp[0] = qfi ? 0x34 : 0x30;
    gtp[1] = GTPU_GPDU;
    put16(gtp + 2, len);
    put32(gtp + 4, teid);
    if (qfi) {
        put32(gtp + GTP_LEN, PDU_SESSION_CONTAINER);
        put32(gtp + GTP_LEN + 4, 1u << 24 | (qfi & QFI_UPLINK ? 1u << 20 : 0)
                                 | (uint32_t) (qfi & QFI_MASK) << 8);
    }
}

uint8_t
gtpu_ecn(const void *ip_)
{
    const uint8_t *ip = ip_;

    return (ip[0] >> 4 == 4 ? ip[1] : ip[1] >> 4) & ECN_MASK;
}

void
gtpu_set_ecn(void *ip_, uint8_t ecn)
{
    uint8_t *ip = ip_;

    if (ip[0] >> 4 == 4) {
        ip[1] = (ip[1] & ~ECN_MASK) | ecn;
        put16(ip + 10, 0);
        put16(ip + 10, sum_finish(sum_bytes(ip, (ip[0] & 15) * 4, 0)));
    } else {
        ip[1] = (ip[1] & ~(ECN_MASK << 4)) | ecn << 4;
    }
}

size_t
gtpu_build(uint8_t *buf, size_t size, const struct tunnel *t, uint8_t dscp,
           uint8_t qfi, const void *inner, size_t len)
{
    const uint8_t tos = dscp << 2 | (len >= IP4_LEN ? gtpu_ecn(inner) : 0);
    const bool v4 = IN6_IS_ADDR_V4MAPPED(&t->dst);
    const size_t ip_len = v4 ? IP4_LEN : IP6_LEN;
    const size_t ext = qfi ? EXT_LEN : 0;
    const size_t udp_len = UDP_LEN + GTP_LEN + ext + len;
    uint8_t *udp = buf + ip_len;

    if (ip_len + udp_len > size || ip_len + udp_len > UINT16_MAX) {
        return 0;
    }
    put16(udp, GTPU_PORT);
    put16(udp + 2, GTPU_PORT);
    put16(udp + 4, udp_len);
    put16(udp + 6, 0);
    put_gtpu(udp + UDP_LEN, t->teid, qfi, ext + len);
    memcpy(udp + UDP_LEN + GTP_LEN + ext, inner, len);
    if (v4) {
        put_ipv4(buf, t, tos, udp_len);
    } else {
        put_ipv6(buf, t, tos, udp_len);
    }
    return ip_len + udp_len;
}

int
gtpu_set_inner_source(void *ip_, size_t len, const struct in6_addr *src)
{
    const bool v4 = IN6_IS_ADDR_V4MAPPED(src);
    uint8_t *ip = ip_;

    if (len < (v4 ? IP4_LEN : IP6_LEN) || gtpu_inner_len(ip, len) != len) {
        return EINVAL;
    }
    if (ip[0] >> 4 != (v4 ? 4 : 6)) {
        return EAFNOSUPPORT;
    }
    if (v4) {
        memcpy(ip + 12, &src->s6_addr[12], 4);
        put16(ip + 10, 0);
        put16(ip + 10, sum_finish(sum_bytes(ip, (ip[0] & 15) * 4, 0)));
        return 0;
    }
    memcpy(ip + 8, src, 16);
    if (ip[6] == IPPROTO_ICMPV6 && len >= IP6_LEN + 4) {
        uint8_t *icmp = ip + IP6_LEN;
        size_t n = len - IP6_LEN;

        put16(icmp + 2, 0);
        put16(icmp + 2, sum_finish(sum_bytes(icmp, n,
                                         sum_bytes(ip + 8, 32,
                                                   n + IPPROTO_ICMPV6))));
    }
    return 0;
}

size_t
gtpu_inner_len(const void *ip_, size_t len)
{
    const uint8_t *ip = ip_;
    size_t own = 0;

    if (len >= IP4_LEN && ip[0] >> 4 == 4) {
        own = ip[2] << 8 | ip[3];
        own = own < (ip[0] & 15) * 4u || (ip[0] & 15) < 5 ? 0 : own;
    } else if (len >= IP6_LEN && ip[0] >> 4 == 6) {
        own = IP6_LEN + (ip[4] << 8 | ip[5]);
    }
    return own <= len ? own : 0;
}
