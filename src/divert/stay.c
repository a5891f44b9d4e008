/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Connections stay where they began: see stay.h. */

#include <config.h>

#include "divert/stay.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/metrics.h"
#include "base/recent.h"
#include "base/secure.h"
#include "filter/filter.h"
#include "gtp/endpoint.h"
#include "gtp/flow.h"
#include "gtp/gtpu.h"
#include "openvswitch/hmap.h"
#include "service/service_table.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

#define DIVERTED_MS (300 * 1000)
#define DIVERTED_MAX 65536
#define THERE_MAX 16384
#define TUNNEL_MAX 512          /* Nobody takes others' room. */
#define REFRESH_MS 1000
#define SWEEP_MS FLOW_OTHER_MS
#define SWEEP_SOON_MS 1000
#define SWEEP_FEW 1000          /* So many take no time. */

METRIC_COUNTER(n_noted, "tof_stay_noted_total", "",
               "Connections to services that began on the normal way and stay "
               "there.");
METRIC_COUNTER(n_full, "tof_stay_full_total", "",
               "Such connections that were too many to be noted.");

/* A UE, whose bearers and session may be gone, and one of its tunnels or, with
 * TEID 0, any of them.  Without padding. */
struct ue_key {
    struct in6_addr ue, sgw;
    uint32_t teid;
};

struct flows {
    struct flow *all;
    size_t n, allocated;
};

struct stayer {
    struct hmap_node node;
    struct flow f;
    long long int noted;        /* When the filter was last told so. */
};

struct tunnel_end {             /* Of an uplink tunnel. */
    struct hmap_node node;
    struct in6_addr sgw;
    uint32_t teid;              /* Network byte order. */
    unsigned int n;             /* Of connections. */
    long long int noted;        /* LLONG_MIN: not yet. */
};

static const struct endpoint_class *endpoint;
static struct recent diverted;          /* UEs and their tunnels. */
static struct hmap there;               /* Struct stayer: all that are in the
                                         * filter, and some that were. */
static struct hmap tunnels;             /* Struct tunnel_end: all theirs. */
static long long int swept_at;
static long long int sweep_at;          /* LLONG_MAX: there is no need. */
static uint64_t noted;                  /* filter_seqno() of the last one. */

void
stay_init(const struct endpoint_class *endpoint_)
{
    endpoint = endpoint_;
    recent_init(&diverted, sizeof(struct ue_key), DIVERTED_MAX, DIVERTED_MS);
    hmap_init(&there);
    hmap_init(&tunnels);
    swept_at = 0;
    sweep_at = LLONG_MAX;
    noted = 0;
}

static uint32_t
hash(const struct flow *f)
{
    return secure_bytes_hash(f, sizeof *f);
}

/* It is there from then on, until forget_all(). */
static struct tunnel_end *
find_tunnel(const struct flow *f)
{
    const uint32_t h = secure_table_hash(&f->sgw, f->teid);
    struct tunnel_end *t;

    HMAP_FOR_EACH_WITH_HASH (t, node, h, &tunnels) {
        if (t->teid == f->teid && IN6_ARE_ADDR_EQUAL(&t->sgw, &f->sgw)) {
            return t;
        }
    }
    t = xmalloc(sizeof *t);
    *t = (struct tunnel_end) { .sgw = f->sgw, .teid = f->teid,
                               .noted = LLONG_MIN };
    hmap_insert(&tunnels, &t->node, h);
    return t;
}

static struct stayer *
find(const struct flow *f)
{
    struct stayer *s;

    HMAP_FOR_EACH_WITH_HASH (s, node, hash(f), &there) {
        if (!memcmp(&s->f, f, sizeof *f)) {
            return s;
        }
    }
    return NULL;
}

static struct stayer *
add(const struct flow *f, long long int now)
{
    struct stayer *s = xmalloc(sizeof *s);

    *s = (struct stayer) { .f = *f, .noted = now };
    hmap_insert(&there, &s->node, hash(f));
    find_tunnel(f)->n++;
    return s;
}

static void
forget(struct stayer *s)
{
    if (s) {
        find_tunnel(&s->f)->n--;
        hmap_remove(&there, &s->node);
        free(s);
    }
}

static void
forget_all(void)
{
    struct tunnel_end *t;
    struct stayer *s;

    HMAP_FOR_EACH_SAFE (s, node, &there) {
        forget(s);
    }
    HMAP_FOR_EACH_SAFE (t, node, &tunnels) {
        hmap_remove(&tunnels, &t->node);
        free(t);
    }
}

void
stay_destroy(void)
{
    recent_destroy(&diverted);
    forget_all();
    hmap_destroy(&there);
    hmap_destroy(&tunnels);
}

static void
note_diverted(const struct bearer *b, uint32_t teid)
{
    const struct ue_key key = { b->session->ue, *b->sgw, teid };

    recent_note(&diverted, &key, time_msec());
}

static bool
was_diverted(const struct bearer *b, uint32_t teid)
{
    const struct ue_key key = { b->session->ue, *b->sgw, teid };

    return recent_when(&diverted, &key, time_msec()) != LLONG_MIN;
}

void
stay_diverted(const struct bearer *b)
{
    note_diverted(b, 0);
    note_diverted(b, b->up_teid);
}

static bool
has_ready(const struct session *s)
{
    const struct bearer *b;

    SESSION_FOR_EACH_BEARER (b, s) {
        if (bearer_is_ready(b)) {
            return true;
        }
    }
    return false;
}

bool
stay_is_diverted(const struct bearer *b)
{
    const struct session *s = NULL;
    bool ready = has_ready(b->session);

    while (!b->placed && !ready
           && (s = session_next_namesake(b->session, s))) {
        ready = has_ready(s);
    }
    return !bearer_use_get(b)->given_up && (ready || was_diverted(b, 0));
}

/* Reads the connection of 'p' into '*f'; '*begins' as in flow_read(). */
static bool
read_flow(const struct gtpu_packet *p, struct flow *f, bool *begins)
{
    if (!flow_read(f, p->msg.payload, p->msg.payload_len, begins)) {
        return false;
    }
    f->sgw = p->dst;
    f->teid = htonl(p->msg.teid);
    return true;
}

/* Whether a connection of that UE in that tunnel may have begun at an App. */
static bool
may_be_at_app(const struct gtpu_packet *p)
{
    const struct ue_key key = { addr_ue_key(&p->inner.src), p->dst,
                                p->msg.teid };
    const struct fteid up = { p->dst, p->msg.teid };
    const struct bearer *b = session_bearer_by_uplink(&up,
                                                      addr_family(&key.ue));

    return ((b && bearer_is_ready(b)
             && IN6_ARE_ADDR_EQUAL(&b->session->ue, &key.ue))
            || recent_when(&diverted, &key, time_msec()) != LLONG_MIN);
}

static void
add_flow(const struct flow *f, void *flows_)
{
    struct flows *flows = flows_;

    if (flows->n >= flows->allocated) {
        flows->all = x2nrealloc(flows->all, &flows->allocated,
                                sizeof *flows->all);
    }
    flows->all[flows->n++] = *f;
}

/* Whether 'f' stays.  If the filter has forgotten it, so do we. */
static bool
is_there(const struct flow *f)
{
    struct stayer *s = find(f);

    if (s && filter_committed(noted) && !filter_stays(f)) {
        forget(s);
        s = NULL;
    }
    return s;
}

static bool
has_room(const struct flow *f)
{
    return (hmap_count(&there) < THERE_MAX
            && find_tunnel(f)->n < TUNNEL_MAX);
}

/* 'f' stays from now on.  Returns true if that is new. */
static bool
note_flow(const struct flow *f, long long int now)
{
    struct stayer *s = find(f);
    const bool new = !s;
    struct tunnel_end *t;

    if (!new && now - s->noted < REFRESH_MS) {
        return false;
    } else if (new && !has_room(f)) {
        metric_inc(&n_full);
        return false;
    }
    if (new) {
        s = add(f, now);
        metric_inc(&n_noted);
        endpoint->stay(f);
    }
    s->noted = now;
    filter_stay(f, !new);
    t = find_tunnel(f);
    if (t->noted == LLONG_MIN || now - t->noted >= REFRESH_MS) {
        t->noted = now;
        filter_stay_tunnel(f);
    }
    noted = filter_seqno();
    sweep_at = MIN(sweep_at, now + SWEEP_MS);
    return new;
}

bool
stay_switched(const struct gtpu_packet *p)
{
    struct flow f;
    bool begins;

    return (read_flow(p, &f, &begins)
            && (begins || !may_be_at_app(p) || is_there(&f))
            && note_flow(&f, time_msec()));
}

/* Whether 'f' stays in another bearer of the UE of 'b', by what is known. */
static bool
is_of_other(const struct flow *f, const struct bearer *b)
{
    const struct in6_addr ue = addr_ue_key(&f->src);
    const struct bearer *other;

    if (!IN6_ARE_ADDR_EQUAL(&ue, &b->session->ue)
        || !IN6_ARE_ADDR_EQUAL(&f->sgw, b->sgw)) {
        return false;
    }
    SESSION_FOR_EACH_BEARER (other, b->session) {
        if (other != b && htonl(other->up_teid) == f->teid) {
            return true;
        }
    }
    return false;
}

void
stay_joined(const struct bearer *b)
{
    struct flows moved = { NULL, 0, 0 };
    const struct stayer *s;

    if (session_only_bearer(b->session) || bearer_is_ready(b)
        || was_diverted(b, b->up_teid)) {
        return;
    }
    HMAP_FOR_EACH (s, node, &there) {
        if (is_of_other(&s->f, b)) {
            add_flow(&s->f, &moved);
        }
    }
    for (size_t i = 0; i < moved.n; i++) {
        struct flow f = moved.all[i];

        if (is_there(&f)) {
            f.teid = htonl(b->up_teid);
            note_flow(&f, time_msec());
        }
    }
    free(moved.all);
}

void
stay_seen(const struct gtpu_packet *p)
{
    if (service_ip_exists(&p->inner.dst)) {
        stay_switched(p);
    }
}

void
stay_begin(const struct gtpu_packet *p)
{
    struct flow f;
    bool begins;

    if (read_flow(p, &f, &begins) && begins && find(&f)) {
        /* The filter has forgotten it; so should the endpoint. */
        forget(find(&f));
        if (hmap_count(&there) <= SWEEP_FEW) {
            sweep_at = MIN(sweep_at, swept_at + SWEEP_SOON_MS);
        }
    }
}

bool
stay_is_switched(const struct gtpu_packet *p)
{
    struct flow f;
    bool begins;

    return read_flow(p, &f, &begins) && is_there(&f);
}

/* --- What the filter has forgotten. --- */

void
stay_adopt(void)
{
    const long long int now = time_msec();
    struct flows flows = { NULL, 0, 0 };

    swept_at = now;
    sweep_at = now + SWEEP_MS;
    if (!filter_stay_dump(add_flow, &flows)) {
        endpoint->stay_all(flows.all, flows.n);
        forget_all();
        for (size_t i = 0; i < flows.n; i++) {
            add(&flows.all[i], now - REFRESH_MS);
        }
        sweep_at = flows.n ? sweep_at : LLONG_MAX;
    }
    free(flows.all);
}

void
stay_take_up(void)
{
    const long long int now = time_msec();
    struct flows flows = { NULL, 0, 0 };

    filter_stay_dump(add_flow, &flows);
    for (size_t i = 0; i < flows.n; i++) {
        const struct flow *f = &flows.all[i];

        if (!find(f)) {
            add(f, now - REFRESH_MS);
            endpoint->stay(f);
            sweep_at = MIN(sweep_at, now + SWEEP_MS);
        }
    }
    free(flows.all);
}

void
stay_run(void)
{
    if (time_msec() >= sweep_at && filter_committed(noted)) {
        stay_adopt();
    }
}
