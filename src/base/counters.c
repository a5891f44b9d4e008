/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Counters: see counters.h. */

#include <config.h>

#include "base/counters.h"

#include "base/jsontext.h"

static uint64_t
advance(uint64_t *sum, uint64_t *last, uint64_t now)
{
    uint64_t more = now >= *last ? now - *last : now;

    *sum += more;
    *last = now;
    return more;
}

bool
counters_advance(struct counters *sum, struct counters *last, bool down,
                 uint64_t packets, uint64_t bytes)
{
    if (down) {
        advance(&sum->bytes_down, &last->bytes_down, bytes);
        return advance(&sum->packets_down, &last->packets_down, packets);
    } else {
        advance(&sum->bytes_up, &last->bytes_up, bytes);
        return advance(&sum->packets_up, &last->packets_up, packets);
    }
}

void
counters_add(struct counters *sum, const struct counters *c)
{
    sum->packets_up += c->packets_up;
    sum->bytes_up += c->bytes_up;
    sum->packets_down += c->packets_down;
    sum->bytes_down += c->bytes_down;
}

json_t *
counters_to_json(const struct counters *c)
{
    return json_pack("{so so so so}",
                     "packetsUp", jsontext_number(c->packets_up),
                     "bytesUp", jsontext_number(c->bytes_up),
                     "packetsDown", jsontext_number(c->packets_down),
                     "bytesDown", jsontext_number(c->bytes_down));
}

json_t *
counters_of_service_to_json(const char *name, const struct in6_addr *ip,
                            const struct counters *c)
{
    json_t *json = json_pack("{so so}", "name", jsontext_string(name),
                             "serviceIP", jsontext_address(ip));

    json_object_update_new(json, counters_to_json(c));
    return json;
}
