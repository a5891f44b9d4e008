/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The GTP Filter's rules for packets to services that depend on which connection
 * they are of: see gtp/flow.h.
 *
 * One that began on the normal way stays there, though its service is diverted.
 * While the service's App is down, those that it had are held, and delivered,
 * to be reset; all others are switched, and a TCP connection that begins then
 * stays there.
 *
 * They are in the chains of rules_gpdu.c in which that has found packets to
 * services: the kernel allows 15 gotos behind each other, and there are so many
 * where a G-PDU has 8 extension headers.
 * Most tunnels have no connection that stays, and their packets go on at
 * once. */

#include <config.h>

#include "filter/private.h"

#include "gtp/flow.h"

/* Keys are struct filter_stay_key, from NFT_REG32_00 on; or what is behind the
 * tunnel in it, which is struct tcp_connection. */
#define REG_FLOW_TEID NFT_REG32_04
#define REG_FLOW_SRC NFT_REG32_05
#define REG_FLOW_DST NFT_REG32_09
#define REG_FLOW_PORTS NFT_REG32_13

#define IPV4_HEADER_LEN 20
#define IPV6_HEADER_LEN 40
#define TCP_FLAGS 13
#define TCP_SYN 0x02
#define TCP_SYN_ACK 0x12

/* Connections of one kind. */
struct flows {
    const struct nft_set *set;
    uint32_t key;               /* Register. */
    uint8_t proto;              /* 0: those whose ports are not looked at. */
    uint64_t ms;                /* How long one is remembered. */
};

static const struct flows stays[] = {
    { &filter_stay_tcp, NFT_REG32_00, IPPROTO_TCP, FLOW_TCP_MS },
    { &filter_stay_other, NFT_REG32_00, IPPROTO_UDP, FLOW_OTHER_MS },
    { &filter_stay_other, NFT_REG32_00, 0, FLOW_OTHER_MS },
};
#define N_STAYS (sizeof stays / sizeof *stays)

static const struct flows ended = {
    &filter_ended, REG_FLOW_SRC, IPPROTO_TCP, FILTER_ENDED_MS
};

static void
load_tunnel_end(const struct filter_compiler *c, struct nftnl_rule *r)
{
    filter_load_receiver(r, c->outer);
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, UDP_LEN + 4, 4,
                  REG_FLOW_TEID);
}

/* The transport header is right behind the IP header at 'inner'. */
static void
match_transport(struct nftnl_rule *r, sa_family_t family, uint32_t inner,
                uint8_t proto)
{
    if (family == AF_INET) {
        filter_match_byte(r, inner, 0xff, NFT_CMP_EQ, 0x45);
        filter_match_u16(r, NFT_PAYLOAD_TRANSPORT_HEADER, inner + 6, 0x3fff,
                         0);
        filter_match_byte(r, inner + 9, 0xff, NFT_CMP_EQ, proto);
    } else {
        filter_match_byte(r, inner + 6, 0xff, NFT_CMP_EQ, proto);
    }
}

/* What is of such a connection goes on in the rule, with its key loaded; what
 * has no ports that are looked at, all of it. */
static void
load_flow(const struct filter_compiler *c, struct nftnl_rule *r,
          sa_family_t family, int n, const struct flows *flows)
{
    const uint32_t inner = UDP_LEN + n, none = 0;

    if (flows->proto) {
        match_transport(r, family, inner, flows->proto);
    }
    load_tunnel_end(c, r);
    filter_load_inner(r, family, inner, FILTER_SRC, REG_FLOW_SRC);
    filter_load_inner(r, family, inner, FILTER_DST, REG_FLOW_DST);
    if (flows->proto) {
        nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER,
                      inner + (family == AF_INET ? IPV4_HEADER_LEN
                               : IPV6_HEADER_LEN), 4, REG_FLOW_PORTS);
    } else {
        nft_x_imm(r, REG_FLOW_PORTS, &none, sizeof none);
    }
}

static void
look_up(struct nftnl_rule *r, const struct flows *flows)
{
    nft_x_lookup(r, flows->set->name, flows->key, false);
}

static void
take_out(struct nftnl_rule *r, const struct flows *flows)
{
    nft_x_dynset(r, flows->set->name, NFT_DYNSET_OP_DELETE, flows->key, 0, 0);
}

/* A rule for what begins a TCP connection, with its keys loaded: it is taken out
 * of 'flows', and not found there behind this. */
static struct nftnl_rule *
syn_rule(const struct filter_compiler *c, const char *chain,
         sa_family_t family, int n, const struct flows *flows)
{
    const uint32_t tcp = UDP_LEN + n + (family == AF_INET ? IPV4_HEADER_LEN
                                        : IPV6_HEADER_LEN);
    struct nftnl_rule *r = filter_rule(c, chain, n);

    filter_match_byte(r, tcp + TCP_FLAGS, TCP_SYN_ACK, NFT_CMP_EQ, TCP_SYN);
    load_flow(c, r, family, n, &stays[0]);
    take_out(r, flows);
    return r;
}

/* What is in the rule stays, from its last packet on. */
static void
keep(struct nftnl_rule *r, const struct flows *flows)
{
    nft_x_dynset(r, flows->set->name, NFT_DYNSET_OP_UPDATE, flows->key, 0,
                 flows->ms);
    nft_x_dynset(r, filter_stay_tunnels.name, NFT_DYNSET_OP_UPDATE,
                 NFT_REG32_00, 0, FLOW_TCP_MS);
}

/* The rule leads to 'chain', or switches if that is NULL. */
static void
leave(const struct filter_compiler *c, struct nftnl_rule *r, const char *why,
      const char *chain, int n)
{
    filter_rule_end(c, r, why, chain ? NFT_GOTO : NF_ACCEPT, chain, n);
}

/* The next packet of a connection that stays; and of one by its ports that
 * does not, as all packets without ports between two addresses are one. */
static void
compile_stays(const struct filter_compiler *c, const struct filter_stay *stay,
              sa_family_t family, int n, const struct flows *flows)
{
    struct nftnl_rule *r = filter_rule(c, stay->chain, n);

    load_flow(c, r, family, n, flows);
    look_up(r, flows);
    keep(r, flows);
    leave(c, r, "stays", stay->stays, stay->stays_n);

    r = filter_rule(c, stay->chain, n);
    if (flows->proto) {
        match_transport(r, family, UDP_LEN + n, flows->proto);
    }
    leave(c, r, NULL, stay->goes, stay->goes_n);
}

static void
compile_stays_all(const struct filter_compiler *c,
                  const struct filter_stay *stay, sa_family_t family, int n)
{
    for (size_t i = 0; i < N_STAYS; i++) {
        compile_stays(c, stay, family, n, &stays[i]);
    }
}

/* Rule 7c.  What begins anew stays no more. */
void
filter_stay_compile(const struct filter_compiler *c,
                    const struct filter_stay *stay, sa_family_t family, int n)
{
    struct nftnl_rule *r = filter_rule(c, stay->chain, n);

    load_tunnel_end(c, r);
    nft_x_lookup(r, filter_stay_tunnels.name, NFT_REG32_00, true);
    leave(c, r, NULL, stay->goes, stay->goes_n);
    nft_rule_add(c->b, syn_rule(c, stay->chain, family, n, &stays[0]));
    compile_stays_all(c, stay, family, n);
}

/* Rules 8a and 8b.  What begins is nobody's, and stays where it is switched;
 * what the App had does not, though that has happened before tofd knew of
 * it. */
void
filter_past_compile(const struct filter_compiler *c, const char *chain,
                    const char *known, sa_family_t family, int n)
{
    const struct filter_stay stay = { chain, known, 0, known, 0 };
    struct nftnl_rule *r = syn_rule(c, chain, family, n, &ended);

    keep(r, &stays[0]);
    leave(c, r, NULL, known, 0);

    r = filter_rule(c, chain, n);
    load_flow(c, r, family, n, &stays[0]);
    look_up(r, &ended);
    take_out(r, &stays[0]);
    if (c->r->links) {
        filter_match_live(r);
    }
    filter_rule_end(c, r, "app_down", NFT_GOTO, "hold", 0);
    compile_stays_all(c, &stay, family, n);
}
