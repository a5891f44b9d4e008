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

bool
service_spec_is_valid(const struct service_spec *spec, const char **why)
{
    if (!service_name_is_valid(spec->name, why)
        || !service_ip_is_valid(&spec->service_ip, why)
        || !service_ip_is_valid(&spec->application_ip, why)) {
        return false;
    }
    if (addr_family(&spec->service_ip)
        != addr_family(&spec->application_ip)) {
        *why = "serviceIP and applicationIP are of different families";
        return false;
    }
    if (IN6_ARE_ADDR_EQUAL(&spec->service_ip, &spec->application_ip)) {
        *why = "serviceIP and applicationIP are the same address";
        return false;
    }
    return chain_is_valid(spec, why);
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

uint64_t
service_spec_version(const struct service_spec *spec)
{
    uint64_t hash = 0xcbf29ce484222325;

    hash = hash_more(hash, spec->name, strlen(spec->name) + 1);
    hash = hash_more(hash, &spec->service_ip, sizeof spec->service_ip);
    hash = hash_more(hash, &spec->application_ip,
                     sizeof spec->application_ip);
    for (size_t i = 0; i < spec->n_chain; i++) {
        hash = hash_more(hash, spec->chain[i], strlen(spec->chain[i]) + 1);
    }
    hash = hash_more(hash, &spec->on_failure, sizeof spec->on_failure);
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
