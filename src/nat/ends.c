/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Where packets end that do not pass the NAT namespace.
 *
 * Place in the flow: a rule of rules.c that lets a packet not pass counts it,
 * and goes to the chain that is called like the reason:
 *
 *   from_ue    ... counter goto not_for_service
 *   not_for_service    [ip saddr UE limit log]  drop
 *
 * What is in brackets is there only while that UE is traced (trace.c), so that
 * the rules above, with what they count, are never touched for that. */

#include "nat/nat.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>
#include <linux/if_ether.h>

#include "nat/private.h"

#define REG NFT_REG32_00

/* Copies a second and reason: more than a trace shows, so that it says so if
 * there are more. */
#define LOG_RATE 10000
#define LOG_BURST 10000

/* What is looked at of an IPv6 address: a UE has a /64. */
#define IPV6_PREFIX_LEN 8

static void
drop(struct nftnl_rule *r)
{
    nft_x_verdict(r, NF_DROP, NULL);
}

static const struct nat_end ends[] = {
    { "invalid_from_ue", &nat_inet, false, drop },
    { "app_down", &nat_inet, false, nft_x_reset },
    { "too_many_new_connections", &nat_inet, false, drop },
    { "too_many_connections", &nat_inet, false, drop },
    { "not_for_service", &nat_inet, false, drop },
    { "ue_to_ue", &nat_inet, false, drop },
    { "app_to_service", &nat_inet, true, nft_x_prohibit },
    { "serves_no_service", &nat_inet, true, drop },
    { "error_to_host", &nat_inet, true, drop },
    { "own", &nat_inet, true, drop },
    { "own_without_bearer", &nat_inet, true, drop },
    { "invalid_to_ue", &nat_inet, true, drop },
    { "not_of_service", &nat_inet, true, drop },
    { "not_ip", &nat_netdev, false, drop },
    { "may_not_connect", &nat_netdev, true, drop },
};
#define N_ENDS (sizeof ends / sizeof *ends)

const struct nat_end *
nat_end_find(const char *reason)
{
    for (size_t i = 0; i < N_ENDS; i++) {
        if (!strcmp(ends[i].reason, reason)) {
            return &ends[i];
        }
    }
    return NULL;
}

void
nat_ends_add(struct nft_batch *b)
{
    for (size_t i = 0; i < N_ENDS; i++) {
        const struct nft_chain chain = { .name = ends[i].reason };

        nft_chain_add(b, ends[i].table, &chain);
    }
}

/* The packet is from that UE, or, if 'down', to it. */
static void
match_ue(struct nftnl_rule *r, const struct in6_addr *ue, bool down)
{
    const bool v4 = IN6_IS_ADDR_V4MAPPED(ue);
    const uint16_t ethertype = htons(v4 ? ETH_P_IP : ETH_P_IPV6);
    const uint32_t len = v4 ? 4 : IPV6_PREFIX_LEN;

    nft_x_meta(r, NFT_META_PROTOCOL, REG);
    nft_x_cmp(r, REG, NFT_CMP_EQ, &ethertype, sizeof ethertype);
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER,
                  v4 ? (down ? 16 : 12) : (down ? 24 : 8), len, REG);
    nft_x_cmp(r, REG, NFT_CMP_EQ, ue->s6_addr + (v4 ? 12 : 0), len);
}

void
nat_ends_fill(struct nft_batch *b, const struct in6_addr *traced)
{
    for (size_t i = 0; i < N_ENDS; i++) {
        const struct nat_end *end = &ends[i];
        struct nftnl_rule *r;

        nft_chain_flush(b, end->table, end->reason);
        if (traced) {
            r = nft_rule(end->table, end->reason);
            match_ue(r, traced, end->down);
            nft_x_limit(r, LOG_RATE, LOG_BURST);
            nft_x_log(r, NAT_LOG_GROUP, end->reason);
            nft_rule_add(b, r);
        }
        r = nft_rule(end->table, end->reason);
        end->verdict(r);
        nft_rule_add(b, r);
    }
}
