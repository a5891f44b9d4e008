/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer target: the configuration.  Whatever the text, there is either a
 * configuration or an error. */

#include "conf/conf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *null;
    char *error;
    struct conf *conf = conf_parse((const char *) data, size, "f", &error);

    if (!conf == !error) {
        abort();
    }
    if (conf) {
        null = null ? null : fopen("/dev/null", "w");
        conf_print(conf, null);
    }
    conf_free(conf);
    free(error);
    return 0;
}
