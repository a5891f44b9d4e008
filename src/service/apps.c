/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Whether Apps are there: see apps.h.
 *
 * Each is looked at every LOOK_MS, and asked every ASK_MS.  The kernel sends
 * the questions, three of them NAT_ASK_MS apart; so a host that goes away is
 * found out 1.5 s later at most.  More than LOOKS_MAX Apps take turns, and each
 * is looked at less often.  Health checks run beside that. */

#include <config.h>

#include "service/apps.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/addr.h"
#include "base/metrics.h"
#include "base/service_spec.h"
#include "hash.h"
#include "nat/nat.h"
#include "openvswitch/hmap.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "service/check.h"
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
    struct service_check spec;
    struct check *check;        /* NULL: it has none. */
    unsigned int users;
    struct app_view view;
    long long int look_at;
    long long int ask_at;
    long long int asked_since;  /* Without an answer; LLONG_MAX: it is not. */
    bool asked;                 /* And not seen yet what has come of it. */
    bool lost;                  /* Its host is not there. */
    unsigned int answers;       /* In a row, of its host while it is down. */
    unsigned int passed, failed;        /* Tries in a row. */
};

static struct hmap apps = HMAP_INITIALIZER(&apps);
static long long int look_at;   /* The next one. */
static size_t counts[APP_N_STATES];
static size_t n_checks;

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

/* It is not asked any more. */
static void
forget(struct app *a)
{
    counts[a->view.state]--;
    n_checks -= a->check != NULL;
    check_stop(a->check);
    hmap_remove(&apps, &a->node);
    free(a);
}

void
apps_destroy(void)
{
    struct app *a;

    HMAP_FOR_EACH_SAFE (a, node, &apps) {
        forget(a);
    }
    hmap_destroy(&apps);
}

static uint32_t
hash_ip(const struct in6_addr *ip)
{
    return hash_bytes(ip, sizeof *ip, 0);
}

static struct app *
find(const struct in6_addr *ip, const struct service_check *check)
{
    struct app *a;

    HMAP_FOR_EACH_WITH_HASH (a, node, hash_ip(ip), &apps) {
        if (IN6_ARE_ADDR_EQUAL(&a->ip, ip)
            && service_check_equal(&a->spec, check)) {
            return a;
        }
    }
    return NULL;
}

struct app *
app_watch(const struct in6_addr *ip, const struct service_check *check)
{
    struct app *a = find(ip, check);

    if (!a) {
        a = xzalloc(sizeof *a);
        a->ip = *ip;
        a->spec = *check;
        a->asked_since = LLONG_MAX;
        if (check->kind) {
            a->check = check_start(&a->ip, &a->spec);
            n_checks++;
        }
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
        forget(a);
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
        a->view.why[0] = '\0';
    }
    counts[a->view.state]--;
    counts[state]++;
    a->view.state = state;
    a->view.since = time_wall_msec();
}

/* A neighbour that has not answered is asked anew by the next packet to it: with
 * traffic the kernel says that it is asking nearly all the time.  It has asked
 * in vain if that goes on; for one that was known, since it looked last. */
static enum nat_app
judge_asked(struct app *a, enum nat_app found, long long int now)
{
    const long long int patience = (a->view.state == APP_UNKNOWN
                                    ? 3 * NAT_ASK_MS : LOOK_MS);

    if (found != NAT_APP_ASKED) {
        a->asked_since = LLONG_MAX;
        return found;
    }
    a->asked_since = MIN(a->asked_since, now);
    return now - a->asked_since >= patience ? NAT_APP_SILENT : found;
}

/* Looks at the way to the App, and has its host asked if that is due.  (Others
 * may have the same way: then somebody has maybe had it asked just now, and the
 * kernel waits for the answer, which is seen the next time.) */
static void
look(struct app *a, long long int now)
{
    const bool ask = now >= a->ask_at;
    struct in6_addr next;
    enum nat_app found = (ask ? nat_ask_app(&a->ip, &next)
                          : nat_find_app(&a->ip, &next));
    char why[sizeof a->view.why];

    found = judge_asked(a, found, now);
    describe(found, &a->ip, &next, why, sizeof why);
    a->lost = why[0];
    if (a->lost) {
        ovs_strlcpy(a->view.why, why, sizeof a->view.why);
        a->answers = 0;
        a->asked = false;
    } else if (a->view.state != APP_DOWN) {
        a->answers = found == NAT_APP_ANSWERS ? ANSWERS : 0;
    } else if (a->asked && found != NAT_APP_KNOWN) {
        a->answers = found == NAT_APP_ANSWERS ? a->answers + 1 : 0;
        a->asked = false;
    }
    if (ask) {
        a->ask_at = now + ASK_MS;
        a->asked = true;
    }
}

static const char *
check_name(const struct service_check *c)
{
    return (c->kind == SERVICE_CHECK_TCP ? "TCP"
            : c->kind == SERVICE_CHECK_HTTP ? "HTTP" : "ICMP");
}

static void
run_check(struct app *a)
{
    switch (check_run(a->check)) {
    case CHECK_PASSED:
        a->passed++;
        a->failed = 0;
        break;
    case CHECK_FAILED:
        a->failed++;
        a->passed = 0;
        if (a->failed >= a->spec.fall && !a->lost) {
            snprintf(a->view.why, sizeof a->view.why, "its %s check %s",
                     check_name(&a->spec), check_why(a->check));
        }
        break;
    case CHECK_PENDING:
        break;
    }
}

/* Returns true if its state is another one now. */
static bool
judge(struct app *a)
{
    const enum app_state was = a->view.state;
    const bool down = a->lost || (a->check && a->failed >= a->spec.fall);
    const bool up = (!a->check ? a->answers >= ANSWERS
                     : a->passed >= (was == APP_DOWN ? a->spec.rise : 1));

    if (down && was != APP_DOWN) {
        a->answers = 0;
        a->passed = 0;
        enter(a, APP_DOWN);
    } else if (!down && up && was != APP_UP) {
        enter(a, APP_UP);
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

    if (!changed && now < look_at && !n_checks) {
        return false;
    }
    look_at = LLONG_MAX;
    HMAP_FOR_EACH (a, node, &apps) {
        if (changed) {
            a->look_at = now;
        }
        if (now >= a->look_at && time_msec() < until) {
            look(a, now);
            a->look_at = now + pause;
        }
        if (a->check) {
            run_check(a);
        }
        found |= judge(a);
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
    const struct app *a;

    if (nat_routes_fd() >= 0) {
        poll_fd_wait(nat_routes_fd(), POLLIN);
    }
    if (!hmap_is_empty(&apps)) {
        poll_timer_wait_until(look_at);
    }
    if (n_checks) {
        HMAP_FOR_EACH (a, node, &apps) {
            if (a->check) {
                check_wait(a->check);
            }
        }
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
