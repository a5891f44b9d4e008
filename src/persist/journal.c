/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The journal, a file of statelets.
 *
 * Place in the flow: persist.c appends a statelet for each change, and calls
 * journal_run() and journal_wait() once in each round of the loop; at start it
 * replays the file.
 *
 * Records have a fixed size, so one that is bad does not hide those after it,
 * and each write goes to the place where the last whole record ends, so a
 * write that was cut short is simply overwritten.
 *
 * Nothing here waits for the disk: files are synced in the background
 * (fdsync.c), and a compaction is a second file that grows beside the first
 * one, until it has all and is synced and can take its place:
 *
 *   COPYING    the owner puts in what is alive, bit by bit.  Meanwhile changes
 *              go into both files; where one comes before its bearer is put
 *              in, that record says the same or something newer.
 *   WRITING    the owner is done; the rest is being written.
 *   SYNCING    and renamed (fdsync_replace()).  From here on only that decides
 *              which file it is: a write that fails is tried again later.
 *
 * The lock is on the directory: the file itself changes with compaction, and
 * a lock on it would then be on a file that nobody opens any more. */

#include "persist/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fdsync.h"
#include "openvswitch/poll-loop.h"
#include "session/statelet.h"
#include "timeval.h"

#define FILE_NAME "sessions.journal"
#define TEMPORARY_NAME FILE_NAME ".tmp"

#define SYNC_INTERVAL_MS 1000
#define RETRY_INTERVAL_MS 1000

/* Records: in one write, and in the buffer at most (16 MiB). */
#define MAX_WRITE 8192
#define MAX_BUFFERED (16 * MAX_WRITE)

/* A file and what is still to be written to it. */
struct log {
    int fd;
    size_t count;               /* Whole records in the file. */
    uint8_t *buffer;
    size_t n_buffered;          /* Records. */
    size_t n_allocated;
    int error;                  /* Of the last write or sync. */
};

struct journal {
    char *dir;
    int dir_fd;
    struct log log;             /* .fd is -1 while it cannot be opened. */
    bool lost;                  /* Records were dropped. */
    long long int retry_at;     /* If log.error. */
    bool dirty;                 /* Written since the last sync began. */
    long long int sync_at;      /* If 'dirty'. */
    struct fdsync *sync;
    bool sync_new_log;          /* If busy; else it is 'log'. */

    enum { IDLE, COPYING, WRITING, SYNCING } compaction;
    struct log new_log;         /* But if IDLE. */
    int compaction_error;       /* Of the last one. */
};

static void *
check_alloc(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

static void
log_add(struct log *log, const struct statelet *s)
{
    if (log->n_buffered >= log->n_allocated) {
        size_t n = log->n_allocated ? 2 * log->n_allocated : 64;

        log->buffer = check_alloc(realloc(log->buffer, n * STATELET_LEN));
        log->n_allocated = n;
    }
    statelet_encode(s, log->buffer + log->n_buffered++ * STATELET_LEN);
}

/* Does one write of at most MAX_WRITE records.  Returns 0 or a positive errno
 * value, also in log->error; a short write is no error. */
static int
log_write(struct log *log)
{
    size_t n = (log->n_buffered < MAX_WRITE ? log->n_buffered : MAX_WRITE);
    ssize_t written;

    do {
        written = pwrite(log->fd, log->buffer, n * STATELET_LEN,
                         (off_t) log->count * STATELET_LEN);
    } while (written < 0 && errno == EINTR);
    log->error = written < 0 ? errno : 0;
    if (log->error) {
        return log->error;
    }
    size_t done = written / STATELET_LEN;
    log->count += done;
    log->n_buffered -= done;
    memmove(log->buffer, log->buffer + done * STATELET_LEN,
            log->n_buffered * STATELET_LEN);
    return n && !done ? (log->error = ENOSPC) : 0;
}

static void
log_close(struct log *log)
{
    if (log->fd >= 0) {
        close(log->fd);
    }
    free(log->buffer);
    *log = (struct log) { .fd = -1 };
}

/* Reads the records of 'fd', a file of 'size' bytes.  Sets '*count' to the
 * number of records up to the last good one, and '*n_bad'. */
static int
replay_file(int fd, off_t size,
            void (*replay)(const struct statelet *, void *), void *aux,
            size_t *count, unsigned int *n_bad)
{
    size_t n = ((size_t) size + STATELET_LEN - 1) / STATELET_LEN;
    uint8_t *buffer = check_alloc(malloc(MAX_WRITE * STATELET_LEN));
    size_t n_good = 0;
    int error = 0;

    *count = 0;
    for (size_t i = 0; i < n;) {
        ssize_t got = pread(fd, buffer, MAX_WRITE * STATELET_LEN,
                            (off_t) i * STATELET_LEN);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < STATELET_LEN) {
            error = got < 0 ? errno : 0;
            break;
        }
        for (uint8_t *p = buffer; p + STATELET_LEN <= buffer + got;
             p += STATELET_LEN) {
            struct statelet s;

            i++;
            if (statelet_decode(p, &s)) {
                replay(&s, aux);
                n_good++;
                *count = i;
            }
        }
    }
    free(buffer);
    *n_bad = n - n_good;
    return error;
}

/* Returns 0 or a positive errno value: EBUSY if another process has it. */
static int
open_dir(struct journal *j)
{
    j->dir_fd = open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->dir_fd < 0) {
        return errno;
    }
    if (flock(j->dir_fd, LOCK_EX | LOCK_NB)) {
        int error = errno == EWOULDBLOCK ? EBUSY : errno;

        close(j->dir_fd);
        j->dir_fd = -1;
        return error;
    }
    return 0;
}

/* Opens the file for 'access' and sets '*size'.  Returns 0 or a positive errno
 * value. */
static int
open_file(struct journal *j, int access, off_t *size)
{
    int fd = openat(j->dir_fd, FILE_NAME,
                    access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    struct stat st;
    int error;

    if (fd < 0 || fstat(fd, &st)) {
        error = errno;
    } else {
        error = S_ISREG(st.st_mode) ? 0 : EINVAL;
    }
    if (error) {
        if (fd >= 0) {
            close(fd);
        }
        return error;
    }
    j->log.fd = fd;
    *size = st.st_size;
    return 0;
}

/* What has been read is not what can be appended to. */
static void
close_file(struct journal *j)
{
    if (j->log.fd >= 0) {
        close(j->log.fd);
        j->log.fd = -1;
    }
}

/* Replays the file and brings it into a state to append to, or replays it at
 * least.  Returns 0 or a positive errno value. */
static int
start_file(struct journal *j, void (*replay)(const struct statelet *, void *),
           void *aux, unsigned int *n_bad)
{
    off_t size;
    int error = open_file(j, O_RDWR | O_CREAT, &size);
    const bool can_write = !error;

    if (!can_write && open_file(j, O_RDONLY, &size)) {
        return error;
    }
    int read_error = replay_file(j->log.fd, size, replay, aux, &j->log.count,
                                 n_bad);
    error = error ? error : read_error;
    if (!error && (ftruncate(j->log.fd, (off_t) j->log.count * STATELET_LEN)
                   || fsync(j->dir_fd))) {
        error = errno;
    }
    if (error) {
        close_file(j);
    } else {
        unlinkat(j->dir_fd, TEMPORARY_NAME, 0);
    }
    return error;
}

/* Tries again what could not be opened at start, by its path, where something
 * else may be mounted now.  What has changed since is not in it: it is for the
 * owner to compact it. */
static int
open_late(struct journal *j)
{
    off_t size;
    int error;

    if (j->dir_fd >= 0) {
        close(j->dir_fd);
        j->dir_fd = -1;
    }
    error = open_dir(j);
    error = error ? error : open_file(j, O_RDWR | O_CREAT, &size);
    if (!error) {
        j->log.count = size / STATELET_LEN;
        j->lost = true;
    }
    return error;
}

int
journal_open(const char *dir, void (*replay)(const struct statelet *, void *),
             void *aux, struct journal **journalp, unsigned int *n_badp)
{
    struct journal *j = check_alloc(calloc(1, sizeof *j));
    unsigned int n_bad = 0;
    int error;

    *journalp = NULL;
    j->dir = check_alloc(strdup(dir));
    j->log.fd = j->new_log.fd = -1;
    j->sync = fdsync_create();
    error = open_dir(j);
    if (!error) {
        error = start_file(j, replay, aux, &n_bad);
    }
    if (n_badp) {
        *n_badp = n_bad;
    }
    if (error == EBUSY) {
        journal_close(j);
        return error;
    }
    j->log.error = error;
    j->retry_at = time_msec() + RETRY_INTERVAL_MS;
    *journalp = j;
    return 0;
}

static void
compaction_failed(struct journal *j, int error)
{
    log_close(&j->new_log);
    unlinkat(j->dir_fd, TEMPORARY_NAME, 0);
    j->compaction = IDLE;
    j->compaction_error = error;
}

void
journal_append(struct journal *j, const struct statelet *s)
{
    if (j->log.fd >= 0 && j->log.n_buffered < MAX_BUFFERED) {
        log_add(&j->log, s);
    } else {
        j->lost = true;
    }
    if (j->compaction != IDLE) {
        journal_compact_add(j, s);
    }
}

/* The new file has everything, and is in its place. */
static void
compaction_done(struct journal *j)
{
    log_close(&j->log);
    j->log = j->new_log;
    j->new_log = (struct log) { .fd = -1 };
    j->lost = j->log.error == ENOBUFS;
    j->dirty = true;            /* By what has come since. */
    j->sync_at = time_msec() + SYNC_INTERVAL_MS;
    j->compaction = IDLE;
    j->compaction_error = 0;
}

static void
sync_ended(struct journal *j, int error)
{
    if (!j->sync_new_log) {
        j->log.error = error ? error : j->log.error;
        j->dirty = j->dirty || error;
    } else if (error) {
        compaction_failed(j, error);
    } else {
        compaction_done(j);
    }
}

static void
run_sync(struct journal *j)
{
    int error = (fdsync_is_busy(j->sync) ? fdsync_poll(j->sync)
                 : EINPROGRESS);

    if (error != EINPROGRESS) {
        sync_ended(j, error);
    }
}

static void
run_compaction(struct journal *j)
{
    struct log *log = &j->new_log;

    if (j->compaction == IDLE) {
        return;
    }
    if (log->n_buffered && !log->error) {
        log_write(log);
    }
    if (log->error && j->compaction != SYNCING) {
        compaction_failed(j, log->error);
    } else if (j->compaction == WRITING && !log->n_buffered
               && !fdsync_is_busy(j->sync)) {
        j->compaction = SYNCING;
        j->sync_new_log = true;
        fdsync_replace(j->sync, log->fd, j->dir_fd, TEMPORARY_NAME,
                       FILE_NAME);
    }
}

int
journal_run(struct journal *j)
{
    long long int now = time_msec();

    run_sync(j);
    run_compaction(j);
    if (j->log.error && now < j->retry_at) {
        return j->log.error;
    }
    j->log.error = (j->log.fd < 0 && j->compaction == IDLE ? open_late(j)
                    : 0);
    if (j->log.n_buffered && !log_write(&j->log) && !j->dirty) {
        j->dirty = true;
        j->sync_at = now + SYNC_INTERVAL_MS;
    }
    if (!j->log.error && j->dirty && now >= j->sync_at
        && !fdsync_is_busy(j->sync)) {
        j->dirty = false;
        j->sync_new_log = false;
        fdsync_start(j->sync, j->log.fd);
        run_sync(j);
    }
    if (j->log.error) {
        j->retry_at = now + RETRY_INTERVAL_MS;
        return j->log.error;
    }
    return j->lost ? ENOBUFS : 0;
}

void
journal_wait(struct journal *j)
{
    bool busy = fdsync_is_busy(j->sync);

    if (j->log.error) {
        poll_timer_wait_until(j->retry_at);
    } else if (j->log.n_buffered) {
        poll_immediate_wake();
    } else if (j->dirty && !busy) {
        poll_timer_wait_until(j->sync_at);
    }
    if (j->compaction != IDLE
        && ((j->new_log.n_buffered && !j->new_log.error)
            || (j->new_log.error && j->compaction != SYNCING)
            || (j->compaction == WRITING && !busy))) {
        poll_immediate_wake();
    }
    fdsync_wait(j->sync);
}

size_t
journal_count(const struct journal *j)
{
    return j->log.count + j->log.n_buffered;
}

int
journal_compact_begin(struct journal *j)
{
    int fd = openat(j->dir_fd, TEMPORARY_NAME,
                    O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                    0600);

    if (fd < 0) {
        return errno;
    }
    j->new_log = (struct log) { .fd = fd };
    j->compaction = COPYING;
    return 0;
}

void
journal_compact_add(struct journal *j, const struct statelet *s)
{
    if (j->compaction != IDLE) {
        if (j->new_log.n_buffered < MAX_BUFFERED) {
            log_add(&j->new_log, s);
        } else {
            j->new_log.error = ENOBUFS;
        }
    }
}

void
journal_compact_end(struct journal *j)
{
    if (j->compaction == COPYING) {
        j->compaction = WRITING;
    }
}

int
journal_compaction(const struct journal *j)
{
    return j->compaction == IDLE ? j->compaction_error : EINPROGRESS;
}

/* Writes out what is left of 'log'.  Returns 0 or a positive errno value. */
static int
log_flush(struct log *log)
{
    while (log->n_buffered && !log->error) {
        log_write(log);
    }
    return log->error;
}

void
journal_close(struct journal *j)
{
    if (!j) {
        return;
    }
    if (fdsync_is_busy(j->sync)) {
        sync_ended(j, fdsync_finish(j->sync));
    }
    fdsync_destroy(j->sync);
    j->log.error = 0;
    if (j->log.fd >= 0 && !log_flush(&j->log)) {
        fdatasync(j->log.fd);
    }
    log_close(&j->log);
    if (j->compaction != IDLE) {
        compaction_failed(j, ECANCELED);
    }
    if (j->dir_fd >= 0) {
        close(j->dir_fd);
    }
    free(j->dir);
    free(j);
}
