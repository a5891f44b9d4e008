/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_VISITORS_H
#define TOF_VISITORS_H 1

/* Connections that others hold to this TOF, and who gives one up when there
 * are too many.
 *
 * Place in the flow: api/rest.c has the clients of each of its sockets here,
 * persist/replicate_send.c those who have not shown yet that they are TOFs.
 *
 * Nobody who comes is turned away as long as there is one to give up: the one
 * that has not moved for longest.  What is asked is read as soon as it is
 * there, so whoever holds connections for nothing loses them to those who ask.
 * An address that has as many as one may have gives up its own, and costs
 * nobody else a place. */

#include <netinet/in.h>
#include <stdbool.h>

#include "openvswitch/list.h"

struct sockaddr;

struct visitor {
    struct ovs_list node;       /* In visitors.list. */
    struct in6_addr from;       /* As visitors_address() gives it. */
    bool stays;                 /* It waits for us: it is not given up. */
    bool leaves;                /* It is given up: its place is free. */
};

struct visitors {
    struct ovs_list list;       /* Who moved last is last. */
    unsigned int max;           /* In all, */
    unsigned int max_each;      /* and of one address. */
};
enum visitors_limit {
    VISITORS_ROOM,              /* There is room for one more. */
    VISITORS_OF_ADDRESS,        /* Its address has 'max_each'. */
    VISITORS_IN_ALL,            /* There are 'max'. */
};

/* Whom 'sa' counts as: its IPv4 address, the /64 of its IPv6 address, or, if
 * it has none, all zeros. */
struct in6_addr visitors_address(const struct sockaddr *sa);

void visitors_init(struct visitors *, unsigned int max, unsigned int max_each);
void visitors_add(struct visitors *, struct visitor *,
                  const struct in6_addr *from);
void visitors_remove(struct visitor *);

/* 'v' has asked, answered or taken something. */
void visitors_moved(struct visitors *, struct visitor *v);

enum visitors_limit visitors_limit(const struct visitors *,
                                   const struct in6_addr *from);

/* Returns the one to give up: that which has not moved for longest, of those
 * from '*from' (NULL: of all); NULL if there is none. */
struct visitor *visitors_first(const struct visitors *,
                               const struct in6_addr *from);

#endif /* base/visitors.h */
