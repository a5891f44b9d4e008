/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_NETNS_H
#define TOF_NETNS_H 1

/* Network namespaces, and what is done and written in them.  All functions
 * return 0 or a positive errno value. */

#include <stdbool.h>

/* A network namespace with a name in /run/netns, as `ip netns` makes them.
 * netns_ensure() makes it (loopback up) if it is missing, opens it, and says
 * by '*made' (may be NULL) whether it made it.  netns_open(NULL) opens the
 * caller's own. */
int netns_ensure(const char *name, int *fd, bool *made);
int netns_open(const char *name, int *fd);
int netns_delete(const char *name);

/* Calls 'cb' inside the namespace 'fd' (-1: where it is) and comes back;
 * returns what 'cb' returned (0 or a positive errno value).  For sockets and
 * sysctls. */
int netns_call(int fd, int (*cb)(void *aux), void *aux);

/* Writes 'value' to /proc/sys/PATH (printf style path) as seen inside the
 * namespace 'netns_fd' (which needs only that namespace, no mount). */
int sysctl_write(int netns_fd, const char *value, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/* Returns the number that is there, as the caller sees it, or -1 if there is
 * none: this kernel may not have such a key. */
long sysctl_read(const char *path, ...)
    __attribute__((format(printf, 1, 2)));

#endif /* kernel/netns.h */
