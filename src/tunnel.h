/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_TUNNEL_H
#define TOF_TUNNEL_H 1

/* Tunnels and diverted bearers as the data plane knows them: the vocabulary
 * that agent, filter, endpoints and flow compilers share. */

#include <netinet/in.h>
#include <stdint.h>

/* A tunnel as seen on the wire.  IPv4 as IPv4-mapped IPv6, TEID in host byte
 * order. */
struct tunnel {
    struct in6_addr src, dst;
    uint32_t teid;
};

/* What the PDU Session Containers in a tunnel say (5G, TS 38.415): QFI_PRESENT
 * and the QoS Flow Identifier, which may be 0; or 0 if there are none. */
#define QFI_MASK 0x3f
#define QFI_PRESENT 0x40
#define QFI_UPLINK 0x80         /* For builders: PDU type 1, not 0. */

/* All that an endpoint needs to know of a bearer. */
struct endpoint_bearer {
    uint32_t id;
    uint16_t space;             /* Address space of 'ue'. */
    struct in6_addr ue;         /* Key of the UE: addr_ue_key(). */
    struct in6_addr ue_addr;    /* The address of its that was seen last. */
    struct tunnel up;           /* eNodeB to SGW. */
    struct tunnel down;         /* SGW to eNodeB; TEID 0 if not proved. */
    uint8_t up_qfi, down_qfi;   /* QFI_PRESENT and QFI, as seen last. */
    uint8_t up_dscp, down_dscp; /* Of outer headers, as seen last. */
};

#endif /* tunnel.h */
