/* SPDX-License-Identifier: GPL-3.0-or-later */

/* api/json.c and src/base/service_spec.c, linked with nothing else: what
 * bodies are a service, and what is said of those that are not. */

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "api/json.h"
#include "base/service_spec.h"
#include "tap.h"

#define ADDRESSES "\"serviceIP\":\"198.51.100.10\"," \
                  "\"applicationIP\":\"192.168.100.10\""
#define SERVICE(NAME) "{\"name\":" NAME "," ADDRESSES "}"
#define IPS(SERVICE_IP, APP_IP) "{\"name\":\"edge\",\"serviceIP\":\"" \
    SERVICE_IP "\",\"applicationIP\":\"" APP_IP "\"}"
#define IP(SERVICE_IP) IPS(SERVICE_IP, "192.168.100.10")
#define CHAIN(CHAIN) "{\"name\":\"edge\"," ADDRESSES ",\"chain\":" CHAIN "}"
#define MEMBER(MEMBER) "{\"name\":\"edge\"," ADDRESSES "," MEMBER "}"
#define NAME_63 "abcdefghijklmnopqrstuvwxyz-" \
                "ABCDEFGHIJKLMNOPQRSTUVWXYZ_012345678"

/* A body, and a name, service IP, and number of functions that it gives. */
static const struct {
    const char *body, *name, *service_ip;
    size_t n_chain;
} good[] = {
    { SERVICE("\"edge\""), "edge", "::ffff:198.51.100.10", 0 },
    { " \t\r\n{ \"name\" : \"e\" ,\n" ADDRESSES " }\n ", "e",
      "::ffff:198.51.100.10", 0 },
    { SERVICE("\"" NAME_63 "\""), NAME_63, "::ffff:198.51.100.10", 0 },
    { SERVICE("\"1.2.3\""), "1.2.3", "::ffff:198.51.100.10", 0 },
    { SERVICE("\"v1.2.3.4\""), "v1.2.3.4", "::ffff:198.51.100.10", 0 },
    { SERVICE("\"\\u0065dg\\u0065\""), "edge", "::ffff:198.51.100.10", 0 },
    { IPS("2001:db8::10", "fd00:100::10"), "edge", "2001:db8::10", 0 },
    { IPS("2001:DB8:0:0::10", "fd00:100::10"), "edge", "2001:db8::10", 0 },
    { IP("240.0.0.1"), "edge", "::ffff:240.0.0.1", 0 },
    { IP("10.255.255.255"), "edge", "::ffff:10.255.255.255", 0 },
    { CHAIN("[]"), "edge", "::ffff:198.51.100.10", 0 },
    { CHAIN("[ \"fw\" , \"dpi\" ]"), "edge", "::ffff:198.51.100.10", 2 },
    { CHAIN("[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\"]"), "edge",
      "::ffff:198.51.100.10", 8 },
    { "{\"\\u006eame\":\"edge\"," ADDRESSES "}", "edge",
      "::ffff:198.51.100.10", 0 },
};

/* A body, and what must be in the sentence about it. */
static const struct {
    const char *body, *problem;
} bad[] = {
    { "", "empty" },
    { " \n", "empty" },
    { "x", "not JSON" },
    { "\xef\xbb\xbf{}", "not JSON" },
    { "[]", "the body: must be an object, not an array" },
    { "\"edge\"", "not a string" },
    { "1", "not a number" },
    { "-1e9", "not a number" },
    { "null", "not null" },
    { "true", "not a boolean" },
    { "{", "at byte 1: string or '}' expected near end" },
    { "{}", "name: is missing" },
    { "{,}", "string or '}' expected near ','" },
    { "{\"name\"", "':' expected" },
    { "{\"name\":", "unexpected token near end" },
    { "{\"name\":\"edge", "premature end of input near '\"edge'" },
    { "{\"name\":\"edge\"", "'}' expected" },
    { "{\"name\":\"edge\",}", "string or '}' expected near '}'" },
    { "{\"name\":\"edge\" \"serviceIP\"}", "'}' expected" },
    { "{\"name\":\"edge\"}", "serviceIP: is missing" },
    { "{\"name\":\"edge\",\"serviceIP\":\"198.51.100.10\"}",
      "applicationIP: is missing" },
    { "{" ADDRESSES "}", "name: is missing" },
    { SERVICE("\"edge\"") "x", "at byte 77: end of file expected near 'x'" },
    { SERVICE("\"edge\"") SERVICE("\"edge\""), "end of file expected" },
    { SERVICE("1"), "name: must be a string, not a number" },
    { SERVICE("null"), "name: must be a string, not null" },
    { SERVICE("true"), "name: must be a string, not a boolean" },
    { SERVICE("[\"edge\"]"), "name: must be a string, not an array" },
    { SERVICE("{}"), "name: must be a string, not an object" },
    { SERVICE("edge"), "invalid token near 'edge'" },
    { SERVICE("'edge'"), "invalid token near" },
    { SERVICE("\"\""), "name: is empty" },
    { SERVICE("\"" NAME_63 "x\""), "name: is longer than 63" },
    { SERVICE("\"" NAME_63 NAME_63 NAME_63 "\""), "name: is longer than 63" },
    { SERVICE("\"a b\""), "name: has a character other than" },
    { SERVICE("\"a/b\""), "name: has a character other than" },
    { SERVICE("\"caf\xc3\xa9\""), "name: has a character other than" },
    { SERVICE("\"\xff\""), "at byte 9: unable to decode byte 0xff" },
    { SERVICE("\"\xed\xa0\x80\""), "unable to decode byte 0xed" },
    { SERVICE("\"\xc0\xaf\""), "unable to decode byte 0xc0" },
    { SERVICE("\"\\ud800\""), "not JSON" },
    { SERVICE("\"\\u00e9\""), "name: has a character other than" },
    { SERVICE("\"\\n\""), "name: has a character other than" },
    { SERVICE("\"a\nb\""), "unexpected newline near" },
    { SERVICE("\"a\\u0000b\""), "NUL" },
    { SERVICE("\"\\u12g4\""), "invalid escape near" },
    { SERVICE("\"\\x41\""), "invalid escape near" },
    { SERVICE("\"\\"), "invalid escape near" },
    { SERVICE("\".\""), "cannot be named" },
    { SERVICE("\"..\""), "cannot be named" },
    { SERVICE("\"10.1.0.1\""), "name: must not be an IP address" },
    { SERVICE("\"010.1.0.300\""), "name: must not be an IP address" },
    { SERVICE("\"2001:db8::1\""), "name: has a character other than" },
    { SERVICE("\"a\",\"name\":\"b\""),
      "the body has a member twice: at byte 18: " },
    { SERVICE("\"a\",\"port\":80"), "port: is not a member of a service" },
    { SERVICE("\"a\",\"Name\":\"b\""), "Name: is not a member" },
    { SERVICE("\"a\",\"\":\"b\""), "a member: is not a member" },
    { SERVICE("\"a\",\"\xff\xfe\":1"), "unable to decode byte 0xff" },
    { SERVICE("\"a\",\"\xc3\xa9\":1"), "a member: is not a member" },
    { SERVICE("\"a\",\"\\u0000\":1"), "not JSON" },
    { SERVICE("1e999"), "not JSON" },
    { SERVICE("99999999999999999999"), "not JSON" },
    { SERVICE("01"), "not JSON" },
    { SERVICE("{\"a\":1,\"a\":2}"), "has a member twice" },
    { IP(""), "serviceIP: is not an IPv4 or IPv6 address" },
    { IP("198.51.100"), "serviceIP: is not" },
    { IP("198.51.100.256"), "serviceIP: is not" },
    { IP("198.51.100.010"), "serviceIP: is not" },
    { IP("198.51.100.10/32"), "serviceIP: is not" },
    { IP(" 198.51.100.10"), "serviceIP: is not" },
    { IP("198.51.100.10:80"), "serviceIP: is not" },
    { IP("0xc6336401"), "serviceIP: is not" },
    { IP("example.com"), "serviceIP: is not" },
    { IP("::ffff:198.51.100.10"), "serviceIP: is not" },
    { IP("fe80::1%eth0"), "serviceIP: is not" },
    { IP("[2001:db8::1]"), "serviceIP: is not" },
    { IP("0.0.0.0"), "serviceIP: is an unspecified address" },
    { IP("127.0.0.1"), "serviceIP: is a loopback address" },
    { IP("127.255.255.254"), "serviceIP: is a loopback address" },
    { IP("224.0.0.1"), "serviceIP: is a multicast address" },
    { IP("239.255.255.255"), "serviceIP: is a multicast address" },
    { IP("255.255.255.255"), "serviceIP: is the broadcast address" },
    { IP("169.254.0.1"), "serviceIP: is a link-local address" },
    { IP("::"), "serviceIP: is an unspecified address" },
    { IP("::1"), "serviceIP: is a loopback address" },
    { IP("ff02::1"), "serviceIP: is a multicast address" },
    { IP("fe80::1"), "serviceIP: is a link-local address" },
    { IP("::10.0.0.1"), "serviceIP: is an IPv4-compatible address" },
    { IP("2001:db8::10"), "of different families" },
    { IPS("198.51.100.10", "fd00::1"), "of different families" },
    { IPS("198.51.100.10", "198.51.100.10"), "the same address" },
    { IPS("198.51.100.10", "127.0.0.1"), "applicationIP: is a loopback" },
    { IPS("198.51.100.10", "app"), "applicationIP: is not" },
    { CHAIN("null"), "chain: must be an array of strings, not null" },
    { CHAIN("\"fw\""), "chain: must be an array of strings" },
    { CHAIN("{}"), "chain: must be an array of strings, not an object" },
    { CHAIN("[1]"), "chain: must be a string, not a number" },
    { CHAIN("[[\"fw\"]]"), "chain: must be a string, not an array" },
    { CHAIN("[\"fw\",]"), "unexpected token near ']'" },
    { CHAIN("[\"fw\""), "']' expected" },
    { CHAIN("[\"f w\"]"), "chain: has a character other than" },
    { CHAIN("[\"fw\",\"fw\"]"), "chain: has a function twice" },
    { CHAIN("[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]"),
      "chain: has more than 8" },
    { MEMBER("\"on_failure\":\"\""), "on_failure: must be bypass or keep" },
    { MEMBER("\"on_failure\":\"Keep\""), "on_failure: must be bypass or" },
    { MEMBER("\"on_failure\":null"), "on_failure: must be a string" },
    { MEMBER("\"on_failure\":\"keep\",\"on_failure\":\"keep\""),
      "has a member twice" },
};

#define HEALTH(HEALTH) MEMBER("\"health\":" HEALTH)

/* What a check may not be, and what is said of it. */
static const struct {
    const char *body, *problem;
} bad_checks[] = {
    { HEALTH("true"), "health: must be an object, not a boolean" },
    { HEALTH("{}"), "health: has none of tcp, http and icmp" },
    { HEALTH("{\"interval\":1}"), "has none of" },
    { HEALTH("{\"tcp\":80,\"icmp\":true}"), "has more than one of" },
    { HEALTH("{\"tcp\":80,\"http\":\"/\"}"), "has more than one of" },
    { HEALTH("{\"tcp\":0}"), "health: tcp: must be from 1 to 65535" },
    { HEALTH("{\"tcp\":65536}"), "health: tcp: must be from 1 to" },
    { HEALTH("{\"tcp\":-1}"), "health: tcp: must be from 1 to" },
    { HEALTH("{\"tcp\":80.5}"), "must be a whole number, not a number" },
    { HEALTH("{\"tcp\":\"80\"}"), "must be a whole number, not a string" },
    { HEALTH("{\"icmp\":false}"), "icmp: must be true, not a boolean" },
    { HEALTH("{\"http\":\"/\"}"), "health: has no port" },
    { HEALTH("{\"http\":\"\",\"port\":80}"), "must be a path" },
    { HEALTH("{\"http\":\"ready\",\"port\":80}"), "must be a path" },
    { HEALTH("{\"http\":\"/a b\",\"port\":80}"), "must be a path" },
    { HEALTH("{\"http\":\"/\\r\\nX: y\",\"port\":80}"), "be a path" },
    { HEALTH("{\"http\":\"/\xc3\xa9\",\"port\":80}"), "must be a path" },
    { HEALTH("{\"http\":\"/" NAME_63 NAME_63 "xx\",\"port\":80}"),
      "http: is longer than 127" },
    { HEALTH("{\"http\":\"/\",\"port\":80,\"expect\":99}"),
      "expect must be from 100 to 599" },
    { HEALTH("{\"http\":\"/\",\"port\":80,\"expect\":600}"),
      "expect: must be from 1 to 599" },
    { HEALTH("{\"tcp\":80,\"port\":80}"), "are for http alone" },
    { HEALTH("{\"icmp\":true,\"expect\":200}"), "are for http alone" },
    { HEALTH("{\"tcp\":80,\"interval\":0}"), "must be from 0.1 to 60" },
    { HEALTH("{\"tcp\":80,\"interval\":61}"), "must be from 0.1 to 60" },
    { HEALTH("{\"tcp\":80,\"interval\":\"1\"}"), "must be a number" },
    { HEALTH("{\"tcp\":80,\"fall\":0}"), "fall: must be from 1 to 10" },
    { HEALTH("{\"tcp\":80,\"rise\":11}"), "rise: must be from 1 to 10" },
    { HEALTH("{\"tcp\":80,\"timeout\":1}"), "a member that no check has" },
};

/* What it may be. */
static const struct {
    const char *body;
    struct service_check health;
} good_checks[] = {
    { HEALTH("{\"tcp\":65535}"),
      { .kind = SERVICE_CHECK_TCP, .port = 65535, .expect = 200,
        .interval_ms = 500, .fall = 2, .rise = 2 } },
    { HEALTH("{\"rise\":10,\"icmp\":true,\"fall\":1,\"interval\":0.1}"),
      { .kind = SERVICE_CHECK_ICMP, .expect = 200, .interval_ms = 100,
        .fall = 1, .rise = 10 } },
    { HEALTH("{\"port\":80,\"http\":\"/a?b=c\",\"interval\":60}"),
      { .kind = SERVICE_CHECK_HTTP, .port = 80, .path = "/a?b=c",
        .expect = 200, .interval_ms = 60000, .fall = 2, .rise = 2 } },
    { HEALTH("{\"expect\":404,\"http\":\"/" NAME_63 NAME_63 "\","
             "\"port\":1}"),
      { .kind = SERVICE_CHECK_HTTP, .port = 1, .path = "/" NAME_63 NAME_63,
        .expect = 404, .interval_ms = 500, .fall = 2, .rise = 2 } },
};

#define APPS(APPS) "{\"name\":\"edge\",\"serviceIP\":\"198.51.100.10\"," \
                   "\"applications\":" APPS "}"
#define A1 "{\"ip\":\"192.168.100.1\"}"
#define A2 "{\"ip\":\"192.168.100.2\",\"weight\":0}"
#define A8 A1 "," A1 "," A1 "," A1 "," A1 "," A1 "," A1 "," A1

/* What applications may not be, and what is said of them. */
static const struct {
    const char *body, *problem;
} bad_apps[] = {
    { APPS("{}"), "applications: must be an array of objects, not an obj" },
    { APPS("[\"192.168.100.1\"]"), "an array of objects, not a string" },
    { APPS("[]"), "applications: is empty" },
    { APPS("[{}]"), "applications: ip: is missing" },
    { APPS("[{\"ip\":1}]"), "applications: ip: must be a string" },
    { APPS("[{\"ip\":\"0.0.0.0\"}]"), "applications: ip: " },
    { APPS("[{\"ip\":\"fd00::1\"}]"), "of different families" },
    { APPS("[" A1 ",{\"ip\":\"198.51.100.10\"}]"), "the same address" },
    { APPS("[" A1 "," A1 "]"), "applications: has an address twice" },
    { APPS("[" A2 "]"), "applications: none has a weight" },
    { APPS("[{\"ip\":\"192.168.1.1\",\"weight\":101}]"),
      "applications: weight must be from 0 to 100" },
    { APPS("[{\"ip\":\"192.168.1.1\",\"weight\":-1}]"), "from 0 to 100" },
    { APPS("[{\"ip\":\"192.168.1.1\",\"weight\":1.5}]"),
      "weight: must be a whole number" },
    { APPS("[{\"ip\":\"192.168.1.1\",\"port\":80}]"),
      "a member that no application has" },
    { APPS("[" A8 "," A8 "," A1 "]"), "has more than 16 of them" },
    { MEMBER("\"applications\":[" A1 "]"),
      "applicationIP: is there beside applications" },
};

/* What they may be, as the registry writes them. */
static const struct {
    const char *body, *apps;
} good_apps[] = {
    { SERVICE("\"edge\""), "192.168.100.10=1" },
    { APPS("[" A1 "]"), "192.168.100.1=1" },
    { APPS("[{\"ip\":\"192.168.100.1\",\"weight\":100}]"),
      "192.168.100.1=1" },
    { APPS("[" A2 "," A1 "]"), "192.168.100.2=0,192.168.100.1=1" },
    { APPS("[{\"weight\":7,\"ip\":\"192.168.100.3\"}," A1 "]"),
      "192.168.100.3=7,192.168.100.1=1" },
};

/* A member, and whether the service is kept. */
static const struct {
    const char *body;
    enum service_on_failure on_failure;
} on_failures[] = {
    { SERVICE("\"edge\""), SERVICE_BYPASS },
    { MEMBER("\"on_failure\":\"bypass\""), SERVICE_BYPASS },
    { MEMBER("\"on_failure\":\"keep\""), SERVICE_KEEP },
};

/* Reads 'body' from a block of just its size, for the sanitizers to see. */
static bool
read_exactly(const char *body, size_t len, struct service_spec *spec,
             char problem[JSON_PROBLEM_MAX])
{
    char *copy = malloc(len ? len : 1);
    bool ok;

    memcpy(copy, body, len);
    strcpy(problem, "(none)");
    ok = json_to_service(copy, len, spec, problem);
    free(copy);
    return ok;
}

static void
test_checks(void)
{
    char problem[JSON_PROBLEM_MAX];
    struct service_spec spec;

    for (size_t i = 0; i < sizeof good_checks / sizeof *good_checks; i++) {
        const char *body = good_checks[i].body;

        tap_ok(read_exactly(body, strlen(body), &spec, problem)
               && service_check_equal(&spec.health, &good_checks[i].health),
               "%s: %s", body, problem);
    }
    for (size_t i = 0; i < sizeof bad_checks / sizeof *bad_checks; i++) {
        const char *body = bad_checks[i].body;

        tap_ok(!read_exactly(body, strlen(body), &spec, problem)
               && strstr(problem, bad_checks[i].problem), "%zu: %s", i,
               problem);
    }
}

/* The text is good until the next call. */
static const char *
apps_text(const struct service_spec *spec)
{
    static char text[SERVICE_APPS_MAX * (INET6_ADDRSTRLEN + 5)];
    size_t len = 0;

    for (size_t i = 0; i < spec->n_apps; i++) {
        char ip[INET_ADDRSTRLEN];

        inet_ntop(AF_INET, &spec->apps[i].ip.s6_addr[12], ip, sizeof ip);
        len += snprintf(text + len, sizeof text - len, "%s%s=%u",
                        i ? "," : "", ip, spec->apps[i].weight);
    }
    return text;
}

static void
test_apps(void)
{
    char problem[JSON_PROBLEM_MAX];
    struct service_spec spec, other;

    for (size_t i = 0; i < sizeof good_apps / sizeof *good_apps; i++) {
        const char *body = good_apps[i].body;

        tap_ok(read_exactly(body, strlen(body), &spec, problem)
               && !strcmp(apps_text(&spec), good_apps[i].apps),
               "%s: %s", body, problem);
    }
    other = spec;
    other.apps[1].weight = 2;
    tap_ok(service_spec_version(&spec) != service_spec_version(&other)
           && !service_spec_same_apps(&spec, &other)
           && service_spec_same_apps(&spec, &spec),
           "another weight makes another service");
    for (size_t i = 0; i < sizeof bad_apps / sizeof *bad_apps; i++) {
        const char *body = bad_apps[i].body;

        tap_ok(!read_exactly(body, strlen(body), &spec, problem)
               && strstr(problem, bad_apps[i].problem), "%zu: %s", i,
               problem);
    }
}

static void
test_on_failure(void)
{
    for (size_t i = 0; i < sizeof on_failures / sizeof *on_failures; i++) {
        const char *body = on_failures[i].body;
        char problem[JSON_PROBLEM_MAX];
        struct service_spec spec;

        tap_ok(read_exactly(body, strlen(body), &spec, problem)
               && spec.on_failure == on_failures[i].on_failure,
               "%s: %s", body, problem);
    }
}

static void
test_good(void)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char problem[JSON_PROBLEM_MAX];
        struct service_spec spec;
        struct in6_addr ip;
        const char *why;
        bool ok = read_exactly(good[i].body, strlen(good[i].body), &spec,
                               problem);

        inet_pton(AF_INET6, good[i].service_ip, &ip);
        ok = ok && service_spec_is_valid(&spec, &why)
             && !strcmp(spec.name, good[i].name)
             && IN6_ARE_ADDR_EQUAL(&spec.service_ip, &ip)
             && spec.n_chain == good[i].n_chain;
        if (!tap_ok(ok, "good body %zu", i)) {
            tap_diag("%s: %s", good[i].body, problem);
        }
    }
}

static void
test_bad(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char problem[JSON_PROBLEM_MAX];
        struct service_spec spec;
        bool ok = read_exactly(bad[i].body, strlen(bad[i].body), &spec,
                               problem);

        if (!tap_ok(!ok && strstr(problem, bad[i].problem),
                    "bad body %zu: %s", i, bad[i].problem)) {
            tap_diag("%s", problem);
        }
    }
}

/* Every beginning of a good body is bad, and so is a NUL byte anywhere. */
static void
test_cut(void)
{
    static const char body[] = CHAIN("[\"fw\",\"\\u0064pi\"]");
    size_t len = sizeof body - 1;
    size_t n_cut = 0, n_nul = 0;

    for (size_t i = 0; i < len; i++) {
        char problem[JSON_PROBLEM_MAX];
        char nul[sizeof body];
        struct service_spec spec;

        n_cut += !read_exactly(body, i, &spec, problem);
        memcpy(nul, body, sizeof body);
        nul[i] = '\0';
        n_nul += !read_exactly(nul, len, &spec, problem);
    }
    tap_ok(n_cut == len, "every beginning of a body is refused");
    tap_ok(n_nul == len, "a NUL byte is refused anywhere");
}

static void
test_deep(void)
{
    enum { LEN = 65536 };
    char *body = malloc(LEN);
    char problem[JSON_PROBLEM_MAX];
    struct service_spec spec;

    memset(body, '[', LEN);
    tap_ok(!json_to_service(body, LEN, &spec, problem), "64 KiB of '['");
    memset(body, ' ', LEN);
    tap_ok(!json_to_service(body, LEN, &spec, problem), "64 KiB of ' '");
    memset(body, 'a', LEN);
    memcpy(body, "{\"", 2);
    tap_ok(!json_to_service(body, LEN, &spec, problem), "a key of 64 KiB");
    free(body);
}

int
main(void)
{
    test_good();
    test_apps();
    test_on_failure();
    test_checks();
    test_bad();
    test_cut();
    test_deep();
    return tap_done();
}
