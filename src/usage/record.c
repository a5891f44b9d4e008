/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Usage records as text: one JSON object a line, described in tofd(8).
 *
 * Place in the flow: usage.c has one made of an account's sums; log.c writes
 * it.  Pure.  The sequence number comes first: log.c looks for it there. */

#include <config.h>

#include "usage/private.h"

#include <inttypes.h>
#include <time.h>

#include "base/addr.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "util.h"

/* RFC 3339, UTC, milliseconds. */
static void
put_time(struct ds *s, const char *key, long long int ms)
{
    time_t seconds = ms / 1000;
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    ds_put_format(s, ",\"%s\":\"%s.%03dZ\"", key, text, (int) (ms % 1000));
}

static void
put_bearers(struct ds *s, const struct usage_account *a)
{
    const struct usage_bearer *b;

    ds_put_cstr(s, ",\"bearers\":[");
    LIST_FOR_EACH (b, account_node, &a->bearers) {
        char sgw[INET6_ADDRSTRLEN];

        ds_put_format(s, "{\"id\":\"%08"PRIx32"\",\"uplink\":{\"sgw\":"
                      "\"%s\",\"teid\":%"PRIu32"}},", b->id,
                      addr_format(&b->up.addr, sgw), b->up.teid);
    }
    ds_chomp(s, ',');
    ds_put_char(s, ']');
}

static void
put_services(struct ds *s, const struct usage_account *a)
{
    struct counters sum = { .packets_up = 0 };
    const struct usage_service *service;

    ds_put_cstr(s, ",\"services\":[");
    LIST_FOR_EACH (service, node, &a->services) {
        char ip[INET6_ADDRSTRLEN];

        ds_put_cstr(s, "{\"name\":");
        json_string_escape(service->name, s);
        ds_put_format(s, ",\"serviceIP\":\"%s\",",
                      addr_format(&service->ip, ip));
        counters_put_json(s, &service->counters);
        ds_put_cstr(s, "},");
        counters_add(&sum, &service->counters);
    }
    ds_chomp(s, ',');
    ds_put_cstr(s, "],\"totals\":{");
    counters_put_json(s, &sum);
    ds_put_char(s, '}');
}

void
usage_record(struct ds *s, const struct usage_account *a, uint64_t seq,
             long long int now, const char *reason)
{
    char ue[ADDR_UE_STRLEN];

    ds_put_format(s, "{\"seq\":%"PRIu64, seq);
    put_time(s, "time", now);
    if (reason) {
        ds_put_format(s, ",\"event\":\"end\",\"reason\":\"%s\"", reason);
    } else {
        ds_put_cstr(s, ",\"event\":\"interim\",\"reason\":null");
    }
    ds_put_format(s, ",\"session\":\"%08"PRIx32"\",\"ue\":\"%s\"",
                  a->session, addr_format_ue(&a->ue, ue));
    put_bearers(s, a);
    put_time(s, "since", a->since);
    put_services(s, a);
    ds_put_char(s, '}');
}
