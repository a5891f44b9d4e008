/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What makes a service a good one: see service_spec.h. */

#include "base/service_spec.h"

#include <string.h>

#include "base/addr.h"

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
                   "abcdefghijklmnopqrstuvwxyz" \
                   "0123456789-_."

/* True for what was meant as an IPv4 address, a good one or not ("10.1.0.1",
 * "010.1.0.300"): a name like that would be taken for a service IP.  An IPv6
 * address has a colon, which no name may have. */
static bool
looks_like_address(const char *name)
{
    int dots = 0;

    if (name[strspn(name, "0123456789.")]) {
        return false;
    }
    for (; *name; name++) {
        dots += *name == '.';
    }
    return dots == 3;
}

bool
service_name_is_valid(const char *name, const char **why)
{
    size_t len = strlen(name);

    if (!len) {
        *why = "is empty";
    } else if (len > SERVICE_NAME_MAX) {
        *why = "is longer than 63 characters";
    } else if (strspn(name, NAME_CHARS) != len) {
        *why = "has a character other than letters, digits, '-', '_' and '.'";
    } else if (!strcmp(name, ".") || !strcmp(name, "..")) {
        *why = "cannot be named in a URL";
    } else if (looks_like_address(name)) {
        *why = "must not be an IP address";
    } else {
        return true;
    }
    return false;
}

bool
service_ip_is_valid(const struct in6_addr *ip, const char **why)
{
    const char *problem = addr_problem(ip);

    if (problem) {
        *why = problem;
    }
    return !problem;
}

static bool
chain_is_valid(const struct service_spec *spec, const char **why)
{
    if (spec->n_chain > SERVICE_CHAIN_MAX) {
        *why = "chain: has more than 8 functions";
        return false;
    }
    for (size_t i = 0; i < spec->n_chain; i++) {
        const char *name_why;

        if (!service_name_is_valid(spec->chain[i], &name_why)) {
            *why = "chain: has a name that no function can have";
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (!strcmp(spec->chain[i], spec->chain[j])) {
                *why = "chain: has a function twice";
                return false;
            }
        }
    }
    return true;
}

void
service_check_init(struct service_check *c)
{
    *c = (struct service_check) {
        .kind = SERVICE_CHECK_NONE, .expect = 200, .interval_ms = 500,
        .fall = 2, .rise = 2,
    };
}

bool
service_check_equal(const struct service_check *a,
                    const struct service_check *b)
{
    return (a->kind == b->kind
            && (a->kind == SERVICE_CHECK_NONE
                || (a->port == b->port && !strcmp(a->path, b->path)
                    && a->expect == b->expect
                    && a->interval_ms == b->interval_ms
                    && a->fall == b->fall && a->rise == b->rise)));
}

/* What goes into a request line as it is (RFC 9112, section 3.2.1). */
static bool
is_path(const char *path)
{
    bool ok = path[0] == '/';

    for (; ok && *path; path++) {
        ok = *path > ' ' && *path <= '~';
    }
    return ok;
}

static bool
check_is_valid(const struct service_check *c, const char **why)
{
    if (c->kind == SERVICE_CHECK_NONE) {
        return true;
    } else if (c->kind != SERVICE_CHECK_ICMP && !c->port) {
        *why = "health: has no port from 1 to 65535";
    } else if (c->kind == SERVICE_CHECK_HTTP && !is_path(c->path)) {
        *why = "health: http must be a path, of printable ASCII";
    } else if (c->expect < 100 || c->expect > 599) {
        *why = "health: expect must be from 100 to 599";
    } else if (c->interval_ms < 100 || c->interval_ms > 60000) {
        *why = "health: interval must be from 0.1 to 60";
    } else if (!c->fall || c->fall > 10 || !c->rise || c->rise > 10) {
        *why = "health: fall and rise must be from 1 to 10";
    } else {
        return true;
    }
    return false;
}

static bool
app_is_valid(const struct service_spec *spec, size_t i, const char **why)
{
    const struct service_app *app = &spec->apps[i];

    if (!service_ip_is_valid(&app->ip, why)) {
        return false;
    }
    if (addr_family(&spec->service_ip) != addr_family(&app->ip)) {
        *why = "serviceIP and applicationIP are of different families";
        return false;
    }
    if (IN6_ARE_ADDR_EQUAL(&spec->service_ip, &app->ip)) {
        *why = "serviceIP and applicationIP are the same address";
        return false;
    }
    for (size_t j = 0; j < i; j++) {
        if (IN6_ARE_ADDR_EQUAL(&spec->apps[j].ip, &app->ip)) {
            *why = "applications: has an address twice";
            return false;
        }
    }
    return true;
}

static bool
apps_are_valid(const struct service_spec *spec, const char **why)
{
    unsigned int sum = 0;

    if (!spec->n_apps) {
        *why = "applications: is empty";
        return false;
    } else if (spec->n_apps > SERVICE_APPS_MAX) {
        *why = "applications: has more than 16 of them";
        return false;
    }
    for (size_t i = 0; i < spec->n_apps; i++) {
        if (!app_is_valid(spec, i, why)) {
            return false;
        } else if (spec->apps[i].weight > SERVICE_WEIGHT_MAX) {
            *why = "applications: weight must be from 0 to 100";
            return false;
        }
        sum += spec->apps[i].weight;
    }
    if (!sum) {
        *why = "applications: none has a weight";
    }
    return sum;
}

bool
service_spec_is_valid(const struct service_spec *spec, const char **why)
{
    if (!service_name_is_valid(spec->name, why)
        || !service_ip_is_valid(&spec->service_ip, why)) {
        return false;
    }
    return (apps_are_valid(spec, why) && chain_is_valid(spec, why)
            && check_is_valid(&spec->health, why));
}

void
service_spec_set_app(struct service_spec *spec, const struct in6_addr *ip)
{
    spec->apps[0] = (struct service_app) { .ip = *ip, .weight = 1 };
    spec->n_apps = 1;
}

bool
service_spec_same_apps(const struct service_spec *a,
                       const struct service_spec *b)
{
    if (a->n_apps != b->n_apps) {
        return false;
    }
    for (size_t i = 0; i < a->n_apps; i++) {
        if (!IN6_ARE_ADDR_EQUAL(&a->apps[i].ip, &b->apps[i].ip)
            || a->apps[i].weight != b->apps[i].weight) {
            return false;
        }
    }
    return true;
}

bool
service_spec_same_chain(const struct service_spec *a,
                        const struct service_spec *b)
{
    if (a->n_chain != b->n_chain) {
        return false;
    }
    for (size_t i = 0; i < a->n_chain; i++) {
        if (strcmp(a->chain[i], b->chain[i])) {
            return false;
        }
    }
    return true;
}

/* FNV-1a, of 64 bits. */
static uint64_t
hash_more(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *byte = data;

    while (len--) {
        hash = (hash ^ *byte++) * 0x100000001b3;
    }
    return hash;
}

/* Checks that are equal have the same. */
static uint64_t
hash_check(uint64_t hash, const struct service_check *c)
{
    const uint32_t numbers[] = {
        c->kind, c->port, c->expect, c->interval_ms, c->fall, c->rise,
    };

    if (c->kind == SERVICE_CHECK_NONE) {
        return hash;
    }
    hash = hash_more(hash, numbers, sizeof numbers);
    return hash_more(hash, c->path, strlen(c->path));
}

static uint64_t
hash_apps(uint64_t hash, const struct service_spec *spec)
{
    for (size_t i = 0; i < spec->n_apps; i++) {
        hash = hash_more(hash, &spec->apps[i].ip, sizeof spec->apps[i].ip);
        if (spec->n_apps > 1) {
            hash = hash_more(hash, &spec->apps[i].weight, 1);
        }
    }
    return hash;
}

uint64_t
service_spec_version(const struct service_spec *spec)
{
    uint64_t hash = 0xcbf29ce484222325;

    hash = hash_more(hash, spec->name, strlen(spec->name) + 1);
    hash = hash_more(hash, &spec->service_ip, sizeof spec->service_ip);
    hash = hash_apps(hash, spec);
    for (size_t i = 0; i < spec->n_chain; i++) {
        hash = hash_more(hash, spec->chain[i], strlen(spec->chain[i]) + 1);
    }
    hash = hash_more(hash, &spec->on_failure, sizeof spec->on_failure);
    hash = hash_check(hash, &spec->health);
    return hash > SERVICE_NO_VERSION ? hash : hash + 2;
}

const char *
service_on_failure_name(enum service_on_failure on_failure)
{
    return on_failure == SERVICE_KEEP ? "keep" : "bypass";
}

bool
service_on_failure_from_name(const char *name,
                             enum service_on_failure *on_failure)
{
    *on_failure = strcmp(name, "keep") ? SERVICE_BYPASS : SERVICE_KEEP;
    return !strcmp(name, service_on_failure_name(*on_failure));
}
