/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_VIEW_H
#define TOF_API_VIEW_H 1

/* What the API shows of the TOF's state, as JSON.
 *
 * Place in the flow: routes.c, walk.c and exchange.c call these to write an
 * answer.  Each returns a value that the caller owns. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define VIEW_ID_LEN 8           /* Hex digits of an identifier. */

struct json_t;
struct service_spec;
struct session;

struct json_t *view_service(const struct service_spec *);
/* How it is.  NULL if there is none with its service IP. */
struct json_t *view_service_status(const struct service_spec *);
struct json_t *view_session(const struct session *, long long int now);
struct json_t *view_peer(const struct in6_addr *, bool enb,
                         unsigned int bearers);
struct json_t *view_status(void);
struct json_t *view_health(void);

/* An RFC 9457 problem.  'detail' may be any text. */
struct json_t *view_problem(unsigned int status, const char *title,
                            const char *detail);

/* Reads an identifier as view_session() shows it.  False if 's' is not. */
bool view_id_from_string(const char *s, uint32_t *id);

#endif /* api/view.h */
