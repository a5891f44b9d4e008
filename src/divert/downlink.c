/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Downlink packets that wait for a proof: see downlink.h. */

#include <config.h>

#include "divert/downlink.h"

#include "base/addr.h"
#include "conf/conf.h"
#include "divert/divert.h"
#include "divert/forward.h"
#include "divert/hold.h"
#include "learn/prove.h"
#include "session/session.h"
#include "timeval.h"

static bool may_connect;

void
downlink_init(const struct conf *conf)
{
    may_connect = conf->apps.may_connect;
}

void
downlink_held(uint32_t id, const uint8_t *frame, size_t len)
{
    struct bearer *b = session_bearer_by_id(id);
    long long int now = time_msec();
    const struct hold_packet held = {
        .direction = HOLD_DOWN, .data = frame, .len = len,
    };

    if (b && bearer_is_ready(b) && prove_is_fresh(b, now)) {
        forward_send(id, &held);
    } else if (!b) {
        forward_drop_down(&held, FORWARD_NO_BEARER);
    } else if (!prove_is_possible(b)) {
        forward_drop_down(&held, FORWARD_NO_TUNNEL);
    } else {
        hold_add(id, &held, now, forward_stop_waiting);
        divert_want(b);
        prove_ask(b, true);
    }
}

/* To the UE of session 's', or nobody; by its bearer, if it has but one. */
static void
send_to(const struct session *s, const uint8_t *frame, size_t len)
{
    struct bearer *b = s ? session_only_bearer(s) : NULL;
    const struct hold_packet held = {
        .direction = HOLD_DOWN, .data = frame, .len = len,
    };

    if (b && prove_is_direct(addr_family(&s->ue))) {
        downlink_held(b->id, frame, len);
    } else {
        forward_drop_down(&held, FORWARD_NO_BEARER);
    }
}

void
downlink_unclaimed(const struct in6_addr *ue_addr, const uint8_t *frame,
                   size_t len)
{
    const struct in6_addr ue = addr_ue_key(ue_addr);

    send_to(may_connect ? session_find_unambiguous(&ue) : NULL, frame, len);
}

void
downlink_orphaned(const struct in6_addr *ue_addr, uint16_t space,
                  const uint8_t *frame, size_t len)
{
    const struct in6_addr ue = addr_ue_key(ue_addr);

    send_to(session_find(&ue, space), frame, len);
}
