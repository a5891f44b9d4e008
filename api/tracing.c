/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The paths of a trace: see tracing.h. */

#include <config.h>

#include "api/tracing.h"

#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "api/exchange.h"
#include "base/addr.h"
#include "base/jsontext.h"
#include "base/log.h"
#include "trace/trace.h"
#include "util.h"

#define PACKETS_MAX 200         /* In an answer. */
#define SECONDS_DEFAULT 10

/* Reads the number 'name' of the query, which is 'value' if it is not there.
 * Returns false if it is none, or longer than 18 digits. */
static bool
read_number(const struct exchange *x, const char *name, uint64_t *value)
{
    char *text;
    bool ok = !exchange_query(x, name, &text);

    if (ok && text) {
        const size_t len = strlen(text);

        ok = len <= 18 && strspn(text, "0123456789") == len;
        *value = strtoull(text, NULL, 10);
    }
    free(text);
    return ok;
}

static bool
read_ue(const struct exchange *x, struct in6_addr *ue)
{
    char *text;
    const bool ok = (!exchange_query(x, "ue", &text) && text
                     && addr_parse_ue(text, ue));

    free(text);
    return ok;
}

static void
refuse(struct exchange *x, int error)
{
    if (error == EPERM) {
        exchange_problem(x, MHD_HTTP_FORBIDDEN, "The configuration allows no "
                         "trace: trace.allow is false.");
    } else if (error == EBUSY) {
        exchange_problem(x, MHD_HTTP_CONFLICT, "There is a trace already, and "
                         "only one at a time.");
    } else if (error == ENOTUNIQ) {
        exchange_problem(x, MHD_HTTP_CONFLICT, "Several UEs have this "
                         "address: their packets cannot be told apart.");
    } else {
        exchange_problem(x, MHD_HTTP_SERVICE_UNAVAILABLE,
                         "The data path cannot trace: %s.",
                         ovs_strerror(error));
    }
}

static void
answer(struct exchange *x, json_t *json)
{
    jsontext_put(&x->answer, json);
    ds_put_char(&x->answer, '\n');
    exchange_ok(x, EXCHANGE_JSON);
}

void
tracing_start(struct exchange *x)
{
    uint64_t seconds = SECONDS_DEFAULT;
    char shown[ADDR_UE_STRLEN];
    struct in6_addr ue;
    int error;

    if (!read_ue(x, &ue) || !read_number(x, "seconds", &seconds)
        || seconds < 1 || seconds > TRACE_SECONDS_MAX) {
        exchange_problem(x, MHD_HTTP_BAD_REQUEST, "The query must be ue=, an "
                         "IP address or an IPv6 prefix of length 64, and may "
                         "have seconds=, from 1 to %d.", TRACE_SECONDS_MAX);
        return;
    }
    x->change = xasprintf(" (%s, for %d s)", log_ue(&ue), (int) seconds);
    error = trace_start(&ue, seconds);
    if (error) {
        refuse(x, error);
    } else {
        answer(x, json_pack("{ss sI}", "ue", addr_format_ue(&ue, shown),
                            "seconds", (json_int_t) seconds));
    }
}

static json_t *
hex(const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *text = xmalloc(2 * n + 1);
    json_t *json;

    for (size_t i = 0; i < n; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    json = json_stringn(text, 2 * n);
    free(text);
    return json;
}

static json_t *
view(const struct trace_record *r)
{
    json_t *json = json_pack(
        "{so so ss ss ss so so si so}", "number", jsontext_number(r->number),
        "timeNs", jsontext_number(r->time), "direction",
        r->direction == ENDPOINT_UP ? "up" : "down", "where", r->where,
        "reason", r->reason, "source", jsontext_address(&r->src),
        "destination", jsontext_address(&r->dst), "protocol", r->proto,
        "length", jsontext_number(r->packet_length));

    if (r->frame) {
        json_object_set_new(json, "frame", hex(r->frame, r->frame_captured));
        json_object_set_new(json, "frameLength",
                            jsontext_number(r->frame_length));
    }
    if (r->packet) {
        json_object_set_new(json, "packet",
                            hex(r->packet, r->packet_captured));
    }
    return json;
}

void
tracing_read(struct exchange *x)
{
    const struct in6_addr *ue = trace_ue();
    const struct trace_record *r;
    char shown[ADDR_UE_STRLEN];
    uint64_t after = 0;
    json_t *packets;

    if (!ue) {
        exchange_problem(x, MHD_HTTP_NOT_FOUND, "There is no trace.");
    } else if (!read_number(x, "after", &after)) {
        exchange_problem(x, MHD_HTTP_BAD_REQUEST,
                         "The query's after must be the number of a packet.");
    } else {
        packets = json_array();
        r = trace_after(after);
        while (r && json_array_size(packets) < PACKETS_MAX) {
            json_array_append_new(packets, view(r));
            r = trace_next(r);
        }
        answer(x, json_pack("{ss sb so so}", "ue", addr_format_ue(ue, shown),
                            "more", r || trace_is_running(),
                            "lost", jsontext_number(trace_lost()),
                            "packets", packets));
    }
}

void
tracing_end(struct exchange *x)
{
    if (trace_ue()) {
        trace_end();
        exchange_ok(x, NULL);
    } else {
        exchange_problem(x, MHD_HTTP_NOT_FOUND, "There is no trace.");
    }
}
