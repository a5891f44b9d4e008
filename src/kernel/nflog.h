/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_NFLOG_H
#define TOF_NFLOG_H 1

/* NFLOG: copies of packets that rules tell of (nft_x_log()), over libmnl.
 *
 * Place in the flow: nat/trace.c listens while somebody looks on.  The kernel
 * gathers copies for 10 ms; with nobody listening it makes none. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/netlink.h"

struct nflog {
    struct netlink nl;
    uint32_t next;              /* Number of the next copy. */
    uint64_t lost;              /* Copies that there was no room for. */
};

/* A copy; all of it is in the message. */
struct nflog_packet {
    const uint8_t *ip;          /* From its IP header on. */
    size_t len;                 /* Bytes there; it may have had more. */
    const char *prefix;         /* As the rule has it. */
    uint32_t number;            /* Counts from 0 in its group. */
};

/* Reads a message.  Returns false if it is not the copy of a packet, or is
 * malformed. */
bool nflog_parse(const struct nlmsghdr *, struct nflog_packet *);

/* Listens to 'group' in the namespace 'netns_fd', for up to 'captured' bytes of
 * each packet.  Returns 0, EPERM if somebody else does, or another positive
 * errno value; then it is not open. */
int nflog_open(struct nflog *, int netns_fd, uint16_t group,
               uint32_t captured);
void nflog_close(struct nflog *);       /* May not be open. */
int nflog_fd(const struct nflog *);

/* Gives what has come to 'cb', up to a fixed number of messages of the
 * socket. */
typedef void nflog_cb(const struct nflog_packet *);
void nflog_run(struct nflog *, nflog_cb *);

#endif /* kernel/nflog.h */
