/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a client wants: see accept.h. */

#include "api/accept.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define SPACES " \t"

/* How well the range of 'len' bytes fits 'type': 0 not at all, 3 exactly. */
static int
fit(const char *range, size_t len, const char *type)
{
    const size_t main_len = strcspn(type, "/") + 1;

    if (len == strlen(type) && !strncasecmp(range, type, len)) {
        return 3;
    } else if (len == main_len + 1 && range[main_len] == '*'
               && !strncasecmp(range, type, main_len)) {
        return 2;
    }
    return len == 3 && !strncmp(range, "*/*", 3);
}

/* Whether the parameters that begin at 'p' and end at 'end' have a weight of
 * zero. */
static bool
is_refused(const char *p, const char *end)
{
    while ((p = memchr(p, ';', end - p))) {
        p += 1 + strspn(p + 1, SPACES);
        if (end - p >= 3 && !strncasecmp(p, "q=0", 3)) {
            p += 3 + strspn(p + 3, ".0");
            return p >= end || strchr(SPACES ";", *p);
        }
    }
    return false;
}

bool
accept_allows(const char *accept, const char *type)
{
    bool allowed = true, any = false;
    int best = 0;

    while (accept && *accept) {
        accept += strspn(accept, SPACES ",");

        const size_t len = strcspn(accept, SPACES ",;");
        const char *end = accept + strcspn(accept, ",");
        const int found = fit(accept, len, type);

        any |= len > 0;
        if (found > best) {
            best = found;
            allowed = !is_refused(accept + len, end);
        }
        accept = end;
    }
    return !any || (best && allowed);
}

bool
accept_has_etag(const char *list, const char *etag, bool weak)
{
    const size_t len = strlen(etag);

    while (list && *list) {
        list += strspn(list, SPACES ",");
        if (*list == '*') {
            return true;
        }
        if (weak && !strncmp(list, "W/", 2)) {
            list += 2;
        }
        if (!strncmp(list, etag, len)
            && strchr(SPACES ",", list[len])) {
            return true;        /* The end of the text is among those. */
        }
        list += strcspn(list, ",");
    }
    return false;
}
