/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_REINJECT_H
#define TOF_REINJECT_H 1

/* Puts frames back on the wire: what was held and is not ours after all goes
 * on unchanged, out of the adapter that it would have left by. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/filter.h"

struct conf;

/* Returns 0 or a positive errno value with '*what' (malloc'd). */
int reinject_init(const struct conf *, char **what);
void reinject_close(void);

/* With a single adapter no Ethernet header is needed. */
bool reinject_is_routed(void);

/* Sends the IP packet of 'len' bytes at 'ip', which came in on side 'from' or
 * is as if it had, out of the other side's adapter: behind 'l2', in fragments
 * if it is larger than the adapter's MTU.  With a single adapter the kernel
 * finds the way, and 'l2' is not used.  Returns 0 or a positive errno
 * value. */
int reinject_send(enum filter_side from, const struct l2_header *l2,
                  const void *ip, size_t len);

#endif /* filter/reinject.h */
