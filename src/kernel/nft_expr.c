/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rules of nftables and the expressions that they are made of.
 *
 * Place in the flow: filter/filter.c and nat/nat.c start a rule, append
 * expressions in the order in which the kernel is to evaluate them, and put
 * it into their batch with nft_rule_add().  Nothing is sent before the batch
 * is committed (nft.c).
 *
 * Memory that runs out, or a value that fits into no register, must not yield
 * a rule that lacks an expression, and so does something else.  Such a rule is
 * spoiled: it loses its chain, which nft_rule_add() turns into the failure of
 * the batch. */

#include "kernel/nft.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/netlink.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>

#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>

#include "kernel/nft_private.h"

#define IPV4_CHECKSUM_OFFSET 10

#define EXPRS_MAX 128           /* The kernel's NFT_RULE_MAXEXPRS. */

/* Where fwd and dup find their device.  The last register, so that they leave
 * keys in the lower ones alone. */
#define DEV_REG NFT_REG32_15

static void
spoil(struct nftnl_rule *rule)
{
    if (rule) {
        nftnl_rule_unset(rule, NFTNL_RULE_CHAIN);
    }
}

struct nftnl_rule *
nft_rule(const struct nft_table *table, const char *chain)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();

    if (rule) {
        nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, table->family);
        if (nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, table->name)
            || nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain)) {
            spoil(rule);
        }
    }
    return rule;
}

static int
count_expr(struct nftnl_expr *e __attribute__((unused)), void *n)
{
    ++*(unsigned int *) n;
    return 0;
}

void
nft_rule_add(struct nft_batch *b, struct nftnl_rule *rule)
{
    struct nlmsghdr *nlh;
    unsigned int n = 0;

    if (!rule || !nftnl_rule_is_set(rule, NFTNL_RULE_CHAIN)) {
        nft_fail(b, ENOMEM, "a rule (memory, or an empty or too long value)");
    } else if (strlen(nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN))
               >= NFT_NAME_MAXLEN
               || strlen(nftnl_rule_get_str(rule, NFTNL_RULE_TABLE))
               >= NFT_NAME_MAXLEN) {
        nft_fail(b, ENAMETOOLONG, "a rule");
    } else if (nftnl_expr_foreach(rule, count_expr, &n) < 0
               || n > EXPRS_MAX) {
        nft_fail(b, E2BIG, "a rule");
    } else {
        nlh = nft_msg_start(b, NFT_MSG_NEWRULE,
                            nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY),
                            NLM_F_CREATE | NLM_F_APPEND);
        if (nlh) {
            nftnl_rule_nlmsg_build_payload(nlh, rule);
            nft_msg_end(b, nlh);
        }
    }
    if (rule) {
        nftnl_rule_free(rule);
    }
}

void
nft_rule_comment(struct nftnl_rule *rule, const char *comment)
{
    struct nftnl_udata_buf *udata;
    char text[NFTNL_UDATA_COMMENT_MAXLEN] = "";

    strncpy(text, comment, sizeof text - 1);
    udata = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
    if (!rule || !udata
        || !nftnl_udata_put_strz(udata, NFTNL_UDATA_RULE_COMMENT, text)
        || nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA,
                               nftnl_udata_buf_data(udata),
                               nftnl_udata_buf_len(udata))) {
        spoil(rule);
    }
    if (udata) {
        nftnl_udata_buf_free(udata);
    }
}

/* An attribute of an expression: a number of 4 bytes, unless 'data' or 'str'
 * is given or 'size' is 1 or 8. */
struct arg {
    uint16_t attr;
    uint64_t u;
    const void *data;
    uint32_t size;
    const char *str;
};

static int
set_arg(struct nftnl_expr *e, const struct arg *arg)
{
    uint32_t u32 = arg->u;
    uint8_t u8 = arg->u;

    if (arg->str) {
        return nftnl_expr_set_str(e, arg->attr, arg->str);
    } else if (arg->data) {
        return nftnl_expr_set(e, arg->attr, arg->data, arg->size);
    } else if (arg->size == 8) {
        return nftnl_expr_set(e, arg->attr, &arg->u, 8);
    } else if (arg->size == 1) {
        return nftnl_expr_set(e, arg->attr, &u8, 1);
    }
    return nftnl_expr_set(e, arg->attr, &u32, 4);
}

/* Appends the expression 'name' with 'args'. */
static void
add_expr(struct nftnl_rule *rule, const char *name, const struct arg args[],
         size_t n)
{
    struct nftnl_expr *e = rule ? nftnl_expr_alloc(name) : NULL;

    if (!e) {
        spoil(rule);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        /* Attribute 0 is the expression's name, which is set: so it marks an
         * argument that is to be left out. */
        if (args[i].attr && set_arg(e, &args[i]) < 0) {
            spoil(rule);
        }
    }
    nftnl_rule_add_expr(rule, e);
}

#define ADD_EXPR(RULE, NAME, ...)                                       \
    do {                                                                \
        const struct arg args_[] = { __VA_ARGS__ };                     \
                                                                        \
        add_expr(RULE, NAME, args_, sizeof args_ / sizeof *args_);      \
    } while (0)

/* Values have to fit into registers. */
static bool
len_is_good(struct nftnl_rule *rule, uint32_t len)
{
    if (!len || len > NFT_DATA_VALUE_MAXLEN) {
        spoil(rule);
        return false;
    }
    return true;
}

void
nft_x_payload(struct nftnl_rule *rule, enum nft_payload_bases base,
              uint32_t offset, uint32_t len, uint32_t reg)
{
    ADD_EXPR(rule, "payload",
             { .attr = NFTNL_EXPR_PAYLOAD_DREG, .u = reg },
             { .attr = NFTNL_EXPR_PAYLOAD_BASE, .u = base },
             { .attr = NFTNL_EXPR_PAYLOAD_OFFSET, .u = offset },
             { .attr = NFTNL_EXPR_PAYLOAD_LEN, .u = len });
}

static void
payload_set(struct nftnl_rule *rule, enum nft_payload_bases base,
            uint32_t offset, uint32_t len, uint32_t reg,
            uint32_t csum_type, uint32_t csum_offset)
{
    ADD_EXPR(rule, "payload",
             { .attr = NFTNL_EXPR_PAYLOAD_SREG, .u = reg },
             { .attr = NFTNL_EXPR_PAYLOAD_BASE, .u = base },
             { .attr = NFTNL_EXPR_PAYLOAD_OFFSET, .u = offset },
             { .attr = NFTNL_EXPR_PAYLOAD_LEN, .u = len },
             { .attr = NFTNL_EXPR_PAYLOAD_CSUM_TYPE, .u = csum_type },
             { .attr = NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, .u = csum_offset });
}

void
nft_x_payload_set(struct nftnl_rule *rule, enum nft_payload_bases base,
                  uint32_t offset, uint32_t len, uint32_t reg)
{
    payload_set(rule, base, offset, len, reg, NFT_PAYLOAD_CSUM_NONE, 0);
}

void
nft_x_ip4_set(struct nftnl_rule *rule, uint32_t offset, uint32_t len,
              uint32_t reg)
{
    payload_set(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, len, reg,
                NFT_PAYLOAD_CSUM_INET, IPV4_CHECKSUM_OFFSET);
}

void
nft_x_meta(struct nftnl_rule *rule, enum nft_meta_keys key, uint32_t reg)
{
    ADD_EXPR(rule, "meta",
             { .attr = NFTNL_EXPR_META_KEY, .u = key },
             { .attr = NFTNL_EXPR_META_DREG, .u = reg });
}

void
nft_x_meta_set(struct nftnl_rule *rule, enum nft_meta_keys key, uint32_t reg)
{
    ADD_EXPR(rule, "meta",
             { .attr = NFTNL_EXPR_META_KEY, .u = key },
             { .attr = NFTNL_EXPR_META_SREG, .u = reg });
}

void
nft_x_imm(struct nftnl_rule *rule, uint32_t reg, const void *data,
          uint32_t len)
{
    if (len_is_good(rule, len)) {
        ADD_EXPR(rule, "immediate",
                 { .attr = NFTNL_EXPR_IMM_DREG, .u = reg },
                 { .attr = NFTNL_EXPR_IMM_DATA, .data = data, .size = len });
    }
}

void
nft_x_bitwise(struct nftnl_rule *rule, uint32_t reg, const void *mask,
              const void *xor, uint32_t len)
{
    if (len_is_good(rule, len)) {
        ADD_EXPR(rule, "bitwise",
                 { .attr = NFTNL_EXPR_BITWISE_SREG, .u = reg },
                 { .attr = NFTNL_EXPR_BITWISE_DREG, .u = reg },
                 { .attr = NFTNL_EXPR_BITWISE_LEN, .u = len },
                 { .attr = NFTNL_EXPR_BITWISE_MASK, .data = mask,
                   .size = len },
                 { .attr = NFTNL_EXPR_BITWISE_XOR, .data = xor,
                   .size = len });
    }
}

void
nft_x_cmp(struct nftnl_rule *rule, uint32_t reg, enum nft_cmp_ops op,
          const void *data, uint32_t len)
{
    if (len_is_good(rule, len)) {
        ADD_EXPR(rule, "cmp",
                 { .attr = NFTNL_EXPR_CMP_SREG, .u = reg },
                 { .attr = NFTNL_EXPR_CMP_OP, .u = op },
                 { .attr = NFTNL_EXPR_CMP_DATA, .data = data, .size = len });
    }
}

void
nft_x_lookup(struct nftnl_rule *rule, const char *set, uint32_t reg,
             bool invert)
{
    ADD_EXPR(rule, "lookup",
             { .attr = NFTNL_EXPR_LOOKUP_SREG, .u = reg },
             { .attr = NFTNL_EXPR_LOOKUP_SET, .str = set },
             { .attr = invert ? NFTNL_EXPR_LOOKUP_FLAGS : 0,
               .u = NFT_LOOKUP_F_INV });
}

void
nft_x_lookup_map(struct nftnl_rule *rule, const char *set, uint32_t reg,
                 uint32_t dreg)
{
    ADD_EXPR(rule, "lookup",
             { .attr = NFTNL_EXPR_LOOKUP_SREG, .u = reg },
             { .attr = NFTNL_EXPR_LOOKUP_DREG, .u = dreg },
             { .attr = NFTNL_EXPR_LOOKUP_SET, .str = set });
}

void
nft_x_vmap(struct nftnl_rule *rule, const char *set, uint32_t reg)
{
    nft_x_lookup_map(rule, set, reg, NFT_REG_VERDICT);
}

void
nft_x_dynset(struct nftnl_rule *rule, const char *set, enum nft_dynset_ops op,
             uint32_t key_reg, uint32_t data_reg, uint64_t timeout_ms)
{
    ADD_EXPR(rule, "dynset",
             { .attr = NFTNL_EXPR_DYNSET_SREG_KEY, .u = key_reg },
             { .attr = data_reg ? NFTNL_EXPR_DYNSET_SREG_DATA : 0,
               .u = data_reg },
             { .attr = NFTNL_EXPR_DYNSET_OP, .u = op },
             { .attr = timeout_ms ? NFTNL_EXPR_DYNSET_TIMEOUT : 0,
               .u = timeout_ms, .size = 8 },
             { .attr = NFTNL_EXPR_DYNSET_SET_NAME, .str = set });
}

/* The rule has the element of a key evaluate 'stateful', which it makes with
 * the element.  Takes 'stateful' (may be NULL: no memory) over. */
static void
update_with(struct nftnl_rule *rule, const char *set, uint32_t key_reg,
            uint64_t timeout_ms, struct nftnl_expr *stateful)
{
    struct nftnl_expr *e = nftnl_expr_alloc("dynset");

    if (!rule || !stateful || !e
        || nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, set)) {
        spoil(rule);
        if (stateful) {
            nftnl_expr_free(stateful);
        }
        if (e) {
            nftnl_expr_free(e);
        }
        return;
    }
    nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, key_reg);
    nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
    if (timeout_ms) {
        nftnl_expr_set_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT, timeout_ms);
    }
    nftnl_expr_set(e, NFTNL_EXPR_DYNSET_EXPR, stateful, 0);
    nftnl_rule_add_expr(rule, e);
}

void
nft_x_count_in(struct nftnl_rule *rule, const char *set, uint32_t key_reg)
{
    struct nftnl_expr *counter = nftnl_expr_alloc("counter");

    if (counter) {
        nftnl_expr_set_u64(counter, NFTNL_EXPR_CTR_PACKETS, 0);
        nftnl_expr_set_u64(counter, NFTNL_EXPR_CTR_BYTES, 0);
    }
    update_with(rule, set, key_reg, 0, counter);
}

void
nft_x_rate_over_in(struct nftnl_rule *rule, const char *set, uint32_t key_reg,
                   uint64_t per_second, uint32_t burst, uint64_t timeout_ms)
{
    struct nftnl_expr *limit = nftnl_expr_alloc("limit");

    if (limit) {
        nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_RATE, per_second);
        nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_UNIT, 1);
        nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_BURST, burst);
        nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
        nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_FLAGS, NFT_LIMIT_F_INV);
    }
    update_with(rule, set, key_reg, timeout_ms, limit);
}

void
nft_x_connections_over_in(struct nftnl_rule *rule, const char *set,
                          uint32_t key_reg, uint32_t max)
{
    struct nftnl_expr *count = nftnl_expr_alloc("connlimit");

    if (count) {
        nftnl_expr_set_u32(count, NFTNL_EXPR_CONNLIMIT_COUNT, max);
        nftnl_expr_set_u32(count, NFTNL_EXPR_CONNLIMIT_FLAGS,
                           NFT_CONNLIMIT_F_INV);
    }
    update_with(rule, set, key_reg, 0, count);
}

void
nft_x_counter(struct nftnl_rule *rule)
{
    ADD_EXPR(rule, "counter",
             { .attr = NFTNL_EXPR_CTR_PACKETS, .u = 0, .size = 8 },
             { .attr = NFTNL_EXPR_CTR_BYTES, .u = 0, .size = 8 });
}

void
nft_x_limit(struct nftnl_rule *rule, uint64_t per_second, uint32_t burst)
{
    ADD_EXPR(rule, "limit",
             { .attr = NFTNL_EXPR_LIMIT_RATE, .u = per_second, .size = 8 },
             { .attr = NFTNL_EXPR_LIMIT_UNIT, .u = 1, .size = 8 },
             { .attr = NFTNL_EXPR_LIMIT_BURST, .u = burst },
             { .attr = NFTNL_EXPR_LIMIT_TYPE, .u = NFT_LIMIT_PKTS });
}

static void
dup_to_register(struct nftnl_rule *rule)
{
    ADD_EXPR(rule, "dup",
             { .attr = NFTNL_EXPR_DUP_SREG_DEV, .u = DEV_REG });
}

void
nft_x_fwd(struct nftnl_rule *rule, int ifindex)
{
    uint32_t dev = ifindex;

    nft_x_imm(rule, DEV_REG, &dev, sizeof dev);
    ADD_EXPR(rule, "fwd",
             { .attr = NFTNL_EXPR_FWD_SREG_DEV, .u = DEV_REG });
}

void
nft_x_dup_back(struct nftnl_rule *rule)
{
    nft_x_meta(rule, NFT_META_IIF, DEV_REG);
    dup_to_register(rule);
}

void
nft_x_dup(struct nftnl_rule *rule, int ifindex)
{
    uint32_t dev = ifindex;

    nft_x_imm(rule, DEV_REG, &dev, sizeof dev);
    dup_to_register(rule);
}

void
nft_x_verdict(struct nftnl_rule *rule, int verdict, const char *chain)
{
    ADD_EXPR(rule, "immediate",
             { .attr = NFTNL_EXPR_IMM_DREG, .u = NFT_REG_VERDICT },
             { .attr = NFTNL_EXPR_IMM_VERDICT, .u = verdict },
             { .attr = chain ? NFTNL_EXPR_IMM_CHAIN : 0, .str = chain });
}

void
nft_x_queue(struct nftnl_rule *rule, uint16_t queue)
{
    struct nftnl_expr *e = rule ? nftnl_expr_alloc("queue") : NULL;

    if (!e) {
        spoil(rule);
        return;
    }
    nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_NUM, queue);
    nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_TOTAL, 1);
    nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_FLAGS, NFT_QUEUE_FLAG_BYPASS);
    nftnl_rule_add_expr(rule, e);
}

void
nft_x_nfqueue(struct nftnl_rule *rule, uint16_t queue)
{
    struct nftnl_expr *e = rule ? nftnl_expr_alloc("target") : NULL;
    struct xt_NFQ_info_v3 *info = calloc(1, XT_ALIGN(sizeof *info));

    if (!e || !info) {
        if (e) {
            nftnl_expr_free(e);
        }
        free(info);
        spoil(rule);
        return;
    }
    info->queuenum = queue;
    info->queues_total = 1;
    info->flags = NFQ_FLAG_BYPASS;
    nftnl_expr_set_u32(e, NFTNL_EXPR_TG_REV, 3);
    /* 'e' takes 'info' over. */
    if (nftnl_expr_set(e, NFTNL_EXPR_TG_INFO, info,
                       XT_ALIGN(sizeof *info)) < 0
        || nftnl_expr_set_str(e, NFTNL_EXPR_TG_NAME, "NFQUEUE")) {
        spoil(rule);
    }
    nftnl_rule_add_expr(rule, e);
}

void
nft_x_ct(struct nftnl_rule *rule, enum nft_ct_keys key, uint32_t reg)
{
    ADD_EXPR(rule, "ct",
             { .attr = NFTNL_EXPR_CT_KEY, .u = key },
             { .attr = NFTNL_EXPR_CT_DREG, .u = reg });
}

void
nft_x_ct_of(struct nftnl_rule *rule, enum nft_ct_keys key, int dir,
            uint32_t reg)
{
    ADD_EXPR(rule, "ct",
             { .attr = NFTNL_EXPR_CT_KEY, .u = key },
             { .attr = NFTNL_EXPR_CT_DIR, .u = dir, .size = 1 },
             { .attr = NFTNL_EXPR_CT_DREG, .u = reg });
}

void
nft_x_ct_set(struct nftnl_rule *rule, enum nft_ct_keys key, uint32_t reg,
             int dir)
{
    ADD_EXPR(rule, "ct",
             { .attr = NFTNL_EXPR_CT_KEY, .u = key },
             { .attr = NFTNL_EXPR_CT_SREG, .u = reg },
             { .attr = dir >= 0 ? NFTNL_EXPR_CT_DIR : 0, .u = dir,
               .size = 1 });
}

void
nft_x_nat(struct nftnl_rule *rule, enum nft_nat_types type, int family,
          uint32_t reg)
{
    ADD_EXPR(rule, "nat",
             { .attr = NFTNL_EXPR_NAT_TYPE, .u = type },
             { .attr = NFTNL_EXPR_NAT_FAMILY, .u = family },
             { .attr = NFTNL_EXPR_NAT_REG_ADDR_MIN, .u = reg });
}

void
nft_x_rt_tcpmss(struct nftnl_rule *rule, uint32_t reg)
{
    ADD_EXPR(rule, "rt",
             { .attr = NFTNL_EXPR_RT_KEY, .u = NFT_RT_TCPMSS },
             { .attr = NFTNL_EXPR_RT_DREG, .u = reg });
}

void
nft_x_jhash(struct nftnl_rule *rule, uint32_t reg, uint32_t len,
            uint32_t seed, uint32_t modulus, uint32_t dreg)
{
    ADD_EXPR(rule, "hash",
             { .attr = NFTNL_EXPR_HASH_TYPE, .u = NFT_HASH_JENKINS },
             { .attr = NFTNL_EXPR_HASH_SREG, .u = reg },
             { .attr = NFTNL_EXPR_HASH_LEN, .u = len },
             { .attr = NFTNL_EXPR_HASH_SEED, .u = seed },
             { .attr = NFTNL_EXPR_HASH_MODULUS, .u = modulus },
             { .attr = NFTNL_EXPR_HASH_DREG, .u = dreg });
}

static void
add_hton(struct nftnl_rule *rule, uint32_t reg, uint32_t size)
{
    ADD_EXPR(rule, "byteorder",
             { .attr = NFTNL_EXPR_BYTEORDER_SREG, .u = reg },
             { .attr = NFTNL_EXPR_BYTEORDER_DREG, .u = reg },
             { .attr = NFTNL_EXPR_BYTEORDER_OP, .u = NFT_BYTEORDER_HTON },
             { .attr = NFTNL_EXPR_BYTEORDER_LEN, .u = size },
             { .attr = NFTNL_EXPR_BYTEORDER_SIZE, .u = size });
}

void
nft_x_hton16(struct nftnl_rule *rule, uint32_t reg)
{
    add_hton(rule, reg, 2);
}

void
nft_x_hton32(struct nftnl_rule *rule, uint32_t reg)
{
    add_hton(rule, reg, 4);
}

void
nft_x_tcpopt_write(struct nftnl_rule *rule, uint8_t opt, uint32_t offset,
                   uint32_t len, uint32_t reg)
{
    ADD_EXPR(rule, "exthdr",
             { .attr = NFTNL_EXPR_EXTHDR_SREG, .u = reg },
             { .attr = NFTNL_EXPR_EXTHDR_TYPE, .u = opt, .size = 1 },
             { .attr = NFTNL_EXPR_EXTHDR_OFFSET, .u = offset },
             { .attr = NFTNL_EXPR_EXTHDR_LEN, .u = len },
             { .attr = NFTNL_EXPR_EXTHDR_OP, .u = NFT_EXTHDR_OP_TCPOPT });
}

static void
add_exthdr(struct nftnl_rule *rule, uint8_t header, uint32_t offset,
           uint32_t len, uint32_t reg, uint32_t flags)
{
    ADD_EXPR(rule, "exthdr",
             { .attr = NFTNL_EXPR_EXTHDR_DREG, .u = reg },
             { .attr = NFTNL_EXPR_EXTHDR_TYPE, .u = header, .size = 1 },
             { .attr = NFTNL_EXPR_EXTHDR_OFFSET, .u = offset },
             { .attr = NFTNL_EXPR_EXTHDR_LEN, .u = len },
             { .attr = NFTNL_EXPR_EXTHDR_FLAGS, .u = flags },
             { .attr = NFTNL_EXPR_EXTHDR_OP, .u = NFT_EXTHDR_OP_IPV6 });
}

void
nft_x_exthdr_exists(struct nftnl_rule *rule, uint8_t header, uint32_t reg)
{
    add_exthdr(rule, header, 0, 1, reg, NFT_EXTHDR_F_PRESENT);
}

void
nft_x_exthdr(struct nftnl_rule *rule, uint8_t header, uint32_t offset,
             uint32_t len, uint32_t reg)
{
    add_exthdr(rule, header, offset, len, reg, 0);
}

void
nft_x_log(struct nftnl_rule *rule, uint16_t group, const char *prefix)
{
    struct nftnl_expr *e = rule ? nftnl_expr_alloc("log") : NULL;

    if (!e) {
        spoil(rule);
        return;
    }
    nftnl_expr_set_u16(e, NFTNL_EXPR_LOG_GROUP, group);
    if (nftnl_expr_set_str(e, NFTNL_EXPR_LOG_PREFIX, prefix)) {
        spoil(rule);
    }
    nftnl_rule_add_expr(rule, e);
}

void
nft_x_notrack(struct nftnl_rule *rule)
{
    ADD_EXPR(rule, "notrack", { .attr = 0 });
}

void
nft_x_reset(struct nftnl_rule *rule)
{
    ADD_EXPR(rule, "reject",
             { .attr = NFTNL_EXPR_REJECT_TYPE, .u = NFT_REJECT_TCP_RST },
             { .attr = NFTNL_EXPR_REJECT_CODE, .u = 0, .size = 1 });
}

void
nft_x_prohibit(struct nftnl_rule *rule)
{
    ADD_EXPR(rule, "reject",
             { .attr = NFTNL_EXPR_REJECT_TYPE, .u = NFT_REJECT_ICMPX_UNREACH },
             { .attr = NFTNL_EXPR_REJECT_CODE,
               .u = NFT_REJECT_ICMPX_ADMIN_PROHIBITED, .size = 1 });
}
