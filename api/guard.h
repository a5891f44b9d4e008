/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_GUARD_H
#define TOF_API_GUARD_H 1

/* Whether a request comes from where a client of this API would be, or from a
 * page of another site that somebody's browser has loaded.
 *
 * A browser lets any page send requests to any address, and says so with the
 * headers Origin and Sec-Fetch-Site; a name that its owner has pointed at this
 * host (DNS rebinding) shows in the header Host.  Clients that are no browsers
 * send neither of the first two, and the name by which they were told to call.
 *
 * Place in the flow: rest.c asks before a request's path is looked at. */

#include <stdbool.h>
#include <stddef.h>

/* The headers of a request; NULL if it has none. */
struct guard_request {
    const char *host;
    const char *origin;
    const char *fetch_site;
};

/* Returns NULL if the request may be answered, otherwise the name of the
 * header that speaks against it.  A Host may be an IP address, "localhost", or
 * one of the 'n' names in 'names'; any, if 'any_host'.  Pure. */
const char *guard_refuses(const struct guard_request *,
                          char *const names[], size_t n, bool any_host);

#endif /* api/guard.h */
