/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_DETECT_H
#define TOF_DETECT_H 1

/* TEID detection and tunnel set-up: what packets on S1-U say.
 *
 * Place in the flow: nfq.c hands over each packet that the filter copies or
 * holds.  What it shows goes into the session table, and bearers are proved by
 * prove.c.  Those that talk to a service are diverted by divert/divert.c,
 * which is told by events. */

#include <stddef.h>

#include "learn/signalling.h"

struct bearer;
struct conf;
struct endpoint_class;
struct gtpu_packet;
struct nfq_packet;
struct tunnel;

struct detect_events {
    /* A held packet is of no use here. */
    packet_pass_cb *pass;
    /* A held uplink G-PDU of 'b', to a service; 'ip' is the outer packet, and
     * 'p' what it says.  It is the callee's to have it delivered, now or
     * later, or passed. */
    void (*service_packet)(struct bearer *b, const struct gtpu_packet *p,
                           const void *ip, size_t len, long long int now);
    /* An uplink G-PDU that the filter has switched. */
    void (*switched)(const struct gtpu_packet *p);
    /* The downlink tunnel of 'b' has been proved. */
    void (*proved)(struct bearer *b);
    /* A held packet that is no GTP-U: an ICMP error, as the filter lets come
     * here.  It is the callee's to consume or pass. */
    void (*too_big)(const struct nfq_packet *);
};

void detect_init(const struct conf *, const struct endpoint_class *,
                 const struct detect_events *);

/* A packet that was copied or held.  A held one is switched, consumed, or
 * waits (divert/hold.c, signalling.c) until one of both is done to it. */
void detect_packet(const struct nfq_packet *);

/* Likewise the uplink G-PDU in 'tunnel' with the UE's packet at 'ip', which
 * had been diverted, but found no flow in the endpoint. */
void detect_missed(const struct tunnel *, const void *ip, size_t len);

#endif /* learn/detect.h */
