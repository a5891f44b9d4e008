/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CONNTRACK_H
#define TOF_CONNTRACK_H 1

/* Conntrack entries, found by what is known of them.  All functions return 0
 * or a positive errno value; that there is none is no error.  Each walks the
 * table of its namespace. */

#include <netinet/in.h>
#include <stdint.h>

struct conntrack;
int conntrack_open(int netns_fd, struct conntrack **);
void conntrack_close(struct conntrack *);

/* Gives each flow whose mark (host byte order) is not 0 the mark that 'mark_of'
 * says.  'zone' is that of its original direction, 0 if it has none. */
int conntrack_remark(struct conntrack *,
                     uint32_t (*mark_of)(uint32_t mark, uint16_t zone));

/* Deletes those of the flows from anybody to 'addr', and of those that others
 * see coming from it.  IPv4 as IPv4-mapped IPv6. */
int conntrack_flush_service(struct conntrack *, const struct in6_addr *addr);

#endif /* nat/conntrack.h */
