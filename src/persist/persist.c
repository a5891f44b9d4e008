/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The session table's memory: see persist.h. */

#include <config.h>

#include "persist/persist.h"

#include <errno.h>

#include "base/status.h"
#include "filter/l2.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "persist/journal.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(persist);

#define COMPACT_MIN 10000               /* Records that are always let be. */
#define COMPACT_RETRY_MS 60000
#define COPY_BUDGET 2000                /* Bearers a round of the loop. */

static struct journal *journal;
static bool replaying;
static long long int compact_at;        /* Not before this. */
static bool compacting;                 /* A smaller journal is being made. */
static bool copying;                    /* Bearers are copied to it. */
static uint32_t copied;                 /* The last bearer that was. */
static bool incomplete;                 /* Records were dropped. */

bool
persist_is_replaying(void)
{
    return replaying;
}

void
persist_bearer(const struct bearer *b, enum statelet_op op)
{
    struct statelet st;

    session_to_statelet(b, &st);
    st.op = op;
    journal_append(journal, &st);
}

void
persist_path(enum filter_side side, const struct in6_addr *src,
             const struct in6_addr *dst, const struct l2_header *l2)
{
    const struct statelet st = statelet_of_path(side == SIDE_SGW, src, dst,
                                                l2);

    journal_append(journal, &st);
}

static void
replay(const struct statelet *st, void *aux OVS_UNUSED)
{
    if (st->op == STATELET_PATH) {
        l2_restored(st->path.from_sgw ? SIDE_SGW : SIDE_ENB, &st->path.src,
                    &st->path.dst, &st->path.l2);
    } else {
        session_restore(st, time_msec());
    }
}

static void
report(int error)
{
    incomplete = error == ENOBUFS;
    status_set(STATUS_JOURNAL, !error, "%s%s",
               error ? "what changes is not kept over a restart: " : "open",
               error ? ovs_strerror(error) : "");
}

int
persist_open(const char *dir, char **what)
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
    report(journal_run(journal));
    return 0;
}

static void
copy_path(enum filter_side side, const struct in6_addr *src,
          const struct in6_addr *dst, const struct l2_header *l2,
          void *aux OVS_UNUSED)
{
    const struct statelet st = statelet_of_path(side == SIDE_SGW, src, dst,
                                                l2);

    journal_compact_add(journal, &st);
}

static void
copy_some(void)
{
    for (int i = 0; i < COPY_BUDGET; i++) {
        const struct bearer *b = session_next_bearer(copied);
        struct statelet st;

        if (!b) {
            l2_dump(true, copy_path, NULL);
            journal_compact_end(journal);
            copying = false;
            return;
        }
        copied = b->id;
        session_to_statelet(b, &st);
        journal_compact_add(journal, &st);
    }
    poll_immediate_wake();
}

static bool
is_large(void)
{
    size_t alive = l2_count();

    for (int i = 0; i <= BEARER_STALE; i++) {
        alive += session_bearer_count(i);
    }
    return journal_count(journal) > COMPACT_MIN + 4 * alive;
}

static void
compact(void)
{
    int error = journal_compaction(journal);

    if (error == EINPROGRESS) {
        if (copying) {
            copy_some();
        }
        return;
    }
    if (!compacting && time_msec() >= compact_at
        && (incomplete || is_large())) {
        compact_at = time_msec() + COMPACT_RETRY_MS;
        error = journal_compact_begin(journal);
        compacting = copying = true;
        copied = 0;
        if (!error) {
            return;
        }
    }
    if (compacting) {
        compacting = false;
        if (error) {
            VLOG_WARN("journal: cannot be made smaller: %s",
                      ovs_strerror(error));
        }
    }
}

void
persist_run(void)
{
    compact();
    report(journal_run(journal));
}

void
persist_wait(void)
{
    journal_wait(journal);
}

void
persist_close(void)
{
    journal_close(journal);
}
