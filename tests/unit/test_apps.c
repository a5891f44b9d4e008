/* SPDX-License-Identifier: GPL-3.0-or-later */

/* service/apps.c: when an App is up and when it is down, by a clock of the
 * test's own, and a kernel and health checks that say what they are told. */

#include <config.h>

#include "service/apps.h"

#include <limits.h>
#include <string.h>

#include "base/addr.h"
#include "base/service_spec.h"
#include "nat/nat.h"
#include "service/check.h"
#include "tap.h"
#include "util.h"

static long long int now = 1000;
static enum nat_app kernel;             /* What it knows of the way there. */
static unsigned int n_asked, n_looked;
static bool one_way;            /* To all Apps: an answer takes a moment. */
static long long int asked_at;
static enum check_result result;        /* Of the next try. */

long long int __wrap_time_msec(void);
long long int
__wrap_time_msec(void)
{
    return now;
}

int
nat_routes_fd(void)
{
    return -1;
}

enum nat_app
nat_find_app(const struct in6_addr *ip, struct in6_addr *next)
{
    n_looked++;
    *next = *ip;
    return one_way && now == asked_at ? NAT_APP_KNOWN : kernel;
}

enum nat_app
nat_ask_app(const struct in6_addr *ip, struct in6_addr *next)
{
    const enum nat_app found = nat_find_app(ip, next);

    n_asked++;
    asked_at = now;
    return found;
}

struct check {
    int unused;
};
static struct check the_check;

struct check *
check_start(const struct in6_addr *app OVS_UNUSED,
            const struct service_check *spec OVS_UNUSED)
{
    return &the_check;
}

void
check_stop(struct check *c OVS_UNUSED)
{
}

enum check_result
check_run(struct check *c OVS_UNUSED)
{
    enum check_result r = result;

    result = CHECK_PENDING;
    return r;
}

void
check_wait(const struct check *c OVS_UNUSED)
{
}

const char *
check_why(const struct check *c OVS_UNUSED)
{
    return "is refused";
}

static struct app *
watch(const char *text, int kind)
{
    struct service_check check;
    struct in6_addr ip;

    service_check_init(&check);
    check.kind = kind;
    check.port = 80;
    check.fall = 3;
    addr_parse(text, &ip);
    return app_watch(&ip, &check);
}

/* Lets that much time pass, in turns of 10 ms.  Returns how often a state has
 * changed. */
static unsigned int
pass(long long int ms)
{
    unsigned int n = 0;

    for (long long int end = now + ms; now < end; now += 10) {
        n += apps_run(false, LLONG_MAX);
    }
    return n;
}

static enum app_state
state(const struct app *a)
{
    return app_view(a)->state;
}

static void
test_up(void)
{
    struct app *a;

    kernel = NAT_APP_UNASKED;
    a = watch("192.168.100.10", SERVICE_CHECK_NONE);
    tap_ok(state(a) == APP_UNKNOWN, "unknown at first");
    n_asked = n_looked = 0;
    pass(10);
    tap_ok(n_asked == 1, "it is asked at once");
    kernel = NAT_APP_ASKED;
    pass(500);
    kernel = NAT_APP_KNOWN;
    pass(490);
    tap_ok(state(a) == APP_UNKNOWN && n_asked == 2 && n_looked == 4,
           "unknown until it answers: asked %u times, looked at %u times",
           n_asked, n_looked);
    kernel = NAT_APP_ANSWERS;
    tap_ok(pass(250) == 1 && state(a) == APP_UP, "up when it answers");
    kernel = NAT_APP_KNOWN;
    tap_ok(!pass(5000) && state(a) == APP_UP,
           "and while the kernel waits for an answer");
    app_unwatch(a);
}

static void
test_down(void)
{
    static const struct {
        enum nat_app kernel;
        const char *why;
    } cases[] = {
        { NAT_APP_SILENT, "it does not answer ARP" },
        { NAT_APP_NO_LINK, "the adapter that leads to it is down" },
        { NAT_APP_NO_ROUTE, "no route leads to it" },
        { NAT_APP_SELF, "it is the TOF itself" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct app *a = watch("192.168.100.10", SERVICE_CHECK_NONE);

        kernel = NAT_APP_ANSWERS;
        pass(500);
        kernel = cases[i].kernel;
        tap_ok(apps_run(true, LLONG_MAX) && state(a) == APP_DOWN
               && !strcmp(app_view(a)->why, cases[i].why)
               && apps_count(APP_DOWN) == 1,
               "down, at once if the kernel tells of a change: %s",
               app_view(a)->why);
        app_unwatch(a);
    }
}

static void
test_traffic(void)
{
    struct app *a = watch("192.168.100.10", SERVICE_CHECK_NONE);

    kernel = NAT_APP_ANSWERS;
    pass(500);
    kernel = NAT_APP_ASKED;
    tap_ok(!pass(250) && state(a) == APP_UP, "asked once is not silent");
    tap_ok(pass(250) == 1 && state(a) == APP_DOWN,
           "asked on and on, as by packets to it, is: %s", app_view(a)->why);
    app_unwatch(a);
    a = watch("192.168.100.10", SERVICE_CHECK_NONE);
    tap_ok(!pass(750) && state(a) == APP_UNKNOWN && pass(250) == 1
           && state(a) == APP_DOWN, "one that was not known has longer");
    app_unwatch(a);
}

static void
test_back(void)
{
    struct app *a = watch("192.168.100.10", SERVICE_CHECK_NONE);

    kernel = NAT_APP_SILENT;
    pass(1000);
    tap_ok(state(a) == APP_DOWN, "down without having been up");
    kernel = NAT_APP_ANSWERS;
    pass(500);
    kernel = NAT_APP_ASKED;
    pass(500);
    kernel = NAT_APP_ANSWERS;
    pass(490);
    tap_ok(state(a) == APP_DOWN, "one answer does not bring it back");
    tap_ok(pass(510) == 1 && state(a) == APP_UP && !app_view(a)->why[0],
           "two in a row do");
    app_unwatch(a);
}

static void
test_same_way(void)
{
    struct app *many[10];
    char text[16];

    kernel = NAT_APP_SILENT;
    for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
        snprintf(text, sizeof text, "172.16.9.%"PRIuSIZE, i + 1);
        many[i] = watch(text, SERVICE_CHECK_NONE);
    }
    pass(1000);
    tap_ok(apps_count(APP_DOWN) == ARRAY_SIZE(many), "all behind a gateway");
    kernel = NAT_APP_ANSWERS;
    one_way = true;
    pass(1260);
    tap_ok(apps_count(APP_UP) == ARRAY_SIZE(many),
           "are back with it, though each of them has it asked");
    one_way = false;
    for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
        app_unwatch(many[i]);
    }
}

static void
test_check(void)
{
    struct app *a = watch("192.168.100.10", SERVICE_CHECK_TCP);

    kernel = NAT_APP_ANSWERS;
    pass(5000);
    tap_ok(state(a) == APP_UNKNOWN, "its host's answers do not make it up");
    result = CHECK_PASSED;
    tap_ok(pass(10) == 1 && state(a) == APP_UP, "a try that succeeds does");
    for (int i = 0; i < 2; i++) {
        result = CHECK_FAILED;
        pass(10);
    }
    result = CHECK_PASSED;
    pass(10);
    for (int i = 0; i < 2; i++) {
        result = CHECK_FAILED;
        pass(10);
    }
    tap_ok(state(a) == APP_UP, "two that fail do not make it down");
    result = CHECK_FAILED;
    tap_ok(pass(10) == 1 && state(a) == APP_DOWN
           && !strcmp(app_view(a)->why, "its TCP check is refused"),
           "three in a row do: %s", app_view(a)->why);
    result = CHECK_PASSED;
    tap_ok(!pass(1000), "one that succeeds does not bring it back");
    result = CHECK_PASSED;
    tap_ok(pass(10) == 1 && state(a) == APP_UP, "two in a row do");
    kernel = NAT_APP_SILENT;
    result = CHECK_PASSED;
    tap_ok(pass(510) == 1 && state(a) == APP_DOWN,
           "whatever it says, a host that is silent is down");
    app_unwatch(a);
}

static void
test_shared(void)
{
    struct app *a = watch("192.168.100.10", SERVICE_CHECK_NONE);
    struct app *b = watch("192.168.100.10", SERVICE_CHECK_NONE);
    struct app *c = watch("192.168.100.10", SERVICE_CHECK_ICMP);

    tap_ok(a == b && a != c && apps_count(APP_UNKNOWN) == 2,
           "one for each address and check");
    app_unwatch(a);
    tap_ok(apps_count(APP_UNKNOWN) == 2, "as long as there is a service");
    app_unwatch(b);
    app_unwatch(c);
    tap_ok(!apps_count(APP_UNKNOWN), "and no longer");
}

static void
test_many(void)
{
    const unsigned int n = 4000;
    struct app **many = xmalloc(n * sizeof *many);

    kernel = NAT_APP_ANSWERS;
    for (unsigned int i = 0; i < n; i++) {
        char text[16];

        snprintf(text, sizeof text, "10.9.%u.%u", i / 250, i % 250 + 1);
        many[i] = watch(text, SERVICE_CHECK_NONE);
    }
    pass(1000);
    n_looked = 0;
    pass(1000);
    tap_ok(n_looked == n, "thousands are looked at once a second: %u",
           n_looked);
    for (unsigned int i = 0; i < n; i++) {
        app_unwatch(many[i]);
    }
    free(many);
}

static void
test_hurry(void)
{
    struct app *a = watch("192.168.100.10", SERVICE_CHECK_NONE);

    kernel = NAT_APP_UNASKED;
    pass(10);
    kernel = NAT_APP_ANSWERS;
    apps_hurry();
    tap_ok(pass(20) == 1 && state(a) == APP_UP,
           "who waits hears of it in some ms");
    app_unwatch(a);
}

int
main(void)
{
    apps_init();
    test_up();
    test_down();
    test_traffic();
    test_back();
    test_same_way();
    test_check();
    test_shared();
    test_many();
    test_hurry();
    apps_destroy();
    return tap_done();
}
