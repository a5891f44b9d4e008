/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_NETLINK_H
#define TOF_NETLINK_H 1

/* Netlink sockets, over libmnl.
 *
 * Place in the flow: whoever asks the kernel (rtnl.c, netdev.c,
 * nft.c, filter/nfq.c, nat/conntrack.c) builds a message and has it exchanged
 * here.  The kernel does the work within the call that sends, and its answer
 * is there when that returns: nothing here waits. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mnl_socket;
struct nlmsghdr;

struct netlink {
    struct mnl_socket *socket;  /* NULL: not open. */
    uint32_t seq;               /* Of the last request. */
};

/* Opens and binds a socket of 'protocol' (NETLINK_*) in the namespace
 * 'netns_fd' (-1: the caller's).  Returns 0 or a positive errno value; then it
 * is not open. */
int netlink_open(struct netlink *, int netns_fd, int protocol);
void netlink_close(struct netlink *);   /* May not be open. */

/* Sends a request, whose flags it completes, and gives what the kernel answers
 * to 'cb' (see mnl_cb_run(); may be NULL), up to the acknowledgement.  Returns
 * 0 or a positive errno value.  What is in the socket before, from an answer
 * that was given up, is thrown away. */
int netlink_talk(struct netlink *, struct nlmsghdr *,
                 int (*cb)(const struct nlmsghdr *, void *aux), void *aux);

/* The parts of it: throws away what has come, and tells whether there was
 * any; sends 'len' bytes; takes the next datagram, EIO if there is none. */
bool netlink_drain(struct netlink *);
int netlink_send(struct netlink *, const void *data, size_t len);
int netlink_receive(struct netlink *, void *buf, size_t size, size_t *len);

#endif /* kernel/netlink.h */
