/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer target: rows of the services' database, which others may have
 * written.  What is made a service of is a valid one. */

#include <config.h>

#include "service/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/service_spec.h"
#include "fuzz.h"
#include "service/tof-idl.h"
#include "smap.h"
#include "util.h"

/* The one row that there is, which has always changed. */
static struct tofrec_service row;

#define WRAP_FIRST(NAME)                                                \
    const struct tofrec_service *__wrap_##NAME(const struct ovsdb_idl *); \
    const struct tofrec_service *                                       \
    __wrap_##NAME(const struct ovsdb_idl *idl OVS_UNUSED)               \
    {                                                                   \
        return &row;                                                    \
    }
WRAP_FIRST(tofrec_service_first)
WRAP_FIRST(tofrec_service_track_get_first)

#define WRAP_NEXT(NAME)                                                 \
    const struct tofrec_service *__wrap_##NAME(                         \
        const struct tofrec_service *);                                 \
    const struct tofrec_service *                                       \
    __wrap_##NAME(const struct tofrec_service *service OVS_UNUSED)      \
    {                                                                   \
        return NULL;                                                    \
    }
WRAP_NEXT(tofrec_service_next)
WRAP_NEXT(tofrec_service_track_get_next)

void __wrap_ovsdb_idl_track_clear(struct ovsdb_idl *);
void
__wrap_ovsdb_idl_track_clear(struct ovsdb_idl *idl OVS_UNUSED)
{
}

static struct in6_addr there;   /* The service IP that was shown last. */

static void
check_gone(const struct in6_addr *service_ip)
{
    if (!IN6_ARE_ADDR_EQUAL(service_ip, &there)) {
        abort();
    }
}

static void
check_service(const struct service_spec *spec)
{
    const char *why;

    if (!service_spec_is_valid(spec, &why)) {
        abort();
    }
    there = spec->service_ip;
}

/* Up to the next line's end. */
static char *
next_text(const char **data, size_t *size)
{
    const char *end = *size ? memchr(*data, '\n', *size) : NULL;
    size_t n = end ? (size_t) (end - *data) : *size;
    char *text = xmemdup0(*data, n);

    n = end ? n + 1 : n;
    *data += n;
    *size -= n;
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data_, size_t size)
{
    const char *data = (const char *) data_;

    fuzz_be_quiet();
    row.name = next_text(&data, &size);
    row.service_ip = next_text(&data, &size);
    row.application_ip = next_text(&data, &size);
    row.chain = next_text(&data, &size);
    smap_init(&row.options);
    while (size) {
        char *key = next_text(&data, &size);
        char *value = next_text(&data, &size);

        smap_replace(&row.options, key, value);
        free(key);
        free(value);
    }
    registry_follow(check_gone, check_service);
    free(row.name);
    free(row.service_ip);
    free(row.application_ip);
    free(row.chain);
    smap_destroy(&row.options);
    return 0;
}
