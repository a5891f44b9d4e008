/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Clients of the REST API: see clients.h. */

#include <config.h>

#include "api/clients.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/descriptors.h"
#include "base/metrics.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/util.h"
#include "timeval.h"
#include "util.h"

#define FROM_ADDRESS_MAX 64
#define RESERVED 8              /* Even if descriptors are scarce. */
#define REQUEST_SECONDS 30      /* To send one, or to take its answer. */

/* Answers that wait to be read.  Who has but little of that is not worth
 * giving up. */
#define KEPT_MAX (64 * 1024 * 1024)
#define KEPT_LITTLE (64 * 1024)

METRIC_COUNTER(n_late, "tof_api_clients_too_slow_total", "",
               "Connections closed because a request took too long.");
#define GIVEN_UP(VAR, REASON) \
    METRIC_COUNTER(VAR, "tof_api_clients_given_up_total", \
                   "reason=\"" REASON "\"", \
                   "Connections closed to make room, by what there was too " \
                   "little of.")
GIVEN_UP(given_up_of_address, "address");
GIVEN_UP(given_up_in_all, "connections");
GIVEN_UP(given_up_descriptors, "descriptors");
GIVEN_UP(given_up_memory, "memory");
METRIC_COUNTER(n_refused, "tof_api_clients_refused_total", "",
               "Connections refused because there was none to close.");

static struct ovs_list all = OVS_LIST_INITIALIZER(&all);
static void (*given_up)(struct client *);
static size_t kept;             /* By all of them. */
static long long int next_check;        /* Of deadlines. */

#define FOR_EACH_CLIENTS(CS) LIST_FOR_EACH (CS, node, &all)
#define FOR_EACH_CLIENT(C, CS) \
    LIST_FOR_EACH (C, visitor.node, &(CS)->visitors.list)

static uint64_t
count(void)
{
    uint64_t n = 0;
    struct clients *cs;

    FOR_EACH_CLIENTS (cs) {
        n += ovs_list_size(&cs->visitors.list);
    }
    return n;
}

static uint64_t
count_bytes(void)
{
    return kept;
}

static uint64_t
count_max(void)
{
    return ovs_list_size(&all) * CLIENTS_MAX;
}

static uint64_t
count_bytes_max(void)
{
    return KEPT_MAX;
}

METRIC_GAUGE(n_clients, "tof_api_clients", "", "Connections to the REST API.",
             count);
METRIC_GAUGE(n_clients_max, "tof_api_clients_max", "",
             "How many there can be.", count_max);
METRIC_GAUGE(n_bytes, "tof_api_answer_bytes", "",
             "Memory of answers that have not been read yet.", count_bytes);
METRIC_GAUGE(n_bytes_max, "tof_api_answer_bytes_max", "",
             "How much it can be before connections are closed for it.",
             count_bytes_max);

void
clients_init(struct clients *cs, bool local,
             void (*given_up_)(struct client *))
{
    given_up = given_up_;
    visitors_init(&cs->visitors, CLIENTS_MAX,
                  local ? CLIENTS_MAX : FROM_ADDRESS_MAX);
    ovs_list_push_back(&all, &cs->node);
}

void
clients_destroy(struct clients *cs)
{
    ovs_list_remove(&cs->node);
}

static struct client *
client_of(struct visitor *v)
{
    return v ? CONTAINER_OF(v, struct client, visitor) : NULL;
}

/* Has the kernel end the connection, which the server then notices. */
static void
give_up(struct client *c, struct metric *why)
{
    metric_inc(why);
    client_keeps(c, 0);
    c->visitor.leaves = true;
    c->deadline = LLONG_MAX;
    shutdown(c->fd, SHUT_RDWR);
    given_up(c);
}

/* There is a reserve that connections are not to use up, but for the first
 * ones. */
static bool
is_short(const struct clients *cs)
{
    return (ovs_list_size(&cs->visitors.list) >= RESERVED
            && descriptors_are_scarce());
}

bool
clients_admit(struct clients *cs, const struct sockaddr *sa)
{
    const struct in6_addr from = visitors_address(sa);
    enum visitors_limit limit = visitors_limit(&cs->visitors, &from);
    const bool of_address = limit == VISITORS_OF_ADDRESS;
    struct client *c;

    if (limit == VISITORS_ROOM && !is_short(cs)) {
        return true;
    }
    c = client_of(visitors_first(&cs->visitors, of_address ? &from : NULL));
    if (!c) {
        metric_inc(&n_refused);
        return false;
    }
    give_up(c, of_address ? &given_up_of_address
            : limit == VISITORS_ROOM ? &given_up_descriptors
            : &given_up_in_all);
    return true;
}

struct client *
client_create(struct clients *cs, int fd, const struct sockaddr *sa)
{
    const struct in6_addr from = visitors_address(sa);
    struct client *c = xzalloc(sizeof *c);

    c->clients = cs;
    c->fd = fd;
    visitors_add(&cs->visitors, &c->visitor, &from);
    client_extend(c);
    return c;
}

void
client_destroy(struct client *c)
{
    client_keeps(c, 0);
    visitors_remove(&c->visitor);
    free(c);
}

void
client_extend(struct client *c)
{
    if (!c->visitor.leaves) {
        c->deadline = time_msec() + REQUEST_SECONDS * 1000;
        c->visitor.stays = false;
        visitors_moved(&c->clients->visitors, &c->visitor);
    }
}

void
client_waits(struct client *c, bool owed)
{
    c->deadline = LLONG_MAX;
    c->visitor.stays = owed;
    visitors_moved(&c->clients->visitors, &c->visitor);
}

/* The one to give up for its answer, and not 'except'. */
static struct client *
first_that_keeps_much(const struct client *except)
{
    struct clients *cs;
    struct client *c;

    FOR_EACH_CLIENTS (cs) {
        FOR_EACH_CLIENT (c, cs) {
            if (c != except && c->kept > KEPT_LITTLE && !c->visitor.stays) {
                return c;
            }
        }
    }
    return NULL;
}

void
client_keeps(struct client *c, size_t n)
{
    struct client *first;

    n = c->visitor.leaves ? 0 : n;
    kept += n - c->kept;
    c->kept = n;
    while (n && kept > KEPT_MAX
           && (first = first_that_keeps_much(c)) != NULL) {
        give_up(first, &given_up_memory);
    }
}

/* A client that sends a byte now and then is never silent, but would keep a
 * connection for good. */
void
clients_run(void)
{
    const long long int now = time_msec();
    struct clients *cs;
    struct client *c;

    if (now < next_check) {
        return;
    }
    next_check = now + 1000;
    FOR_EACH_CLIENTS (cs) {
        LIST_FOR_EACH_SAFE (c, visitor.node, &cs->visitors.list) {
            if (now >= c->deadline) {
                give_up(c, &n_late);
            }
        }
    }
}

void
clients_wait(void)
{
    if (count()) {
        poll_timer_wait_until(next_check);
    }
}
