/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FILTER_PRIVATE_H
#define TOF_FILTER_PRIVATE_H 1

/* What the files that compile the GTP Filter's rules share: the side, outer
 * and inner family that they are at, and the matches that rules are made of.
 * See rules.c for the chains. */

#include "filter/filter.h"
#include "filter/rules.h"
#include "gtp/gtpu.h"

#define UDP_LEN 8
#define MAX_HEADER (12 + 4 * GTPU_MAX_EXTENSIONS)

struct filter_compiler {
    const struct filter_rules *r;
    struct nft_batch *b;
    enum filter_side side;
    const char *dev;                    /* The adapter. */
    enum filter_queue copy, hold;       /* Of this side. */
    sa_family_t outer;                  /* AF_INET or AF_INET6. */
};

/* Chains have the side's name, "6" if the outer family is IPv6, 'what', and
 * 'n' if that is nonzero. */
void filter_chain_add(const struct filter_compiler *, const char *what, int n);
struct nftnl_rule *filter_rule(const struct filter_compiler *,
                               const char *what, int n);
/* Finishes the rule with a counter called 'why', if any, and a verdict, which
 * leads to 'what' and 'n' if it is NFT_GOTO. */
void filter_rule_end(const struct filter_compiler *, struct nftnl_rule *,
                     const char *why, int verdict, const char *what, int n);

/* Rules for an IPv6 header 'offset' bytes after the start of 'base': if either
 * address is an IPv4-mapped one, the packet is switched and counted as 'why'.
 * In a key it would be that IPv4 address. */
void filter_switch_mapped(const struct filter_compiler *, const char *what,
                          int n, enum nft_payload_bases base, uint32_t offset,
                          const char *why);

/* Match 'value' at 'offset' bytes after the header's start; integers in host
 * byte order.  They use up NFT_REG32_00. */
void filter_match_byte(struct nftnl_rule *, uint32_t offset, uint8_t mask,
                       enum nft_cmp_ops, uint8_t value);        /* Transport */
void filter_match_u16(struct nftnl_rule *, enum nft_payload_bases,
                      uint32_t offset, uint16_t mask, uint16_t value);
/* GTP-U version 1 with PT set, in UDP, in IP of 'outer', VLAN-tagged or not.
 * Later fragments cannot be known for that. */
enum filter_part {
    FILTER_WHOLE,
    FILTER_FIRST_FRAGMENT,
    FILTER_LATER_FRAGMENT,
};
void filter_match_gtpu(struct nftnl_rule *, sa_family_t outer,
                       enum filter_part);
/* An ICMP error that says that a G-PDU which the TOF has built is too big. */
void filter_match_too_big(struct nftnl_rule *, sa_family_t outer);
void filter_match_part(struct nftnl_rule *, sa_family_t outer,
                       enum filter_part);
/* To this host, from a peer on the compiler's side and to one on the other
 * side (rules_peers.c); anything, if each side has an adapter.  Uses up the
 * registers of a pair. */
void filter_match_direction(const struct filter_compiler *,
                            struct nftnl_rule *);
/* To this host, and to a peer on the other side. */
void filter_match_across(const struct filter_compiler *, struct nftnl_rule *);
void filter_match_inner(struct nftnl_rule *, sa_family_t inner,
                        uint32_t offset);
/* IP, UDP and GTP length fit each other. */
void filter_match_lengths(struct nftnl_rule *, sa_family_t outer);
/* ECN: "congestion experienced" in the outer header; and not ECN-capable in
 * the inner one, 'offset' bytes after the transport header's start. */
void filter_match_congestion(struct nftnl_rule *, sa_family_t outer);
void filter_match_not_ect(struct nftnl_rule *, sa_family_t inner,
                          uint32_t offset);
/* Only while heartbeats through Open vSwitch arrive. */
void filter_match_live(struct nftnl_rule *);

/* Load parts of keys: the outer addresses or the tunnel into registers from
 * NFT_REG32_00 on, what comes behind them from 'reg' on. */
#define REG_TEID NFT_REG32_08
#define REG_BEHIND_PAIR NFT_REG32_08
#define REG_BEHIND_TUNNEL NFT_REG32_09
void filter_load_pair(struct nftnl_rule *, sa_family_t outer);
void filter_load_tunnel(struct nftnl_rule *, sa_family_t outer);
void filter_load_receiver(struct nftnl_rule *, sa_family_t outer);
/* Outer addresses and IP identification, of a fragment. */
void filter_load_datagram(struct nftnl_rule *, sa_family_t outer);
void filter_load_family(struct nftnl_rule *, sa_family_t inner, uint32_t reg);
enum filter_address { FILTER_SRC, FILTER_DST };
/* Of the inner packet, which starts 'offset' bytes after the transport
 * header's start: an address, or the UE key in it. */
void filter_load_inner(struct nftnl_rule *, sa_family_t inner, uint32_t offset,
                       enum filter_address, uint32_t reg);
void filter_load_ue(struct nftnl_rule *, sa_family_t inner, uint32_t offset,
                    enum filter_address, uint32_t reg);

/* rules_gpdu.c: the chains that rules.c leads to with "i" and "hold",
 * for one side and outer family. */
void filter_gpdu_add_chains(const struct filter_compiler *);
void filter_gpdu_compile(const struct filter_compiler *);

/* rules_flows.c: a chain with what is to services, and those that it leads to:
 * with what stays on the normal way, and with what does not. */
struct filter_stay {
    const char *chain;
    const char *stays;
    int stays_n;
    const char *goes;
    int goes_n;
};
/* The inner packet, of 'family', starts at 'n'. */
void filter_stay_compile(const struct filter_compiler *,
                         const struct filter_stay *, sa_family_t family,
                         int n);
/* 'chain' has what is to services that are bypassed, and leads to "hold" with
 * what is to be reset, to 'known' with all else (NULL: that is switched, and
 * not copied). */
void filter_past_compile(const struct filter_compiler *, const char *chain,
                         const char *known, sa_family_t family, int n);

/* rules_peers.c: fills the sets that filter_match_direction() looks into. */
void filter_peers_compile(const struct filter_rules *, struct nft_batch *);
uint64_t filter_peers_hash(const struct filter_rules *, uint64_t hash);
uint64_t filter_hash(uint64_t hash, const void *, size_t);      /* FNV-1a */

/* rules_links.c: base chains at FILTER_ENB_LINK and FILTER_SGW_LINK. */
void filter_links_compile(const struct filter_rules *, struct nft_batch *);

#endif /* filter/private.h */
