/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The GTP Filter's chains for what Open vSwitch sends, at the ends of its
 * links: see rules.c for the others.
 *
 * Towards the eNodeBs only what is for the UE that a proved downlink tunnel
 * belongs to leaves (set "down").  The switch's flows say the same, but its
 * cache may go on for a while with what they said before; a set of nftables is
 * exact as soon as a transaction is committed.  Not one answer that is under
 * way when a tunnel ends goes down that tunnel. */

#include <config.h>

#include "filter/private.h"

#include <arpa/inet.h>

#define LIVE_TIMEOUT_MS 350
#define HEARTBEAT_ETHERTYPE 0x8902      /* CFM, IEEE 802.1ag. */

#define EXT_PDU_SESSION 0x85
#define PDU_SESSION_HEADER 16           /* With a container of 4 bytes. */

static void
add_base(struct nft_batch *b, const char *link)
{
    nft_chain_add(b, &filter_table, &(struct nft_chain) {
                      .name = link, .type = "filter",
                      .hook = NF_NETDEV_INGRESS, .dev = link });
}

static struct nftnl_rule *
heartbeat(const char *link)
{
    struct nftnl_rule *r = nft_rule(&filter_table, link);

    filter_match_u16(r, NFT_PAYLOAD_LL_HEADER, 12, 0xffff,
                     HEARTBEAT_ETHERTYPE);
    return r;
}

/* Open vSwitch builds with IP id 0, or flow label 0. */
static void
compile_marks(struct nft_batch *b, const char *link)
{
    const uint32_t mask = htonl(0xfff00000), label = htonl(OUTER_FLOW_LABEL);
    const uint16_t id = htons(OUTER_ID);
    struct nftnl_rule *r = nft_rule(&filter_table, link);

    filter_match_gtpu(r, AF_INET, FILTER_WHOLE);
    nft_x_imm(r, NFT_REG32_00, &id, sizeof id);
    nft_x_ip4_set(r, 4, sizeof id, NFT_REG32_00);
    nft_rule_add(b, r);

    r = nft_rule(&filter_table, link);
    filter_match_gtpu(r, AF_INET6, FILTER_WHOLE);
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 0, sizeof mask,
                  NFT_REG32_00);
    nft_x_bitwise(r, NFT_REG32_00, &mask, &label, sizeof mask);
    nft_x_payload_set(r, NFT_PAYLOAD_NETWORK_HEADER, 0, sizeof mask,
                      NFT_REG32_00);
    nft_rule_add(b, r);
}

/* Built G-PDUs have no optional fields, or a PDU Session Container and
 * nothing else. */
static void
match_built(struct nftnl_rule *r, unsigned int header)
{
    const bool container = header == PDU_SESSION_HEADER;

    filter_match_byte(r, UDP_LEN, 0xff, NFT_CMP_EQ, container ? 0x34 : 0x30);
    filter_match_byte(r, UDP_LEN + 1, 0xff, NFT_CMP_EQ, GTPU_GPDU);
    if (container) {
        filter_match_byte(r, UDP_LEN + 11, 0xff, NFT_CMP_EQ, EXT_PDU_SESSION);
        filter_match_byte(r, UDP_LEN + 12, 0xff, NFT_CMP_EQ, 1);
        filter_match_byte(r, UDP_LEN + 15, 0xff, NFT_CMP_EQ, 0);
    }
}

/* Out of the adapter; or, if there is a single one, into the kernel's routing,
 * which finds the way out of it. */
static void
let_out(struct nftnl_rule *r, const struct filter_rules *rules,
        int adapter_ifindex, struct nft_batch *b)
{
    const uint8_t host = 0;

    nft_rule_comment(r, "sent");
    nft_x_counter(r);
    if (rules->single) {
        nft_x_imm(r, NFT_REG32_00, &host, sizeof host);
        nft_x_meta_set(r, NFT_META_PKTTYPE, NFT_REG32_00);
        nft_x_verdict(r, NF_ACCEPT, NULL);
    } else {
        nft_x_fwd(r, adapter_ifindex);
    }
    nft_rule_add(b, r);
}

static void
compile_guarded(struct nft_batch *b, const char *link,
                const struct filter_rules *rules, sa_family_t outer,
                sa_family_t inner, unsigned int header)
{
    struct nftnl_rule *r = nft_rule(&filter_table, link);

    filter_match_gtpu(r, outer, FILTER_WHOLE);
    match_built(r, header);
    filter_match_inner(r, inner, UDP_LEN + header);
    filter_load_tunnel(r, outer);
    filter_load_ue(r, inner, UDP_LEN + header, FILTER_DST, REG_BEHIND_TUNNEL);
    nft_x_lookup(r, filter_down.name, NFT_REG32_00, false);
    let_out(r, rules, rules->enb_ifindex, b);
}

/* Heartbeats are sent back in. */
static void
compile_enb_link(const struct filter_rules *rules, struct nft_batch *b)
{
    static const sa_family_t families[] = { AF_INET, AF_INET6 };
    static const unsigned int headers[] = { 8, PDU_SESSION_HEADER };
    const char *link = FILTER_ENB_LINK;
    struct nftnl_rule *r;

    add_base(b, link);
    r = heartbeat(link);
    nft_x_fwd(r, rules->enb_link_ifindex);
    nft_rule_add(b, r);
    compile_marks(b, link);
    for (int i = 0; i < 8; i++) {
        compile_guarded(b, link, rules, families[i >> 2],
                        families[i >> 1 & 1], headers[i & 1]);
    }
    r = nft_rule(&filter_table, link);
    nft_rule_comment(r, "guarded");
    nft_x_counter(r);
    nft_x_verdict(r, NF_DROP, NULL);
    nft_rule_add(b, r);
}

/* A heartbeat has come all the way round and shows that Open vSwitch lives. */
static void
compile_sgw_link(const struct filter_rules *rules, struct nft_batch *b)
{
    const char *link = FILTER_SGW_LINK;
    const uint32_t key = 0;
    struct nftnl_rule *r;

    add_base(b, link);
    r = heartbeat(link);
    nft_x_imm(r, NFT_REG32_00, &key, sizeof key);
    nft_x_dynset(r, filter_live.name, NFT_DYNSET_OP_UPDATE, NFT_REG32_00, 0,
                 LIVE_TIMEOUT_MS);
    nft_x_verdict(r, NF_DROP, NULL);
    nft_rule_add(b, r);
    if (!rules->single) {
        /* Else what is switched comes by here, too, and stays as it is. */
        compile_marks(b, link);
    }
    let_out(nft_rule(&filter_table, link), rules, rules->sgw_ifindex, b);
}

void
filter_links_compile(const struct filter_rules *rules, struct nft_batch *b)
{
    compile_enb_link(rules, b);
    compile_sgw_link(rules, b);
}
