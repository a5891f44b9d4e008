/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the GTP Filter's rules are made of: matches, and keys of its sets.  See
 * private.h; rules.c says what the rules are. */

#include <config.h>

#include "filter/private.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include "gtp/ecn.h"

/* Matches. */

void
filter_match_byte(struct nftnl_rule *r, uint32_t offset, uint8_t mask,
                  enum nft_cmp_ops op, uint8_t value)
{
    const uint8_t none = 0;

    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, offset, 1, NFT_REG32_00);
    if (mask != 0xff) {
        nft_x_bitwise(r, NFT_REG32_00, &mask, &none, 1);
    }
    nft_x_cmp(r, NFT_REG32_00, op, &value, 1);
}

void
filter_match_u16(struct nftnl_rule *r, enum nft_payload_bases base,
                 uint32_t offset, uint16_t mask, uint16_t value)
{
    uint16_t m = htons(mask), v = htons(value), none = 0;

    nft_x_payload(r, base, offset, 2, NFT_REG32_00);
    if (mask != 0xffff) {
        nft_x_bitwise(r, NFT_REG32_00, &m, &none, 2);
    }
    nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, &v, 2);
}

static void
match_protocol(struct nftnl_rule *r, uint16_t protocol)
{
    uint16_t v = htons(protocol);

    nft_x_meta(r, NFT_META_PROTOCOL, NFT_REG32_00);
    nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, &v, sizeof v);
}

/* Fragment offset, in the form of each family, and IPv4's "more fragments". */
static void
match_part_ip4(struct nftnl_rule *r, enum filter_part part)
{
    const uint16_t mask = htons(part == FILTER_LATER_FRAGMENT ? 0x1fff
                                : 0x3fff);
    const uint16_t value = htons(part == FILTER_FIRST_FRAGMENT ? 0x2000 : 0);
    const uint16_t none = 0;

    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 6, 2, NFT_REG32_00);
    nft_x_bitwise(r, NFT_REG32_00, &mask, &none, sizeof mask);
    nft_x_cmp(r, NFT_REG32_00, part == FILTER_LATER_FRAGMENT ? NFT_CMP_NEQ
              : NFT_CMP_EQ, &value, sizeof value);
}

static void
match_part_ip6(struct nftnl_rule *r, enum filter_part part)
{
    const uint16_t mask = htons(0xfff8), none = 0;

    if (part == FILTER_WHOLE) {
        nft_x_exthdr_exists(r, IPPROTO_FRAGMENT, NFT_REG32_00);
        nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, &none, 1);
    } else {
        nft_x_exthdr(r, IPPROTO_FRAGMENT, 2, 2, NFT_REG32_00);
        nft_x_bitwise(r, NFT_REG32_00, &mask, &none, sizeof mask);
        nft_x_cmp(r, NFT_REG32_00, part == FILTER_LATER_FRAGMENT ? NFT_CMP_NEQ
                  : NFT_CMP_EQ, &none, sizeof none);
    }
}

void
filter_match_part(struct nftnl_rule *r, sa_family_t outer,
                  enum filter_part part)
{
    if (outer == AF_INET) {
        match_part_ip4(r, part);
    } else {
        match_part_ip6(r, part);
    }
}

void
filter_match_gtpu(struct nftnl_rule *r, sa_family_t outer,
                  enum filter_part part)
{
    const uint8_t udp = IPPROTO_UDP;

    match_protocol(r, outer == AF_INET ? ETH_P_IP : ETH_P_IPV6);
    filter_match_part(r, outer, part);
    nft_x_meta(r, NFT_META_L4PROTO, NFT_REG32_00);
    nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, &udp, 1);
    if (part == FILTER_LATER_FRAGMENT) {
        return;
    }
    filter_match_u16(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 0xffff, GTPU_PORT);
    filter_match_byte(r, UDP_LEN, 0xf0, NFT_CMP_EQ, 0x30);
}

void
filter_match_too_big(struct nftnl_rule *r, sa_family_t outer)
{
    const bool v4 = outer == AF_INET;
    const uint8_t icmp = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    const uint32_t quoted = 8, udp = quoted + (v4 ? 20 : 40);
    const uint32_t mask = htonl(0xf00fffff), none = 0;
    const uint32_t first = htonl(0x60000000 | OUTER_FLOW_LABEL);

    match_protocol(r, v4 ? ETH_P_IP : ETH_P_IPV6);
    filter_match_part(r, outer, FILTER_WHOLE);
    nft_x_meta(r, NFT_META_L4PROTO, NFT_REG32_00);
    nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, &icmp, sizeof icmp);
    filter_match_u16(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 0xffff,
                     v4 ? 0x0304 : 0x0200);
    filter_match_byte(r, quoted + (v4 ? 9 : 6), 0xff, NFT_CMP_EQ,
                      IPPROTO_UDP);
    if (v4) {
        filter_match_byte(r, quoted, 0xff, NFT_CMP_EQ, 0x45);
        filter_match_u16(r, NFT_PAYLOAD_TRANSPORT_HEADER, quoted + 4, 0xffff,
                         OUTER_ID);
    } else {
        nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, quoted, sizeof first,
                      NFT_REG32_00);
        nft_x_bitwise(r, NFT_REG32_00, &mask, &none, sizeof mask);
        nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, &first, sizeof first);
    }
    filter_match_u16(r, NFT_PAYLOAD_TRANSPORT_HEADER, udp + 2, 0xffff,
                     GTPU_PORT);
}

void
filter_match_inner(struct nftnl_rule *r, sa_family_t inner, uint32_t offset)
{
    filter_match_byte(r, offset, 0xf0, NFT_CMP_EQ,
                      inner == AF_INET ? 0x40 : 0x60);
}

/* The ECN field: in the second byte of either family's header. */
static void
match_ecn(struct nftnl_rule *r, enum nft_payload_bases base, uint32_t offset,
          sa_family_t family, uint8_t ecn)
{
    const int shift = family == AF_INET ? 0 : 4;
    const uint8_t mask = ECN_MASK << shift, value = ecn << shift, none = 0;

    nft_x_payload(r, base, offset + 1, 1, NFT_REG32_00);
    nft_x_bitwise(r, NFT_REG32_00, &mask, &none, sizeof mask);
    nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, &value, sizeof value);
}

void
filter_match_congestion(struct nftnl_rule *r, sa_family_t outer)
{
    match_ecn(r, NFT_PAYLOAD_NETWORK_HEADER, 0, outer, ECN_CE);
}

void
filter_match_not_ect(struct nftnl_rule *r, sa_family_t inner,
                     uint32_t offset)
{
    match_ecn(r, NFT_PAYLOAD_TRANSPORT_HEADER, offset, inner, ECN_NOT_ECT);
}

void
filter_match_live(struct nftnl_rule *r)
{
    const uint32_t key = 0;

    nft_x_imm(r, NFT_REG32_00, &key, sizeof key);
    nft_x_lookup(r, filter_live.name, NFT_REG32_00, false);
}

/* Keys. */

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

void
filter_switch_mapped(const struct filter_compiler *c, const char *what, int n,
                     enum nft_payload_bases base, uint32_t offset,
                     const char *why)
{
    static const uint32_t addresses[] = { 8, 24 };

    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct nftnl_rule *r = filter_rule(c, what, n);

        nft_x_payload(r, base, offset + addresses[i], sizeof mapped,
                      NFT_REG32_00);
        nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, mapped, sizeof mapped);
        filter_rule_end(c, r, why, NF_ACCEPT, NULL, 0);
    }
}

/* An IPv4 address as IPv4-mapped IPv6. */
static void
load_ip4(struct nftnl_rule *r, enum nft_payload_bases base, uint32_t offset,
         uint32_t reg)
{
    nft_x_imm(r, reg, mapped, sizeof mapped);
    nft_x_payload(r, base, offset, 4, reg + 3);
}

void
filter_load_pair(struct nftnl_rule *r, sa_family_t outer)
{
    if (outer == AF_INET) {
        load_ip4(r, NFT_PAYLOAD_NETWORK_HEADER, 12, NFT_REG32_00);
        load_ip4(r, NFT_PAYLOAD_NETWORK_HEADER, 16, NFT_REG32_04);
    } else {
        nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 8, 32, NFT_REG32_00);
    }
}

void
filter_load_receiver(struct nftnl_rule *r, sa_family_t outer)
{
    if (outer == AF_INET) {
        load_ip4(r, NFT_PAYLOAD_NETWORK_HEADER, 16, NFT_REG32_00);
    } else {
        nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 24, 16, NFT_REG32_00);
    }
}

void
filter_load_datagram(struct nftnl_rule *r, sa_family_t outer)
{
    filter_load_pair(r, outer);
    if (outer == AF_INET) {
        nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 4, 2, REG_BEHIND_PAIR);
    } else {
        nft_x_exthdr(r, IPPROTO_FRAGMENT, 4, 4, REG_BEHIND_PAIR);
    }
}

void
filter_load_tunnel(struct nftnl_rule *r, sa_family_t outer)
{
    filter_load_pair(r, outer);
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, UDP_LEN + 4, 4, REG_TEID);
}

void
filter_load_family(struct nftnl_rule *r, sa_family_t inner, uint32_t reg)
{
    const uint32_t family = (inner == AF_INET ? FILTER_INNER_IPV4
                             : FILTER_INNER_IPV6);

    nft_x_imm(r, reg, &family, sizeof family);
}

void
filter_load_inner(struct nftnl_rule *r, sa_family_t inner, uint32_t offset,
                  enum filter_address which, uint32_t reg)
{
    if (inner == AF_INET) {
        load_ip4(r, NFT_PAYLOAD_TRANSPORT_HEADER,
                 offset + (which == FILTER_SRC ? 12 : 16), reg);
    } else {
        nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER,
                      offset + (which == FILTER_SRC ? 8 : 24), 16, reg);
    }
}

void
filter_load_ue(struct nftnl_rule *r, sa_family_t inner, uint32_t offset,
               enum filter_address which, uint32_t reg)
{
    if (inner == AF_INET) {
        filter_load_inner(r, inner, offset, which, reg);
    } else {
        const uint8_t zeros[8] = { 0 };

        nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER,
                      offset + (which == FILTER_SRC ? 8 : 24), 8, reg);
        nft_x_imm(r, reg + 2, zeros, sizeof zeros);
    }
}

void
filter_match_lengths(struct nftnl_rule *r, sa_family_t outer)
{
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, outer == AF_INET ? 2 : 4, 2,
                  NFT_REG32_00);
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 4, 2, NFT_REG32_01);
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, UDP_LEN + 2, 2,
                  NFT_REG32_02);
    nft_x_lookup(r, filter_lengths.name, NFT_REG32_00, false);
}
