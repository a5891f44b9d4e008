/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_NFT_PRIVATE_H
#define TOF_NFT_PRIVATE_H 1

/* What nft.c (the socket and transactions), nft_object.c (what a transaction
 * is made of) and nft_query.c (what asks and changes nothing) share.  Nobody
 * else includes it. */

#include "kernel/nft.h"

#include <stddef.h>
#include <stdint.h>

#include "kernel/netlink.h"

struct nft {
    struct netlink nl;          /* Its 'seq': of requests outside a batch. */
};

/* Messages one behind the other, just as they will be sent.  The first is
 * NFNL_MSG_BATCH_BEGIN with sequence number 1, and each has its predecessor's
 * plus one: so an error's sequence number finds its message. */
struct nft_batch {
    struct nft *nft;
    char *buf;
    size_t len;                 /* Bytes of finished messages. */
    size_t allocated;
    size_t last;                /* Offset of the last message. */
    uint32_t n_msgs;            /* BATCH_BEGIN included. */
    uint32_t set_id;            /* Given to the last set made. */
    int error;                  /* First failure, sticky; 0 if none. */
    char *what;                 /* What it was about, malloc'd, or NULL. */

    /* The last message if it holds set elements and may take more of them. */
    size_t elems;               /* Offset of its header; 0: there is none. */
    size_t elems_nest;          /* Offset of its element list. */
};

#define NFT_ROOM 0x20000        /* Left free behind what is finished: no
                                 * single message outgrows it. */

/* Makes the batch fail: nft_commit() will return 'error' and 'what'. */
void nft_fail(struct nft_batch *, int error, const char *what);

/* Makes sure that NFT_ROOM bytes are free behind the finished messages. */
bool nft_make_room(struct nft_batch *);

/* Starts a message of 'type' (NFT_MSG_*), with room for NFT_ROOM bytes.
 * Returns NULL if the batch has failed already, or does so here. */
struct nlmsghdr *nft_msg_start(struct nft_batch *, int type, int family,
                               uint16_t flags);
void nft_msg_end(struct nft_batch *, const struct nlmsghdr *);

/* A message for a request outside of any transaction, in 'buf' of NFT_ROOM
 * bytes. */
struct nlmsghdr *nft_request(struct nft *, char *buf, int type, int family,
                             uint16_t flags);

/* Such a request for the element 'key' of a set, or for all if that is
 * NULL. */
struct nlmsghdr *nft_elem_request(struct nft *, char *buf,
                                  const struct nft_table *,
                                  const struct nft_set *, const void *key);

/* Sends a request and passes each answer to 'cb', which returns 0 or a
 * positive errno value.  Returns 0 or a positive errno value; EAGAIN if a dump
 * was torn by a change and has to be started anew. */
int nft_ask(struct nft *, struct nlmsghdr *,
            int (*cb)(const struct nlmsghdr *, void *aux), void *aux);

/* The same in parts: the request, then one part of the answer a call, which
 * returns EINPROGRESS while there is more.  Nothing else may use the socket
 * meanwhile. */
struct nft_answer {
    uint32_t seq;
    bool torn;
    int cb_error;
};
int nft_send_request(struct nft *, struct nlmsghdr *, struct nft_answer *);
int nft_read_answer(struct nft *, struct nft_answer *,
                    int (*cb)(const struct nlmsghdr *, void *aux), void *aux);

/* Appends { 'type': { NFTA_DATA_VALUE: 'data' } }. */
void nft_put_data(struct nlmsghdr *, uint16_t type, const void *data,
                  size_t len);

/* Copies the value inside such a nest (NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_DATA)
 * to 'dst', of 'size' bytes; a verdict has none. */
void nft_get_data(const struct nlattr *nest, void *dst, size_t size);

#endif /* kernel/nft_private.h */
