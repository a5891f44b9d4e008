/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_SETTLE_H
#define TOF_SETTLE_H 1

/* Tunnels and services that have been cleared lately.
 *
 * ovs-vswitchd acknowledges a change of flows before its revalidators have
 * brought the datapath's cache into line.  For a tunnel or a service that has
 * never been seen that does not matter.  One that was there a short while ago
 * may still have entries in the cache that say "drop", or name a downlink
 * tunnel that must not be used any more; if it comes back, its packets are
 * held and it is diverted only when the cache has settled.  Used by
 * endpoint.c and, for services, services.c. */

#include <netinet/in.h>
#include <stdint.h>

void settle_init(void);
void settle_destroy(void);

/* Notes that 'addr' with 'teid' (0 for a service) is not diverted any
 * more. */
void settle_note(const struct in6_addr *addr, uint32_t teid);

/* When what is programmed now may be diverted, in ms of time_msec(). */
long long int settle_time(const struct in6_addr *addr, uint32_t teid);

#endif /* ovs/settle.h */
