/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_SNAPSHOT_H
#define TOF_API_SNAPSHOT_H 1

/* The session table as a snapshot: statelets, one after the other.
 *
 * Place in the flow: what GET and POST /statelet in routes.c mean. */

struct exchange;

void snapshot_get(struct exchange *);
void snapshot_post(struct exchange *);

#endif /* api/snapshot.h */
