/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Directions where there is a single adapter, to which the network routes
 * S1-U: see rules.c for the rules that ask.
 *
 * Sets "enodebs" and "sgws" hold the peers' prefixes, as ranges.  What is not
 * from one to the other (X2-U, for instance), or not sent to this host, has no
 * direction and is left alone. */

#include <config.h>

#include "filter/private.h"

#include <linux/if_packet.h>

#include "conf/conf.h"

#define TYPE_IPV6 8                     /* See rules.c. */

static const struct nft_set enodebs = {
    .name = "enodebs", .key_len = 16, .key_type = TYPE_IPV6, .interval = true,
};
static const struct nft_set sgws = {
    .name = "sgws", .key_len = 16, .key_type = TYPE_IPV6, .interval = true,
};

/* Matches a packet that is addressed to this host's Ethernet address, and loads
 * its outer addresses. */
static void
load_pair_to_host(const struct filter_compiler *c, struct nftnl_rule *r)
{
    const uint8_t host = PACKET_HOST;

    nft_x_meta(r, NFT_META_PKTTYPE, NFT_REG32_00);
    nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, &host, sizeof host);
    filter_load_pair(r, c->outer);
}

void
filter_match_direction(const struct filter_compiler *c, struct nftnl_rule *r)
{
    const bool enb = c->side == SIDE_ENB;

    if (!c->r->single) {
        return;
    }
    load_pair_to_host(c, r);
    nft_x_lookup(r, (enb ? enodebs : sgws).name, NFT_REG32_00, false);
    nft_x_lookup(r, (enb ? sgws : enodebs).name, NFT_REG32_04, false);
}

void
filter_match_across(const struct filter_compiler *c, struct nftnl_rule *r)
{
    if (!c->r->single) {
        return;
    }
    load_pair_to_host(c, r);
    nft_x_lookup(r, (c->side == SIDE_ENB ? sgws : enodebs).name, NFT_REG32_04,
                 false);
}

/* Prefixes are nested or disjoint: is another one around it? */
static bool
is_nested(const struct ip_prefix_list *list, size_t i)
{
    const struct ip_prefix *p = &list->prefixes[i];

    for (size_t j = 0; j < list->n; j++) {
        const struct ip_prefix_list other = { &list->prefixes[j], 1 };

        if (j != i && other.prefixes->len <= p->len
            && ip_prefix_list_contains(&other, &p->addr)) {
            return true;
        }
    }
    return false;
}

/* '*end': the first address behind the prefix.  Returns false if there is
 * none. */
static bool
find_end(const struct ip_prefix *p, struct in6_addr *end)
{
    int bits = p->len + (IN6_IS_ADDR_V4MAPPED(&p->addr) ? 96 : 0);

    *end = p->addr;
    while (bits--) {
        end->s6_addr[bits / 8] ^= 0x80 >> bits % 8;
        if (end->s6_addr[bits / 8] & 0x80 >> bits % 8) {
            return true;
        }
    }
    return false;
}

static void
compile_peers(struct nft_batch *b, const struct nft_set *set,
              const struct ip_prefix_list *list)
{
    nft_set_add(b, &filter_table, set);
    nft_set_flush(b, &filter_table, set->name);
    for (size_t i = 0; i < list->n; i++) {
        const struct ip_prefix *p = &list->prefixes[i];
        struct in6_addr end;

        if (!is_nested(list, i)) {
            nft_range_add(b, &filter_table, set, &p->addr,
                          find_end(p, &end) ? &end : NULL);
        }
    }
}

void
filter_peers_compile(const struct filter_rules *rules, struct nft_batch *b)
{
    compile_peers(b, &enodebs, rules->enodebs);
    compile_peers(b, &sgws, rules->sgws);
}

bool
filter_has_peers(const struct filter_rules *rules, filter_has_fn *has)
{
    for (size_t i = 0; i < rules->enodebs->n; i++) {
        if (!has(&enodebs, &rules->enodebs->prefixes[i].addr)) {
            return false;
        }
    }
    for (size_t i = 0; i < rules->sgws->n; i++) {
        if (!has(&sgws, &rules->sgws->prefixes[i].addr)) {
            return false;
        }
    }
    return true;
}

uint64_t
filter_peers_hash(const struct filter_rules *rules, uint64_t hash)
{
    const struct ip_prefix_list *lists[] = { rules->enodebs, rules->sgws };

    for (size_t i = 0; rules->single && i < 2; i++) {
        for (size_t j = 0; j < lists[i]->n; j++) {
            const struct ip_prefix *p = &lists[i]->prefixes[j];

            hash = filter_hash(hash, &p->addr, sizeof p->addr);
            hash = filter_hash(hash, &p->len, sizeof p->len);
        }
        hash = filter_hash(hash, "", 1);
    }
    return hash;
}
