/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The last hour: what is counted in it, and that it does not grow. */

#include <config.h>

#include "api/history.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/counters.h"
#include "base/metrics.h"
#include "base/status.h"
#include "openvswitch/dynamic-string.h"
#include "service/service.h"
#include "tap.h"

#define N_SERVICES 20

METRIC_COUNTER(n_up, "tof_xdp_packets_total", "reason=\"decapsulated\"", "");
METRIC_COUNTER(n_drop, "tof_xdp_packets_total",
               "verdict=\"drop\",reason=\"x\"", "");
METRIC_COUNTER(n_lost, "tof_hold_lost_total", "reason=\"x\"", "");
METRIC_HISTOGRAM(learn, "tof_learn_seconds", "");

static long long int now = 1000000;
static unsigned int n_services = 1;
static struct counters counters[N_SERVICES];

long long int __wrap_time_msec(void);

long long int
__wrap_time_msec(void)
{
    return now;
}

/* In the place of service.c's. */
void
service_for_each(void (*cb)(const struct service_spec *,
                            const struct counters *, void *aux),
                 void *aux)
{
    for (unsigned int i = 0; i < n_services; i++) {
        struct service_spec spec = { .service_ip.s6_addr = { [15] = i + 1 } };

        snprintf(spec.name, sizeof spec.name, "svc-%u", i);
        cb(&spec, &counters[i], aux);
    }
}

/* Seconds go by. */
static void
pass(int seconds)
{
    while (seconds--) {
        now += 1000;
        history_run();
    }
}

static json_t *
look(void)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    json_t *history;

    history_put(&s);
    history = json_loadb(s.string, s.length, 0, NULL);
    ds_destroy(&s);
    return history;
}

static json_int_t
sum_of(const json_t *array)
{
    json_int_t sum = 0;
    const json_t *n;
    size_t i;

    json_array_foreach (array, i, n) {
        sum += json_integer_value(n);
    }
    return sum;
}

static json_int_t
packets(const json_t *history, const char *fate)
{
    return sum_of(json_object_get(json_object_get(history, "packets"), fate));
}

static size_t
n_samples(const json_t *history)
{
    return json_array_size(json_object_get(history, "times"));
}

/* Nothing before the data plane is there, and none of what the kernel has
 * counted before. */
static void
test_begin(void)
{
    json_t *history;

    history_init();
    n_up.value = 1000;
    counters[0].bytes_up = 5000;
    pass(60);
    history = look();
    tap_ok(history && n_samples(history) == 0, "not ready: no sample");
    json_decref(history);

    for (enum status_part part = 0; part < STATUS_N_PARTS; part++) {
        status_set(part, true, "ready");
    }
    pass(20);
    history = look();
    tap_ok(n_samples(history) == 1, "a sample");
    tap_ok(packets(history, "toApps") == 0, "no packets of the past");
    tap_ok(!json_array_size(json_object_get(history, "services")),
           "and no traffic");
    json_decref(history);
}

static void
test_counts(void)
{
    json_t *history, *services, *learned;

    n_up.value += 7;
    n_drop.value += 2;
    n_lost.value += 3;
    counters[0].bytes_up += 100;
    counters[0].bytes_down += 50;
    histogram_add(&learn, 150);
    pass(10);
    history = look();
    services = json_object_get(history, "services");
    learned = json_object_get(history, "learned");
    tap_ok(packets(history, "toApps") == 7, "packets");
    tap_ok(packets(history, "dropped") == 5, "of several metrics");
    tap_ok(json_array_size(services) == 1
           && sum_of(json_object_get(json_array_get(services, 0),
                                     "bytesUp")) == 100, "bytes");
    tap_ok(sum_of(json_object_get(learned, "count")) == 1, "learned");
    tap_ok(json_is_real(json_array_get(json_object_get(learned, "median"),
                                       n_samples(history) - 1))
           && json_is_null(json_array_get(json_object_get(learned, "median"),
                                          0)), "and how fast");
    json_decref(history);

    n_up.value = 4;             /* The programs are there anew. */
    pass(10);
    history = look();
    tap_ok(packets(history, "toApps") == 11, "counters that begin anew");
    json_decref(history);
}

static void
test_an_hour(void)
{
    json_t *history;

    pass(3600);
    history = look();
    tap_ok(n_samples(history) == HISTORY_SAMPLES, "an hour of samples");
    tap_ok(packets(history, "toApps") == 0, "and none that are older");
    tap_ok(json_number_value(json_array_get(json_object_get(history, "times"),
                                            0))
           - json_number_value(json_object_get(history, "since")) == 10,
           "the first one has a begin");
    tap_ok(!json_array_size(json_object_get(history, "services")),
           "a service without traffic is not shown");
    json_decref(history);
}

/* More services than rows: none is lost, and none is counted twice. */
static void
test_many_services(void)
{
    json_int_t own, others;
    const json_t *service;
    json_t *history;
    size_t i;

    n_services = N_SERVICES;
    pass(10);
    for (i = 0; i < N_SERVICES; i++) {
        counters[i].bytes_up += i + 1;
    }
    pass(10);
    for (i = 0; i < N_SERVICES; i++) {
        counters[i].bytes_up += 100;
    }
    pass(10);
    history = look();
    own = 0;
    json_array_foreach (json_object_get(history, "services"), i, service) {
        own += sum_of(json_object_get(service, "bytesUp"));
    }
    others = sum_of(json_object_get(json_object_get(history, "others"),
                                    "bytesUp"));
    tap_ok(json_array_size(json_object_get(history, "services"))
           == HISTORY_SERVICES, "so many have a row");
    tap_ok(own + others == N_SERVICES * (N_SERVICES + 1) / 2
           + 100 * N_SERVICES, "all is counted once");
    json_decref(history);

    pass(3600);
    counters[N_SERVICES - 1].bytes_up += 9;
    pass(10);
    history = look();
    service = json_array_get(json_object_get(history, "services"), 0);
    tap_ok(!strcmp(json_string_value(json_object_get(service, "name")),
                   "svc-19")
           && sum_of(json_object_get(service, "bytesUp")) == 9,
           "after an idle hour a row is another's");
    json_decref(history);
}

int
main(void)
{
    test_begin();
    test_counts();
    test_an_hour();
    test_many_services();
    history_destroy();
    return tap_done();
}
