/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Counters: see counters.h. */

#include <config.h>

#include "base/counters.h"

#include <inttypes.h>

#include "openvswitch/dynamic-string.h"

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

void
counters_put_json(struct ds *s, const struct counters *c)
{
    ds_put_format(s, "\"packetsUp\":%"PRIu64",\"bytesUp\":%"PRIu64
                  ",\"packetsDown\":%"PRIu64",\"bytesDown\":%"PRIu64,
                  c->packets_up, c->bytes_up, c->packets_down,
                  c->bytes_down);
}
