/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_EVIDENCE_H
#define TOF_EVIDENCE_H 1

/* What the endpoint carries for bearers, as evidence that they live.
 *
 * Place in the flow: the endpoint tells what it counts (struct
 * endpoint_events); sessions keep the sums.  A bearer that is in use is proved
 * again in the background, twice in the evidence time: so a one-way stream
 * never stalls, and a tunnel that has changed unseen is found out. */

#include "gtp/endpoint.h"

void evidence_counted(uint32_t id, enum endpoint_direction, uint64_t packets,
                      uint64_t bytes, long long int read);
void evidence_alive(uint32_t id, bool forwarded, long long int since);

#endif /* divert/evidence.h */
