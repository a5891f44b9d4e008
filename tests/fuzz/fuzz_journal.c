/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer target: a start of tofd with that file as its journal.  What is
 * alive then is so again after it has been written down and replayed. */

#include <config.h>

#include "persist/persist.h"

#include "filter/l2.h"
#include "fuzz.h"
#include "records.h"
#include "session/session.h"
#include "tests/no_aio.h"
#include "tests/nothing.h"
#include "util.h"

static void
start(void)
{
    char *what;

    session_init(32, 10000, NULL);
    l2_init(nothing_changed);
    if (persist_open(fuzz_dir, &what)) {
        abort();
    }
}

static void
end(void)
{
    persist_close();
    l2_destroy();
    session_destroy();
}

/* Bearers that are alive; with 'keep', all go into the journal once more. */
static size_t
alive(bool keep)
{
    const struct bearer *b = NULL;
    size_t n = 0;

    while ((b = session_next_bearer(b ? b->id : 0)) != NULL) {
        if (keep) {
            persist_bearer(b, STATELET_BEARER);
        }
        n++;
    }
    return n;
}

static void
write_journal(const uint8_t *data, size_t size)
{
    uint8_t record[STATELET_LEN];
    int fd = open(fuzz_file, O_CREAT | O_TRUNC | O_WRONLY, 0600);

    while (next_record(&data, &size, record)) {
        fuzz_write(fd, record, sizeof record);
    }
    fuzz_write(fd, data, size);         /* A torn one. */
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_be_quiet();
    fuzz_make_dir("sessions.journal");
    write_journal(data, size);
    start();
    size_t before = alive(true);
    end();
    start();
    if (alive(false) != before) {
        abort();
    }
    end();
    return 0;
}
