/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FLOW_H
#define TOF_FLOW_H 1

/* A connection of a UE's, by the tunnel that it goes up by and its inner
 * addresses and ports: the key by which the kernel knows those that stay on the
 * normal way (nftables' sets "stay_tcp" and "stay_other").
 *
 * Who reads it out of a packet must do it in the same way everywhere: ports are
 * those of TCP or UDP right behind an IP header of the shortest form, of a
 * packet that is no fragment.  Of anything else they are 0: all of it between
 * two addresses is one connection, and none of TCP's. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flow {                   /* Without padding. */
    struct in6_addr sgw;        /* Receiver of the tunnel. */
    uint32_t teid;              /* Network byte order. */
    struct in6_addr src, dst;
    uint8_t ports[4];           /* As in the packet. */
    uint32_t is_tcp;            /* 0 or 1. */
};

/* Reads the inner packet 'ip' into '*flow'; the tunnel is up to the caller.
 * '*begins' says whether it is a TCP SYN, which begins anew.  Returns false if
 * it is no IP packet. */
bool flow_read(struct flow *, const void *ip, size_t len, bool *begins);

/* How long it is remembered after its last packet, in ms. */
#define FLOW_TCP_MS (300 * 1000)
#define FLOW_OTHER_MS (30 * 1000)

#endif /* gtp/flow.h */
