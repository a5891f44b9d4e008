/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_IMPORT_H
#define TOF_IMPORT_H 1

/* Bearers from a snapshot of the session table, this TOF's own of an earlier
 * time or another one's.
 *
 * Place in the flow: api/snapshot.c brings the records of POST /statelet;
 * those that say something new go into the session table, as if replicated. */

#include <stdbool.h>

struct conf;
struct statelet;

void import_init(const struct conf *);

/* What is wrong with 'st' as a record of a snapshot ("is not of a bearer");
 * NULL if nothing is. */
const char *import_problem(const struct statelet *);

/* Takes over a record with which nothing is wrong.  Its bearer is known then,
 * but not proved, whatever the record says: nothing is sent down to its UE
 * before that.  Returns false if it is not taken: its uplink tunnel is known
 * already, its downlink tunnel has been seen to be another UE's, it is between
 * strangers, or the table is full. */
bool import_bearer(const struct statelet *);

#endif /* persist/import.h */
