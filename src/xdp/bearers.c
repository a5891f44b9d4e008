/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Diverted bearers: see bearers.h.
 *
 * A bearer is three entries: its template (how to reach the UE), its downlink
 * tunnel (a packet to another UE ends the template), its uplink tunnel
 * (diverts).  They are made in this order and taken away in reverse.  They are
 * in force at once, so bearers are ready in the next round of the loop. */

#include <config.h>

#include "xdp/bearers.h"

#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "filter/l2.h"
#include "gtp/endpoint.h"
#include "hash.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "util.h"
#include "xdp/routed.h"
#include "xdp/table.h"
#include "xdp/table_path.h"

METRIC_COUNTER(n_no_room, "tof_xdp_no_room_total", "",
               "Bearers for which the tables had no room: their packets take "
               "the slow path.");

#define POLL_BUDGET 1024        /* Bearers a round of the loop. */
#define POLL_SHARE 2            /* A pause takes that much longer. */

struct xdp_bearer {
    struct hmap_node node;              /* In bearers, by id. */
    struct ovs_list ready_node;         /* In ready, else empty. */
    struct endpoint_bearer b;
    uint32_t up, down;                  /* Places. */
    bool has_template;
    uint32_t seen;                      /* Tick of the UE's last packet. */
    uint64_t last_up, last_down;        /* Counts as last read, */
    uint64_t packets_up, bytes_up;      /* and their sums. */
    uint64_t packets_down, bytes_down;
};

static struct hmap bearers;
static struct ovs_list ready;           /* To be reported. */
static struct hmap_position polled;
static bool polling;                    /* Some have not been polled yet. */
static long long int poll_began, poll_at;
static const struct endpoint_events *events;
static struct xdp_table *table;

void
xdp_bearers_init(const struct endpoint_events *events_)
{
    hmap_init(&bearers);
    ovs_list_init(&ready);
    events = events_;
}

void
xdp_bearers_destroy(void)
{
    struct xdp_bearer *xb;

    HMAP_FOR_EACH_POP (xb, node, &bearers) {
        free(xb);
    }
    hmap_destroy(&bearers);
}

void
xdp_bearers_use(struct xdp_table *table_)
{
    table = table_;
}

static struct xdp_bearer *
find(uint32_t id)
{
    struct xdp_bearer *xb;

    HMAP_FOR_EACH_WITH_HASH (xb, node, hash_int(id, 0), &bearers) {
        if (xb->b.id == id) {
            return xb;
        }
    }
    return NULL;
}

/* Where it is counted, if anywhere.  Counters start again when an entry or a
 * template becomes the bearer's. */
static const struct xdp_entry *
entry_of(const struct xdp_bearer *xb)
{
    const struct xdp_entry *e = (xb->up == XDP_NOWHERE ? NULL
                                 : xdp_table_entry(table, xb->up));

    return e && e->bearer == xb->b.id ? e : NULL;
}

static const struct xdp_template *
template_of(uint32_t id)
{
    uint32_t slot = id >> 8;
    const struct xdp_template *t = (slot < table->config->n_templates
                                    ? &table->templates[slot] : NULL);

    return t && t->id == id ? t : NULL;
}

/* tof_sgw clears the template's id. */
static bool
is_withdrawn(const struct xdp_bearer *xb)
{
    return xb->has_template && !template_of(xb->b.id);
}

static uint64_t
up_count(const struct xdp_entry *e)
{
    return __atomic_load_n(&e->count, __ATOMIC_ACQUIRE);
}

static void
read_counts(struct xdp_bearer *xb)
{
    const struct xdp_entry *e = entry_of(xb);
    const struct xdp_template *t = template_of(xb->b.id);

    if (e) {
        xdp_count_read(up_count(e), &xb->last_up, &xb->packets_up,
                       &xb->bytes_up);
    }
    if (t) {
        xdp_count_read(xdp_template_count(t), &xb->last_down,
                       &xb->packets_down, &xb->bytes_down);
    }
}

/* Index of the downlink path; 0 if no header has been seen for it. */
static uint32_t
find_path(const struct endpoint_bearer *b, bool adopted)
{
    uint32_t path = xdp_table_path_find(table, &b->down.src, &b->down.dst);
    struct l2_header l2;

    if (xdp_routed_l2(&b->down.dst, &l2)
        || (!(path && adopted)
            && l2_get(SIDE_SGW, &b->down.src, &b->down.dst, &l2))) {
        path = xdp_table_path_set(table, &b->down.src, &b->down.dst,
                                  l2.bytes, l2.len);
    }
    return path;
}

/* Returns whether a program had withdrawn it, be it a moment ago. */
static bool
release(struct xdp_bearer *xb)
{
    const bool had_template = xb->has_template;

    xdp_table_release(table, xb->up, xb->b.id);
    xdp_table_release(table, xb->down, xb->b.id);
    xb->has_template = false;
    return !xdp_table_template_clear(table, xb->b.id) && had_template;
}

/* A proof may be older than what a program has seen since: so a template that
 * is there already ('seen' 0: it is adopted) is not put back into use. */
static void
write_tables(struct xdp_bearer *xb, uint32_t seen)
{
    const struct endpoint_bearer *b = &xb->b;
    const uint32_t path = find_path(b, !seen);
    const uint8_t tos = b->down_dscp << 2;

    xb->down = xdp_table_bind(table, b);
    xb->up = xdp_table_divert(table, b, seen);
    xb->has_template =
        (xb->up != XDP_NOWHERE && xb->down != XDP_NOWHERE
         && (xb->has_template || !seen
             ? xdp_table_template_change : xdp_table_template_set)(
                 table, b, path, xb->up, tos, seen));
    if (!xb->has_template) {
        metric_inc(&n_no_room);
    }
}

/* The programs count on while tables are written: where the count has stayed,
 * what has come since it was read is not skipped. */
static void
follow_counts(struct xdp_bearer *xb, const struct xdp_entry *entry_before,
              const struct xdp_template *template_before)
{
    const struct xdp_entry *e = entry_of(xb);
    const struct xdp_template *t = template_of(xb->b.id);

    if (e != entry_before) {
        xb->last_up = e ? up_count(e) : 0;
    }
    if (t != template_before) {
        xb->last_down = t ? xdp_template_count(t) : 0;
    }
}

/* The tick at which its UE was heard; never 0. */
static uint32_t
tick_heard(const struct endpoint_bearer *b)
{
    uint32_t ago = b->silent_ms * UINT64_C(1000000) >> XDP_TICK_SHIFT;
    uint32_t tick = (xdp_now() - (b->silent_ms ? ago + 1 : 0)) & XDP_TICK_MASK;

    return tick ? tick : 1;
}

void
xdp_bearers_set(const struct endpoint_bearer *b, bool adopted)
{
    struct xdp_bearer *xb = find(b->id);
    const struct xdp_template *t = NULL;
    const struct xdp_entry *e = NULL;
    const uint32_t heard = tick_heard(b);

    if (!xb) {
        xb = xzalloc(sizeof *xb);
        xb->up = xb->down = XDP_NOWHERE;
        hmap_insert(&bearers, &xb->node, hash_int(b->id, 0));
        ovs_list_init(&xb->ready_node);
        xb->b = *b;
    }
    if (table) {
        if (!adopted) {
            read_counts(xb);
            e = entry_of(xb);
            t = template_of(xb->b.id);
        }
        if (!endpoint_same_tunnels(&xb->b, b)) {
            /* A downlink tunnel that a program has withdrawn stays so. */
            xb->has_template = (release(xb)
                                && !memcmp(&xb->b.down, &b->down,
                                           sizeof b->down));
        }
        xb->b = *b;
        write_tables(xb, adopted ? 0 : heard);
        /* Neither a proof nor being adopted is a sign of the UE. */
        if (!adopted) {
            follow_counts(xb, e, t);
            xb->seen = heard;
        } else if (entry_of(xb)) {
            bool forwarded;
            xb->seen = xdp_table_seen(table, xb->up, &forwarded);
        }
    }
    ovs_list_remove(&xb->ready_node);
    ovs_list_push_back(&ready, &xb->ready_node);
}

void
xdp_bearers_pause(const struct endpoint_bearer *b)
{
    struct xdp_bearer *xb = find(b->id);

    if (xb && table) {
        read_counts(xb);
        xb->has_template = release(xb);         /* So that it is said. */
        xb->up = xb->down = XDP_NOWHERE;
        ovs_list_remove(&xb->ready_node);
        ovs_list_init(&xb->ready_node);
    }
}

void
xdp_bearers_clear(const struct endpoint_bearer *b)
{
    struct xdp_bearer *xb = find(b->id);

    if (xb) {
        if (table) {
            release(xb);
        }
        ovs_list_remove(&xb->ready_node);
        hmap_remove(&bearers, &xb->node);
        free(xb);
    }
}

struct adoption {
    bool (*cb)(const struct endpoint_bearer *);
};

static void
adopt_one(const struct endpoint_bearer *b, uint32_t place, void *adoption_)
{
    const struct adoption *adoption = adoption_;

    /* Without a downlink tunnel: tof_sgw has found it given away. */
    if (!b->down.teid || !adoption->cb(b)) {
        xdp_table_template_clear(table, b->id);
        xdp_table_release(table, place, b->id);
    }
}

/* Downlink tunnels whose bearer is gone. */
static void
sweep_down(void)
{
    for (uint32_t i = 0; i < table->config->n_buckets * XDP_BUCKET; i++) {
        const struct xdp_entry *e = xdp_table_entry(table, i);
        const struct xdp_bearer *xb;

        if (XDP_META_KIND(e->meta) & XDP_KIND_DOWN && e->bearer
            && (!(xb = find(e->bearer)) || xb->down != i)) {
            xdp_table_release(table, i, e->bearer);
        }
    }
}

/* Templates without a bearer: nothing may be sent by them. */
static void
sweep_templates(void)
{
    for (uint32_t i = 0; i < table->config->n_templates; i++) {
        uint32_t id = table->templates[i].id;
        if (id && !find(id)) {
            xdp_table_template_clear(table, id);
        }
    }
}

/* Address spaces that no bearer has any more: their paths may get others. */
static void
sweep_spaces(void)
{
    bool used[XDP_PATHS] = { false };

    for (uint32_t i = 0; i < table->config->n_buckets * XDP_BUCKET; i++) {
        const struct xdp_entry *e = xdp_table_entry(table, i);

        if (XDP_META_KIND(e->meta) && e->bearer) {
            used[XDP_META_PATH(e->meta) % XDP_PATHS] = true;
        }
    }
    for (uint32_t i = 0; i < XDP_PATHS; i++) {
        if (!used[i]) {
            table->paths[i].space = 0;
        }
    }
}

bool
xdp_bearers_adopt(bool (*cb)(const struct endpoint_bearer *))
{
    struct adoption adoption = { cb };

    if (table) {
        xdp_table_dump(table, adopt_one, &adoption);
        sweep_down();
        sweep_templates();
        sweep_spaces();
    }
    return true;
}

void
xdp_bearers_path_changed(enum filter_side from, const struct in6_addr *src,
                         const struct in6_addr *dst,
                         const struct l2_header *l2)
{
    struct l2_header routed;

    if (table && from == SIDE_SGW && !xdp_routed_l2(dst, &routed)
        && xdp_table_path_find(table, src, dst)) {
        xdp_table_path_set(table, src, dst, l2->bytes, l2->len);
    }
}

bool
xdp_bearers_may_send(uint32_t id)
{
    const struct xdp_bearer *xb = find(id);

    return !xb || !is_withdrawn(xb);
}

void
xdp_bearers_check(uint32_t id)
{
    const struct xdp_bearer *xb = find(id);

    if (table && xb && is_withdrawn(xb)) {
        events->reused(id);
    }
}

/* Reports 'xb', or that a program has taken it out of use meanwhile. */
static void
report_ready(const struct xdp_bearer *xb)
{
    if (is_withdrawn(xb)) {
        events->reused(xb->b.id);
    } else {
        events->bearer_ready(xb->b.id);
    }
}

static void
run_ready(void)
{
    struct xdp_bearer *xb;

    /* Taken one by one: what is called may come back here. */
    for (size_t n = ovs_list_size(&ready); n && !ovs_list_is_empty(&ready);
         n--) {
        xb = CONTAINER_OF(ovs_list_pop_front(&ready), struct xdp_bearer,
                          ready_node);
        ovs_list_init(&xb->ready_node);
        report_ready(xb);
    }
}

/* The time of a stamp; rather too early than too late. */
static long long int
time_of(uint32_t tick)
{
    uint64_t ago = ((xdp_now() - tick) & XDP_TICK_MASK) + 1;

    return time_msec() - (long long int) ((ago << XDP_TICK_SHIFT) / 1000000);
}

/* What of 'xb' the tables do not have.  An entry without a kind is nobody's,
 * whatever else it says. */
static const char *
find_gap(const struct xdp_bearer *xb)
{
    const struct xdp_entry *up = entry_of(xb);

    return (!xb->has_template ? "the programs' tables have no room for it"
            : !up || !XDP_META_KIND(up->meta)
            ? "the programs' table has no entry for its uplink tunnel"
            : is_withdrawn(xb)
            ? "the programs' table has no template for its answers" : NULL);
}

void
xdp_bearers_look(const struct endpoint_bearer *b, struct endpoint_look *look)
{
    const struct xdp_bearer *xb = table ? find(b->id) : NULL;
    uint32_t seen;

    *look = (struct endpoint_look) { .seen = LLONG_MIN };
    if (!xb) {
        look->lacks = "the programs have never been told of it";
        return;
    }
    look->lacks = find_gap(xb);
    if (!look->lacks) {
        seen = __atomic_load_n(&xdp_table_entry(table, xb->up)->stamp,
                               __ATOMIC_ACQUIRE) & XDP_TICK_MASK;
        if (((xdp_now() - seen) & XDP_TICK_MASK) <= table->config->evidence) {
            look->seen = time_of(seen);
        }
    }
}

const char *
xdp_bearers_left(const struct endpoint_bearer *b)
{
    return (!table ? NULL
            : xdp_table_diverts(table, b)
            ? "the programs' table has an entry that diverts its uplink tunnel"
            : template_of(b->id)
            ? "the programs' table has a template for its answers" : NULL);
}

static void
poll_bearer(struct xdp_bearer *xb)
{
    const long long int now = time_msec();
    const uint32_t id = xb->b.id;

    if (entry_of(xb)) {
        bool forwarded;
        uint32_t seen = xdp_table_seen(table, xb->up, &forwarded);
        if (seen != xb->seen || forwarded) {
            xb->seen = seen;
            events->alive(id, forwarded, time_of(seen));
        }
    }
    read_counts(xb);
    events->counters(id, ENDPOINT_UP, xb->packets_up, xb->bytes_up, now);
    events->counters(id, ENDPOINT_DOWN, xb->packets_down, xb->bytes_down,
                     now);
    xdp_bearers_check(id);
}

static void
run_poll(void)
{
    for (int i = 0; i < POLL_BUDGET; i++) {
        struct hmap_node *node = (table ? hmap_at_position(&bearers, &polled)
                                  : NULL);

        if (!node) {
            polling = false;
            poll_at = time_msec() + POLL_SHARE * (time_msec() - poll_began);
            break;
        }
        /* The position is beyond it: it may go. */
        poll_bearer(CONTAINER_OF(node, struct xdp_bearer, node));
    }
}

void
xdp_bearers_poll(void)
{
    if (!polling && time_msec() >= poll_at) {
        polling = true;
        poll_began = time_msec();
        polled = (struct hmap_position) { 0, 0 };
    }
}

void
xdp_bearers_run(void)
{
    run_ready();
    if (polling) {
        run_poll();
    }
}

void
xdp_bearers_wait(void)
{
    if (polling || !ovs_list_is_empty(&ready)) {
        poll_immediate_wake();
    }
}
