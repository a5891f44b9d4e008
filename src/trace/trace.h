/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_TRACE_H
#define TOF_TRACE_H 1

/* The packets of one UE, for an operator who looks on.
 *
 * It is somebody's traffic: there is one trace at a time, if the configuration
 * allows any, and it ends by itself, after the time that was asked for or when
 * nobody fetches what it has seen.  An address that two UEs have is not
 * traced: what is one's cannot always be told from what is the other's.
 *
 * Place in the flow: the API starts and reads it; the endpoint tells of
 * packets in the data plane, divert/forward.c of those that tofd has had.  All
 * that is dropped, as far as it is known whose it was, passes here.
 * While there is no trace, it costs a comparison a packet. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gtp/endpoint.h"

#define TRACE_SECONDS_MAX 60
#define TRACE_CAPTURED 96       /* Bytes of a packet, unless its payload may be
                                 * seen. */

struct conf;

/* A packet: as it is in its tunnel, or as it is outside, or both if it has
 * gone in or out here. */
struct trace_record {
    uint64_t number;            /* From 1. */
    uint64_t time;              /* ns since 1970. */
    enum endpoint_direction direction;
    const char *where, *reason;         /* Constant words. */
    struct in6_addr src, dst;   /* The UE's packet: */
    uint8_t proto;              /* Behind what is there of IPv6's extension
                                 * headers. */

    /* Bytes and lengths of the frame that has the tunnel, and of the UE's
     * packet.  NULL: not seen so. */
    const uint8_t *frame, *packet;
    size_t frame_captured, packet_captured;
    size_t frame_length, packet_length;
};

void trace_init(const struct conf *, const struct endpoint_class *);
void trace_destroy(void);
void trace_run(void);
void trace_wait(void);

/* Traces 'ue', a UE's key, for 1 to TRACE_SECONDS_MAX seconds.  Returns 0, or
 * EPERM if the configuration does not allow it, EBUSY if there is a trace,
 * ENOTUNIQ if several UEs have this address, or another positive errno
 * value. */
int trace_start(const struct in6_addr *ue, unsigned int seconds);
/* Nothing is told any more, and what was is forgotten. */
void trace_end(void);

/* The UE that is traced; or was, while there is something to be read; else
 * NULL. */
const struct in6_addr *trace_ue(void);
bool trace_is_running(void);
/* Packets that there was no room or no time for. */
uint64_t trace_lost(void);
/* The first packet after that number; NULL if there is none yet.  All up to
 * that number are forgotten. */
const struct trace_record *trace_after(uint64_t number);
const struct trace_record *trace_next(const struct trace_record *);

/* Events of the endpoint. */
void trace_packet(const struct traced_packet *);
void trace_packets_lost(uint64_t n);
/* The UE's packet of 'len' bytes at 'ip', which tofd has had, goes to 'where'
 * for that reason; both constant words.  'bare': out of its tunnel. */
void trace_held(enum endpoint_direction, const void *ip, size_t len,
                bool bare, const char *where, const char *reason);
/* tofd has dropped the UE's packet of 'len' bytes at 'ip', for that reason, a
 * constant word; it is noted (drops.h), and shown if its UE is traced. */
void trace_dropped(enum endpoint_direction, const void *ip, size_t len,
                   const char *reason);

#endif /* trace/trace.h */
