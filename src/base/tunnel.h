/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_TUNNEL_H
#define TOF_TUNNEL_H 1

/* Tunnels and diverted bearers as the data plane knows them: the vocabulary
 * that agent, filter, endpoints and flow compilers share. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A tunnel as seen on the wire.  IPv4 as IPv4-mapped IPv6, TEID in host byte
 * order. */
struct tunnel {
    struct in6_addr src, dst;
    uint32_t teid;
};

/* All that the TOF builds has this IP id, or in IPv6 this flow label (but for
 * Open vSwitch's pings with a single adapter): an ICMP error that quotes it is about a packet of ours, not of the
 * peer whose addresses it has.  An SGW's own ids change from packet to packet,
 * or are 0 where "don't fragment" is set, as it always is in ours. */
#define OUTER_ID 0x7f0b
#define OUTER_FLOW_LABEL 0x97f0b

/* Where a packet comes from. */
enum filter_side { SIDE_ENB, SIDE_SGW };

/* What the PDU Session Containers in a tunnel say (5G, TS 38.415): QFI_PRESENT
 * and the QoS Flow Identifier, which may be 0; or 0 if there are none. */
#define QFI_MASK 0x3f
#define QFI_PRESENT 0x40
#define QFI_UPLINK 0x80         /* For builders: PDU type 1, not 0. */

/* A TCP connection with a service, as its UE knows it. */
struct tcp_connection {
    struct in6_addr ue, service;
    uint16_t ue_port, service_port;     /* Network byte order. */
};

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
    uint32_t silent_ms;         /* How long ago its UE was heard, if that was
                                 * by another TOF; else 0. */
};

/* Ethernet header of a path between two outer addresses. */
struct l2_header {
    uint8_t bytes[18];
    uint8_t len;                /* 14, or 18 with a VLAN tag. */
};

static inline bool
l2_header_equal(const struct l2_header *a, const struct l2_header *b)
{
    /* Beyond the header are other bytes of the packet. */
    return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

static inline bool
l2_header_is_valid(const struct l2_header *l2)
{
    return l2->len == 14 || l2->len == 18;
}

#endif /* base/tunnel.h */
