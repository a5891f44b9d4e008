/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_WIRE_FAULTS_H
#define TOF_WIRE_FAULTS_H 1

/* What is wrong with the wire that S1-U passes by: the bridge of both
 * adapters, or the forwarding of a single one.
 *
 * Place in the flow: wire.c asks the kernel and fills in what is seen; here it
 * is judged.  Pure. */

#include <stdbool.h>
#include <stdint.h>

struct ds;

/* An S1-U adapter. */
struct wire_adapter {
    const char *name;
    bool there;                 /* It exists; if not, the rest is zero. */
    bool up, carrier;
    unsigned int mtu;
    int master;                 /* ifindex of the device that it is in, or 0 */
    bool port;                  /* which is a bridge, and there it is */
    bool forwarding, flood, isolated, learning;
    const char *merges;         /* An offload that takes packets apart or joins
                                 * them, or NULL. */
};

struct wire_seen {
    struct wire_adapter adapter[2];     /* Towards eNodeBs, SGWs. */

    /* With two of them: */
    bool bridge_up;                     /* The bridge of the first one. */
    bool vlan_filtering;
    bool netfilter;                     /* Bridged packets meet firewalls. */

    /* With a single one, which is the first: */
    bool single;
    bool forwards, forwards6;           /* The kernel does. */
    bool redirects;                     /* It sends them. */
    bool refused;                       /* A firewall accepts nothing that is
                                         * forwarded. */
};

enum wire_fault {
    WIRE_NO_ADAPTER,
    WIRE_ADAPTER_DOWN,
    WIRE_NO_CARRIER,
    WIRE_NO_BRIDGE,             /* Neither adapter is in one. */
    WIRE_NOT_A_PORT,            /* One is not, or is in another one. */
    WIRE_BRIDGE_DOWN,
    WIRE_BLOCKED,
    WIRE_NETFILTER,
    WIRE_NO_FORWARDING,
    WIRE_FIREWALL,
    WIRE_OFFLOAD,
    WIRE_LEARNING,
    WIRE_REDIRECTS,
    WIRE_MTU,
    WIRE_N_FAULTS
};

/* Returns a bit, 1 << FAULT, for each fault, and appends what is wrong to the
 * text: "enb0 is down, sgw0 has no carrier". */
uint32_t wire_judge(const struct wire_seen *, struct ds *);

/* Those of 'faults' by which S1-U is cut, or may be; those that tof-net can
 * and may mend. */
uint32_t wire_cuts(uint32_t faults);
uint32_t wire_mendable(uint32_t faults);

/* For metrics: "bridge_down". */
const char *wire_fault_name(enum wire_fault);

#endif /* filter/wire_faults.h */
