/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_NAMESAKE_H
#define TOF_NAMESAKE_H 1

/* Namesakes: is a new bearer another one of a UE that is known, or that of
 * another UE with the same address behind the same SGW?
 *
 * Place in the flow: detect.c has a reply to the Pinger for a bearer that has
 * not placed (see session.h).  If no bearer with that address has lately been
 * answered by the same downlink tunnel, one of each session that has the
 * address is pinged, at the same target, and the reply waits for theirs. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "session/session.h"

/* What a reply to the Pinger shows: the downlink tunnel, who sent into it,
 * and outer headers.  It came after 'since'. */
struct answer {
    struct in6_addr sgw;
    struct fteid down;
    uint8_t qfi, dscp;
    long long int since;
};

/* The answer counts now. */
typedef void namesake_cb(struct bearer *, const struct answer *);

/* 'interval_ms': of the Pinger. */
void namesake_init(long long int interval_ms, namesake_cb *);
void namesake_destroy(void);

/* Returns true if the answer to 'b' waits: then it is given to the callback
 * later, unless it does not count any more.  False: it counts. */
bool namesake_waits(const struct bearer *b, const struct answer *);

/* That downlink tunnel has ended: answers by it do not count. */
void namesake_down_ended(const struct fteid *down);

void namesake_run(void);
void namesake_wait(void);

#endif /* learn/namesake.h */
