/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Answers that have all services in them: see services.h.
 *
 * The addresses of the services are taken down at once, in the order of their
 * names; then each slice looks up some of them.  So a service that is there all
 * the time is shown exactly once, and one that goes meanwhile may be left
 * out. */

#include <config.h>

#include "api/services.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/exchange.h"
#include "api/view.h"
#include "base/addr.h"
#include "base/jsontext.h"
#include "service/service.h"
#include "util.h"

/* Written out in less than half a millisecond. */
#define SLICE_SERVICES 64

typedef void put_cb(struct ds *, const struct service_spec *,
                    const struct counters *);

/* All services once, between two texts. */
struct pass {
    const char *head;
    put_cb *put;
    const char *tail;
};

struct services_walk {
    const struct pass *passes;
    size_t n_passes;
    const char *type;           /* Of the answer. */
    const char *query;          /* In the link to the next page. */
    const char *after;          /* Only for services_take(). */
    unsigned int limit;
    struct in6_addr *ips;
    size_t n, allocated, i;
    bool more;                  /* Than the limit. */
    char last[SERVICE_NAME_MAX + 1];    /* The last name that is shown. */
};

static void
put_json(struct ds *s, const struct service_spec *spec,
         const struct counters *counters OVS_UNUSED)
{
    jsontext_put_item(s, view_service(spec));
}

static void
put_status(struct ds *s, const struct service_spec *spec,
           const struct counters *counters OVS_UNUSED)
{
    jsontext_put_item(s, view_service_status(spec));
}

/* Service names and what may stand in them need no escaping in labels. */
static void
put_counts(struct ds *s, const char *what, const struct service_spec *spec,
           uint64_t up, uint64_t down)
{
    ds_put_format(s, "tof_service_%s_total{service=\"%s\","
                  "direction=\"up\"} %"PRIu64"\n"
                  "tof_service_%s_total{service=\"%s\","
                  "direction=\"down\"} %"PRIu64"\n",
                  what, spec->name, up, what, spec->name, down);
}

static void
put_packets(struct ds *s, const struct service_spec *spec,
            const struct counters *c)
{
    put_counts(s, "packets", spec, c->packets_up, c->packets_down);
}

static void
put_bytes(struct ds *s, const struct service_spec *spec,
          const struct counters *c)
{
    put_counts(s, "bytes", spec, c->bytes_up, c->bytes_down);
}

/* The labels of a service's App: of several, with its address. */
static void
put_app_labels(struct ds *s, const struct service_spec *spec, size_t i)
{
    char app[INET6_ADDRSTRLEN];

    ds_put_format(s, "{service=\"%s\"", spec->name);
    if (spec->n_apps > 1) {
        ds_put_format(s, ",app=\"%s\"", addr_format(&spec->apps[i].ip, app));
    }
    ds_put_char(s, '}');
}

static void
put_app(struct ds *s, const struct service_spec *spec,
        const struct counters *c OVS_UNUSED)
{
    struct service_view view;

    service_describe(&spec->service_ip, &view);
    for (size_t i = 0; i < spec->n_apps; i++) {
        ds_put_cstr(s, "tof_service_app_down");
        put_app_labels(s, spec, i);
        ds_put_format(s, " %d\n", view.apps[i].state == APP_DOWN);
    }
}

static void
put_app_since(struct ds *s, const struct service_spec *spec,
              const struct counters *c OVS_UNUSED)
{
    struct service_view view;

    service_describe(&spec->service_ip, &view);
    for (size_t i = 0; i < spec->n_apps; i++) {
        ds_put_cstr(s, "tof_service_app_since_seconds");
        put_app_labels(s, spec, i);
        ds_put_format(s, " %lld\n", view.apps[i].since / 1000);
    }
}

static const struct pass list[] = { { "[", put_json, "]\n" } };
static const struct pass list_status[] = { { "[", put_status, "]\n" } };

static const struct pass metrics[] = {
    { "# HELP tof_service_packets_total Packets diverted to a service's "
      "application, and its answers.\n"
      "# TYPE tof_service_packets_total counter\n", put_packets, "" },
    { "# HELP tof_service_bytes_total Bytes of those packets, without tunnel "
      "headers.\n"
      "# TYPE tof_service_bytes_total counter\n", put_bytes, "" },
    { "# HELP tof_service_app_down Whether a service's App is down.\n"
      "# TYPE tof_service_app_down gauge\n", put_app, "" },
    { "# HELP tof_service_app_since_seconds When a service's App came into the "
      "state that it is in, in Unix time.\n"
      "# TYPE tof_service_app_since_seconds gauge\n", put_app_since, "" },
};

static void
walk_free(void *w_)
{
    struct services_walk *w = w_;

    free(w->ips);
    free(w);
}

static void
take(const struct service_spec *spec,
     const struct counters *counters OVS_UNUSED, void *w_)
{
    struct services_walk *w = w_;

    if (w->after && strcmp(spec->name, w->after) <= 0) {
        return;
    } else if (w->n == w->limit) {
        w->more = true;
        return;
    }
    if (w->n == w->allocated) {
        w->ips = x2nrealloc(w->ips, &w->allocated, sizeof *w->ips);
    }
    w->ips[w->n++] = spec->service_ip;
    ovs_strlcpy(w->last, spec->name, sizeof w->last);
}

static void
walk_finish(struct exchange *x, struct services_walk *w)
{
    if (w->more) {
        smap_add(&x->headers, "X-Next-Cursor", w->last);
        smap_add_format(&x->headers, "Link", "</service?%slimit=%u&cursor=%s>; "
                        "rel=\"next\"", w->query, w->limit, w->last);
    }
    exchange_ok(x, w->type);
}

static void
walk_step(struct exchange *x)
{
    struct services_walk *w = x->step_aux;

    for (int n = 0; n < SLICE_SERVICES && w->i < w->n; n++) {
        const struct counters *counters;
        const struct service_spec *spec = service_by_ip(&w->ips[w->i++],
                                                        &counters);

        if (spec) {
            w->passes->put(&x->answer, spec, counters);
        }
    }
    if (w->i == w->n) {
        ds_put_cstr(&x->answer, w->passes->tail);
        w->passes++;
        w->i = 0;
        if (!--w->n_passes) {
            walk_finish(x, w);
            return;
        }
        ds_put_cstr(&x->answer, w->passes->head);
    }
}

static void
walk_start(struct exchange *x, const struct services_walk *start)
{
    struct services_walk *w = xmemdup(start, sizeof *start);

    service_for_each(take, w);
    w->after = NULL;
    ds_put_cstr(&x->answer, w->passes->head);
    x->step = walk_step;
    x->step_free = walk_free;
    x->step_aux = w;
    walk_step(x);
}

void
services_list(struct exchange *x, const char *after, unsigned int limit,
              bool status)
{
    const struct services_walk start = {
        .passes = status ? list_status : list, .n_passes = 1,
        .type = EXCHANGE_JSON, .query = status ? "view=status&" : "",
        .after = after, .limit = limit,
    };

    walk_start(x, &start);
}

void
services_metrics(struct exchange *x)
{
    const struct services_walk start = {
        .passes = metrics, .n_passes = ARRAY_SIZE(metrics),
        .type = "text/plain; version=0.0.4", .limit = UINT_MAX,
    };

    walk_start(x, &start);
}
