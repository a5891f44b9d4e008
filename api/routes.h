/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_ROUTES_H
#define TOF_API_ROUTES_H 1

/* What each path of the REST API means.
 *
 * Place in the flow: rest.c calls these two for each request; they call
 * service_*() and session_*() and answer by exchange_*(). */

#include <stdbool.h>
#include <stddef.h>

struct exchange;

/* The request's line and headers are there: finds its route, and answers at
 * once if there is none or if the headers rule it out.  The body is yet to
 * come. */
void routes_begin(struct exchange *);

/* The whole of a request that has no answer yet is there. */
void routes_handle(struct exchange *);

/* Must the client show its token?  After routes_begin(). */
bool routes_need_token(const struct exchange *);

/* swagger/tof.yaml as JSON: generated, see scripts/openapi-to-c. */
extern const char swagger_json[];
extern const size_t swagger_json_len;

#endif /* api/routes.h */
