/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What another TOF says, against what the session table knows itself. */

#include <config.h>

#include "session/session.h"

#include <limits.h>

#include "address.h"
#include "session/statelet.h"
#include "tap.h"
#include "timeval.h"

#define NOW 1000000
#define UE "10.45.0.2"
#define OTHER_UE "10.45.0.3"
#define ENB "10.1.0.1"
#define NEXT_ENB "10.1.0.3"
#define SGW "10.1.0.2"

static unsigned int n_changed;

static void
count_event(struct bearer *b, enum bearer_event event, const char *reason)
{
    (void) reason;
    (void) b;
    n_changed += event == BEARER_CHANGED;
}

static void
start(void)
{
    session_init(100, 10000, count_event);
    n_changed = 0;
}

/* An established bearer, heard and proved a second ago. */
static struct statelet
record(const char *ue, uint32_t teid_up, uint32_t teid_down)
{
    return (struct statelet) {
        .op = STATELET_BEARER, .bearer_id = 0x100, .session_id = 0x100,
        .proved = true, .diverted = true,
        .teid_up = teid_up, .teid_down = teid_down, .ue = ip(ue),
        .enb = ip(ENB), .sgw = ip(SGW), .down_enb = ip(ENB),
        .down_sgw = ip(SGW),
        .heard_age = 1000, .seen_age = 900, .proved_age = 1100,
    };
}

static struct bearer *
hear(struct statelet st)
{
    return session_replicated(&st, NOW);
}

static struct bearer *
find(uint32_t teid_up)
{
    const struct fteid up = { ip(SGW), teid_up };

    return session_bearer_by_uplink(&up, AF_INET);
}

/* Heard, and proved, here at 'when'. */
static struct bearer *
own(const char *ue, uint32_t teid_up, uint32_t teid_down, long long int when)
{
    const struct in6_addr enb = ip(ENB), sgw = ip(SGW), ue_addr = ip(ue);
    const struct fteid up = { sgw, teid_up }, down = { enb, teid_down };
    struct bearer *b = session_uplink(&enb, &up, &ue_addr, when);

    session_proved(b, &sgw, &down, 0, when);
    return b;
}

static void
test_new(void)
{
    start();
    struct bearer *b = hear(record(UE, 1, 101));
    tap_ok(b && b->state == BEARER_ESTABLISHED && b->replicated
           && b->down_teid == 101, "a bearer is as it was said");
    tap_ok(b->heard == NOW - 1000 && b->seen == NOW - 900
           && bearer_proved(b) == NOW - 1100, "nothing is fresher than was said");
    tap_ok(n_changed == 1, "it is worth persisting");
    tap_ok(hear(record(UE, 1, 101)) == b && n_changed == 1,
           "the same again is not");

    struct statelet old = record(OTHER_UE, 2, 102);
    old.proved_age = STATELET_AGE_MAX;
    b = hear(old);
    tap_ok(b && bearer_proved(b) == LLONG_MIN, "a proof of unknown age is none");
    old = record("10.45.0.4", 3, 103);
    old.proved = false;
    b = hear(old);
    tap_ok(b && b->state != BEARER_ESTABLISHED, "not proved there");
    session_destroy();
}

static void
test_own(void)
{
    start();
    struct bearer *b = own(UE, 1, 201, NOW - 500);
    tap_ok(!hear(record(UE, 1, 101)) && b->down_teid == 201
           && b->state == BEARER_ESTABLISHED,
           "what was heard here later is believed more");
    struct statelet st = record(UE, 1, 201);
    st.op = STATELET_GONE;
    hear(st);
    tap_ok(find(1) == b, "it is not forgotten because it is there");
    st.op = STATELET_INVALID;
    hear(st);
    tap_ok(b->state == BEARER_STALE, "that its tunnel has ended is believed");
    session_destroy();

    start();
    b = own(UE, 1, 201, NOW - 5000);
    tap_ok(hear(record(UE, 1, 101)) == b && b->down_teid == 101
           && b->replicated,
           "what was heard there later is believed");
    session_heard(b, NOW, NOW);
    tap_ok(!b->replicated, "heard here, it is replicated no more");
    st = record(UE, 1, 201);
    st.op = STATELET_INVALID;
    hear(st);
    tap_ok(b->state == BEARER_ESTABLISHED, "the end of another tunnel");
    session_destroy();
}

/* Its identifiers of sessions and spaces say nothing here. */
static void
test_namesakes(void)
{
    start();
    const struct bearer *a = hear(record(UE, 1, 101));
    const struct bearer *b = hear(record(UE, 2, 101));
    const struct bearer *c = hear(record(UE, 3, 103));
    tap_ok(a->session == b->session && a->session != c->session
           && a->session->space != c->session->space,
           "those of one address are one UE's if one tunnel answers them");
    tap_ok(a->state == BEARER_ESTABLISHED && c->state == BEARER_ESTABLISHED,
           "and none ends another one's proof");
    session_destroy();
}

static void
test_gone(void)
{
    struct statelet st = record(UE, 1, 101);

    start();
    hear(st);
    st.op = STATELET_GONE;
    st.ue = ip(OTHER_UE);
    hear(st);
    tap_ok(find(1) != NULL, "another UE's has gone");
    st.ue = ip(UE);
    hear(st);
    tap_ok(!find(1) && !session_count(), "what was replicated goes as it came");
    session_destroy();
}

static void
test_reuse(void)
{
    start();
    struct statelet later = record(OTHER_UE, 1, 102);
    later.heard_age = 500;
    hear(record(UE, 1, 101));
    struct bearer *b = hear(later);
    const struct in6_addr ue = ip(UE);
    tap_ok(b && find(1) == b && !session_find_unambiguous(&ue),
           "an uplink tunnel is another UE's now");
    session_destroy();

    start();
    struct bearer *first = own(UE, 1, 101, NOW - 5000);
    b = hear(record(OTHER_UE, 2, 101));
    tap_ok(first->state == BEARER_STALE && !first->down_known
           && b->state == BEARER_ESTABLISHED, "so is a downlink tunnel");
    session_destroy();

    start();
    first = own(UE, 1, 101, NOW - 500);
    b = hear(record(OTHER_UE, 2, 101));
    tap_ok(first->state == BEARER_ESTABLISHED
           && (!b || b->state != BEARER_ESTABLISHED),
           "not if it was proved here later for the first one");
    session_destroy();
}

static void
test_moved(void)
{
    struct statelet st = record(UE, 1, 101);

    start();
    hear(st);
    st.enb = ip(NEXT_ENB);
    st.heard_age = 500;
    st.proved = false;
    struct bearer *b = hear(st);
    tap_ok(b && b->state == BEARER_STALE, "the UE has moved");
    st.proved = true;
    b = hear(st);
    tap_ok(b && b->state == BEARER_STALE,
           "the tunnel to where it was is not used again");
    st.down_enb = ip(NEXT_ENB);
    b = hear(st);
    tap_ok(b && b->state == BEARER_ESTABLISHED, "the one to where it is, is");
    session_destroy();
}

static void
test_contradiction(void)
{
    struct statelet st = record(UE, 1, 101);

    start();
    struct bearer *b = hear(st);
    st.heard_age = 1500;
    tap_ok(hear(st) == b, "the same time told twice differs");
    st.enb = ip(NEXT_ENB);
    tap_ok(!hear(st) && b->state == BEARER_ESTABLISHED,
           "where the UE was heard before is where it is not");
    st = record(OTHER_UE, 1, 102);
    st.heard_age = 1500;
    tap_ok(!hear(st) && find(1) == b,
           "whose tunnel it was before is who has it not");
    session_destroy();

    start();
    b = own(UE, 1, 201, NOW - STATELET_AGE_MAX - 5000);
    st = record(UE, 1, 101);
    st.heard_age = STATELET_AGE_MAX;
    tap_ok(!hear(st) && b->down_teid == 201,
           "heard there at an unknown time, that was before");
    session_destroy();

    start();
    b = hear(st);
    tap_ok(b && b->heard <= NOW - 2 * STATELET_AGE_MAX,
           "an unknown time is no evidence");
    session_destroy();
}

/* Our own times are those of the clock. */
static void
test_ended(void)
{
    struct statelet st = record(UE, 1, 101);

    start();
    struct bearer *b = session_replicated(&st, time_msec());
    session_invalidate(b);
    st.heard_age = 10;
    session_replicated(&st, time_msec());
    tap_ok(b->state == BEARER_STALE,
           "an older proof does not undo what has ended here");
    st.proved_age = 0;
    session_replicated(&st, time_msec() + 10);
    tap_ok(b->state == BEARER_ESTABLISHED, "a later one does");
    session_destroy();

    start();
    b = hear(record(UE, 1, 101));
    own(OTHER_UE, 2, 102, NOW - 500);
    tap_ok(hear(record(UE, 1, 102)) == b && b->state == BEARER_STALE,
           "who has another tunnel, that is another one's, has none");
    session_destroy();
}

static void
test_others(void)
{
    struct statelet st = record(UE, 1, 101);

    start();
    st.op = STATELET_PATH;
    session_restore(&st, NOW);
    st.op = STATELET_ALIVE;
    session_restore(&st, NOW);
    tap_ok(!session_count(), "other records are no bearers");
    session_destroy();
}

static void
test_restored(void)
{
    struct statelet st = record(UE, 1, 201);

    start();
    session_restore(&st, NOW);
    struct bearer *b = find(1);
    tap_ok(hear(record(UE, 1, 101)) == b && b->down_teid == 101,
           "any time is later than what the journal remembers");
    session_destroy();
}

/* It tells of both bearers of a dual-stack UE, one after the other. */
static void
test_both_families(void)
{
    const struct in6_addr enb = ip(ENB), other = ip(OTHER_UE);
    const struct in6_addr ue6 = ip("2001:db8::2");
    const struct fteid up = { ip(SGW), 1 };
    struct statelet v4 = record(UE, 1, 101);
    struct statelet v6 = record("2001:db8::2", 1, 101);

    v4.paired = v6.paired = true;
    start();
    struct bearer *b4 = hear(v4), *b6 = hear(v6);
    tap_ok(b4->state == BEARER_ESTABLISHED && b6->state == BEARER_ESTABLISHED,
           "the proofs of both families are believed");
    tap_ok(session_dual_stack(b4) == b6 && session_dual_stack(b6) == b4,
           "and that they are one UE's");
    session_destroy();

    start();
    v4.heard_age = 0;
    b4 = session_uplink(&enb, &up, &other, NOW);
    b6 = session_uplink(&enb, &up, &ue6, NOW);
    session_uplink(&enb, &up, &other, NOW);
    tap_ok(session_dual_stack(b6) == b4,
           "one that was heard here is of a pair");
    session_forget(b4, "deleted");
    hear(v4);
    tap_ok(!session_dual_stack(b6),
           "which is not the one that is only told of");
    session_destroy();
}

int
main(void)
{
    test_new();
    test_own();
    test_namesakes();
    test_gone();
    test_reuse();
    test_moved();
    test_contradiction();
    test_ended();
    test_others();
    test_restored();
    test_both_families();
    return tap_done();
}
