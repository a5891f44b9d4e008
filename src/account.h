/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_ACCOUNT_H
#define TOF_ACCOUNT_H 1

/* Packets and bytes that are diverted: by bearer and by service.
 *
 * Place in the flow: the endpoint tells its own counts (struct
 * endpoint_events); sessions and services keep the sums.  A bearer that is
 * in use is proved again in the background, twice in the evidence time: so a
 * one-way stream never stalls, and a tunnel that has changed unseen is found
 * out. */

#include "gtp/endpoint.h"

void account_init(long long int evidence_ms);
void account_bearer(uint32_t id, enum endpoint_direction, uint64_t packets,
                    uint64_t bytes);
void account_alive(uint32_t id, bool onward);
void account_service(const struct in6_addr *service_ip,
                     enum endpoint_direction, uint64_t packets,
                     uint64_t bytes);

#endif /* account.h */
