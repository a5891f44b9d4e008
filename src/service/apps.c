/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Whether Apps are there: see apps.h.
 *
 * Each is looked at every LOOK_MS, and asked every ASK_MS.  The kernel sends
 * the questions, three of them NAT_ASK_MS apart; so a host that goes away is
 * found out 1.5 s later at most.  More than LOOKS_MAX Apps take turns, and each
 * is looked at less often. */

#include <config.h>

#include "service/apps.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/addr.h"
#include "base/metrics.h"
#include "hash.h"
#include "nat/nat.h"
#include "openvswitch/hmap.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(apps);

#define LOOK_MS 250
#define ASK_MS 500
#define HURRY_MS 2
#define LOOKS_MAX 1000          /* In LOOK_MS. */
#define ANSWERS 2               /* In a row, until one is back. */

METRIC_COUNTER(n_lost, "tof_apps_lost_total", "",
               "Times that an App has been found to be down.");

struct app {
    struct hmap_node node;      /* In apps, by 'ip'. */
    struct in6_addr ip;
    unsigned int users;
    struct app_view view;
    long long int look_at;
    long long int ask_at;
    unsigned int answers;       /* In a row, while it is down. */
};

static struct hmap apps = HMAP_INITIALIZER(&apps);
static long long int look_at;   /* The next one. */
static size_t counts[APP_N_STATES];

#define APPS_METRIC(STATE)                                              \
    static uint64_t n_##STATE(void) { return counts[APP_##STATE]; }
APPS_METRIC(UNKNOWN)
APPS_METRIC(UP)
APPS_METRIC(DOWN)
#define APPS_HELP "Apps of services, by what is known of them."
METRIC_GAUGE(g_unknown, "tof_apps", "state=\"unknown\"", APPS_HELP, n_UNKNOWN);
METRIC_GAUGE(g_up, "tof_apps", "state=\"up\"", APPS_HELP, n_UP);
METRIC_GAUGE(g_down, "tof_apps", "state=\"down\"", APPS_HELP, n_DOWN);

const char *
app_state_name(enum app_state state)
{
    static const char *const names[] = {
        [APP_UNKNOWN] = "unknown", [APP_UP] = "up", [APP_DOWN] = "down",
    };

    return names[state];
}

void
apps_init(void)
{
    hmap_init(&apps);
    look_at = LLONG_MAX;
}

void
apps_destroy(void)
{
    struct app *a;

    HMAP_FOR_EACH_POP (a, node, &apps) {
        counts[a->view.state]--;
        free(a);
    }
    hmap_destroy(&apps);
}

static uint32_t
hash_ip(const struct in6_addr *ip)
{
    return hash_bytes(ip, sizeof *ip, 0);
}

static struct app *
find(const struct in6_addr *ip)
{
    struct app *a;

    HMAP_FOR_EACH_WITH_HASH (a, node, hash_ip(ip), &apps) {
        if (IN6_ARE_ADDR_EQUAL(&a->ip, ip)) {
            return a;
        }
    }
    return NULL;
}

struct app *
app_watch(const struct in6_addr *ip)
{
    struct app *a = find(ip);

    if (!a) {
        a = xzalloc(sizeof *a);
        a->ip = *ip;
        a->view.since = time_wall_msec();
        counts[APP_UNKNOWN]++;
        hmap_insert(&apps, &a->node, hash_ip(ip));
        look_at = 0;
    }
    a->users++;
    return a;
}

void
app_unwatch(struct app *a)
{
    if (!--a->users) {
        counts[a->view.state]--;
        hmap_remove(&apps, &a->node);
        free(a);
    }
}

const struct app_view *
app_view(const struct app *a)
{
    return &a->view;
}

/* What an App lacks by what is known of the way there; "" if nothing. */
static void
describe(enum nat_app found, const struct in6_addr *ip,
         const struct in6_addr *next, char *why, size_t size)
{
    const char *how = (addr_family(next) == AF_INET ? "ARP"
                       : "neighbour discovery");
    char text[INET6_ADDRSTRLEN];

    why[0] = '\0';
    if (found == NAT_APP_NO_ROUTE) {
        snprintf(why, size, "no route leads to it");
    } else if (found == NAT_APP_SELF) {
        snprintf(why, size, "it is the TOF itself");
    } else if (found == NAT_APP_NO_LINK) {
        snprintf(why, size, "the adapter that leads to it is down");
    } else if (found != NAT_APP_SILENT) {
        /* It may be there. */
    } else if (IN6_ARE_ADDR_EQUAL(ip, next)) {
        snprintf(why, size, "it does not answer %s", how);
    } else {
        snprintf(why, size, "the gateway %s does not answer %s",
                 addr_format(next, text), how);
    }
}

static void
enter(struct app *a, enum app_state state)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(600, 100);
    char ip[INET6_ADDRSTRLEN];

    if (state == APP_DOWN) {
        VLOG_WARN_RL(&rl, "App %s is down: %s", addr_format(&a->ip, ip),
                     a->view.why);
        metric_inc(&n_lost);
    } else {
        VLOG_INFO_RL(&rl, "App %s is up", addr_format(&a->ip, ip));
    }
    counts[a->view.state]--;
    counts[state]++;
    a->view.state = state;
    a->view.since = time_wall_msec();
    a->answers = 0;
}

/* Returns true if its state is another one now. */
static bool
look(struct app *a, long long int now)
{
    const bool ask = now >= a->ask_at;
    const enum app_state was = a->view.state;
    struct in6_addr next;
    const enum nat_app found = (ask ? nat_ask_app(&a->ip, &next)
                                : nat_find_app(&a->ip, &next));
    char why[sizeof a->view.why];

    describe(found, &a->ip, &next, why, sizeof why);
    if (why[0]) {
        a->answers = 0;
        ovs_strlcpy(a->view.why, why, sizeof a->view.why);
        if (was != APP_DOWN) {
            enter(a, APP_DOWN);
        }
    } else if (was == APP_UNKNOWN && found == NAT_APP_ANSWERS) {
        enter(a, APP_UP);
    } else if (was == APP_DOWN && ask) {
        /* Has it answered since it was asked last? */
        a->answers = found == NAT_APP_ANSWERS ? a->answers + 1 : 0;
        if (a->answers >= ANSWERS) {
            a->view.why[0] = '\0';
            enter(a, APP_UP);
        }
    }
    if (ask) {
        a->ask_at = now + ASK_MS;
    }
    return a->view.state != was;
}

bool
apps_run(bool changed, long long int until)
{
    const long long int now = time_msec();
    const long long int pause = MAX(LOOK_MS, hmap_count(&apps) * LOOK_MS
                                             / LOOKS_MAX);
    bool found = false;
    struct app *a;

    if (!changed && now < look_at) {
        return false;
    }
    look_at = LLONG_MAX;
    HMAP_FOR_EACH (a, node, &apps) {
        if (changed) {
            a->look_at = now;
        }
        if (now >= a->look_at && time_msec() < until) {
            found |= look(a, now);
            a->look_at = now + pause;
        }
        look_at = MIN(look_at, a->look_at);
    }
    return found;
}

void
apps_hurry(void)
{
    const long long int soon = time_msec() + HURRY_MS;
    struct app *a;

    HMAP_FOR_EACH (a, node, &apps) {
        if (a->view.state == APP_UNKNOWN) {
            a->look_at = MIN(a->look_at, soon);
            look_at = MIN(look_at, soon);
        }
    }
}

void
apps_wait(void)
{
    if (nat_routes_fd() >= 0) {
        poll_fd_wait(nat_routes_fd(), POLLIN);
    }
    if (!hmap_is_empty(&apps)) {
        poll_timer_wait_until(look_at);
    }
}

void
apps_for_each(void (*cb)(const struct in6_addr *ip, const struct app_view *,
                         void *aux), void *aux)
{
    const struct app *a;

    HMAP_FOR_EACH (a, node, &apps) {
        cb(&a->ip, &a->view, aux);
    }
}

size_t
apps_count(enum app_state state)
{
    return counts[state];
}
