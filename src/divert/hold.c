/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Packets that wait: see hold.h.
 *
 * Each packet is in two lists: its bearer's, in order, and that of all, which
 * is in order of time as all wait equally long. */

#include <config.h>

#include "divert/hold.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "hash.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "util.h"

METRIC_COUNTER(n_overflow, "tof_hold_overflow_total", "",
               "Packets that had to make room for others.");
METRIC_COUNTER(n_expired, "tof_hold_expired_total", "",
               "Packets that waited in vain.");
METRIC_COUNTER(n_released, "tof_hold_released_total", "",
               "Packets that waited for their bearer and went on.");
METRIC_HISTOGRAM(hold_time, "tof_hold_seconds",
                 "How long those waited that went on.");

struct packet {
    struct ovs_list line_node;  /* In line->packets. */
    struct ovs_list all_node;
    struct line *line;
    long long int due;
    long long int since_us;
    struct hold_packet held;    /* With 'data' below. */
    uint8_t data[];
};

struct line {                   /* Those who wait for one bearer. */
    struct hmap_node node;
    uint32_t bearer_id;
    unsigned int n;
    long long int since;        /* When the first one came. */
    struct ovs_list packets;
};

static struct hmap lines;
static struct ovs_list all;
static unsigned int n_all;
static size_t n_bytes;

static uint64_t
n_held_metric(void)
{
    return n_all;
}

static uint64_t
n_max_metric(void)
{
    return HOLD_TOTAL;
}

METRIC_GAUGE(g_held, "tof_hold_packets", "", "Packets waiting.",
             n_held_metric);
METRIC_GAUGE(g_max, "tof_hold_packets_max", "", "How many packets can wait.",
             n_max_metric);

void
hold_init(void)
{
    hmap_init(&lines);
    ovs_list_init(&all);
    n_all = 0;
    n_bytes = 0;
}

static struct line *
find(uint32_t bearer_id)
{
    struct line *line;

    HMAP_FOR_EACH_WITH_HASH (line, node, hash_int(bearer_id, 0), &lines) {
        if (line->bearer_id == bearer_id) {
            return line;
        }
    }
    return NULL;
}

/* Takes 'p' out and gives it to 'cb', if any. */
static void
take_out(struct packet *p, hold_cb *cb)
{
    struct line *line = p->line;
    uint32_t bearer_id = line->bearer_id;

    ovs_list_remove(&p->line_node);
    ovs_list_remove(&p->all_node);
    n_all--;
    n_bytes -= p->held.len;
    if (!--line->n) {
        hmap_remove(&lines, &line->node);
        free(line);
    }
    if (cb) {
        cb(bearer_id, &p->held);
    }
    free(p);
}

static struct packet *
first_in(const struct line *line)
{
    return CONTAINER_OF(ovs_list_front(&line->packets), struct packet,
                        line_node);
}

static struct packet *
oldest(void)
{
    return ovs_list_is_empty(&all) ? NULL
        : CONTAINER_OF(ovs_list_front(&all), struct packet, all_node);
}

static void
make_room(uint32_t bearer_id, size_t len, hold_cb *cb)
{
    for (;;) {
        struct line *line = find(bearer_id);
        struct packet *p = (line && line->n >= HOLD_PER_BEARER ? first_in(line)
                            : n_all >= HOLD_TOTAL
                              || n_bytes + len > HOLD_BYTES ? oldest() : NULL);

        if (!p) {
            return;
        }
        metric_inc(&n_overflow);
        take_out(p, cb);
    }
}

void
hold_add(uint32_t bearer_id, const struct hold_packet *held,
         long long int now, hold_cb *cb)
{
    make_room(bearer_id, held->len, cb);

    struct line *line = find(bearer_id);
    if (!line) {
        line = xzalloc(sizeof *line);
        line->bearer_id = bearer_id;
        line->since = now;
        ovs_list_init(&line->packets);
        hmap_insert(&lines, &line->node, hash_int(bearer_id, 0));
    }
    struct packet *p = xmalloc(sizeof *p + held->len);
    p->line = line;
    p->due = now + HOLD_MS;
    p->since_us = time_usec();
    p->held = *held;
    p->held.data = p->data;
    memcpy(p->data, held->data, held->len);
    ovs_list_push_back(&line->packets, &p->line_node);
    ovs_list_push_back(&all, &p->all_node);
    line->n++;
    n_all++;
    n_bytes += held->len;
}

void
hold_release(uint32_t bearer_id, hold_cb *cb)
{
    struct line *line;

    /* Looked up each time: 'cb' may come back here. */
    while ((line = find(bearer_id))) {
        metric_inc(&n_released);
        histogram_add(&hold_time, time_usec() - first_in(line)->since_us);
        take_out(first_in(line), cb);
    }
}

static struct packet *
find_packet(uint32_t bearer_id, hold_match *match, const void *aux)
{
    struct line *line = find(bearer_id);
    struct packet *p;

    if (line) {
        LIST_FOR_EACH (p, line_node, &line->packets) {
            if (match(bearer_id, &p->held, aux)) {
                return p;
            }
        }
    }
    return NULL;
}

/* Takes out those for which 'match' says true.  They are looked up each time:
 * 'cb' may come back here. */
static void
take_some(uint32_t bearer_id, hold_match *match, const void *aux, hold_cb *cb,
          struct metric *counter)
{
    struct packet *p;

    while ((p = find_packet(bearer_id, match, aux))) {
        metric_inc(counter);
        take_out(p, cb);
    }
}

void
hold_release_some(uint32_t bearer_id, hold_match *match, const void *aux,
                  hold_cb *cb)
{
    take_some(bearer_id, match, aux, cb, &n_released);
}

static bool
has_direction(uint32_t bearer_id OVS_UNUSED, const struct hold_packet *p,
              const void *direction)
{
    return p->direction == *(const enum hold_direction *) direction;
}

void
hold_give_up(uint32_t bearer_id, enum hold_direction direction, hold_cb *cb)
{
    take_some(bearer_id, has_direction, &direction, cb, &n_expired);
}

void
hold_expire(long long int now, hold_cb *cb)
{
    struct packet *p;

    while ((p = oldest()) && p->due <= now) {
        metric_inc(&n_expired);
        take_out(p, cb);
    }
}

void
hold_wait(void)
{
    if (oldest()) {
        poll_timer_wait_until(oldest()->due);
    }
}

long long int
hold_since(uint32_t bearer_id)
{
    const struct line *line = find(bearer_id);

    return line ? line->since : LLONG_MAX;
}

unsigned int
hold_count(uint32_t bearer_id)
{
    const struct line *line = find(bearer_id);

    return line ? line->n : 0;
}

void
hold_destroy(void)
{
    while (oldest()) {
        take_out(oldest(), NULL);
    }
    hmap_destroy(&lines);
}
