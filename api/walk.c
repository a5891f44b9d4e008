/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Answers that walk the whole session table, a slice at a time.
 *
 * Place in the flow: routes.c starts a walk; while there is more to do, rest.c
 * calls the exchange's 'step' once a turn of the main loop, so that a million
 * sessions delay no packet by more than one slice.  The table may change
 * meanwhile: session_next() and session_next_bearer() go by slot, so whatever
 * is there all the time is shown exactly once. */

#include <config.h>

#include "api/walk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/exchange.h"
#include "api/view.h"
#include "base/jsontext.h"
#include "base/secure.h"
#include "openvswitch/hmap.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

/* A slice: this many looked at, or this many written out, in less than half a
 * millisecond. */
#define SLICE_VISITS 4096
#define SLICE_SESSIONS 32

/* An answer ends at its limit, or at so many bytes: a session may have many
 * bearers. */
#define ANSWER_MAX (16 * 1024 * 1024)

/* Peers shown.  Their number is the network's, a few thousand; what is beyond
 * was made up by somebody. */
#define PEERS_MAX 10000

struct session_walk {
    struct walk_filter filter;
    uint32_t cursor;            /* The last session looked at. */
    unsigned int n;
};

static void
session_walk_free(void *w_)
{
    struct session_walk *w = w_;

    free(w->filter.query);
    free(w);
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
    return (!f->by_ue || IN6_ARE_ADDR_EQUAL(&f->ue, &s->ue))
            && (f->state < 0 || (int) session_state(s) == f->state)
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
        const struct session *s = session_next(w->cursor);

        if (!s || w->n == w->filter.limit || x->answer.length > ANSWER_MAX) {
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
    ds_put_char(&x->answer, '[');
    x->step = session_walk_step;
    x->step_free = session_walk_free;
    x->step_aux = w;
    session_walk_step(x);
}

struct peer {
    struct hmap_node node;
    struct in6_addr addr;
    bool enb;                   /* Else an SGW. */
    unsigned int bearers;
};

struct peer_walk {
    struct hmap peers;
    uint32_t cursor;            /* The last bearer looked at. */
};

static void
peer_walk_free(void *w_)
{
    struct peer_walk *w = w_;
    struct peer *p;

    HMAP_FOR_EACH_POP (p, node, &w->peers) {
        free(p);
    }
    hmap_destroy(&w->peers);
    free(w);
}

static void
peer_walk_count(struct peer_walk *w, const struct in6_addr *addr, bool enb)
{
    uint32_t hash = secure_table_hash(addr, enb);
    struct peer *p;

    HMAP_FOR_EACH_WITH_HASH (p, node, hash, &w->peers) {
        if (p->enb == enb && IN6_ARE_ADDR_EQUAL(&p->addr, addr)) {
            p->bearers++;
            return;
        }
    }
    if (hmap_count(&w->peers) < PEERS_MAX) {
        p = xmalloc(sizeof *p);
        *p = (struct peer) { .addr = *addr, .enb = enb, .bearers = 1 };
        hmap_insert(&w->peers, &p->node, hash);
    }
}

static void
peer_walk_bearer(struct peer_walk *w, const struct bearer *b)
{
    peer_walk_count(w, b->enb, true);
    peer_walk_count(w, b->sgw, false);
    if (b->down_known) {
        if (!IN6_ARE_ADDR_EQUAL(b->down_enb, b->enb)) {
            peer_walk_count(w, b->down_enb, true);
        }
        if (!IN6_ARE_ADDR_EQUAL(b->down_sgw, b->sgw)) {
            peer_walk_count(w, b->down_sgw, false);
        }
    }
}

static int
peer_compare(const void *a_, const void *b_)
{
    const struct peer *a = *(const struct peer *const *) a_;
    const struct peer *b = *(const struct peer *const *) b_;

    return a->enb != b->enb ? b->enb - a->enb
           : memcmp(&a->addr, &b->addr, sizeof a->addr);
}

static void
peer_walk_finish(struct exchange *x, const struct peer_walk *w)
{
    size_t n = hmap_count(&w->peers), i = 0;
    struct peer **sorted = xmalloc((n + 1) * sizeof *sorted);
    struct peer *p;

    HMAP_FOR_EACH (p, node, &w->peers) {
        sorted[i++] = p;
    }
    qsort(sorted, n, sizeof *sorted, peer_compare);
    ds_put_char(&x->answer, '[');
    for (i = 0; i < n; i++) {
        p = sorted[i];
        jsontext_put_item(&x->answer,
                          view_peer(&p->addr, p->enb, p->bearers));
    }
    ds_put_cstr(&x->answer, "]\n");
    free(sorted);
    exchange_ok(x, EXCHANGE_JSON);
}

static void
peer_walk_step(struct exchange *x)
{
    struct peer_walk *w = x->step_aux;

    for (int i = 0; i < SLICE_VISITS; i++) {
        const struct bearer *b = session_next_bearer(w->cursor);

        if (!b) {
            peer_walk_finish(x, w);
            return;
        }
        w->cursor = b->id;
        peer_walk_bearer(w, b);
    }
}

void
walk_peers(struct exchange *x)
{
    struct peer_walk *w = xzalloc(sizeof *w);

    hmap_init(&w->peers);
    x->step = peer_walk_step;
    x->step_free = peer_walk_free;
    x->step_aux = w;
    peer_walk_step(x);
}
