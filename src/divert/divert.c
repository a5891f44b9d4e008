/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Diversion of bearers: see divert.h. */

#include <config.h>

#include "divert/divert.h"

#include "base/metrics.h"
#include "divert/evidence.h"
#include "divert/forward.h"
#include "divert/hold.h"
#include "divert/pmtu.h"
#include "divert/stay.h"
#include "gtp/endpoint.h"
#include "gtp/gtpu.h"
#include "learn/pinger.h"
#include "learn/prove.h"
#include "openvswitch/vlog.h"
#include "session/session.h"
#include "timeval.h"
#include "usage/usage.h"

VLOG_DEFINE_THIS_MODULE(divert);

METRIC_COUNTER(n_unanswered, "tof_bearers_unanswered_total", "",
               "Bearers whose service packets are switched, as no reply to "
               "the Pinger came in time.");

#define READY_RETRY_MS 100
#define OLD_PROOF_MS 20         /* It has waited (learn/namesake.c). */

static const struct endpoint_class *endpoint;
static long long int evidence_ms;
static bool (*admits)(const struct bearer *);

void
divert_init(const struct endpoint_class *endpoint_, long long int evidence_ms_,
            bool (*admits_)(const struct bearer *))
{
    endpoint = endpoint_;
    admits = admits_;
    evidence_ms = evidence_ms_;
}

static void
set_state(struct bearer *b, enum diversion to)
{
    if (b->diversion == DIVERSION_READY && to != DIVERSION_READY) {
        bearer_use(b)->unready = time_msec();
        stay_diverted(b);
    }
    b->diversion = to;
}

/* Has the endpoint divert 'b', whose UE has been silent for 'silent_ms', from
 * now on, or, if 'adopted', further; goes on in divert_ready().  Its tunnels are
 * those that it is ready for, if it is: so it stays ready, unless there is
 * something that waits for the endpoint. */
static void
ask(struct bearer *b, long long int silent_ms, bool adopted)
{
    struct endpoint_bearer eb = bearer_describe(b);

    eb.silent_ms = silent_ms;
    stay_joined(b);
    if (!bearer_is_ready(b) || hold_count(b->id) || bearer_use(b)->paused) {
        set_state(b, DIVERSION_ASKED);
    }
    bearer_use(b)->paused = false;
    bearer_use(b)->asked = time_msec();
    if (!adopted) {
        usage_bearer(b);
    }
    pmtu_bearer(b);
    evidence_watch(b);
    endpoint->bearer_set(&eb, adopted);
}

/* What waits is switched, and so is what cannot wait any more, until 'b' is
 * ready again. */
static void
give_up(struct bearer *b)
{
    bearer_use(b)->given_up = true;
    hold_give_up(b->id, HOLD_UP, forward_give_up);
}

/* Connections that are diverted stay so for as long as their bearer may come;
 * a stream of packets that make room for each other does not stop the
 * clock. */
static void
keep_waiting(struct bearer *b, const struct gtpu_packet *p,
             const struct hold_packet *held, long long int now)
{
    if (hold_since(b->id) <= now - HOLD_MS && stay_is_diverted(b)) {
        give_up(b);
        forward_give_up(b->id, held);
        return;
    }
    hold_add(b->id, held, now, forward_stop_waiting);
    if (stay_is_switched(p)) {
        forward_give_up_others(b->id);  /* It made room by that. */
    }
}

void
divert_want(struct bearer *b)
{
    if (b->diversion == DIVERSION_OFF && admits(b)) {
        set_state(b, DIVERSION_WANTED);
    }
}

void
divert_service_packet(struct bearer *b, const struct gtpu_packet *p,
                      const void *ip, size_t len, long long int now)
{
    const bool fresh = prove_is_fresh(b, now);
    const struct hold_packet held = {
        .direction = HOLD_UP, .data = ip, .len = len,
        .src = p->src, .dst = p->dst,
        .inner = p->msg.payload - (const uint8_t *) ip,
        .inner_len = p->msg.payload_len,
    };

    divert_want(b);
    stay_begin(p);
    if (stay_is_switched(p)) {
        /* Overtaken on its way here by the filter being told so. */
        forward_give_up(b->id, &held);
    } else if (bearer_is_ready(b) && fresh) {
        /* Overtaken on its way here by the bearer getting ready, or one that
         * only we can read: it came in fragments, say.  The endpoint sees none
         * of these, so it is told that the UE is there. */
        forward_send(b->id, &held);
        if (now - bearer_use_get(b)->asked > READY_RETRY_MS) {
            ask(b, 0, false);
            prove_again(b, now);
        }
    } else if (b->diversion == DIVERSION_OFF
               || (!fresh && !prove_is_possible(b))) {
        forward_give_up(b->id, &held);
    } else if (!fresh && b->unanswered) {
        forward_give_up(b->id, &held);
        prove_ask_on(b);
    } else {
        keep_waiting(b, p, &held, now);
        if (!fresh) {
            prove_ask(b, true);
        } else if (hold_count(b->id) == 1) {
            ask(b, 0, false);
        }
    }
}

void
divert_proved(struct bearer *b)
{
    const long long int age = time_msec() - bearer_proved(b);

    if (bearer_is_diverted(b)) {
        ask(b, age >= OLD_PROOF_MS ? age : 0, false);
    }
}

bool
divert_in_advance(struct bearer *b, long long int now)
{
    if (!prove_is_fresh(b, now) || now - b->heard >= evidence_ms
        || (b->diversion == DIVERSION_OFF && !admits(b))) {
        return false;
    }
    ask(b, now - b->heard, false);
    return true;
}

void
divert_adopt(struct bearer *b)
{
    ask(b, 0, true);
}

void
divert_ready(uint32_t id)
{
    struct bearer *b = session_bearer_by_id(id);

    if (b && b->diversion == DIVERSION_ASKED) {
        set_state(b, DIVERSION_READY);
        VLOG_DBG("%s: diverted", bearer_log_name(b));
        pmtu_run();
        bearer_use(b)->given_up = false;
        hold_release(id, forward_send);
    }
}

void
divert_refused(uint32_t id)
{
    struct bearer *b = session_bearer_by_id(id);

    if (b && bearer_is_diverted(b)) {
        set_state(b, DIVERSION_WANTED);
        give_up(b);
    }
}

/* What apps have sent waits on: it would be dropped, and a proof may come. */
void
divert_expired(uint32_t id, const struct hold_packet *p)
{
    struct bearer *b = session_bearer_by_id(id);

    forward_give_up(id, p);
    if (b && p->direction == HOLD_UP && !prove_is_fresh(b, time_msec())) {
        metric_inc(&n_unanswered);
        session_unanswered(b);
        give_up(b);
        prove_ask_on(b);
    } else if (b && stay_is_diverted(b)) {
        give_up(b);
    }
}

static void
prove_anew(const struct bearer *b)
{
    pinger_stop(b->id);
    if (hold_count(b->id)) {
        prove_ask(b, true);
    }
}

void
divert_moved(const struct bearer *b)
{
    prove_anew(b);
}

static void
withdraw(struct bearer *b)
{
    struct endpoint_bearer eb = bearer_describe(b);

    if (bearer_is_diverted(b)) {
        endpoint->bearer_clear(&eb);
        pmtu_bearer_gone(b->id);
        set_state(b, DIVERSION_WANTED);
    }
}

void
divert_overdue(struct bearer *b)
{
    struct endpoint_bearer eb = bearer_describe(b);

    if (bearer_is_diverted(b) && !bearer_use(b)->paused) {
        endpoint->bearer_pause(&eb);
        bearer_use(b)->paused = true;
    }
}

void
divert_invalidated(struct bearer *b)
{
    withdraw(b);
    prove_anew(b);
}

void
divert_gone(struct bearer *b)
{
    pinger_stop(b->id);
    withdraw(b);
    hold_release(b->id, forward_stop_waiting);
}
