/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FDSYNC_H
#define TOF_FDSYNC_H 1

/* fdatasync() without waiting for the disk.
 *
 * Place in the flow: journal.c has its file synced while the main loop goes
 * on.  The kernel does it on a thread of its own, by asynchronous I/O; where
 * it does not know that, it is done at once, and blocks. */

#include <stdbool.h>

struct fdsync;
struct fdsync *fdsync_create(void);
void fdsync_destroy(struct fdsync *);           /* Waits. */

/* Starts it; only one at a time.  The file may be closed meanwhile. */
void fdsync_start(struct fdsync *, int fd);
bool fdsync_is_busy(const struct fdsync *);

/* Returns EINPROGRESS until it is done, then 0 or its error, once. */
int fdsync_poll(struct fdsync *);

/* poll-loop: wakes up when it is done. */
void fdsync_wait(const struct fdsync *);

#endif /* persist/fdsync.h */
