/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_METRICS_H
#define TOF_METRICS_H 1

/* Counters and gauges that /metrics shows in Prometheus' text format.
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

struct metric {
    const char *name;           /* "tof_..._total". */
    const char *labels;         /* "key=\"value\"" or "". */
    const char *help;
    const char *type;           /* "counter" or "gauge". */
    uint64_t value;
    uint64_t (*get)(void);      /* If nonnull, asked instead of 'value'. */
    struct metric *next;
};

/* Adds 'm' (which must stay) to what metrics_render() shows. */
void metric_register(struct metric *m);

#define METRIC__(VAR, NAME, LABELS, HELP, TYPE, GET)                    \
    static struct metric VAR = { NAME, LABELS, HELP, TYPE, 0, GET, 0 }; \
    __attribute__((constructor)) static void VAR##_register(void)      \
    {                                                                   \
        metric_register(&VAR);                                          \
    }
#define METRIC_COUNTER(VAR, NAME, LABELS, HELP) \
    METRIC__(VAR, NAME, LABELS, HELP, "counter", NULL)
#define METRIC_GAUGE(VAR, NAME, LABELS, HELP, GET) \
    METRIC__(VAR, NAME, LABELS, HELP, "gauge", GET)

static inline void
metric_inc(struct metric *m)
{
    m->value++;
}

/* Appends all of them to 's', one HELP and TYPE line for each name. */
void metrics_render(struct ds *s);

#endif /* base/metrics.h */
