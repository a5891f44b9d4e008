/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The session table: see session.h for what it is and its rules.
 *
 * Bearers are found by identifier (idtable), by uplink F-TEID and by downlink
 * F-TEID (one hmap each; siblings share a chain); sessions by UE and address
 * space (space.c).  Bearers
 * are also kept in order of 'seen', one list for embryonic ones and one for
 * the rest, so that expiry and eviction look at nobody else. */

#include <config.h>

#include "session.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "hash.h"
#include "idtable.h"
#include "metrics.h"
#include "space.h"
#include "statelet.h"
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

static struct idtable bearer_ids, session_ids;
static struct hmap by_uplink, by_downlink, by_ue;
static struct ovs_list embryonic, rest;         /* Oldest 'seen' first. */
static size_t n_state[3];
static size_t n_sessions;
static unsigned int max_bearers;
static bearer_event_cb *event_cb;

static uint32_t
hash_addr(const struct in6_addr *addr, uint32_t basis)
{
    return hash_bytes(addr, sizeof *addr, basis);
}

static uint32_t
hash_fteid(const struct fteid *f)
{
    return hash_addr(&f->addr, f->teid);
}

static bool
fteid_equal(const struct fteid *a, const struct fteid *b)
{
    return a->teid == b->teid && IN6_ARE_ADDR_EQUAL(&a->addr, &b->addr);
}

void
session_init(unsigned int max_bearers_, bearer_event_cb *cb)
{
    idtable_init(&bearer_ids);
    idtable_init(&session_ids);
    hmap_init(&by_uplink);
    hmap_init(&by_downlink);
    hmap_init(&by_ue);
    space_init();
    ovs_list_init(&embryonic);
    ovs_list_init(&rest);
    memset(n_state, 0, sizeof n_state);
    n_sessions = 0;
    max_bearers = max_bearers_;
    event_cb = cb;
}

void
session_destroy(void)
{
    struct bearer *b;
    uint32_t id = 0;

    event_cb = NULL;
    while ((b = session_next_bearer(id))) {
        id = b->id;
        session_forget(b);
    }
    space_destroy();
    hmap_destroy(&by_uplink);
    hmap_destroy(&by_downlink);
    hmap_destroy(&by_ue);
    idtable_destroy(&bearer_ids);
    idtable_destroy(&session_ids);
}

static void
tell(const struct bearer *b, enum bearer_event event)
{
    if (event_cb) {
        event_cb(b, event);
    }
}

static struct session *
session_get(const struct in6_addr *ue_addr, struct space *space, uint32_t id,
            long long int now)
{
    const struct in6_addr ue = addr_ue_key(ue_addr);
    struct session *s = session_find(&ue, space);

    if (!s) {
        s = xzalloc(sizeof *s);
        s->ue = ue;
        s->space = space;
        space->n_sessions++;
        s->created = now;
        ovs_list_init(&s->bearers);
        s->id = (id && idtable_restore(&session_ids, id, s)
                 ? id : idtable_add(&session_ids, s));
        hmap_insert(&by_ue, &s->ue_node, hash_addr(&ue, 0));
        n_sessions++;
    }
    return s;
}

static void
set_seen(struct bearer *b, long long int seen)
{
    b->seen = seen;
    ovs_list_remove(&b->age_node);
    ovs_list_push_back(b->state == BEARER_EMBRYONIC ? &embryonic : &rest,
                       &b->age_node);
}

/* Of a UE that has lately used one family only, the other one must not expire:
 * it may be the one that is proved for both. */
void
session_touch(struct bearer *b, long long int now)
{
    struct bearer *twin = session_twin(b);

    set_seen(b, now);
    if (twin) {
        set_seen(twin, now);
    }
}

static void
set_state(struct bearer *b, enum bearer_state state)
{
    bool was_embryonic = b->state == BEARER_EMBRYONIC;

    n_state[b->state]--;
    b->state = state;
    n_state[state]++;
    if (was_embryonic) {
        /* To the other list. */
        set_seen(b, b->seen);
    }
}

static struct bearer *
bearer_create(uint32_t id, struct session *s, const struct in6_addr *enb,
              const struct fteid *up, long long int now)
{
    struct bearer *b = xzalloc(sizeof *b);

    b->id = (id && idtable_restore(&bearer_ids, id, b)
             ? id : idtable_add(&bearer_ids, b));
    b->session = s;
    b->enb = *enb;
    b->up = *up;
    b->created = b->seen = b->heard = now;
    b->proved = LLONG_MIN;
    b->natural = b->onward = b->unready = LLONG_MIN / 2;
    hmap_insert(&by_uplink, &b->up_node, hash_fteid(up));
    ovs_list_push_back(&s->bearers, &b->session_node);
    ovs_list_push_back(&embryonic, &b->age_node);
    n_state[BEARER_EMBRYONIC]++;
    return b;
}

static void
set_down(struct bearer *b, const struct fteid *down)
{
    if (b->down_known) {
        hmap_remove(&by_downlink, &b->down_node);
    }
    b->down_known = down != NULL;
    b->down_retired = false;
    if (down) {
        b->down = *down;
        hmap_insert(&by_downlink, &b->down_node, hash_fteid(down));
    }
}

void
session_forget(struct bearer *b)
{
    struct session *s = b->session;

    tell(b, BEARER_GONE);
    set_down(b, NULL);
    hmap_remove(&by_uplink, &b->up_node);
    ovs_list_remove(&b->session_node);
    ovs_list_remove(&b->age_node);
    idtable_remove(&bearer_ids, b->id);
    n_state[b->state]--;
    free(b);

    if (ovs_list_is_empty(&s->bearers)) {
        hmap_remove(&by_ue, &s->ue_node);
        idtable_remove(&session_ids, s->id);
        n_sessions--;
        space_put(s->space);
        free(s);
    }
}

static struct bearer *
oldest_embryonic(void)
{
    return ovs_list_is_empty(&embryonic) ? NULL
        : CONTAINER_OF(ovs_list_front(&embryonic), struct bearer, age_node);
}

/* Makes room for one more bearer; false if there is none to be had. */
static bool
make_room(void)
{
    size_t n = hmap_count(&by_uplink);
    size_t cap = MAX(1, max_bearers / EMBRYONIC_SHARE);

    if (n_state[BEARER_EMBRYONIC] >= cap || n >= max_bearers) {
        struct bearer *b = oldest_embryonic();
        if (!b) {
            return false;
        }
        metric_inc(&evicted);
        session_forget(b);
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
                           || IN6_ARE_ADDR_EQUAL(&b->down.addr, &b->enb))
                       && !IN6_ARE_ADDR_EQUAL(&b->down.addr, enb));
}

void
session_heard(struct bearer *b, long long int now)
{
    b->heard = now;
    session_touch(b, now);
    if (!b->beside && session_sibling(b)) {
        b->beside = true;
        tell(b, BEARER_CHANGED);
    }
}

/* A UE moves with all of its bearers: what they had at 'enb' may be gone,
 * though some of them are never heard from where it has been meanwhile. */
static void
leave(const struct session *s, const struct in6_addr *enb)
{
    struct bearer *b;

    LIST_FOR_EACH (b, session_node, &s->bearers) {
        if (IN6_ARE_ADDR_EQUAL(&b->enb, enb)) {
            session_invalidate(b);
        }
    }
}

/* The tunnel of 'b', if there is such a bearer, has another sender. */
static void
set_sender(struct bearer *b, const struct in6_addr *enb)
{
    if (b && !IN6_ARE_ADDR_EQUAL(&b->enb, enb)) {
        leave(b->session, &b->enb);
        retire_down(b, enb);
        b->enb = *enb;
        tell(b, BEARER_MOVED);
    }
}

/* The uplink TEID has been given to another UE. */
static void
forget_tunnel(struct bearer *b)
{
    struct bearer *sibling = session_sibling(b);

    if (sibling) {
        session_forget(sibling);
    }
    session_forget(b);
}

static struct bearer *
learn(const struct in6_addr *enb, const struct fteid *up,
      const struct in6_addr *ue_addr, long long int now)
{
    struct space *space = make_room() ? space_get(&up->addr, 0) : NULL;

    if (!space) {
        metric_inc(&refused);
        return NULL;
    }
    metric_inc(&learned);

    struct bearer *b = bearer_create(0, session_get(ue_addr, space, 0, now),
                                     enb, up, now);
    struct bearer *sibling = session_sibling(b);
    if (sibling && sibling->beside) {
        /* Of the same UE only if it is heard again. */
        sibling->beside = false;
        tell(sibling, BEARER_CHANGED);
    }
    return b;
}

struct bearer *
session_uplink(const struct in6_addr *enb, const struct fteid *up,
               const struct in6_addr *ue_addr, long long int now)
{
    const struct in6_addr ue = addr_ue_key(ue_addr);
    struct bearer *b = session_bearer_by_uplink(up, addr_family(&ue));
    bool new;

    if (b && !IN6_ARE_ADDR_EQUAL(&b->session->ue, &ue)) {
        forget_tunnel(b);
        b = NULL;
    }
    new = !b;
    if (new) {
        b = learn(enb, up, ue_addr, now);
        if (!b) {
            return NULL;
        }
    }
    b->ue_addr = *ue_addr;
    set_sender(b, enb);
    set_sender(session_sibling(b), enb);
    if (new) {
        tell(b, BEARER_CHANGED);
    }
    session_heard(b, now);
    return b;
}

static bool
same_ue(const struct bearer *a, const struct bearer *b)
{
    const struct bearer *a_twin = session_twin(a), *b_twin = session_twin(b);

    return (a->session == b->session
            || (a_twin && a_twin->session == b->session)
            || (b_twin && b_twin->session == a->session));
}

/* What another UE's bearers had of the downlink F-TEID 'down', they have
 * lost. */
static void
take_down(const struct bearer *b, const struct fteid *down)
{
    struct bearer *other = session_bearer_by_downlink(down), *next;

    for (; other; other = next) {
        next = session_next_by_downlink(other);
        if (!same_ue(b, other)) {
            session_invalidate(other);
            set_down(other, NULL);
        }
    }
}

/* Also a bearer that nobody has seen before the handover may be answered on
 * the old path, be it that of its session or of its sibling. */
static bool
is_retired(const struct bearer *b, const struct fteid *down)
{
    const struct bearer *other = session_bearer_by_downlink(down);

    while (other && !(other->down_retired
                      && (same_ue(b, other) || session_sibling(b) == other))) {
        other = session_next_by_downlink(other);
    }
    return other != NULL;
}

bool
session_proved(struct bearer *b, const struct in6_addr *sgw,
               const struct fteid *down, uint8_t qfi, long long int now)
{
    bool same = b->down_known && fteid_equal(&b->down, down);
    bool changed = (b->state != BEARER_ESTABLISHED || !same
                    || !IN6_ARE_ADDR_EQUAL(&b->down_sgw, sgw));

    if (is_retired(b, down)) {
        return false;
    }
    take_down(b, down);
    if (changed) {
        /* The old tunnel, if any, is never used again. */
        session_invalidate(b);
        set_down(b, down);
        b->down_sgw = *sgw;
        set_state(b, BEARER_ESTABLISHED);
    }
    changed = changed || b->down_qfi != qfi;
    b->down_qfi = qfi;
    b->proved = now;
    metric_inc(&proofs);
    if (changed) {
        tell(b, BEARER_CHANGED);
    }
    return true;
}

void
session_invalidate(struct bearer *b)
{
    if (b->state == BEARER_ESTABLISHED) {
        b->proved = LLONG_MIN;
        set_state(b, BEARER_STALE);
        tell(b, BEARER_INVALIDATED);
    }
}

void
session_restore(const struct statelet *st, long long int now)
{
    struct bearer *b = session_bearer_by_id(st->bearer_id);

    /* The record replaces whatever was there under either of its keys. */
    if (b) {
        session_forget(b);
    }
    if (st->op == STATELET_GONE) {
        return;
    }
    struct fteid up = { st->sgw, st->teid_up };
    b = session_bearer_by_uplink(&up, addr_family(&st->ue));
    if (b) {
        session_forget(b);
    }
    if (hmap_count(&by_uplink) >= max_bearers) {
        metric_inc(&refused);
        return;
    }

    struct space *space = space_get(&st->sgw, st->space);
    if (!space) {
        metric_inc(&refused);
        return;
    }
    struct session *s = session_get(&st->ue, space, st->session_id, now);
    b = bearer_create(st->bearer_id, s, &st->enb, &up, now);
    b->ue_addr = st->ue;
    b->up_qfi = st->up_qfi;
    b->up_dscp = st->up_dscp;
    b->down_dscp = st->down_dscp;
    b->beside = st->beside;
    if (st->teid_down) {
        struct fteid down = { st->down_enb, st->teid_down };

        take_down(b, &down);
        set_down(b, &down);
        b->down_sgw = st->down_sgw;
        b->down_qfi = st->down_qfi;
        set_state(b, st->proved ? BEARER_ESTABLISHED : BEARER_STALE);
    }
}

struct bearer *
session_bearer_by_id(uint32_t id)
{
    return idtable_get(&bearer_ids, id);
}

struct bearer *
session_bearer_by_uplink(const struct fteid *up, sa_family_t family)
{
    struct bearer *b;

    HMAP_FOR_EACH_WITH_HASH (b, up_node, hash_fteid(up), &by_uplink) {
        if (fteid_equal(&b->up, up) && bearer_family(b) == family) {
            return b;
        }
    }
    return NULL;
}

/* The first one with that downlink tunnel from 'node', in a hash chain, on. */
static struct bearer *
find_down(struct hmap_node *node, const struct fteid *down)
{
    for (; node; node = hmap_next_with_hash(node)) {
        struct bearer *b = CONTAINER_OF(node, struct bearer, down_node);

        if (fteid_equal(&b->down, down)) {
            return b;
        }
    }
    return NULL;
}

struct bearer *
session_bearer_by_downlink(const struct fteid *down)
{
    return find_down(hmap_first_with_hash(&by_downlink, hash_fteid(down)),
                     down);
}

struct bearer *
session_next_by_downlink(const struct bearer *b)
{
    return find_down(hmap_next_with_hash(&b->down_node), &b->down);
}

struct session *
session_by_id(uint32_t id)
{
    return idtable_get(&session_ids, id);
}

struct session *
session_find(const struct in6_addr *ue, const struct space *space)
{
    struct session *s;

    HMAP_FOR_EACH_WITH_HASH (s, ue_node, hash_addr(ue, 0), &by_ue) {
        if (s->space == space && IN6_ARE_ADDR_EQUAL(&s->ue, ue)) {
            return s;
        }
    }
    return NULL;
}

struct session *
session_find_unambiguous(const struct in6_addr *ue)
{
    struct session *s, *found = NULL;

    HMAP_FOR_EACH_WITH_HASH (s, ue_node, hash_addr(ue, 0), &by_ue) {
        if (IN6_ARE_ADDR_EQUAL(&s->ue, ue)) {
            if (found) {
                return NULL;
            }
            found = s;
        }
    }
    return found;
}

struct session *
session_next(uint32_t id)
{
    return idtable_next(&session_ids, id);
}

struct bearer *
session_next_bearer(uint32_t id)
{
    return idtable_next(&bearer_ids, id);
}

static bool
expire_list(struct ovs_list *list, long long int before, unsigned int budget)
{
    while (!ovs_list_is_empty(list)) {
        struct bearer *b = CONTAINER_OF(ovs_list_front(list), struct bearer,
                                        age_node);
        if (b->seen >= before) {
            break;
        } else if (!budget--) {
            return true;
        }
        metric_inc(&expired);
        session_forget(b);
    }
    return false;
}

bool
session_expire(long long int now, long long int embryonic_ms,
               long long int idle_ms, unsigned int budget)
{
    bool more = expire_list(&embryonic, now - embryonic_ms, budget);

    return expire_list(&rest, now - idle_ms, budget) || more;
}

size_t
session_count(void)
{
    return n_sessions;
}

size_t
session_bearer_count(enum bearer_state state)
{
    return n_state[state];
}
