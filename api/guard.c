/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Requests from other sites: see guard.h. */

#include "api/guard.h"

#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"

#define NAME_MAX_LENGTH 255     /* RFC 1035 2.3.4. */

/* Puts the host of "HOST[:PORT]" into 'name', without the brackets of an IPv6
 * address (RFC 3986 3.2.2).  Returns false if it is not one. */
static bool
host_of(const char *authority, char name[NAME_MAX_LENGTH + 1])
{
    const bool bracket = authority[0] == '[';
    const char *start = authority + bracket;
    const size_t len = strcspn(start, bracket ? "]" : ":");
    const char *rest = start + len;

    if (!len || len > NAME_MAX_LENGTH || (bracket && *rest++ != ']')) {
        return false;
    }
    if (*rest && (*rest != ':'
                  || strspn(rest + 1, "0123456789") != strlen(rest + 1))) {
        return false;
    }
    memcpy(name, start, len);
    name[len] = '\0';
    return true;
}

static bool
is_ours(const char *authority, char *const names[], size_t n)
{
    char name[NAME_MAX_LENGTH + 1];
    struct in6_addr ip;

    if (!host_of(authority, name)) {
        return false;
    }
    if (addr_parse(name, &ip) || !strcasecmp(name, "localhost")) {
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        if (!strcasecmp(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* An origin is "SCHEME://AUTHORITY", or "null" (RFC 6454 6.2). */
static bool
is_same_site(const char *origin, const char *host)
{
    const char *authority = strstr(origin, "://");

    return authority && host && !strcasecmp(authority + 3, host);
}

const char *
guard_refuses(const struct guard_request *r, char *const names[], size_t n,
              bool any_host)
{
    if (r->host && !any_host && !is_ours(r->host, names, n)) {
        return "Host";
    } else if (r->origin && !is_same_site(r->origin, r->host)) {
        return "Origin";
    } else if (r->fetch_site && strcasecmp(r->fetch_site, "same-origin")
               && strcasecmp(r->fetch_site, "none")) {
        return "Sec-Fetch-Site";
    }
    return NULL;
}
