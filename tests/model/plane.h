/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_PLANE_H
#define TOF_PLANE_H 1

/* A data plane in memory, for tests/unit/test_model.c: filter, queues,
 * endpoint, NAT and App stand around the real agent, with a clock of their
 * own, and keep exactly to the times that they promise.  It takes the place
 * of the modules of those names when the test is linked. */

#include <stddef.h>
#include <stdint.h>

struct plane_stats {
    uint64_t copies, held;      /* Packets given to the agent. */
    uint64_t sets, clears;      /* Bearers that the endpoint was told of. */
    uint64_t diverted;          /* Packets that took the short way up, */
    uint64_t answered;          /* and down. */
    uint64_t released;          /* Held packets that went to the App. */
    uint64_t held_down;         /* Answers without a lease, */
    uint64_t sent_down;         /* and those of them that were sent. */
    uint64_t orphaned;
};
extern struct plane_stats plane_stats;

/* µs. */
extern int64_t plane_now;

/* 'seed': of the App's delays.  Starts the agent. */
void plane_init(uint64_t seed, const char *conf);
void plane_run(void);
void plane_destroy(void);

/* What the network sends: for struct world_config. */
void plane_from_enb(const uint8_t *ip, size_t len);
void plane_from_sgw(const uint8_t *ip, size_t len);

#endif /* plane.h */
