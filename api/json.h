/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_JSON_H
#define TOF_API_JSON_H 1

/* A client's JSON text to a service, or to a level of the log.
 *
 * Place in the flow: api/routes.c gives a request's whole body.  Pure: no I/O,
 * no state; needs only service_spec.c and libjansson. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

struct service_spec;

#define JSON_PROBLEM_MAX 128

/* Reads a service from the 'len' bytes at 'text', which may be anything.
 * Returns true and fills in '*spec', which is then valid by
 * service_spec_is_valid(); or returns false and writes to 'problem' a sentence
 * that names the member at fault, in ASCII. */
bool json_to_service(const char *text, size_t len, struct service_spec *spec,
                     char problem[JSON_PROBLEM_MAX]);

/* The same for {"level": TEXT}.  Returns TEXT, to be freed, or NULL. */
char *json_to_level(const char *text, size_t len,
                    char problem[JSON_PROBLEM_MAX]);

#endif /* api/json.h */
