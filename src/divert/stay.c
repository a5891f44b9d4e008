/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Connections stay where they began: see stay.h. */

#include <config.h>

#include "divert/stay.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>

#include "base/addr.h"
#include "base/metrics.h"
#include "base/recent.h"
#include "filter/filter.h"
#include "gtp/endpoint.h"
#include "gtp/flow.h"
#include "gtp/gtpu.h"
#include "service/service_table.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

#define DIVERTED_MS (300 * 1000)
#define DIVERTED_MAX 65536
#define SWITCHED_MS 10000       /* A packet that waits has come before that. */
#define SWITCHED_MAX 16384
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

static const struct endpoint_class *endpoint;
static struct recent diverted;          /* UEs and their tunnels. */
static struct recent switched;          /* Connections. */
static struct flows there;              /* In the filter, about. */
static long long int swept_at;
static long long int sweep_at;          /* LLONG_MAX: there is no need. */
static uint64_t noted;                  /* filter_seqno() of the last one. */

void
stay_init(const struct endpoint_class *endpoint_)
{
    endpoint = endpoint_;
    recent_init(&diverted, sizeof(struct ue_key), DIVERTED_MAX, DIVERTED_MS);
    recent_init(&switched, sizeof(struct flow), SWITCHED_MAX, SWITCHED_MS);
    swept_at = sweep_at = 0;            /* What an earlier tofd has left. */
    there = (struct flows) { NULL, 0, 0 };
    noted = 0;
}

void
stay_destroy(void)
{
    recent_destroy(&diverted);
    recent_destroy(&switched);
    free(there.all);
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

/* 'f' stays from now on.  Returns true if that is new. */
static bool
note_flow(const struct flow *f, long long int now)
{
    const bool new = recent_when(&switched, f, now) == LLONG_MIN;

    if (new && there.n >= SWITCHED_MAX) {
        metric_inc(&n_full);
        return false;
    } else if (new) {
        add_flow(f, &there);
        metric_inc(&n_noted);
        endpoint->stay(f);
    }
    recent_note(&switched, f, now);
    filter_stay(f);
    noted = filter_seqno();
    sweep_at = MIN(sweep_at, now + SWEEP_MS);
    return new;
}

bool
stay_switched(const struct gtpu_packet *p)
{
    struct flow f;
    bool begins;

    return (read_flow(p, &f, &begins) && (begins || !may_be_at_app(p))
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
    const long long int now = time_msec();
    const size_t n = there.n;

    if (session_only_bearer(b->session) || bearer_is_ready(b)
        || was_diverted(b, b->up_teid)) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct flow f = there.all[i];

        if (is_of_other(&f, b)
            && (!filter_committed(noted) || filter_stays(&f))) {
            f.teid = htonl(b->up_teid);
            note_flow(&f, now);
        }
    }
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

    if (read_flow(p, &f, &begins) && begins) {
        /* The filter has forgotten it; so should the endpoint. */
        recent_forget(&switched, &f);
        if (there.n && there.n <= SWEEP_FEW) {
            sweep_at = MIN(sweep_at, swept_at + SWEEP_SOON_MS);
        }
    }
}

bool
stay_is_switched(const struct gtpu_packet *p)
{
    struct flow f;
    bool begins;

    if (!read_flow(p, &f, &begins)
        || recent_when(&switched, &f, time_msec()) == LLONG_MIN) {
        return false;
    }
    if (filter_committed(noted) && !filter_stays(&f)) {
        recent_forget(&switched, &f);   /* The filter has seen its SYN. */
        return false;
    }
    return true;
}

/* --- What the filter has forgotten. --- */

void
stay_run(void)
{
    const long long int now = time_msec();
    struct flows flows = { NULL, 0, 0 };

    if (now < sweep_at || !filter_committed(noted)) {
        return;
    }
    swept_at = now;
    sweep_at = now + SWEEP_MS;
    if (!filter_stay_dump(add_flow, &flows)) {
        endpoint->stay_all(flows.all, flows.n);
        sweep_at = flows.n ? sweep_at : LLONG_MAX;
        free(there.all);
        there = flows;
    } else {
        free(flows.all);
    }
}
