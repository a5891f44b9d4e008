/* SPDX-License-Identifier: GPL-3.0-or-later */

/* JSON that tofd writes: see jsontext.h. */

#include <config.h>

#include "base/jsontext.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/addr.h"
#include "openvswitch/dynamic-string.h"
#include "util.h"

/* Of a number: enough for milliseconds, and none of binary's rounding. */
#define PRECISION 15

static int
put(const char *text, size_t len, void *s)
{
    ds_put_buffer(s, text, len);
    return 0;
}

void
jsontext_put(struct ds *s, json_t *json)
{
    json_dump_callback(json, put, s,
                       JSON_COMPACT | JSON_REAL_PRECISION(PRECISION));
    json_decref(json);
}

void
jsontext_put_item(struct ds *s, json_t *json)
{
    if (ds_last(s) != '[') {
        ds_put_char(s, ',');
    }
    jsontext_put(s, json);
}

json_t *
jsontext_string(const char *text)
{
    json_t *json = json_string(text);

    if (!json) {
        char *copy = xstrdup(text);

        for (char *p = copy; *p; p++) {
            *p = *p & 0x80 ? '?' : *p;
        }
        json = json_string(copy);
        free(copy);
    }
    return json;
}

json_t *
jsontext_number(uint64_t n)
{
    return json_integer(MIN(n, INT64_MAX));
}

json_t *
jsontext_id(uint32_t id)
{
    return json_sprintf("%08"PRIx32, id);
}

json_t *
jsontext_address(const struct in6_addr *addr)
{
    char text[INET6_ADDRSTRLEN];

    return json_string(addr_format(addr, text));
}

json_t *
jsontext_time(long long int ms)
{
    time_t seconds = ms / 1000;
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    return json_sprintf("%s.%03dZ", text, (int) (ms % 1000));
}
