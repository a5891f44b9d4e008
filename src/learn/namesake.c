/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which UE's a new bearer is: see namesake.h. */

#include <config.h>

#include "learn/namesake.h"

#include <stdlib.h>

#include "base/metrics.h"
#include "hash.h"
#include "learn/prove.h"
#include "openvswitch/hmap.h"
#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "util.h"

METRIC_COUNTER(n_asked, "tof_namesakes_asked_total", "",
               "Bearers pinged because another one had their UE's address.");

/* For other bearers' replies: two attempts of the Pinger, but no longer than
 * packets can wait. */
#define ATTEMPTS 2
#define PATIENCE_MS_MAX 1000
#define MAX_WAITING 4096

struct waiting {
    struct hmap_node node;              /* In waiting, by id. */
    uint32_t bearer_id;
    struct in6_addr enb;                /* Of the bearer, then. */
    struct answer answer;
    long long int asked, due;
};

static struct hmap waiting = HMAP_INITIALIZER(&waiting);
static long long int patience_ms;
static namesake_cb *answered;

void
namesake_init(long long int interval_ms, namesake_cb *answered_)
{
    patience_ms = MIN(ATTEMPTS * interval_ms, PATIENCE_MS_MAX);
    answered = answered_;
}

static void
forget(struct waiting *w)
{
    hmap_remove(&waiting, &w->node);
    free(w);
}

void
namesake_destroy(void)
{
    struct waiting *w;

    HMAP_FOR_EACH_SAFE (w, node, &waiting) {
        forget(w);
    }
}

static struct waiting *
find(uint32_t id)
{
    struct waiting *w;

    HMAP_FOR_EACH_WITH_HASH (w, node, hash_int(id, 0), &waiting) {
        if (w->bearer_id == id) {
            return w;
        }
    }
    return NULL;
}

/* The bearer that can tell by what tunnel the UE of 's' is answered: the last
 * one seen of those that have been proved.  NULL if there is none. */
static struct bearer *
spokesman(const struct session *s)
{
    struct bearer *b, *best = NULL;

    SESSION_FOR_EACH_BEARER (b, s) {
        if (b->state != BEARER_EMBRYONIC && prove_is_possible(b)
            && (!best || b->seen > best->seen)) {
            best = b;
        }
    }
    return best;
}

/* Whether it is still to be heard, of a UE with the address of 'b', by which
 * tunnel it is answered since 'asked'. */
static bool
is_open(const struct bearer *b, long long int asked)
{
    const struct session *s = NULL;

    while ((s = session_next_namesake(b->session, s))) {
        const struct bearer *other = spokesman(s);

        if (other && other->judged < asked) {
            return true;
        }
    }
    return false;
}

static void
ask(const struct bearer *b)
{
    const struct session *s = NULL;

    while ((s = session_next_namesake(b->session, s))) {
        const struct bearer *other = spokesman(s);

        if (other) {
            metric_inc(&n_asked);
            prove_ask(other, true);
        }
    }
}

/* Whether the answer that 'b' has got at 'when' says whose bearer it is. */
static bool
is_clear(const struct bearer *b, const struct answer *a, long long int asked)
{
    return (b->placed || session_is_answered(b, &a->down, a->since)
            || !is_open(b, asked));
}

bool
namesake_waits(const struct bearer *b, const struct answer *a)
{
    struct waiting *w = find(b->id);

    if (is_clear(b, a, w ? w->asked : a->since)
        || (!w && hmap_count(&waiting) >= MAX_WAITING)) {
        if (w) {
            forget(w);
        }
        return false;
    }
    if (!w) {
        w = xzalloc(sizeof *w);
        w->bearer_id = b->id;
        w->asked = a->since;
        w->due = time_msec() + patience_ms;
        hmap_insert(&waiting, &w->node, hash_int(b->id, 0));
        ask(b);
    }
    w->enb = *b->enb;
    w->answer = *a;
    return true;
}

void
namesake_down_ended(const struct fteid *down)
{
    struct waiting *w;

    HMAP_FOR_EACH_SAFE (w, node, &waiting) {
        if (w->answer.down.teid == down->teid
            && IN6_ARE_ADDR_EQUAL(&w->answer.down.addr, &down->addr)) {
            forget(w);
        }
    }
}

void
namesake_run(void)
{
    const long long int now = time_msec();
    struct waiting *w;

    HMAP_FOR_EACH_SAFE (w, node, &waiting) {
        struct bearer *b = session_bearer_by_id(w->bearer_id);

        if (!b || !IN6_ARE_ADDR_EQUAL(b->enb, &w->enb)) {
            forget(w);
        } else if (now >= w->due || is_clear(b, &w->answer, w->asked)) {
            const struct answer a = w->answer;

            forget(w);
            answered(b, &a);
        }
    }
}

void
namesake_wait(void)
{
    struct waiting *w;

    HMAP_FOR_EACH (w, node, &waiting) {
        poll_timer_wait_until(w->due);
    }
}
