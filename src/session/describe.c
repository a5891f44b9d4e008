/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What follows from what session.h shows: bearers and sessions in the words of
 * others (data plane, journal, API, metrics), and what they are to each other.
 * Changes nothing. */

#include <config.h>

#include "session/private.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/metrics.h"
#include "session/space.h"
#include "session/statelet.h"
#include "timeval.h"
#include "util.h"

static uint64_t
n_embryonic_metric(void)
{
    return session_bearer_count(BEARER_EMBRYONIC);
}

static uint64_t
n_established_metric(void)
{
    return session_bearer_count(BEARER_ESTABLISHED);
}

static uint64_t
n_stale_metric(void)
{
    return session_bearer_count(BEARER_STALE);
}

static uint64_t
n_max_metric(void)
{
    return session_max();
}

METRIC_GAUGE(g_embryonic, "tof_bearers", "state=\"embryonic\"",
             "Bearers in the session table, by state.", n_embryonic_metric);
METRIC_GAUGE(g_established, "tof_bearers", "state=\"established\"",
             "Bearers in the session table, by state.", n_established_metric);
METRIC_GAUGE(g_stale, "tof_bearers", "state=\"stale\"",
             "Bearers in the session table, by state.", n_stale_metric);
METRIC_GAUGE(g_max, "tof_bearers_max", "", "How many bearers there can be.",
             n_max_metric);

const char *
bearer_state_name(enum bearer_state state)
{
    switch (state) {
    case BEARER_EMBRYONIC: return "embryonic";
    case BEARER_ESTABLISHED: return "established";
    case BEARER_STALE: return "stale";
    default: OVS_NOT_REACHED();
    }
}

const char *
bearer_log_name(const struct bearer *b)
{
    static char text[160];
    char sgw[INET6_ADDRSTRLEN];

    snprintf(text, sizeof text, "bearer %08"PRIx32" of UE %s, TEID 0x%08"
             PRIx32" at %s", b->id, log_ue(&b->session->ue), b->up_teid,
             addr_format(b->sgw, sgw));
    return text;
}

sa_family_t
bearer_family(const struct bearer *b)
{
    return addr_family(&b->session->ue);
}

struct fteid
bearer_up(const struct bearer *b)
{
    return (struct fteid) { *b->sgw, b->up_teid };
}

struct fteid
bearer_down(const struct bearer *b)
{
    return (struct fteid) { *b->down_enb, b->down_teid };
}

struct in6_addr
bearer_ue_addr(const struct bearer *b)
{
    struct in6_addr addr = b->session->ue;

    memcpy(&addr.s6_addr[8], &b->ue_low, sizeof b->ue_low);
    return addr;
}

void
bearer_set_ue_addr(struct bearer *b, const struct in6_addr *addr)
{
    memcpy(&b->ue_low, &addr->s6_addr[8], sizeof b->ue_low);
}

struct bearer_use *
bearer_use(struct bearer *b)
{
    if (!b->use) {
        b->use = xmemdup(bearer_use_get(b), sizeof *b->use);
    }
    return b->use;
}

const struct bearer_use *
bearer_use_get(const struct bearer *b)
{
    static const struct bearer_use none = {
        .unready = LLONG_MIN / 2,
        .watched = LLONG_MIN,
    };

    return b->use ? b->use : &none;
}

struct endpoint_bearer
bearer_describe(const struct bearer *b)
{
    return (struct endpoint_bearer) {
        .id = b->id,
        .space = b->session->space->number,
        .ue = b->session->ue,
        .ue_addr = bearer_ue_addr(b),
        .up = { .src = *b->enb, .dst = *b->sgw, .teid = b->up_teid },
        .down = { .src = *b->down_sgw, .dst = *b->down_enb,
                  .teid = b->down_known ? b->down_teid : 0 },
        .up_qfi = b->up_qfi,
        .down_qfi = b->down_qfi,
        .up_dscp = b->up_dscp,
        .down_dscp = b->down_dscp,
    };
}

static uint32_t
age(long long int now, long long int then)
{
    return (then > now - STATELET_AGE_MAX ? MAX(0, now - then)
            : STATELET_AGE_MAX);
}

void
session_to_statelet(const struct bearer *b, struct statelet *st)
{
    const long long int now = time_msec();

    *st = (struct statelet) {
        .op = STATELET_BEARER,
        .bearer_id = b->id,
        .session_id = b->session->id,
        .space = b->session->space->number,
        .proved = b->state == BEARER_ESTABLISHED,
        .paired = b->paired,
        .unanswered = b->unanswered,
        .diverted = bearer_is_diverted(b),
        .up_qfi = b->up_qfi,
        .down_qfi = b->down_qfi,
        .up_dscp = b->up_dscp,
        .down_dscp = b->down_dscp,
        .teid_up = b->up_teid,
        .ue = bearer_ue_addr(b),
        .enb = *b->enb,
        .sgw = *b->sgw,
        .time_ms = time_wall_msec(),
        .heard_age = age(now, b->heard),
        .seen_age = age(now, b->seen),
        .proved_age = age(now, bearer_proved(b)),
    };
    if (b->down_known) {
        st->teid_down = b->down_teid;
        st->down_enb = *b->down_enb;
        st->down_sgw = *b->down_sgw;
    }
}

enum bearer_state
session_state(const struct session *s)
{
    enum bearer_state best = BEARER_EMBRYONIC;
    const struct bearer *b;

    SESSION_FOR_EACH_BEARER (b, s) {
        if (b->state == BEARER_ESTABLISHED) {
            return BEARER_ESTABLISHED;
        } else if (b->state == BEARER_STALE) {
            best = BEARER_STALE;
        }
    }
    return best;
}

struct bearer *
session_other_family(const struct bearer *b)
{
    const struct fteid up = bearer_up(b);

    return session_bearer_by_uplink(
        &up, bearer_family(b) == AF_INET ? AF_INET6 : AF_INET);
}

struct bearer *
session_dual_stack(const struct bearer *b)
{
    struct bearer *other = b->paired ? session_other_family(b) : NULL;

    return other && other->paired ? other : NULL;
}

struct bearer *
session_only_bearer(const struct session *s)
{
    return session_bearer_after(s->first) ? NULL : s->first;
}
