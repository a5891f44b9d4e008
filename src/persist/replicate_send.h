/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_REPLICATE_SEND_H
#define TOF_REPLICATE_SEND_H 1

/* Tells other TOFs, which follow this one, what it knows first-hand.
 *
 * Place in the flow: agent.c tells of each bearer's events and of paths, as it
 * tells persist.c; replicate_receive.c of another TOF reads.  A stream of
 * statelets over TCP, or TLS: first all paths and bearers, then what changes,
 * and every quarter of the evidence time those bearers again whose UE was
 * active meanwhile, with its evidence.  Nobody waits for a follower: one that
 * does not read, or does not say every second that it is alive, is cut off,
 * and gets everything anew when it comes back.
 *
 * Time is the follower's own: what it says has the time of its clock, any that
 * does not jump, and what is said to it has what that clock showed at least.
 * So it knows how long a record has been under way at most. */

#include "filter/l2.h"
#include "session/statelet.h"

struct bearer;
struct conf;

void replicate_send_init(const struct conf *);
void replicate_send_destroy(void);

void replicate_send_bearer(const struct bearer *, enum statelet_op);
l2_changed_cb replicate_send_path;

void replicate_send_run(void);
void replicate_send_wait(void);

#endif /* persist/replicate_send.h */
