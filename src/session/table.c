/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Where bearers and sessions are kept: see private.h.
 *
 * Bearers are found by identifier (idtable), by uplink F-TEID and by downlink
 * F-TEID (one hmap each; both families of a tunnel share a chain); sessions by
 * UE and address space (space.c).  Bearers are also kept in order of 'seen',
 * one list for embryonic ones and one for the rest, so that expiry and eviction
 * look at nobody else. */

#include <config.h>

#include "session/private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/idtable.h"
#include "base/secure.h"
#include "session/peers.h"
#include "session/space.h"
#include "util.h"

static struct idtable bearer_ids, session_ids;
static struct hmap by_uplink, by_downlink, by_ue;
static struct ovs_list embryonic, rest;         /* Oldest 'seen' first. */
static size_t n_state[3];

static uint32_t
hash_fteid(const struct fteid *f)
{
    return secure_table_hash(&f->addr, f->teid);
}

void
table_init(void)
{
    idtable_init(&bearer_ids);
    idtable_init(&session_ids);
    hmap_init(&by_uplink);
    hmap_init(&by_downlink);
    hmap_init(&by_ue);
    space_init();
    peers_init();
    ovs_list_init(&embryonic);
    ovs_list_init(&rest);
    memset(n_state, 0, sizeof n_state);
}

void
table_destroy(void)
{
    space_destroy();
    peers_destroy();
    hmap_destroy(&by_uplink);
    hmap_destroy(&by_downlink);
    hmap_destroy(&by_ue);
    idtable_destroy(&bearer_ids);
    idtable_destroy(&session_ids);
}

void
table_set_seen(struct bearer *b, long long int seen)
{
    b->seen = seen;
    ovs_list_remove(&b->age_node);
    ovs_list_push_back(b->state == BEARER_EMBRYONIC ? &embryonic : &rest,
                       &b->age_node);
}

void
table_set_state(struct bearer *b, enum bearer_state state)
{
    bool was_embryonic = b->state == BEARER_EMBRYONIC;

    n_state[b->state]--;
    b->state = state;
    n_state[state]++;
    if (was_embryonic) {
        /* To the other list. */
        table_set_seen(b, b->seen);
    }
}

/* Peers have 'n' bearers more: 'b'. */
static void
count_peers(const struct bearer *b, int n)
{
    peers_count(b->enb, PEER_ENB, n);
    peers_count(b->sgw, PEER_SGW, n);
    if (b->down_known && b->down_enb != b->enb) {
        peers_count(b->down_enb, PEER_ENB, n);
    }
    if (b->down_known && b->down_sgw != b->sgw) {
        peers_count(b->down_sgw, PEER_SGW, n);
    }
}

void
table_set_sender(struct bearer *b, const struct in6_addr *enb)
{
    count_peers(b, -1);
    peers_set(&b->enb, enb);
    count_peers(b, 1);
}

void
table_set_down(struct bearer *b, const struct in6_addr *sgw,
               const struct fteid *down)
{
    count_peers(b, -1);
    if (b->down_known) {
        hmap_remove(&by_downlink, &b->down_node);
    }
    b->down_known = down != NULL;
    b->down_retired = false;
    if (down) {
        peers_set(&b->down_enb, &down->addr);
        peers_set(&b->down_sgw, sgw);
        b->down_teid = down->teid;
        hmap_insert(&by_downlink, &b->down_node, hash_fteid(down));
    }
    count_peers(b, 1);
}

/* The first space of 'sgw' in which no session has 'ue'; NULL if there is
 * none. */
static struct space *
free_space(const struct in6_addr *ue, const struct in6_addr *sgw)
{
    struct space *space;
    uint16_t rank = 0;

    do {
        space = space_get(sgw, rank++);
    } while (space && session_find(ue, space->number));
    return space;
}

/* A new session; or the one that there is in the space with the number
 * 'wanted' says.  NULL if all spaces are taken. */
static struct session *
get_session(const struct in6_addr *ue_addr, const struct in6_addr *sgw,
            const struct table_ids *wanted)
{
    const struct in6_addr ue = addr_ue_key(ue_addr);
    struct space *space = space_restore(sgw, wanted->space);
    struct session *s = space ? session_find(&ue, space->number) : NULL;

    space = space ? space : free_space(&ue, sgw);
    if (!s && space) {
        s = xzalloc(sizeof *s);
        s->ue = ue;
        s->space = space;
        space_hold(space);
        s->id = (wanted->session
                 && idtable_restore(&session_ids, wanted->session, s)
                 ? wanted->session : idtable_add(&session_ids, s));
        hmap_insert(&by_ue, &s->ue_node, secure_table_hash(&ue, 0));
    }
    return s;
}

static void
set_keys(struct bearer *b, const struct in6_addr *enb, const struct fteid *up)
{
    b->enb = peers_get(enb);
    b->sgw = peers_get(&up->addr);
    b->up_teid = up->teid;
    b->down_enb = peers_get(&in6addr_any);
    b->down_sgw = peers_get(&in6addr_any);
}

static void
free_bearer(struct bearer *b)
{
    peers_put(b->enb);
    peers_put(b->sgw);
    peers_put(b->down_enb);
    peers_put(b->down_sgw);
    free(b->use);
    free(b);
}

/* Bearers of a session are a ring; in front of the first one is the last. */
static void
join(struct session *s, struct bearer *b)
{
    if (s->first) {
        ovs_list_push_back(&s->first->session_node, &b->session_node);
    } else {
        ovs_list_init(&b->session_node);
        s->first = b;
    }
}

/* The session ends with its last bearer. */
static void
part(struct session *s, struct bearer *b)
{
    if (s->first == b) {
        s->first = session_bearer_after(b);
    }
    ovs_list_remove(&b->session_node);
    if (!s->first) {
        hmap_remove(&by_ue, &s->ue_node);
        idtable_remove(&session_ids, s->id);
        space_release(s->space);
        free(s);
    }
}

void
table_join(struct bearer *b, struct session *s)
{
    part(b->session, b);
    b->session = s;
    join(s, b);
}

struct bearer *
session_bearer_after(const struct bearer *b)
{
    struct bearer *next = CONTAINER_OF(b->session_node.next, struct bearer,
                                       session_node);

    return next != b->session->first ? next : NULL;
}

struct bearer *
table_add(const struct in6_addr *enb, const struct fteid *up,
          const struct in6_addr *ue_addr, const struct table_ids *wanted,
          long long int now)
{
    struct session *s = get_session(ue_addr, &up->addr, wanted);

    if (!s) {
        return NULL;
    }
    struct bearer *b = xzalloc(sizeof *b);
    b->id = (wanted->bearer && idtable_restore(&bearer_ids, wanted->bearer, b)
             ? wanted->bearer : idtable_add(&bearer_ids, b));
    b->session = s;
    set_keys(b, enb, up);
    count_peers(b, 1);
    bearer_set_ue_addr(b, ue_addr);
    b->created_s = now / 1000;
    b->seen = b->heard = now;
    b->judged = LLONG_MIN;
    b->natural = b->forwarded = LLONG_MIN / 2;
    hmap_insert(&by_uplink, &b->up_node, hash_fteid(up));
    join(s, b);
    ovs_list_push_back(&embryonic, &b->age_node);
    n_state[BEARER_EMBRYONIC]++;
    return b;
}

void
table_remove(struct bearer *b)
{
    table_set_down(b, NULL, NULL);
    count_peers(b, -1);
    hmap_remove(&by_uplink, &b->up_node);
    part(b->session, b);
    ovs_list_remove(&b->age_node);
    idtable_remove(&bearer_ids, b->id);
    n_state[b->state]--;
    free_bearer(b);
}

struct bearer *
table_oldest(bool embryonic_)
{
    const struct ovs_list *list = embryonic_ ? &embryonic : &rest;

    return (ovs_list_is_empty(list) ? NULL
            : CONTAINER_OF(ovs_list_front(list), struct bearer, age_node));
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
        if (b->up_teid == up->teid && IN6_ARE_ADDR_EQUAL(b->sgw, &up->addr)
            && bearer_family(b) == family) {
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

        if (b->down_teid == down->teid
            && IN6_ARE_ADDR_EQUAL(b->down_enb, &down->addr)) {
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
    const struct fteid down = bearer_down(b);

    return find_down(hmap_next_with_hash(&b->down_node), &down);
}

struct session *
session_by_id(uint32_t id)
{
    return idtable_get(&session_ids, id);
}

struct session *
session_find(const struct in6_addr *ue, uint16_t space)
{
    struct session *s;

    HMAP_FOR_EACH_WITH_HASH (s, ue_node, secure_table_hash(ue, 0), &by_ue) {
        if (s->space->number == space && IN6_ARE_ADDR_EQUAL(&s->ue, ue)) {
            return s;
        }
    }
    return NULL;
}

struct session *
session_find_unambiguous(const struct in6_addr *ue)
{
    struct session *s, *found = NULL;

    HMAP_FOR_EACH_WITH_HASH (s, ue_node, secure_table_hash(ue, 0), &by_ue) {
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
session_next_of_ue(const struct in6_addr *ue, const struct session *s)
{
    const uint32_t hash = secure_table_hash(ue, 0);
    struct hmap_node *node = (s ? hmap_next_with_hash(&s->ue_node)
                              : hmap_first_with_hash(&by_ue, hash));

    for (; node; node = hmap_next_with_hash(node)) {
        struct session *next = CONTAINER_OF(node, struct session, ue_node);

        if (IN6_ARE_ADDR_EQUAL(&next->ue, ue)) {
            return next;
        }
    }
    return NULL;
}

struct session *
session_next_namesake(const struct session *s, const struct session *other)
{
    struct session *next = session_next_of_ue(&s->ue, other);

    while (next && (next == s || !IN6_ARE_ADDR_EQUAL(&next->space->sgw,
                                                     &s->space->sgw))) {
        next = session_next_of_ue(&s->ue, next);
    }
    return next;
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

size_t
session_count(void)
{
    return hmap_count(&by_ue);
}

size_t
session_bearer_count(enum bearer_state state)
{
    return n_state[state];
}

size_t
table_count(void)
{
    return hmap_count(&by_uplink);
}
