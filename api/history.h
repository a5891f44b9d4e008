/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_HISTORY_H
#define TOF_API_HISTORY_H 1

/* The last hour, for who looks at plots: packets by what became of them, how
 * long it took to learn tunnels, diverted traffic by service.
 *
 * Place in the flow: rest.c runs it once a round of the loop; every
 * HISTORY_SECONDS it reads the metrics and the services' counters, and keeps
 * what has been added since, in a ring of fixed size.  routes.c shows it as
 * GET /history. */

struct ds;

#define HISTORY_SECONDS 10
#define HISTORY_SAMPLES 360     /* An hour. */
#define HISTORY_SERVICES 12     /* With a row of their own. */

void history_init(void);
void history_destroy(void);
void history_run(void);
void history_wait(void);

/* Appends it as JSON. */
void history_put(struct ds *);

#endif /* api/history.h */
