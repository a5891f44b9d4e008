/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_DIVERT_H
#define TOF_DIVERT_H 1

/* Diversion: bearers whose packets to services go there.
 *
 * Place in the flow: learn/detect.c tells of held packets to services and of
 * proofs, persist/replicate_receive.c of what another TOF diverts; the endpoint
 * is told, and answer.c goes on when it has answered. */

#include <stdbool.h>
#include <stddef.h>

struct bearer;
struct endpoint_class;

void divert_init(const struct endpoint_class *, long long int evidence_ms);

/* A held uplink packet of 'b' to a service; 'ip' is the outer packet.  It is
 * delivered if 'b' is ready, waits in hold.c if that may come, else it is
 * switched. */
void divert_service_packet(struct bearer *b, const void *ip, size_t len,
                           long long int now);

/* 'b' has been proved: it is diverted if it has touched a service. */
void divert_proved(struct bearer *b, long long int now);

/* Another TOF diverts 'b': so it is here, before its first packet comes, for as
 * long as it would be there.  Returns false if its evidence is not good enough
 * for that. */
bool divert_in_advance(struct bearer *b, long long int now);

#endif /* divert/divert.h */
