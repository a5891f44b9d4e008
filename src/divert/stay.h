/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_STAY_H
#define TOF_STAY_H 1

/* A connection stays where it began.
 *
 * One that began at an App is not switched while its UE's bearer may come
 * back: the service's real host would reset it.  Its packets wait for the
 * bearer; what cannot wait is lost, as it may be in any network, until the TOF
 * gives the bearer up.
 *
 * Place in the flow: divert.c tells which bearers were diverted; forward.c
 * asks before it switches what could have waited. */

#include <stdbool.h>

struct bearer;

void stay_init(void);
void stay_destroy(void);

/* 'b' was diverted until now, and is not any more. */
void stay_diverted(const struct bearer *b);

/* Whether the UE of 'b' may have connections that are diverted, behind the SGW
 * of 'b': one of its bearers is, or was in the last five minutes, whatever has
 * become of it; and 'b' has not been given up. */
bool stay_is_diverted(const struct bearer *b);

#endif /* divert/stay.h */
