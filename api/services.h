/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_SERVICES_H
#define TOF_API_SERVICES_H 1

/* Answers that have all services in them, a slice at a time: ten thousand of
 * them delay no packet.
 *
 * Place in the flow: routes.c starts one for GET /service and for the last part
 * of GET /metrics; rest.c goes on with it, by the exchange's 'step'. */

#include <stdbool.h>

struct exchange;

/* The services whose names are behind 'after' (NULL: all), in order; at most
 * 'limit' of them, with the headers that lead to the next page.  'status': each
 * with how it is. */
void services_list(struct exchange *, const char *after, unsigned int limit,
                   bool status);

/* Appends their metrics to what is in the answer already. */
void services_metrics(struct exchange *);

#endif /* api/services.h */
