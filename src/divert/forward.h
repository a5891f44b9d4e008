/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FORWARD_H
#define TOF_FORWARD_H 1

/* What becomes of packets that have been held: on along the normal way, or to
 * the app, or to the UE.
 *
 * Place in the flow: divert.c and downlink.c decide, hold.c keeps packets
 * until then. */

#include <stddef.h>
#include <stdint.h>

#include "base/tunnel.h"
#include "divert/hold.h"

struct endpoint_class;

void forward_init(const struct endpoint_class *);

/* On along the normal way, as if nothing had happened.  'ip' is the outer
 * packet, which came in on 'from'.  If that is not possible it is lost, and
 * counted by reason. */
void forward_switch(enum filter_side from, const void *ip, size_t len);

/* To where it was going: HOLD_UP to the service, HOLD_DOWN to the UE.  If the
 * bearer is not proved any more, as forward_stop_waiting(); if there is no way
 * to the service, as forward_give_up(); but what the endpoint has no room for
 * just now is lost, and counted: the service's real host would not know its
 * connection.  So is what cannot be sent to the UE. */
void forward_send(uint32_t bearer_id, const struct hold_packet *);

/* It has waited in vain: HOLD_UP is switched, HOLD_DOWN dropped and
 * counted. */
void forward_give_up(uint32_t bearer_id, const struct hold_packet *);

/* The same with what waits of connections of which others have been switched,
 * so that it is not overtaken. */
void forward_give_up_others(uint32_t bearer_id);

/* It cannot wait any longer, though its bearer may come: as
 * forward_give_up().  But of a UE whose connections are diverted (stay.h) it
 * is sent, though the answer may be lost, if the bearer is as good as there;
 * else it is lost, and counted. */
void forward_stop_waiting(uint32_t bearer_id, const struct hold_packet *);

/* A packet of an App for which there is no bearer, or no tunnel that is proved
 * or may be. */
enum forward_reason { FORWARD_NO_BEARER, FORWARD_NO_TUNNEL };
void forward_drop_down(const struct hold_packet *, enum forward_reason);

#endif /* divert/forward.h */
