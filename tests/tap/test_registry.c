/* SPDX-License-Identifier: GPL-3.0-or-later */

/* registry.c against a real ovsdb-server; and service.c's requests with it,
 * and a data plane that does what it is told. */

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "nat/nat.h"
#include "ovstest.h"
#include "packets.h"
#include "service/register.h"
#include "service/registry.h"
#include "service/service.h"
#include "service/service_table.h"

/* Another client's connection. */
static int other;

static int
connect_other(void)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(sun.sun_path, sizeof sun.sun_path, "%s/db.sock",
             getenv("OVS_RUNDIR"));
    if (fd < 0 || connect(fd, (struct sockaddr *) &sun, sizeof sun)) {
        perror(sun.sun_path);
        exit(1);
    }
    return fd;
}

/* The outcome of a change. */
static struct {
    bool open;                  /* There is none yet. */
    enum registry_result result;
    char detail[512];
    bool shown;                 /* Did the IDL show 'name' then? */
    const char *name;
} outcome;

static bool services;           /* Are there any?  Else the registry alone. */

static void done(enum registry_result, const char *detail);

/* What the registry alone has shown. */
static struct service_spec there[16];
static size_t n_there;

static void
gone(const struct in6_addr *service_ip)
{
    for (size_t i = 0; i < n_there; i++) {
        if (ipv6_addr_equals(&there[i].service_ip, service_ip)) {
            there[i] = there[--n_there];
            return;
        }
    }
    abort();                    /* It was not there. */
}

static void
is_there(const struct service_spec *spec)
{
    size_t i = 0;

    while (i < n_there && !ipv6_addr_equals(&there[i].service_ip,
                                            &spec->service_ip)) {
        i++;
    }
    if (i >= ARRAY_SIZE(there)) {
        abort();
    }
    there[i] = *spec;
    n_there += i == n_there;
}

static void
pump_run(void)
{
    if (services) {
        service_run();
        return;
    }
    registry_run();
    registry_follow(gone, is_there);
    if (outcome.open) {
        char *detail;
        enum registry_result result = registry_continue(&detail);

        if (result != REGISTRY_PENDING) {
            done(result, detail ? detail : "");
        }
        free(detail);
    }
}

static void
pump_wait(void)
{
    if (services) {
        service_wait();
    } else {
        registry_wait();
    }
}

struct found {
    const char *name;
    struct service_spec spec;
    int n_all;
    bool found;
};

static void
find_cb(const struct service_spec *spec,
        const struct counters *counters OVS_UNUSED, void *found_)
{
    struct found *found = found_;

    found->n_all++;
    if (found->name && !strcmp(spec->name, found->name)) {
        found->found = true;
        found->spec = *spec;
    }
}

static struct found
find(const char *name)
{
    struct found found = { .name = name };

    if (services) {
        service_for_each(find_cb, &found);
    }
    for (size_t i = 0; !services && i < n_there; i++) {
        find_cb(&there[i], NULL, &found);
    }
    return found;
}

static void
done(enum registry_result result, const char *detail)
{
    outcome.open = false;
    outcome.result = result;
    ovs_strlcpy(outcome.detail, detail, sizeof outcome.detail);
    outcome.shown = outcome.name && find(outcome.name).found;
}

static bool
finished(enum registry_result result)
{
    bool ok = WAIT_FOR(6000, !outcome.open) && outcome.result == result;

    if (!ok) {
        tap_diag("open %d, result %d, %s", outcome.open, outcome.result,
                 outcome.detail);
    }
    return ok;
}

static struct in6_addr
ip(const char *text)
{
    struct in6_addr addr;
    ovs_be32 ip4;

    if (ip_parse(text, &ip4)) {
        in6_addr_set_mapped_ipv4(&addr, ip4);
    } else if (!ipv6_parse(text, &addr)) {
        abort();
    }
    return addr;
}

static void
set_app(struct service_spec *spec, const char *text)
{
    struct in6_addr app = ip(text);

    service_spec_set_app(spec, &app);
}

static struct service_spec
make(const char *name, const char *service_ip, const char *application_ip)
{
    struct service_spec spec;

    /* Not zeroed: what is behind the strings must not matter. */
    memset(&spec, 0x55, sizeof spec);
    ovs_strlcpy(spec.name, name, sizeof spec.name);
    spec.service_ip = ip(service_ip);
    set_app(&spec, application_ip);
    spec.n_chain = 0;
    spec.on_failure = SERVICE_BYPASS;
    spec.health.kind = SERVICE_CHECK_NONE;
    return spec;
}

/* 'name' and 'spec' as registry_begin() takes them. */
static void
begin(const char *name, const struct service_spec *spec)
{
    outcome.name = spec ? spec->name : name;
    outcome.open = true;
    registry_begin(name, spec);
}

static bool
insert(const struct service_spec *spec, enum registry_result result)
{
    begin(NULL, spec);
    return finished(result);
}

static bool
update(const char *name, const struct service_spec *spec,
       enum registry_result result)
{
    begin(name, spec);
    return finished(result);
}

static bool
delete(const char *name, enum registry_result result)
{
    begin(name, NULL);
    return finished(result);
}

static void
transact(const char *operations)
{
    sh("ovsdb-client transact unix:$OVS_RUNDIR/db.sock '[\"TOF\",%s]'",
       operations);
}

static void
test_insert(void)
{
    struct service_spec a = make("edge", "198.51.100.10", "192.168.100.10");
    struct service_spec b = make("edge6", "2001:db8::10", "fd00:100::10");
    struct found found;
    unsigned int seqno = registry_seqno();

    tap_ok(insert(&a, REGISTRY_OK) && outcome.shown,
           "a service is inserted, and shown when told so");
    tap_ok(registry_seqno() != seqno, "which can be noticed");
    ovs_strlcpy(b.chain[0], "fw", sizeof b.chain[0]);
    ovs_strlcpy(b.chain[1], "dpi-2", sizeof b.chain[1]);
    b.n_chain = 2;
    tap_ok(insert(&b, REGISTRY_OK) && outcome.shown, "IPv6, with a chain");
    found = find("edge");
    tap_ok(found.n_all == 2 && !found.spec.n_chain
           && ipv6_addr_equals(&found.spec.service_ip, &a.service_ip)
           && service_spec_same_apps(&found.spec, &a), "IPv4 as it was given");
    found = find("edge6");
    tap_ok(ipv6_addr_equals(&found.spec.service_ip, &b.service_ip)
           && service_spec_same_apps(&found.spec, &b)
           && found.spec.n_chain == 2 && !strcmp(found.spec.chain[0], "fw")
           && !strcmp(found.spec.chain[1], "dpi-2"), "IPv6 likewise");
}

/* Whether registry_conflict() says 'expected' (NULL: nothing). */
static bool
conflict_is(const struct service_spec *spec, const char *name,
            const char *expected)
{
    char *conflict = registry_conflict(spec, name);
    bool ok = nullable_string_is_equal(conflict, expected);

    free(conflict);
    return ok;
}

static void
test_conflict(void)
{
    struct service_spec spec = make("edge", "198.51.100.11", "192.168.1.1");

    tap_ok(insert(&spec, REGISTRY_CONFLICT), "name taken: %s",
           outcome.detail);
    tap_ok(conflict_is(&spec, NULL, "the name edge is taken"),
           "is said before");
    tap_ok(conflict_is(&spec, "edge", NULL), "not in its own way");
    spec = make("other", "198.51.100.10", "192.168.1.1");
    tap_ok(insert(&spec, REGISTRY_CONFLICT), "service IP taken: %s",
           outcome.detail);
    tap_ok(conflict_is(&spec, "edge6",
                       "the service IP 198.51.100.10 is taken by edge"),
           "is said before");
    tap_ok(update("edge6", &spec, REGISTRY_CONFLICT), "by an update: %s",
           outcome.detail);
    tap_ok(find(NULL).n_all == 2, "and nothing changed");
}

/* Two clients at once, and the other one is faster: while the server is
 * stopped both ask, and it serves the older connection first. */
static void
let_other_be_first(const char *operations, void (*ours)(void))
{
    pid_t pid = SH_NUMBER("cat $OVS_RUNDIR/ovsdb-server.pid");
    char *request = xasprintf("{\"method\":\"transact\",\"id\":1,"
                              "\"params\":[\"TOF\",%s]}", operations);

    kill(pid, SIGSTOP);
    if (write(other, request, strlen(request)) < 0) {
        tap_diag("write: %s", strerror(errno));
    }
    ours();
    pump_for(100);
    kill(pid, SIGCONT);
    free(request);
}

static void
insert_race(void)
{
    static struct service_spec spec;

    spec = make("race", "198.51.100.20", "192.168.1.1");
    begin(NULL, &spec);
}

static void
update_race(void)
{
    static struct service_spec spec;

    spec = make("race", "198.51.100.22", "192.168.1.1");
    begin("race", &spec);
}

static void
test_race(void)
{
    let_other_be_first("{\"op\":\"insert\",\"table\":\"Service\",\"row\":"
                       "{\"name\":\"race\",\"service_ip\":\"198.51.100.21\","
                       "\"application_ip\":\"192.168.1.1\"}}", insert_race);
    tap_ok(finished(REGISTRY_CONFLICT), "another client was faster: %s",
           outcome.detail);
    tap_ok(find("race").found, "its service is there");
    let_other_be_first("{\"op\":\"delete\",\"table\":\"Service\",\"where\":"
                       "[[\"name\",\"==\",\"race\"]]}", update_race);
    tap_ok(finished(REGISTRY_NOT_FOUND),
           "another client deletes what we update: %s", outcome.detail);
}

static void
test_update(void)
{
    struct service_spec spec = make("edge", "198.51.100.10",
                                    "192.168.100.20");
    struct found found;

    tap_ok(update("edge", &spec, REGISTRY_OK), "another application IP");
    found = find("edge");
    tap_ok(service_spec_same_apps(&found.spec, &spec), "is shown");
    tap_ok(update("edge", &spec, REGISTRY_OK), "the same again");
    ovs_strlcpy(spec.name, "renamed", sizeof spec.name);
    tap_ok(update("edge", &spec, REGISTRY_OK) && outcome.shown
           && !find("edge").found && find("renamed").found, "another name");
    tap_ok(update("edge", &spec, REGISTRY_NOT_FOUND),
           "an unknown service: not found");
}

static bool
has_address(const char *name, const char *service_ip)
{
    const struct in6_addr addr = ip(service_ip);
    struct found found = find(name);

    return found.found && ipv6_addr_equals(&found.spec.service_ip, &addr);
}

#define SET_ADDRESS(NAME, IP)                                       \
    "{\"op\":\"update\",\"table\":\"Service\","                     \
    "\"where\":[[\"name\",\"==\",\"" NAME "\"]],"                   \
    "\"row\":{\"service_ip\":\"" IP "\"}}"

static void
test_exchange(void)
{
    struct service_spec spec = make("second", "198.51.100.12", "192.168.1.1");

    tap_ok(insert(&spec, REGISTRY_OK), "a second service");
    transact(SET_ADDRESS("renamed", "198.51.100.12") ","
             SET_ADDRESS("second", "198.51.100.10"));
    tap_ok(WAIT_FOR(3000, has_address("renamed", "198.51.100.12"))
           && has_address("second", "198.51.100.10") && find(NULL).n_all == 3,
           "two services exchange their addresses at once");
    transact(SET_ADDRESS("second", "nonsense"));
    tap_ok(WAIT_FOR(3000, !find("second").found) && find(NULL).n_all == 2,
           "one becomes a row that makes no service");
    transact(SET_ADDRESS("second", "198.51.100.12") ","
             SET_ADDRESS("renamed", "198.51.100.10"));
    tap_ok(WAIT_FOR(3000, has_address("second", "198.51.100.12"))
           && has_address("renamed", "198.51.100.10"),
           "and is one again, with the other one's address");
    tap_ok(delete("second", REGISTRY_OK), "and goes");
}

static void
test_delete(void)
{
    tap_ok(delete("nobody", REGISTRY_NOT_FOUND), "not found");
    tap_ok(delete("renamed", REGISTRY_OK) && !outcome.shown,
           "deleted, and gone when told so");
    tap_ok(find(NULL).n_all == 1, "one is left");
}

static void
test_junk(void)
{
    static const char *rows[] = {
        "\"name\":\"j1\",\"service_ip\":\"nonsense\","
        "\"application_ip\":\"192.168.1.1\"",
        "\"name\":\"j 2\",\"service_ip\":\"198.51.100.32\","
        "\"application_ip\":\"192.168.1.1\"",
        "\"name\":\"j3\",\"service_ip\":\"198.51.100.33\","
        "\"application_ip\":\"fd00::1\"",
        "\"name\":\"j4\",\"service_ip\":\"2001:DB8:0::44\","
        "\"application_ip\":\"fd00::1\"",
        "\"name\":\"j5\",\"service_ip\":\"198.51.100.35\","
        "\"application_ip\":\"192.168.1.1\",\"chain\":\"a,,b\"",
        "\"name\":\"j6\",\"service_ip\":\"198.51.100.36\","
        "\"application_ip\":\"192.168.1.1\",\"chain\":\"1,2,3,4,5,6,7,8,9\"",
        "\"name\":\"good\",\"service_ip\":\"198.51.100.37\","
        "\"application_ip\":\"192.168.1.1\",\"chain\":\"a,b\"",
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *ops = xasprintf("{\"op\":\"insert\",\"table\":\"Service\","
                              "\"row\":{%s}}", rows[i]);

        transact(ops);
        free(ops);
    }
    tap_ok(WAIT_FOR(3000, find("good").found) && find(NULL).n_all == 2,
           "rows that make no service are not shown, others are");
    tap_ok(delete("j1", REGISTRY_OK), "such a row can be deleted");
    transact("{\"op\":\"delete\",\"table\":\"Service\",\"where\":"
             "[[\"name\",\"!=\",\"edge6\"]]}");
    tap_ok(WAIT_FOR(3000, find(NULL).n_all == 1),
           "what another client deletes is gone");
}

/* Services: what registry.c is not asked alone. */

static int n_done, n_ok;
static enum service_error last_error;
static char last_detail[512];
static bool plane_works = true;
static unsigned int n_refused;  /* So many transactions will be. */
static size_t n_bypassed;       /* Services that have been. */
static uint32_t sharing;        /* Apps that share new connections now. */
static size_t n_forgotten;      /* Times that old connections have been. */
static bool app_answers = true; /* The App of most. */

bool
register_ready(const char **why OVS_UNUSED)
{
    return true;
}

bool
register_supports(const struct service_spec *spec OVS_UNUSED,
                  const char **why OVS_UNUSED)
{
    return true;
}

bool
register_possible(const struct service_spec *spec OVS_UNUSED,
                  const char **why OVS_UNUSED)
{
    return true;
}

bool
register_reaches(const struct service_spec *spec OVS_UNUSED,
                 const char **why OVS_UNUSED)
{
    return true;
}

bool
register_reaches_all(const struct service_spec *spec OVS_UNUSED,
                     const char **why OVS_UNUSED)
{
    return true;
}

bool
register_routes_changed(void)
{
    return false;
}

int
register_apply(const struct service_spec *spec OVS_UNUSED, uint32_t there)
{
    sharing = there;
    return 0;
}

int
register_share(const struct service_spec *spec OVS_UNUSED, uint32_t there)
{
    if (n_refused) {
        n_refused--;
        return EBUSY;
    }
    sharing = there;
    return 0;
}

void
register_forget_lost(const struct service_spec *spec OVS_UNUSED,
                     uint32_t there)
{
    n_forgotten += there != UINT32_MAX;
}

bool
register_is_lost(const struct service_spec *spec OVS_UNUSED,
                 size_t app OVS_UNUSED)
{
    return false;
}

bool
register_applied(const struct service_spec *spec OVS_UNUSED)
{
    return plane_works;
}

int
register_divert(const struct service_spec *spec OVS_UNUSED)
{
    return 0;
}

bool
register_in_force(const struct service_spec *spec OVS_UNUSED)
{
    return true;
}

void
register_undivert(const struct service_spec *spec OVS_UNUSED)
{
}

bool
register_is_bypassed(const struct service_spec *spec OVS_UNUSED)
{
    return false;
}

uint64_t
register_end(const struct in6_addr *service_ips OVS_UNUSED,
             size_t n OVS_UNUSED)
{
    return 0;
}

bool
register_ended(uint64_t walk OVS_UNUSED)
{
    return true;
}

void
register_run(void)
{
}

int
register_bypass(const struct in6_addr *service_ips OVS_UNUSED, size_t n)
{
    if (n_refused) {
        n_refused--;
        return EBUSY;
    }
    n_bypassed += n;
    return 0;
}

void
register_withdraw(const struct service_spec *spec OVS_UNUSED)
{
}

int
nat_routes_fd(void)
{
    return -1;
}

enum nat_app
nat_find_app(const struct in6_addr *app, struct in6_addr *next)
{
    const struct in6_addr most = ip("192.168.1.1");

    *next = *app;
    return (app_answers || !ipv6_addr_equals(app, &most) ? NAT_APP_ANSWERS
            : NAT_APP_SILENT);
}

enum nat_app
nat_ask_app(const struct in6_addr *app, struct in6_addr *next)
{
    return nat_find_app(app, next);
}

static void
service_done(enum service_error error, const char *detail,
             const struct service_spec *spec OVS_UNUSED, void *aux OVS_UNUSED)
{
    n_done++;
    n_ok += error == SERVICE_OK;
    last_error = error;
    ovs_strlcpy(last_detail, detail, sizeof last_detail);
}

/* Waits for 'n' answers, of which the last one is 'error'. */
static bool
answered(int n, enum service_error error)
{
    bool ok = (WAIT_FOR(10000, n_done == n) && last_error == error);

    if (!ok) {
        tap_diag("%d answers, the last one %d: %s", n_done, last_error,
                 last_detail);
    }
    n_done = 0;
    return ok;
}

static bool
create(const struct service_spec *spec, enum service_error error)
{
    service_create(spec, service_done, NULL);
    return answered(1, error);
}

/* What most services have not. */
static void
test_options(void)
{
    struct service_spec spec = make("kept", "198.51.100.50", "192.168.1.1");
    struct found found = { .found = false };

    spec.on_failure = SERVICE_KEEP;
    tap_ok(insert(&spec, REGISTRY_OK)
           && find("kept").spec.on_failure == SERVICE_KEEP,
           "what becomes of a service whose App is down is kept");
    spec.on_failure = SERVICE_BYPASS;
    tap_ok(update("kept", &spec, REGISTRY_OK)
           && find("kept").spec.on_failure == SERVICE_BYPASS,
           "and changed");
    service_check_init(&spec.health);
    spec.health.kind = SERVICE_CHECK_HTTP;
    spec.health.port = 8080;
    ovs_strlcpy(spec.health.path, "/a", sizeof spec.health.path);
    spec.health.expect = 204;
    spec.health.interval_ms = 1234;
    spec.health.fall = 3;
    found = update("kept", &spec, REGISTRY_OK) ? find("kept") : found;
    tap_ok(found.found && service_check_equal(&found.spec.health,
                                              &spec.health),
           "so is a health check");
    transact("{\"op\":\"update\",\"table\":\"Service\","
             "\"where\":[[\"name\",\"==\",\"kept\"]],\"row\":"
             "{\"options\":[\"map\",[[\"on_failure\",\"pray\"]]]}}");
    tap_ok(WAIT_FOR(5000, !find("kept").found),
           "a row with one that nobody knows makes no service");
    transact("{\"op\":\"update\",\"table\":\"Service\","
             "\"where\":[[\"name\",\"==\",\"kept\"]],\"row\":"
             "{\"options\":[\"map\",[[\"health\",\"tcp\"],"
             "[\"health_port\",\"80x\"]]]}}");
    pump_for(200);
    tap_ok(!find("kept").found, "nor with a check without a good port");
    tap_ok(delete("kept", REGISTRY_OK), "but can be deleted");
}

/* Rows of services with several Apps that make none. */
static void
test_bad_apps(void)
{
    static const char *const texts[] = {
        "192.168.1.1=1", "192.168.1.1,192.168.1.2", "192.168.1.2=1",
        "192.168.1.2=1,192.168.1.1=1", "192.168.1.1=1,192.168.1.2=101",
        "192.168.1.1=1,192.168.1.2=-1", "192.168.1.1=1,192.168.1.2=x",
        "192.168.1.1=1,192.168.1.1=1", "192.168.1.1=0,192.168.1.2=0",
        "192.168.1.1=1,fd00::1=1", "192.168.1.1=1,192.168.001.2=1",
        "192.168.1.1=1,", "",
    };
    size_t n_shown = 0;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        char *ops = xasprintf(
            "{\"op\":\"update\",\"table\":\"Service\","
            "\"where\":[[\"name\",\"==\",\"several\"]],\"row\":"
            "{\"options\":[\"map\",[[\"applications\",\"%s\"]]]}}", texts[i]);

        transact(ops);
        free(ops);
        pump_for(50);
        n_shown += find("several").found;
    }
    tap_ok(!n_shown, "what are no Apps with weights makes no service");
}

static void
test_several(void)
{
    struct service_spec spec = make("several", "198.51.100.51",
                                    "192.168.1.1");
    struct found found;

    spec.apps[1] = (struct service_app) { ip("192.168.1.2"), 0 };
    spec.apps[2] = (struct service_app) { ip("192.168.1.3"), 100 };
    spec.n_apps = 3;
    tap_ok(insert(&spec, REGISTRY_OK), "a service with several Apps");
    found = find("several");
    tap_ok(found.found && service_spec_same_apps(&found.spec, &spec),
           "they are as they were given");
    spec.n_apps = 2;
    tap_ok(update("several", &spec, REGISTRY_OK)
           && (found = find("several")).found
           && service_spec_same_apps(&found.spec, &spec), "one goes");
    spec.n_apps = 1;
    tap_ok(update("several", &spec, REGISTRY_OK)
           && (found = find("several")).found
           && service_spec_same_apps(&found.spec, &spec), "one is left");
    test_bad_apps();
    tap_ok(delete("several", REGISTRY_OK), "which can be deleted");
}

static void
test_many(void)
{
    const int n = 100;

    for (int i = 0; i < n; i++) {
        char name[16], service_ip[16];
        struct service_spec spec;

        snprintf(name, sizeof name, "s%d", i);
        snprintf(service_ip, sizeof service_ip, "198.51.101.%d", i);
        spec = make(name, service_ip, "192.168.1.1");
        service_create(&spec, service_done, NULL);
    }
    tap_ok(n_done == 0, "callbacks come from service_run() only");
    tap_ok(answered(n, SERVICE_OK) && n_ok == n
           && find(NULL).n_all == n + 1, "%d requests at once", n);
}

static bool
is_in_force(const char *service_ip)
{
    const struct in6_addr addr = ip(service_ip);
    struct service_view view;

    return service_describe(&addr, &view) && view.in_force;
}

static void
test_app_down(void)
{
    struct service_spec spec = make("else", "198.51.100.60", "192.168.1.7");

    tap_ok(create(&spec, SERVICE_OK) && is_in_force("198.51.101.1"),
           "services of two Apps are in force");
    n_refused = 2;
    app_answers = false;
    tap_ok(WAIT_FOR(3000, n_bypassed) && !n_refused,
           "nftables refuses twice to bypass those of one, and is asked again");
    pump_for(200);
    tap_ok(n_bypassed == 100 && !is_in_force("198.51.101.1"),
           "they are bypassed, each once");
    tap_ok(is_in_force("198.51.100.60"), "and the other App's is not");
    app_answers = true;
    tap_ok(WAIT_FOR(3000, is_in_force("198.51.101.1")),
           "they are back with their App");
    service_delete("else", SERVICE_ANY_VERSION, service_done, NULL);
    tap_ok(answered(1, SERVICE_OK), "the other one goes");
}

/* One of several Apps goes and comes. */
static void
test_shares(void)
{
    struct service_spec spec = make("shared", "198.51.100.60", "192.168.1.1");

    spec.apps[1] = (struct service_app) { ip("192.168.1.2"), 1 };
    spec.apps[2] = (struct service_app) { ip("192.168.1.3"), 0 };
    spec.n_apps = 3;
    n_bypassed = 0;
    tap_ok(create(&spec, SERVICE_OK) && sharing == 7,
           "all Apps share a new service");
    n_refused = 1;
    app_answers = false;
    tap_ok(WAIT_FOR(3000, sharing == 6) && !n_refused,
           "one goes: the others do, once the NAT takes that");
    tap_ok(is_in_force("198.51.100.60") && !n_forgotten,
           "the service is in force");
    tap_ok(WAIT_FOR(8000, n_forgotten),
           "later what it had is forgotten");
    spec.apps[1].weight = 0;
    spec.apps[0].weight = 1;
    service_update("shared", &spec, SERVICE_ANY_VERSION, service_done, NULL);
    tap_ok(answered(1, SERVICE_OK) && WAIT_FOR(3000, n_bypassed)
           && !is_in_force("198.51.100.60"),
           "nobody is left who takes new connections: it is bypassed");
    app_answers = true;
    tap_ok(WAIT_FOR(3000, is_in_force("198.51.100.60")) && sharing == 7,
           "it is back: all share it");
    spec.on_failure = SERVICE_KEEP;
    service_update("shared", &spec, SERVICE_ANY_VERSION, service_done, NULL);
    tap_ok(answered(1, SERVICE_OK), "now its Apps keep it");
    app_answers = false;
    n_forgotten = 0;
    pump_for(3000);
    tap_ok(is_in_force("198.51.100.60") && sharing == UINT32_MAX,
           "as none takes connections, all do");
    app_answers = true;
    tap_ok(WAIT_FOR(3000, sharing == 7), "until they are back");
    service_delete("shared", SERVICE_ANY_VERSION, service_done, NULL);
    tap_ok(answered(1, SERVICE_OK), "deleted");
    n_bypassed = n_ok = 0;
}

static void
test_order(void)
{
    struct service_spec spec = make("turn", "198.51.100.40", "192.168.1.1");

    n_ok = 0;
    service_create(&spec, service_done, NULL);
    service_create(&spec, service_done, NULL);
    service_delete("turn", SERVICE_ANY_VERSION,
                   service_done, NULL);
    service_create(&spec, service_done, NULL);
    service_delete("198.51.100.40", SERVICE_ANY_VERSION,
                   service_done, NULL);
    service_delete("turn", SERVICE_ANY_VERSION,
                   service_done, NULL);
    tap_ok(answered(6, SERVICE_NOT_FOUND) && n_ok == 4,
           "requests are served in order, each with what the last one left");
}

static void
test_roll_back(void)
{
    struct service_spec spec = make("s1", "198.51.101.1", "192.168.1.9");
    long long int start = time_msec();

    plane_works = false;
    service_update("s1", &spec, SERVICE_ANY_VERSION, service_done,
                       NULL);
    tap_ok(answered(1, SERVICE_FAILED) && time_msec() - start >= 2900,
           "the data plane does not confirm in three seconds: %s",
           last_detail);
    set_app(&spec, "192.168.1.1");
    struct found found = find("s1");
    tap_ok(service_spec_same_apps(&found.spec, &spec),
           "the service is as it was");
    spec = make("new", "198.51.100.41", "192.168.1.1");
    tap_ok(create(&spec, SERVICE_FAILED) && !find("new").found,
           "nor a new one, which is gone");
    plane_works = true;
}

static void
test_server_restart(void)
{
    struct service_spec spec = make("late", "198.51.100.50", "192.168.1.1");
    pid_t pid = SH_NUMBER("cat $OVS_RUNDIR/ovsdb-server.pid");
    long long int start = time_msec();

    kill(pid, SIGSTOP);
    tap_ok(create(&spec, SERVICE_UNAVAILABLE)
           && time_msec() - start >= 2900 && time_msec() - start < 4000,
           "the server hangs: unavailable after three seconds");
    kill(pid, SIGKILL);
    tap_ok(WAIT_FOR(5000, !registry_is_connected()),
           "it dies: not connected");
    start = time_msec();
    tap_ok(create(&spec, SERVICE_UNAVAILABLE) && time_msec() - start < 500,
           "unavailable, at once");
    tap_ok(find(NULL).n_all == 101, "what was there is still shown");
    sh("$TOF_OVS start");
    tap_ok(WAIT_FOR(10000, registry_is_connected())
           && find(NULL).n_all == 101, "it comes back with all of them");
    tap_ok(create(&spec, SERVICE_OK) && find("late").found,
           "and takes more");
}

static void
test_another_database(void)
{
    struct service_spec spec = make("s1", "198.51.101.2", "192.168.1.1");

    sh("$TOF_OVS stop >/dev/null; rm $TOF_STATE_DIR/tof.db; $TOF_OVS start");
    tap_ok(WAIT_FOR(10000, registry_is_connected() && !find(NULL).n_all),
           "what a new database does not have is gone");
    tap_ok(create(&spec, SERVICE_OK) && has_address("s1", "198.51.101.2")
           && find(NULL).n_all == 1, "and what it gets is there");
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    struct service_spec spec;
    char *remote;

    ovstest_init(argv[0]);
    remote = xasprintf("unix:%s/db.sock", getenv("OVS_RUNDIR"));
    other = connect_other();
    registry_init(remote);
    spec = make("early", "198.51.100.1", "192.168.1.1");
    tap_ok(!registry_is_connected(), "not connected at first");
    tap_ok(insert(&spec, REGISTRY_UNAVAILABLE), "unavailable then");
    tap_ok(WAIT_FOR(5000, registry_is_connected()) && !find(NULL).n_all,
           "connected, and empty");
    test_insert();
    test_conflict();
    test_race();
    test_update();
    test_exchange();
    test_delete();
    test_junk();
    test_options();
    test_several();

    registry_destroy();
    registry_init(remote);
    services = true;
    service_init();
    tap_ok(WAIT_FOR(5000, find(NULL).n_all == 1), "services follow it");
    test_shares();
    test_many();
    test_app_down();
    test_order();
    test_roll_back();
    test_server_restart();
    test_another_database();

    service_create(&spec, service_done, NULL);
    registry_destroy();
    service_destroy();
    tap_ok(n_done == 1 && last_error == SERVICE_UNAVAILABLE,
           "the end answers what is open");
    close(other);
    free(remote);
    return tap_done();
}
