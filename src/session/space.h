/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_SPACE_H
#define TOF_SPACE_H 1

/* Address spaces: in each of them a UE address is unique.  Each belongs to an
 * SGW address; an SGW has as many as there are UEs with one address behind it,
 * which happens if networks behind it have overlapping pools of addresses.
 * Their numbers ride in MAC addresses and become conntrack zones.  Owned by
 * table.c. */

#include <netinet/in.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"

#define SPACES_PER_SGW 256      /* At most. */

struct space {
    struct hmap_node node;
    struct ovs_list empty_node; /* If it has no session. */
    struct in6_addr sgw;
    uint16_t number;            /* Never 0. */
    uint16_t rank;              /* Among those of its SGW: 0, 1... */
    unsigned int n_sessions;
};

void space_init(void);
void space_destroy(void);

/* The address space with that rank of the SGW 'sgw', which may be new.  NULL if
 * it would have more than SPACES_PER_SGW, or all numbers are taken. */
struct space *space_get(const struct in6_addr *sgw, uint16_t rank);

/* The address space of 'sgw' with that number, which is made if the number is
 * free.  NULL if it is 0 or that of another SGW, or as above. */
struct space *space_restore(const struct in6_addr *sgw, uint16_t number);

/* One session more; one less.  Without any, a space keeps its number, as flows
 * may still have it, for as long as there are other numbers. */
void space_hold(struct space *);
void space_release(struct space *);

#endif /* session/space.h */
