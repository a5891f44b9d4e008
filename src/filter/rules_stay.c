/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The GTP Filter's rules for connections that stay on the normal way, though
 * they are to a service: see gtp/flow.h.
 *
 * They are in the chains of rules_gpdu.c in which that has found packets to
 * services: the kernel allows 15 gotos behind each other, and there are so many
 * where a G-PDU has 8 extension headers.
 * Most tunnels have no such connection, and their packets go on at once. */

#include <config.h>

#include "filter/private.h"

#include "gtp/flow.h"

/* Keys are struct filter_stay_key, from NFT_REG32_00 on. */
#define REG_FLOW_TEID NFT_REG32_04
#define REG_FLOW_SRC NFT_REG32_05
#define REG_FLOW_DST NFT_REG32_09
#define REG_FLOW_PORTS NFT_REG32_13

#define IPV4_HEADER_LEN 20
#define IPV6_HEADER_LEN 40
#define TCP_FLAGS 13
#define TCP_SYN 0x02
#define TCP_SYN_ACK 0x12

static void
load_tunnel_end(const struct filter_compiler *c, struct nftnl_rule *r)
{
    filter_load_receiver(r, c->outer);
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, UDP_LEN + 4, 4,
                  REG_FLOW_TEID);
}

/* The transport header is right behind the IP header at 'inner'. */
static void
match_transport(struct nftnl_rule *r, sa_family_t family, uint32_t inner,
                uint8_t proto)
{
    if (family == AF_INET) {
        filter_match_byte(r, inner, 0xff, NFT_CMP_EQ, 0x45);
        filter_match_u16(r, NFT_PAYLOAD_TRANSPORT_HEADER, inner + 6, 0x3fff,
                         0);
        filter_match_byte(r, inner + 9, 0xff, NFT_CMP_EQ, proto);
    } else {
        filter_match_byte(r, inner + 6, 0xff, NFT_CMP_EQ, proto);
    }
}

/* 'proto' is 0 for packets whose ports are not looked at. */
static void
load_flow(const struct filter_compiler *c, struct nftnl_rule *r,
          sa_family_t family, uint32_t inner, uint8_t proto)
{
    const uint32_t none = 0;

    load_tunnel_end(c, r);
    filter_load_inner(r, family, inner, FILTER_SRC, REG_FLOW_SRC);
    filter_load_inner(r, family, inner, FILTER_DST, REG_FLOW_DST);
    if (proto) {
        nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER,
                      inner + (family == AF_INET ? IPV4_HEADER_LEN
                               : IPV6_HEADER_LEN), 4, REG_FLOW_PORTS);
    } else {
        nft_x_imm(r, REG_FLOW_PORTS, &none, sizeof none);
    }
}

/* A connection that begins anew does not stay: it is not found behind this. */
static void
compile_syn(const struct filter_compiler *c, const struct filter_stay *stay,
            sa_family_t family, int n)
{
    const uint32_t inner = UDP_LEN + n;
    const uint32_t flags = TCP_FLAGS + inner + (family == AF_INET
                                                ? IPV4_HEADER_LEN
                                                : IPV6_HEADER_LEN);
    struct nftnl_rule *r = filter_rule(c, stay->chain, n);

    match_transport(r, family, inner, IPPROTO_TCP);
    filter_match_byte(r, flags, TCP_SYN_ACK, NFT_CMP_EQ, TCP_SYN);
    load_flow(c, r, family, inner, IPPROTO_TCP);
    nft_x_dynset(r, filter_stay_tcp.name, NFT_DYNSET_OP_DELETE, NFT_REG32_00,
                 0, 0);
    nft_rule_add(c->b, r);
}

/* The next packet of a connection that stays; and of one by its ports that
 * does not, as all packets without ports between two addresses are one. */
static void
compile_flow(const struct filter_compiler *c, const struct filter_stay *stay,
             sa_family_t family, int n, uint8_t proto)
{
    const uint32_t inner = UDP_LEN + n;
    const bool tcp = proto == IPPROTO_TCP;
    const char *set = tcp ? filter_stay_tcp.name : filter_stay_other.name;
    struct nftnl_rule *r = filter_rule(c, stay->chain, n);

    if (proto) {
        match_transport(r, family, inner, proto);
    }
    load_flow(c, r, family, inner, proto);
    nft_x_lookup(r, set, NFT_REG32_00, false);
    nft_x_dynset(r, set, NFT_DYNSET_OP_UPDATE, NFT_REG32_00, 0,
                 tcp ? FLOW_TCP_MS : FLOW_OTHER_MS);
    nft_x_dynset(r, filter_stay_tunnels.name, NFT_DYNSET_OP_UPDATE,
                 NFT_REG32_00, 0, FLOW_TCP_MS);
    filter_rule_end(c, r, "stays", NFT_GOTO, stay->stays, stay->stays_n);

    r = filter_rule(c, stay->chain, n);
    if (proto) {
        match_transport(r, family, inner, proto);
    }
    filter_rule_end(c, r, NULL, NFT_GOTO, stay->goes, stay->goes_n);
}

void
filter_stay_compile(const struct filter_compiler *c,
                    const struct filter_stay *stay, sa_family_t family, int n)
{
    static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, 0 };
    struct nftnl_rule *r = filter_rule(c, stay->chain, n);

    load_tunnel_end(c, r);
    nft_x_lookup(r, filter_stay_tunnels.name, NFT_REG32_00, true);
    filter_rule_end(c, r, NULL, NFT_GOTO, stay->goes, stay->goes_n);

    compile_syn(c, stay, family, n);
    for (size_t i = 0; i < sizeof protos; i++) {
        compile_flow(c, stay, family, n, protos[i]);
    }
}
