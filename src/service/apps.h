/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_APPS_H
#define TOF_APPS_H 1

/* Whether Apps are there.
 *
 * An App is unknown until something is known of it; it is up when its host, or
 * the gateway on the way there, answers ARP or neighbour discovery; it is down
 * when that does not, when the adapter that leads there is down, and when no
 * route does.  It is up again when two questions in a row, half a second
 * apart, have been answered.
 *
 *                answers                silent, no link, no route
 *     UNKNOWN --------------> UP <--+        (from any state)
 *                                   | answers twice  |
 *                                   +--- DOWN <------+
 *
 * With a health check (check.h) it is not the host's answers that make it up,
 * but tries that succeed; and it is down, too, when too many in a row have
 * failed.  Services with one App and different checks have an App each, for all
 * that is here.
 *
 * Place in the flow: service.c watches the App of each service; api/view.c and
 * explain.c show what has been found.  The kernel asks (nat/routes.c), and is
 * looked at here. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

struct service_check;

enum app_state { APP_UNKNOWN, APP_UP, APP_DOWN };
#define APP_N_STATES (APP_DOWN + 1)

/* What is known of an App. */
struct app_view {
    enum app_state state;
    long long int since;        /* Wall clock, ms. */
    char why[96];               /* Of one that is down: a sentence's end. */
};

void apps_init(void);
void apps_destroy(void);

/* An App that is asked, and checked so, from now on until app_unwatch() has
 * been called as often as this. */
struct app *app_watch(const struct in6_addr *ip,
                      const struct service_check *);
void app_unwatch(struct app *);

/* What is known of it; good until the next call of apps_run(). */
const struct app_view *app_view(const struct app *);
const char *app_state_name(enum app_state);

/* Looks at Apps whose turn it is, and at all of them if 'changed', as routes or
 * links may be others; until the time 'until', then later ones in the next
 * turn.  Returns true if one has another state now. */
bool apps_run(bool changed, long long int until);
void apps_wait(void);

/* Somebody waits: those that are unknown are looked at in a few ms. */
void apps_hurry(void);

/* Calls 'cb' for each App. */
void apps_for_each(void (*cb)(const struct in6_addr *ip,
                              const struct app_view *, void *aux), void *aux);
size_t apps_count(enum app_state);

#endif /* service/apps.h */
