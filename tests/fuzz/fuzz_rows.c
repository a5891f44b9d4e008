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

/* The one row that there is. */
static struct tofrec_service row;

const struct tofrec_service *__wrap_tofrec_service_first(
    const struct ovsdb_idl *);
const struct tofrec_service *
__wrap_tofrec_service_first(const struct ovsdb_idl *idl OVS_UNUSED)
{
    return &row;
}

const struct tofrec_service *__wrap_tofrec_service_next(
    const struct tofrec_service *);
const struct tofrec_service *
__wrap_tofrec_service_next(const struct tofrec_service *service OVS_UNUSED)
{
    return NULL;
}

static void
check_service(const struct service_spec *spec, void *aux OVS_UNUSED)
{
    const char *why;

    if (!service_spec_is_valid(spec, &why)) {
        abort();
    }
    free(registry_conflict(spec, "another"));
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
    registry_for_each(check_service, NULL);
    free(row.name);
    free(row.service_ip);
    free(row.application_ip);
    free(row.chain);
    smap_destroy(&row.options);
    return 0;
}
