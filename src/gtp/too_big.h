/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_TOO_BIG_H
#define TOF_TOO_BIG_H 1

/* ICMP errors that say that a packet is too big: "fragmentation needed" (RFC
 * 792, RFC 1191) and "Packet Too Big" (RFC 4443 clause 3.2).
 *
 * Place in the flow: too_big_parse() reads those that routers on S1-U send about
 * what the TOF has built (divert/pmtu.c);
 * too_big_build() makes one for an application.  Pure: no I/O, no clock. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tunnel.h"

struct too_big {
    struct tunnel tunnel;       /* Of the G-PDU; TEID 0 if not quoted. */
    unsigned int mtu;           /* What would fit, 0 if it does not say. */
    unsigned int len;           /* Of the packet that did not. */
};

/* True if the IP packet of 'len' bytes at 'ip' is such an error, with the
 * right checksum, about a G-PDU that the TOF has built (OUTER_ID). */
bool too_big_parse(const void *ip, size_t len, struct too_big *);

/* The most that too_big_build() writes. */
#define TOO_BIG_MAX 1280

/* Writes the error about the IP packet of 'len' bytes at 'about', sent back by
 * its destination, to 'buf': what fits has 'mtu' bytes.  Returns its length, 0
 * if 'about' is no IP packet of that length, or itself an ICMP error. */
size_t too_big_build(uint8_t buf[TOO_BIG_MAX], const void *about, size_t len,
                     unsigned int mtu);

#endif /* gtp/too_big.h */
