/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_METRICS_H
#define TOF_METRICS_H 1

/* Counters, gauges and histograms that /metrics shows in Prometheus' text
 * format.
 *
 * Every file that counts something defines it beside the code that counts:
 *
 *     METRIC_COUNTER(learn_malformed, "tof_malformed_total",
 *                    "reason=\"length\"", "Malformed packets, by reason.");
 *     ...
 *     metric_inc(&learn_malformed);
 *
 * Single threaded, as all of tofd is. */

#include <stdbool.h>
#include <stdint.h>

struct ds;

/* How long something took, by upper bounds: histogram_bounds[], in
 * microseconds, and one more without any. */
#define HISTOGRAM_BOUNDS 16
extern const uint32_t histogram_bounds[HISTOGRAM_BOUNDS];

struct histogram {
    uint64_t n[HISTOGRAM_BOUNDS + 1];   /* Not cumulative. */
    uint64_t sum_us;
};

struct metric {
    const char *name;           /* "tof_..._total". */
    const char *labels;         /* "key=\"value\"" or "". */
    const char *help;
    const char *type;           /* "counter", "gauge" or "histogram". */
    uint64_t value;
    uint64_t (*get)(void);      /* If nonnull, asked instead of 'value'. */
    struct histogram *histogram;        /* If nonnull, shown instead. */
    struct metric *next;
};

/* Adds 'm' (which must stay) to what metrics_render() shows. */
void metric_register(struct metric *m);

#define METRIC__(VAR, NAME, LABELS, HELP, TYPE, GET, HISTOGRAM)         \
    static struct metric VAR = {                                        \
        NAME, LABELS, HELP, TYPE, 0, GET, HISTOGRAM, 0                  \
    };                                                                  \
    __attribute__((constructor)) static void VAR##_register(void)      \
    {                                                                   \
        metric_register(&VAR);                                          \
    }
#define METRIC_COUNTER(VAR, NAME, LABELS, HELP) \
    METRIC__(VAR, NAME, LABELS, HELP, "counter", NULL, NULL)
#define METRIC_GAUGE(VAR, NAME, LABELS, HELP, GET) \
    METRIC__(VAR, NAME, LABELS, HELP, "gauge", GET, NULL)
/* 'VAR' is a struct histogram. */
#define METRIC_HISTOGRAM(VAR, NAME, HELP)                               \
    static struct histogram VAR;                                        \
    METRIC__(VAR##_metric, NAME, "", HELP, "histogram", NULL, &VAR)

static inline void
metric_inc(struct metric *m)
{
    m->value++;
}

/* It took 'us' microseconds; less than none is none. */
void histogram_add(struct histogram *, long long int us);

/* In how many seconds 'fraction' of what is counted in 'n' had ended, by linear
 * interpolation between bounds; what is beyond the last one counts as that.
 * NAN if nothing is counted. */
double histogram_quantile(const uint64_t n[HISTOGRAM_BOUNDS + 1],
                          double fraction);

/* The sum of all metrics of that name whose labels contain 'label', such as
 * "verdict=\"drop\"" or "".  Not of histograms. */
uint64_t metrics_sum(const char *name, const char *label);

/* The histogram of that name; NULL if there is none. */
const struct histogram *metrics_histogram(const char *name);

/* Appends all of them to 's', one HELP and TYPE line for each name. */
void metrics_render(struct ds *s);

#endif /* base/metrics.h */
