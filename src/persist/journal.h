/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_JOURNAL_H
#define TOF_JOURNAL_H 1

/* The journal: a file of statelets.
 *
 * Place in the flow: persist.c appends to it, and replays it at start. */

#include <stddef.h>

struct statelet;
struct journal;

/* Opens 'DIR/sessions.journal' (made if missing, mode 0600), calls 'replay'
 * for every good record in order, and stands ready to append.  A record that
 * is torn or corrupt is left out, and cut off if no good one follows; '*n_bad'
 * (may be NULL) gets their number.  Returns 0, or EBUSY if another process has
 * a journal in DIR open.
 *
 * Where DIR or the file cannot be opened, or only be read, there is a journal
 * all the same: what can be read is replayed, journal_run() says what is wrong
 * and tries again once a second, and all that comes meanwhile counts as
 * dropped. */
int journal_open(const char *dir, void (*replay)(const struct statelet *,
                                                 void *aux), void *aux,
                 struct journal **, unsigned int *n_bad);

/* Appends to a buffer; journal_run() writes it out (one write a call) and, at
 * most once a second, has the file synced in the background.  A write error is
 * kept, retried once a second, and returned by journal_run() as a positive
 * errno value; records stay buffered until a later write succeeds.  The buffer
 * is bounded: once records had to be dropped, journal_run() returns ENOBUFS
 * (or what is wrong besides), until the owner has compacted the journal. */
void journal_append(struct journal *, const struct statelet *);
int journal_run(struct journal *);
void journal_wait(struct journal *);    /* poll-loop: wake up to sync. */

/* Number of records in the file; when it is well above what is alive, the
 * owner compacts: begins, adds each record that is alive, over as many rounds
 * as it likes, and ends.  Meanwhile it goes on to append what changes.  When
 * all is written (to a temporary file) and synced, that takes the old one's
 * place.  journal_compaction() says how it is: EINPROGRESS, 0, or why the last
 * one has failed, as it may at any time; the old file stays in use then. */
size_t journal_count(const struct journal *);
int journal_compact_begin(struct journal *);
void journal_compact_add(struct journal *, const struct statelet *);
void journal_compact_end(struct journal *);
int journal_compaction(const struct journal *);

/* Writes out and syncs what is buffered, once; NULL is allowed. */
void journal_close(struct journal *);

#endif /* persist/journal.h */
