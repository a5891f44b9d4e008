/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Other sources in a UE's tunnel: see stranger.h.
 *
 * What one tunnel can make tofd do is bounded: a bearer that was never proved
 * is replaced CHANGES_BURST times, and then once a second.  (Buckets are
 * shared by tunnels with one hash, whose key nobody knows.) */

#include <config.h>

#include "learn/stranger.h"

#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "base/secure.h"
#include "filter/nfq.h"
#include "gtp/gtpu.h"
#include "hash.h"
#include "learn/prove.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/token-bucket.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

METRIC_COUNTER(n_asked, "tof_strangers_asked_total", "",
               "UEs pinged because another source was in their tunnel.");
METRIC_COUNTER(n_limited, "tof_strangers_limited_total", "",
               "Packets of which nothing was learned because the source in "
               "their tunnel had changed too often.");

/* For the UE's reply: two attempts of the Pinger, but no longer than packets
 * can wait. */
#define ATTEMPTS 2
#define PATIENCE_MS_MAX 1000
#define MAX_DOUBTS 256
#define MAX_PACKETS 16          /* Of a tunnel. */

#define N_BUCKETS 4096
#define CHANGES_BURST 8
#define CHANGE 1000             /* Tokens; one comes each ms. */

struct packet {
    struct ovs_list node;
    struct nfq_packet np;       /* With 'data' below. */
    uint8_t src_mac[6];
    uint8_t data[];
};

struct doubt {                  /* Whose is a tunnel? */
    struct hmap_node node;              /* In doubts, by bearer_id. */
    uint32_t bearer_id;                 /* Its UE's until now. */
    bool established;                   /* As it was; */
    long long int judged;               /* likewise. */
    long long int asked, due;
    unsigned int n;
    struct ovs_list packets;
};

static struct hmap doubts = HMAP_INITIALIZER(&doubts);
static struct token_bucket buckets[N_BUCKETS];
static long long int patience_ms;
static stranger_cb *takes, *again, *refused;

void
stranger_init(long long int interval_ms, stranger_cb *takes_,
              stranger_cb *again_, stranger_cb *refused_)
{
    patience_ms = MIN(ATTEMPTS * interval_ms, PATIENCE_MS_MAX);
    takes = takes_;
    again = again_;
    refused = refused_;
    for (size_t i = 0; i < N_BUCKETS; i++) {
        token_bucket_init(&buckets[i], 1, CHANGES_BURST * CHANGE);
    }
}

static struct doubt *
find(uint32_t id)
{
    struct doubt *d;

    HMAP_FOR_EACH_WITH_HASH (d, node, hash_int(id, 0), &doubts) {
        if (d->bearer_id == id) {
            return d;
        }
    }
    return NULL;
}

/* Gives its first packet to 'first', the others to 'rest', if not NULL. */
static void
end(struct doubt *d, stranger_cb *first, stranger_cb *rest)
{
    stranger_cb *cb = first;
    struct packet *p;

    hmap_remove(&doubts, &d->node);
    LIST_FOR_EACH_POP (p, node, &d->packets) {
        if (cb) {
            cb(&p->np);
        }
        cb = rest;
        free(p);
    }
    free(d);
}

void
stranger_give_up(void)
{
    struct doubt *d;

    HMAP_FOR_EACH_SAFE (d, node, &doubts) {
        end(d, refused, refused);
    }
}

void
stranger_destroy(void)
{
    struct doubt *d;

    HMAP_FOR_EACH_SAFE (d, node, &doubts) {
        end(d, NULL, NULL);
    }
}

static void
keep(struct doubt *d, const struct nfq_packet *np)
{
    struct packet *p = xmalloc(sizeof *p + np->len);

    p->np = *np;
    p->np.ip = p->data;
    memcpy(p->data, np->ip, np->len);
    if (np->src_mac) {
        memcpy(p->src_mac, np->src_mac, sizeof p->src_mac);
        p->np.src_mac = p->src_mac;
    }
    ovs_list_push_back(&d->packets, &p->node);
    d->n++;
}

static enum stranger_verdict
wait_for(const struct bearer *b, const struct nfq_packet *np)
{
    struct doubt *d = find(b->id);

    if (d ? d->n >= MAX_PACKETS : hmap_count(&doubts) >= MAX_DOUBTS) {
        return STRANGER_REFUSED;
    }
    if (!d) {
        metric_inc(&n_asked);
        d = xzalloc(sizeof *d);
        d->bearer_id = b->id;
        d->established = b->state == BEARER_ESTABLISHED;
        d->judged = b->judged;
        d->asked = time_msec();
        d->due = d->asked + patience_ms;
        ovs_list_init(&d->packets);
        hmap_insert(&doubts, &d->node, hash_int(b->id, 0));
        prove_ask(b, true);
    }
    keep(d, np);
    return STRANGER_WAITS;
}

enum stranger_verdict
stranger_seen(const struct bearer *b, const struct nfq_packet *np,
              const struct gtpu_packet *p)
{
    uint32_t hash = secure_table_hash(&p->dst, p->msg.teid);

    if (b->state != BEARER_EMBRYONIC && prove_is_possible(b)) {
        return wait_for(b, np);
    } else if (!token_bucket_withdraw(&buckets[hash % N_BUCKETS], CHANGE)) {
        metric_inc(&n_limited);
        return STRANGER_REFUSED;
    }
    return STRANGER_TAKES;
}

/* The UE has been answered since then, or in the same millisecond. */
static bool
is_answered(const struct bearer *b, const struct doubt *d)
{
    return (b->state == BEARER_ESTABLISHED && !b->replicated
            && (!d->established || b->judged != d->judged
                || b->judged >= d->asked));
}

/* The UE has been answered, or heard, here since then. */
static bool
is_there(const struct bearer *b, const struct doubt *d)
{
    return is_answered(b, d) || b->heard > d->asked;
}

void
stranger_run(void)
{
    struct doubt *d;

    HMAP_FOR_EACH_SAFE (d, node, &doubts) {
        const struct bearer *b = session_bearer_by_id(d->bearer_id);

        if (!b) {
            end(d, again, again);
        } else if (is_there(b, d)) {
            end(d, refused, refused);
        } else if (time_msec() >= d->due) {
            end(d, takes, again);
        }
    }
}

void
stranger_wait(void)
{
    struct doubt *d;

    HMAP_FOR_EACH (d, node, &doubts) {
        poll_timer_wait_until(d->due);
    }
}
