/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_DIVERT_H
#define TOF_DIVERT_H 1

/* Diversion: a bearer's way to having its packets to services go there, and
 * back.  This module alone moves a bearer along it (b->diversion):
 *
 *         divert_want()        divert_proved()        divert_ready()
 *    OFF ---------------> WANTED ---------------> ASKED ------------> READY
 *                            ^   and others below   |  ^                |
 *                            |                      |  | proved anew,   |
 *                            |                      |  | if some wait   |
 *                            |                      |  +----------------+
 *                            |                      |                   |
 *                            +----------------------+-------------------+
 *                             divert_refused(), divert_invalidated()
 *
 * Place in the flow: learn/detect.c tells of held packets to services and of
 * proofs, downlink.c of held answers, persist/replicate_receive.c of what
 * another TOF diverts, adopt.c of what an earlier tofd did; agent.c hands on
 * what endpoint and session table say.  Packets wait in hold.c meanwhile. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bearer;
struct endpoint_class;
struct gtpu_packet;
struct hold_packet;

/* 'admits' says whether a bearer that is OFF may be diverted. */
void divert_init(const struct endpoint_class *, long long int evidence_ms,
                 bool (*admits)(const struct bearer *));

/* 'b' has touched a service: it is diverted as soon as it is proved, if it is
 * admitted.  If not, it stays OFF, and what it sends to services is
 * switched. */
void divert_want(struct bearer *b);

/* A held uplink G-PDU of 'b' to a service; 'ip' is the outer packet, and 'p'
 * what it says.  It is delivered if 'b' is ready, waits in hold.c if that may
 * come, else it is switched.  Once one has waited in vain for 'b' to be proved,
 * no other does until it is: a network where the Pinger gets no replies is
 * slow for the first packets of a UE, and never again. */
void divert_service_packet(struct bearer *b, const struct gtpu_packet *p,
                           const void *ip, size_t len, long long int now);

/* 'b' has been proved: it is diverted if that is wanted. */
void divert_proved(struct bearer *b);

/* Another TOF diverts 'b': so it is here, before its first packet comes, for
 * as long as it would be there.  Returns false if its evidence is not good
 * enough for that, or it is not admitted. */
bool divert_in_advance(struct bearer *b, long long int now);

/* The endpoint diverts 'b' already, as an earlier tofd has asked it to. */
void divert_adopt(struct bearer *b);

/* What the endpoint says: the bearer is programmed, and what has waited for it
 * goes on; or it cannot be, and what has waited is given up. */
void divert_ready(uint32_t bearer_id);
void divert_refused(uint32_t bearer_id);

/* A packet has waited for HOLD_MS: with it the bearer is given up. */
void divert_expired(uint32_t bearer_id, const struct hold_packet *);

/* The downlink tunnel of 'b' was proved too long ago: it is diverted when it has
 * been proved again. */
void divert_overdue(struct bearer *b);

/* What the session table says: 'b' has another sender, so that what the Pinger
 * has asked may be answered on the old path; its downlink tunnel must not be
 * used any more; it is going to be freed. */
void divert_moved(const struct bearer *b);
void divert_invalidated(struct bearer *b);
void divert_gone(struct bearer *b);

#endif /* divert/divert.h */
