/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_STATELET_H
#define TOF_STATELET_H 1

/* Statelets: what is worth persisting of a bearer, or of the path between two
 * peers, as records of one fixed size in network byte order.
 *
 * Place in the flow: persist.c appends a statelet for each of session.c's and
 * l2.c's changes; at start it replays the journal into them.  replicate_send.c
 * sends the same records to TOFs that follow this one, replicate_receive.c
 * reads them.  Pure. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tunnel.h"

enum statelet_op {
    STATELET_BEARER = 1,        /* Bearer is new or has changed. */
    STATELET_INVALID = 2,       /* Its downlink tunnel is no longer proved. */
    STATELET_GONE = 3,          /* Bearer purged. */
    STATELET_PATH = 4,          /* Ethernet header of packets between two
                                 * peers: 'time_ms', 'path' count. */
    STATELET_ALIVE = 5,         /* Between TOFs, nothing else to say: 'time_ms'
                                 * counts. */
};

/* Each side of a stream between TOFs says something that often, or else is
 * dead. */
#define STATELET_ALIVE_MS 1000
#define STATELET_SILENCE_MS 5000

/* Ages are as of 'time_ms', in milliseconds, rounded up to tens. */
#define STATELET_AGE_MAX (UINT16_MAX * 10)      /* That old, or older. */

struct statelet {
    enum statelet_op op;
    uint32_t bearer_id;         /* Slot (24 bits) and generation (8 bits). */
    uint32_t session_id;
    uint16_t space;             /* Address space of 'ue'. */
    bool proved;
    bool paired;                /* struct bearer has it. */
    bool diverted;              /* It has touched a service. */
    bool unanswered;            /* struct bearer has it. */
    uint8_t up_qfi, down_qfi;   /* QFI_PRESENT and QFI, or 0. */
    uint8_t up_dscp, down_dscp; /* Of outer headers. */
    uint32_t teid_up, teid_down;
    struct in6_addr ue;         /* Its address as last seen, not the key. */
    struct in6_addr enb;        /* Sender of the uplink tunnel. */
    struct in6_addr sgw;        /* Receiver of the uplink tunnel. */
    struct in6_addr down_enb;   /* Receiver of the downlink tunnel. */
    struct in6_addr down_sgw;   /* Its sender. */
    uint64_t time_ms;           /* Wall clock (Unix epoch) of the record;
                                 * between TOFs see replicate_send.h. */
    uint32_t seen_age, heard_age, proved_age;   /* struct bearer has them. */
    struct {
        struct in6_addr src, dst;
        bool from_sgw;          /* Direction: from there, else from an eNodeB. */
        struct l2_header l2;
    } path;
};

#define STATELET_LEN 128        /* Magic, version, fields, zero padding,
                                 * CRC-32C over all before it. */

/* STATELET_PATH: a packet from 'src' to 'dst' has that header. */
struct statelet statelet_of_path(bool from_sgw, const struct in6_addr *src,
                                 const struct in6_addr *dst,
                                 const struct l2_header *);

/* Encodes '*s' to the STATELET_LEN bytes at 'buf'. */
void statelet_encode(const struct statelet *s, uint8_t buf[STATELET_LEN]);

/* Decodes; returns false if magic, version, operation or checksum is
 * wrong. */
bool statelet_decode(const uint8_t buf[STATELET_LEN], struct statelet *s);

/* 'age' of a record, as of the time 'then', when it is 'now' by the same clock
 * (ms): at most STATELET_AGE_MAX.  'then' may be anything that somebody has
 * written there; if it is in the future the age is as it was. */
uint32_t statelet_age(uint32_t age, uint64_t then, uint64_t now);

#endif /* session/statelet.h */
