/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The rules of the session table (session.h): what becomes of bearers when a
 * packet is heard, a downlink tunnel proved, a UE moves, a TEID is given to
 * another UE, time passes; and who is told.  Where they are kept is in
 * table.c. */

#include <config.h>

#include "session/private.h"

#include <limits.h>

#include "base/addr.h"
#include "base/metrics.h"
#include "session/peers.h"
#include "session/statelet.h"
#include "timeval.h"
#include "util.h"

METRIC_COUNTER(learned, "tof_bearers_learned_total", "",
               "Uplink tunnels seen for the first time.");
METRIC_COUNTER(proofs, "tof_bearers_proved_total", "",
               "Downlink tunnels proved.");
METRIC_COUNTER(evicted, "tof_bearers_evicted_total", "",
               "Embryonic bearers dropped because the table was full.");
METRIC_COUNTER(refused, "tof_bearers_refused_total", "",
               "Uplink tunnels not learned because the table was full.");
METRIC_COUNTER(expired, "tof_bearers_expired_total", "",
               "Bearers purged after idle time.");

/* Share of the table that embryonic bearers may fill: random TEIDs must not
 * keep real UEs out. */
#define EMBRYONIC_SHARE 4

/* By how much the same time told twice may differ. */
#define INEXACT_MS 1000

/* Why bearers go: others need their place, TEID or identifier. */
#define REUSED "reused"

static unsigned int max_bearers;
static long long int evidence_ms;
static bearer_event_cb *event_cb;

void
session_init(unsigned int max_bearers_, long long int evidence_ms_,
             bearer_event_cb *cb)
{
    table_init();
    max_bearers = max_bearers_;
    evidence_ms = evidence_ms_;
    event_cb = cb;
}

size_t
session_max(void)
{
    return max_bearers;
}

void
session_destroy(void)
{
    struct bearer *b;
    uint32_t id = 0;

    event_cb = NULL;
    while ((b = session_next_bearer(id))) {
        id = b->id;
        session_forget(b, REUSED);
    }
    table_destroy();
}

static void
tell(struct bearer *b, enum bearer_event event)
{
    if (event_cb) {
        event_cb(b, event, NULL);
    }
}

void
session_forget(struct bearer *b, const char *reason)
{
    if (event_cb) {
        event_cb(b, BEARER_GONE, reason);
    }
    table_remove(b);
}

/* Of a UE that has lately used one family only, the other one must not expire:
 * it may be the one that is proved for both. */
void
session_touch(struct bearer *b, long long int now)
{
    struct bearer *pair = session_dual_stack(b);

    b->replicated = false;
    table_set_seen(b, now);
    if (pair) {
        table_set_seen(pair, now);
    }
}

/* Makes room for one more bearer; false if there is none to be had. */
static bool
make_room(void)
{
    size_t cap = MAX(1, max_bearers / EMBRYONIC_SHARE);

    if (session_bearer_count(BEARER_EMBRYONIC) >= cap
        || table_count() >= max_bearers) {
        struct bearer *b = table_oldest(true);
        if (!b) {
            return false;
        }
        metric_inc(&evicted);
        session_forget(b, REUSED);
    }
    return true;
}

/* The UE has moved to the eNodeB 'enb'.  The downlink tunnel was that of the
 * old one, if that sent and received by one address; if not, senders tell
 * nothing about receivers here. */
static void
retire_down(struct bearer *b, const struct in6_addr *enb)
{
    b->down_retired = (b->down_known
                       && (b->down_retired
                           || IN6_ARE_ADDR_EQUAL(b->down_enb, b->enb))
                       && !IN6_ARE_ADDR_EQUAL(b->down_enb, enb));
}

void
session_heard(struct bearer *b, long long int when, long long int now)
{
    b->heard = MAX(b->heard, when);
    session_touch(b, now);
    if (!b->paired && session_other_family(b)) {
        b->paired = true;
        tell(b, BEARER_CHANGED);
    }
}

/* 'replicated', here and below: another TOF has said so. */
static void
invalidate(struct bearer *b, bool replicated)
{
    if (b->state == BEARER_ESTABLISHED) {
        b->judged = replicated ? LLONG_MIN : time_msec();
        table_set_state(b, BEARER_STALE);
        tell(b, BEARER_INVALIDATED);
    }
}

void
session_invalidate(struct bearer *b)
{
    invalidate(b, false);
}

/* A UE moves with all of its bearers: what they had at 'enb' may be gone,
 * though some of them are never heard from where it has been meanwhile. */
static void
leave(const struct session *s, const struct in6_addr *enb, bool replicated)
{
    struct bearer *b;

    SESSION_FOR_EACH_BEARER (b, s) {
        if (IN6_ARE_ADDR_EQUAL(b->enb, enb)) {
            invalidate(b, replicated);
        }
    }
}

/* The tunnel of 'b', if there is such a bearer, has another sender. */
static void
set_sender(struct bearer *b, const struct in6_addr *enb, bool replicated)
{
    if (b && !IN6_ARE_ADDR_EQUAL(b->enb, enb)) {
        leave(b->session, b->enb, replicated);
        retire_down(b, enb);
        table_set_sender(b, enb);
        tell(b, BEARER_MOVED);
    }
}

/* The uplink TEID has been given to another UE. */
static void
forget_tunnel(struct bearer *b)
{
    struct bearer *other = session_other_family(b);

    if (other) {
        session_forget(other, REUSED);
    }
    session_forget(b, REUSED);
}

static struct bearer *
add(const struct in6_addr *enb, const struct fteid *up,
    const struct in6_addr *ue_addr, bool replicated, long long int now)
{
    const struct table_ids any = { 0, 0, 0 };
    struct bearer *b = (make_room() ? table_add(enb, up, ue_addr, &any, now)
                        : NULL);

    if (!b) {
        metric_inc(&refused);
        return NULL;
    }

    b->replicated = replicated;

    struct bearer *other = session_other_family(b);
    if (other && other->paired && !(replicated && other->replicated)) {
        /* Of the same UE only if it is heard again.  (Who says that there are
         * both says that, too.) */
        other->paired = false;
        tell(other, BEARER_CHANGED);
    }
    return b;
}

/* 'b', which may be NULL, if it is the bearer of that UE; another one's is
 * forgotten. */
static struct bearer *
keep_own(struct bearer *b, const struct in6_addr *ue_addr)
{
    const struct in6_addr ue = addr_ue_key(ue_addr);

    if (b && !IN6_ARE_ADDR_EQUAL(&b->session->ue, &ue)) {
        forget_tunnel(b);
        b = NULL;
    }
    return b;
}

struct bearer *
session_uplink(const struct in6_addr *enb, const struct fteid *up,
               const struct in6_addr *ue_addr, long long int now)
{
    struct bearer *b = keep_own(
        session_bearer_by_uplink(up, addr_family(ue_addr)), ue_addr);
    const bool new = !b;

    if (new) {
        b = add(enb, up, ue_addr, false, now);
        if (!b) {
            return NULL;
        }
        metric_inc(&learned);
    }
    b->replicated = false;
    b->heard = now;             /* Others are told of it if it has moved. */
    bearer_set_ue_addr(b, ue_addr);
    set_sender(b, enb, false);
    set_sender(session_other_family(b), enb, false);
    if (new) {
        tell(b, BEARER_CHANGED);
    }
    session_heard(b, now, now);
    return b;
}

static bool
same_ue(const struct bearer *a, const struct bearer *b)
{
    const struct bearer *a_pair = session_dual_stack(a);
    const struct bearer *b_pair = session_dual_stack(b);

    return (a->session == b->session
            || (a_pair && a_pair->session == b->session)
            || (b_pair && b_pair->session == a->session));
}

/* UEs with one address behind one SGW, or one UE. */
static bool
may_be_same_ue(const struct bearer *a, const struct bearer *b)
{
    return (a->sgw == b->sgw
            && IN6_ARE_ADDR_EQUAL(&a->session->ue, &b->session->ue));
}

/* As it is one UE's at a time, 'b' is of the same UE as 'a' if the downlink
 * tunnel of 'b' has answered 'a' at 'when'. */
static bool
is_near(const struct bearer *a, const struct bearer *b, long long int when)
{
    const long long int proved = bearer_proved(b);

    return (may_be_same_ue(a, b) && when != LLONG_MIN && proved != LLONG_MIN
            && llabs(when - proved) <= evidence_ms);
}

/* The other bearer that 'down' has answered, too, about 'when'. */
static struct bearer *
find_near(const struct bearer *b, const struct fteid *down,
          long long int when)
{
    struct bearer *other = session_bearer_by_downlink(down);

    while (other && (other == b || !is_near(b, other, when))) {
        other = session_next_by_downlink(other);
    }
    return other;
}

bool
session_is_answered(const struct bearer *b, const struct fteid *down,
                    long long int when)
{
    return find_near(b, down, when) != NULL;
}

/* 'b' has been answered by 'down' at 'when'.  Returns true if that has made it
 * another session's. */
static bool
place(struct bearer *b, const struct fteid *down, long long int when)
{
    struct bearer *other = b->placed ? NULL : find_near(b, down, when);
    const bool joins = other && other->session != b->session;

    if (joins) {
        table_join(b, other->session);
    }
    b->placed = b->placed || when != LLONG_MIN;
    return joins;
}

/* What another UE's bearers had of the downlink F-TEID 'down', which has
 * answered 'b' at 'when', they have lost.  If it is not known when, those of
 * its address may be its own. */
static void
take_down(const struct bearer *b, const struct fteid *down, long long int when,
          bool replicated)
{
    struct bearer *other = session_bearer_by_downlink(down), *next;

    for (; other; other = next) {
        next = session_next_by_downlink(other);
        if (!same_ue(b, other) && !is_near(b, other, when)
            && !(when == LLONG_MIN && may_be_same_ue(b, other))) {
            invalidate(other, replicated);
            table_set_down(other, NULL, NULL);
        }
    }
}

/* Also a bearer that nobody has seen before the handover may be answered on
 * the old path, be it that of its session or of the other family's bearer. */
static bool
is_retired(const struct bearer *b, const struct fteid *down)
{
    const struct bearer *other = session_bearer_by_downlink(down);

    while (other && !(other->down_retired
                      && (same_ue(b, other) || may_be_same_ue(b, other)
                          || session_other_family(b) == other))) {
        other = session_next_by_downlink(other);
    }
    return other != NULL;
}

/* 'b' is answered by another tunnel than 'old' now, so its UE has left that
 * one: bearers that it answered as well are to be proved anew. */
static void
leave_down(const struct bearer *b, const struct fteid *old, bool replicated)
{
    struct bearer *other = session_bearer_by_downlink(old), *next;

    for (; other; other = next) {
        next = session_next_by_downlink(other);
        if (other != b && other->session == b->session) {
            invalidate(other, replicated);
        }
    }
}

/* 'b' is answered by 'down', as was proved at 'when'.  Returns false if nothing
 * is new in that but the time. */
static bool
set_down(struct bearer *b, const struct in6_addr *sgw,
         const struct fteid *down, uint8_t qfi, long long int when,
         bool replicated)
{
    const struct fteid old = bearer_down(b);
    const bool known = b->down_known, same = known && fteid_equal(&old, down);
    bool changed = (place(b, down, when) || b->state != BEARER_ESTABLISHED
                    || !same || !IN6_ARE_ADDR_EQUAL(b->down_sgw, sgw));

    take_down(b, down, when, replicated);
    if (changed) {
        /* The old tunnel, if any, is never used again. */
        invalidate(b, replicated);
        table_set_down(b, sgw, down);
        table_set_state(b, BEARER_ESTABLISHED);
    }
    if (known && !same) {
        leave_down(b, &old, replicated);
    }
    changed = changed || b->down_qfi != qfi || b->unanswered;
    b->unanswered = false;
    b->down_qfi = qfi;
    b->judged = when;
    return changed;
}

bool
session_proved(struct bearer *b, const struct in6_addr *sgw,
               const struct fteid *down, uint8_t qfi, long long int now)
{
    if (is_retired(b, down)) {
        return false;
    }
    metric_inc(&proofs);
    b->replicated = false;
    if (set_down(b, sgw, down, qfi, now, false)) {
        tell(b, BEARER_CHANGED);
    }
    return true;
}

void
session_unanswered(struct bearer *b)
{
    if (!b->unanswered) {
        b->unanswered = true;
        tell(b, BEARER_CHANGED);
    }
}

void
session_restore(const struct statelet *st, long long int now)
{
    struct bearer *b = session_bearer_by_id(st->bearer_id);

    /* The record replaces whatever was there under either of its keys. */
    if (b) {
        session_forget(b, REUSED);
    }
    if (st->op != STATELET_BEARER && st->op != STATELET_INVALID) {
        return;
    }
    struct fteid up = { st->sgw, st->teid_up };
    b = session_bearer_by_uplink(&up, addr_family(&st->ue));
    if (b) {
        session_forget(b, REUSED);
    }

    const struct table_ids ids = { st->bearer_id, st->session_id, st->space };
    b = (table_count() < max_bearers
         ? table_add(&st->enb, &up, &st->ue, &ids, now) : NULL);
    if (!b) {
        metric_inc(&refused);
        return;
    }
    b->replicated = true;
    b->heard = LLONG_MIN / 2;
    b->up_qfi = st->up_qfi;
    b->up_dscp = st->up_dscp;
    b->down_dscp = st->down_dscp;
    b->paired = st->paired;
    b->unanswered = st->unanswered;
    if (st->teid_down) {
        struct fteid down = { st->down_enb, st->teid_down };

        b->placed = true;
        take_down(b, &down, LLONG_MIN, false);
        table_set_down(b, &st->down_sgw, &down);
        b->down_qfi = st->down_qfi;
        table_set_state(b, st->proved ? BEARER_ESTABLISHED : BEARER_STALE);
    }
}

/* Whether another UE's bearer has had the downlink tunnel 'down' proved later
 * than at 'when'. */
static bool
is_taken_since(const struct bearer *b, const struct fteid *down,
               long long int when)
{
    const struct bearer *other = session_bearer_by_downlink(down);

    while (other && (same_ue(b, other) || is_near(b, other, when)
                     || bearer_proved(other) <= when)) {
        other = session_next_by_downlink(other);
    }
    return other != NULL;
}

/* Takes over what 'st' says of the downlink tunnel of 'b'.  Returns false if
 * that was known. */
static bool
hear_down(struct bearer *b, const struct statelet *st, long long int now)
{
    const struct fteid down = { st->down_enb, st->teid_down };
    const long long int when = (st->proved_age < STATELET_AGE_MAX
                                ? now - st->proved_age : LLONG_MIN);
    const struct fteid known = bearer_down(b);
    const enum bearer_state before = b->state;

    if (!st->proved || !st->teid_down) {
        invalidate(b, true);
    } else if (b->judged <= when) {
        if (!is_retired(b, &down) && !is_taken_since(b, &down, when)) {
            b->down_dscp = st->down_dscp;
            return set_down(b, &st->down_sgw, &down, st->down_qfi, when,
                            true);
        } else if (!b->down_known || !fteid_equal(&known, &down)) {
            invalidate(b, true);        /* It has another one. */
        }
    }
    return b->state != before;
}

/* Whether what is known of the bearer is newer than what 'st' says.  Times of
 * the same packet differ a little each time that it is told; but where two
 * contradict each other the later one counts. */
static bool
is_outdated(const struct statelet *st, const struct bearer *b,
            long long int heard)
{
    const struct in6_addr ue = addr_ue_key(&st->ue);

    if (b->replicated && IN6_ARE_ADDR_EQUAL(&b->session->ue, &ue)
        && IN6_ARE_ADDR_EQUAL(b->enb, &st->enb)) {
        return b->heard > heard + INEXACT_MS;
    }
    return b->heard >= heard;
}

static struct bearer *
hear_bearer(const struct statelet *st, long long int now)
{
    const struct fteid up = { st->sgw, st->teid_up };
    const long long int heard = (st->heard_age < STATELET_AGE_MAX
                                 ? now - st->heard_age : LLONG_MIN / 2);
    struct bearer *b = session_bearer_by_uplink(&up, addr_family(&st->ue));
    struct bearer *other;
    bool changed;

    if (b && is_outdated(st, b, heard)) {
        return NULL;
    }
    b = keep_own(b, &st->ue);
    changed = !b;
    if (!b) {
        b = add(&st->enb, &up, &st->ue, true, now);
        if (!b) {
            return NULL;
        }
    }
    b->replicated = true;
    bearer_set_ue_addr(b, &st->ue);
    set_sender(b, &st->enb, true);
    other = session_other_family(b);
    if (other && other->heard < heard) {
        set_sender(other, &st->enb, true);
    }
    b->up_qfi = st->up_qfi;
    b->up_dscp = st->up_dscp;
    changed = (changed || b->paired != st->paired
               || b->unanswered != st->unanswered);
    b->paired = st->paired;
    b->unanswered = st->unanswered;
    changed = hear_down(b, st, now) || changed;
    b->heard = heard;
    table_set_seen(b, now - st->seen_age);
    if (changed) {
        tell(b, BEARER_CHANGED);
    }
    return b;
}

struct bearer *
session_replicated(const struct statelet *st, long long int now)
{
    const struct fteid up = { st->sgw, st->teid_up };
    const struct fteid down = { st->down_enb, st->teid_down };
    const struct in6_addr ue = addr_ue_key(&st->ue);
    struct bearer *b;

    if (st->op == STATELET_BEARER) {
        return hear_bearer(st, now);
    }
    b = session_bearer_by_uplink(&up, addr_family(&ue));
    if (!b || !IN6_ARE_ADDR_EQUAL(&b->session->ue, &ue)) {
        return NULL;
    } else if (st->op == STATELET_GONE && b->replicated) {
        session_forget(b, REUSED);
    } else if (st->op == STATELET_INVALID && b->down_known) {
        const struct fteid known = bearer_down(b);

        if (fteid_equal(&known, &down)) {
            invalidate(b, true);
        }
    }
    return NULL;
}

static bool
expire(bool embryonic, long long int before, unsigned int budget)
{
    struct bearer *b;

    while ((b = table_oldest(embryonic)) && b->seen < before) {
        if (!budget--) {
            return true;
        }
        metric_inc(&expired);
        session_forget(b, "idle");
    }
    return false;
}

bool
session_expire(long long int now, long long int embryonic_ms,
               long long int idle_ms, unsigned int budget)
{
    bool more = expire(true, now - embryonic_ms, budget);

    return expire(false, now - idle_ms, budget) || more;
}
