/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The session table's memory: see remember.h. */

#include <config.h>

#include "remember.h"

#include "openvswitch/vlog.h"
#include "session.h"
#include "status.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(remember);

#define COMPACT_MIN 10000               /* Records that are always let be. */
#define COMPACT_RETRY_MS 60000

static struct journal *journal;
static bool replaying;
static long long int compact_at;        /* Not before this. */

bool
remember_is_replaying(void)
{
    return replaying;
}

void
remember_bearer(const struct bearer *b, enum statelet_op op)
{
    struct statelet st;

    session_to_statelet(b, &st);
    st.op = op;
    journal_append(journal, &st);
}

static void
replay(const struct statelet *st, void *aux OVS_UNUSED)
{
    session_restore(st, time_msec());
}

int
remember_open(const char *dir, char **what)
{
    unsigned int n_bad = 0;
    int error;

    replaying = true;
    error = journal_open(dir, replay, NULL, &journal, &n_bad);
    replaying = false;
    if (error) {
        *what = xasprintf("journal in %s", dir);
        return error;
    }
    if (n_bad) {
        VLOG_WARN("journal: %u damaged records were cut off", n_bad);
    }
    VLOG_INFO("journal: %"PRIuSIZE" sessions restored", session_count());
    status_set(STATUS_JOURNAL, true, "open");
    return 0;
}

static void
compact(void)
{
    size_t alive = 0;

    for (int i = 0; i <= BEARER_STALE; i++) {
        alive += session_bearer_count(i);
    }
    if (journal_count(journal) > COMPACT_MIN + 4 * alive
        && time_msec() >= compact_at) {
        compact_at = time_msec() + COMPACT_RETRY_MS;
        journal_compact_begin(journal);
        for (struct bearer *b = session_next_bearer(0); b;
             b = session_next_bearer(b->id)) {
            remember_bearer(b, STATELET_BEARER);
        }
        journal_compact_end(journal);
    }
}

void
remember_run(void)
{
    int error;

    compact();
    error = journal_run(journal);
    status_set(STATUS_JOURNAL, !error, "%s",
               error ? ovs_strerror(error) : "open");
}

void
remember_wait(void)
{
    journal_wait(journal);
}

void
remember_close(void)
{
    journal_close(journal);
}
