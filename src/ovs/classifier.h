/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CLASSIFIER_H
#define TOF_CLASSIFIER_H 1

/* The UE-decapsulated data plane's Classifier, compiled into flows of br-tof.
 * Pure: descriptions in, text for ofctl_set() out.
 *
 * Place in the flow: endpoint.c calls, or xdp/chain.c where eBPF programs
 * do what is between a tunnel and a chain; sff.c compiles what comes between
 * a chain's first port and its last.
 *
 * Tables of br-tof:
 *
 *    0  by ingress port.  From the tunnels: one flow for each diverted bearer
 *       puts the bearer's id into the source MAC, the address space into the
 *       destination MAC, renews the bearer's lease, and goes on to 1; what
 *       has none goes up to the agent.  From NAT: goes on to 10.  From
 *       functions: SFF flows.
 *    1  Classifier: a service's packets go to its chain's first port.
 *   10  answers of a service go to its chain's last function, nowhere while
 *       a function is missing, or if it has none, like all else, on to
 *   19  one flow for each diverted bearer says which tunnel is meant (as a
 *       hash in reg1) and looks up the lease in 20; all goes on to
 *   21  into the tunnel if there was a lease, else up to the agent.
 *   20  leases: destination MAC 02:00:<bearer id> and the hash of a downlink
 *       tunnel to that tunnel.  Each ends by itself evidence_seconds after the
 *       UE's last uplink packet (renewed by the learn action in table 0) or
 *       last proof (renewed by the agent), so that even without an agent
 *       nothing is ever sent into a tunnel that may have died.  One that is
 *       left over from another tunnel of the bearer matches nothing.
 *
 * With eBPF programs only services with a chain come here, with their MAC
 * addresses, and tunnels are the programs' concern: 0 goes on to 1 and 10; 19
 * goes out of the port towards tunnels. */

#include <stdint.h>

#include "openvswitch/ofp-port.h"

struct ds;
struct endpoint_bearer;
struct service_spec;

enum {
    TABLE_INPUT = 0,
    TABLE_CLASSIFIER = 1,
    TABLE_ANSWER = 10,
    TABLE_DOWNLINK = 19,
    TABLE_LEASE = 20,
    TABLE_TUNNEL = 21,
};

struct classifier_ports {
    ofp_port_t gtp;             /* Towards tunnels: the GTP-U port. */
    ofp_port_t nat;             /* Towards ue0: its peer. */
};

/* Flows that do not depend on anything. */
void classifier_static(const struct classifier_ports *, struct ds *);

/* The same where eBPF programs are the tunnel endpoints. */
void classifier_static_chain(const struct classifier_ports *, struct ds *);

/* A diverted bearer's uplink flow. */
void classifier_bearer(const struct classifier_ports *,
                       const struct endpoint_bearer *,
                       unsigned int evidence_seconds, struct ds *);

/* Its lease, for a new proof. */
void classifier_lease(const struct classifier_ports *,
                      const struct endpoint_bearer *,
                      unsigned int evidence_seconds, struct ds *);

/* A service whose chain begins at 'first'. */
void classifier_service(const struct service_spec *, ofp_port_t first,
                        struct ds *);

/* Source and destination MAC of a bearer's packets in br-tof: its id, and the
 * address space of its UE. */
void classifier_macs(const struct endpoint_bearer *, uint8_t dst_src[12]);

/* Actions (not a flow) for the agent's own packets. */
void classifier_send_app(struct ds *);
void classifier_send_up(const struct classifier_ports *,
                        const struct endpoint_bearer *, struct ds *);
void classifier_send_down(const struct classifier_ports *,
                          const struct endpoint_bearer *, struct ds *);

#endif /* ovs/classifier.h */
