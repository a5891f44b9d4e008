/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Evidence that bearers live: see evidence.h. */

#include <config.h>

#include "divert/evidence.h"

#include <stdlib.h>

#include "conf/conf.h"
#include "heap.h"
#include "learn/prove.h"
#include "openvswitch/poll-loop.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

/* A proof, until it is too old, or another one has taken its place. */
struct proof {
    struct heap_node node;      /* By due(). */
    long long int since;        /* prove_since(). */
    uint32_t bearer_id;
};

static struct heap proofs;
static long long int evidence_ms, read_ms;
static bool bounded;            /* Are proofs good for a time only? */
static void (*overdue)(struct bearer *);

void
evidence_init(const struct conf *conf, long long int read_ms_,
              void (*overdue_)(struct bearer *))
{
    evidence_ms = conf->sessions.evidence_seconds * 1000ll;
    read_ms = read_ms_;
    bounded = conf->pinger.pairing != PAIRING_OBSERVED;
    overdue = overdue_;
    heap_init(&proofs);
}

void
evidence_destroy(void)
{
    while (!heap_is_empty(&proofs)) {
        free(CONTAINER_OF(heap_pop(&proofs), struct proof, node));
    }
    heap_destroy(&proofs);
}

/* When 'p' is looked at, ms.  The heap gives the highest priority first. */
static long long int
due(const struct proof *p)
{
    return UINT64_MAX - p->node.priority;
}

static void
sleep_until(struct proof *p, long long int when)
{
    heap_insert(&proofs, &p->node, UINT64_MAX - when);
}

static struct proof *
first(void)
{
    return CONTAINER_OF(heap_max(&proofs), struct proof, node);
}

void
evidence_watch(struct bearer *b)
{
    const long long int since = prove_since(b);
    struct bearer_use *use = bearer_use(b);

    if (bounded && use->watched != since) {
        struct proof *p = xzalloc(sizeof *p);

        p->bearer_id = b->id;
        p->since = use->watched = since;
        sleep_until(p, since + evidence_ms / 2);
    }
}

/* Has the UE of 'b' sent something here since it was proved, which has renewed
 * its lease?  That is known some time after. */
static bool
is_in_use(const struct bearer *b)
{
    return (bearer_is_diverted(b) && !b->replicated
            && b->heard + 2 * read_ms > prove_since(b));
}

/* A proof is due: half of its time is over, or all. */
static void
run_proof(struct proof *p, long long int now)
{
    struct bearer *b = session_bearer_by_id(p->bearer_id);

    heap_remove(&proofs, &p->node);
    if (!b || prove_since(b) != p->since) {
        free(p);
    } else if (now >= prove_end(b)) {
        free(p);
        overdue(b);
    } else {
        if (is_in_use(b)) {
            prove_ask(b, false);
        }
        sleep_until(p, prove_end(b));
    }
}

void
evidence_run(void)
{
    const long long int now = time_msec();

    while (!heap_is_empty(&proofs) && due(first()) <= now) {
        run_proof(first(), now);
    }
}

void
evidence_wait(void)
{
    if (!heap_is_empty(&proofs)) {
        poll_timer_wait_until(due(first()));
    }
}

/* Notes what the endpoint has counted.  True if some of it has been carried
 * since it was last asked: what it had counted before the bearer was adopted
 * may be long ago. */
static bool
advance(struct bearer *b, enum endpoint_direction direction,
        uint64_t packets, uint64_t bytes)
{
    const bool first = b->unread & 1 << direction;
    struct bearer_use *use = bearer_use(b);

    b->unread &= ~(1 << direction);
    return (counters_advance(&use->counters, &use->last,
                             direction == ENDPOINT_DOWN, packets, bytes)
            && !first);
}

void
evidence_counted(uint32_t id, enum endpoint_direction direction,
                 uint64_t packets, uint64_t bytes, long long int read)
{
    struct bearer *b = session_bearer_by_id(id);
    long long int now = time_msec(), read_before;
    bool carried;

    if (!b) {
        return;
    }
    carried = advance(b, direction, packets, bytes);
    read_before = b->use->read_up;
    if (direction == ENDPOINT_UP) {
        b->use->read_up = read;
    }
    if (!carried) {
        return;
    }
    if (direction == ENDPOINT_UP) {
        session_heard(b, read_before, now);
    } else {
        session_touch(b, now);
    }
    if (bearer_is_ready(b)) {
        prove_again(b, now);
    }
}

void
evidence_alive(uint32_t id, bool forwarded, long long int since)
{
    struct bearer *b = session_bearer_by_id(id);
    long long int now = time_msec();

    if (b) {
        session_heard(b, since, now);
        if (forwarded) {
            b->forwarded = now;
        }
    }
}
