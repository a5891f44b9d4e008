/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_TRACING_H
#define TOF_API_TRACING_H 1

/* The paths of a trace: POST /trace starts it, GET /trace fetches what it has
 * seen since, DELETE /trace ends it.
 *
 * Place in the flow: routes.c calls these; trace/trace.c has the packets. */

struct exchange;

void tracing_start(struct exchange *);
void tracing_read(struct exchange *);
void tracing_end(struct exchange *);

#endif /* api/tracing.h */
