/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The list of all counters, gauges and histograms.
 *
 * Place in the flow: each module's constructors register what the module
 * counts, before main(); the REST API's /metrics renders the list.  It is kept
 * sorted by name and labels, so that what belongs to one name stands together
 * whatever file it comes from, and answers do not depend on the link order.
 *
 * Format: Prometheus text exposition 0.0.4.  Whoever defines a metric escapes
 * its labels and its help text. */

#include <config.h>

#include "base/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

const uint32_t histogram_bounds[HISTOGRAM_BOUNDS] = {
    100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000,
    500000, 1000000, 2000000, 5000000, 10000000,
};

static struct metric *metrics;

static int
metric_compare(const struct metric *a, const struct metric *b)
{
    int cmp = strcmp(a->name, b->name);

    return cmp ? cmp : strcmp(a->labels, b->labels);
}

void
metric_register(struct metric *m)
{
    struct metric **p = &metrics;

    while (*p && metric_compare(*p, m) <= 0) {
        p = &(*p)->next;
    }
    m->next = *p;
    *p = m;
}

void
histogram_add(struct histogram *h, long long int us)
{
    int i = 0;

    us = MAX(us, 0);
    while (i < HISTOGRAM_BOUNDS && us > histogram_bounds[i]) {
        i++;
    }
    h->n[i]++;
    h->sum_us += us;
}

double
histogram_quantile(const uint64_t n[HISTOGRAM_BOUNDS + 1], double fraction)
{
    uint64_t total = 0, below = 0;

    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        total += n[i];
    }
    for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
        const double start = i ? histogram_bounds[i - 1] : 0;
        const double width = histogram_bounds[i] - start;

        if (n[i] && below + n[i] >= fraction * total) {
            return (start + width * (fraction * total - below) / n[i]) / 1e6;
        }
        below += n[i];
    }
    return total ? histogram_bounds[HISTOGRAM_BOUNDS - 1] / 1e6 : NAN;
}

uint64_t
metrics_sum(const char *name, const char *label)
{
    uint64_t sum = 0;

    for (const struct metric *m = metrics; m; m = m->next) {
        if (!strcmp(m->name, name) && strstr(m->labels, label)) {
            sum += m->get ? m->get() : m->value;
        }
    }
    return sum;
}

const struct histogram *
metrics_histogram(const char *name)
{
    for (const struct metric *m = metrics; m; m = m->next) {
        if (m->histogram && !strcmp(m->name, name)) {
            return m->histogram;
        }
    }
    return NULL;
}

static void
render_histogram(const struct metric *m, struct ds *s)
{
    const struct histogram *h = m->histogram;
    uint64_t n = 0;

    for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
        n += h->n[i];
        ds_put_format(s, "%s_bucket{le=\"%g\"} %"PRIu64"\n", m->name,
                      histogram_bounds[i] / 1e6, n);
    }
    n += h->n[HISTOGRAM_BOUNDS];
    ds_put_format(s, "%s_bucket{le=\"+Inf\"} %"PRIu64"\n"
                  "%s_sum %.6f\n%s_count %"PRIu64"\n", m->name, n,
                  m->name, h->sum_us / 1e6, m->name, n);
}

void
metrics_render(struct ds *s)
{
    const char *last = "";

    for (const struct metric *m = metrics; m; m = m->next) {
        if (strcmp(m->name, last)) {
            ds_put_format(s, "# HELP %s %s\n# TYPE %s %s\n",
                          m->name, m->help, m->name, m->type);
            last = m->name;
        }
        if (m->histogram) {
            render_histogram(m, s);
            continue;
        }
        ds_put_cstr(s, m->name);
        if (m->labels[0]) {
            ds_put_format(s, "{%s}", m->labels);
        }
        ds_put_format(s, " %"PRIu64"\n", m->get ? m->get() : m->value);
    }
}
