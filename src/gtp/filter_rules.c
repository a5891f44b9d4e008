/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The GTP Filter's rule table as nftables chains.
 *
 * For each side (SIDE is "enb" or "sgw"):
 *
 *   SIDE          base chain at the adapter's ingress: what is GTP-U over
 *                 IPv4, whole and untagged, goes on to
 *   SIDE_gtp      message type and TEID; a G-PDU goes on by the length of its
 *                 header, found by
 *   SIDE_xN       an extension header chain of which N bytes have been walked
 *                 (N counts from the start of the GTP-U header), to
 *   SIDE_iN       the inner packet starts N bytes after the GTP-U header:
 *                 divert, hold, or
 *   SIDE_known    copy what is not learned.
 *   SIDE_hold     mark for the hold table; its chain comes next in priority.
 *
 * nftables has no loops and no offsets from data, so the walk is unrolled: one
 * chain for each place where the inner packet can start. */

#include <config.h>

#include "filter_rules.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "filter.h"
#include "gtpu.h"

/* Bump when the rules change in a way that the stamp's other inputs do not
 * show. */
#define RULES_VERSION 4

#define UDP_LEN 8
#define MAX_HEADER (12 + 4 * GTPU_MAX_EXTENSIONS)
#define COPIES_PER_SECOND 60000
#define HOLDS_PER_SECOND 20000
#define LIVE_TIMEOUT_MS 350
#define L2_TIMEOUT_MS (60 * 1000)
#define HEARTBEAT_ETHERTYPE 0x8902      /* CFM, IEEE 802.1ag. */

/* nft's data type numbers, so that `nft list` prints addresses. */
enum { TYPE_IPV4 = 7, TYPE_MARK = 19 };
#define CONCAT(A, B) ((A) << 6 | (B))
#define TYPE_TUNNEL CONCAT(CONCAT(TYPE_IPV4, TYPE_IPV4), TYPE_MARK)

#define MAX_DIVERTED (1 << 20)

const struct nft_table filter_table = { NFPROTO_NETDEV, "tof" };
const struct nft_table filter_hold_table = { NFPROTO_NETDEV, "tof_hold" };

const struct nft_set filter_services = {
    .name = "services", .key_len = 4, .key_type = TYPE_IPV4,
};
const struct nft_set filter_pingers = {
    .name = "pingers", .key_len = 4, .key_type = TYPE_IPV4,
};
const struct nft_set filter_learned_set = {
    .name = "learned", .key_len = 12, .key_type = TYPE_TUNNEL,
    .timeouts = true,
};
const struct nft_set filter_divert_set = {
    .name = "divert", .key_len = 16,
    .key_type = CONCAT(TYPE_TUNNEL, TYPE_IPV4), .timeouts = true,
    .dynamic = true, .size = MAX_DIVERTED,
};
const struct nft_set filter_bound = {
    .name = "bound", .key_len = 12, .key_type = TYPE_TUNNEL, .timeouts = true,
    .dynamic = true, .size = MAX_DIVERTED,
};
const struct nft_set filter_l2 = {
    .name = "l2", .key_len = 12, .key_type = TYPE_TUNNEL,
    .data_len = 18, .timeouts = true, .dynamic = true, .size = 65536,
};
const struct nft_set filter_live = {
    .name = "live", .key_len = 4, .key_type = TYPE_MARK, .timeouts = true,
    .dynamic = true, .size = 16,
};
const struct nft_set filter_stamp = { .name = "stamp", .key_len = 8 };
const struct nft_set filter_lease = {
    .name = "lease", .key_len = 4, .key_type = TYPE_MARK, .timeouts = true,
};

/* What differs between the sides. */
struct side {
    const char *name;
    const char *dev;
    enum filter_queue copy, hold;
};

struct compiler {
    const struct filter_rules *r;
    struct nft_batch *b;
    struct side side;
};

static const char *
chain_name(const struct compiler *c, const char *what, int n, char buf[32])
{
    if (n) {
        snprintf(buf, 32, "%s_%s%d", c->side.name, what, n);
    } else {
        snprintf(buf, 32, "%s_%s", c->side.name, what);
    }
    return buf;
}

static struct nftnl_rule *
rule(const struct compiler *c, const char *what, int n)
{
    char name[32];
    return nft_rule(&filter_table, chain_name(c, what, n, name));
}

/* Finishes 'r' with a counter called 'why' and a verdict. */
static void
end(const struct compiler *c, struct nftnl_rule *r, const char *why,
    int verdict, const char *what, int n)
{
    char name[32];

    if (why) {
        nft_rule_comment(r, why);
        nft_x_counter(r);
    }
    nft_x_verdict(r, verdict, what ? chain_name(c, what, n, name) : NULL);
    nft_rule_add(c->b, r);
}

/* Matches the byte 'offset' bytes after the transport header's start. */
static void
match_byte(struct nftnl_rule *r, uint32_t offset, uint8_t mask,
           enum nft_cmp_ops op, uint8_t value)
{
    const uint8_t none = 0;

    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, offset, 1, NFT_REG32_00);
    if (mask != 0xff) {
        nft_x_bitwise(r, NFT_REG32_00, &mask, &none, 1);
    }
    nft_x_cmp(r, NFT_REG32_00, op, &value, 1);
}

static void
match_u16(struct nftnl_rule *r, enum nft_payload_bases base, uint32_t offset,
          uint16_t mask, uint16_t value)
{
    uint16_t m = htons(mask), v = htons(value), none = 0;

    nft_x_payload(r, base, offset, 2, NFT_REG32_00);
    if (mask != 0xffff) {
        nft_x_bitwise(r, NFT_REG32_00, &m, &none, 2);
    }
    nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, &v, 2);
}

/* Registers 0 to 2 (and 3) become the key of a tunnel (with the UE). */
static void
load_tunnel(struct nftnl_rule *r)
{
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, NFT_REG32_00);
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, NFT_REG32_01);
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, UDP_LEN + 4, 4,
                  NFT_REG32_02);
}

/* Only while heartbeats through Open vSwitch arrive. */
static void
match_live(struct nftnl_rule *r)
{
    const uint32_t key = 0;

    nft_x_imm(r, NFT_REG32_08, &key, sizeof key);
    nft_x_lookup(r, filter_live.name, NFT_REG32_08, false);
}

/* Notes the packet's Ethernet header by its outer addresses and side.  A value
 * that is there stays until its time is up: deleting and adding it for each
 * packet would leave moments without one. */
static void
note_l2(const struct compiler *c, struct nftnl_rule *r)
{
    const uint32_t side = (c->side.copy == QUEUE_COPY_ENB
                           ? SIDE_ENB : SIDE_SGW);

    nft_x_imm(r, NFT_REG32_02, &side, sizeof side);
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, NFT_REG32_00);
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, NFT_REG32_01);
    nft_x_payload(r, NFT_PAYLOAD_LL_HEADER, 0, 18, NFT_REG32_04);
    nft_x_dynset(r, filter_l2.name, NFT_DYNSET_OP_ADD, NFT_REG32_00,
                 NFT_REG32_04, L2_TIMEOUT_MS);
}

static void
add_chain(const struct compiler *c, const char *what, int n)
{
    char name[32];
    nft_chain_add(c->b, &filter_table,
                  &(struct nft_chain) { .name = chain_name(c, what, n,
                                                           name) });
}

/* Rule 1: only GTP-U version 1 with PT set, over UDP over IPv4, is looked at.
 * Rule 2: fragments are switched. */
static void
compile_base(const struct compiler *c)
{
    struct nftnl_rule *r;
    uint8_t udp = IPPROTO_UDP;

    nft_chain_add(c->b, &filter_table, &(struct nft_chain) {
                      .name = c->side.name, .type = "filter",
                      .hook = NF_NETDEV_INGRESS, .prio = 0,
                      .dev = c->side.dev });
    r = nft_rule(&filter_table, c->side.name);
    match_u16(r, NFT_PAYLOAD_LL_HEADER, 12, 0xffff, 0x0800);
    match_u16(r, NFT_PAYLOAD_NETWORK_HEADER, 6, 0x3fff, 0);
    nft_x_meta(r, NFT_META_L4PROTO, NFT_REG32_00);
    nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, &udp, 1);
    match_u16(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 0xffff, GTPU_PORT);
    match_byte(r, UDP_LEN, 0xf0, NFT_CMP_EQ, 0x30);
    end(c, r, NULL, NFT_GOTO, "gtp", 0);
}

/* Rules 3, 4 and 6, and the way to the inner packet. */
static void
compile_gtp(const struct compiler *c)
{
    const uint32_t zero = 0;
    struct nftnl_rule *r = rule(c, "gtp", 0);

    match_byte(r, UDP_LEN + 1, 0xff, NFT_CMP_EQ, GTPU_ERROR_INDICATION);
    end(c, r, "error_indication", NFT_GOTO, "hold", 0);

    if (c->side.copy == QUEUE_COPY_SGW) {
        r = rule(c, "gtp", 0);
        match_byte(r, UDP_LEN + 1, 0xff, NFT_CMP_EQ, GTPU_END_MARKER);
        nft_rule_comment(r, "end_marker");
        nft_x_counter(r);
        nft_x_dup(r, c->r->queue_ifindex[c->side.copy]);
        end(c, r, NULL, NF_ACCEPT, NULL, 0);
    }

    r = rule(c, "gtp", 0);
    match_byte(r, UDP_LEN + 1, 0xff, NFT_CMP_NEQ, GTPU_GPDU);
    end(c, r, "other_type", NF_ACCEPT, NULL, 0);

    r = rule(c, "gtp", 0);
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, UDP_LEN + 4, 4,
                  NFT_REG32_00);
    nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, &zero, 4);
    end(c, r, "teid_0", NF_ACCEPT, NULL, 0);

    r = rule(c, "gtp", 0);
    match_byte(r, UDP_LEN, 0x07, NFT_CMP_EQ, 0);
    end(c, r, NULL, NFT_GOTO, "i", 8);
    r = rule(c, "gtp", 0);
    match_byte(r, UDP_LEN, 0x04, NFT_CMP_EQ, 0);
    end(c, r, NULL, NFT_GOTO, "i", 12);
    end(c, rule(c, "gtp", 0), NULL, NFT_GOTO, "x", 12);
}

/* The next-type byte is the last of the 'n' bytes walked so far; if it names
 * an extension, its first byte is its length in 4 byte units. */
static void
compile_walk(const struct compiler *c, int n)
{
    struct nftnl_rule *r = rule(c, "x", n);

    match_byte(r, UDP_LEN + n - 1, 0xff, NFT_CMP_EQ, 0);
    end(c, r, NULL, NFT_GOTO, "i", n);
    for (int units = 1; n + 4 * units <= MAX_HEADER; units++) {
        r = rule(c, "x", n);
        match_byte(r, UDP_LEN + n, 0xff, NFT_CMP_EQ, units);
        end(c, r, NULL, NFT_GOTO, "x", n + 4 * units);
    }
    end(c, rule(c, "x", n), "extension_chain", NF_ACCEPT, NULL, 0);
}

/* Rules 6 (inner not IP), 7 and 8 for a packet from an eNodeB whose inner
 * packet starts 'n' bytes after the GTP-U header. */
static void
compile_inner_enb(const struct compiler *c, int n)
{
    const uint32_t inner = UDP_LEN + n;
    struct nftnl_rule *r = rule(c, "i", n);

    match_byte(r, inner, 0xf0, NFT_CMP_NEQ, 0x40);
    end(c, r, "inner_not_ipv4", NF_ACCEPT, NULL, 0);

    /* A proved bearer's UE: evidence that it is there. */
    r = rule(c, "i", n);
    load_tunnel(r);
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, inner + 12, 4,
                  NFT_REG32_03);
    nft_x_lookup(r, filter_divert_set.name, NFT_REG32_00, false);
    nft_x_dynset(r, filter_divert_set.name, NFT_DYNSET_OP_UPDATE, NFT_REG32_00,
                 0, c->r->evidence_ms);
    nft_x_dynset(r, filter_bound.name, NFT_DYNSET_OP_UPDATE, NFT_REG32_00,
                 0, c->r->evidence_ms);
    end(c, r, NULL, NFT_GOTO, "d", n);

    r = rule(c, "i", n);
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, inner + 16, 4,
                  NFT_REG32_00);
    nft_x_lookup(r, filter_services.name, NFT_REG32_00, false);
    end(c, r, NULL, NFT_GOTO, "service", 0);
    end(c, rule(c, "i", n), NULL, NFT_GOTO, "known", 0);

    r = rule(c, "d", n);
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, inner + 16, 4,
                  NFT_REG32_00);
    nft_x_lookup(r, filter_services.name, NFT_REG32_00, false);
    match_live(r);
    nft_rule_comment(r, "diverted");
    nft_x_counter(r);
    nft_x_fwd(r, c->r->enb_link_ifindex);
    nft_rule_add(c->b, r);
    end(c, rule(c, "d", n), NULL, NFT_GOTO, "known", 0);
}

/* A service packet of a bearer that is not diverted.  If the tunnel is, but
 * for another UE address, somebody makes up addresses or the TEID has been
 * given to someone else: switched, and the agent gets a copy. */
static void
compile_service(const struct compiler *c)
{
    struct nftnl_rule *r = rule(c, "service", 0);

    load_tunnel(r);
    nft_x_lookup(r, filter_bound.name, NFT_REG32_00, false);
    nft_rule_comment(r, "foreign_source");
    nft_x_counter(r);
    nft_x_limit(r, 1000, 100);
    nft_x_dup(r, c->r->queue_ifindex[c->side.copy]);
    end(c, r, NULL, NF_ACCEPT, NULL, 0);

    r = rule(c, "service", 0);
    load_tunnel(r);
    nft_x_lookup(r, filter_bound.name, NFT_REG32_00, false);
    end(c, r, NULL, NF_ACCEPT, NULL, 0);

    r = rule(c, "service", 0);
    match_live(r);
    end(c, r, NULL, NFT_GOTO, "hold", 0);
    end(c, rule(c, "service", 0), NULL, NFT_GOTO, "known", 0);
}

/* Rule 5: what may be a reply to the Pinger. */
static void
compile_inner_sgw(const struct compiler *c, int n)
{
    const uint32_t inner = UDP_LEN + n;
    struct nftnl_rule *r = rule(c, "i", n);

    match_byte(r, inner, 0xf0, NFT_CMP_NEQ, 0x40);
    end(c, r, "inner_not_ipv4", NF_ACCEPT, NULL, 0);

    r = rule(c, "i", n);
    match_byte(r, inner, 0xff, NFT_CMP_EQ, 0x45);
    match_byte(r, inner + 9, 0xff, NFT_CMP_EQ, IPPROTO_ICMP);
    match_byte(r, inner + 20, 0xff, NFT_CMP_EQ, 0);
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, inner + 12, 4,
                  NFT_REG32_00);
    nft_x_lookup(r, filter_pingers.name, NFT_REG32_00, false);
    end(c, r, "pinger_reply", NFT_GOTO, "hold", 0);
    end(c, rule(c, "i", n), NULL, NFT_GOTO, "known", 0);
}

/* Rules 9 and 10. */
static void
compile_known(const struct compiler *c)
{
    struct nftnl_rule *r;

    if (!c->r->learn_all) {
        return;
    }
    r = rule(c, "known", 0);
    load_tunnel(r);
    nft_x_lookup(r, filter_learned_set.name, NFT_REG32_00, false);
    end(c, r, NULL, NF_ACCEPT, NULL, 0);

    r = rule(c, "known", 0);
    nft_x_limit(r, COPIES_PER_SECOND, COPIES_PER_SECOND / 10);
    note_l2(c, r);
    nft_rule_comment(r, "copied");
    nft_x_counter(r);
    nft_x_dup(r, c->r->queue_ifindex[c->side.copy]);
    nft_rule_add(c->b, r);
}

static void
compile_hold(const struct compiler *c)
{
    uint32_t mark = c->side.hold;
    struct nftnl_rule *r = rule(c, "hold", 0);

    nft_x_limit(r, HOLDS_PER_SECOND, HOLDS_PER_SECOND / 10);
    note_l2(c, r);
    nft_x_imm(r, NFT_REG32_00, &mark, sizeof mark);
    nft_x_meta_set(r, NFT_META_MARK, NFT_REG32_00);
    end(c, r, "held", NF_ACCEPT, NULL, 0);
    end(c, rule(c, "hold", 0), "hold_overflow", NF_ACCEPT, NULL, 0);
}

static void
compile_side(const struct compiler *c)
{
    const bool enb = c->side.copy == QUEUE_COPY_ENB;

    /* Chains first: rules name them. */
    add_chain(c, "gtp", 0);
    add_chain(c, "known", 0);
    add_chain(c, "hold", 0);
    if (enb) {
        add_chain(c, "service", 0);
    }
    for (int n = 8; n <= MAX_HEADER; n += 4) {
        add_chain(c, "i", n);
        if (n > 8) {
            add_chain(c, "x", n);
        }
        if (enb) {
            add_chain(c, "d", n);
        }
    }

    compile_base(c);
    compile_gtp(c);
    compile_known(c);
    compile_hold(c);
    if (enb) {
        compile_service(c);
    }
    for (int n = 8; n <= MAX_HEADER; n += 4) {
        if (enb) {
            compile_inner_enb(c, n);
        } else {
            compile_inner_sgw(c, n);
        }
        if (n > 8) {
            compile_walk(c, n);
        }
    }
}

/* What Open vSwitch sends by 'link' leaves by the adapter.  Heartbeats are
 * sent back in if 'back_ifindex' is nonzero, else they have come all the way
 * round and show that Open vSwitch lives. */
static void
compile_return(struct nft_batch *b, const char *link, int adapter_ifindex,
               int back_ifindex)
{
    struct nftnl_rule *r;
    uint32_t key = 0;

    nft_chain_add(b, &filter_table, &(struct nft_chain) {
                      .name = link, .type = "filter",
                      .hook = NF_NETDEV_INGRESS, .dev = link });
    r = nft_rule(&filter_table, link);
    match_u16(r, NFT_PAYLOAD_LL_HEADER, 12, 0xffff, HEARTBEAT_ETHERTYPE);
    if (back_ifindex) {
        nft_x_fwd(r, back_ifindex);
    } else {
        nft_x_imm(r, NFT_REG32_00, &key, sizeof key);
        nft_x_dynset(r, filter_live.name, NFT_DYNSET_OP_UPDATE, NFT_REG32_00,
                     0, LIVE_TIMEOUT_MS);
        nft_x_verdict(r, NF_DROP, NULL);
    }
    nft_rule_add(b, r);
    r = nft_rule(&filter_table, link);
    nft_rule_comment(r, "sent");
    nft_x_counter(r);
    nft_x_fwd(r, adapter_ifindex);
    nft_rule_add(b, r);
}

uint64_t
filter_rules_stamp(const struct filter_rules *r)
{
    char text[256];
    uint64_t hash = 0xcbf29ce484222325;         /* FNV-1a */

    snprintf(text, sizeof text, "%d %d %s %d %s %d %d %d %d %d %d %llu",
             RULES_VERSION, r->learn_all, r->enb, r->enb_ifindex, r->sgw,
             r->sgw_ifindex,
             r->enb_link_ifindex, r->queue_ifindex[0], r->queue_ifindex[1],
             r->queue_ifindex[2], r->queue_ifindex[3],
             (unsigned long long) r->evidence_ms);
    for (const char *p = text; *p; p++) {
        hash = (hash ^ (uint8_t) *p) * 0x100000001b3;
    }
    return hash;
}

void
filter_rules_compile(const struct filter_rules *rules, struct nft_batch *b)
{
    const struct nft_set *sets[] = {
        &filter_services, &filter_pingers, &filter_learned_set,
        &filter_divert_set, &filter_bound, &filter_l2, &filter_live,
        &filter_stamp,
    };
    struct compiler c = {
        .r = rules, .b = b,
        .side = { "enb", rules->enb, QUEUE_COPY_ENB, QUEUE_HOLD_ENB },
    };
    uint64_t stamp = filter_rules_stamp(rules);

    nft_table_add(b, &filter_table, 0);
    nft_chain_flush(b, &filter_table, NULL);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        nft_set_add(b, &filter_table, sets[i]);
    }
    compile_side(&c);
    c.side = (struct side) { "sgw", rules->sgw, QUEUE_COPY_SGW,
                             QUEUE_HOLD_SGW };
    compile_side(&c);
    compile_return(b, FILTER_ENB_LINK, rules->enb_ifindex,
                   rules->enb_link_ifindex);
    compile_return(b, FILTER_SGW_LINK, rules->sgw_ifindex, 0);
    nft_set_flush(b, &filter_table, filter_stamp.name);
    nft_elem_add(b, &filter_table, &filter_stamp, &stamp, NULL, 0);
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
