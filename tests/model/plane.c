/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A data plane in memory: see plane.h.
 *
 * Filter: a packet is copied, held, diverted or switched by the rules of
 * doc/ARCHITECTURE.md.  Endpoint: records what it is told, and is ready some
 * milliseconds later.  Each time a downlink tunnel is named, the judge in
 * world.c is asked whose it is. */

#include <config.h>

#include "plane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "base/addr.h"
#include "conf/conf.h"
#include "dataplane.h"
#include "filter/filter.h"
#include "filter/l2.h"
#include "filter/reinject.h"
#include "gtp/flow.h"
#include "gtp/gtpu.h"
#include "gtp/ue_frame.h"
#include "hash.h"
#include "nat/nat.h"
#include "openvswitch/hmap.h"
#include "packets.h"
#include "packets_model.h"
#include "service/service.h"
#include "tests/nothing.h"
#include "util.h"
#include "world.h"

struct plane_stats plane_stats;
int64_t plane_now;

static struct dataplane_events events;
static const struct conf *conf;
static struct conf *conf_owned;
static int64_t evidence_us, resample_us;
static uint64_t rng;

/* The clock of everything that is linked. */
long long int __wrap_time_msec(void);
long long int
__wrap_time_msec(void)
{
    return plane_now / 1000;
}

static uint32_t
dice(uint32_t n)
{
    rng = rng * 6364136223846793005ull + 1442695040888963407ull;
    return (rng >> 33) % n;
}

static uint32_t
v4(const struct in6_addr *addr)
{
    return ntohl(in6_addr_get_mapped_ipv4(addr));
}

/* Endpoint. */

struct record {
    struct endpoint_bearer b;
    bool ready;
    int64_t ready_at;
    int64_t evidence_until, divert_until, lease_until;
    uint64_t up, down;          /* Packets. */
};

#define MAX_RECORDS 4096
static struct record records[MAX_RECORDS];
static size_t n_records;

static struct record *
find_record(uint32_t id)
{
    for (size_t i = 0; i < n_records; i++) {
        if (records[i].b.id == id) {
            return &records[i];
        }
    }
    return NULL;
}

static bool
same_tunnels(const struct endpoint_bearer *a, const struct endpoint_bearer *b)
{
    return (!memcmp(&a->up, &b->up, sizeof a->up)
            && !memcmp(&a->down, &b->down, sizeof a->down));
}

static bool
may_use(const struct endpoint_bearer *b)
{
    return world_may_use(v4(&b->down.dst), b->down.teid, v4(&b->ue),
                         v4(&b->up.dst), b->up.teid, plane_now);
}

static void
plane_bearer_set(const struct endpoint_bearer *b, bool adopted OVS_UNUSED)
{
    struct record *r = find_record(b->id);

    plane_stats.sets++;
    may_use(b);
    if (!r) {
        ovs_assert(n_records < MAX_RECORDS);
        r = &records[n_records++];
        *r = (struct record) { .b = *b };
    } else if (!same_tunnels(&r->b, b)) {
        r->divert_until = 0;
    }
    r->b = *b;
    r->ready = false;
    r->ready_at = plane_now + 1000 + dice(20000);
    r->evidence_until = plane_now + evidence_us - b->silent_ms * 1000;
    r->lease_until = r->evidence_until;
}

static void
plane_bearer_pause(const struct endpoint_bearer *b)
{
    struct record *r = find_record(b->id);

    if (r) {
        r->evidence_until = r->divert_until = r->lease_until = plane_now - 1;
    }
}

static void
plane_bearer_clear(const struct endpoint_bearer *b)
{
    struct record *r = find_record(b->id);

    plane_stats.clears++;
    if (r) {
        *r = records[--n_records];
    }
}

static void
run_records(void)
{
    for (size_t i = 0; i < n_records; i++) {
        struct record *r = &records[i];
        if (!r->ready && r->ready_at <= plane_now) {
            uint32_t id = r->b.id;

            r->ready = true;
            world_diverted(v4(&r->b.up.dst), r->b.up.teid, v4(&r->b.ue));
            r->divert_until = r->evidence_until;
            events.endpoint.bearer_ready(id);
            return;             /* It may have changed the table. */
        }
    }
}

/* A UE's packet in 'r's downlink tunnel. */
static void
emit_down(const struct endpoint_bearer *b, const uint8_t *ip, size_t len)
{
    uint8_t buf[MODEL_MAX];

    len = model_gtp(buf, v4(&b->down.src), v4(&b->down.dst), b->down.teid,
                    MODEL_GPDU, false, ip, len);
    world_at_enb(buf, len, plane_now);
}

/* Flows: what conntrack knows. */

struct nat_flow {
    struct hmap_node node;
    uint16_t space;             /* Zone. */
    uint8_t key[12];            /* Addresses and ports, as the UE sends. */
    uint32_t id;                /* Mark. */
};

static struct hmap flows = HMAP_INITIALIZER(&flows);

static struct nat_flow *
get_flow(uint16_t space, const uint8_t *ip)
{
    const uint32_t hash = hash_bytes(ip + 12, 12, space);
    struct nat_flow *f;

    HMAP_FOR_EACH_WITH_HASH (f, node, hash, &flows) {
        if (f->space == space && !memcmp(f->key, ip + 12, sizeof f->key)) {
            return f;
        }
    }
    f = xzalloc(sizeof *f);
    f->space = space;
    memcpy(f->key, ip + 12, sizeof f->key);
    hmap_insert(&flows, &f->node, hash);
    return f;
}

/* App: answers at once, or late, or twice. */

struct answer {
    int64_t due;
    struct nat_flow *flow;
    size_t len;
    uint8_t frame[14 + MODEL_MAX];
};

#define MAX_ANSWERS 8192
static struct answer answers[MAX_ANSWERS];
static size_t n_answers;

static void
app_receives(const struct endpoint_bearer *b, const uint8_t *ip, size_t len)
{
    struct nat_flow *flow = get_flow(b->space, ip);

    flow->id = b->id;
    for (int n = dice(10) ? 1 : 2; n && n_answers < MAX_ANSWERS; n--) {
        struct answer *a = &answers[n_answers++];

        a->due = plane_now + (dice(10) < 7 ? dice(1000)
                              : dice(5 * evidence_us / 2));
        a->flow = flow;
        a->len = 14 + len;
        memset(a->frame, 0, 14);
        a->frame[12] = 8;
        memcpy(a->frame + 14, ip, len);
        /* Back to where it came from. */
        memcpy(a->frame + 14 + 12, ip + 16, 4);
        memcpy(a->frame + 14 + 16, ip + 12, 4);
    }
}

static void
app_answers(struct answer *a)
{
    const uint32_t id = a->flow->id;
    struct record *r = find_record(id);
    struct in6_addr ue;
    ovs_be32 dst;

    if (r && r->lease_until >= plane_now) {
        plane_stats.answered++;
        r->down++;
        emit_down(&r->b, a->frame + 14, a->len - 14);
    } else if (!is_orphan_id(id)) {
        plane_stats.held_down++;
        events.endpoint.held_down(id, a->frame, a->len);
    } else {
        plane_stats.orphaned++;
        memcpy(&dst, a->frame + 14 + 16, 4);
        in6_addr_set_mapped_ipv4(&ue, dst);
        events.endpoint.orphaned(&ue, id >> 8, a->frame, a->len);
    }
}

static void
run_app(void)
{
    for (size_t i = 0; i < n_answers; i++) {
        if (answers[i].due <= plane_now) {
            struct answer a = answers[i];

            answers[i--] = answers[--n_answers];
            app_answers(&a);
        }
    }
}

static int
plane_send_up(const struct endpoint_bearer *b, const void *ip_, size_t len)
{
    uint8_t inner[MODEL_MAX], buf[MODEL_MAX];
    ovs_be32 ue = in6_addr_get_mapped_ipv4(&b->ue);

    memcpy(inner, ip_, len);
    memcpy(inner + 12, &ue, 4);
    len = model_gtp(buf, v4(&b->up.src), v4(&b->up.dst), b->up.teid,
                    MODEL_GPDU, false, inner, len);
    world_at_sgw(buf, len, plane_now);
    return 0;
}

static int
plane_send_app(const struct endpoint_bearer *b, const void *ip, size_t len)
{
    plane_stats.released++;
    app_receives(b, ip, len);
    return 0;
}

static int
plane_send_down(const struct endpoint_bearer *b, const void *frame_,
                size_t len)
{
    const uint8_t *frame = frame_;

    plane_stats.sent_down++;
    may_use(b);
    emit_down(b, frame + 14, len - 14);
    return 0;
}

static void
plane_poll_counters(void)
{
    /* The agent may clear it: then the last one, which has been read, takes its
     * place. */
    for (size_t i = n_records; i-- > 0; ) {
        const struct record r = records[i];

        events.endpoint.counters(r.b.id, ENDPOINT_UP, r.up, 0,
                                 plane_now / 1000);
        events.endpoint.counters(r.b.id, ENDPOINT_DOWN, r.down, 0,
                                 plane_now / 1000);
    }
}

static bool
always(void)
{
    return true;
}

static bool
always_for(const struct in6_addr *ip OVS_UNUSED)
{
    return true;
}

static bool
always_possible(const struct service_spec *spec OVS_UNUSED,
                const char **why OVS_UNUSED)
{
    return true;
}

static int
divert_nothing(const struct in6_addr *ip OVS_UNUSED,
               enum endpoint_service how OVS_UNUSED)
{
    return 0;
}

static bool
adopt_nothing(bool (*cb)(const struct endpoint_bearer *) OVS_UNUSED)
{
    return false;
}

static int
no_error(const struct service_spec *spec OVS_UNUSED)
{
    return 0;
}

static void
plane_learned(enum filter_side from OVS_UNUSED, const struct tunnel *t,
              const struct in6_addr *ue)
{
    filter_learned(t, addr_family(ue));
}

static void
nothing(void)
{
}

static void
nothing_said(bool up OVS_UNUSED)
{
}

static void
nothing_cleared(const struct in6_addr *service_ip OVS_UNUSED)
{
}

static void
stays_nothing(const struct flow *f OVS_UNUSED)
{
}

static void
stays_nothing_of_all(const struct flow *flows OVS_UNUSED, size_t n OVS_UNUSED)
{
}

static int
trace_nothing(const struct in6_addr *ue OVS_UNUSED,
              unsigned int seconds OVS_UNUSED)
{
    return EOPNOTSUPP;
}

const struct endpoint_class endpoint_ovs = {
    .name = "model",
    .report = nothing_said,
    .run = nothing,
    .wait = nothing,
    .close = nothing,
    .start = nothing,
    .ready = always,
    .plumbed = always,
    .bearer_set = plane_bearer_set,
    .adopt = adopt_nothing,
    .learned = plane_learned,
    .unlearn = filter_unlearn,
    .bearer_pause = plane_bearer_pause,
    .bearer_clear = plane_bearer_clear,
    .bearer_look = nothing_to_see,
    .bearer_left = nothing_left,
    .service_set = no_error,
    .service_clear = nothing_cleared,
    .service_possible = always_possible,
    .service_ready = always_for,
    .service_divert = divert_nothing,
    .stay = stays_nothing,
    .stay_all = stays_nothing_of_all,
    .send_up = plane_send_up,
    .send_app = plane_send_app,
    .send_down = plane_send_down,
    .path_changed = nothing_changed,
    .poll_counters = plane_poll_counters,
    .trace_start = trace_nothing,
    .trace_stop = nothing,
};

/* Filter. */

static struct {
    struct tunnel t;
    int64_t until;
} learned[1 << 16];             /* Who loses his place is copied again. */

static size_t
learned_slot(const struct tunnel *t)
{
    return hash_bytes(t, sizeof *t, 0) % ARRAY_SIZE(learned);
}

void
filter_learned(const struct tunnel *t, sa_family_t inner OVS_UNUSED)
{
    size_t i = learned_slot(t);

    learned[i].t = *t;
    learned[i].until = plane_now + resample_us;
}

static bool
is_learned(const struct tunnel *t)
{
    size_t i = learned_slot(t);

    return (learned[i].until > plane_now
            && !memcmp(&learned[i].t, t, sizeof *t));
}

static void
to_agent(enum filter_queue queue, const uint8_t *ip, size_t len)
{
    const struct nfq_packet np = {
        .queue = queue, .ip = ip, .len = len, .since = plane_now / 1000,
    };

    if (queue == QUEUE_HOLD_ENB || queue == QUEUE_HOLD_SGW) {
        plane_stats.held++;
    } else {
        plane_stats.copies++;
    }
    events.packet(&np);
}

struct stay {
    struct hmap_node node;
    struct flow f;
    int64_t until;
};

static struct hmap stays = HMAP_INITIALIZER(&stays);

static struct stay *
find_stay(const struct flow *f)
{
    struct stay *s;

    HMAP_FOR_EACH_WITH_HASH (s, node, hash_bytes(f, sizeof *f, 0), &stays) {
        if (!memcmp(&s->f, f, sizeof *f)) {
            return s;
        }
    }
    return NULL;
}

void
filter_stay(const struct flow *f, bool again OVS_UNUSED)
{
    struct stay *s = find_stay(f);

    if (!s) {
        s = xzalloc(sizeof *s);
        s->f = *f;
        hmap_insert(&stays, &s->node, hash_bytes(f, sizeof *f, 0));
    }
    s->until = plane_now + (f->is_tcp ? FLOW_TCP_MS : FLOW_OTHER_MS)
        * INT64_C(1000);
}

void
filter_stay_tunnel(const struct flow *f OVS_UNUSED)
{
}

bool
filter_stays(const struct flow *f)
{
    const struct stay *s = find_stay(f);

    return s && s->until >= plane_now;
}

int
filter_stay_dump(filter_flow_cb *cb, void *aux)
{
    struct stay *s;

    HMAP_FOR_EACH_SAFE (s, node, &stays) {
        if (s->until >= plane_now) {
            cb(&s->f, aux);
        } else {
            hmap_remove(&stays, &s->node);
            free(s);
        }
    }
    return 0;
}

/* Does it stay on the normal way, though it is to a service? */
static bool
does_stay(const struct gtpu_packet *p)
{
    struct flow f;
    bool begins;

    if (!flow_read(&f, p->msg.payload, p->msg.payload_len, &begins)) {
        return false;
    }
    f.sgw = p->dst;
    f.teid = htonl(p->msg.teid);
    if (!filter_stays(&f)) {
        return false;
    }
    filter_stay(&f, true);
    world_stays(v4(&p->dst), p->msg.teid);
    return true;
}

/* Rules 7 and 7a.  Returns true if that is all. */
static bool
filter_service_packet(const uint8_t *ip, size_t len,
                      const struct gtpu_packet *p, const struct tunnel *t,
                      bool is_service)
{
    for (size_t i = 0; i < n_records; i++) {
        struct record *r = &records[i];

        if (r->divert_until < plane_now
            || memcmp(&r->b.up, t, sizeof *t)) {
            continue;
        }
        if (!IN6_ARE_ADDR_EQUAL(&r->b.ue, &p->inner.src)) {
            if (is_service) {
                world_at_sgw(ip, len, plane_now);
                to_agent(QUEUE_COPY_ENB, ip, len);
            }
            return is_service;
        }
        r->divert_until = plane_now + evidence_us;
        if (is_service) {
            r->lease_until = plane_now + evidence_us;
            plane_stats.diverted++;
            r->up++;
            app_receives(&r->b, p->msg.payload, p->msg.payload_len);
            return true;
        }
    }
    return false;
}

/* False if that is all. */
static bool
filter_gpdu(bool from_enb, const uint8_t *ip, size_t len,
            const struct gtpu_packet *p)
{
    const struct tunnel t = { p->src, p->dst, p->msg.teid };
    bool hold;

    if (from_enb) {
        hold = v4(&p->inner.dst) == 0xc633640a && !does_stay(p);
        if (filter_service_packet(ip, len, p, &t, hold)) {
            return false;
        }
    } else {
        hold = p->inner.proto == IPPROTO_ICMP;
    }
    if (hold) {
        to_agent(from_enb ? QUEUE_HOLD_ENB : QUEUE_HOLD_SGW, ip, len);
    } else if (!is_learned(&t)) {
        to_agent(from_enb ? QUEUE_COPY_ENB : QUEUE_COPY_SGW, ip, len);
    }
    return !hold;
}

/* True if the packet is switched. */
static bool
filter_packet(bool from_enb, const uint8_t *ip, size_t len)
{
    struct gtpu_packet p;

    if (gtpu_parse_packet(ip, len, &p)) {
        return true;
    } else if (p.msg.type == GTPU_ERROR_INDICATION) {
        to_agent(from_enb ? QUEUE_HOLD_ENB : QUEUE_HOLD_SGW, ip, len);
        return false;
    } else if (p.msg.type == GTPU_END_MARKER && !from_enb) {
        to_agent(QUEUE_COPY_SGW, ip, len);
        return true;
    }
    return (p.msg.type != GTPU_GPDU || !p.msg.teid
            || filter_gpdu(from_enb, ip, len, &p));
}

void
plane_from_enb(const uint8_t *ip, size_t len)
{
    if (filter_packet(true, ip, len)) {
        world_at_sgw(ip, len, plane_now);
    }
}

void
plane_from_sgw(const uint8_t *ip, size_t len)
{
    if (filter_packet(false, ip, len)) {
        world_at_enb(ip, len, plane_now);
    }
}

/* NAT: conntrack entries of bearers that are gone. */

void
nat_flows_reassign(uint32_t (*owner)(uint32_t bearer_id, uint16_t space))
{
    struct nat_flow *f;

    HMAP_FOR_EACH (f, node, &flows) {
        f->id = owner(f->id, f->space);
    }
}

int
nat_flows_run(void)
{
    return 0;
}

bool
nat_flows_done(void)
{
    return true;
}

void
nat_flows_stop(void)
{
}

/* Packets that go back to S1-U. */

bool
reinject_is_routed(void)
{
    return false;
}

int
reinject_send(enum filter_side from, const struct l2_header *l2 OVS_UNUSED,
              const void *ip, size_t len)
{
    if (from == SIDE_ENB) {
        world_at_sgw(ip, len, plane_now);
    } else {
        world_at_enb(ip, len, plane_now);
    }
    return 0;
}

/* The data plane as a whole. */

void
dataplane_init(const struct conf *conf_,
               const struct endpoint_class *endpoint OVS_UNUSED,
               const struct dataplane_events *events_)
{
    conf = conf_;
    events = *events_;
    events.up();
}

void
dataplane_destroy(void)
{
}

void
dataplane_run(void)
{
}

void
dataplane_hold_nothing(void)
{
    world_all_given_up();
}

void
dataplane_wait(void)
{
}

bool
queues_are_behind(void)
{
    return false;
}

bool
dataplane_is_up(void)
{
    return conf;
}

void
plane_init(uint64_t seed, const char *text)
{
    char *error = NULL;

    rng = seed;
    conf_owned = conf_parse(text, strlen(text), "model", &error);
    if (!conf_owned) {
        ovs_fatal(0, "%s", error);
    }
    evidence_us = conf_owned->sessions.evidence_seconds * 1000000ll;
    resample_us = conf_owned->sessions.idle_seconds * 1000000ll / 5;
    memset(&plane_stats, 0, sizeof plane_stats);
    memset(learned, 0, sizeof learned);
    n_records = n_answers = 0;
    if (agent_init(conf_owned, &error)) {
        ovs_fatal(0, "%s", error);
    }
    agent_run();
}

void
plane_run(void)
{
    run_records();
    run_app();
    agent_run();
}

void
plane_destroy(void)
{
    agent_destroy();
    conf = NULL;
    conf_free(conf_owned);
}
