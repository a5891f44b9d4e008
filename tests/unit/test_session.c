/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The session table's rules, without any packet. */

#include <config.h>

#include "session/session.h"

#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "base/addr.h"
#include "packets.h"
#include "session/space.h"
#include "session/statelet.h"
#include "tap.h"

static unsigned int n_changed, n_moved, n_invalidated, n_gone;

static void
count_event(struct bearer *b, enum bearer_event event, const char *reason)
{
    (void) reason;
    (void) b;
    if (event == BEARER_CHANGED) {
        n_changed++;
    } else if (event == BEARER_MOVED) {
        n_moved++;
    } else if (event == BEARER_INVALIDATED) {
        n_invalidated++;
    } else {
        n_gone++;
    }
}

static void
start(unsigned int max)
{
    session_init(max, 10000, count_event);
    n_changed = n_moved = n_invalidated = n_gone = 0;
}

static struct bearer *
uplink(const char *enb, const char *sgw, uint32_t teid, const char *ue,
       long long int now)
{
    struct in6_addr e = ip(enb), u = ip(ue);
    struct fteid up = { ip(sgw), teid };

    return session_uplink(&e, &up, &u, now);
}

static bool
prove(struct bearer *b, const char *sgw, const char *enb, uint32_t teid,
      long long int now)
{
    struct in6_addr s = ip(sgw);
    struct fteid down = { ip(enb), teid };

    return session_proved(b, &s, &down, 0, now);
}

static bool
has_ue_addr(const struct bearer *b, const struct in6_addr *addr)
{
    const struct in6_addr seen = bearer_ue_addr(b);

    return IN6_ARE_ADDR_EQUAL(&seen, addr);
}

static void
test_life(void)
{
    struct fteid up = { ip("10.1.0.2"), 1 }, down = { ip("10.1.0.1"), 101 };

    start(100);
    struct bearer *b = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 10);
    uint32_t id = b->id;
    tap_ok(b->state == BEARER_EMBRYONIC && id, "a new bearer is embryonic");
    tap_ok(uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 20) == b,
       "the same tunnel is the same bearer");
    prove(b, "10.1.0.2", "10.1.0.1", 101, 30);
    tap_ok(b->state == BEARER_ESTABLISHED && bearer_proved(b) == 30, "a proof");
    tap_ok(session_bearer_by_uplink(&up, AF_INET) == b
       && session_bearer_by_downlink(&down) == b
       && session_bearer_by_id(id) == b, "found by each key");
    session_invalidate(b);
    tap_ok(b->state == BEARER_STALE && n_invalidated == 1, "invalidated");
    session_forget(b, "deleted");
    tap_ok(!session_bearer_by_id(id) && !session_bearer_by_uplink(&up, AF_INET)
       && !session_bearer_by_downlink(&down) && !session_count()
       && n_gone == 1, "forgotten, and its session with it");
    b = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 40);
    tap_ok(b->id != id, "an identifier is not used again at once");
    session_destroy();
}

/* 5G: a QFI of 0 is not none, and another one is not another tunnel. */
static void
test_qfi(void)
{
    struct in6_addr sgw = ip("10.1.0.2");
    struct fteid down = { ip("10.1.0.1"), 101 };

    start(100);
    struct bearer *b = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 0);
    prove(b, "10.1.0.2", "10.1.0.1", 101, 0);
    tap_ok(!bearer_describe(b).down_qfi && n_changed == 2, "no QFI");
    session_proved(b, &sgw, &down, QFI_PRESENT, 1);
    tap_ok(bearer_describe(b).down_qfi == QFI_PRESENT && n_changed == 3
           && !n_invalidated && b->state == BEARER_ESTABLISHED,
           "QFI 0 is worth persisting, and ends no proof");
    session_proved(b, &sgw, &down, QFI_PRESENT, 2);
    tap_ok(n_changed == 3, "the same one is no change");
    session_destroy();
}

static void
test_handover(void)
{
    struct fteid old = { ip("10.1.0.1"), 101 };

    start(100);
    struct bearer *b = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 0);
    prove(b, "10.1.0.2", "10.1.0.1", 101, 0);
    tap_ok(uplink("10.1.0.9", "10.1.0.2", 1, "10.45.0.2", 5) == b
       && b->state == BEARER_STALE, "a new sender makes the bearer stale");
    prove(b, "10.1.0.2", "10.1.0.9", 7, 6);
    tap_ok(!session_bearer_by_downlink(&old), "the old downlink is forgotten");

    uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 7);
    tap_ok(!prove(b, "10.1.0.2", "10.1.0.9", 7, 8) && b->state == BEARER_STALE,
           "a reply on the path before the handover proves nothing");
    uplink("10.1.0.3", "10.1.0.2", 1, "10.45.0.2", 9);
    tap_ok(!prove(b, "10.1.0.2", "10.1.0.9", 7, 10),
           "nor after another handover");
    tap_ok(prove(b, "10.1.0.2", "10.1.0.3", 8, 11) && b->down_teid == 8,
           "the new path does");
    uplink("10.1.0.9", "10.1.0.2", 1, "10.45.0.2", 12);
    uplink("10.1.0.3", "10.1.0.2", 1, "10.45.0.2", 13);
    tap_ok(prove(b, "10.1.0.2", "10.1.0.3", 8, 14),
           "and so does the old one if the UE has come back");

    uplink("10.1.0.9", "10.1.0.2", 1, "10.45.0.2", 15);
    struct bearer *two = uplink("10.1.0.9", "10.1.0.2", 2, "10.45.0.2", 16);
    tap_ok(!prove(two, "10.1.0.2", "10.1.0.3", 8, 17),
           "another bearer of the UE is not proved by its old path");
    prove(b, "10.1.0.2", "10.1.0.9", 9, 18);
    prove(two, "10.1.0.2", "10.1.0.9", 9, 18);
    uplink("10.1.0.3", "10.1.0.2", 1, "10.45.0.2", 19);
    tap_ok(two->state == BEARER_STALE,
           "a UE leaves an eNodeB with all of its bearers");

    b = uplink("10.1.0.1", "10.1.0.2", 5, "10.45.0.5", 0);
    prove(b, "10.1.0.2", "10.1.0.4", 55, 1);
    uplink("10.1.0.9", "10.1.0.2", 5, "10.45.0.5", 2);
    tap_ok(prove(b, "10.1.0.2", "10.1.0.4", 55, 3),
           "where senders are no receivers, they tell nothing of them");
    session_destroy();
}

static void
test_shared_downlink(void)
{
    struct fteid down = { ip("10.1.0.1"), 101 };

    start(100);
    struct bearer *a = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 0);
    struct bearer *b = uplink("10.1.0.1", "10.1.0.2", 2, "10.45.0.2", 0);
    prove(a, "10.1.0.2", "10.1.0.1", 101, 1);
    tap_ok(a->session != b->session, "a new bearer may be another UE's");
    prove(b, "10.1.0.2", "10.1.0.1", 101, 2);
    tap_ok(a->state == BEARER_ESTABLISHED && b->state == BEARER_ESTABLISHED
           && a->session == b->session && session_count() == 1
           && n_changed == 4,
           "it is the same UE's if the same downlink tunnel answers it");
    struct bearer *first = session_bearer_by_downlink(&down);
    struct bearer *second = session_next_by_downlink(first);
    tap_ok(first != second && second && !session_next_by_downlink(second),
           "both are found by it");
    struct bearer *c = uplink("10.1.0.1", "10.1.0.2", 3, "10.45.0.3", 3);
    prove(c, "10.1.0.2", "10.1.0.1", 101, 4);
    tap_ok(a->state == BEARER_STALE && b->state == BEARER_STALE
           && session_bearer_by_downlink(&down) == c
           && !session_next_by_downlink(c), "another UE takes it from both");
    session_destroy();
}

/* A UE that was idle for a moment is back at its eNodeB, which answers in a
 * new tunnel: what it sends says nothing for the old one, whose TEID is
 * free. */
static void
test_shared_downlink_is_left(void)
{
    start(100);
    struct bearer *a = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 0);
    struct bearer *b = uplink("10.1.0.1", "10.1.0.2", 2, "10.45.0.2", 0);
    prove(a, "10.1.0.2", "10.1.0.1", 101, 1);
    prove(b, "10.1.0.2", "10.1.0.1", 101, 2);
    prove(b, "10.1.0.2", "10.1.0.1", 102, 3);
    tap_ok(a->state == BEARER_STALE && b->state == BEARER_ESTABLISHED,
           "another tunnel answers a bearer: others of that UE are stale");
    prove(a, "10.1.0.2", "10.1.0.1", 102, 4);
    tap_ok(a->state == BEARER_ESTABLISHED && b->state == BEARER_ESTABLISHED
           && a->session == b->session, "until it answers them, too");
    prove(a, "10.1.0.2", "10.1.0.1", 103, 5);
    prove(b, "10.1.0.2", "10.1.0.1", 104, 6);
    prove(a, "10.1.0.2", "10.1.0.1", 105, 7);
    tap_ok(b->state == BEARER_ESTABLISHED, "each with a tunnel of its own");
    session_destroy();
}

static void
test_activity(void)
{
    start(100);
    struct bearer *b = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 0);
    uint32_t id = b->id;
    prove(b, "10.1.0.2", "10.1.0.1", 101, 500);
    session_expire(600, 300, 550, 10);
    tap_ok(!session_bearer_by_id(id), "the Pinger's traffic is no activity");
    b = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 0);
    id = b->id;
    prove(b, "10.1.0.2", "10.1.0.1", 101, 1);
    session_touch(b, 500);
    session_expire(600, 300, 550, 10);
    tap_ok(session_bearer_by_id(id) && b->heard == 0,
           "traffic to the UE is, though it says nothing of the UE");
    session_destroy();
}

static void
test_reuse(void)
{
    start(100);
    struct bearer *a = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 0);
    prove(a, "10.1.0.2", "10.1.0.1", 101, 0);
    uint32_t a_id = a->id;
    struct bearer *b = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.3", 5);
    tap_ok(b->id != a_id && !session_bearer_by_id(a_id)
       && b->state == BEARER_EMBRYONIC,
       "another UE on the uplink TEID: the old bearer is gone");
    prove(b, "10.1.0.2", "10.1.0.1", 101, 6);
    struct bearer *c = uplink("10.1.0.1", "10.1.0.2", 2, "10.45.0.4", 7);
    prove(c, "10.1.0.2", "10.1.0.1", 101, 8);
    tap_ok(b->state == BEARER_STALE && !b->down_known
       && c->state == BEARER_ESTABLISHED,
       "a downlink tunnel has one bearer: the last one proved");
    session_destroy();
}

/* Conntrack entries with a bearer's mark and counts of its traffic are taken
 * out within about a second. */
static void
test_use(void)
{
    start(100);
    mallopt(M_PERTURB, 0x55);           /* Memory is not zero by chance. */
    struct bearer *b = uplink("10.1.0.1", "10.1.0.2", 7, "10.45.0.1", 10);
    const struct bearer_use none = *bearer_use_get(b);
    const struct bearer_use *use = bearer_use(b);

    mallopt(M_PERTURB, 0);
    tap_ok(!memcmp(use, &none, sizeof none) && !none.counters.packets_up
           && bearer_use_get(b) == use, "use of a service starts from nothing");
    session_destroy();
}

static void
test_identifiers_rest(void)
{
    start(100);
    uint32_t first = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 0)->id;
    unsigned int n = 0;
    uint32_t id;

    do {
        id = uplink("10.1.0.1", "10.1.0.2", 1,
                    n++ % 2 ? "10.45.0.2" : "10.45.0.3", 0)->id;
    } while (id != first && n < 200000);
    tap_ok(id != first, "an identifier is not used again for long, even if "
           "one tunnel has another UE with each packet");
    session_destroy();
}

static void
test_spaces(void)
{
    struct in6_addr ue = ip("10.45.0.2");

    start(100);
    struct bearer *a = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 0);
    tap_ok(session_find_unambiguous(&ue) == a->session, "unambiguous");
    struct bearer *b = uplink("10.1.0.1", "10.1.0.3", 1, "10.45.0.2", 0);
    tap_ok(a != b && a->session != b->session
       && a->session->space != b->session->space,
       "a UE address behind two SGWs is two sessions");
    tap_ok(!session_find_unambiguous(&ue), "ambiguous");
    session_destroy();
}

static void
test_namesakes(void)
{
    start(100);
    struct bearer *a = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 0);
    struct bearer *b = uplink("10.1.0.1", "10.1.0.2", 2, "10.45.0.2", 0);
    struct bearer *x = uplink("10.1.0.1", "10.1.0.2", 3, "10.45.0.3", 0);
    tap_ok(a->session->space != b->session->space
           && x->session->space == a->session->space,
           "equal addresses behind an SGW are in different spaces");
    tap_ok(session_next_namesake(a->session, NULL) == b->session
           && !session_next_namesake(a->session, b->session)
           && !session_next_namesake(x->session, NULL),
           "namesakes are found");
    prove(a, "10.1.0.2", "10.1.0.1", 101, 1);
    prove(b, "10.1.0.2", "10.1.0.1", 102, 2);
    tap_ok(a->session != b->session && a->state == BEARER_ESTABLISHED,
           "answered by different tunnels, they are two UEs");

    prove(b, "10.1.0.2", "10.1.0.1", 101, 3);
    tap_ok(a->session != b->session && a->state == BEARER_ESTABLISHED
           && b->state == BEARER_ESTABLISHED,
           "who is placed stays, and shares if both are one UE");
    prove(a, "10.1.0.2", "10.1.0.1", 101, 20000);
    tap_ok(b->state == BEARER_STALE,
           "but what was proved long ago may have been another UE's");
    session_destroy();

    start(100);
    a = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 0);
    prove(a, "10.1.0.2", "10.1.0.1", 101, 1);
    b = uplink("10.1.0.1", "10.1.0.2", 2, "10.45.0.2", 20000);
    prove(b, "10.1.0.2", "10.1.0.1", 101, 20000);
    tap_ok(a->session != b->session && a->state == BEARER_STALE,
           "an old proof does not make it the same UE");
    session_destroy();
}

/* In whichever order their records come. */
static void
test_restore_namesakes(void)
{
    struct statelet st[2];
    uint16_t spaces[2];

    start(100);
    for (uint32_t i = 0; i < 2; i++) {
        struct bearer *b = uplink("10.1.0.1", "10.1.0.2", 1 + i, "10.45.0.2",
                                  0);
        prove(b, "10.1.0.2", "10.1.0.1", 101 + i, 0);
        session_to_statelet(b, &st[i]);
        spaces[i] = b->session->space->number;
    }
    session_destroy();
    start(100);
    session_restore(&st[1], 5);
    session_restore(&st[0], 5);
    struct bearer *a = session_bearer_by_id(st[0].bearer_id);
    struct bearer *b = session_bearer_by_id(st[1].bearer_id);
    tap_ok(a->session->space->number == spaces[0]
           && b->session->space->number == spaces[1],
           "equal addresses are restored in their spaces");
    prove(b, "10.1.0.2", "10.1.0.1", 101, 5);
    tap_ok(a->session != b->session, "and stay there");
    session_destroy();
}

static void
test_many_namesakes(void)
{
    start(10000);
    for (uint32_t i = 0; i < SPACES_PER_SGW; i++) {
        uplink("10.1.0.1", "10.1.0.2", 1 + i, "10.45.0.2", 0);
    }
    tap_ok(session_count() == SPACES_PER_SGW
           && !uplink("10.1.0.1", "10.1.0.2", 999, "10.45.0.2", 0)
           && uplink("10.1.0.1", "10.1.0.2", 999, "10.45.0.3", 0),
           "one address takes a bounded number of spaces");
    session_destroy();
}

static void
test_spaces_end(void)
{
    start(1000000);
    for (int i = 0; i < UINT16_MAX; i++) {
        char sgw[16];

        snprintf(sgw, sizeof sgw, "10.2.%d.%d", i >> 8, i & 255);
        uplink("10.1.0.1", sgw, 1, "10.45.0.2", 0);
    }
    tap_ok(session_count() == UINT16_MAX
           && !uplink("10.1.0.1", "10.3.0.1", 1, "10.45.0.2", 0),
           "no address space is left for one more SGW");
    struct fteid up = { ip("10.2.9.9"), 1 };
    struct bearer *b = session_bearer_by_uplink(&up, AF_INET);
    uint16_t number = b->session->space->number;
    session_forget(b, "deleted");
    b = uplink("10.1.0.1", "10.3.0.1", 1, "10.45.0.2", 0);
    tap_ok(b && b->session->space->number == number,
           "until another one has no sessions any more");
    session_destroy();
}

static void
test_bounds(void)
{
    start(8);
    for (uint32_t i = 1; i <= 100; i++) {
        uplink("10.1.0.1", "10.1.0.2", i, "10.45.0.2", i);
    }
    tap_ok(session_bearer_count(BEARER_EMBRYONIC) == 2,
       "embryonic bearers fill a share of the table only");
    session_destroy();

    start(8);
    for (uint32_t i = 1; i <= 8; i++) {
        struct bearer *b = uplink("10.1.0.1", "10.1.0.2", i, "10.45.0.2", i);
        prove(b, "10.1.0.2", "10.1.0.1", i, i);
    }
    tap_ok(!uplink("10.1.0.1", "10.1.0.2", 9, "10.45.0.2", 9)
       && session_bearer_count(BEARER_ESTABLISHED) == 8,
       "established bearers are not evicted");
    session_expire(1000, 30, 995, 100);
    tap_ok(session_bearer_count(BEARER_ESTABLISHED) == 4, "idle ones expire");
    session_destroy();
}

static void
test_restore(void)
{
    struct statelet st[3];
    uint32_t ids[3], sessions[3];

    start(100);
    for (uint32_t i = 0; i < 3; i++) {
        struct bearer *b = uplink("10.1.0.1", "10.1.0.2", i + 1,
                                  i < 2 ? "10.45.0.2" : "10.45.0.3", 0);
        prove(b, "10.1.0.2", "10.1.0.1", i < 2 ? 101 : 102, 0);
        session_to_statelet(b, &st[i]);
        ids[i] = b->id;
        sessions[i] = b->session->id;
    }
    session_destroy();

    start(100);
    for (int i = 2; i >= 0; i--) {
        session_restore(&st[i], 5);
    }
    session_restore(&st[1], 5);
    bool same = session_count() == 2;
    for (int i = 0; i < 3; i++) {
        struct bearer *b = session_bearer_by_id(ids[i]);
        same = same && b && b->session->id == sessions[i]
            && b->state == BEARER_ESTABLISHED
            && b->down_teid == (i < 2 ? 101 : 102);
    }
    tap_ok(same, "restored in any order, and twice, with the same identifiers");
    st[0].op = STATELET_GONE;
    session_restore(&st[0], 5);
    tap_ok(!session_bearer_by_id(ids[0]) && session_bearer_by_id(ids[1]),
       "a record of its end");
    struct bearer *n = uplink("10.1.0.1", "10.1.0.2", 50, "10.45.0.9", 6);
    tap_ok(n->id != ids[1] && n->id != ids[2], "new identifiers are new");
    session_destroy();
}

static void
test_paging(void)
{
    unsigned int n = 0;

    start(100);
    for (uint32_t i = 1; i <= 10; i++) {
        char ue[32];
        snprintf(ue, sizeof ue, "10.45.0.%u", i);
        struct bearer *b = uplink("10.1.0.1", "10.1.0.2", i, ue, i);
        prove(b, "10.1.0.2", "10.1.0.1", i, i);
    }
    for (struct session *s = session_next(0); s; n++) {
        uint32_t id = s->id;
        if (n % 2) {
            session_forget(s->first, "deleted");
        }
        s = session_next(id);
    }
    tap_ok(n == 10 && session_count() == 5, "paging goes on while some go away");
    session_destroy();
}

#define UE4 "10.45.0.2"
#define UE6 "2001:db8:1:2::5"

static void
test_prefix(void)
{
    struct in6_addr key = ip("2001:db8:1:2::");

    start(100);
    struct bearer *b = uplink("10.1.0.1", "10.1.0.2", 1, UE6, 0);
    tap_ok(IN6_ARE_ADDR_EQUAL(&b->session->ue, &key)
           && session_find_unambiguous(&key) == b->session,
           "an IPv6 UE is a /64");
    prove(b, "10.1.0.2", "10.1.0.1", 101, 0);
    struct in6_addr other = ip("2001:db8:1:2:a:b:c:d");
    tap_ok(uplink("10.1.0.1", "10.1.0.2", 1, "2001:db8:1:2:a:b:c:d", 1) == b
           && b->state == BEARER_ESTABLISHED
           && has_ue_addr(b, &other),
           "another interface identifier is the same UE, and noted");
    uint32_t id = b->id;
    b = uplink("10.1.0.1", "10.1.0.2", 1, "2001:db8:1:3::5", 2);
    tap_ok(b->id != id && !session_bearer_by_id(id),
           "another /64 is another UE");
    session_destroy();
}

/* In one tunnel: IPv4 in 'b[0]', IPv6 in 'b[1]', both proved. */
static void
start_dual_stack(struct bearer *b[2])
{
    start(100);
    b[0] = uplink("10.1.0.1", "10.1.0.2", 1, UE4, 0);
    b[1] = uplink("10.1.0.1", "10.1.0.2", 1, UE6, 0);
    uplink("10.1.0.1", "10.1.0.2", 1, UE4, 0);
    prove(b[0], "10.1.0.2", "10.1.0.1", 101, 1);
    prove(b[1], "10.1.0.2", "10.1.0.1", 101, 1);
}

static void
test_dual_stack(void)
{
    struct fteid up = { ip("10.1.0.2"), 1 }, down = { ip("10.1.0.1"), 101 };
    struct bearer *b[2];

    start_dual_stack(b);
    tap_ok(b[0] != b[1] && b[0]->id != b[1]->id
           && b[0]->session != b[1]->session,
           "two families in one tunnel: a bearer and a session each");
    tap_ok(b[0]->state == BEARER_ESTABLISHED
           && b[1]->state == BEARER_ESTABLISHED && b[0]->down_known,
           "both are proved for the same downlink tunnel");
    tap_ok(session_bearer_by_uplink(&up, AF_INET) == b[0]
           && session_bearer_by_uplink(&up, AF_INET6) == b[1]
           && session_other_family(b[0]) == b[1]
           && session_other_family(b[1]) == b[0],
           "each is found by its family");
    session_forget(b[0], "deleted");
    tap_ok(!session_other_family(b[1]) && b[1]->state == BEARER_ESTABLISHED
           && session_bearer_by_downlink(&down) == b[1],
           "one of them may go");
    session_destroy();
}

static void
test_dual_stack_pair(void)
{
    start(100);
    struct bearer *a = uplink("10.1.0.1", "10.1.0.2", 1, UE4, 0);
    prove(a, "10.1.0.2", "10.1.0.1", 101, 1);
    struct bearer *b = uplink("10.1.0.1", "10.1.0.2", 1, UE6, 2);
    tap_ok(session_other_family(a) == b && !session_dual_stack(a)
           && !session_dual_stack(b),
           "both families are no pair: the TEID may have been reused");
    prove(b, "10.1.0.2", "10.1.0.1", 101, 3);
    tap_ok(a->state == BEARER_STALE && b->state == BEARER_ESTABLISHED,
           "so a downlink tunnel belongs to the one proved last");
    uplink("10.1.0.1", "10.1.0.2", 1, UE4, 4);
    prove(a, "10.1.0.2", "10.1.0.1", 101, 5);
    tap_ok(session_dual_stack(a) == b && session_dual_stack(b) == a
           && a->state == BEARER_ESTABLISHED
           && b->state == BEARER_ESTABLISHED,
           "they are when both are heard, and share it");
    session_touch(b, 1000);
    session_expire(1100, 500, 500, 10);
    tap_ok(session_count() == 2, "traffic of one keeps both");
    session_forget(b, "deleted");
    b = uplink("10.1.0.1", "10.1.0.2", 1, "2001:db8:1:9::1", 6);
    tap_ok(!session_dual_stack(a) && !session_dual_stack(b),
           "not with a new one of the other family");

    struct bearer *c = uplink("10.1.0.1", "10.1.0.2", 2, UE4, 7);
    uplink("10.1.0.1", "10.1.0.2", 1, UE4, 8);
    prove(b, "10.1.0.2", "10.1.0.1", 101, 9);
    prove(c, "10.1.0.2", "10.1.0.1", 101, 9);
    tap_ok(b->state == BEARER_ESTABLISHED && c->state == BEARER_ESTABLISHED
           && a->state == BEARER_ESTABLISHED,
           "another bearer of the pair's UE shares it, too");
    session_destroy();
}

static void
test_dual_stack_ends(void)
{
    struct bearer *b[2];

    start_dual_stack(b);
    uplink("10.1.0.9", "10.1.0.2", 1, UE4, 2);
    tap_ok(b[0]->state == BEARER_STALE && b[1]->state == BEARER_STALE
           && IN6_ARE_ADDR_EQUAL(b[1]->enb, b[0]->enb) && n_moved == 2,
           "a new sender is that of both");
    tap_ok(!prove(b[1], "10.1.0.2", "10.1.0.1", 101, 3)
           && b[1]->state == BEARER_STALE,
           "a reply on the path before the handover proves neither");
    session_destroy();

    start(100);
    b[0] = uplink("10.1.0.1", "10.1.0.2", 1, UE4, 0);
    prove(b[0], "10.1.0.2", "10.1.0.1", 101, 1);
    uplink("10.1.0.9", "10.1.0.2", 1, UE4, 2);
    b[1] = uplink("10.1.0.9", "10.1.0.2", 1, UE6, 3);
    tap_ok(!prove(b[1], "10.1.0.2", "10.1.0.1", 101, 4)
           && b[1]->state == BEARER_EMBRYONIC,
           "nor one of a family that is heard after the handover only");
    session_destroy();

    start_dual_stack(b);
    uint32_t ids[] = { b[0]->id, b[1]->id };
    uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.3", 2);
    tap_ok(!session_bearer_by_id(ids[0]) && !session_bearer_by_id(ids[1])
           && n_gone == 2, "another UE on the uplink TEID: both are gone");
    session_destroy();

    start_dual_stack(b);
    struct bearer *c = uplink("10.1.0.1", "10.1.0.2", 2, "10.45.0.3", 2);
    prove(c, "10.1.0.2", "10.1.0.1", 101, 3);
    tap_ok(b[0]->state == BEARER_STALE && b[1]->state == BEARER_STALE
           && !b[0]->down_known && !b[1]->down_known,
           "the downlink tunnel proved for another uplink: both lose it");
    session_destroy();
}

static void
test_dual_stack_restore(void)
{
    struct statelet st[2];
    struct bearer *b[2];
    uint32_t ids[2];

    start_dual_stack(b);
    b[1]->up_dscp = 46;
    b[1]->down_dscp = 10;
    for (int i = 0; i < 2; i++) {
        session_to_statelet(b[i], &st[i]);
        ids[i] = b[i]->id;
    }
    session_destroy();

    start(100);
    session_restore(&st[0], 5);
    session_restore(&st[1], 5);
    struct in6_addr addr = ip(UE6);
    struct bearer *v6 = session_bearer_by_id(ids[1]);
    tap_ok(session_bearer_by_id(ids[0]) && v6
           && session_other_family(v6) == session_bearer_by_id(ids[0])
           && v6->state == BEARER_ESTABLISHED && v6->up_dscp == 46
           && v6->down_dscp == 10 && session_dual_stack(v6)
           && has_ue_addr(v6, &addr),
           "both are restored");
    session_destroy();
}

/* Neither is it forgotten by a restart, nor does it outlast a proof. */
static void
test_unanswered(void)
{
    struct statelet st;

    start(100);
    struct bearer *b = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.2", 0);
    n_changed = 0;
    session_unanswered(b);
    session_unanswered(b);
    tap_ok(b->unanswered && n_changed == 1, "unanswered, which is told once");
    session_to_statelet(b, &st);
    session_forget(b, "test");
    session_restore(&st, 5);
    b = session_bearer_by_id(st.bearer_id);
    tap_ok(b && b->unanswered, "restored as that");
    n_changed = 0;
    tap_ok(prove(b, "10.1.0.2", "10.1.0.1", 2, 6) && !b->unanswered
           && n_changed == 1, "a proof ends it");
    session_unanswered(b);
    n_changed = 0;
    tap_ok(prove(b, "10.1.0.2", "10.1.0.1", 2, 7) && !b->unanswered
           && n_changed == 1, "one that says nothing else, too");
    session_unanswered(b);
    b = uplink("10.1.0.1", "10.1.0.2", 1, "10.45.0.99", 8);
    tap_ok(b && !b->unanswered, "another UE in the tunnel has not been asked");
    session_destroy();
}

int
main(void)
{
    test_life();
    test_unanswered();
    test_qfi();
    test_handover();
    test_shared_downlink();
    test_shared_downlink_is_left();
    test_activity();
    test_reuse();
    test_use();
    test_identifiers_rest();
    test_spaces();
    test_spaces_end();
    test_namesakes();
    test_restore_namesakes();
    test_many_namesakes();
    test_bounds();
    test_restore();
    test_paging();
    test_prefix();
    test_dual_stack();
    test_dual_stack_pair();
    test_dual_stack_ends();
    test_dual_stack_restore();
    return tap_done();
}
