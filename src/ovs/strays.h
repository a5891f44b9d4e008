/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_STRAYS_H
#define TOF_STRAYS_H 1

/* Bearers that the switch has flows for, though nobody wants them.
 *
 * Place in the flow: the statistics of flows, which are asked for anyway, show
 * them to endpoint.c, which notes them here; explain asks. */

#include <stdbool.h>
#include <stdint.h>

/* What was asked for at 'polled', in ms of time_msec(), shows a flow of bearer
 * 'id', which nobody has asked for. */
void strays_note(uint32_t id, long long int polled);

/* Has that been so lately, and more than once?  Statistics may have been under
 * way when a bearer was given up. */
bool strays_has(uint32_t id);

#endif /* ovs/strays.h */
