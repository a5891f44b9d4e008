/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Usage records as text: one JSON object a line, described in tofd(8).
 *
 * Place in the flow: usage.c has one made of an account's sums; log.c writes
 * it.  Pure.  The sequence number comes first: log.c looks for it there. */

#include <config.h>

#include "usage/private.h"

#include "base/addr.h"
#include "base/jsontext.h"

static json_t *
bearers_of(const struct usage_account *a)
{
    json_t *bearers = json_array();
    const struct usage_bearer *b;

    LIST_FOR_EACH (b, account_node, &a->bearers) {
        json_array_append_new(bearers, json_pack(
            "{so s{so sI}}", "id", jsontext_id(b->id), "uplink",
            "sgw", jsontext_address(&b->up.addr),
            "teid", (json_int_t) b->up.teid));
    }
    return bearers;
}

/* Adds to '*sum'. */
static json_t *
services_of(const struct usage_account *a, struct counters *sum)
{
    json_t *services = json_array();
    const struct usage_service *service;

    LIST_FOR_EACH (service, node, &a->services) {
        json_array_append_new(services, counters_of_service_to_json(
            service->name, &service->ip, &service->counters));
        counters_add(sum, &service->counters);
    }
    return services;
}

void
usage_record(struct ds *s, const struct usage_account *a, uint64_t seq,
             long long int now, const char *reason)
{
    struct counters sum = { .packets_up = 0 };
    json_t *services = services_of(a, &sum);
    char ue[ADDR_UE_STRLEN];

    jsontext_put(s, json_pack(
        "{so so ss ss? so ss so so so so}",
        "seq", jsontext_number(seq), "time", jsontext_time(now),
        "event", reason ? "end" : "interim", "reason", reason,
        "session", jsontext_id(a->session), "ue", addr_format_ue(&a->ue, ue),
        "bearers", bearers_of(a), "since", jsontext_time(a->since),
        "services", services, "totals", counters_to_json(&sum)));
}
