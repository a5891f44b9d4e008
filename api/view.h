/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_VIEW_H
#define TOF_API_VIEW_H 1

/* What the API shows of the TOF's state, as JSON.
 *
 * Place in the flow: routes.c, walk.c and exchange.c call these to write an
 * answer.  Each appends one JSON value to a dynamic string. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define VIEW_ID_LEN 8           /* Hex digits of an identifier. */

struct ds;
struct service_spec;
struct session;

void view_service(struct ds *, const struct service_spec *);
void view_services(struct ds *);
void view_session(struct ds *, const struct session *, long long int now);
void view_peer(struct ds *, const struct in6_addr *, bool enb,
               unsigned int bearers);
void view_status(struct ds *);

/* An RFC 9457 problem.  'detail' may be any text. */
void view_problem(struct ds *, unsigned int status, const char *title,
                  const char *detail);

/* Reads an identifier as view_session() shows it.  False if 's' is not. */
bool view_id_from_string(const char *s, uint32_t *id);

#endif /* api/view.h */
