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

/* All that an endpoint needs to know of a bearer. */
struct endpoint_bearer {
    uint32_t id;
    uint16_t space;             /* Address space of 'ue'. */
    struct in6_addr ue;         /* Key of the UE: addr_ue_key(). */
    struct in6_addr ue_addr;    /* The address of its that was seen last. */
    struct tunnel up;           /* eNodeB to SGW. */
    struct tunnel down;         /* SGW to eNodeB; TEID 0 if not proved. */
    uint8_t qfi;
    uint8_t up_dscp, down_dscp; /* Of outer headers, as seen last. */
};

#endif /* tunnel.h */
