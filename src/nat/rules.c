/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The nftables rules of the NAT namespace.
 *
 * Place in the flow: nat.c has them installed at start.  A UE's packet comes
 * in on ue0 with source MAC 02:00:<bearer id> and destination MAC
 * 02:00:00:00:<address space>, and goes down the chains in this order:
 *
 *   ingress    it is for us, whatever its destination MAC says (heartbeats of
 *              Open vSwitch, which are no packets of UEs, are sent back)
 *   spaces     the address space is the conntrack zone of its direction.  This
 *              comes before fragments are put together, so that those of two
 *              UEs with one address and IP id stay apart: the kernel gathers
 *              the fragments of each zone for themselves
 *   from_ue    the bearer id is its mark and its flow's; connections to a
 *              service whose App is down, or to that one of its Apps, are
 *              reset; only services pass, and are counted; what makes a
 *              connection, new_from_ue bounds
 *   to_app     service -> application: of several, the one that the bucket of
 *              the UE has
 *   forward    TCP MSS
 *
 * Its IP id is made anew on the way (from_ue4): to an application, UEs with one
 * address are one host.
 *
 * An answer comes in on the Apps adapter; conntrack turns its addresses back:
 *
 *   prerouting for a path that is narrower than S1-U a mark, which leads to a
 *              routing table with routes as narrow; it is taken off again
 *   forward    TCP MSS; who opens a connection must serve a service, and is
 *              told by ICMP if he calls one
 *   as_service (a connection of the application's own: application -> service)
 *   to_ue      what goes to a UE takes the flow's mark; only services pass,
 *              and are counted
 *   egress     its mark goes into destination MAC 02:00:<bearer id>
 *
 * Marks hold the bearer id in host byte order, so that `conntrack -L` shows it
 * as a number; in the MAC address it is in network byte order.
 *
 * Nobody gets another one's packets by these rules of the mark:
 *
 *   - A flow takes it from packets in its original direction only.  A flow
 *     that an application opened has none: its packets leave with id 0, to be
 *     looked up by UE address, for the reply direction has no zone that would
 *     tell two UEs with one address apart.
 *   - Nobody in the Apps' network speaks as a service that his own address does
 *     not serve: a flow's answers come from the address that its packets went
 *     to, and who opens a flow is given the source of a service of his.
 *   - What belongs to no flow leaves for nobody: an application that answers
 *     when its service has gone would show its own address, to whoever has the
 *     UE's address by then.
 *   - ICMP errors do not set it: what an error quotes is up to its sender.
 *   - ICMP errors that are made here carry the mark of the very packet that
 *     they answer (sysctl fwmark_reflect): the flow that conntrack takes an
 *     error for may be that of another UE with the same address. */

#include "nat/nat.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>
#include <net/if.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>

#include "conf/conf.h"
#include "nat/private.h"

/* Where the identifiers are in the Ethernet header. */
#define SPACE_OFFSET 4          /* In the destination MAC, 2 bytes. */
#define BEARER_IN_OFFSET 8      /* In the source MAC, 4 bytes. */
#define BEARER_OUT_OFFSET 2     /* In the destination MAC, 4 bytes. */

#define IPV4_ID_OFFSET 4
#define IPV4_FLAGS_OFFSET 6
#define IPV4_DONT_FRAGMENT 0x40 /* In the first byte. */

#define TCP_FLAGS_OFFSET 13
#define TCP_FLAG_SYN 0x02
#define TCPOPT_MSS 2

#define REG NFT_REG32_00

/* Numbers that the nft command gives to its data types. */
enum { TYPE_IPADDR = 7, TYPE_IP6ADDR = 8, TYPE_U16 = 13, TYPE_MARK = 19 };
#define MARK_AND(TYPE) (TYPE_MARK << 6 | (TYPE))

/* Most pairs of bearer and service; those beyond are not counted.  Likewise
 * most bearers whose connections are bounded. */
#define MAX_COUNTS 2000000

/* New connections of a bearer.  Those that nft_x_connections_over_in() refuses
 * are forgotten with later ones, some 8 at each tick of the kernel's clock (of
 * 100 a second or more): so there must not be more than that. */
#define NEW_PER_SECOND 500
#define NEW_BURST 1000
#define NEW_TIMEOUT_MS (2 * 1000 * NEW_BURST / NEW_PER_SECOND)

const struct nft_table nat_inet = { NFPROTO_INET, "tof_nat" };
const struct nft_table nat_netdev = { NFPROTO_NETDEV, "tof_nat" };

const struct nft_set nat_services[2] = {
    { .name = "services4", .key_len = 4, .key_type = TYPE_IPADDR,
      .data_len = 4, .data_type = TYPE_IPADDR },
    { .name = "services6", .key_len = 16, .key_type = TYPE_IP6ADDR,
      .data_len = 16, .data_type = TYPE_IP6ADDR },
};
const struct nft_set nat_apps[2] = {
    { .name = "apps4", .key_len = 4, .key_type = TYPE_IPADDR,
      .data_len = 4, .data_type = TYPE_IPADDR },
    { .name = "apps6", .key_len = 16, .key_type = TYPE_IP6ADDR,
      .data_len = 16, .data_type = TYPE_IP6ADDR },
};

#define SERVICE_AND(TYPE, OTHER) ((TYPE) << 6 | (OTHER))
#define BUCKETS(NAME, LEN, TYPE)                                        \
    { .name = NAME, .key_len = (LEN) + 4,                               \
      .key_type = SERVICE_AND(TYPE, TYPE_MARK),                         \
      .data_len = LEN, .data_type = TYPE }
const struct nft_set nat_buckets[2] = {
    BUCKETS("buckets4", 4, TYPE_IPADDR), BUCKETS("buckets6", 16, TYPE_IP6ADDR),
};

#define PAIRS(NAME, LEN, TYPE, ...)                                     \
    { .name = NAME, .key_len = 2 * (LEN),                               \
      .key_type = SERVICE_AND(TYPE, TYPE), __VA_ARGS__ }
#define MEMBERS(NAME, LEN, TYPE)                                        \
    PAIRS(NAME, LEN, TYPE, .data_len = 4, .data_type = TYPE_MARK)
const struct nft_set nat_members[2] = {
    MEMBERS("members4", 4, TYPE_IPADDR), MEMBERS("members6", 16, TYPE_IP6ADDR),
};
const struct nft_set nat_lost[2] = {
    PAIRS("lost4", 4, TYPE_IPADDR, ), PAIRS("lost6", 16, TYPE_IP6ADDR, ),
};

const struct nft_set nat_ending[2] = {
    { .name = "ending4", .key_len = 4, .key_type = TYPE_IPADDR },
    { .name = "ending6", .key_len = 16, .key_type = TYPE_IP6ADDR },
};

#define COUNTS(NAME, LEN, TYPE)                                         \
    { .name = NAME, .key_len = 4 + (LEN), .key_type = MARK_AND(TYPE),   \
      .dynamic = true, .size = MAX_COUNTS }
const struct nft_set nat_counts[NAT_N_COUNTS] = {
    [0] = COUNTS("up4", 4, TYPE_IPADDR),
    [NAT_COUNT_DOWN] = COUNTS("down4", 4, TYPE_IPADDR),
    [NAT_COUNT_IPV6] = COUNTS("up6", 16, TYPE_IP6ADDR),
    [NAT_COUNT_IPV6 | NAT_COUNT_DOWN] = COUNTS("down6", 16, TYPE_IP6ADDR),
};

/* What bounds the connections of a bearer: how fast it makes them, and how many
 * there are. */
static const struct nft_set new_rates = {
    .name = "new_rates", .key_len = 4, .key_type = TYPE_MARK,
    .timeouts = true, .dynamic = true, .size = MAX_COUNTS
};
static const struct nft_set connections = {
    .name = "connections", .key_len = 4, .key_type = TYPE_MARK,
    .dynamic = true, .size = MAX_COUNTS
};

/* What differs between the families. */
static const struct family {
    uint8_t nfproto;
    uint16_t ethertype;
    uint32_t src_offset, dst_offset, len;
    const char *up, *down;      /* Chains of what UE and service exchange. */
} families[2] = {
    { NFPROTO_IPV4, ETH_P_IP, 12, 16, 4, "from_ue4", "to_ue4" },
    { NFPROTO_IPV6, ETH_P_IPV6, 8, 24, 16, "from_ue6", "to_ue6" },
};

const struct nft_set nat_paths = {
    .name = "paths", .key_len = 4, .key_type = TYPE_MARK,
    .data_len = 4, .data_type = TYPE_MARK,
};
const struct nft_set nat_path_mss = {
    .name = "path_mss", .key_len = 4, .key_type = TYPE_MARK,
    .data_len = 2, .data_type = TYPE_U16,
};

static const struct nft_chain inet_chains[] = {
    { "spaces", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW_BEFORE_DEFRAG,
      NULL },
    { "prerouting", "filter", NF_INET_PRE_ROUTING, -150, NULL },
    { "from_ue", NULL, 0, 0, NULL },
    { "from_ue4", NULL, 0, 0, NULL },
    { "from_ue6", NULL, 0, 0, NULL },
    { "new_from_ue", NULL, 0, 0, NULL },
    { "to_app", "nat", NF_INET_PRE_ROUTING, -100, NULL },
    { "forward", "filter", NF_INET_FORWARD, -150, NULL },
    { "mss", NULL, 0, 0, NULL },
    { "from_app", NULL, 0, 0, NULL },
    { "input", "filter", NF_INET_LOCAL_IN, -150, NULL },
    { "output", "filter", NF_INET_LOCAL_OUT, -150, NULL },
    { "as_service", "nat", NF_INET_POST_ROUTING, 100, NULL },
    { "to_ue", "filter", NF_INET_POST_ROUTING, 150, NULL },
    { "to_ue4", NULL, 0, 0, NULL },
    { "to_ue6", NULL, 0, 0, NULL },
};
static const struct nft_chain netdev_chains[] = {
    { "ingress", "filter", NF_NETDEV_INGRESS, 0, NAT_UE },
    { "egress", "filter", NF_NETDEV_EGRESS, 0, NAT_UE },
};

/* Conditions. */

/* "iifname" or "oifname" is ue0 (NFT_CMP_EQ), or is not (NFT_CMP_NEQ).  It
 * costs more than most other conditions: few packets should come to it. */
static void
compare_ue(struct nftnl_rule *r, enum nft_meta_keys key, enum nft_cmp_ops op)
{
    char name[IFNAMSIZ] = NAT_UE;

    nft_x_meta(r, key, REG);
    nft_x_cmp(r, REG, op, name, sizeof name);
}

static void
match_ue(struct nftnl_rule *r, enum nft_meta_keys key)
{
    compare_ue(r, key, NFT_CMP_EQ);
}

static void
match_family(struct nftnl_rule *r, const struct family *f)
{
    nft_x_meta(r, NFT_META_NFPROTO, REG);
    nft_x_cmp(r, REG, NFT_CMP_EQ, &f->nfproto, sizeof f->nfproto);
}

static void
match_ethertype(struct nftnl_rule *r, const struct family *f)
{
    uint16_t ethertype = htons(f->ethertype);

    nft_x_meta(r, NFT_META_PROTOCOL, REG);
    nft_x_cmp(r, REG, NFT_CMP_EQ, &ethertype, sizeof ethertype);
}

static void
match_u32(struct nftnl_rule *r, enum nft_cmp_ops op, uint32_t value)
{
    nft_x_cmp(r, REG, op, &value, sizeof value);
}

/* One of 'states' (NFT_CMP_NEQ), or none of them (NFT_CMP_EQ). */
static void
match_ct_state(struct nftnl_rule *r, enum nft_cmp_ops op, uint32_t states)
{
    uint32_t none = 0;

    nft_x_ct(r, NFT_CT_STATE, REG);
    nft_x_bitwise(r, REG, &states, &none, sizeof states);
    match_u32(r, op, 0);
}

static void
match_ct_direction(struct nftnl_rule *r, uint8_t direction)
{
    nft_x_ct(r, NFT_CT_DIRECTION, REG);
    nft_x_cmp(r, REG, NFT_CMP_EQ, &direction, sizeof direction);
}

/* A TCP segment that has the flag SYN (NFT_CMP_NEQ), or has not
 * (NFT_CMP_EQ). */
static void
match_tcp_syn(struct nftnl_rule *r, enum nft_cmp_ops op)
{
    uint8_t tcp = IPPROTO_TCP, syn = TCP_FLAG_SYN, none = 0;

    nft_x_meta(r, NFT_META_L4PROTO, REG);
    nft_x_cmp(r, REG, NFT_CMP_EQ, &tcp, sizeof tcp);
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_OFFSET, 1, REG);
    nft_x_bitwise(r, REG, &syn, &none, sizeof syn);
    nft_x_cmp(r, REG, op, &none, sizeof none);
}

/* Ends. */

/* It does not pass: see ends.c. */
static void
stop(struct nft_batch *b, struct nftnl_rule *r, const char *reason)
{
    nft_x_counter(r);
    nft_x_verdict(r, NFT_GOTO, reason);
    nft_rule_comment(r, reason);
    nft_rule_add(b, r);
}

static void
let_pass(struct nft_batch *b, struct nftnl_rule *r)
{
    nft_x_verdict(r, NF_ACCEPT, NULL);
    nft_rule_add(b, r);
}

/* Chains. */

static void
space_rules(struct nft_batch *b)
{
    struct nftnl_rule *r = nft_rule(&nat_inet, "spaces");

    match_ue(r, NFT_META_IIFNAME);
    nft_x_payload(r, NFT_PAYLOAD_LL_HEADER, SPACE_OFFSET, 2, REG);
    nft_x_hton16(r, REG);
    nft_x_ct_set(r, NFT_CT_ZONE, REG, IP_CT_DIR_ORIGINAL);
    nft_rule_add(b, r);
}

/* The packet's destination (else: source) is a key of the map of its family,
 * whose value goes to 'REG'.  Linux 6.1 takes no map for a set, so it is asked
 * for the value even where that is not used. */
static void
match_in_map(struct nftnl_rule *r, const struct nft_set maps[2], int family,
             bool dst)
{
    const struct family *f = &families[family];

    match_family(r, f);
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER,
                  dst ? f->dst_offset : f->src_offset, f->len, REG);
    nft_x_lookup_map(r, maps[family].name, REG, REG);
}

/* What a UE and a service send to each other, in whichever direction of the
 * flow: 'chain' is left for one that counts it at the mark and the service's
 * address, and lets it pass. */
static void
service_rules(struct nft_batch *b, const char *chain, int family, bool down)
{
    const struct family *f = &families[family];
    const char *counts = down ? f->down : f->up;
    int index = (family ? NAT_COUNT_IPV6 : 0) | (down ? NAT_COUNT_DOWN : 0);
    struct nftnl_rule *r = nft_rule(&nat_inet, chain);

    match_in_map(r, nat_services, family, !down);
    nft_x_verdict(r, NFT_GOTO, counts);
    nft_rule_add(b, r);

    /* Without a verdict: what is not counted since the set is full passes all
     * the same. */
    r = nft_rule(&nat_inet, counts);
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER,
                  down ? f->src_offset : f->dst_offset, f->len, REG + 1);
    nft_x_meta(r, NFT_META_MARK, REG);
    match_u32(r, NFT_CMP_NEQ, 0);
    nft_x_count_in(r, nat_counts[index].name, REG);
    nft_rule_add(b, r);
    let_pass(b, nft_rule(&nat_inet, counts));
}

/* What may be cut on its way to an application gets an IP id that no UE has
 * chosen: UEs with one address are one host to the application, which puts
 * parts with one id together (RFC 6864, section 5.3.1; for IPv6 the kernel
 * makes a new one). */
static void
fresh_id_rules(struct nft_batch *b)
{
    struct nftnl_rule *r = nft_rule(&nat_inet, families[0].up);
    uint8_t mask = IPV4_DONT_FRAGMENT, none = 0;

    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, IPV4_FLAGS_OFFSET, 1, REG);
    nft_x_bitwise(r, REG, &mask, &none, sizeof mask);
    nft_x_cmp(r, REG, NFT_CMP_EQ, &none, sizeof none);
    nft_x_meta(r, NFT_META_PRANDOM, REG);
    nft_x_ip4_set(r, IPV4_ID_OFFSET, 2, REG);
    nft_rule_add(b, r);
}

/* The table of connections is everybody's: so no UE gets more than its share of
 * it.  What it has stays as it is. */
static void
new_from_ue_rules(struct nft_batch *b, unsigned int max)
{
    const uint32_t confirmed = IPS_CONFIRMED, none = 0;
    struct nftnl_rule *r = nft_rule(&nat_inet, "from_ue");

    nft_x_ct(r, NFT_CT_STATUS, REG);
    nft_x_bitwise(r, REG, &confirmed, &none, sizeof confirmed);
    match_u32(r, NFT_CMP_EQ, 0);
    nft_x_verdict(r, NFT_JUMP, "new_from_ue");
    nft_rule_add(b, r);

    r = nft_rule(&nat_inet, "new_from_ue");
    nft_x_meta(r, NFT_META_MARK, REG);
    nft_x_rate_over_in(r, new_rates.name, REG, NEW_PER_SECOND, NEW_BURST,
                       NEW_TIMEOUT_MS);
    stop(b, r, "too_many_new_connections");

    r = nft_rule(&nat_inet, "new_from_ue");
    nft_x_meta(r, NFT_META_MARK, REG);
    nft_x_connections_over_in(r, connections.name, REG, max);
    stop(b, r, "too_many_connections");
}

/* Connections to a service whose App is down are reset.  What would begin one
 * goes on: it was on its way here when the service was bypassed, and its UE
 * sends it again. */
static void
ending_rules(struct nft_batch *b)
{
    for (int i = 0; i < 2; i++) {
        const struct family *f = &families[i];
        struct nftnl_rule *r = nft_rule(&nat_inet, "from_ue");

        match_family(r, f);
        nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, f->dst_offset, f->len,
                      REG);
        nft_x_lookup(r, nat_ending[i].name, REG, false);
        match_tcp_syn(r, NFT_CMP_EQ);
        stop(b, r, "app_down");
    }
}

/* The same where one of several Apps is down, of those that it has. */
static void
lost_rules(struct nft_batch *b)
{
    static const enum nft_ct_keys keys[2] = { NFT_CT_SRC_IP, NFT_CT_SRC_IP6 };

    for (int i = 0; i < 2; i++) {
        const struct family *f = &families[i];
        struct nftnl_rule *r = nft_rule(&nat_inet, "from_ue");

        match_family(r, f);
        nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, f->dst_offset, f->len,
                      REG);
        nft_x_ct_of(r, keys[i], IP_CT_DIR_REPLY, REG + f->len / 4);
        nft_x_lookup(r, nat_lost[i].name, REG, false);
        match_tcp_syn(r, NFT_CMP_EQ);
        stop(b, r, "app_down");
    }
}

static void
from_ue_rules(struct nft_batch *b, unsigned int max_connections)
{
    struct nftnl_rule *r = nft_rule(&nat_inet, "prerouting");

    match_ue(r, NFT_META_IIFNAME);
    nft_x_verdict(r, NFT_JUMP, "from_ue");
    nft_rule_add(b, r);

    r = nft_rule(&nat_inet, "from_ue");
    nft_x_payload(r, NFT_PAYLOAD_LL_HEADER, BEARER_IN_OFFSET, 4, REG);
    nft_x_hton32(r, REG);
    nft_x_meta_set(r, NFT_META_MARK, REG);
    nft_rule_add(b, r);

    r = nft_rule(&nat_inet, "from_ue");
    match_ct_state(r, NFT_CMP_NEQ, (NF_CT_STATE_BIT(IP_CT_NEW)
                                    | NF_CT_STATE_BIT(IP_CT_ESTABLISHED)));
    match_ct_direction(r, IP_CT_DIR_ORIGINAL);
    nft_x_meta(r, NFT_META_MARK, REG);
    match_u32(r, NFT_CMP_NEQ, 0);
    nft_x_ct_set(r, NFT_CT_MARK, REG, -1);
    nft_rule_add(b, r);

    r = nft_rule(&nat_inet, "from_ue");
    match_ct_state(r, NFT_CMP_NEQ, NF_CT_STATE_INVALID_BIT);
    stop(b, r, "invalid_from_ue");

    ending_rules(b);
    lost_rules(b);
    new_from_ue_rules(b, max_connections);
    fresh_id_rules(b);
    service_rules(b, "from_ue", 0, false);
    service_rules(b, "from_ue", 1, false);

    r = nft_rule(&nat_inet, "from_ue");
    match_ct_direction(r, IP_CT_DIR_REPLY);
    let_pass(b, r);
    stop(b, nft_rule(&nat_inet, "from_ue"), "not_for_service");
}

/* (An address space has another number in each TOF, so it does not count.) */
void
nat_x_bucket(struct nftnl_rule *r, int family, uint32_t reg)
{
    const struct family *f = &families[family];
    const uint32_t len = family ? NAT_BUCKET_IPV6_LEN : f->len;

    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, f->src_offset, len, reg);
    nft_x_jhash(r, reg, len, NAT_BUCKET_SEED, NAT_BUCKETS, reg);
}

/* A new flow to a service that has several applications. */
static void
bucket_rules(struct nft_batch *b, int family)
{
    const struct family *f = &families[family];
    struct nftnl_rule *r = nft_rule(&nat_inet, "to_app");

    match_ue(r, NFT_META_IIFNAME);
    match_family(r, f);
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, f->dst_offset, f->len, REG);
    nat_x_bucket(r, family, REG + f->len / 4);
    nft_x_lookup_map(r, nat_buckets[family].name, REG, REG);
    nft_x_nat(r, NFT_NAT_DNAT, f->nfproto, REG);
    nft_rule_add(b, r);
}

static void
nat_chain_rules(struct nft_batch *b, const char *chain,
                const struct nft_set maps[2], enum nft_nat_types type,
                int family)
{
    struct nftnl_rule *r = nft_rule(&nat_inet, chain);
    bool dnat = type == NFT_NAT_DNAT;

    match_ue(r, dnat ? NFT_META_IIFNAME : NFT_META_OIFNAME);
    match_in_map(r, maps, family, dnat);
    nft_x_nat(r, type, families[family].nfproto, REG);
    nft_rule_add(b, r);
}

static void
forward_rules(struct nft_batch *b)
{
    static const enum nft_meta_keys keys[] = {
        NFT_META_IIFNAME, NFT_META_OIFNAME
    };
    struct nftnl_rule *r = nft_rule(&nat_inet, "forward");

    match_ue(r, NFT_META_IIFNAME);
    match_ue(r, NFT_META_OIFNAME);
    stop(b, r, "ue_to_ue");

    r = nft_rule(&nat_inet, "forward");
    match_tcp_syn(r, NFT_CMP_NEQ);
    nft_x_verdict(r, NFT_JUMP, "mss");
    nft_rule_add(b, r);

    for (int i = 0; i < 2; i++) {
        r = nft_rule(&nat_inet, "mss");
        match_ue(r, keys[i]);
        /* The smaller one of both directions' route MTUs, less headers; the
         * kernel never raises an option by this. */
        nft_x_rt_tcpmss(r, REG);
        nft_x_hton16(r, REG);
        nft_x_tcpopt_write(r, TCPOPT_MSS, 2, 2, REG);
        nft_rule_add(b, r);
    }
}

/* What the map has for the bearer of the packet's flow; else no match. */
static void
load_of_bearer(struct nftnl_rule *r, const struct nft_set *map)
{
    nft_x_ct(r, NFT_CT_MARK, REG);
    nft_x_lookup_map(r, map->name, REG, REG);
}

/* Paths that are not as wide as most.  The kernel finds a route by the mark: it
 * tells the application, or fragments, in front of the chain "forward". */
static void
path_rules(struct nft_batch *b)
{
    const uint32_t mask = NAT_PATH_MARK_MASK, none = 0;
    struct nftnl_rule *r = nft_rule(&nat_inet, "prerouting");

    load_of_bearer(r, &nat_paths);
    nft_x_meta_set(r, NFT_META_MARK, REG);
    nft_rule_add(b, r);

    r = nft_rule(&nat_inet, "forward");
    nft_x_meta(r, NFT_META_MARK, REG);
    nft_x_bitwise(r, REG, &mask, &none, sizeof mask);
    match_u32(r, NFT_CMP_EQ, NAT_PATH_MARK);
    nft_x_imm(r, REG, &none, sizeof none);
    nft_x_meta_set(r, NFT_META_MARK, REG);
    nft_rule_add(b, r);

    r = nft_rule(&nat_inet, "mss");
    load_of_bearer(r, &nat_path_mss);
    nft_x_tcpopt_write(r, TCPOPT_MSS, 2, 2, REG);
    nft_rule_add(b, r);
}

/* The first packet of a flow to a UE comes from an address that serves a
 * service, whose own address it is given later (as_service).  Others may have
 * put a service's address into it themselves. */
static void
from_app_rules(struct nft_batch *b)
{
    struct nftnl_rule *r = nft_rule(&nat_inet, "forward");

    match_ct_state(r, NFT_CMP_NEQ, NF_CT_STATE_BIT(IP_CT_NEW));
    match_ue(r, NFT_META_OIFNAME);
    nft_x_verdict(r, NFT_GOTO, "from_app");
    nft_rule_add(b, r);

    /* A service is for UEs.  Behind ue0 there is none that has its address. */
    for (int i = 0; i < 2; i++) {
        r = nft_rule(&nat_inet, "from_app");
        match_in_map(r, nat_services, i, true);
        stop(b, r, "app_to_service");
    }
    for (int i = 0; i < 2; i++) {
        r = nft_rule(&nat_inet, "from_app");
        match_in_map(r, nat_apps, i, false);
        let_pass(b, r);
    }
    stop(b, nft_rule(&nat_inet, "from_app"), "serves_no_service");
}

/* ICMP errors to the host itself end here.  The kernel would remember by the
 * UE's address what they say of the path to a UE: one packet from the Apps'
 * network, and what goes to all UEs with that address is cut to 552 bytes, or
 * refused above 1280. */
static void
input_rules(struct nft_batch *b)
{
    struct nftnl_rule *r = nft_rule(&nat_inet, "input");

    match_ct_state(r, NFT_CMP_NEQ, (NF_CT_STATE_INVALID_BIT
                                    | NF_CT_STATE_BIT(IP_CT_RELATED)));
    stop(b, r, "error_to_host");
}

/* The host itself has nothing to say to UEs, except for errors.  Its multicast
 * reports (IGMP, MLD) must be kept back by their state: the kernel uses their
 * mark for something else, so it may look like any bearer id. */
static void
output_rules(struct nft_batch *b)
{
    struct nftnl_rule *r = nft_rule(&nat_inet, "output");

    match_ue(r, NFT_META_OIFNAME);
    match_ct_state(r, NFT_CMP_EQ, (NF_CT_STATE_BIT(IP_CT_ESTABLISHED)
                                   | NF_CT_STATE_BIT(IP_CT_RELATED)));
    stop(b, r, "own");

    r = nft_rule(&nat_inet, "output");
    match_ue(r, NFT_META_OIFNAME);
    nft_x_ct(r, NFT_CT_MARK, REG);
    match_u32(r, NFT_CMP_NEQ, 0);
    let_pass(b, r);

    r = nft_rule(&nat_inet, "output");
    match_ue(r, NFT_META_OIFNAME);
    nft_x_meta(r, NFT_META_MARK, REG);
    match_u32(r, NFT_CMP_EQ, 0);
    stop(b, r, "own_without_bearer");
}

/* Errors come from whoever found them. */
static void
to_ue_rules(struct nft_batch *b)
{
    struct nftnl_rule *r = nft_rule(&nat_inet, "to_ue");

    compare_ue(r, NFT_META_OIFNAME, NFT_CMP_NEQ);
    let_pass(b, r);

    r = nft_rule(&nat_inet, "to_ue");
    match_ct_state(r, NFT_CMP_NEQ, NF_CT_STATE_INVALID_BIT);
    stop(b, r, "invalid_to_ue");

    r = nft_rule(&nat_inet, "to_ue");
    nft_x_meta(r, NFT_META_MARK, REG);
    match_u32(r, NFT_CMP_EQ, 0);
    nft_x_ct(r, NFT_CT_MARK, REG);
    nft_x_meta_set(r, NFT_META_MARK, REG);
    nft_rule_add(b, r);

    service_rules(b, "to_ue", 0, true);
    service_rules(b, "to_ue", 1, true);

    r = nft_rule(&nat_inet, "to_ue");
    match_ct_state(r, NFT_CMP_NEQ, NF_CT_STATE_BIT(IP_CT_RELATED));
    let_pass(b, r);
    stop(b, nft_rule(&nat_inet, "to_ue"), "not_of_service");
}

/* Heartbeats of the switch go back to where they came from: that shows that
 * both ends of ue0 work.  These rules come before all others.  (A copy: what
 * nftables forwards the kernel marks, so that generic XDP leaves it alone, and
 * tof_ue, behind ue0, would not see it.) */
static void
heartbeat_rules(struct nft_batch *b)
{
    static const char *const chains[] = { "ingress", "egress" };
    const uint16_t cfm = htons(ETH_P_CFM);

    for (int i = 0; i < 2; i++) {
        struct nftnl_rule *r = nft_rule(&nat_netdev, chains[i]);

        nft_x_meta(r, NFT_META_PROTOCOL, REG);
        nft_x_cmp(r, REG, NFT_CMP_EQ, &cfm, sizeof cfm);
        if (i) {
            let_pass(b, r);
        } else {
            nft_x_dup_back(r);
            nft_x_verdict(r, NF_DROP, NULL);
            nft_rule_add(b, r);
        }
    }
}

static void
netdev_rules(struct nft_batch *b, bool may_connect)
{
    struct nftnl_rule *r;

    for (int i = 0; i < 2; i++) {
        uint8_t host = PACKET_HOST;

        r = nft_rule(&nat_netdev, "ingress");
        match_ethertype(r, &families[i]);
        nft_x_imm(r, REG, &host, sizeof host);
        nft_x_meta_set(r, NFT_META_PKTTYPE, REG);
        let_pass(b, r);
    }
    stop(b, nft_rule(&nat_netdev, "ingress"), "not_ip");

    if (!may_connect) {
        r = nft_rule(&nat_netdev, "egress");
        nft_x_meta(r, NFT_META_MARK, REG);
        match_u32(r, NFT_CMP_EQ, 0);
        stop(b, r, "may_not_connect");
    }
    r = nft_rule(&nat_netdev, "egress");
    nft_x_meta(r, NFT_META_MARK, REG);
    nft_x_hton32(r, REG);
    nft_x_payload_set(r, NFT_PAYLOAD_LL_HEADER, BEARER_OUT_OFFSET, 4, REG);
    nft_rule_add(b, r);
}

static void
add_chains(struct nft_batch *b, const struct nft_table *table,
           const struct nft_chain *chains, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        nft_chain_add(b, table, &chains[i]);
    }
    for (size_t i = 0; i < n; i++) {
        nft_chain_flush(b, table, chains[i].name);
    }
}

void
nat_rules(struct nft_batch *b, const struct conf *conf)
{
    const bool may_connect = conf->apps.may_connect;

    nft_table_add(b, &nat_inet, 0);
    nft_table_add(b, &nat_netdev, 0);
    for (int i = 0; i < 2; i++) {
        nft_set_add(b, &nat_inet, &nat_services[i]);
        nft_set_add(b, &nat_inet, &nat_apps[i]);
        nft_set_add(b, &nat_inet, &nat_buckets[i]);
        nft_set_add(b, &nat_inet, &nat_members[i]);
        nft_set_add(b, &nat_inet, &nat_lost[i]);
        nft_set_add(b, &nat_inet, &nat_ending[i]);
    }
    for (int i = 0; i < NAT_N_COUNTS; i++) {
        nft_set_add(b, &nat_inet, &nat_counts[i]);
    }
    nft_set_add(b, &nat_inet, &nat_paths);
    nft_set_add(b, &nat_inet, &nat_path_mss);
    nft_set_add(b, &nat_inet, &new_rates);
    nft_set_add(b, &nat_inet, &connections);
    /* Elements go on by the bound that they were made with. */
    nft_set_flush(b, &nat_inet, connections.name);
    add_chains(b, &nat_inet, inet_chains,
               sizeof inet_chains / sizeof *inet_chains);
    add_chains(b, &nat_netdev, netdev_chains,
               sizeof netdev_chains / sizeof *netdev_chains);
    nat_ends_add(b);
    nat_ends_fill(b, NULL);

    space_rules(b);
    from_ue_rules(b, conf->apps.connections_per_ue);
    forward_rules(b);
    path_rules(b);
    from_app_rules(b);
    input_rules(b);
    output_rules(b);
    for (int i = 0; i < 2; i++) {
        bucket_rules(b, i);
        nat_chain_rules(b, "to_app", nat_services, NFT_NAT_DNAT, i);
        if (may_connect) {
            nat_chain_rules(b, "as_service", nat_apps, NFT_NAT_SNAT, i);
        }
    }
    to_ue_rules(b);
    heartbeat_rules(b);
    netdev_rules(b, may_connect);
}
