/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_NAT_PRIVATE_H
#define TOF_NAT_PRIVATE_H 1

/* What nat.c (the namespace), services.c (what is translated), usage.c (what
 * is counted) and rules.c (the rules) share. */

#include <stdbool.h>
#include <stdint.h>

#include "kernel/nft.h"

struct conf;
struct conntrack;
struct rtnl;

/* The namespace, once nat_init() has succeeded. */
struct nat {
    bool open;
    int netns;                  /* File descriptor. */
    const struct conf *conf;
    struct rtnl *inside;        /* Links in there. */
    uint64_t weight;            /* Of the rules: nft_table_weigh(). */
    struct nft *nft;
    struct nft *reader;         /* For what is read part by part. */
    struct conntrack *ct;
};
extern struct nat nat;

/* inet: tracking, translation, forwarding.  netdev: ue0's own hooks. */
extern const struct nft_table nat_inet, nat_netdev;

/* Maps of nat_inet: service to application, and application to the service
 * that its own connections seem to come from.  By family: [0] IPv4, [1]
 * IPv6. */
extern const struct nft_set nat_services[2], nat_apps[2];

/* Sets of nat_inet whose elements count: bearer id and service.  By family
 * and direction, which are bits of the index. */
enum { NAT_COUNT_DOWN = 1, NAT_COUNT_IPV6 = 2, NAT_N_COUNTS = 4 };
extern const struct nft_set nat_counts[NAT_N_COUNTS];

/* Puts all into the batch: tables, maps, chains, rules.  What is there stays,
 * the maps with what is in them, except for the rules, which are replaced. */
void nat_rules(struct nft_batch *, bool may_connect);

#endif /* nat/private.h */
