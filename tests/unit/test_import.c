/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What an import takes, and what it leaves alone. */

#include <config.h>

#include "persist/import.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "address.h"
#include "conf/conf.h"
#include "session/session.h"
#include "session/statelet.h"
#include "tap.h"
#include "timeval.h"
#include "util.h"

#define ENB "10.1.0.1"
#define SGW "10.1.0.2"
#define UE "10.45.0.2"

static struct conf conf;

static void
start(unsigned int max)
{
    conf = (struct conf) { .state_dir = NULL };
    session_init(max, 10000, NULL);
    import_init(&conf);
}

/* A bearer heard here. */
static struct bearer *
hear(uint32_t teid, const char *ue)
{
    const struct in6_addr enb = ip(ENB), ue_addr = ip(ue);
    const struct fteid up = { ip(SGW), teid };

    return session_uplink(&enb, &up, &ue_addr, time_msec());
}

static void
prove(struct bearer *b, uint32_t teid)
{
    const struct in6_addr sgw = ip(SGW);
    const struct fteid down = { ip(ENB), teid };

    session_proved(b, &sgw, &down, 0, time_msec());
}

/* A proved one's, from another TOF. */
static struct statelet
record(uint32_t teid_up, uint32_t teid_down, const char *ue)
{
    return (struct statelet) {
        .op = STATELET_BEARER, .bearer_id = 0x101, .session_id = 0x101,
        .proved = true, .teid_up = teid_up, .teid_down = teid_down,
        .ue = ip(ue), .enb = ip(ENB), .sgw = ip(SGW), .down_enb = ip(ENB),
        .down_sgw = ip(SGW), .time_ms = time_wall_msec(),
    };
}

static struct bearer *
find(uint32_t teid, sa_family_t family)
{
    const struct fteid up = { ip(SGW), teid };

    return session_bearer_by_uplink(&up, family);
}

static bool
has_down(const struct bearer *b, uint32_t teid)
{
    return (b && b->down_known && b->down_teid == teid
            && IN6_ARE_ADDR_EQUAL(b->down_sgw, b->sgw));
}

static void
test_known_but_not_proved(void)
{
    struct statelet st = record(1, 101, UE);
    struct bearer *b;

    start(100);
    tap_ok(!import_problem(&st) && import_bearer(&st), "is taken");
    b = find(1, AF_INET);
    tap_ok(has_down(b, 101) && b->state == BEARER_STALE
           && b->judged == LLONG_MIN, "both tunnels are known, none proved");
    tap_ok(!import_bearer(&st), "the same once more is not taken");
    tap_ok(hear(1, UE) == b && b->state == BEARER_STALE,
           "its UE's packet is that bearer's, and is no proof");
    prove(b, 102);
    tap_ok(has_down(b, 102) && b->state == BEARER_ESTABLISHED,
           "proved here, by another tunnel");
    tap_ok(!import_bearer(&st) && has_down(b, 102)
           && b->state == BEARER_ESTABLISHED, "what is known here stays");
    session_destroy();
}

static void
test_without_downlink(void)
{
    struct statelet st = record(1, 0, UE);

    start(100);
    st.proved = false;
    tap_ok(!import_problem(&st) && import_bearer(&st)
           && !find(1, AF_INET)->down_known, "a bearer without downlink");
    session_destroy();
}

/* The TEIDs of an old snapshot may be others' by now. */
static void
test_others_keep_what_they_have(void)
{
    struct statelet up = record(1, 201, UE), down = record(2, 101, UE);
    struct bearer *b;

    start(100);
    b = hear(1, "10.45.0.9");
    prove(b, 101);
    tap_ok(!import_bearer(&up) && find(1, AF_INET) == b
           && b->state == BEARER_ESTABLISHED, "their uplink tunnel");
    tap_ok(!import_bearer(&down) && has_down(b, 101)
           && b->state == BEARER_ESTABLISHED, "their downlink tunnel");
    session_invalidate(b);
    tap_ok(!import_bearer(&down) && has_down(b, 101), "though not proved now");
    session_destroy();
}

static void
test_default_bearer_answers_for_others(void)
{
    struct statelet one = record(1, 101, UE), two = record(2, 101, UE);

    start(100);
    tap_ok(import_bearer(&one) && import_bearer(&two)
           && has_down(find(1, AF_INET), 101)
           && has_down(find(2, AF_INET), 101),
           "bearers of one UE share a downlink tunnel");
    session_destroy();
}

static void
test_dual_stack(void)
{
    struct statelet v4 = record(1, 101, UE);
    struct statelet v6 = record(1, 101, "2001:db8::2");

    start(100);
    v4.paired = v6.paired = true;
    tap_ok(import_bearer(&v4) && import_bearer(&v6), "both families");
    struct bearer *b4 = find(1, AF_INET), *b6 = find(1, AF_INET6);
    tap_ok(has_down(b4, 101) && has_down(b6, 101), "share their tunnels");
    tap_ok(session_dual_stack(b4) == b6 && session_dual_stack(b6) == b4, 
           "are a dual-stack pair");
    session_destroy();
}

static void
test_ages(void)
{
    struct statelet st = record(1, 101, UE);
    struct bearer *b;

    start(100);
    st.seen_age = 1000;
    st.heard_age = 2000;
    st.time_ms -= 60000;
    import_bearer(&st);
    b = find(1, AF_INET);
    long long int seen = time_msec() - b->seen, heard = time_msec() - b->heard;
    tap_ok(heard >= 62000 && heard < 122000, "a snapshot ages");
    tap_ok(seen >= 1000 && seen < 61000, "but time to be idle stands still");
    session_destroy();

    start(100);
    st.time_ms += 3600000;
    import_bearer(&st);
    tap_ok(find(1, AF_INET)->heard <= time_msec() - 2000,
           "of a clock that is ahead: nothing is in the future");
    session_destroy();
}

/* Whatever a client writes there. */
static void
test_absurd_times(void)
{
    const uint64_t now = time_wall_msec();
    const struct {
        uint64_t time_ms;
        bool old;
    } cases[] = {
        { 0, true }, { 1, true }, { now - STATELET_AGE_MAX, true },
        { INT64_MAX, false }, { (uint64_t) INT64_MAX + 1, false },
        { now - INT64_MAX, false }, { UINT64_MAX, false },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct statelet st = record(1, 101, UE);

        start(100);
        st.heard_age = 5000;
        st.time_ms = cases[i].time_ms;
        import_bearer(&st);
        long long int age = time_msec() - find(1, AF_INET)->heard;
        tap_ok(cases[i].old ? age >= STATELET_AGE_MAX
               : age >= 5000 && age < 65000, "of time %#"PRIx64,
               cases[i].time_ms);
        session_destroy();
    }
}

static void
test_limits(void)
{
    struct statelet one = record(1, 101, UE);
    struct statelet two = record(2, 102, "10.45.0.3");

    start(2);
    prove(hear(3, "10.45.0.4"), 103);
    tap_ok(import_bearer(&one) && !import_bearer(&two) && find(3, AF_INET),
           "none beyond sessions.max, and none for another one");
    session_destroy();

    start(100);
    struct ip_prefix prefix = { ip("10.2.0.0"), 16 };
    conf.s1u.sgws = (struct ip_prefix_list) { .prefixes = &prefix, .n = 1 };
    tap_ok(!import_bearer(&one) && !session_count(), "none of a stranger");
    session_destroy();
}

static void
test_problems(void)
{
    const struct statelet good = record(1, 101, UE);
    struct statelet st;

    st = good, st.op = STATELET_GONE;
    tap_ok(import_problem(&st), "another operation");
    st = good, st.ue = in6addr_any;
    tap_ok(import_problem(&st), "no UE");
    st = good, st.teid_up = 0;
    tap_ok(import_problem(&st), "TEID 0");
    st = good, st.enb = ip("224.0.0.1");
    tap_ok(import_problem(&st), "a group is no eNodeB");
    st = good, st.sgw = ip("2001:db8::1");
    tap_ok(import_problem(&st), "a tunnel has one outer family");
    st = good, st.down_enb = in6addr_any;
    tap_ok(import_problem(&st), "no receiver of the downlink tunnel");
}

int
main(void)
{
    test_known_but_not_proved();
    test_without_downlink();
    test_others_keep_what_they_have();
    test_default_bearer_answers_for_others();
    test_dual_stack();
    test_ages();
    test_absurd_times();
    test_limits();
    test_problems();
    return tap_done();
}
