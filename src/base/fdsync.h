/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FDSYNC_H
#define TOF_FDSYNC_H 1

/* fdatasync() without waiting for the disk.
 *
 * Place in the flow: persist/journal.c and usage/state.c have their files
 * synced while the main loop goes on.  The kernel does it on a thread of its
 * own, by asynchronous I/O; where it does not know that, it is done at once,
 * and blocks. */

#include <stdbool.h>

struct fdsync;
struct fdsync *fdsync_create(void);
void fdsync_destroy(struct fdsync *);           /* Waits. */

/* Starts it; only one at a time.  The file may be closed meanwhile. */
void fdsync_start(struct fdsync *, int fd);

/* The same for a whole file 'fd' that is called 'temporary' in the directory
 * 'dir_fd', which then takes the place of 'name' there; and the directory is
 * synced, too.  So whenever the host dies there is the old file or the new
 * one.  All but 'fd' must stay until it is done.  If that fails, the old file
 * is still there, and so may be 'temporary'. */
void fdsync_replace(struct fdsync *, int fd, int dir_fd,
                    const char *temporary, const char *name);

bool fdsync_is_busy(const struct fdsync *);

/* Returns EINPROGRESS until it is done, then 0 or its error, once. */
int fdsync_poll(struct fdsync *);

/* The same, but waits for it; returns 0 if there is nothing to be done. */
int fdsync_finish(struct fdsync *);

/* poll-loop: wakes up when it is done. */
void fdsync_wait(const struct fdsync *);

#endif /* base/fdsync.h */
