/* SPDX-License-Identifier: GPL-3.0-or-later */

/* tofctl top: see top.h.
 *
 * Two readings of all sessions, some seconds apart, make rates: of a session,
 * and of a service, that is of all sessions with it.  Both are differences of
 * what NAT has counted by session and service ("services" of a session), which
 * the TOF reads about once a second. */

#include <config.h>

#include "ctl/top.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/human.h"
#include "ctl/sessions.h"
#include "ctl/table.h"

#define SECONDS 5               /* So that a reading more or less matters
                                 * little. */
#define ROWS 20                 /* Of each table. */

static const char *const members[] = { "packetsUp", "bytesUp", "packetsDown",
                                       "bytesDown" };
#define N_MEMBERS (sizeof members / sizeof *members)

/* A reading: sessions by identifier. */
struct reading {
    json_t *by_id;
    struct timespec at;
};

static struct reading
take_reading(void)
{
    json_t *sessions = sessions_get(NULL), *session;
    struct reading r = { .by_id = json_object() };
    size_t i;

    clock_gettime(CLOCK_MONOTONIC, &r.at);
    json_array_foreach (sessions, i, session) {
        json_object_set(r.by_id, text_of(session, "id"), session);
    }
    json_decref(sessions);
    return r;
}

static double
seconds_between(const struct timespec *a, const struct timespec *b)
{
    return (b->tv_sec - a->tv_sec) + (b->tv_nsec - a->tv_nsec) / 1e9;
}

/* What was the same service's at the reading before; NULL: nothing yet. */
static const json_t *
find_before(const json_t *session, const json_t *service)
{
    const json_t *before;
    size_t i;

    json_array_foreach (json_object_get(session, "services"), i, before) {
        if (json_equal(json_object_get(before, "serviceIP"),
                       json_object_get(service, "serviceIP"))
            && json_equal(json_object_get(before, "name"),
                          json_object_get(service, "name"))) {
            return before;
        }
    }
    return NULL;
}

/* Adds to 'rates' what 'now' has more than 'before', by second. */
static void
add_rates(json_t *rates, const json_t *now, const json_t *before,
          double seconds)
{
    for (size_t i = 0; i < N_MEMBERS; i++) {
        double rate = json_real_value(json_object_get(rates, members[i]));
        json_int_t more = (
            json_integer_value(json_object_get(now, members[i]))
            - json_integer_value(json_object_get(before, members[i])));

        json_object_set_new(rates, members[i], json_real(
            rate + (more > 0 ? more / seconds : 0)));
    }
}

/* The rates of 'service' in the object of all services. */
static json_t *
rates_of_service(json_t *services, const json_t *service)
{
    char *key = format_text("%s %s", text_of(service, "serviceIP"),
                            text_of(service, "name"));
    json_t *rates = json_object_get(services, key);

    if (!rates) {
        rates = json_pack("{sO sO}",
                          "name", json_object_get(service, "name"),
                          "serviceIP", json_object_get(service, "serviceIP"));
        json_object_set_new(services, key, rates);
    }
    free(key);
    return rates;
}

static double
bytes_of(const json_t *rates)
{
    return (json_real_value(json_object_get(rates, "bytesUp"))
            + json_real_value(json_object_get(rates, "bytesDown")));
}

static int
by_bytes(const void *a_, const void *b_)
{
    const json_t *const *a = a_, *const *b = b_;
    const double x = bytes_of(*a), y = bytes_of(*b);

    return x < y ? 1 : x > y ? -1 : 0;
}

/* The values of 'object' that have any traffic, most of it first. */
static json_t *
sorted(json_t *object)
{
    const size_t n = json_object_size(object);
    const json_t **values = calloc(n + 1, sizeof *values);
    json_t *array = json_array(), *value;
    const char *key;
    size_t i = 0;

    if (!values) {
        abort();
    }
    json_object_foreach (object, key, value) {
        if (bytes_of(value) > 0) {
            values[i++] = value;
        }
    }
    qsort(values, i, sizeof *values, by_bytes);
    for (size_t j = 0; j < i; j++) {
        json_array_append(array, (json_t *) values[j]);
    }
    free(values);
    json_decref(object);
    return array;
}

/* Sessions that one of both readings has not are left out: their counts need
 * not have begun meanwhile. */
static json_t *
make_rates(const struct reading *before, const struct reading *now)
{
    const double seconds = seconds_between(&before->at, &now->at);
    json_t *sessions = json_object(), *services = json_object();
    json_t *session, *service;
    const char *id;
    size_t i;

    json_object_foreach (now->by_id, id, session) {
        const json_t *old = json_object_get(before->by_id, id);
        json_t *rates = json_pack("{ss sO}", "id", id,
                                  "ue", json_object_get(session, "ue"));

        json_object_set_new(sessions, id, rates);
        json_array_foreach (json_object_get(session, "services"), i,
                            service) {
            const json_t *was = find_before(old, service);

            if (old) {
                add_rates(rates, service, was, seconds);
                add_rates(rates_of_service(services, service), service, was,
                          seconds);
            }
        }
    }
    return json_pack("{sf so so}", "seconds", seconds,
                     "sessions", sorted(sessions),
                     "services", sorted(services));
}

static void
print_rates(const json_t *list, const char *first, const char *member,
            const char *second, const char *other)
{
    const json_t *rates;
    size_t i;

    table_row(first, second, "UP PACKET/S", "UP BIT/S", "DOWN PACKET/S",
              "DOWN BIT/S", NULL);
    json_array_foreach (list, i, rates) {
        const char *texts[N_MEMBERS];

        if (i >= ROWS) {
            break;
        }
        for (size_t j = 0; j < N_MEMBERS; j++) {
            texts[j] = human_number(
                json_real_value(json_object_get(rates, members[j]))
                * (j % 2 ? 8 : 1));
        }
        table_row(text_of(rates, member), text_of(rates, other), texts[0],
                  texts[1], texts[2], texts[3], NULL);
    }
    table_print();
}

/* Returns whether it is to be shown again. */
static bool
show(const struct reading *before, const struct reading *now)
{
    json_t *rates = make_rates(before, now);
    const bool again = !print_raw(rates);

    if (again) {
        human_clear();
        print_rates(json_object_get(rates, "services"), "SERVICE", "name",
                    "SERVICE IP", "serviceIP");
        putchar('\n');
        print_rates(json_object_get(rates, "sessions"), "UE", "ue", "SESSION",
                    "id");
    }
    json_decref(rates);
    return again && !fflush(stdout);
}

void
top_run(char *args[] __attribute__((unused)))
{
    const struct timespec pause = { .tv_sec = SECONDS };
    struct reading before, now = take_reading();
    bool again;

    do {
        before = now;
        nanosleep(&pause, NULL);
        now = take_reading();
        again = show(&before, &now);
        json_decref(before.by_id);
    } while (again);
    json_decref(now.by_id);
}
