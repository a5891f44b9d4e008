/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Tests of the GTP-U parser, as tables of bytes.  Links gtpu.c and nothing
 * else, which shows that the parser depends on nothing else. */

#include "gtp/gtpu.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define MAX_BYTES 512

/* Inner packets. */
#define IN4 "45 00 00 1c 00 01 00 00 40 11 00 00" /* 28 bytes, UDP */  \
            "0a 2d 00 02 c6 33 64 0a"             /* 10.45.0.2 */     \
            "04 d2 00 50 00 08 00 00"             /* 1234 > 80 */
#define IN4_LEN 28

#define IN6_SRC "fd 00 00 45 00 00 00 00 00 00 00 00 00 00 00 02"
#define IN_MAPPED "00 00 00 00 00 00 00 00 00 00 ff ff 0a 2d 00 02"
#define IN6_DST "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 10"

/* Outer headers; the lengths follow where "%" stands. */
#define OUT4 "45 b8 %ip 00 07 00 00 3f 11 00 00" \
             "0a 01 00 01 0a 01 00 02"
#define OUT6 "6b 80 00 00 %plen 11 3e" \
             "fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 01" \
             "fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 02"
#define OUT6_FROM_MAPPED "6b 80 00 00 %plen 11 3e" IN_MAPPED \
             "fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 02"
#define OUT6_TO_MAPPED "6b 80 00 00 %plen 11 3e" \
             "fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 01" IN_MAPPED
#define UDP "08 68 08 68 %udp 00 00"

struct bytes {
    uint8_t b[MAX_BYTES];
    size_t n;
};

static void
put_be16(uint8_t *p, size_t value)
{
    p[0] = value >> 8;
    p[1] = value;
}

/* Turns hex digits into bytes.  "%ip", "%plen" and "%udp" are two bytes each:
 * the IPv4 total length, IPv6 payload length and UDP length that fit. */
static struct bytes
unhex(const char *s)
{
    struct bytes v = { .n = 0 };
    size_t ip = SIZE_MAX, plen = SIZE_MAX, udp = SIZE_MAX;

    while (*s) {
        if (*s == ' ') {
            s++;
        } else if (*s == '%') {
            *(s[1] == 'i' ? &ip : s[1] == 'p' ? &plen : &udp) = v.n;
            v.n += 2;
            s += strcspn(s, " ");
        } else {
            char digits[3] = { s[0], s[1], '\0' };

            v.b[v.n++] = strtoul(digits, NULL, 16);
            s += 2;
        }
    }
    if (ip != SIZE_MAX) {
        put_be16(&v.b[ip], v.n - ip + 2);
    }
    if (plen != SIZE_MAX) {
        put_be16(&v.b[plen], v.n - plen - 36);
    }
    if (udp != SIZE_MAX) {
        put_be16(&v.b[udp], v.n - udp + 4);
    }
    return v;
}

/* A copy of exactly 'n' bytes on the heap, so that AddressSanitizer and
 * valgrind see a read beyond them. */
static uint8_t *
exact(const struct bytes *v, size_t n)
{
    uint8_t *p = malloc(n ? n : 1);

    memcpy(p, v->b, n);
    return p;
}

static bool
addr_is(const struct in6_addr *addr, const char *s)
{
    struct in6_addr expected = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

    if (inet_pton(AF_INET, s, &expected.s6_addr[12]) != 1) {
        inet_pton(AF_INET6, s, &expected);
    }
    return !memcmp(addr, &expected, sizeof expected);
}

/* Messages, from the first byte of the GTP-U header. */
static const struct {
    const char *name;
    const char *hex;
    uint8_t type;
    uint32_t teid;
    int seq;                    /* -1: none. */
    int pdu_type;               /* -1: no PDU Session Container. */
    uint8_t qfi;
    size_t payload_len;
} good[] = {
    { "plain G-PDU",
      "30 ff 00 04 00 00 00 01" "de ad be ef",
      GTPU_GPDU, 1, -1, -1, 0, 4 },
    { "largest TEID",
      "30 ff 00 00 ff ff ff ff",
      GTPU_GPDU, UINT32_MAX, -1, -1, 0, 0 },
    { "spare bit is not evaluated",
      "38 ff 00 01 00 00 00 01" "aa",
      GTPU_GPDU, 1, -1, -1, 0, 1 },
    { "S: sequence number",
      "32 ff 00 05 00 00 00 01" "12 34 00 00" "aa",
      GTPU_GPDU, 1, 0x1234, -1, 0, 1 },
    { "PN alone: 4 more bytes, no sequence number",
      "31 ff 00 05 00 00 00 01" "12 34 56 00" "aa",
      GTPU_GPDU, 1, -1, -1, 0, 1 },
    { "S without E: the next-type byte means nothing",
      "32 ff 00 05 00 00 00 01" "12 34 00 85" "aa",
      GTPU_GPDU, 1, 0x1234, -1, 0, 1 },
    { "E without S: the sequence number means nothing",
      "34 ff 00 05 00 00 00 01" "12 34 00 00" "aa",
      GTPU_GPDU, 1, -1, -1, 0, 1 },
    { "PDU Session Container, uplink",
      "34 ff 00 09 00 00 00 01" "00 00 00 85" "01 10 09 00" "aa",
      GTPU_GPDU, 1, -1, 1, 9, 1 },
    { "PDU Session Container, downlink, 8 bytes, QFI with PPP and RQI bits",
      "34 ff 00 0c 00 00 00 01" "00 00 00 85" "02 00 ff e0 00 00 00 00",
      GTPU_GPDU, 1, -1, 0, 63, 0 },
    { "chain of PDCP PDU Number, UDP Port and PDU Session Container",
      "37 ff 00 11 00 00 00 01" "00 07 00 c0" "01 00 2a 40"
      "01 08 68 85" "01 10 05 00" "aa",
      GTPU_GPDU, 1, 7, 1, 5, 1 },
    { "second PDU Session Container is ignored",
      "34 ff 00 0c 00 00 00 01" "00 00 00 85" "01 00 01 85" "01 10 02 00",
      GTPU_GPDU, 1, -1, 0, 1, 0 },
    { "8 extension headers",
      "34 ff 00 25 00 00 00 01" "00 00 00 c0"
      "01 00 00 c0" "01 00 00 c0" "01 00 00 c0" "01 00 00 c0"
      "01 00 00 c0" "01 00 00 c0" "01 00 00 c0" "01 00 00 00" "aa",
      GTPU_GPDU, 1, -1, -1, 0, 1 },
    { "the GTP length decides where the packet ends",
      "30 ff 00 02 00 00 00 01" "aa bb cc cc",
      GTPU_GPDU, 1, -1, -1, 0, 2 },
    { "Echo Request",
      "32 01 00 04 00 00 00 00" "00 01 00 00",
      GTPU_ECHO_REQUEST, 0, 1, -1, 0, 0 },
    { "End Marker with a PDU Session Container",
      "34 fe 00 08 00 00 00 09" "00 00 00 85" "01 00 07 00",
      GTPU_END_MARKER, 9, -1, 0, 7, 0 },
};

static void
test_good(void)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct bytes v = unhex(good[i].hex);
        uint8_t *p = exact(&v, v.n);
        struct gtpu_msg m;
        enum gtpu_error error = gtpu_parse(p, v.n, &m);
        bool ok = (!error && m.flags == v.b[0] && m.type == good[i].type
                   && m.teid == good[i].teid
                   && m.has_seq == (good[i].seq >= 0)
                   && (!m.has_seq || m.seq == good[i].seq)
                   && m.pdu.present == (good[i].pdu_type >= 0)
                   && (!m.pdu.present || (m.pdu.type == good[i].pdu_type
                                          && m.pdu.qfi == good[i].qfi))
                   && m.payload_len == good[i].payload_len
                   && m.payload >= p && m.payload + m.payload_len <= p + v.n
                   && (!m.payload_len || *m.payload == 0xaa
                       || *m.payload == 0xde));

        if (!tap_ok(ok, "good message: %s", good[i].name)) {
            tap_diag("%s, payload %zu", gtpu_strerror(error), m.payload_len);
        }
        free(p);
    }
}

static const struct {
    const char *name;
    const char *hex;
    enum gtpu_error error;
} bad[] = {
    { "nothing", "", GTPU_E_TRUNCATED },
    { "7 bytes", "30 ff 00 00 00 00 00", GTPU_E_TRUNCATED },
    { "version 0", "10 ff 00 00 00 00 00 01", GTPU_E_VERSION },
    { "version 2", "50 ff 00 00 00 00 00 01", GTPU_E_VERSION },
    { "GTP prime", "20 ff 00 00 00 00 00 01", GTPU_E_VERSION },
    { "length beyond UDP's by 1",
      "30 ff 00 02 00 00 00 01" "aa", GTPU_E_LENGTH },
    { "length 65535",
      "30 ff ff ff 00 00 00 01" "aa", GTPU_E_LENGTH },
    { "S, and length 3",
      "32 ff 00 03 00 00 00 01" "12 34 00 00", GTPU_E_TRUNCATED },
    { "PN, and nothing more",
      "31 ff 00 00 00 00 00 01", GTPU_E_TRUNCATED },
    { "extension of length 0",
      "34 ff 00 08 00 00 00 01" "00 00 00 85" "00 10 09 00",
      GTPU_E_EXT_LENGTH },
    { "extension beyond the end",
      "34 ff 00 08 00 00 00 01" "00 00 00 85" "02 10 09 00",
      GTPU_E_EXT_LENGTH },
    { "extension beyond the GTP length, yet within UDP's",
      "34 ff 00 08 00 00 00 01" "00 00 00 85" "02 10 09 00" "00 00 00 00",
      GTPU_E_EXT_LENGTH },
    { "extension announced, and nothing more",
      "34 ff 00 04 00 00 00 01" "00 00 00 85", GTPU_E_EXT_LENGTH },
    { "second extension of length 0",
      "34 ff 00 0c 00 00 00 01" "00 00 00 c0" "01 00 00 85" "00 00 00 00",
      GTPU_E_EXT_LENGTH },
    { "extension without its next-type byte",
      "34 ff 00 07 00 00 00 01" "00 00 00 85" "01 10 09 00",
      GTPU_E_EXT_LENGTH },
    { "9 extension headers",
      "34 ff 00 28 00 00 00 01" "00 00 00 c0"
      "01 00 00 c0" "01 00 00 c0" "01 00 00 c0" "01 00 00 c0"
      "01 00 00 c0" "01 00 00 c0" "01 00 00 c0" "01 00 00 c0" "01 00 00 00",
      GTPU_E_EXT_COUNT },
};

static void
test_bad(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bytes v = unhex(bad[i].hex);
        uint8_t *p = exact(&v, v.n);
        struct gtpu_msg m;
        enum gtpu_error error = gtpu_parse(p, v.n, &m);

        if (!tap_ok(error == bad[i].error, "bad message: %s", bad[i].name)) {
            tap_diag("%s", gtpu_strerror(error));
        }
        free(p);
    }
}

/* Whole packets, from the first byte of the outer IP header. */
static const struct {
    const char *name;
    const char *hex;
    const char *src, *dst;      /* Outer. */
    uint8_t ttl;
    const char *inner_src, *inner_dst;
    uint8_t proto;
    int l4_len;                 /* -1: none. */
} good_packets[] = {
    { "IPv4 in IPv4",
      OUT4 UDP "30 ff 00 1c 00 00 00 01" IN4,
      "10.1.0.1", "10.1.0.2", 63,
      "10.45.0.2", "198.51.100.10", IPPROTO_UDP, 8 },
    { "IPv4 in IPv6",
      OUT6 UDP "30 ff 00 1c 00 00 00 01" IN4,
      "fd01::1", "fd01::2", 62,
      "10.45.0.2", "198.51.100.10", IPPROTO_UDP, 8 },
    { "outer IPv4 options",
      "47 b8 %ip 00 07 00 00 3f 11 00 00" "0a 01 00 01 0a 01 00 02"
      "94 04 00 00 01 01 01 00"
      UDP "30 ff 00 1c 00 00 00 01" IN4,
      "10.1.0.1", "10.1.0.2", 63,
      "10.45.0.2", "198.51.100.10", IPPROTO_UDP, 8 },
    { "outer IPv4, DF set",
      "45 b8 %ip 00 07 40 00 3f 11 00 00" "0a 01 00 01 0a 01 00 02"
      UDP "30 ff 00 1c 00 00 00 01" IN4,
      "10.1.0.1", "10.1.0.2", 63,
      "10.45.0.2", "198.51.100.10", IPPROTO_UDP, 8 },
    { "outer IPv6 hop-by-hop and destination options",
      "6b 80 00 00 %plen 00 3e"
      "fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 01"
      "fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 02"
      "3c 00 01 04 00 00 00 00" "11 01 01 0c 00 00 00 00 00 00 00 00 00 00"
      "00 00" UDP "30 ff 00 1c 00 00 00 01" IN4,
      "fd01::1", "fd01::2", 62,
      "10.45.0.2", "198.51.100.10", IPPROTO_UDP, 8 },
    { "Ethernet trailer after the IP length",
      "45 b8 00 40 00 07 00 00 3f 11 00 00" "0a 01 00 01 0a 01 00 02"
      "08 68 08 68 00 2c 00 00" "30 ff 00 1c 00 00 00 01" IN4 "00 00 00 00",
      "10.1.0.1", "10.1.0.2", 63,
      "10.45.0.2", "198.51.100.10", IPPROTO_UDP, 8 },
    { "IP length beyond UDP's",
      OUT4 "08 68 08 68 00 2c 00 00" "30 ff 00 1c 00 00 00 01" IN4
      "00 00 00 00",
      "10.1.0.1", "10.1.0.2", 63,
      "10.45.0.2", "198.51.100.10", IPPROTO_UDP, 8 },
    { "GTP length beyond the inner packet's",
      OUT4 UDP "30 ff 00 1e 00 00 00 01" IN4 "00 00",
      "10.1.0.1", "10.1.0.2", 63,
      "10.45.0.2", "198.51.100.10", IPPROTO_UDP, 8 },
    { "answer from port 2152",
      OUT4 "08 68 c0 00 %udp 00 00" "30 ff 00 1c 00 00 00 01" IN4,
      "10.1.0.1", "10.1.0.2", 63,
      "10.45.0.2", "198.51.100.10", IPPROTO_UDP, 8 },
    { "inner IPv4 options",
      OUT4 UDP "30 ff 00 20 00 00 00 01"
      "46 00 00 20 00 01 00 00 40 11 00 00" "0a 2d 00 02 c6 33 64 0a"
      "01 01 01 00" "04 d2 00 50 00 08 00 00",
      "10.1.0.1", "10.1.0.2", 63,
      "10.45.0.2", "198.51.100.10", IPPROTO_UDP, 8 },
    { "inner IPv4, first fragment",
      OUT4 UDP "30 ff 00 1c 00 00 00 01"
      "45 00 00 1c 00 01 20 00 40 11 00 00" "0a 2d 00 02 c6 33 64 0a"
      "04 d2 00 50 00 10 00 00",
      "10.1.0.1", "10.1.0.2", 63,
      "10.45.0.2", "198.51.100.10", IPPROTO_UDP, 8 },
    { "inner IPv4, later fragment",
      OUT4 UDP "30 ff 00 1c 00 00 00 01"
      "45 00 00 1c 00 01 00 01 40 11 00 00" "0a 2d 00 02 c6 33 64 0a"
      "04 d2 00 50 00 08 00 00",
      "10.1.0.1", "10.1.0.2", 63,
      "10.45.0.2", "198.51.100.10", IPPROTO_UDP, -1 },
    { "inner IPv4 without payload",
      OUT4 UDP "30 ff 00 14 00 00 00 01"
      "45 00 00 14 00 01 00 00 40 11 00 00" "0a 2d 00 02 c6 33 64 0a",
      "10.1.0.1", "10.1.0.2", 63,
      "10.45.0.2", "198.51.100.10", IPPROTO_UDP, 0 },
    { "inner IPv6, ICMPv6, and a PDU Session Container",
      OUT6 UDP "34 ff 00 38 00 00 00 01" "00 00 00 85" "01 10 01 00"
      "60 00 00 00 00 08 3a ff" IN6_SRC IN6_DST "80 00 00 00 00 00 00 00",
      "fd01::1", "fd01::2", 62,
      "fd00:45::2", "2001:db8::10", IPPROTO_ICMPV6, 8 },
    { "inner IPv6: destination options, AH, UDP",
      OUT4 UDP "30 ff 00 4c 00 00 00 01"
      "60 00 00 00 00 24 3c ff" IN6_SRC IN6_DST
      "33 00 01 04 00 00 00 00"
      "11 03 00 00 00 00 00 01 00 00 00 01 00 00 00 00 00 00 00 00"
      "04 d2 00 50 00 08 00 00",
      "10.1.0.1", "10.1.0.2", 63,
      "fd00:45::2", "2001:db8::10", IPPROTO_UDP, 8 },
    { "inner IPv6, first fragment",
      OUT4 UDP "30 ff 00 38 00 00 00 01"
      "60 00 00 00 00 10 2c ff" IN6_SRC IN6_DST
      "11 00 00 01 00 00 00 01" "04 d2 00 50 00 10 00 00",
      "10.1.0.1", "10.1.0.2", 63,
      "fd00:45::2", "2001:db8::10", IPPROTO_UDP, 8 },
    { "inner IPv6, later fragment",
      OUT4 UDP "30 ff 00 38 00 00 00 01"
      "60 00 00 00 00 10 2c ff" IN6_SRC IN6_DST
      "11 00 00 08 00 00 00 01" "04 d2 00 50 00 08 00 00",
      "10.1.0.1", "10.1.0.2", 63,
      "fd00:45::2", "2001:db8::10", IPPROTO_UDP, -1 },
    { "inner IPv6, extension header beyond the end: last header known",
      OUT4 UDP "30 ff 00 30 00 00 00 01"
      "60 00 00 00 00 08 3c ff" IN6_SRC IN6_DST "11 02 00 00 00 00 00 00",
      "10.1.0.1", "10.1.0.2", 63,
      "fd00:45::2", "2001:db8::10", IPPROTO_DSTOPTS, -1 },
};

static void
test_good_packets(void)
{
    for (size_t i = 0; i < sizeof good_packets / sizeof *good_packets; i++) {
        struct bytes v = unhex(good_packets[i].hex);
        uint8_t *p = exact(&v, v.n);
        struct gtpu_packet pkt;
        enum gtpu_error error = gtpu_parse_packet(p, v.n, &pkt);
        const struct gtpu_inner *in = &pkt.inner;
        int l4_len = in->l4 ? (int) in->l4_len : -1;
        bool later = strstr(good_packets[i].name, "later fragment");
        bool ok = (!error
                   && addr_is(&pkt.src, good_packets[i].src)
                   && addr_is(&pkt.dst, good_packets[i].dst)
                   && pkt.tos == 0xb8 && pkt.ttl == good_packets[i].ttl
                   && pkt.sport == GTPU_PORT
                   && (pkt.dport == GTPU_PORT || pkt.dport == 0xc000)
                   && pkt.msg.type == GTPU_GPDU && pkt.msg.teid == 1
                   && addr_is(&in->src, good_packets[i].inner_src)
                   && addr_is(&in->dst, good_packets[i].inner_dst)
                   && in->version == (strchr(good_packets[i].inner_src, ':')
                                      ? 6 : 4)
                   && in->proto == good_packets[i].proto
                   && in->later_fragment == later
                   && l4_len == good_packets[i].l4_len
                   && (l4_len < 1 || *in->l4 == 0x04 || *in->l4 == 0x80));

        if (!tap_ok(ok, "good packet: %s", good_packets[i].name)) {
            tap_diag("%s, protocol %d, transport %d bytes",
                     gtpu_strerror(error), in->proto, l4_len);
        }
        free(p);
    }
}

static const struct {
    const char *name;
    const char *hex;
    enum gtpu_error error;
} bad_packets[] = {
    { "nothing", "", GTPU_E_NOT_IP },
    { "version 5", "55 00 00 14 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
      "00", GTPU_E_NOT_IP },
    { "IHL 4",
      "44 b8 %ip 00 07 00 00 3f 11 00 00" "0a 01 00 01 0a 01 00 02"
      UDP "30 ff 00 1c 00 00 00 01" IN4, GTPU_E_NOT_IP },
    { "IPv4 total length within the header",
      "45 b8 00 13 00 07 00 00 3f 11 00 00" "0a 01 00 01 0a 01 00 02"
      UDP "30 ff 00 1c 00 00 00 01" IN4, GTPU_E_NOT_IP },
    { "IPv4 total length beyond what was captured",
      "45 b8 00 41 00 07 00 00 3f 11 00 00" "0a 01 00 01 0a 01 00 02"
      UDP "30 ff 00 1c 00 00 00 01" IN4, GTPU_E_TRUNCATED },
    { "IPv6 payload length beyond what was captured",
      "6b 80 00 00 00 2d 11 3e"
      "fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 01"
      "fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 02"
      UDP "30 ff 00 1c 00 00 00 01" IN4, GTPU_E_TRUNCATED },
    { "IPv4 first fragment",
      "45 b8 %ip 00 07 20 00 3f 11 00 00" "0a 01 00 01 0a 01 00 02"
      UDP "30 ff 00 1c 00 00 00 01" IN4, GTPU_E_FRAGMENT },
    { "IPv4 later fragment",
      "45 b8 %ip 00 07 10 00 3f 11 00 00" "0a 01 00 01 0a 01 00 02"
      "00 00 00 00", GTPU_E_FRAGMENT },
    { "IPv6 fragment header",
      "6b 80 00 00 %plen 2c 3e"
      "fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 01"
      "fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 02"
      "11 00 00 01 00 00 00 01" UDP "30 ff 00 1c 00 00 00 01" IN4,
      GTPU_E_FRAGMENT },
    { "IPv6 extension header beyond the end",
      "6b 80 00 00 %plen 3c 3e"
      "fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 01"
      "fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 02"
      "11 20 00 00 00 00 00 00", GTPU_E_TRUNCATED },
    { "TCP",
      "45 b8 %ip 00 07 00 00 3f 06 00 00" "0a 01 00 01 0a 01 00 02"
      UDP "30 ff 00 1c 00 00 00 01" IN4, GTPU_E_NOT_UDP },
    { "UDP, other ports",
      OUT4 "08 69 08 69 %udp 00 00" "30 ff 00 1c 00 00 00 01" IN4,
      GTPU_E_NOT_UDP },
    { "UDP header cut", OUT4 "08 68 08 68 00 08 00", GTPU_E_TRUNCATED },
    { "UDP length 7",
      OUT4 "08 68 08 68 00 07 00 00" "30 ff 00 1c 00 00 00 01" IN4,
      GTPU_E_TRUNCATED },
    { "UDP length beyond IP's",
      OUT4 "08 68 08 68 00 2d 00 00" "30 ff 00 1c 00 00 00 01" IN4,
      GTPU_E_TRUNCATED },
    { "UDP without payload", OUT4 "08 68 08 68 00 08 00 00",
      GTPU_E_TRUNCATED },
    { "GTP length beyond UDP's, though within IP's",
      OUT4 "08 68 08 68 00 28 00 00" "30 ff 00 1c 00 00 00 01" IN4,
      GTPU_E_LENGTH },
    { "G-PDU without payload",
      OUT4 UDP "30 ff 00 00 00 00 00 01", GTPU_E_INNER },
    { "inner version 0", OUT4 UDP "30 ff 00 04 00 00 00 01" "00 00 00 00",
      GTPU_E_INNER },
    { "inner IHL 4",
      OUT4 UDP "30 ff 00 1c 00 00 00 01"
      "44 00 00 1c 00 01 00 00 40 11 00 00" "0a 2d 00 02 c6 33 64 0a"
      "04 d2 00 50 00 08 00 00", GTPU_E_INNER },
    { "inner IPv4 options beyond its length",
      OUT4 UDP "30 ff 00 14 00 00 00 01"
      "46 00 00 14 00 01 00 00 40 11 00 00" "0a 2d 00 02 c6 33 64 0a",
      GTPU_E_INNER },
    { "inner IPv4 length beyond the GTP length",
      OUT4 UDP "30 ff 00 1b 00 00 00 01" IN4, GTPU_E_INNER },
    { "inner IPv6 length beyond the GTP length",
      OUT4 UDP "30 ff 00 30 00 00 00 01"
      "60 00 00 00 00 09 3a ff" IN6_SRC IN6_DST "80 00 00 00 00 00 00 00",
      GTPU_E_INNER },
    { "inner IPv6 header cut",
      OUT4 UDP "30 ff 00 18 00 00 00 01"
      "60 00 00 00 00 00 3a ff" IN6_SRC, GTPU_E_INNER },
    { "inner IPv6 from an IPv4-mapped address",
      OUT4 UDP "30 ff 00 28 00 00 00 01"
      "60 00 00 00 00 00 3b ff" IN_MAPPED IN6_DST, GTPU_E_INNER },
    { "inner IPv6 to an IPv4-mapped address",
      OUT4 UDP "30 ff 00 28 00 00 00 01"
      "60 00 00 00 00 00 3b ff" IN6_SRC IN_MAPPED, GTPU_E_INNER },
    { "outer IPv6 from an IPv4-mapped address",
      OUT6_FROM_MAPPED UDP "30 ff 00 1c 00 00 00 01" IN4, GTPU_E_NOT_IP },
    { "outer IPv6 to an IPv4-mapped address",
      OUT6_TO_MAPPED UDP "30 ff 00 1c 00 00 00 01" IN4, GTPU_E_NOT_IP },
};

static void
test_bad_packets(void)
{
    for (size_t i = 0; i < sizeof bad_packets / sizeof *bad_packets; i++) {
        struct bytes v = unhex(bad_packets[i].hex);
        uint8_t *p = exact(&v, v.n);
        struct gtpu_packet pkt;
        enum gtpu_error error = gtpu_parse_packet(p, v.n, &pkt);

        if (!tap_ok(error == bad_packets[i].error, "bad packet: %s",
                    bad_packets[i].name)) {
            tap_diag("%s", gtpu_strerror(error));
        }
        free(p);
    }
}

/* No part of a packet that lacks its end is well-formed, unless what lacks is
 * what comes after the IP length. */
static void
test_truncation(void)
{
    for (size_t i = 0; i < sizeof good_packets / sizeof *good_packets; i++) {
        struct bytes v = unhex(good_packets[i].hex);
        size_t ip_len = (v.b[0] >> 4 == 4
                         ? (size_t) (v.b[2] << 8 | v.b[3])
                         : 40 + (size_t) (v.b[4] << 8 | v.b[5]));
        bool ok = true;

        for (size_t n = 0; n < ip_len; n++) {
            uint8_t *p = exact(&v, n);
            struct gtpu_packet pkt;

            ok = ok && gtpu_parse_packet(p, n, &pkt) != GTPU_OK;
            free(p);
        }
        tap_ok(ok, "cut anywhere: %s", good_packets[i].name);
    }
}

/* The first bytes of a packet say what the whole does, from where its headers
 * are all there; before that they are no packet. */
static void
test_heads(void)
{
    for (size_t i = 0; i < sizeof good_packets / sizeof *good_packets; i++) {
        struct bytes v = unhex(good_packets[i].hex);
        struct gtpu_packet whole, head;
        bool ok = !gtpu_parse_packet(v.b, v.n, &whole);
        const uint8_t *ip = whole.msg.payload;
        const size_t at = ip - v.b;
        const size_t headers = at + (*ip >> 4 == 4 ? (*ip & 0xf) * 4 : 40);

        for (size_t n = 0; n <= v.n; n++) {
            uint8_t *p = exact(&v, n);
            const struct gtpu_inner *in = &head.inner;
            struct gtpu_inner bare;

            if (gtpu_parse_packet_head(p, n, &head)) {
                ok = ok && n < headers;
            } else {
                ok = ok && n >= headers && head.msg.payload == p + at
                     && head.msg.payload_len <= n - at
                     && head.msg.teid == whole.msg.teid
                     && addr_is(&in->src, good_packets[i].inner_src)
                     && addr_is(&in->dst, good_packets[i].inner_dst)
                     && in->length == whole.inner.length
                     && !gtpu_parse_inner_head(p + at, n - at, &bare)
                     && bare.proto == in->proto
                     && bare.length == in->length;
            }
            free(p);
        }
        tap_ok(ok, "its first bytes: %s", good_packets[i].name);
    }
}

static const struct {
    const char *name;
    const char *hex;            /* Information elements. */
    enum gtpu_error error;
    uint32_t teid;
    const char *peer;
} indications[] = {
    { "IPv4 peer", "10 00 00 12 34" "85 00 04 0a 01 00 01",
      GTPU_OK, 0x1234, "10.1.0.1" },
    { "IPv6 peer",
      "10 ff ff ff ff"
      "85 00 10 fd 01 00 00 00 00 00 00 00 00 00 00 00 00 00 01",
      GTPU_OK, UINT32_MAX, "fd01::1" },
    { "other elements between and after",
      "0e 05" "10 00 00 12 34" "8d 02 c0 85" "ff 00 03 00 01 02"
      "85 00 04 0a 01 00 01" "e7 00 04 00 00 00 00",
      GTPU_OK, 0x1234, "10.1.0.1" },
    { "no peer", "10 00 00 12 34", GTPU_E_TRUNCATED, 0, NULL },
    { "no TEID", "85 00 04 0a 01 00 01", GTPU_E_TRUNCATED, 0, NULL },
    { "empty", "", GTPU_E_TRUNCATED, 0, NULL },
    { "peer of 5 bytes", "10 00 00 12 34" "85 00 05 0a 01 00 01 00",
      GTPU_E_LENGTH, 0, NULL },
    { "peer beyond the end", "10 00 00 12 34" "85 00 04 0a 01 00",
      GTPU_E_TRUNCATED, 0, NULL },
    { "unknown element of fixed length",
      "11 00" "10 00 00 12 34" "85 00 04 0a 01 00 01",
      GTPU_E_TRUNCATED, 0, NULL },
};

static void
test_error_indications(void)
{
    for (size_t i = 0; i < sizeof indications / sizeof *indications; i++) {
        struct bytes v = unhex(indications[i].hex);
        uint8_t *p = exact(&v, v.n);
        struct gtpu_msg m = { .type = GTPU_ERROR_INDICATION, .payload = p,
                              .payload_len = v.n };
        uint32_t teid = 0;
        struct in6_addr peer;
        enum gtpu_error error = gtpu_parse_error_indication(&m, &teid, &peer);

        tap_ok(error == indications[i].error
               && (error || (teid == indications[i].teid
                             && addr_is(&peer, indications[i].peer))),
               "Error Indication: %s", indications[i].name);
        free(p);
    }
}

static void
test_names(void)
{
    bool ok = true;

    for (int i = 0; i < GTPU_N_ERRORS; i++) {
        ok = ok && gtpu_strerror(i) && *gtpu_strerror(i);
        ok = ok && gtpu_reason(i) && !strpbrk(gtpu_reason(i), " -");
        for (int j = 0; j < i; j++) {
            ok = ok && strcmp(gtpu_reason(i), gtpu_reason(j));
        }
    }
    tap_ok(ok, "each error has a sentence and a name of its own");
    tap_ok(!strcmp(gtpu_reason(GTPU_E_EXT_LENGTH), "ext_length"),
           "the name is a label");
    tap_ok(gtpu_strerror(GTPU_N_ERRORS) && gtpu_reason(GTPU_N_ERRORS),
           "no error of that number");
}

int
main(void)
{
    test_good();
    test_bad();
    test_good_packets();
    test_bad_packets();
    test_truncation();
    test_heads();
    test_error_indications();
    test_names();
    return tap_done();
}
