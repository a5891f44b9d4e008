/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_SFF_H
#define TOF_SFF_H 1

/* Service Function Forwarder: carries a service's packets along its chain of
 * functions, compiled into flows of br-tof.  Pure, as classifier.c.
 *
 * The Classifier has put the packet out of the first function's 'in' port.
 * What comes out of a function's 'out' port goes into the next one's 'in'
 * port; NAT is the last.  Answers come from NAT and run the chain backwards,
 * each function entered by its 'out' port and left by its 'in' port.
 * Functions are transparent at layer 2: the bearer rides in the MAC addresses.
 * As services may share functions but not chains, flows match the service
 * too. */

#include <stddef.h>

#include "openvswitch/ofp-port.h"

struct ds;
struct service_spec;

struct sff_hop {
    ofp_port_t in, out;
};

/* Flows for 'spec' along the 'n' functions of 'hops', maybe none, to NAT. */
void sff_service(const struct service_spec *spec, const struct sff_hop hops[],
                 size_t n, ofp_port_t nat, struct ds *);

/* The same while a function of its chain is missing: its answers must not get
 * to the UE past the functions.  (Nor must its packets to the App; but those
 * for which there is no flow in TABLE_CLASSIFIER go nowhere.) */
void sff_broken(const struct service_spec *spec, struct ds *);

#endif /* ovs/sff.h */
