/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_LINKS_H
#define TOF_LINKS_H 1

/* Veths of our own beside the S1-U adapters: FILTER_ENB_LINK and
 * FILTER_SGW_LINK with their peers.
 *
 * Place in the flow: with Open vSwitch, between it and the filter.  With a
 * single adapter, whatever the endpoint, what the TOF sends goes into a peer,
 * comes in at the link, and is forwarded by the kernel. */

#include <stdbool.h>
#include <stdint.h>

#define ENB_PORT "ovs-enb"              /* Peer of FILTER_ENB_LINK. */
#define SGW_PORT "ovs-sgw"              /* Peer of FILTER_SGW_LINK. */

struct l2_header;
struct rtnl;

/* A veth, without IPv6 of its own, that is up; or adopts it.  Returns 0 or a
 * positive errno value with '*what' (malloc'd). */
int links_make(struct rtnl *, const char *link, const char *peer,
               unsigned int mtu, char **what);

/* FILTER_ENB_LINK and FILTER_SGW_LINK; if 'routed', what comes in there is
 * forwarded by the kernel. */
int links_make_both(struct rtnl *, bool routed, unsigned int mtu,
                    char **what);

/* The Ethernet header with which 'link' takes IP from its 'peer': IPv6 if
 * 'v6', else IPv4.  Returns 0 or a positive errno value. */
int links_header(const char *link, const char *peer, bool v6,
                 struct l2_header *);

#endif /* filter/links.h */
