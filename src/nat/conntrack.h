/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CONNTRACK_H
#define TOF_CONNTRACK_H 1

/* Conntrack entries: changed in a walk over all of them, and counted.  All
 * functions return 0 or a positive errno value. */

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

/* A socket for ctnetlink in the namespace 'netns_fd'. */
struct conntrack;
int conntrack_open(int netns_fd, struct conntrack **);
void conntrack_close(struct conntrack *);

struct nat_tcp;
struct tcp_connection;

/* What UEs exchange with a service; or, unless 'app' is in6addr_any, with that
 * application of the service. */
struct conntrack_target {
    struct in6_addr service, app;
};
struct conntrack_targets {
    struct conntrack_target *targets;
    size_t n;
};

/* What becomes of entries: those whose flow goes to one of the targets
 * 'unserved', in either direction, are deleted, and those to one that is
 * 'ended', too, but for open TCP connections, for which 'probe' is called;
 * others with a mark get the one that 'mark_of' (may be NULL) says, by mark and
 * zone of the original direction.  'found' is called for TCP connections that
 * are open to one of the targets 'listed'. */
struct conntrack_wanted {
    struct conntrack_targets unserved, ended, listed;
    uint32_t (*mark_of)(uint32_t mark, uint16_t zone);
    void (*probe)(const struct nat_tcp *);
    void (*found)(const struct tcp_connection *);
};

/* Begins a walk, which sorts the targets; an earlier one is given up.  Then
 * each call of the other one brings it further, and returns EINPROGRESS until
 * all that was there at the beginning has been seen. */
int conntrack_walk_begin(struct conntrack *, struct conntrack_wanted *);
int conntrack_walk_next(struct conntrack *, const struct conntrack_wanted *);

/* How many entries the namespace has, and how many it may have (0: any
 * number). */
struct conntrack_fill {
    uint32_t n, max;
};
int conntrack_get_fill(struct conntrack *, struct conntrack_fill *);

#endif /* nat/conntrack.h */
