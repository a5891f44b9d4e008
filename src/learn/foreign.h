/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FOREIGN_H
#define TOF_FOREIGN_H 1

/* UEs whose packets came lately from or for peers outside of the configured
 * prefixes (s1u.enodebs, s1u.sgws), of which nothing is learned.
 *
 * Place in the flow: detect.c notes them as it refuses them; explain.c tells
 * who asks for such a UE.  A table of fixed size, in which a later UE takes
 * the place of an earlier one now and then. */

#include <netinet/in.h>
#include <stdbool.h>

struct gtpu_packet;

struct foreign {
    struct in6_addr ue;         /* Its key: addr_ue_key(). */
    struct in6_addr enb, sgw;
    long long int seen;         /* ms; 0: nothing is noted here. */
};

/* The uplink packet 'p', if it is a G-PDU, has been refused at 'now'. */
void foreign_note(const struct gtpu_packet *p, long long int now);

/* The last one of the UE with that key, or NULL. */
const struct foreign *foreign_find(const struct in6_addr *ue);

#endif /* learn/foreign.h */
