/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The GTP Filter's rule table as nftables chains.
 *
 * For each side (SIDE is "enb" or "sgw"; followed by "6" in all but the first
 * where the outer family is IPv6):
 *
 *   SIDE          base chain at the adapter's ingress ("s1u" for both sides if
 *                 there is a single adapter; the source address then tells the
 *                 side): what is GTP-U, whole, goes on by outer family to
 *   SIDE_gtp      message type and TEID; a G-PDU goes on by the length of its
 *                 header, found by
 *   SIDE_xN       an extension header chain of which N bytes have been walked
 *                 (N counts from the start of the GTP-U header), to
 *   SIDE_iN       the inner packet starts N bytes after the GTP-U header: from
 *                 there on see rules_gpdu.c.
 *
 * nftables has no loops and no offsets from data, so the walk is unrolled: one
 * chain for each place where the inner packet can start.
 *
 * The rules read a VLAN tag nowhere but in the Ethernet header that they note:
 * the kernel keeps the outermost one beside the packet. */

#include <config.h>

#include "filter/private.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

/* Bump when rules or sets change in a way that the stamp's other inputs do not
 * show. */
#define RULES_VERSION 17

/* nft's data type numbers, so that `nft list` prints addresses and numbers.
 * TEIDs are shown as if they were IPv4 addresses: at a mark in the key of a
 * set that a rule updates, nft 1.0.6 aborts. */
enum { TYPE_U32 = 7, TYPE_IPV6 = 8, TYPE_U16 = 13, TYPE_MARK = 19 };
#define CONCAT(A, B) ((A) << 6 | (B))
#define TYPE_PAIR CONCAT(TYPE_IPV6, TYPE_IPV6)
#define TYPE_TUNNEL CONCAT(TYPE_PAIR, TYPE_U32)
#define TYPE_FLOW CONCAT(CONCAT(CONCAT(CONCAT(TYPE_IPV6, TYPE_U32),      \
                                       TYPE_IPV6), TYPE_IPV6), TYPE_U32)

/* A set to which rules add must say how large it gets.  These hold a bearer
 * each, and may be late in giving back what has timed out. */
#define LATE_ELEMENTS 65536
#define STAY_MAX 65536          /* divert/stay.c is content with fewer: */
#define STAY_TUNNELS_MAX 262144 /* Of 16384 in FLOW_OTHER_MS; each is kept for
                                 * FLOW_TCP_MS. */

#define IPV4_MIN 20
#define GTP_HEADERS (UDP_LEN + 8)

#define TOO_BIG_PER_SECOND 100

const struct nft_table filter_table = { NFPROTO_NETDEV, "tof" };
const struct nft_table filter_hold_table = { NFPROTO_NETDEV, "tof_hold" };

const struct nft_set filter_services = {
    .name = "services", .key_len = 16, .key_type = TYPE_IPV6,
};
const struct nft_set filter_bypassed = {
    .name = "bypassed", .key_len = 16, .key_type = TYPE_IPV6,
};
const struct nft_set filter_ended = {
    .name = "ended", .key_len = sizeof(struct tcp_connection),
    .key_type = CONCAT(TYPE_PAIR, TYPE_U32), .timeouts = true,
    .dynamic = true, .size = FILTER_ENDED_MAX,
};
const struct nft_set filter_pingers = {
    .name = "pingers", .key_len = 16, .key_type = TYPE_IPV6,
};
const struct nft_set filter_learned_set = {
    .name = "learned", .key_len = sizeof(struct filter_tunnel_key),
    .key_type = CONCAT(TYPE_TUNNEL, TYPE_U32), .timeouts = true,
};
const struct nft_set filter_divert_set = {
    .name = "divert", .key_len = sizeof(struct filter_bearer_key),
    .key_type = CONCAT(TYPE_TUNNEL, TYPE_IPV6), .timeouts = true,
    .dynamic = true,            /* Size: see add_sets(). */
};
const struct nft_set filter_bound = {
    .name = "bound", .key_len = sizeof(struct filter_tunnel_key),
    .key_type = CONCAT(TYPE_TUNNEL, TYPE_U32), .timeouts = true,
    .dynamic = true,            /* Size: see add_sets(). */
};
const struct nft_set filter_down = {
    .name = "down", .key_len = sizeof(struct filter_bearer_key),
    .key_type = CONCAT(TYPE_TUNNEL, TYPE_IPV6), .timeouts = true,
};
const struct nft_set filter_down_bound = {
    .name = "down_bound", .key_len = sizeof(struct filter_tunnel_key),
    .key_type = CONCAT(TYPE_TUNNEL, TYPE_U32), .timeouts = true,
};
const struct nft_set filter_l2 = {
    .name = "l2", .key_len = sizeof(struct filter_l2_key),
    .key_type = CONCAT(TYPE_PAIR, TYPE_U32),
    .data_len = 18, .timeouts = true, .dynamic = true, .size = L2_MAX,
};
const struct nft_set filter_fragments = {
    .name = "fragments", .key_len = sizeof(struct filter_fragment_key),
    .key_type = CONCAT(TYPE_PAIR, TYPE_U32), .timeouts = true,
    .dynamic = true, .size = 65536,
};
const struct nft_set filter_lengths = {
    .name = "lengths", .key_len = sizeof(struct filter_lengths_key),
    .key_type = CONCAT(CONCAT(TYPE_U16, TYPE_U16), TYPE_U16),
};
const struct nft_set filter_stay_tcp = {
    .name = "stay_tcp", .key_len = sizeof(struct filter_stay_key),
    .key_type = TYPE_FLOW, .timeouts = true, .dynamic = true,
    .size = STAY_MAX,
};
const struct nft_set filter_stay_other = {
    .name = "stay_other", .key_len = sizeof(struct filter_stay_key),
    .key_type = TYPE_FLOW, .timeouts = true, .dynamic = true,
    .size = STAY_MAX,
};
const struct nft_set filter_stay_tunnels = {
    .name = "stay_tunnels", .key_len = sizeof(struct filter_stay_tunnel_key),
    .key_type = CONCAT(TYPE_IPV6, TYPE_U32),
    .timeouts = true, .dynamic = true, .size = STAY_TUNNELS_MAX,
};
const struct nft_set filter_live = {
    .name = "live", .key_len = 4, .key_type = TYPE_MARK, .timeouts = true,
    .dynamic = true, .size = 16,
};
const struct nft_set filter_stamp = { .name = "stamp", .key_len = 8 };
const struct nft_set filter_lease = {
    .name = "lease", .key_len = 4, .key_type = TYPE_MARK, .timeouts = true,
};

/* Chains and rules. */

static const char *
side_name(const struct filter_compiler *c)
{
    return c->side == SIDE_ENB ? "enb" : "sgw";
}

static const char *
chain_name(const struct filter_compiler *c, const char *what, int n,
           char buf[32])
{
    char number[12] = "";

    if (n) {
        snprintf(number, sizeof number, "%d", n);
    }
    snprintf(buf, 32, "%s%s_%s%s", side_name(c),
             c->outer == AF_INET6 ? "6" : "", what, number);
    return buf;
}

void
filter_chain_add(const struct filter_compiler *c, const char *what, int n)
{
    char name[32];
    nft_chain_add(c->b, &filter_table,
                  &(struct nft_chain) { .name = chain_name(c, what, n,
                                                           name) });
}

struct nftnl_rule *
filter_rule(const struct filter_compiler *c, const char *what, int n)
{
    char name[32];
    return nft_rule(&filter_table, chain_name(c, what, n, name));
}

void
filter_rule_end(const struct filter_compiler *c, struct nftnl_rule *r,
                const char *why, int verdict, const char *what, int n)
{
    char name[32];

    if (why) {
        nft_rule_comment(r, why);
        nft_x_counter(r);
    }
    nft_x_verdict(r, verdict, what ? chain_name(c, what, n, name) : NULL);
    nft_rule_add(c->b, r);
}

/* The chains up to the inner packet. */

/* Rule 2: a first fragment goes the way of whole G-PDUs, up to where it turns
 * out whether it is for a service; a later one follows its first. */
static void
compile_fragments(const struct filter_compiler *c, const char *chain)
{
    struct nftnl_rule *r = nft_rule(&filter_table, chain);

    filter_match_gtpu(r, c->outer, FILTER_FIRST_FRAGMENT);
    filter_match_direction(c, r);
    filter_match_byte(r, UDP_LEN + 1, 0xff, NFT_CMP_EQ, GTPU_GPDU);
    filter_rule_end(c, r, NULL, NFT_GOTO, "gtp", 0);

    r = nft_rule(&filter_table, chain);
    filter_match_gtpu(r, c->outer, FILTER_LATER_FRAGMENT);
    filter_match_direction(c, r);
    filter_load_datagram(r, c->outer);
    nft_x_lookup(r, filter_fragments.name, NFT_REG32_00, false);
    filter_rule_end(c, r, NULL, NFT_GOTO, "later", 0);
}

/* An ICMP error about what the TOF has built is for the agent.  Few are enough;
 * others are switched. */
static void
compile_too_big(const struct filter_compiler *c, const char *chain)
{
    struct nftnl_rule *r = nft_rule(&filter_table, chain);

    filter_match_too_big(r, c->outer);
    filter_match_across(c, r);
    nft_x_limit(r, TOO_BIG_PER_SECOND, TOO_BIG_PER_SECOND / 5);
    filter_rule_end(c, r, "too_big", NFT_GOTO, "hold", 0);
}

/* The way from a base chain to the messages of one side. */
static void
compile_entry(const struct filter_compiler *c_, const char *chain)
{
    static const sa_family_t families[] = { AF_INET, AF_INET6 };
    struct filter_compiler c = *c_;

    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct nftnl_rule *r = nft_rule(&filter_table, chain);

        c.outer = families[i];
        filter_match_gtpu(r, c.outer, FILTER_WHOLE);
        filter_match_direction(&c, r);
        filter_rule_end(&c, r, NULL, NFT_GOTO, "gtp", 0);
        if (c.side == SIDE_ENB) {
            compile_fragments(&c, chain);
        }
        compile_too_big(&c, chain);
    }
}

/* A service tag (IEEE 802.1ad) is switched with all that is in it, and so is
 * any tag if it must. */
static void
compile_tags(const struct filter_rules *rules, const char *chain,
             struct nft_batch *b)
{
    static const uint16_t tags[] = { ETH_P_8021Q, ETH_P_8021AD };

    for (size_t i = rules->tagged; i < sizeof tags / sizeof *tags; i++) {
        struct nftnl_rule *r = nft_rule(&filter_table, chain);

        filter_match_u16(r, NFT_PAYLOAD_LL_HEADER, 12, 0xffff, tags[i]);
        nft_x_verdict(r, NF_ACCEPT, NULL);
        nft_rule_add(b, r);
    }
}

static void
add_base(struct nft_batch *b, const char *chain, const char *dev, int prio)
{
    nft_chain_add(b, &filter_table, &(struct nft_chain) {
                      .name = chain, .type = "filter",
                      .hook = NF_NETDEV_INGRESS, .prio = prio, .dev = dev });
}

/* Rules 1 and 2 of one side at an adapter of its own. */
static void
compile_base(const struct filter_compiler *c)
{
    const char *chain = side_name(c);

    add_base(c->b, chain, c->dev, 0);
    compile_tags(c->r, chain, c->b);
    compile_entry(c, chain);
}

/* Rules 1 and 2 of both sides at a single adapter.  A mark to be held that was
 * in vain must not meet the host's routing rules. */
static void
compile_single(const struct filter_compiler *sides, struct nft_batch *b)
{
    static const char chain[] = "s1u", unmark[] = "s1u_unmark";
    const struct filter_rules *rules = sides[0].r;
    const uint32_t none = 0;

    add_base(b, chain, rules->enb, 0);
    compile_tags(rules, chain, b);
    for (size_t side = 0; side < 2; side++) {
        compile_entry(&sides[side], chain);
    }
    add_base(b, unmark, rules->enb, 20);
    for (size_t side = 0; side < 2; side++) {
        const uint32_t mark = sides[side].hold;
        struct nftnl_rule *r = nft_rule(&filter_table, unmark);

        nft_x_meta(r, NFT_META_MARK, NFT_REG32_00);
        nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, &mark, sizeof mark);
        nft_x_imm(r, NFT_REG32_00, &none, sizeof none);
        nft_x_meta_set(r, NFT_META_MARK, NFT_REG32_00);
        nft_rule_add(b, r);
    }
}

/* Rules 3, 4 and 6, and the way to the inner packet. */
static void
compile_gtp(const struct filter_compiler *c)
{
    const uint32_t zero = 0;
    struct nftnl_rule *r;

    if (c->outer == AF_INET6) {
        filter_switch_mapped(c, "gtp", 0, NFT_PAYLOAD_NETWORK_HEADER, 0,
                             "outer_mapped");
    }
    r = filter_rule(c, "gtp", 0);
    filter_match_byte(r, UDP_LEN + 1, 0xff, NFT_CMP_EQ, GTPU_ERROR_INDICATION);
    filter_rule_end(c, r, "error_indication", NFT_GOTO, "hold", 0);

    if (c->side == SIDE_SGW) {
        r = filter_rule(c, "gtp", 0);
        filter_match_byte(r, UDP_LEN + 1, 0xff, NFT_CMP_EQ, GTPU_END_MARKER);
        nft_rule_comment(r, "end_marker");
        nft_x_counter(r);
        nft_x_dup(r, c->r->queue_ifindex[c->copy]);
        filter_rule_end(c, r, NULL, NF_ACCEPT, NULL, 0);
    }

    r = filter_rule(c, "gtp", 0);
    filter_match_byte(r, UDP_LEN + 1, 0xff, NFT_CMP_NEQ, GTPU_GPDU);
    filter_rule_end(c, r, "other_type", NF_ACCEPT, NULL, 0);

    r = filter_rule(c, "gtp", 0);
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, UDP_LEN + 4, 4,
                  NFT_REG32_00);
    nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, &zero, 4);
    filter_rule_end(c, r, "teid_0", NF_ACCEPT, NULL, 0);

    r = filter_rule(c, "gtp", 0);
    filter_match_byte(r, UDP_LEN, 0x07, NFT_CMP_EQ, 0);
    filter_rule_end(c, r, NULL, NFT_GOTO, "i", 8);
    r = filter_rule(c, "gtp", 0);
    filter_match_byte(r, UDP_LEN, 0x04, NFT_CMP_EQ, 0);
    filter_rule_end(c, r, NULL, NFT_GOTO, "i", 12);
    filter_rule_end(c, filter_rule(c, "gtp", 0), NULL, NFT_GOTO, "x", 12);
}

/* The next-type byte is the last of the 'n' bytes walked so far; if it names
 * an extension, its first byte is its length in 4 byte units. */
static void
compile_walk(const struct filter_compiler *c, int n)
{
    struct nftnl_rule *r = filter_rule(c, "x", n);

    filter_match_byte(r, UDP_LEN + n - 1, 0xff, NFT_CMP_EQ, 0);
    filter_rule_end(c, r, NULL, NFT_GOTO, "i", n);
    for (int units = 1; n + 4 * units <= MAX_HEADER; units++) {
        r = filter_rule(c, "x", n);
        filter_match_byte(r, UDP_LEN + n, 0xff, NFT_CMP_EQ, units);
        filter_rule_end(c, r, NULL, NFT_GOTO, "x", n + 4 * units);
    }
    filter_rule_end(c, filter_rule(c, "x", n), "extension_chain", NF_ACCEPT,
                    NULL, 0);
}

static void
compile_family(const struct filter_compiler *c)
{
    /* Chains first: rules name them. */
    filter_chain_add(c, "gtp", 0);
    for (int n = 12; n <= MAX_HEADER; n += 4) {
        filter_chain_add(c, "x", n);
    }
    filter_gpdu_add_chains(c);

    compile_gtp(c);
    for (int n = 12; n <= MAX_HEADER; n += 4) {
        compile_walk(c, n);
    }
    filter_gpdu_compile(c);
}

static void
compile_side(struct filter_compiler c)
{
    c.outer = AF_INET;
    compile_family(&c);
    c.outer = AF_INET6;
    compile_family(&c);
    if (!c.r->single) {
        compile_base(&c);
    }
}

/* Both tables. */

uint64_t
filter_hash(uint64_t hash, const void *data, size_t len)
{
    for (const uint8_t *p = data; len--; p++) {
        hash = (hash ^ *p) * 0x100000001b3;
    }
    return hash;
}

static uint64_t
hash_text(const char *text)
{
    return filter_hash(0xcbf29ce484222325, text, strlen(text));
}

uint64_t
filter_rules_layout(const struct filter_rules *r)
{
    char text[96];

    /* A base chain cannot move to another adapter, nor a set grow. */
    snprintf(text, sizeof text, "layout %d %d %u %s %s", RULES_VERSION,
             r->links, r->max_bearers, r->enb, r->sgw);
    return hash_text(text);
}

uint64_t
filter_rules_stamp(const struct filter_rules *r)
{
    char text[256];

    snprintf(text, sizeof text,
             "%d %d %d %d %u %u %d %s %d %s %d %d %d %d %d %d %llu",
             RULES_VERSION, r->single, r->links, r->tagged, r->mtu,
             r->max_bearers, r->learn_all, r->enb, r->enb_ifindex,
             r->sgw, r->sgw_ifindex, r->enb_link_ifindex, r->queue_ifindex[0],
             r->queue_ifindex[1], r->queue_ifindex[2], r->queue_ifindex[3],
             (unsigned long long) r->evidence_ms);
    return filter_peers_hash(r, hash_text(text));
}

/* The lengths of a packet without IP options or extension headers, in which a
 * GTP-U message fills UDP and UDP fills IP, of either family. */
static struct filter_lengths_key
lengths_key(unsigned int udp, bool ip4)
{
    return (struct filter_lengths_key) {
        { htons(udp + (ip4 ? IPV4_MIN : 0)) }, { htons(udp) },
        { htons(udp - GTP_HEADERS) },
    };
}

static void
compile_lengths(const struct filter_rules *rules, struct nft_batch *b)
{
    nft_set_flush(b, &filter_table, filter_lengths.name);
    for (unsigned int udp = GTP_HEADERS + IPV4_MIN; udp <= rules->mtu;
         udp++) {
        for (int ip4 = 0; ip4 < 2; ip4++) {
            const struct filter_lengths_key key = lengths_key(udp, ip4);
            nft_elem_add(b, &filter_table, &filter_lengths, &key, NULL, 0);
        }
    }
}

/* (What is missing in between is held, and so delivered all the same.) */
bool
filter_has_lengths(const struct filter_rules *rules, filter_has_fn *has)
{
    const struct filter_lengths_key first = lengths_key(GTP_HEADERS + IPV4_MIN,
                                                        false);
    const struct filter_lengths_key last = lengths_key(rules->mtu, true);

    return has(&filter_lengths, &first) && has(&filter_lengths, &last);
}

static void
add_sets(struct nft_batch *b, unsigned int max_bearers)
{
    const struct nft_set *sets[] = {
        &filter_services, &filter_bypassed, &filter_ended,
        &filter_pingers, &filter_learned_set,
        &filter_down, &filter_down_bound, &filter_l2, &filter_live,
        &filter_fragments, &filter_lengths, &filter_stay_tcp,
        &filter_stay_other, &filter_stay_tunnels, &filter_stamp,
    };
    struct nft_set diverted[] = { filter_divert_set, filter_bound };

    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        nft_set_add(b, &filter_table, sets[i]);
    }
    for (size_t i = 0; i < sizeof diverted / sizeof *diverted; i++) {
        diverted[i].size = max_bearers + LATE_ELEMENTS;
        nft_set_add(b, &filter_table, &diverted[i]);
    }
}

void
filter_rules_compile(const struct filter_rules *rules, bool keep_sets,
                     struct nft_batch *b)
{
    const uint64_t layout = filter_rules_layout(rules);
    const struct filter_compiler sides[] = {
        { .r = rules, .b = b, .side = SIDE_ENB, .dev = rules->enb,
          .copy = QUEUE_COPY_ENB, .hold = QUEUE_HOLD_ENB },
        { .r = rules, .b = b, .side = SIDE_SGW, .dev = rules->sgw,
          .copy = QUEUE_COPY_SGW, .hold = QUEUE_HOLD_SGW },
    };

    nft_table_add(b, &filter_table, 0);
    if (!keep_sets) {
        nft_table_delete(b, &filter_table);
        nft_table_add(b, &filter_table, 0);
    }
    nft_chain_flush(b, &filter_table, NULL);
    add_sets(b, rules->max_bearers);
    if (rules->single) {
        filter_peers_compile(rules, b);
    }
    compile_side(sides[0]);
    compile_side(sides[1]);
    if (rules->single) {
        compile_single(sides, b);
    }
    if (rules->links) {
        filter_links_compile(rules, b);
        compile_lengths(rules, b);
    }
    nft_set_flush(b, &filter_table, filter_stamp.name);
    nft_elem_add(b, &filter_table, &filter_stamp, &layout, NULL, 0);
}

/* What is marked to be held leaves the wire here, if the lease holds. */
static void
compile_hold_side(struct nft_batch *b, const char *name, const char *dev,
                  uint32_t mark, int queue_ifindex)
{
    struct nftnl_rule *r;

    nft_chain_add(b, &filter_hold_table, &(struct nft_chain) {
                      .name = name, .type = "filter",
                      .hook = NF_NETDEV_INGRESS, .prio = 10, .dev = dev });
    r = nft_rule(&filter_hold_table, name);
    nft_x_meta(r, NFT_META_MARK, NFT_REG32_00);
    nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, &mark, sizeof mark);
    nft_x_lookup(r, filter_lease.name, NFT_REG32_00, false);
    nft_x_counter(r);
    nft_x_fwd(r, queue_ifindex);
    nft_rule_add(b, r);
}

void
filter_rules_compile_hold(const struct filter_rules *r, struct nft_batch *b)
{
    nft_table_add(b, &filter_hold_table, NFT_TABLE_F_OWNER);
    nft_set_add(b, &filter_hold_table, &filter_lease);
    compile_hold_side(b, "enb", r->enb, QUEUE_HOLD_ENB,
                      r->queue_ifindex[QUEUE_HOLD_ENB]);
    compile_hold_side(b, "sgw", r->sgw, QUEUE_HOLD_SGW,
                      r->queue_ifindex[QUEUE_HOLD_SGW]);
}
