/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_DESCRIPTORS_H
#define TOF_DESCRIPTORS_H 1

/* File descriptors: a process may have RLIMIT_NOFILE of them.
 *
 * Place in the flow: tofd.c raises the limit at start; whoever lets others
 * connect asks here first.  So connections of others leave a reserve to the
 * service: files, namespaces, databases, switches. */

#include <stdbool.h>

/* Raises the limit as far as this process may, and as is of use. */
void descriptors_raise_limit(void);

/* Returns true if nobody should be given another one. */
bool descriptors_are_scarce(void);

#endif /* base/descriptors.h */
