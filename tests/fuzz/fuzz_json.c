/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Fuzz target: bodies of the REST API (api/json.c), seeds in seeds/json/.
 *
 *     clang -fsanitize=fuzzer,address,undefined -I. -Isrc \
 *         tests/fuzz/fuzz_json.c api/json.c src/base/service_spec.c
 *
 * What is read must be a valid service; what is refused must come with a
 * sentence in ASCII. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/json.h"
#include "base/service_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char problem[JSON_PROBLEM_MAX] = "";
    struct service_spec spec;
    const char *why;

    if (json_to_service((const char *) data, size, &spec, problem)) {
        if (!service_spec_is_valid(&spec, &why)) {
            abort();
        }
    } else if (!problem[0]) {
        abort();
    }
    for (const char *p = problem; *p; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            abort();
        }
    }
    return 0;
}
