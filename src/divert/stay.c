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

static const struct endpoint_class *endpoint;
static struct recent diverted;          /* UEs and their tunnels. */
static struct recent switched;          /* Connections. */
static long long int swept_at;
static long long int sweep_at;          /* LLONG_MAX: there is no need. */
static size_t n_there;                  /* In the filter, about. */
static uint64_t noted;                  /* filter_seqno() of the last one. */

void
stay_init(const struct endpoint_class *endpoint_)
{
    endpoint = endpoint_;
    recent_init(&diverted, sizeof(struct ue_key), DIVERTED_MAX, DIVERTED_MS);
    recent_init(&switched, sizeof(struct flow), SWITCHED_MAX, SWITCHED_MS);
    swept_at = sweep_at = 0;            /* What an earlier tofd has left. */
    n_there = 0;
    noted = 0;
}

void
stay_destroy(void)
{
    recent_destroy(&diverted);
    recent_destroy(&switched);
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

bool
stay_is_diverted(const struct bearer *b)
{
    const struct bearer *other;

    if (bearer_use_get(b)->given_up) {
        return false;
    }
    SESSION_FOR_EACH_BEARER (other, b->session) {
        if (bearer_is_ready(other)) {
            return true;
        }
    }
    return was_diverted(b, 0);
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

bool
stay_switched(const struct gtpu_packet *p)
{
    const long long int now = time_msec();
    struct flow f;
    bool begins, new;

    if (!read_flow(p, &f, &begins) || (!begins && may_be_at_app(p))) {
        return false;
    }
    new = recent_when(&switched, &f, now) == LLONG_MIN;
    if (new && n_there >= SWITCHED_MAX) {
        metric_inc(&n_full);
        return false;
    } else if (new) {
        n_there++;
        metric_inc(&n_noted);
        endpoint->stay(&f);
    }
    recent_note(&switched, &f, now);
    filter_stay(&f);
    noted = filter_seqno();
    sweep_at = MIN(sweep_at, now + SWEEP_MS);
    return new;
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
        if (n_there && n_there <= SWEEP_FEW) {
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

struct flows {
    struct flow *all;
    size_t n, allocated;
};

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
        n_there = flows.n;
        sweep_at = flows.n ? sweep_at : LLONG_MAX;
    }
    free(flows.all);
}
