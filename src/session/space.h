/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_SPACE_H
#define TOF_SPACE_H 1

/* Address spaces: sets of SGWs among which a UE address is unique; one for
 * each SGW address.  Their numbers ride in MAC addresses and become conntrack
 * zones.  Owned by table.c. */

#include <netinet/in.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"

struct space {
    struct hmap_node node;
    struct ovs_list empty_node; /* If it has no session. */
    struct in6_addr sgw;
    uint16_t number;            /* Never 0. */
    unsigned int n_sessions;
};

void space_init(void);
void space_destroy(void);

/* The address space of the SGW 'sgw': the one it has, else a new one, with
 * number 'wanted' if that is nonzero and free.  NULL if all numbers are
 * taken. */
struct space *space_get(const struct in6_addr *sgw, uint16_t wanted);

/* One session more; one less.  Without any, a space keeps its number, as flows
 * may still have it, for as long as there are other numbers. */
void space_hold(struct space *);
void space_release(struct space *);

#endif /* session/space.h */
