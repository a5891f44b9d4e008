/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Questions to nftables, which change nothing: is a table there, what is in a
 * set, what do counters say.
 *
 * Place in the flow: filter/filter.c and nat/nat.c ask at start, to adopt what
 * an earlier process left, and the metrics ask when they are read.  A dump
 * that a concurrent change has torn is started anew, and callers see only a
 * whole one: so their callbacks run after the last answer has been read and may
 * themselves use the socket. */

#define _GNU_SOURCE 1

#include "kernel/nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/netlink.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>

#include "kernel/nft_private.h"

#define TRIES 20                /* For torn dumps. */

/* Records of one size, one behind the other. */
struct records {
    char *data;
    size_t n, allocated;
    size_t size;                /* Of one. */
};

/* Returns room for another record, or NULL if memory is short. */
static void *
records_add(struct records *r)
{
    if (r->n >= r->allocated) {
        size_t allocated = r->allocated * 2 + 64;
        char *data = realloc(r->data, allocated * r->size);

        if (!data) {
            return NULL;
        }
        r->data = data;
        r->allocated = allocated;
    }
    return memset(r->data + r->n++ * r->size, 0, r->size);
}

static int
ignore_cb(const struct nlmsghdr *nlh __attribute__((unused)),
          void *aux __attribute__((unused)))
{
    return 0;
}

int
nft_table_exists(struct nft *nft, const struct nft_table *table)
{
    char buf[NFT_ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = nft_request(nft, buf, NFT_MSG_GETTABLE,
                                       table->family, 0);

    mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table->name);
    return nft_ask(nft, nlh, ignore_cb, NULL);
}

struct weighing {
    const char *table;
    uint64_t weight;
};

static int
weigh_cb(const struct nlmsghdr *nlh, void *weighing_)
{
    struct weighing *w = weighing_;
    const struct nlattr *attr;
    uint32_t use = 0;
    bool ours = false;

    mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg)) {
        switch (mnl_attr_get_type(attr)) {
        case NFTA_CHAIN_TABLE:
            ours = !strcmp(mnl_attr_get_str(attr), w->table);
            break;
        case NFTA_CHAIN_USE:
            use = ntohl(mnl_attr_get_u32(attr));
            break;
        }
    }
    w->weight += ours ? 1 + use : 0;
    return 0;
}

int
nft_table_weigh(struct nft *nft, const struct nft_table *table,
                uint64_t *weight)
{
    char buf[NFT_ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct weighing w = { .table = table->name };
    int error = EAGAIN;

    for (int i = 0; i < TRIES && error == EAGAIN; i++) {
        struct nlmsghdr *nlh = nft_request(nft, buf, NFT_MSG_GETCHAIN,
                                           table->family, NLM_F_DUMP);

        w.weight = 0;
        error = nft_ask(nft, nlh, weigh_cb, &w);
    }
    *weight = w.weight;
    return error;
}

static bool
is_at_forward(const struct nlattr *hook)
{
    const struct nlattr *attr;

    mnl_attr_for_each_nested(attr, hook) {
        if (mnl_attr_get_type(attr) == NFTA_HOOK_HOOKNUM) {
            return ntohl(mnl_attr_get_u32(attr)) == NF_INET_FORWARD;
        }
    }
    return false;
}

static int
forward_cb(const struct nlmsghdr *nlh, void *refuses)
{
    const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
    bool forward = false, drops = false, empty = false;
    const struct nlattr *attr;

    mnl_attr_for_each(attr, nlh, sizeof *nfg) {
        switch (mnl_attr_get_type(attr)) {
        case NFTA_CHAIN_HOOK:
            forward = is_at_forward(attr);
            break;
        case NFTA_CHAIN_POLICY:
            drops = ntohl(mnl_attr_get_u32(attr)) == NF_DROP;
            break;
        case NFTA_CHAIN_USE:
            empty = !mnl_attr_get_u32(attr);
            break;
        }
    }
    if (forward && drops && empty
        && (nfg->nfgen_family == NFPROTO_INET
            || nfg->nfgen_family == NFPROTO_IPV4)) {
        *(bool *) refuses = true;
    }
    return 0;
}

bool
nft_forwards_nothing(struct nft *nft)
{
    char buf[NFT_ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = nft_request(nft, buf, NFT_MSG_GETCHAIN,
                                       NFPROTO_UNSPEC, NLM_F_DUMP);
    bool refuses = false;

    return !nft_ask(nft, nlh, forward_cb, &refuses) && refuses;
}

/* Elements.  A record is the key, then the data, then when it expires, each
 * as long as the set says and not aligned. */

struct elem_query {
    const struct nft_set *set;
    struct records records;
};

void
nft_get_data(const struct nlattr *nest, void *dst, size_t size)
{
    const struct nlattr *attr;

    mnl_attr_for_each_nested(attr, nest) {
        if (mnl_attr_get_type(attr) == NFTA_DATA_VALUE
            && mnl_attr_get_payload_len(attr) >= size) {
            memcpy(dst, mnl_attr_get_payload(attr), size);
        }
    }
}

static int
take_elem(const struct nlattr *elem, struct elem_query *q)
{
    size_t key_len = q->set->key_len, data_len = q->set->data_len;
    char *record = records_add(&q->records);
    const struct nlattr *attr;

    if (!record) {
        return ENOMEM;
    }
    mnl_attr_for_each_nested(attr, elem) {
        switch (mnl_attr_get_type(attr)) {
        case NFTA_SET_ELEM_KEY:
            nft_get_data(attr, record, key_len);
            break;
        case NFTA_SET_ELEM_DATA:
            nft_get_data(attr, record + key_len, data_len);
            break;
        case NFTA_SET_ELEM_EXPIRATION: {
            uint64_t ms = be64toh(mnl_attr_get_u64(attr));

            memcpy(record + key_len + data_len, &ms, sizeof ms);
            break;
        }
        }
    }
    return 0;
}

static int
elem_cb(const struct nlmsghdr *nlh, void *q)
{
    const struct nlattr *attr, *elem;

    mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg)) {
        if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_LIST_ELEMENTS) {
            mnl_attr_for_each_nested(elem, attr) {
                int error = take_elem(elem, q);

                if (error) {
                    return error;
                }
            }
        }
    }
    return 0;
}

struct nlmsghdr *
nft_elem_request(struct nft *nft, char *buf, const struct nft_table *table,
                 const struct nft_set *set, const void *key)
{
    struct nlmsghdr *nlh = nft_request(nft, buf, NFT_MSG_GETSETELEM,
                                       table->family, key ? 0 : NLM_F_DUMP);
    struct nlattr *list, *elem;

    mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table->name);
    mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set->name);
    if (key) {
        list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
        elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
        nft_put_data(nlh, NFTA_SET_ELEM_KEY, key, set->key_len);
        mnl_attr_nest_end(nlh, elem);
        mnl_attr_nest_end(nlh, list);
    }
    return nlh;
}

static int
elem_ask(struct nft *nft, const struct nft_table *table, const void *key,
         struct elem_query *q)
{
    char buf[NFT_ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
    int error;

    q->records.size = q->set->key_len + q->set->data_len + sizeof(uint64_t);
    for (int i = 0; i < TRIES; i++) {
        q->records.n = 0;
        error = nft_ask(nft, nft_elem_request(nft, buf, table, q->set, key),
                        elem_cb, q);
        if (error != EAGAIN) {
            break;
        }
    }
    return error;
}

int
nft_elem_get(struct nft *nft, const struct nft_table *table,
             const struct nft_set *set, const void *key, void *data,
             uint64_t *expires_ms)
{
    struct elem_query q = { .set = set };
    int error = elem_ask(nft, table, key, &q);

    if (!error && !q.records.n) {
        error = ENOENT;
    }
    if (!error) {
        const char *record = q.records.data;

        if (data) {
            memcpy(data, record + set->key_len, set->data_len);
        }
        if (expires_ms) {
            memcpy(expires_ms, record + set->key_len + set->data_len,
                   sizeof *expires_ms);
        }
    }
    free(q.records.data);
    return error;
}

int
nft_elem_dump(struct nft *nft, const struct nft_table *table,
              const struct nft_set *set,
              void (*cb)(const void *key, const void *data,
                         uint64_t expires_ms, void *aux), void *aux)
{
    struct elem_query q = { .set = set };
    int error = elem_ask(nft, table, NULL, &q);

    for (size_t i = 0; !error && i < q.records.n; i++) {
        /* Aligned, so that callers may look at them as numbers. */
        uint64_t key[NFT_DATA_VALUE_MAXLEN / 8];
        uint64_t data[NFT_DATA_VALUE_MAXLEN / 8];
        uint64_t expires_ms;
        const char *record = q.records.data + i * q.records.size;

        memcpy(key, record, set->key_len);
        memcpy(data, record + set->key_len, set->data_len);
        memcpy(&expires_ms, record + set->key_len + set->data_len,
               sizeof expires_ms);
        cb(key, set->data_len ? data : NULL, expires_ms, aux);
    }
    free(q.records.data);
    return error;
}

/* Counters. */

struct counter_record {
    char chain[NFT_NAME_MAXLEN];
    char comment[NFTNL_UDATA_COMMENT_MAXLEN + 1];
    uint64_t packets, bytes;
};

static bool
get_comment(const struct nftnl_rule *rule, char *comment, size_t size)
{
    uint32_t len;
    const char *udata = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &len);
    const struct nftnl_udata *u;

    if (!udata) {
        return false;
    }
    nftnl_udata_for_each_data(udata, len, u) {
        if (nftnl_udata_type(u) == NFTNL_UDATA_RULE_COMMENT) {
            size_t n = nftnl_udata_len(u);

            n = n < size ? n : size - 1;
            memcpy(comment, nftnl_udata_get(u), n);
            comment[n] = '\0';
            return true;
        }
    }
    return false;
}

static int
add_counter(struct nftnl_expr *e, void *record_)
{
    struct counter_record *record = record_;

    if (!strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "counter")) {
        record->packets += nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_PACKETS);
        record->bytes += nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_BYTES);
    }
    return 0;
}

static int
rule_cb(const struct nlmsghdr *nlh, void *records)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();
    char comment[NFTNL_UDATA_COMMENT_MAXLEN + 1];
    struct counter_record *record;
    int error = 0;

    if (!rule) {
        return ENOMEM;
    }
    if (nftnl_rule_nlmsg_parse(nlh, rule) < 0) {
        error = EBADMSG;
    } else if (get_comment(rule, comment, sizeof comment)) {
        record = records_add(records);
        if (record) {
            strncpy(record->chain, nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN),
                    sizeof record->chain - 1);
            memcpy(record->comment, comment, sizeof comment);
            nftnl_expr_foreach(rule, add_counter, record);
        } else {
            error = ENOMEM;
        }
    }
    nftnl_rule_free(rule);
    return error;
}

int
nft_counters(struct nft *nft, const struct nft_table *table,
             void (*cb)(const char *chain, const char *comment,
                        uint64_t packets, uint64_t bytes, void *aux),
             void *aux)
{
    char buf[NFT_ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct records r = { .size = sizeof(struct counter_record) };
    int error = EAGAIN;

    for (int i = 0; i < TRIES && error == EAGAIN; i++) {
        struct nlmsghdr *nlh = nft_request(nft, buf, NFT_MSG_GETRULE,
                                           table->family, NLM_F_DUMP);

        mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, table->name);
        r.n = 0;
        error = nft_ask(nft, nlh, rule_cb, &r);
    }
    for (size_t i = 0; !error && i < r.n; i++) {
        const struct counter_record *c = (const void *) (r.data
                                                         + i * r.size);

        cb(c->chain, c->comment, c->packets, c->bytes, aux);
    }
    free(r.data);
    return error;
}
