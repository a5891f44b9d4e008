/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Accounting: see account.h. */

#include <config.h>

#include "account.h"

#include "metrics.h"
#include "prove.h"
#include "service.h"
#include "session.h"
#include "timeval.h"
#include "util.h"

static long long int evidence_ms;

void
account_init(long long int evidence_ms_)
{
    evidence_ms = evidence_ms_;
}

void
account_bearer(uint32_t id, enum endpoint_direction direction,
               uint64_t packets, uint64_t bytes)
{
    struct bearer *b = session_bearer_by_id(id);
    long long int now = time_msec();

    if (!b) {
        return;
    }
    struct bearer_counters *c = &b->counters, *last = &b->last_counters;
    bool carried;
    if (direction == ENDPOINT_UP) {
        count_advance(&c->bytes_up, &last->bytes_up, bytes);
        carried = count_advance(&c->packets_up, &last->packets_up, packets);
        if (carried) {
            session_heard(b, now);
        }
    } else {
        count_advance(&c->bytes_down, &last->bytes_down, bytes);
        carried = count_advance(&c->packets_down, &last->packets_down,
                                packets);
        if (carried) {
            session_touch(b, now);
        }
    }
    if (carried && b->ready
        && now - MAX(b->proved, b->created) > evidence_ms / 2) {
        prove_ask(b, false);
    }
}

void
account_alive(uint32_t id, bool onward)
{
    struct bearer *b = session_bearer_by_id(id);

    if (b) {
        session_heard(b, time_msec());
        if (onward) {
            b->onward = b->heard;
        }
    }
}

void
account_service(const struct in6_addr *service_ip,
                enum endpoint_direction direction, uint64_t packets,
                uint64_t bytes)
{
    service_count(service_ip, direction == ENDPOINT_DOWN, packets, bytes);
}
