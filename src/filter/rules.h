/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FILTER_RULES_H
#define TOF_FILTER_RULES_H 1

/* The GTP Filter's tables, compiled into an nftables transaction.  filter.c
 * says for which interfaces and timeouts.
 *
 *   rules.c          sets; from the adapter to the GTP-U message
 *   rules_gpdu.c     from the inner packet on
 *   rules_flows.c    connections to services that stay on the normal way, or
 *                    are reset
 *   rules_links.c    what Open vSwitch sends
 *   rules_peers.c    directions, where there is a single adapter
 *   match.c          what their rules are made of */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/nft.h"

struct ip_prefix_list;

struct filter_rules {
    const char *enb, *sgw;              /* S1-U adapters; may be one. */
    bool single;                        /* It is one, and the kernel routes. */
    const struct ip_prefix_list *enodebs, *sgws;        /* If 'single'. */
    const struct in6_addr *pingers;     /* Elements of "pingers"; no rules. */
    size_t n_pingers;
    int enb_ifindex, sgw_ifindex;
    bool links;                         /* There are FILTER_*_LINK. */
    int enb_link_ifindex;               /* FILTER_ENB_LINK */
    bool tagged;                        /* VLAN tags are no hindrance. */
    unsigned int mtu;                   /* The larger one of both adapters. */
    int queue_ifindex[4];               /* FILTER_QUEUE_LINK */
    unsigned int max_bearers;           /* That may be diverted. */
    bool learn_all;                     /* Rule 9 is there. */
    uint64_t evidence_ms;               /* Timeout of "divert", "bound". */
};

extern const struct nft_table filter_table, filter_hold_table;

/* Keys begin with a tunnel: outer source, outer destination, TEID.  Addresses
 * have 16 bytes, IPv4 as IPv4-mapped IPv6; numbers are in network byte order
 * if they are so in a packet.  A UE is known by its UE key: its IPv4 address,
 * or the /64 prefix of its IPv6 address. */
extern const struct nft_set
    filter_services,            /* Inner destinations that are services. */
    filter_bypassed,            /* Those that are switched meanwhile, as their
                                 * Apps are down; */
    filter_ended,               /* TCP connections that these Apps had: struct
                                 * tcp_connection. */
    filter_pingers,             /* Inner sources of Pinger replies. */
    filter_learned_set,         /* Tunnels and inner families of which no copy
                                 * is wanted. */
    filter_divert_set,          /* Proved uplink tunnels with their UE. */
    filter_bound,               /* The same with the inner family alone. */
    filter_down,                /* Proved downlink tunnels with their UE. */
    filter_down_bound,          /* The same with the inner family alone. */
    filter_l2,                  /* Outer source, destination, side : Ethernet
                                 * header with the VLAN tag put back. */
    filter_live,                /* Key 0 is there while OVS lives. */
    filter_stamp,               /* Says which rules are in force. */
    filter_fragments,           /* Outer source, destination, IP id of packets
                                 * whose first fragment has been held. */
    filter_lengths,             /* IP, UDP and GTP length that fit. */
    filter_stay_tcp,            /* Connections that stay on the normal way; */
    filter_stay_other,          /* and those that are not TCP. */
    filter_stay_tunnels,        /* Uplink tunnels that have such: receiver and
                                 * TEID. */
    filter_lease;               /* Marks that may be held. */

/* filter_learned_set, filter_bound, filter_down_bound */
struct filter_tunnel_key {
    struct in6_addr src, dst;
    uint32_t teid;                      /* Network byte order. */
    uint32_t family;                    /* FILTER_INNER_* */
};
#define FILTER_INNER_IPV4 htonl(4)
#define FILTER_INNER_IPV6 htonl(6)

struct filter_bearer_key {              /* filter_divert_set, filter_down */
    struct in6_addr src, dst;
    uint32_t teid;                      /* Network byte order. */
    struct in6_addr ue;                 /* UE key. */
};

struct filter_fragment_key {
    struct in6_addr src, dst;
    uint32_t id;                        /* Network byte order, padded. */
};

struct filter_stay_key {                /* See gtp/flow.h. */
    struct in6_addr sgw;
    uint32_t teid;                      /* Network byte order. */
    struct in6_addr src, dst;
    uint8_t ports[4];
};

struct filter_stay_tunnel_key {
    struct in6_addr dst;
    uint32_t teid;                      /* Network byte order. */
};

struct filter_lengths_key {             /* Network byte order. */
    uint16_t ip[2], udp[2], gtp[2];     /* The first of each; padded. */
};

struct filter_l2_key {
    struct in6_addr src, dst;
    uint32_t side;                      /* enum filter_side */
};

/* Hashes of what the rules depend on.  The first is of everything: together
 * with what the kernel then says of the table it is an element of "stamp",
 * which filter.c adds.  The second is of chains and sets alone, and an element
 * from the start: as long as it is the same, sets can be kept when the rules
 * are replaced. */
uint64_t filter_rules_stamp(const struct filter_rules *);
uint64_t filter_rules_layout(const struct filter_rules *);

/* The table that survives tofd.  Replaces its rules and, unless 'keep_sets',
 * all of it. */
void filter_rules_compile(const struct filter_rules *, bool keep_sets,
                          struct nft_batch *);

/* Whether 'has', which looks one up, still finds elements of the sets that
 * filter_rules_compile() fills: of "lengths", of the peers. */
typedef bool filter_has_fn(const struct nft_set *, const void *key);
bool filter_has_lengths(const struct filter_rules *, filter_has_fn *has);
bool filter_has_peers(const struct filter_rules *, filter_has_fn *has);

/* The table that dies with tofd. */
void filter_rules_compile_hold(const struct filter_rules *,
                               struct nft_batch *);

#endif /* filter/rules.h */
