/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Diversion of bearers: see divert.h. */

#include <config.h>

#include "divert/divert.h"

#include "divert/hold.h"
#include "divert/forward.h"
#include "gtp/endpoint.h"
#include "learn/prove.h"
#include "session/session.h"
#include "usage/usage.h"

#define READY_RETRY_MS 100

static const struct endpoint_class *endpoint;
static long long int evidence_ms;

void
divert_init(const struct endpoint_class *endpoint_, long long int evidence_ms_)
{
    endpoint = endpoint_;
    evidence_ms = evidence_ms_;
}

/* Diverts 'b', whose proof is fresh; goes on in answer_ready(). */
static void
divert(struct bearer *b, long long int now)
{
    struct endpoint_bearer eb = bearer_describe(b);

    b->diverted = true;
    if (b->ready) {
        b->ready = false;
        bearer_use(b)->unready = now;
    }
    bearer_use(b)->asked = now;
    usage_bearer(b);
    endpoint->bearer_set(&eb, false);
}

void
divert_service_packet(struct bearer *b, const void *ip, size_t len,
                      long long int now)
{
    b->diverted = true;
    if (b->ready && prove_is_fresh(b, now)) {
        /* Overtaken on its way here by the bearer getting ready. */
        forward_send(b->id, HOLD_UP, ip, len);
        if (now - bearer_use_get(b)->asked > READY_RETRY_MS) {
            divert(b, now);
        }
    } else if (!prove_is_fresh(b, now) && !prove_is_possible(b)) {
        forward_switch(SIDE_ENB, ip, len);
        b->forwarded = now;
    } else {
        hold_add(b->id, HOLD_UP, ip, len, now, forward_give_up);
        if (!prove_is_fresh(b, now)) {
            prove_ask(b, true);
        } else if (hold_count(b->id) == 1) {
            divert(b, now);
        }
    }
}

void
divert_proved(struct bearer *b, long long int now)
{
    if (b->diverted) {
        divert(b, now);
    }
}

bool
divert_in_advance(struct bearer *b, long long int now)
{
    struct endpoint_bearer eb = bearer_describe(b);

    if (!prove_is_fresh(b, now) || now - b->heard >= evidence_ms) {
        return false;
    }
    eb.silent_ms = now - b->heard;
    b->diverted = true;
    usage_bearer(b);
    endpoint->bearer_set(&eb, false);
    return true;
}
