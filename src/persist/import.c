/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Bearers from a snapshot: see import.h.
 *
 * A snapshot may be old, and TEIDs be other UEs' by now.  So it only fills
 * gaps, and it is no evidence. */

#include <config.h>

#include "persist/import.h"

#include "base/addr.h"
#include "base/metrics.h"
#include "conf/conf.h"
#include "session/session.h"
#include "session/statelet.h"
#include "timeval.h"
#include "util.h"

METRIC_COUNTER(n_imported, "tof_bearers_imported_total", "",
               "Bearers taken from snapshots of the session table.");

static const struct conf *conf;

void
import_init(const struct conf *conf_)
{
    conf = conf_;
}

/* Whether there may be a tunnel between these. */
static bool
are_hosts(const struct in6_addr *enb, const struct in6_addr *sgw)
{
    return (!addr_problem(enb) && !addr_problem(sgw)
            && addr_family(enb) == addr_family(sgw));
}

const char *
import_problem(const struct statelet *st)
{
    if (st->op != STATELET_BEARER) {
        return "is not of a bearer";
    } else if (addr_problem(&st->ue)) {
        return "has a UE address that is none";
    } else if (!st->teid_up || !are_hosts(&st->enb, &st->sgw)) {
        return "has an uplink tunnel that is none";
    } else if (st->teid_down && !are_hosts(&st->down_enb, &st->down_sgw)) {
        return "has a downlink tunnel that is none";
    }
    return NULL;
}

/* Has the downlink tunnel that 'st' speaks of been that of another UE, as far
 * as has been heard here?  (The other family of the same UE has the same
 * uplink tunnel.) */
static bool
is_others(const struct statelet *st, const struct fteid *up)
{
    const struct fteid down = { st->down_enb, st->teid_down };
    const struct in6_addr ue = addr_ue_key(&st->ue);
    const struct bearer *b = session_bearer_by_downlink(&down);

    for (; b; b = session_next_by_downlink(b)) {
        if (!b->replicated && !IN6_ARE_ADDR_EQUAL(&b->session->ue, &ue)
            && !(b->up_teid == up->teid
                 && IN6_ARE_ADDR_EQUAL(b->sgw, &up->addr))) {
            return true;
        }
    }
    return false;
}

/* The same as of now, and never proved.  How long it has been idle does not
 * grow while nobody could hear it: as after a restart, it has the time that it
 * had left. */
static struct statelet
as_replicated(const struct statelet *st)
{
    struct statelet said = *st;

    said.heard_age = statelet_age(st->heard_age, st->time_ms,
                                  time_wall_msec());
    said.proved = true;         /* It was, once. */
    said.proved_age = STATELET_AGE_MAX;
    said.diverted = false;
    return said;
}

bool
import_bearer(const struct statelet *st)
{
    const struct fteid up = { st->sgw, st->teid_up };
    const struct statelet said = as_replicated(st);
    struct bearer *b;

    if (session_bearer_by_uplink(&up, addr_family(&st->ue))
        || !conf_are_peers(conf, &st->enb, &st->sgw) || is_others(st, &up)) {
        return false;
    }
    b = session_replicated(&said, time_msec());
    if (!b) {
        return false;
    }
    session_invalidate(b);
    b->judged = LLONG_MIN;      /* That has not been found out here. */
    metric_inc(&n_imported);
    return true;
}
