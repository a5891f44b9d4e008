/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer target: a start of tofd with that file as usage.state.  What it
 * makes of it is the same once it has written it itself. */

#include <config.h>

#include "usage/usage.h"

#include <string.h>

#include "conf/conf.h"
#include "fuzz.h"
#include "session/session.h"
#include "tests/no_aio.h"
#include "util.h"

static const char *
name_of(const struct in6_addr *addr OVS_UNUSED)
{
    return NULL;
}

/* Gives the file as the next one finds it (malloc'd). */
static char *
start_and_end(void)
{
    static struct conf conf = { .state_dir = fuzz_dir,
                                .usage.interval_seconds = 300 };
    char *text = xzalloc(1 << 20);
    int fd;

    session_init(32, 10000, NULL);
    usage_init(&conf, name_of);
    usage_destroy();
    session_destroy();
    fd = open(fuzz_file, O_RDONLY);
    if (fd < 0 || read(fd, text, (1 << 20) - 1) < 0) {
        abort();
    }
    close(fd);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_be_quiet();
    fuzz_make_dir("usage.state");
    int fd = open(fuzz_file, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    fuzz_write(fd, data, size);
    close(fd);
    free(start_and_end());
    char *once = start_and_end(), *again = start_and_end();
    if (strcmp(once, again)) {
        abort();
    }
    free(once);
    free(again);
    return 0;
}
