/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_COUNTERS_H
#define TOF_COUNTERS_H 1

/* Packets and bytes both ways: of a bearer, of a service, of what a session
 * exchanges with a service.  Pure. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct counters {
    uint64_t packets_up, bytes_up;      /* Diverted to ME Apps. */
    uint64_t packets_down, bytes_down;  /* Sent to the UE. */
};

/* Adds to 'sum' what the counts of one direction, now 'packets' and 'bytes',
 * are above those in 'last', and puts them there.  A count that has started
 * again from 0 counts from there.  Returns true if there were packets. */
bool counters_advance(struct counters *sum, struct counters *last, bool down,
                      uint64_t packets, uint64_t bytes);

void counters_add(struct counters *sum, const struct counters *);

/* An object of them, and one of a service and them.  The caller owns it. */
struct json_t *counters_to_json(const struct counters *);
struct json_t *counters_of_service_to_json(const char *name,
                                           const struct in6_addr *ip,
                                           const struct counters *);

#endif /* base/counters.h */
