/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Counters of set elements, read part by part.
 *
 * Place in the flow: nat/usage.c reads what bearers and services have
 * exchanged, of which there may be more than one turn of the main loop has
 * time for.  Each part is what the kernel puts into one message buffer, some
 * 200 elements. */

#define _GNU_SOURCE 1

#include "kernel/nft.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <linux/netlink.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>

#include "kernel/nft_private.h"

int
nft_count_begin(struct nft *nft, const struct nft_table *table,
                struct nft_counting *c)
{
    char buf[NFT_ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nft_answer answer;
    int error = nft_send_request(
        nft, nft_elem_request(nft, buf, table, c->set, NULL), &answer);

    c->seq = answer.seq;
    c->torn = false;
    return error;
}

/* { NFTA_EXPR_NAME: "counter", NFTA_EXPR_DATA: { ... } } */
static void
take_counter(const struct nlattr *expr, uint64_t *packets, uint64_t *bytes)
{
    const struct nlattr *attr, *data;

    mnl_attr_for_each_nested(attr, expr) {
        if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME
            && strcmp(mnl_attr_get_str(attr), "counter")) {
            return;
        } else if (mnl_attr_get_type(attr) != NFTA_EXPR_DATA) {
            continue;
        }
        mnl_attr_for_each_nested(data, attr) {
            if (mnl_attr_get_type(data) == NFTA_COUNTER_PACKETS) {
                *packets = be64toh(mnl_attr_get_u64(data));
            } else if (mnl_attr_get_type(data) == NFTA_COUNTER_BYTES) {
                *bytes = be64toh(mnl_attr_get_u64(data));
            }
        }
    }
}

static void
take_elem(const struct nlattr *elem, const struct nft_counting *c)
{
    uint64_t key[NFT_DATA_VALUE_MAXLEN / 8] = { 0 };    /* Aligned. */
    uint64_t packets = 0, bytes = 0;
    const struct nlattr *attr;

    mnl_attr_for_each_nested(attr, elem) {
        if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_EXPR) {
            take_counter(attr, &packets, &bytes);
        } else if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_KEY) {
            nft_get_data(attr, key, c->set->key_len);
        }
    }
    c->cb(key, packets, bytes, c->aux);
}

static int
elems_cb(const struct nlmsghdr *nlh, void *counting)
{
    const struct nlattr *attr, *elem;

    mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg)) {
        if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_LIST_ELEMENTS) {
            mnl_attr_for_each_nested(elem, attr) {
                take_elem(elem, counting);
            }
        }
    }
    return 0;
}

int
nft_count_next(struct nft *nft, struct nft_counting *c)
{
    struct nft_answer answer = { .seq = c->seq, .torn = c->torn };
    int error = nft_read_answer(nft, &answer, elems_cb, c);

    c->torn = answer.torn;
    return error;
}

struct count {
    uint64_t packets, bytes;
};

static void
keep_count(const void *key __attribute__((unused)), uint64_t packets,
           uint64_t bytes, void *count)
{
    *(struct count *) count = (struct count) { packets, bytes };
}

int
nft_count_get(struct nft *nft, const struct nft_table *table,
              const struct nft_set *set, const void *key,
              uint64_t *packets, uint64_t *bytes)
{
    char buf[NFT_ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct count count = { 0, 0 };
    struct nft_counting c = { .set = set, .cb = keep_count, .aux = &count };
    int error = nft_ask(nft, nft_elem_request(nft, buf, table, set, key),
                        elems_cb, &c);

    *packets = count.packets;
    *bytes = count.bytes;
    return error;
}
