/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CACHE_GUARD_H
#define TOF_CACHE_GUARD_H 1

/* The cache guard: tunnels and services that have been cleared lately.
 *
 * ovs-vswitchd acknowledges a change of flows before its revalidators have
 * brought the datapath's cache into line.  For a tunnel or a service that has
 * never been seen that does not matter.  One that was there a short while ago
 * may still have entries in the cache that say "drop", or name a downlink
 * tunnel that must not be used any more; if it comes back, it is diverted only
 * when the cache has had time to follow.  Until then its packets are held and
 * delivered one by one, by flow tables and not by the cache.  Used by
 * endpoint.c and, for services, services.c. */

#include <netinet/in.h>
#include <stdint.h>

void cache_guard_init(void);
void cache_guard_destroy(void);

/* Notes that 'addr' with 'teid' (0 for a service) is not diverted any
 * more. */
void cache_guard_note(const struct in6_addr *addr, uint32_t teid);

/* When what is programmed now may be diverted, in ms of time_msec(). */
long long int cache_guard_until(const struct in6_addr *addr, uint32_t teid);

/* For how long after it is programmed its packets had better wait.  They could
 * be delivered past the cache at once; but their answers meet it.  They do not
 * get into the old downlink tunnel even then (filter_guard()), but are lost. */
unsigned int cache_guard_wait_ms(const struct in6_addr *addr, uint32_t teid);

#endif /* ovs/cache_guard.h */
