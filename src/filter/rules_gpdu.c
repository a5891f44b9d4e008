/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The GTP Filter's rules for a G-PDU: from the inner packet on.
 *
 * For each side and outer family, for each place N where the inner packet can
 * start (bytes from the start of the GTP-U header), chains
 *
 *   SIDE_iN             by the inner family to
 *   SIDE_four_N, SIDE_six_N
 *                       to a service, but of a connection that is switched all
 *                       the same (rules_flows.c), or not;
 *   SIDE_serve4_N, SIDE_serve6_N
 *                       to a service, of a bearer that is diverted, or not;
 *   SIDE_to4_N, SIDE_to6_N
 *                       to a service, of a bearer that is diverted;
 *   SIDE_other4_N, SIDE_other6_N
 *                       switched
 *   SIDE_past4_N, SIDE_past6_N
 *                       the same to a service that is bypassed, but for some
 *                       connections (rules_flows.c)
 *
 * and, once for each family, SIDE_service4, SIDE_service6 (a service packet of
 * a bearer that is not diverted) and SIDE_known4, SIDE_known6 (copy what is
 * not learned).  SIDE_hold marks for the hold table, and SIDE_later does with
 * fragments. */

#include <config.h>

#include "filter/private.h"

#include <arpa/inet.h>

#define COPIES_PER_SECOND 60000
#define FOREIGN_COPIES_PER_SECOND 1000
#define HOLDS_PER_SECOND 20000
#define L2_TIMEOUT_MS (60 * 1000)
#define FRAGMENTS_TIMEOUT_MS 1000

#define ICMP_ECHO_REPLY 0
#define ICMPV6_ECHO_REPLY 129
#define IPV6_HEADER_LEN 40

/* Names of chains by inner family. */
struct family {
    sa_family_t inner;
    const char *start, *serve, *to, *service, *other, *past, *known;
};

static const struct family families[] = {
    { AF_INET, "four_", "serve4_", "to4_", "service4", "other4_", "past4_",
      "known4" },
    { AF_INET6, "six_", "serve6_", "to6_", "service6", "other6_", "past6_",
      "known6" },
};
#define N_FAMILIES (sizeof families / sizeof *families)

static bool
is_enb(const struct filter_compiler *c)
{
    return c->side == SIDE_ENB;
}

/* Notes the packet's Ethernet header by its outer addresses and side.  A value
 * that is there stays until its time is up: deleting and adding it for each
 * packet would leave moments without one. */
static void
note_l2(const struct filter_compiler *c, struct nftnl_rule *r)
{
    const uint32_t side = c->side;

    filter_load_pair(r, c->outer);
    nft_x_imm(r, REG_BEHIND_PAIR, &side, sizeof side);
    nft_x_payload(r, NFT_PAYLOAD_LL_HEADER, 0, 18, NFT_REG32_09);
    nft_x_dynset(r, filter_l2.name, NFT_DYNSET_OP_ADD, NFT_REG32_00,
                 NFT_REG32_09, L2_TIMEOUT_MS);
}

/* Finishes a rule that marks for the hold table. */
static void
hold(const struct filter_compiler *c, struct nftnl_rule *r)
{
    const uint32_t mark = c->hold;

    nft_x_imm(r, NFT_REG32_00, &mark, sizeof mark);
    nft_x_meta_set(r, NFT_META_MARK, NFT_REG32_00);
    filter_rule_end(c, r, "held", NF_ACCEPT, NULL, 0);
}

/* Rule 2: the first fragment notes which others are to be held with it. */
static void
compile_hold_fragments(const struct filter_compiler *c)
{
    struct nftnl_rule *r = filter_rule(c, "hold", 0);

    filter_match_part(r, c->outer, FILTER_FIRST_FRAGMENT);
    nft_x_limit(r, HOLDS_PER_SECOND, HOLDS_PER_SECOND / 10);
    filter_load_datagram(r, c->outer);
    nft_x_dynset(r, filter_fragments.name, NFT_DYNSET_OP_UPDATE, NFT_REG32_00,
                 0, FRAGMENTS_TIMEOUT_MS);
    note_l2(c, r);
    hold(c, r);
    r = filter_rule(c, "hold", 0);
    filter_match_part(r, c->outer, FILTER_FIRST_FRAGMENT);
    filter_rule_end(c, r, "hold_overflow", NF_ACCEPT, NULL, 0);
    if (c->outer == AF_INET6) {
        filter_switch_mapped(c, "later", 0, NFT_PAYLOAD_NETWORK_HEADER, 0,
                             "outer_mapped");
    }
    hold(c, filter_rule(c, "later", 0));
}

static void
compile_hold(const struct filter_compiler *c)
{
    struct nftnl_rule *r;

    if (is_enb(c)) {
        compile_hold_fragments(c);
    }
    r = filter_rule(c, "hold", 0);
    nft_x_limit(r, HOLDS_PER_SECOND, HOLDS_PER_SECOND / 10);
    note_l2(c, r);
    hold(c, r);
    filter_rule_end(c, filter_rule(c, "hold", 0), "hold_overflow", NF_ACCEPT,
                    NULL, 0);
}

/* Rules 9 and 10. */
static void
compile_known(const struct filter_compiler *c, const struct family *f)
{
    struct nftnl_rule *r;

    if (!c->r->learn_all) {
        return;
    }
    r = filter_rule(c, f->known, 0);
    filter_load_tunnel(r, c->outer);
    filter_load_family(r, f->inner, REG_BEHIND_TUNNEL);
    nft_x_lookup(r, filter_learned_set.name, NFT_REG32_00, false);
    filter_rule_end(c, r, NULL, NF_ACCEPT, NULL, 0);

    if (is_enb(c)) {
        /* Of a fragment's copy there is nothing to learn. */
        r = filter_rule(c, f->known, 0);
        filter_match_part(r, c->outer, FILTER_FIRST_FRAGMENT);
        filter_rule_end(c, r, NULL, NF_ACCEPT, NULL, 0);
    }

    r = filter_rule(c, f->known, 0);
    nft_x_limit(r, COPIES_PER_SECOND, COPIES_PER_SECOND / 10);
    note_l2(c, r);
    nft_rule_comment(r, "copied");
    nft_x_counter(r);
    nft_x_dup(r, c->r->queue_ifindex[c->copy]);
    nft_rule_add(c->b, r);
}

static void
match_bound(const struct filter_compiler *c, struct nftnl_rule *r,
            const struct family *f)
{
    filter_load_tunnel(r, c->outer);
    filter_load_family(r, f->inner, REG_BEHIND_TUNNEL);
    nft_x_lookup(r, filter_bound.name, NFT_REG32_00, false);
}

/* A service packet of a bearer that is not diverted.  If the tunnel is, but
 * for another UE address, somebody makes up addresses or the TEID has been
 * given to someone else: switched, and the agent gets a copy (rule 7a).  Else
 * rule 8. */
static void
compile_service(const struct filter_compiler *c, const struct family *f)
{
    struct nftnl_rule *r;

    if (c->r->links) {
        r = filter_rule(c, f->service, 0);
        match_bound(c, r, f);
        nft_rule_comment(r, "foreign_source");
        nft_x_counter(r);
        nft_x_limit(r, FOREIGN_COPIES_PER_SECOND,
                    FOREIGN_COPIES_PER_SECOND / 10);
        nft_x_dup(r, c->r->queue_ifindex[c->copy]);
        filter_rule_end(c, r, NULL, NF_ACCEPT, NULL, 0);

        r = filter_rule(c, f->service, 0);
        match_bound(c, r, f);
        filter_rule_end(c, r, NULL, NF_ACCEPT, NULL, 0);
    }
    r = filter_rule(c, f->service, 0);
    if (c->r->links) {
        filter_match_live(r);
    }
    filter_rule_end(c, r, NULL, NFT_GOTO, "hold", 0);
    filter_rule_end(c, filter_rule(c, f->service, 0), NULL, NFT_GOTO, f->known,
                    0);
}

static void
match_no_service(struct nftnl_rule *r, const struct family *f, int n)
{
    filter_load_inner(r, f->inner, UDP_LEN + n, FILTER_DST, NFT_REG32_00);
    nft_x_lookup(r, filter_services.name, NFT_REG32_00, true);
}

/* What has got there in 'chain' and is to a service that is bypassed. */
static void
leave_past(const struct filter_compiler *c, const struct family *f,
           const char *chain, int n)
{
    struct nftnl_rule *r = filter_rule(c, chain, n);

    filter_load_inner(r, f->inner, UDP_LEN + n, FILTER_DST, NFT_REG32_00);
    nft_x_lookup(r, filter_bypassed.name, NFT_REG32_00, false);
    filter_rule_end(c, r, NULL, NFT_GOTO, f->past, n);
}

/* A packet of a proved bearer's UE is evidence that it is there, whatever its
 * destination.  Returns a rule to be finished. */
static struct nftnl_rule *
evidence_rule(const struct filter_compiler *c, const struct family *f,
              const char *chain, int n)
{
    struct nftnl_rule *r = filter_rule(c, chain, n);

    filter_load_tunnel(r, c->outer);
    filter_load_ue(r, f->inner, UDP_LEN + n, FILTER_SRC, REG_BEHIND_TUNNEL);
    nft_x_lookup(r, filter_divert_set.name, NFT_REG32_00, false);
    nft_x_dynset(r, filter_divert_set.name, NFT_DYNSET_OP_UPDATE, NFT_REG32_00,
                 0, c->r->evidence_ms);
    filter_load_family(r, f->inner, REG_BEHIND_TUNNEL);
    nft_x_dynset(r, filter_bound.name, NFT_DYNSET_OP_UPDATE, NFT_REG32_00,
                 0, c->r->evidence_ms);
    return r;
}

/* Rule 7.  What says "congestion experienced" outside, but inside that its
 * sender does not know ECN, is dropped (RFC 6040; Open vSwitch does not count
 * that).  What has bytes behind the GTP-U message, or too few, or IP options,
 * is for the agent, which parses it: nftables cannot calculate. */
static void
compile_diverted(const struct filter_compiler *c, const struct family *f,
                 int n)
{
    struct nftnl_rule *r;

    filter_rule_end(c, evidence_rule(c, f, f->serve, n), NULL, NFT_GOTO, f->to,
                    n);
    filter_rule_end(c, filter_rule(c, f->serve, n), NULL, NFT_GOTO,
                    f->service, 0);

    r = filter_rule(c, f->to, n);
    filter_match_congestion(r, c->outer);
    filter_match_not_ect(r, f->inner, UDP_LEN + n);
    filter_match_live(r);
    filter_rule_end(c, r, "congestion_not_ect", NF_DROP, NULL, 0);

    r = filter_rule(c, f->to, n);
    filter_match_live(r);
    filter_match_lengths(r, c->outer);
    nft_rule_comment(r, "diverted");
    nft_x_counter(r);
    nft_x_fwd(r, c->r->enb_link_ifindex);
    nft_rule_add(c->b, r);

    r = filter_rule(c, f->to, n);
    filter_match_live(r);
    filter_rule_end(c, r, NULL, NFT_GOTO, "hold", 0);
    filter_rule_end(c, filter_rule(c, f->to, n), NULL, NFT_GOTO, f->known, 0);

    nft_rule_add(c->b, evidence_rule(c, f, f->other, n));
    leave_past(c, f, f->other, n);
    filter_rule_end(c, filter_rule(c, f->other, n), NULL, NFT_GOTO, f->known,
                    0);
}

/* Rule 5: what may be a reply to the Pinger. */
static void
compile_pinger_reply(const struct filter_compiler *c, const struct family *f,
                     int n)
{
    const uint32_t inner = UDP_LEN + n;
    struct nftnl_rule *r = filter_rule(c, f->start, n);

    if (f->inner == AF_INET) {
        filter_match_byte(r, inner, 0xff, NFT_CMP_EQ, 0x45);
        filter_match_byte(r, inner + 9, 0xff, NFT_CMP_EQ, IPPROTO_ICMP);
        filter_match_byte(r, inner + 20, 0xff, NFT_CMP_EQ, ICMP_ECHO_REPLY);
    } else {
        filter_match_byte(r, inner + 6, 0xff, NFT_CMP_EQ, IPPROTO_ICMPV6);
        filter_match_byte(r, inner + IPV6_HEADER_LEN, 0xff, NFT_CMP_EQ,
                          ICMPV6_ECHO_REPLY);
    }
    filter_load_inner(r, f->inner, inner, FILTER_SRC, NFT_REG32_00);
    nft_x_lookup(r, filter_pingers.name, NFT_REG32_00, false);
    filter_rule_end(c, r, "pinger_reply", NFT_GOTO, "hold", 0);
}

/* What an IPv6 source that is link-local, unspecified or a group says is no
 * news of a tunnel: router solicitations, duplicate address detection. */
static void
compile_not_a_ue(const struct filter_compiler *c, const struct family *f,
                 int n)
{
    const uint32_t src = UDP_LEN + n + 8;
    const uint8_t unspecified[16] = { 0 };
    struct nftnl_rule *r = filter_rule(c, f->start, n);

    filter_match_u16(r, NFT_PAYLOAD_TRANSPORT_HEADER, src, 0xffc0, 0xfe80);
    filter_rule_end(c, r, "inner_link_local", NF_ACCEPT, NULL, 0);
    r = filter_rule(c, f->start, n);
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, src, sizeof unspecified,
                  NFT_REG32_00);
    nft_x_cmp(r, NFT_REG32_00, NFT_CMP_EQ, unspecified, sizeof unspecified);
    filter_rule_end(c, r, "inner_link_local", NF_ACCEPT, NULL, 0);
    r = filter_rule(c, f->start, n);
    filter_match_byte(r, src, 0xff, NFT_CMP_EQ, 0xff);
    filter_rule_end(c, r, "inner_link_local", NF_ACCEPT, NULL, 0);
}

/* Rule 7b.  Somebody else's packet in a downlink tunnel that the guard has for
 * a UE: the TEID has been given away.  It is switched, and the agent gets a
 * copy even if the tunnel is learned.  What is over the limit goes on. */
static void
compile_foreign_destination(const struct filter_compiler *c,
                            const struct family *f, int n)
{
    struct nftnl_rule *r = filter_rule(c, f->start, n);

    filter_load_tunnel(r, c->outer);
    filter_load_family(r, f->inner, REG_BEHIND_TUNNEL);
    nft_x_lookup(r, filter_down_bound.name, NFT_REG32_00, false);
    filter_load_ue(r, f->inner, UDP_LEN + n, FILTER_DST, REG_BEHIND_TUNNEL);
    nft_x_lookup(r, filter_down.name, NFT_REG32_00, true);
    nft_rule_comment(r, "foreign_destination");
    nft_x_counter(r);
    nft_x_limit(r, FOREIGN_COPIES_PER_SECOND, FOREIGN_COPIES_PER_SECOND / 10);
    nft_x_dup(r, c->r->queue_ifindex[c->copy]);
    filter_rule_end(c, r, NULL, NF_ACCEPT, NULL, 0);
}

static void
compile_inner(const struct filter_compiler *c, const struct family *f, int n)
{
    struct nftnl_rule *r;

    if (f->inner == AF_INET6) {
        filter_switch_mapped(c, f->start, n, NFT_PAYLOAD_TRANSPORT_HEADER,
                             UDP_LEN + n, "inner_mapped");
        compile_not_a_ue(c, f, n);
    }
    if (!is_enb(c)) {
        compile_pinger_reply(c, f, n);
        if (c->r->links) {
            compile_foreign_destination(c, f, n);
        }
        filter_rule_end(c, filter_rule(c, f->start, n), NULL, NFT_GOTO,
                        f->known, 0);
        return;
    }
    if (c->r->links) {
        const struct filter_stay stay = { f->start, f->other, n, f->serve, n };

        r = filter_rule(c, f->start, n);
        match_no_service(r, f, n);
        filter_rule_end(c, r, NULL, NFT_GOTO, f->other, n);
        filter_stay_compile(c, &stay, f->inner, n);
        compile_diverted(c, f, n);
    } else {
        const struct filter_stay stay = { f->start, f->known, 0, f->service,
                                          0 };

        leave_past(c, f, f->start, n);
        r = filter_rule(c, f->start, n);
        match_no_service(r, f, n);
        filter_rule_end(c, r, NULL, NFT_GOTO, f->known, 0);
        filter_stay_compile(c, &stay, f->inner, n);
    }
}

/* Rule 6: the inner packet must be IP. */
static void
compile_by_family(const struct filter_compiler *c, int n)
{
    struct nftnl_rule *r;

    for (size_t i = 0; i < N_FAMILIES; i++) {
        r = filter_rule(c, "i", n);
        filter_match_inner(r, families[i].inner, UDP_LEN + n);
        filter_rule_end(c, r, NULL, NFT_GOTO, families[i].start, n);
    }
    filter_rule_end(c, filter_rule(c, "i", n), "inner_not_ip", NF_ACCEPT,
                    NULL, 0);
}

void
filter_gpdu_add_chains(const struct filter_compiler *c)
{
    filter_chain_add(c, "hold", 0);
    if (is_enb(c)) {
        filter_chain_add(c, "later", 0);
    }
    for (size_t i = 0; i < N_FAMILIES; i++) {
        const struct family *f = &families[i];

        filter_chain_add(c, f->known, 0);
        if (is_enb(c)) {
            filter_chain_add(c, f->service, 0);
        }
        for (int n = 8; n <= MAX_HEADER; n += 4) {
            filter_chain_add(c, f->start, n);
            if (is_enb(c)) {
                filter_chain_add(c, f->past, n);
            }
            if (is_enb(c) && c->r->links) {
                filter_chain_add(c, f->serve, n);
                filter_chain_add(c, f->to, n);
                filter_chain_add(c, f->other, n);
            }
        }
    }
    for (int n = 8; n <= MAX_HEADER; n += 4) {
        filter_chain_add(c, "i", n);
    }
}

void
filter_gpdu_compile(const struct filter_compiler *c)
{
    compile_hold(c);
    for (size_t i = 0; i < N_FAMILIES; i++) {
        compile_known(c, &families[i]);
        if (is_enb(c)) {
            compile_service(c, &families[i]);
        }
        for (int n = 8; n <= MAX_HEADER; n += 4) {
            if (is_enb(c)) {
                filter_past_compile(c, families[i].past,
                                    c->r->links ? families[i].known : NULL,
                                    families[i].inner, n);
            }
            compile_inner(c, &families[i], n);
        }
    }
    for (int n = 8; n <= MAX_HEADER; n += 4) {
        compile_by_family(c, n);
    }
}
