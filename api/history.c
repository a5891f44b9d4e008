/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The last hour: see history.h.
 *
 * All rows of the ring have the same columns, one for each sample.  A service
 * has a row of its own from its first traffic on; if all rows are taken, one
 * whose service has had no traffic for an hour is given up for it, and without
 * such a row it is counted among "others".
 *
 * What is kept of each service besides is what it had counted at the last
 * sample, so memory grows with the number of services alone.
 *
 * The kernel's counters are older than this process.  So nothing is counted
 * before the data plane is up and they have been read; and a service counts
 * from the first sample on at which it is there. */

#include <config.h>

#include "api/history.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/counters.h"
#include "base/metrics.h"
#include "base/status.h"
#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/hmap.h"
#include "openvswitch/poll-loop.h"
#include "service/service.h"
#include "timeval.h"
#include "util.h"

/* How long it takes until the kernel's counters have been read. */
#define SETTLE_MS 3000

/* What became of packets. */
enum fate { SWITCHED, TO_APPS, TO_UES, HELD, COPIED, DROPPED, N_FATES };

static const char *const fates[N_FATES] = {
    [SWITCHED] = "switched", [TO_APPS] = "toApps", [TO_UES] = "toUes",
    [HELD] = "held", [COPIED] = "copied", [DROPPED] = "dropped",
};

/* Metrics that are summed up for it. */
static const struct source {
    enum fate fate;
    const char *metric, *label;
} sources[] = {
    { SWITCHED, "tof_xdp_packets_total", "reason=\"switched\"" },
    { TO_APPS, "tof_xdp_packets_total", "reason=\"decapsulated" },
    { TO_APPS, "tof_filter_packets_total", "fate=\"diverted\"" },
    { TO_UES, "tof_xdp_packets_total", "reason=\"encapsulated\"" },
    { TO_UES, "tof_filter_packets_total", "side=\"tof-enb\",fate=\"sent\"" },
    { HELD, "tof_filter_packets_total", "fate=\"held\"" },
    { COPIED, "tof_filter_packets_total", "fate=\"copied\"" },
    { DROPPED, "tof_xdp_packets_total", "verdict=\"drop\"" },
    { DROPPED, "tof_filter_packets_total", "fate=\"guarded\"" },
    { DROPPED, "tof_filter_packets_total", "fate=\"congestion_not_ect\"" },
    { DROPPED, "tof_nat_dropped_packets_total", "" },
    { DROPPED, "tof_hold_lost_total", "" },
    { DROPPED, "tof_down_dropped_total", "" },
    { DROPPED, "tof_congestion_dropped_total", "" },
    { DROPPED, "tof_wire_errors_total", "" },
};

/* A row for a service; the last one is for all that have none. */
struct row {
    char name[SERVICE_NAME_MAX + 1];    /* "" if it is free. */
    struct in6_addr ip;
    uint64_t sum;                       /* Bytes within the ring. */
    uint64_t up[HISTORY_SAMPLES], down[HISTORY_SAMPLES];
};
#define OTHERS HISTORY_SERVICES

struct known {                  /* A service. */
    struct hmap_node node;      /* In known, by 'ip'. */
    struct in6_addr ip;
    struct counters last;       /* At the last sample. */
    unsigned int sample;        /* When it was there. */
};

static struct ring {
    /* A sample's begin, which is the end of the one before; time_msec(). */
    long long int begins[HISTORY_SAMPLES + 1];
    uint64_t packets[N_FATES][HISTORY_SAMPLES];
    uint64_t learned[HISTORY_SAMPLES];          /* Downlink tunnels. */
    float median[HISTORY_SAMPLES], p99[HISTORY_SAMPLES];        /* Seconds. */
    struct row rows[HISTORY_SERVICES + 1];
} ring;

static struct hmap known = HMAP_INITIALIZER(&known);
static unsigned int n_samples;          /* So far; the next one's number. */
static long long int due;
static bool was_ready, begun;
static uint64_t last_packets[N_FATES];
static struct histogram last_learned;

/* The column of a sample. */
static unsigned int
column_of(unsigned int sample)
{
    return sample % HISTORY_SAMPLES;
}

static long long int *
begin_of(unsigned int sample)
{
    return &ring.begins[sample % ARRAY_SIZE(ring.begins)];
}

/* Since the last sample; a counter may have begun anew. */
static uint64_t
advance(uint64_t *last, uint64_t now)
{
    const uint64_t more = now >= *last ? now - *last : now;

    *last = now;
    return more;
}

static void
sample_packets(unsigned int column)
{
    uint64_t now[N_FATES] = { 0 };

    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        now[sources[i].fate] += metrics_sum(sources[i].metric,
                                            sources[i].label);
    }
    for (size_t fate = 0; fate < N_FATES; fate++) {
        ring.packets[fate][column] = advance(&last_packets[fate], now[fate]);
    }
}

static void
sample_learned(unsigned int column)
{
    const struct histogram *now = metrics_histogram("tof_learn_seconds");
    uint64_t n[HISTOGRAM_BOUNDS + 1] = { 0 }, total = 0;

    for (int i = 0; now && i <= HISTOGRAM_BOUNDS; i++) {
        n[i] = advance(&last_learned.n[i], now->n[i]);
        total += n[i];
    }
    ring.learned[column] = total;
    ring.median[column] = histogram_quantile(n, 0.5);
    ring.p99[column] = histogram_quantile(n, 0.99);
}

static struct row *
row_of(const struct in6_addr *ip)
{
    for (size_t i = 0; i < HISTORY_SERVICES; i++) {
        struct row *row = &ring.rows[i];

        if (row->name[0] && IN6_ARE_ADDR_EQUAL(&row->ip, ip)) {
            return row;
        }
    }
    return NULL;
}

/* A row for a service that has traffic; that of "others" if none is to be
 * had. */
static struct row *
get_row(const struct service_spec *spec)
{
    struct row *row = row_of(&spec->service_ip);

    for (size_t i = 0; !row && i < HISTORY_SERVICES; i++) {
        if (!ring.rows[i].sum) {
            row = &ring.rows[i];
            row->ip = spec->service_ip;
        }
    }
    if (!row) {
        return &ring.rows[OTHERS];
    }
    ovs_strlcpy(row->name, spec->name, sizeof row->name);
    return row;
}

static struct known *
get_known(const struct in6_addr *ip, const struct counters *counters)
{
    const uint32_t hash = hash_bytes(ip, sizeof *ip, 0);
    struct known *k;

    HMAP_FOR_EACH_WITH_HASH (k, node, hash, &known) {
        if (IN6_ARE_ADDR_EQUAL(&k->ip, ip)) {
            return k;
        }
    }
    k = xzalloc(sizeof *k);
    k->ip = *ip;
    k->last = *counters;
    hmap_insert(&known, &k->node, hash);
    return k;
}

static void
sample_service(const struct service_spec *spec,
               const struct counters *counters, void *aux OVS_UNUSED)
{
    struct known *k = get_known(&spec->service_ip, counters);
    const uint64_t up = advance(&k->last.bytes_up, counters->bytes_up);
    const uint64_t down = advance(&k->last.bytes_down, counters->bytes_down);

    k->sample = n_samples;
    if (up || down) {
        const unsigned int column = column_of(n_samples);
        struct row *row = get_row(spec);

        row->up[column] += up;
        row->down[column] += down;
        row->sum += up + down;
    }
}

/* The oldest column makes room. */
static void
clear_column(unsigned int column)
{
    for (size_t i = 0; i <= HISTORY_SERVICES; i++) {
        struct row *row = &ring.rows[i];

        row->sum -= row->up[column] + row->down[column];
        row->up[column] = row->down[column] = 0;
    }
}

static void
forget_gone(void)
{
    struct known *k;

    HMAP_FOR_EACH_SAFE (k, node, &known) {
        if (k->sample != n_samples) {
            hmap_remove(&known, &k->node);
            free(k);
        }
    }
}

static void
sample(void)
{
    const unsigned int column = column_of(n_samples);

    clear_column(column);
    sample_packets(column);
    sample_learned(column);
    service_for_each(sample_service, NULL);
    forget_gone();
    n_samples++;
    *begin_of(n_samples) = time_msec();
}

/* What has been counted before is not of the last hour. */
static void
begin(void)
{
    sample();
    memset(&ring, 0, sizeof ring);
    n_samples = 0;
    *begin_of(0) = time_msec();
    begun = true;
}

void
history_init(void)
{
    due = time_msec() + SETTLE_MS;
    was_ready = begun = false;
}

void
history_destroy(void)
{
    struct known *k;

    HMAP_FOR_EACH_POP (k, node, &known) {
        free(k);
    }
}

void
history_run(void)
{
    if (time_msec() < due) {
        return;
    }
    if (begun) {
        sample();
    } else if (was_ready) {
        begin();
    }
    was_ready = status_all_ready();
    due = time_msec() + (begun ? HISTORY_SECONDS * 1000 : SETTLE_MS);
}

void
history_wait(void)
{
    poll_timer_wait_until(due);
}

/* As JSON. */

static unsigned int
oldest(void)
{
    return n_samples > HISTORY_SAMPLES ? n_samples - HISTORY_SAMPLES : 0;
}

static void
put_counts(struct ds *s, const char *name, const uint64_t *counts)
{
    ds_put_format(s, "\"%s\":[", name);
    for (unsigned int i = oldest(); i < n_samples; i++) {
        ds_put_format(s, "%s%"PRIu64, i == oldest() ? "" : ",",
                      counts[column_of(i)]);
    }
    ds_put_char(s, ']');
}

/* Seconds; null where there are none. */
static void
put_seconds(struct ds *s, const char *name, const float *seconds)
{
    ds_put_format(s, "\"%s\":[", name);
    for (unsigned int i = oldest(); i < n_samples; i++) {
        const float value = seconds[column_of(i)];

        if (i != oldest()) {
            ds_put_char(s, ',');
        }
        if (isnan(value)) {
            ds_put_cstr(s, "null");
        } else {
            ds_put_format(s, "%.6g", value);
        }
    }
    ds_put_char(s, ']');
}

/* Ends of samples, in seconds since 1970 by the clock as it is now. */
static void
put_times(struct ds *s)
{
    const long long int offset = time_wall_msec() - time_msec();
    const unsigned int first = oldest();

    ds_put_format(s, "\"since\":%.1f,\"times\":[",
                  (*begin_of(first) + offset) / 1000.0);
    for (unsigned int i = first; i < n_samples; i++) {
        ds_put_format(s, "%s%.1f", i == first ? "" : ",",
                      (*begin_of(i + 1) + offset) / 1000.0);
    }
    ds_put_char(s, ']');
}

static void
put_row(struct ds *s, const struct row *row)
{
    put_counts(s, "bytesUp", row->up);
    ds_put_char(s, ',');
    put_counts(s, "bytesDown", row->down);
    ds_put_char(s, '}');
}

void
history_put(struct ds *s)
{
    const char *comma = "";

    ds_put_char(s, '{');
    put_times(s);
    ds_put_cstr(s, ",\"packets\":{");
    for (size_t i = 0; i < N_FATES; i++) {
        put_counts(s, fates[i], ring.packets[i]);
        ds_put_cstr(s, i < N_FATES - 1 ? "," : "},\"learned\":{");
    }
    put_counts(s, "count", ring.learned);
    ds_put_char(s, ',');
    put_seconds(s, "median", ring.median);
    ds_put_char(s, ',');
    put_seconds(s, "p99", ring.p99);
    ds_put_cstr(s, "},\"services\":[");
    for (size_t i = 0; i < HISTORY_SERVICES; i++) {
        if (ring.rows[i].sum) {
            ds_put_format(s, "%s{\"name\":\"%s\",", comma, ring.rows[i].name);
            put_row(s, &ring.rows[i]);
            comma = ",";
        }
    }
    ds_put_cstr(s, "],\"others\":{");
    put_row(s, &ring.rows[OTHERS]);
    ds_put_cstr(s, "}\n");
}
