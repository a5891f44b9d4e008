/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FILTER_RULES_H
#define TOF_FILTER_RULES_H 1

/* The GTP Filter's tables, compiled into an nftables transaction.  filter.c
 * says for which interfaces and timeouts. */

#include <stdbool.h>
#include <stdint.h>

#include "nft/nft.h"

struct filter_rules {
    const char *enb, *sgw;              /* S1-U adapters. */
    int enb_ifindex, sgw_ifindex;
    int enb_link_ifindex;               /* FILTER_ENB_LINK */
    int queue_ifindex[4];               /* FILTER_QUEUE_LINK */
    bool learn_all;                     /* Rule 9 is there. */
    uint64_t evidence_ms;               /* Timeout of "divert", "bound". */
};

extern const struct nft_table filter_table, filter_hold_table;

/* Keys are concatenations of outer source, outer destination, TEID and, in
 * "divert", inner source, 4 bytes each in network byte order. */
extern const struct nft_set
    filter_services,            /* Inner destinations that are services. */
    filter_pingers,             /* Inner sources of Pinger replies. */
    filter_learned_set,         /* Tunnels of which no copy is wanted. */
    filter_divert_set,            /* Proved uplink tunnels with their UE. */
    filter_bound,               /* The same without the UE. */
    filter_l2,                  /* Outer source, destination, side : Ethernet
                                 * header with the VLAN tag put back. */
    filter_live,                /* Key 0 is there while OVS lives. */
    filter_stamp,               /* Says which rules are in force. */
    filter_lease;               /* Marks that may be held. */

/* A hash of what the rules depend on: the element of "stamp". */
uint64_t filter_rules_stamp(const struct filter_rules *);

/* The table that survives tofd.  If it exists, its rules are replaced and
 * its sets are kept. */
void filter_rules_compile(const struct filter_rules *, struct nft_batch *);

/* The table that dies with tofd. */
void filter_rules_compile_hold(const struct filter_rules *,
                               struct nft_batch *);

#endif /* gtp/filter_rules.h */
