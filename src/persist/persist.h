/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_PERSIST_H
#define TOF_PERSIST_H 1

/* Keeps the session table, and the Ethernet headers that answers need, in the
 * journal, and puts them back at start.
 *
 * Place in the flow: agent.c tells of each bearer's events, and of each new
 * header; journal.c writes them down. */

#include <stdbool.h>

#include "filter/filter.h"
#include "session/statelet.h"

struct bearer;

/* Opens the journal in 'dir' and restores what it holds.  Returns 0, though
 * the directory may be read-only or missing, which status tells; or EBUSY with
 * '*what' (malloc'd) if it is another process's. */
int persist_open(const char *dir, char **what);
void persist_close(void);

/* True while the journal is being replayed: events are not news then. */
bool persist_is_replaying(void);

void persist_bearer(const struct bearer *, enum statelet_op);
void persist_path(enum filter_side, const struct in6_addr *src,
                  const struct in6_addr *dst, const struct l2_header *);

/* Writes, and makes the journal smaller when much of it is history. */
void persist_run(void);
void persist_wait(void);

#endif /* persist/persist.h */
