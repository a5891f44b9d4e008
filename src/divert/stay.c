/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Connections stay where they began: see stay.h. */

#include <config.h>

#include "divert/stay.h"

#include <limits.h>

#include "base/recent.h"
#include "session/session.h"
#include "timeval.h"

#define DIVERTED_MS (300 * 1000)
#define DIVERTED_MAX 65536

/* A UE, whose bearers and session may be gone. */
struct ue_key {
    struct in6_addr ue, sgw;
};

static struct recent diverted;

void
stay_init(void)
{
    recent_init(&diverted, sizeof(struct ue_key), DIVERTED_MAX, DIVERTED_MS);
}

void
stay_destroy(void)
{
    recent_destroy(&diverted);
}

static struct ue_key
ue_key(const struct bearer *b)
{
    return (struct ue_key) { b->session->ue, *b->sgw };
}

void
stay_diverted(const struct bearer *b)
{
    const struct ue_key key = ue_key(b);

    recent_note(&diverted, &key, time_msec());
}

bool
stay_is_diverted(const struct bearer *b)
{
    const struct ue_key key = ue_key(b);
    const struct bearer *other;

    if (bearer_use_get(b)->given_up) {
        return false;
    }
    SESSION_FOR_EACH_BEARER (other, b->session) {
        if (bearer_is_ready(other)) {
            return true;
        }
    }
    return recent_when(&diverted, &key, time_msec()) != LLONG_MIN;
}
