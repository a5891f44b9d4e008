/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Tests of the journal: torn and corrupt files, compaction, the lock, write
 * errors.  The clock and the poll loop are stand-ins here, so that time
 * passes when a test says so; nothing of Open vSwitch is linked. */

#include "session/statelet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "openvswitch/poll-loop.h"
#include "persist/journal.h"
#include "tap.h"
#include "timeval.h"

static long long int now = 1000000;
static long long int wake_at;

long long int __wrap_time_msec(void);
long long int
__wrap_time_msec(void)
{
    return now;
}

void __wrap_poll_timer_wait_until_at(long long int, const char *);
void
__wrap_poll_timer_wait_until_at(long long int msec, const char *where)
{
    (void) where;
    wake_at = msec;
}

void
poll_immediate_wake_at(const char *where)
{
    (void) where;
    wake_at = now;
}

static int wait_fd;

void
poll_fd_wait_at(int fd, short int events, const char *where)
{
    (void) events;
    (void) where;
    wait_fd = fd;
}

static char dir[] = "test_journal.XXXXXX";
static char file[64];

/* What a replay has found: the bearer ids, in order. */
struct replayed {
    uint32_t ids[64];
    int n;
};

static void
replay_cb(const struct statelet *s, void *aux)
{
    struct replayed *r = aux;

    if (r->n < 64) {
        r->ids[r->n] = s->bearer_id;
    }
    r->n++;
}

static void
append(struct journal *j, uint32_t id)
{
    struct statelet s = { .op = STATELET_BEARER, .bearer_id = id };

    journal_append(j, &s);
}

static void
compact_add(struct journal *j, uint32_t id)
{
    struct statelet s = { .op = STATELET_BEARER, .bearer_id = id };

    journal_compact_add(j, &s);
}

/* Goes on until nothing is under way any more. */
static void
finish(struct journal *j)
{
    for (int i = 0; i < 100; i++) {
        wait_fd = -1;
        wake_at = 0;
        journal_run(j);
        journal_wait(j);
        if (wait_fd >= 0) {
            struct pollfd pfd = { .fd = wait_fd, .events = POLLIN };

            poll(&pfd, 1, 10000);
        } else if (wake_at != now) {
            return;
        }
    }
}

/* Makes a new file with records 1 to 'n'. */
static void
make_file(uint32_t n)
{
    struct replayed r = { .n = 0 };
    struct journal *j;

    unlink(file);
    if (!journal_open(dir, replay_cb, &r, &j, NULL)) {
        for (uint32_t id = 1; id <= n; id++) {
            append(j, id);
        }
        journal_close(j);
    }
}

/* Opens and closes the journal, and checks that it has just the records of
 * 'expected', a text like "1 2 4", and 'n_bad' bad ones. */
static bool
has(const char *expected, unsigned int n_bad)
{
    struct replayed r = { .n = 0 };
    struct journal *j;
    char got[512] = "";
    unsigned int bad = UINT_MAX;

    int error = journal_open(dir, replay_cb, &r, &j, &bad);
    for (int i = 0; i < r.n && i < 64; i++) {
        sprintf(got + strlen(got), "%s%u", i ? " " : "", r.ids[i]);
    }
    journal_close(j);
    if (error || strcmp(got, expected) || bad != n_bad) {
        tap_diag("%s, '%s', %u bad", strerror(error), got, bad);
        return false;
    }
    return true;
}

static off_t
file_size(void)
{
    struct stat st;

    return stat(file, &st) ? -1 : st.st_size;
}

/* Writes 'n' bytes at 'offset'. */
static void
damage(off_t offset, const void *p, size_t n)
{
    int fd = open(file, O_WRONLY);

    if (pwrite(fd, p, n, offset) != (ssize_t) n) {
        tap_diag("pwrite: %s", strerror(errno));
    }
    close(fd);
}

static void
test_new(void)
{
    struct replayed r = { .n = 0 };
    struct journal *j;
    struct stat st;
    unsigned int n_bad = 1;

    int error = journal_open(dir, replay_cb, &r, &j, &n_bad);
    tap_ok(!error && !r.n && !n_bad && !journal_count(j), "new journal");
    tap_ok(!stat(file, &st) && (st.st_mode & 07777) == 0600, "mode 0600");
    append(j, 1);
    append(j, 2);
    tap_ok(file_size() == 0 && journal_count(j) == 2, "append only buffers");
    tap_ok(!journal_run(j) && file_size() == 2 * STATELET_LEN, "run writes");
    append(j, 3);
    journal_close(j);
    tap_ok(has("1 2 3", 0), "close writes, open replays in order");
}

/* What cannot be opened is tried again; what has come before that is dropped,
 * so that the owner compacts. */
static void
open_late(const char *path, const char *what, int expected,
          int (*mend)(const char *))
{
    struct replayed r = { .n = 0 };
    struct journal *j;

    int error = journal_open(path, replay_cb, &r, &j, NULL);
    tap_ok(!error && j && journal_run(j) == expected, "%s: %s", what,
           strerror(expected));
    append(j, 1);
    wake_at = 0;
    journal_wait(j);
    tap_ok(wake_at == now + 1000 && !journal_count(j),
           "%s: tried again in a second, nothing is gathered", what);
    tap_ok(!mend(path) && journal_run(j) == expected,
           "%s: not before its time", what);
    now += 1000;
    tap_ok(journal_run(j) == ENOBUFS, "%s: mended, records are missing", what);
    append(j, 2);
    journal_compact_begin(j);
    compact_add(j, 7);
    journal_compact_end(j);
    finish(j);
    tap_ok(!journal_run(j), "%s: compacted, all is there", what);
    journal_close(j);
}

static int
make_directory(const char *path)
{
    return mkdir(path, 0700);
}

static int
remove_file(const char *path)
{
    (void) path;
    return rmdir(file);
}

/* Another directory is there now, as if something had been mounted. */
static int
replace_directory(const char *path)
{
    char aside[96];

    snprintf(aside, sizeof aside, "%s.aside", path);
    return rename(path, aside) || mkdir(path, 0700);
}

static void
test_not_to_be_opened(void)
{
    char missing[80], it[128];

    snprintf(missing, sizeof missing, "%s/missing", dir);
    open_late(missing, "no directory", ENOENT, make_directory);
    snprintf(it, sizeof it, "%s/sessions.journal", missing);
    unlink(it);
    mkdir(it, 0700);
    open_late(missing, "another directory", EISDIR, replace_directory);
    unlink(it);
    rmdir(missing);
    snprintf(it, sizeof it, "%s/missing.aside/sessions.journal", dir);
    rmdir(it);
    *strrchr(it, '/') = '\0';
    rmdir(it);

    unlink(file);
    mkdir(file, 0700);
    open_late(dir, "no file", EISDIR, remove_file);
    tap_ok(has("7", 0), "no file: replayed");
}

/* A file that can only be read, but by a user who may do anything. */
static void
test_read_only(void)
{
    struct replayed r = { .n = 0 };
    struct journal *j;

    make_file(2);
    chmod(file, 0400);
    int fd = open(file, O_RDWR);
    if (fd >= 0) {
        close(fd);
    } else if (!journal_open(dir, replay_cb, &r, &j, NULL)) {
        tap_ok(r.n == 2 && journal_run(j) == EACCES,
               "read-only file: replayed all the same");
        journal_close(j);
    }
    chmod(file, 0600);
}

static void
test_damage(void)
{
    static const uint8_t zeros[2 * STATELET_LEN];

    make_file(3);
    tap_ok(!truncate(file, 3 * STATELET_LEN - 1) && has("1 2", 1),
           "torn tail is left out");
    tap_ok(file_size() == 2 * STATELET_LEN && has("1 2", 0),
           "torn tail is cut off");

    make_file(3);
    damage(3 * STATELET_LEN, "x", 1);
    tap_ok(has("1 2 3", 1) && has("1 2 3", 0), "one byte too many");

    make_file(4);
    damage(2 * STATELET_LEN, zeros, sizeof zeros);
    tap_ok(has("1 2", 2), "zeros at the end are left out");
    tap_ok(file_size() == 2 * STATELET_LEN, "zeros at the end are cut off");

    make_file(4);
    damage(STATELET_LEN + 50, "x", 1);
    tap_ok(has("1 3 4", 1), "corrupt record does not hide those after it");
    tap_ok(file_size() == 4 * STATELET_LEN, "nor is anything cut off");

    make_file(0);
    damage(0, "not a journal", 13);
    tap_ok(has("", 1) && file_size() == 0, "not a journal");
}

static void
test_append_after_damage(void)
{
    struct replayed r = { .n = 0 };
    struct journal *j;

    make_file(3);
    if (truncate(file, 3 * STATELET_LEN - 5)
        || journal_open(dir, replay_cb, &r, &j, NULL)) {
        tap_ok(false, "append after a torn tail");
        return;
    }
    append(j, 7);
    journal_close(j);
    tap_ok(has("1 2 7", 0), "append after a torn tail");
}

/* More than one read and one write of the implementation. */
static void
test_many(void)
{
    enum { N = 20000 };
    struct replayed r = { .n = 0 };
    struct journal *j;
    int runs = 0;

    make_file(0);
    int error = journal_open(dir, replay_cb, &r, &j, NULL);
    for (int i = 0; i < N; i++) {
        append(j, i);
    }
    while (!error && file_size() < (off_t) N * STATELET_LEN && runs < 100) {
        error = journal_run(j);
        runs++;
        journal_wait(j);
    }
    tap_ok(!error && runs > 1 && runs < 100, "many records: several writes");
    journal_close(j);
    error = journal_open(dir, replay_cb, &r, &j, NULL);
    tap_ok(!error && r.n == N && journal_count(j) == N,
           "many records: replayed");
    journal_close(j);
}

static void
test_wait(void)
{
    struct replayed r = { .n = 0 };
    struct journal *j;

    make_file(0);
    if (journal_open(dir, replay_cb, &r, &j, NULL)) {
        tap_ok(false, "wait");
        return;
    }
    wake_at = 0;
    journal_wait(j);
    tap_ok(wake_at == 0, "idle: no wakeup");
    append(j, 1);
    journal_wait(j);
    tap_ok(wake_at == now, "buffered: wakeup at once");
    long long int start = now;
    journal_run(j);
    now += 400;
    append(j, 2);
    journal_run(j);
    journal_wait(j);
    tap_ok(wake_at == start + 1000, "written: wakeup to sync after a second");
    now = wake_at;
    wait_fd = -1;
    journal_run(j);
    append(j, 3);
    tap_ok(!journal_run(j) && file_size() == 3 * STATELET_LEN,
           "being synced: written to all the same");
    wake_at = 0;
    journal_wait(j);
    tap_ok(wait_fd >= 0 || wake_at == now + 1000,
           "being synced: wakeup at its end");
    finish(j);
    now += 1000;
    finish(j);
    tap_ok(wake_at == 0, "synced: no wakeup");
    journal_close(j);
}

static void
test_compaction(void)
{
    struct replayed r = { .n = 0 };
    struct journal *j;

    make_file(5);
    if (journal_open(dir, replay_cb, &r, &j, NULL)) {
        tap_ok(false, "compaction");
        return;
    }
    append(j, 6);
    tap_ok(!journal_compact_begin(j)
           && journal_compaction(j) == EINPROGRESS, "compaction begins");
    compact_add(j, 2);
    finish(j);
    append(j, 7);
    finish(j);
    compact_add(j, 5);
    tap_ok(file_size() == 7 * STATELET_LEN
           && journal_compaction(j) == EINPROGRESS,
           "compaction: the old file goes on");
    journal_compact_end(j);
    append(j, 8);
    finish(j);
    tap_ok(!journal_compaction(j) && journal_count(j) == 4
           && file_size() == 4 * STATELET_LEN, "compaction: new file");
    append(j, 9);
    journal_run(j);
    tap_ok(file_size() == 5 * STATELET_LEN, "compaction: then appended to");
    journal_close(j);
    tap_ok(has("2 7 5 8 9", 0), "compaction: replayed");
}

static void
test_compaction_cut_short(void)
{
    struct replayed r = { .n = 0 };
    struct journal *j;

    make_file(2);
    if (journal_open(dir, replay_cb, &r, &j, NULL)) {
        tap_ok(false, "compaction cut short");
        return;
    }
    journal_compact_begin(j);
    compact_add(j, 1);
    append(j, 3);
    journal_compact_end(j);
    journal_close(j);
    tap_ok(has("1 2 3", 0), "compaction cut short: the old file is whole");

    journal_open(dir, replay_cb, &r, &j, NULL);
    journal_compact_begin(j);
    compact_add(j, 1);
    journal_compact_end(j);
    for (int i = 0; i < 3; i++) {
        journal_run(j);
    }
    append(j, 9);
    journal_close(j);
    tap_ok(has("1 9", 0), "closed while it is synced: the new file is whole");
    make_file(2);

    /* Its file turns into something that nothing can be renamed to. */
    journal_open(dir, replay_cb, &r, &j, NULL);
    journal_compact_begin(j);
    compact_add(j, 1);
    unlink(file);
    mkdir(file, 0700);
    journal_compact_end(j);
    finish(j);
    tap_ok(journal_compaction(j) == EISDIR, "compaction fails late");
    tap_ok(!journal_compact_begin(j), "and can be tried again");
    journal_close(j);
    rmdir(file);
}

static void
test_compaction_failure(void)
{
    struct replayed r = { .n = 0 };
    struct journal *j;
    char temporary[80];

    make_file(2);
    if (journal_open(dir, replay_cb, &r, &j, NULL)) {
        tap_ok(false, "compaction failure");
        return;
    }
    snprintf(temporary, sizeof temporary, "%s.tmp", file);
    mkdir(temporary, 0700);
    append(j, 3);
    tap_ok(journal_compact_begin(j) == EISDIR, "compaction fails");
    rmdir(temporary);
    journal_close(j);
    tap_ok(has("1 2 3", 0), "and the old file stays in use");

    make_file(2);
    int fd = open(temporary, O_WRONLY | O_CREAT, 0600);
    close(fd);
    tap_ok(has("1 2", 0) && access(temporary, F_OK),
           "left over temporary file is removed");
}

static void
test_lock(void)
{
    struct replayed r = { .n = 0 };
    struct journal *j, *second;

    make_file(1);
    int error = journal_open(dir, replay_cb, &r, &j, NULL);
    tap_ok(!error && journal_open(dir, replay_cb, &r, &second, NULL) == EBUSY
           && !second && r.n == 1, "second opener: EBUSY, nothing replayed");

    journal_compact_begin(j);
    compact_add(j, 1);
    journal_compact_end(j);
    finish(j);
    error = journal_compaction(j);
    tap_ok(!error && journal_open(dir, replay_cb, &r, &second, NULL) == EBUSY,
           "still so after compaction");

    journal_close(j);
    tap_ok(has("1", 0), "free after close");
}

/* A process that holds the journal is killed: no lock stays, and what it had
 * written is there. */
static void
test_kill(void)
{
    struct replayed r = { .n = 0 };
    struct journal *j;
    int fds[2];
    char c;

    make_file(0);
    if (pipe(fds)) {
        tap_ok(false, "pipe");
        return;
    }
    pid_t pid = fork();
    if (!pid) {
        if (!journal_open(dir, replay_cb, &r, &j, NULL)) {
            append(j, 9);
            journal_run(j);
        }
        if (write(fds[1], "", 1) == 1) {
            pause();
        }
        _exit(1);
    }
    bool ok = read(fds[0], &c, 1) == 1;
    ok = ok && journal_open(dir, replay_cb, &r, &j, NULL) == EBUSY;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    tap_ok(ok && has("9", 0), "killed: no lock stays, no record is lost");
    close(fds[0]);
    close(fds[1]);
}

/* A file size limit plays the full disk; it falls within record 3.  Standard
 * output may be a file too, so nothing is reported under the limit. */
static void
test_full(void)
{
    struct rlimit limit = { .rlim_cur = 2 * STATELET_LEN + 10,
                            .rlim_max = RLIM_INFINITY };
    struct replayed r = { .n = 0 };
    struct rlimit old;
    struct journal *j;

    make_file(0);
    if (journal_open(dir, replay_cb, &r, &j, NULL)) {
        tap_ok(false, "full disk");
        return;
    }
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    limit.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    for (uint32_t id = 1; id <= 4; id++) {
        append(j, id);
    }
    journal_run(j);
    int error = journal_run(j);
    bool kept = journal_run(j) == error;
    journal_wait(j);
    setrlimit(RLIMIT_FSIZE, &old);
    tap_ok(error && wake_at == now + 1000, "full disk: retry in a second");
    tap_ok(kept, "full disk: error is kept");
    tap_ok(journal_run(j) == error, "full disk: no retry before its time");
    now += 1000;
    tap_ok(!journal_run(j) && file_size() == 4 * STATELET_LEN,
           "room again: all is written");
    journal_close(j);
    tap_ok(has("1 2 3 4", 0), "room again: nothing is lost");
}

static void
test_overflow(void)
{
    struct replayed r = { .n = 0 };
    struct journal *j;

    make_file(0);
    if (journal_open(dir, replay_cb, &r, &j, NULL)) {
        tap_ok(false, "overflow");
        return;
    }
    for (uint32_t id = 0; id < 200000; id++) {
        append(j, id);
    }
    tap_ok(journal_count(j) < 200000, "the buffer is bounded");
    tap_ok(journal_run(j) == ENOBUFS, "records were dropped: ENOBUFS");
    journal_compact_begin(j);
    compact_add(j, 1);
    journal_compact_end(j);
    finish(j);
    tap_ok(!journal_compaction(j) && !journal_run(j),
           "and no more after compaction");
    journal_close(j);
    tap_ok(has("1", 0), "what is alive is there");
}

int
main(void)
{
    if (!mkdtemp(dir)) {
        perror(dir);
        return 1;
    }
    snprintf(file, sizeof file, "%s/sessions.journal", dir);
    test_new();
    test_not_to_be_opened();
    test_read_only();
    test_damage();
    test_append_after_damage();
    test_many();
    test_wait();
    test_compaction();
    test_compaction_failure();
    test_compaction_cut_short();
    test_lock();
    test_kill();
    test_full();
    test_overflow();
    unlink(file);
    rmdir(dir);
    return tap_done();
}
