/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_PACKET_SOCKET_H
#define TOF_PACKET_SOCKET_H 1

/* Packet sockets: whole frames at one adapter, without the network stack. */

#include <linux/filter.h>

/* What one receives. */
struct packet_receive {
    int option;                 /* Of SOL_PACKET: it is set to 1. */
    const struct sock_fprog *program;   /* Which frames, and how much of each.
                                         * NULL: all of them. */
};

/* Opens a socket at the adapter 'link' of the network namespace that the
 * caller is in.  It sends, does not block, and receives nothing that was there
 * before it was complete, nor anything at all if 'receive' is NULL.  Returns 0
 * and stores it in '*fdp', or returns a positive errno value. */
int packet_socket_open(const char *link, const struct packet_receive *receive,
                       int *fdp);

#endif /* kernel/packet_socket.h */
