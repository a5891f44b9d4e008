/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_WIRE_H
#define TOF_WIRE_H 1

/* Puts frames back on the wire: what was held and is not ours after all goes
 * on unchanged, out of the adapter that it would have left by. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/filter.h"

enum wire_port {
    WIRE_ENB,                   /* Out of the adapter towards the eNodeBs. */
    WIRE_SGW,                   /* ... the SGWs. */
    N_WIRE_PORTS
};

struct conf;

/* Returns 0 or a positive errno value with '*what' (malloc'd). */
int wire_init(const struct conf *, char **what);
void wire_close(void);

/* With a single adapter no Ethernet header is needed. */
bool wire_is_routed(void);

/* Sends the IP packet of 'len' bytes at 'ip' behind 'l2', in fragments if it
 * is larger than the adapter's MTU.  With a single adapter the kernel finds
 * the way, and 'l2' is not used.  Returns 0 or a positive errno value. */
int wire_send(enum wire_port, const struct l2_header *l2, const void *ip,
              size_t len);

#endif /* filter/wire.h */
