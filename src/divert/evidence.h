/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_EVIDENCE_H
#define TOF_EVIDENCE_H 1

/* What the endpoint carries for bearers, as evidence that they live, and for
 * how long a proof is good.
 *
 * A packet of the UE shows that the UE is there, in its uplink tunnel.  It does
 * not show that its downlink tunnel is still the one that was proved: a UE that
 * was released by its eNodeB, and is back, has another one there, and the same
 * uplink tunnel.  So the downlink tunnel of a UE that goes on sending is used
 * for the evidence time after each proof, and no longer.
 *
 * Place in the flow: the endpoint tells what it counts (struct
 * endpoint_events); sessions keep the sums.  A bearer that is in use is proved
 * again in the background, twice in the evidence time: so a one-way stream
 * never stalls, and a tunnel that has changed unseen is found out.  If that is
 * in vain, divert.c is told. */

#include <stdbool.h>

#include "gtp/endpoint.h"

struct bearer;
struct conf;

/* 'read_ms': how often the endpoint says what it has counted.  'overdue' is
 * called for a bearer whose proof is too old. */
void evidence_init(const struct conf *, long long int read_ms,
                   void (*overdue)(struct bearer *));
void evidence_destroy(void);
void evidence_run(void);
void evidence_wait(void);

void evidence_counted(uint32_t id, enum endpoint_direction, uint64_t packets,
                      uint64_t bytes, long long int read);
void evidence_alive(uint32_t id, bool forwarded, long long int since);

/* The endpoint is asked to divert 'b', or to go on: the end of its proof is
 * waited for from now on. */
void evidence_watch(struct bearer *b);

#endif /* divert/evidence.h */
