/* SPDX-License-Identifier: GPL-3.0-or-later */

/* nftables transactions.
 *
 * Place in the flow: filter/filter.c and nat/nat.c open a socket, start a
 * batch, put objects (nft_object.c) and rules (nft_expr.c) in, and commit it
 * here.
 *
 * A batch is one contiguous buffer and one sendmsg(): the kernel handles all
 * of it within that call, and what it has to say is in the socket's receive
 * queue when the call returns.  Of the messages only the last one asks for an
 * acknowledgement, whereas every refused one gets an error: so a success is
 * exactly one answer however large the batch is, and the queue cannot
 * overflow on it.  A failure of the commit itself is reported against the
 * message that opens the batch. */

#define _GNU_SOURCE 1

#include "kernel/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/netlink.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>

#include "kernel/nft_private.h"

#define RCVBUF (4 << 20)
#define MAX_ERRNO 4095
#define BATCH_MAX (512u << 20)  /* The kernel's own limit is not far above. */

int
nft_open(int netns_fd, struct nft **nftp)
{
    struct nft *nft = calloc(1, sizeof *nft);
    int error = (nft ? netlink_open(&nft->nl, netns_fd, NETLINK_NETFILTER)
                 : ENOMEM);
    int on = 1, size = RCVBUF;

    if (error) {
        free(nft);
        nft = NULL;
    } else {
        /* The kernel's explanation of errors, and room for many.  Both are
         * comfort: failures do not matter. */
        mnl_socket_setsockopt(nft->nl.socket, NETLINK_EXT_ACK, &on,
                              sizeof on);
        setsockopt(mnl_socket_get_fd(nft->nl.socket), SOL_SOCKET,
                   SO_RCVBUFFORCE, &size, sizeof size);
    }
    *nftp = nft;
    return error;
}

void
nft_close(struct nft *nft)
{
    if (nft) {
        netlink_close(&nft->nl);
        free(nft);
    }
}

/* Building a batch. */

void
nft_fail(struct nft_batch *b, int error, const char *what)
{
    if (b && !b->error) {
        b->error = error;
        b->what = strdup(what);
    }
}

bool
nft_make_room(struct nft_batch *b)
{
    if (b->allocated - b->len < NFT_ROOM) {
        size_t allocated = b->allocated * 2 + 2 * NFT_ROOM;
        char *buf;

        buf = b->len <= BATCH_MAX ? realloc(b->buf, allocated) : NULL;
        if (!buf) {
            nft_fail(b, b->len <= BATCH_MAX ? ENOMEM : EMSGSIZE,
                     "the transaction's size");
            return false;
        }
        b->buf = buf;
        b->allocated = allocated;
    }
    return true;
}

static struct nlmsghdr *
put_header(void *buf, int type, int family, uint16_t flags, uint32_t seq)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof *nfg);

    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = NLM_F_REQUEST | flags;
    nlh->nlmsg_seq = seq;
    nfg->nfgen_family = family;
    nfg->version = NFNETLINK_V0;
    return nlh;
}

/* NFNL_MSG_BATCH_BEGIN or NFNL_MSG_BATCH_END. */
static void
put_bracket(struct nft_batch *b, int type)
{
    struct nlmsghdr *nlh;
    struct nfgenmsg *nfg;

    if (nft_make_room(b)) {
        nlh = put_header(b->buf + b->len, type, AF_UNSPEC, 0, b->n_msgs + 1);
        nfg = mnl_nlmsg_get_payload(nlh);
        nfg->res_id = htons(NFNL_SUBSYS_NFTABLES);
        nft_msg_end(b, nlh);
    }
}

/* Returns NULL if memory is short, which all the functions that take a batch
 * put up with; nft_commit() then returns ENOMEM. */
struct nft_batch *
nft_begin(struct nft *nft)
{
    struct nft_batch *b = calloc(1, sizeof *b);

    if (b) {
        b->nft = nft;
        put_bracket(b, NFNL_MSG_BATCH_BEGIN);
    }
    return b;
}

void
nft_abort(struct nft_batch *b)
{
    if (b) {
        free(b->what);
        free(b->buf);
        free(b);
    }
}

struct nlmsghdr *
nft_msg_start(struct nft_batch *b, int type, int family, uint16_t flags)
{
    if (!b || b->error || !nft_make_room(b)) {
        return NULL;
    }
    b->elems = 0;
    return put_header(b->buf + b->len, NFNL_SUBSYS_NFTABLES << 8 | type,
                      family, flags, b->n_msgs + 1);
}

void
nft_msg_end(struct nft_batch *b, const struct nlmsghdr *nlh)
{
    b->last = b->len;
    b->len += MNL_ALIGN(nlh->nlmsg_len);
    b->n_msgs++;
}

/* Naming what was refused. */

static const char *
attr_str(const struct nlmsghdr *nlh, uint16_t type)
{
    const struct nlattr *attr;

    mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg)) {
        if (mnl_attr_get_type(attr) == type) {
            return mnl_attr_get_str(attr);
        }
    }
    return "";
}

/* Which of the rules that the batch puts into 'chain' 'nlh' is, from 1. */
static unsigned int
rule_number(const struct nft_batch *b, const struct nlmsghdr *nlh,
            const char *chain)
{
    size_t ofs = 0;
    unsigned int n = 0;

    for (;;) {
        const struct nlmsghdr *m = (const void *) (b->buf + ofs);

        n += (m->nlmsg_type == nlh->nlmsg_type
              && !strcmp(attr_str(m, NFTA_RULE_CHAIN), chain));
        if (m == nlh) {
            return n;
        }
        ofs += MNL_ALIGN(m->nlmsg_len);
    }
}

/* What messages are about, and which attribute names it. */
static const struct {
    uint8_t type;
    uint16_t attr;
    const char *noun;
} message_types[] = {
    { NFT_MSG_NEWTABLE, NFTA_TABLE_NAME, "table" },
    { NFT_MSG_DELTABLE, NFTA_TABLE_NAME, "table" },
    { NFT_MSG_NEWCHAIN, NFTA_CHAIN_NAME, "chain" },
    { NFT_MSG_DELCHAIN, NFTA_CHAIN_NAME, "chain" },
    { NFT_MSG_NEWRULE, NFTA_RULE_CHAIN, "rule of chain" },
    { NFT_MSG_DELRULE, NFTA_RULE_CHAIN, "flush of chain" },
    { NFT_MSG_NEWSET, NFTA_SET_NAME, "set" },
    { NFT_MSG_NEWSETELEM, NFTA_SET_ELEM_LIST_SET, "elements of set" },
    { NFT_MSG_DELSETELEM, NFTA_SET_ELEM_LIST_SET, "elements of set" },
};

/* Returns a malloc'd name for the message of 'b' that has 'seq', or NULL if
 * memory is short.  'hint' is the kernel's explanation, or "". */
static char *
message_name(const struct nft_batch *b, uint32_t seq, const char *hint)
{
    const struct nlmsghdr *nlh = (const void *) b->buf;
    const char *open = *hint ? " (" : "", *close = *hint ? ")" : "";
    char *s;
    int n;

    while (nlh->nlmsg_seq != seq) {
        nlh = (const void *) ((const char *) nlh + MNL_ALIGN(nlh->nlmsg_len));
    }
    for (size_t i = 0; i < sizeof message_types / sizeof *message_types; i++) {
        if (nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8
                                | message_types[i].type)) {
            const char *name = attr_str(nlh, message_types[i].attr);

            if (message_types[i].type == NFT_MSG_NEWRULE) {
                n = asprintf(&s, "rule %u of chain %s%s%s%s",
                             rule_number(b, nlh, name), name,
                             open, hint, close);
            } else {
                n = asprintf(&s, "%s %s%s%s%s", message_types[i].noun, name,
                             open, hint, close);
            }
            return n < 0 ? NULL : s;
        }
    }
    n = asprintf(&s, "the transaction%s%s%s", open, hint, close);
    return n < 0 ? NULL : s;
}

/* Committing. */

struct outcome {
    bool acked;                 /* The last message was. */
    int error;                  /* Of the first message refused. */
    uint32_t seq;
    char hint[128];
};

/* What the kernel says as a negative errno value, as a positive one. */
static int
errno_of(int error)
{
    return error < 0 && error >= -MAX_ERRNO ? -error : EPROTO;
}

/* Takes one NLMSG_ERROR in. */
static void
take_answer(const struct nlmsghdr *nlh, const struct nft_batch *b,
            struct outcome *o)
{
    const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *attr;

    if (nlh->nlmsg_type != NLMSG_ERROR
        || mnl_nlmsg_get_payload_len(nlh) < sizeof *err
        || !nlh->nlmsg_seq || nlh->nlmsg_seq > b->n_msgs) {
        return;
    }
    if (!err->error) {
        o->acked = true;
        return;
    }
    if (o->error) {
        return;
    }
    o->error = errno_of(err->error);
    o->seq = nlh->nlmsg_seq;

    /* With NETLINK_CAP_ACK the attributes follow at once. */
    if (nlh->nlmsg_flags & NLM_F_ACK_TLVS
        && nlh->nlmsg_flags & NLM_F_CAPPED) {
        mnl_attr_for_each(attr, nlh, sizeof *err) {
            if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG) {
                snprintf(o->hint, sizeof o->hint, "%s",
                         mnl_attr_get_str(attr));
            }
        }
    }
}

/* Reads all that the kernel has said to a batch that has been sent. */
static void
read_outcome(const struct nft_batch *b, struct outcome *o)
{
    char buf[16384] __attribute__((aligned(NLMSG_ALIGNTO)));
    size_t len;
    int error;

    /* ENOBUFS: some of many errors are lost. */
    while (!(error = netlink_receive(&b->nft->nl, buf, sizeof buf, &len))
           || error == ENOBUFS) {
        const struct nlmsghdr *nlh = (const void *) buf;
        int left = len;

        for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
            take_answer(nlh, b, o);
        }
    }
    if (!o->error && !o->acked) {
        o->error = EIO;
        o->seq = 1;
    }
}

static int
send_batch(const struct nft_batch *b)
{
    int fd = mnl_socket_get_fd(b->nft->nl.socket);
    socklen_t optlen = sizeof(int);
    int have = 0, want = b->len + 4096;

    /* The kernel takes no message beyond the send buffer's size. */
    getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &have, &optlen);
    if (have < want
        && setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof want)) {
        return errno;
    }
    netlink_drain(&b->nft->nl);
    return netlink_send(&b->nft->nl, b->buf, b->len);
}

int
nft_commit(struct nft_batch *b, char **what)
{
    struct outcome o = { .seq = 1 };

    if (what) {
        *what = NULL;
    }
    if (!b) {
        return ENOMEM;
    }
    if (!b->error && b->n_msgs > 1) {
        struct nlmsghdr *last = (void *) (b->buf + b->last);

        last->nlmsg_flags |= NLM_F_ACK;
        put_bracket(b, NFNL_MSG_BATCH_END);
        o.error = b->error ? b->error : send_batch(b);
        if (!o.error) {
            read_outcome(b, &o);
        }
        if (o.error && what) {
            *what = message_name(b, o.seq, o.hint);
        }
    } else if (b->error) {
        o.error = b->error;
        if (what) {
            *what = b->what;
            b->what = NULL;
        }
    }
    nft_abort(b);
    return o.error;
}

/* Requests outside of transactions. */

struct nlmsghdr *
nft_request(struct nft *nft, char *buf, int type, int family, uint16_t flags)
{
    return put_header(buf, NFNL_SUBSYS_NFTABLES << 8 | type, family, flags,
                      ++nft->nl.seq);
}

/* Handles one message of an answer.  Returns -1 to go on, else 0 or a positive
 * errno value that ends the answer. */
static int
take_reply(const struct nlmsghdr *nlh, struct nft_answer *answer,
           int (*cb)(const struct nlmsghdr *, void *aux), void *aux)
{
    if (nlh->nlmsg_flags & NLM_F_DUMP_INTR) {
        answer->torn = true;
    }
    if (nlh->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

        return err->error ? errno_of(err->error) : answer->cb_error;
    }
    if (nlh->nlmsg_type == NLMSG_DONE) {
        const int *status = mnl_nlmsg_get_payload(nlh);

        if (mnl_nlmsg_get_payload_len(nlh) >= sizeof *status && *status < 0) {
            return errno_of(*status);
        }
        return (answer->cb_error ? answer->cb_error
                : answer->torn ? EAGAIN : 0);
    }
    if (!answer->cb_error) {
        answer->cb_error = cb(nlh, aux);
    }
    return -1;
}

int
nft_send_request(struct nft *nft, struct nlmsghdr *request,
                 struct nft_answer *answer)
{
    *answer = (struct nft_answer) { .seq = request->nlmsg_seq };
    netlink_drain(&nft->nl);
    request->nlmsg_flags |= NLM_F_ACK;
    return netlink_send(&nft->nl, request, request->nlmsg_len);
}

int
nft_read_answer(struct nft *nft, struct nft_answer *answer,
                int (*cb)(const struct nlmsghdr *, void *aux), void *aux)
{
    char buf[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
    const struct nlmsghdr *nlh = (const void *) buf;
    size_t len;
    int left, error;

    /* The answer, or its first part, is there already; the kernel puts the
     * next part in when one is read. */
    error = netlink_receive(&nft->nl, buf, sizeof buf, &len);
    if (error) {
        return error;
    }
    left = len;
    for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
        if (nlh->nlmsg_seq == answer->seq) {
            error = take_reply(nlh, answer, cb, aux);
            if (error >= 0) {
                return error;
            }
        }
    }
    return EINPROGRESS;
}

int
nft_ask(struct nft *nft, struct nlmsghdr *request,
        int (*cb)(const struct nlmsghdr *, void *aux), void *aux)
{
    struct nft_answer answer;
    int error = nft_send_request(nft, request, &answer);

    while (!error) {
        error = nft_read_answer(nft, &answer, cb, aux);
        if (error != EINPROGRESS) {
            return error;
        }
        error = 0;
    }
    return error;
}
