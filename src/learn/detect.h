/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_DETECT_H
#define TOF_DETECT_H 1

/* TEID detection and tunnel set-up: what packets on S1-U say.
 *
 * Place in the flow: nfq.c hands over each packet that the filter copies or
 * holds.  What it shows goes into the session table; bearers are proved by
 * prove.c, and those that talk to a service are diverted: the endpoint is
 * told, and answer.c goes on when it has answered. */

#include <stddef.h>

struct conf;
struct endpoint_class;
struct nfq_packet;
struct tunnel;

void detect_init(const struct conf *, const struct endpoint_class *);

/* A packet that was copied or held.  A held one is switched, consumed, or
 * waits (hold.c, signalling.c) until one of both is done to it. */
void detect_packet(const struct nfq_packet *);

/* Likewise the uplink G-PDU in 'tunnel' with the UE's packet at 'ip', which
 * had been diverted, but found no flow in the endpoint. */
void detect_missed(const struct tunnel *, const void *ip, size_t len);

#endif /* learn/detect.h */
