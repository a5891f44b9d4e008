/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_ACCOUNT_H
#define TOF_ACCOUNT_H 1

/* Packets and bytes of bearers that are diverted.
 *
 * Place in the flow: the endpoint tells its own counts (struct
 * endpoint_events); sessions keep the sums, as services do of theirs
 * (service_count()).  A bearer that is
 * in use is proved again in the background, twice in the evidence time: so a
 * one-way stream never stalls, and a tunnel that has changed unseen is found
 * out. */

#include "gtp/endpoint.h"

void account_init(long long int evidence_ms);
void account_bearer(uint32_t id, enum endpoint_direction, uint64_t packets,
                    uint64_t bytes, long long int read);
void account_alive(uint32_t id, bool forwarded, long long int since);

#endif /* divert/account.h */
