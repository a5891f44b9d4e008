/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_LOCK_H
#define TOF_LOCK_H 1

/* One tofd for each 'run_dir': that is where its Open vSwitch is, and two that
 * program the same one undo each other's work, whatever network namespaces
 * they are in.
 *
 * Place in the flow: tofd.c takes the lock before anything else is touched.
 * The kernel lets go of it when the process ends, by kill -9 as well. */

/* Takes the lock in 'dir' for as long as this process lives.  Waits for up to
 * 'wait_ms' for one that is still ending.  Returns 0, or a positive errno value
 * with '*what' (malloc'd), which for EBUSY names the process that has it. */
int lock_take(const char *dir, int wait_ms, char **what);

#endif /* base/lock.h */
