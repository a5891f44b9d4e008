/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The list of all counters and gauges.
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
#include <string.h>

#include "openvswitch/dynamic-string.h"

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
metrics_render(struct ds *s)
{
    const char *last = "";

    for (const struct metric *m = metrics; m; m = m->next) {
        if (strcmp(m->name, last)) {
            ds_put_format(s, "# HELP %s %s\n# TYPE %s %s\n",
                          m->name, m->help, m->name, m->type);
            last = m->name;
        }
        ds_put_cstr(s, m->name);
        if (m->labels[0]) {
            ds_put_format(s, "{%s}", m->labels);
        }
        ds_put_format(s, " %"PRIu64"\n", m->get ? m->get() : m->value);
    }
}
