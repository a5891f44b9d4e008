/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What an nftables transaction is made of: tables, chains, sets and their
 * elements.  Rules are in nft_expr.c.
 *
 * Place in the flow: called by filter/filter.c and nat/nat.c between
 * nft_begin() and nft_commit(); each call appends a message to the batch and
 * does nothing else.  Elements are the exception: those that follow each other
 * and belong to the same set are put into one message until it is full, so
 * that a set of a million bearers is some thousand messages. */

#include "kernel/nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <linux/netlink.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>
#include <libnftnl/udata.h>

#include "kernel/nft_private.h"

/* An attribute's length is a 16-bit number, that of an element list too. */
#define ELEMS_MAX 60000
#define KEY_MAX NFT_DATA_VALUE_MAXLEN
#define NAME_MAX_LEN (NFT_NAME_MAXLEN - 1)

/* Checks what would outgrow the room for a message. */
static bool
name_is_good(struct nft_batch *b, const char *name, size_t max)
{
    if (strlen(name) > max) {
        nft_fail(b, ENAMETOOLONG, name);
        return false;
    }
    return true;
}

/* Starts a message about 'table', or about 'name' in it if that is given; in
 * all of them the table's name is attribute 1. */
static struct nlmsghdr *
start(struct nft_batch *b, int type, const struct nft_table *table,
      uint16_t flags, uint16_t name_attr, const char *name)
{
    struct nlmsghdr *nlh;

    if (!name_is_good(b, table->name, NAME_MAX_LEN)
        || (name && !name_is_good(b, name, NAME_MAX_LEN))) {
        return NULL;
    }
    nlh = nft_msg_start(b, type, table->family, flags);
    if (nlh) {
        mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table->name);
        if (name) {
            mnl_attr_put_strz(nlh, name_attr, name);
        }
    }
    return nlh;
}

static void
put_be32(struct nlmsghdr *nlh, uint16_t type, uint32_t value)
{
    mnl_attr_put_u32(nlh, type, htonl(value));
}

static void
put_be64(struct nlmsghdr *nlh, uint16_t type, uint64_t value)
{
    mnl_attr_put_u64(nlh, type, htobe64(value));
}

void
nft_table_add(struct nft_batch *b, const struct nft_table *table,
              uint32_t flags)
{
    struct nlmsghdr *nlh = start(b, NFT_MSG_NEWTABLE, table, NLM_F_CREATE,
                                 0, NULL);

    if (nlh) {
        if (flags) {
            put_be32(nlh, NFTA_TABLE_FLAGS, flags);
        }
        nft_msg_end(b, nlh);
    }
}

void
nft_table_delete(struct nft_batch *b, const struct nft_table *table)
{
    struct nlmsghdr *nlh = start(b, NFT_MSG_DELTABLE, table, 0, 0, NULL);

    if (nlh) {
        nft_msg_end(b, nlh);
    }
}

void
nft_chain_add(struct nft_batch *b, const struct nft_table *table,
              const struct nft_chain *chain)
{
    struct nlmsghdr *nlh;
    struct nlattr *hook;

    if (chain->dev && !name_is_good(b, chain->dev, NAME_MAX_LEN)) {
        return;
    }
    nlh = start(b, NFT_MSG_NEWCHAIN, table, NLM_F_CREATE,
                NFTA_CHAIN_NAME, chain->name);
    if (!nlh) {
        return;
    }
    if (chain->type) {
        hook = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
        put_be32(nlh, NFTA_HOOK_HOOKNUM, chain->hook);
        put_be32(nlh, NFTA_HOOK_PRIORITY, chain->prio);
        if (chain->dev) {
            mnl_attr_put_strz(nlh, NFTA_HOOK_DEV, chain->dev);
        }
        mnl_attr_nest_end(nlh, hook);
        mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, chain->type);
    }
    nft_msg_end(b, nlh);
}

void
nft_chain_flush(struct nft_batch *b, const struct nft_table *table,
                const char *chain)
{
    struct nlmsghdr *nlh = start(b, NFT_MSG_DELRULE, table, 0,
                                 NFTA_RULE_CHAIN, chain);

    if (nlh) {
        nft_msg_end(b, nlh);
    }
}

void
nft_chain_delete(struct nft_batch *b, const struct nft_table *table,
                 const char *chain)
{
    struct nlmsghdr *nlh = start(b, NFT_MSG_DELCHAIN, table, 0,
                                 NFTA_CHAIN_NAME, chain);

    if (nlh) {
        nft_msg_end(b, nlh);
    }
}

/* The byte order of keys (and data), where the nft command looks for it:
 * without it that prints numbers reversed. */
static void
put_set_udata(struct nlmsghdr *nlh, const struct nft_set *set)
{
    enum { BIG_ENDIAN_NUMBERS = 2 };
    struct nftnl_udata_buf *udata = nftnl_udata_buf_alloc(64);

    if (udata) {
        nftnl_udata_put_u32(udata, NFTNL_UDATA_SET_KEYBYTEORDER,
                            BIG_ENDIAN_NUMBERS);
        if (set->data_len) {
            nftnl_udata_put_u32(udata, NFTNL_UDATA_SET_DATABYTEORDER,
                                BIG_ENDIAN_NUMBERS);
        }
        mnl_attr_put(nlh, NFTA_SET_USERDATA, nftnl_udata_buf_len(udata),
                     nftnl_udata_buf_data(udata));
        nftnl_udata_buf_free(udata);
    }
}

static uint32_t
set_flags(const struct nft_set *set)
{
    return ((set->data_len || set->verdict_map ? NFT_SET_MAP : 0)
            | (set->timeouts || set->timeout_ms ? NFT_SET_TIMEOUT : 0)
            | (set->dynamic ? NFT_SET_EVAL : 0)
            | (set->constant ? NFT_SET_CONSTANT : 0)
            | (set->interval ? NFT_SET_INTERVAL : 0));
}

void
nft_set_add(struct nft_batch *b, const struct nft_table *table,
            const struct nft_set *set)
{
    struct nlmsghdr *nlh = start(b, NFT_MSG_NEWSET, table, NLM_F_CREATE,
                                 NFTA_SET_NAME, set->name);
    struct nlattr *desc;

    if (!nlh) {
        return;
    }
    put_be32(nlh, NFTA_SET_FLAGS, set_flags(set));
    put_be32(nlh, NFTA_SET_KEY_TYPE, set->key_type);
    put_be32(nlh, NFTA_SET_KEY_LEN, set->key_len);
    if (set->verdict_map) {
        put_be32(nlh, NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
    } else if (set->data_len) {
        put_be32(nlh, NFTA_SET_DATA_TYPE, set->data_type);
        put_be32(nlh, NFTA_SET_DATA_LEN, set->data_len);
    }
    put_be32(nlh, NFTA_SET_ID, ++b->set_id);
    if (set->timeout_ms) {
        put_be64(nlh, NFTA_SET_TIMEOUT, set->timeout_ms);
    }
    if (set->size) {
        desc = mnl_attr_nest_start(nlh, NFTA_SET_DESC);
        put_be32(nlh, NFTA_SET_DESC_SIZE, set->size);
        mnl_attr_nest_end(nlh, desc);
    }
    put_set_udata(nlh, set);
    nft_msg_end(b, nlh);
}

void
nft_set_flush(struct nft_batch *b, const struct nft_table *table,
              const char *set)
{
    struct nlmsghdr *nlh = start(b, NFT_MSG_DELSETELEM, table, 0,
                                 NFTA_SET_ELEM_LIST_SET, set);

    if (nlh) {
        nft_msg_end(b, nlh);
    }
}

/* Elements. */

void
nft_put_data(struct nlmsghdr *nlh, uint16_t type, const void *data, size_t len)
{
    struct nlattr *nest = mnl_attr_nest_start(nlh, type);

    mnl_attr_put(nlh, NFTA_DATA_VALUE, len, data);
    mnl_attr_nest_end(nlh, nest);
}

/* True if the batch's last message is of 'type' and about elements of 'set',
 * and has room for another one. */
static bool
elems_continue(const struct nft_batch *b, int type,
               const struct nft_table *table, const char *set)
{
    const struct nlmsghdr *nlh = (const void *) (b->buf + b->elems);
    const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *attr;

    if (!b->elems || b->len - b->elems_nest > ELEMS_MAX
        || nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | type)
        || nfg->nfgen_family != table->family) {
        return false;
    }
    attr = mnl_nlmsg_get_payload_offset(nlh, sizeof *nfg);
    return (!strcmp(mnl_attr_get_str(attr), table->name)
            && !strcmp(mnl_attr_get_str(mnl_attr_next(attr)), set));
}

/* Opens an element in the last message or in a new one.  Returns NULL if the
 * batch has failed.  '*elem' is to be passed to elem_end(). */
static struct nlmsghdr *
elem_start(struct nft_batch *b, int type, const struct nft_table *table,
           const struct nft_set *set, const void *key, struct nlattr **elem)
{
    uint16_t flags = type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0;
    struct nlmsghdr *nlh;

    if (!b || b->error) {
        return NULL;
    }
    if (set->key_len > KEY_MAX || set->data_len > KEY_MAX) {
        nft_fail(b, EINVAL, set->name);
        return NULL;
    }
    if (!elems_continue(b, type, table, set->name)) {
        struct nlattr *nest;

        nlh = start(b, type, table, flags, NFTA_SET_ELEM_LIST_SET, set->name);
        if (!nlh) {
            return NULL;
        }
        nest = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
        b->elems = b->len;
        b->elems_nest = (char *) nest - b->buf;
        nft_msg_end(b, nlh);
    } else if (!nft_make_room(b)) {
        return NULL;
    }
    nlh = (void *) (b->buf + b->elems);
    *elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
    nft_put_data(nlh, NFTA_SET_ELEM_KEY, key, set->key_len);
    return nlh;
}

static void
elem_end(struct nft_batch *b, struct nlmsghdr *nlh, struct nlattr *elem)
{
    mnl_attr_nest_end(nlh, elem);
    mnl_attr_nest_end(nlh, (struct nlattr *) (void *) (b->buf
                                                       + b->elems_nest));
    b->len = b->elems + MNL_ALIGN(nlh->nlmsg_len);
}

void
nft_elem_add(struct nft_batch *b, const struct nft_table *table,
             const struct nft_set *set, const void *key, const void *data,
             uint64_t timeout_ms)
{
    struct nlattr *elem;
    struct nlmsghdr *nlh = elem_start(b, NFT_MSG_NEWSETELEM, table, set, key,
                                      &elem);

    if (nlh) {
        if (set->data_len) {
            nft_put_data(nlh, NFTA_SET_ELEM_DATA, data, set->data_len);
        }
        if (timeout_ms) {
            put_be64(nlh, NFTA_SET_ELEM_TIMEOUT, timeout_ms);
        }
        elem_end(b, nlh, elem);
    }
}

void
nft_range_add(struct nft_batch *b, const struct nft_table *table,
              const struct nft_set *set, const void *key, const void *end)
{
    struct nlattr *elem;
    struct nlmsghdr *nlh;

    nft_elem_add(b, table, set, key, NULL, 0);
    if (!end) {
        return;
    }
    nlh = elem_start(b, NFT_MSG_NEWSETELEM, table, set, end, &elem);
    if (nlh) {
        put_be32(nlh, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
        elem_end(b, nlh, elem);
    }
}

void
nft_elem_add_goto(struct nft_batch *b, const struct nft_table *table,
                  const struct nft_set *set, const void *key,
                  const char *chain)
{
    struct nlattr *elem, *data, *verdict;
    struct nlmsghdr *nlh;

    if (!name_is_good(b, chain, NAME_MAX_LEN)) {
        return;
    }
    nlh = elem_start(b, NFT_MSG_NEWSETELEM, table, set, key, &elem);
    if (nlh) {
        data = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_DATA);
        verdict = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);
        put_be32(nlh, NFTA_VERDICT_CODE, NFT_GOTO);
        mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, chain);
        mnl_attr_nest_end(nlh, verdict);
        mnl_attr_nest_end(nlh, data);
        elem_end(b, nlh, elem);
    }
}

void
nft_elem_delete(struct nft_batch *b, const struct nft_table *table,
                const struct nft_set *set, const void *key)
{
    struct nlattr *elem;
    struct nlmsghdr *nlh = elem_start(b, NFT_MSG_DELSETELEM, table, set, key,
                                      &elem);

    if (nlh) {
        elem_end(b, nlh, elem);
    }
}

int
nft_elem_forget(struct nft *nft, const struct nft_table *table,
                const struct nft_set *set, const void *key)
{
    struct nft_batch *b = nft_begin(nft);
    int error;

    nft_elem_delete(b, table, set, key);
    error = nft_commit(b, NULL);
    return error == ENOENT ? 0 : error;
}
