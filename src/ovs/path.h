/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_PATH_H
#define TOF_PATH_H 1

/* Paths: pairs of outer addresses between which built packets travel.  Each
 * has one flow in br-gtp that writes the Ethernet header which the packets of
 * that pair carry on the wire, VLAN tag included, and the DSCP that the packet
 * mark brings, and outputs to the right side. */

#include <netinet/in.h>
#include <stdbool.h>

#include "filter/filter.h"
#include "openvswitch/ofp-port.h"

struct ofctl;

void path_init(struct ofctl *br_gtp);
void path_destroy(void);

/* Port numbers towards either side; they may change. */
void path_ports(ofp_port_t enb, ofp_port_t sgw);

/* Makes sure that there is a flow for packets from 'src' to 'dst', built as if
 * they came in on side 'from' and sent out on the other, if an Ethernet header
 * has been seen for them.  Returns true if the switch has confirmed it; false:
 * not yet, what is sent now may be lost. */
bool path_use(enum filter_side from, const struct in6_addr *src,
              const struct in6_addr *dst);

/* The same for longer: it stays until path_drop() has been called as often as
 * this.  Returns NULL if no Ethernet header has been seen.  Of paths that
 * nobody keeps there is a limited number, of those used last: eNodeBs come and
 * go, and anybody may make addresses up. */
struct path *path_keep(enum filter_side from, const struct in6_addr *src,
                       const struct in6_addr *dst);
void path_drop(struct path *);          /* NULL: does nothing. */
/* Has the switch answered to its flow, whatever it said?  (NULL: yes.) */
bool path_is_acked(const struct path *);
/* Does the switch refuse its flow?  (NULL: no.) */
bool path_is_refused(const struct path *);

/* The Ethernet header of that pair has changed: its flow, if there is one,
 * follows. */
void path_changed(enum filter_side from, const struct in6_addr *src,
                  const struct in6_addr *dst, const struct l2_header *);

#endif /* ovs/path.h */
