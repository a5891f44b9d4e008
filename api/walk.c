/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Answers that walk the whole session table, a slice at a time.
 *
 * Place in the flow: routes.c starts a walk; while there is more to do, rest.c
 * calls the exchange's 'step' once a turn of the main loop, so that a million
 * sessions delay no packet by more than one slice.  The table may change
 * meanwhile: session_next() goes by slot, so whatever is there all the time is
 * shown exactly once.  The sessions of one UE are found by its address, and
 * taken down at once. */

#include <config.h>

#include "api/walk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/exchange.h"
#include "api/view.h"
#include "base/addr.h"
#include "base/jsontext.h"
#include "session/peers.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

/* A slice: this many looked at, or this many written out, in less than half a
 * millisecond. */
#define SLICE_VISITS 4096
#define SLICE_SESSIONS 32

/* A page looks at so many sessions at most, and has so many, or so many bytes,
 * as a session may have many bearers.  It may end with fewer than its limit,
 * even none: so no request takes long, also if it asks for what is rare. */
#define PAGE_VISITS (32 * SLICE_VISITS)
#define PAGE_SESSIONS 4096
#define ANSWER_MAX (16 * 1024 * 1024)

/* Peers shown.  Their number is the network's, a few thousand; what is beyond
 * was made up by somebody. */
#define PEERS_MAX 10000
#define SLICE_PEERS 128

static const char *const role_names[] = {
    [PEER_ENB] = "enb", [PEER_SGW] = "sgw",
};

struct session_walk {
    struct walk_filter filter;
    uint32_t cursor;            /* The last session looked at. */
    unsigned int n, n_visits;
    uint32_t *ids;              /* Of the UE's sessions, if one is asked for, */
    size_t n_ids, next;         /* by slot; and the next one of them. */
};

static void
session_walk_free(void *w_)
{
    struct session_walk *w = w_;

    free(w->filter.query);
    free(w->ids);
    free(w);
}

static int
compare_ids(const void *a_, const void *b_)
{
    const uint32_t a = *(const uint32_t *) a_, b = *(const uint32_t *) b_;

    return a < b ? -1 : a > b;
}

static void
take_ids(struct session_walk *w)
{
    const struct session *s = NULL;
    size_t allocated = 0;

    while ((s = session_next_of_ue(&w->filter.ue, s))) {
        if (s->id >> 8 > w->cursor >> 8) {
            if (w->n_ids == allocated) {
                w->ids = x2nrealloc(w->ids, &allocated, sizeof *w->ids);
            }
            w->ids[w->n_ids++] = s->id;
        }
    }
    if (w->n_ids) {
        qsort(w->ids, w->n_ids, sizeof *w->ids, compare_ids);
    }
}

/* The next session to look at; NULL if there is none. */
static const struct session *
next_session(struct session_walk *w)
{
    if (!w->filter.by_ue) {
        return session_next(w->cursor);
    }
    while (w->next < w->n_ids) {
        const uint32_t id = w->ids[w->next];
        const struct session *s = (id >> 8 > w->cursor >> 8
                                   ? session_by_id(id) : NULL);

        if (s) {
            return s;
        }
        w->next++;
    }
    return NULL;
}

/* Does one of its bearers have these peers? */
static bool
peers_match(const struct session *s, const struct walk_filter *f)
{
    const struct bearer *b;

    SESSION_FOR_EACH_BEARER (b, s) {
        if ((!f->by_enb || IN6_ARE_ADDR_EQUAL(&f->enb, b->enb))
            && (!f->by_sgw || IN6_ARE_ADDR_EQUAL(&f->sgw, b->sgw))) {
            return true;
        }
    }
    return false;
}

static bool
session_matches(const struct session *s, const struct walk_filter *f)
{
    return (f->state < 0 || (int) session_state(s) == f->state)
            && ((!f->by_enb && !f->by_sgw) || peers_match(s, f));
}

/* 'more': did the walk end because of the limit? */
static void
session_walk_finish(struct exchange *x, struct session_walk *w, bool more)
{
    if (more) {
        smap_add_format(&x->headers, "X-Next-Cursor", "%08"PRIx32, w->cursor);
        smap_add_format(&x->headers, "Link", "</session?%slimit=%u&"
                        "cursor=%08"PRIx32">; rel=\"next\"",
                        w->filter.query, w->filter.limit, w->cursor);
    }
    ds_put_cstr(&x->answer, "]\n");
    exchange_ok(x, EXCHANGE_JSON);
}

static void
session_walk_step(struct exchange *x)
{
    struct session_walk *w = x->step_aux;
    unsigned int written = 0;

    for (int i = 0; i < SLICE_VISITS && written < SLICE_SESSIONS; i++) {
        const struct session *s = next_session(w);

        if (!s || w->n == MIN(w->filter.limit, PAGE_SESSIONS)
            || x->answer.length > ANSWER_MAX || w->n_visits++ == PAGE_VISITS) {
            session_walk_finish(x, w, s != NULL);
            return;
        }
        w->cursor = s->id;
        if (session_matches(s, &w->filter)) {
            jsontext_put_item(&x->answer, view_session(s, time_msec()));
            w->n++;
            written++;
        }
    }
}

void
walk_sessions(struct exchange *x, const struct walk_filter *filter)
{
    struct session_walk *w = xzalloc(sizeof *w);

    w->filter = *filter;
    w->cursor = filter->cursor;
    if (filter->by_ue) {
        take_ids(w);
    }
    ds_put_char(&x->answer, '[');
    x->step = session_walk_step;
    x->step_free = session_walk_free;
    x->step_aux = w;
    session_walk_step(x);
}

struct peer {
    struct in6_addr addr;
    enum peer_role role;
    unsigned int n_bearers;
};

struct peer_walk {
    struct peers_position pos;
    bool gathered;              /* All of them, in order; else some. */
    struct peer after;          /* Where the page begins. */
    unsigned int limit;
    struct peer *peers;
    size_t n, allocated, i;
};

static void
peer_walk_free(void *w_)
{
    struct peer_walk *w = w_;

    free(w->peers);
    free(w);
}

static int
peer_compare(const void *a_, const void *b_)
{
    const struct peer *a = a_, *b = b_;

    return a->role != b->role ? (a->role < b->role ? -1 : 1)
           : memcmp(&a->addr, &b->addr, sizeof a->addr);
}

static void
peer_walk_add(struct peer_walk *w, const struct peer *p)
{
    if (!p->n_bearers || peer_compare(p, &w->after) <= 0
        || w->n == PEERS_MAX) {
        return;
    }
    if (w->n == w->allocated) {
        w->peers = x2nrealloc(w->peers, &w->allocated, sizeof *w->peers);
    }
    w->peers[w->n++] = *p;
}

static void
peer_walk_gather(struct peer_walk *w)
{
    unsigned int n_bearers[PEER_N_ROLES];
    struct in6_addr addr;

    for (int i = 0; i < SLICE_VISITS; i++) {
        if (!peers_next(&w->pos, &addr, n_bearers)) {
            w->gathered = true;
            if (w->n) {
                qsort(w->peers, w->n, sizeof *w->peers, peer_compare);
            }
            return;
        }
        for (int role = PEER_ENB; role <= PEER_SGW; role++) {
            peer_walk_add(w, &(struct peer) { addr, role, n_bearers[role] });
        }
    }
}

static void
peer_walk_finish(struct exchange *x, const struct peer_walk *w)
{
    if (w->i < w->n) {
        const struct peer *last = &w->peers[w->i - 1];
        char addr[INET6_ADDRSTRLEN];
        char *cursor = xasprintf("%s-%s", role_names[last->role],
                                 addr_format(&last->addr, addr));

        smap_add(&x->headers, "X-Next-Cursor", cursor);
        smap_add_format(&x->headers, "Link", "</peer?limit=%u&cursor=%s>; "
                        "rel=\"next\"", w->limit, cursor);
        free(cursor);
    }
    ds_put_cstr(&x->answer, "]\n");
    exchange_ok(x, EXCHANGE_JSON);
}

static void
peer_walk_step(struct exchange *x)
{
    struct peer_walk *w = x->step_aux;

    if (!w->gathered) {
        peer_walk_gather(w);
    }
    for (int i = 0; w->gathered && i < SLICE_PEERS; i++) {
        const struct peer *p = &w->peers[w->i];

        if (w->i == MIN(w->n, w->limit)) {
            peer_walk_finish(x, w);
            return;
        }
        jsontext_put_item(&x->answer, view_peer(&p->addr, p->role == PEER_ENB,
                                                p->n_bearers));
        w->i++;
    }
}

/* "enb-10.1.0.1" */
static bool
parse_peer(const char *cursor, struct peer *p)
{
    for (p->role = PEER_ENB; p->role <= PEER_SGW; p->role++) {
        const char *name = role_names[p->role];
        const size_t len = strlen(name);

        if (!strncmp(cursor, name, len) && cursor[len] == '-') {
            return addr_parse(cursor + len + 1, &p->addr);
        }
    }
    return false;
}

bool
walk_peers(struct exchange *x, unsigned int limit, const char *cursor)
{
    struct peer after = { .role = PEER_ENB };   /* No address is as low. */
    struct peer_walk *w;

    if (cursor && !parse_peer(cursor, &after)) {
        return false;
    }
    w = xzalloc(sizeof *w);
    w->after = after;
    w->limit = limit;
    ds_put_char(&x->answer, '[');
    x->step = peer_walk_step;
    x->step_free = peer_walk_free;
    x->step_aux = w;
    peer_walk_step(x);
    return true;
}
