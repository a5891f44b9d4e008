/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The file of usage records.
 *
 * Place in the flow: usage.c adds lines; usage_log_run() writes them, once a
 * round of the loop.  The file is only ever appended to.  What cannot be
 * written waits in memory and is tried again once a second; a short write goes
 * on where it ended, so that lines stay whole.  When too much is waiting,
 * further lines are dropped and counted; the sequence numbers tell the
 * reader, too. */

#include <config.h>

#include "usage/private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/metrics.h"
#include "base/status.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "util.h"

#define RETRY_MS 1000
#define WAITING_MAX (16 << 20)          /* Bytes. */
#define WRITE_MAX (256 << 10)           /* Bytes a round. */

/* As long as the last line of a file may be to be found. */
#define LAST_LINE_MAX (64 << 10)

METRIC_COUNTER(n_lost, "tof_usage_records_lost_total", "",
               "Usage records dropped because they could not be written.");
METRIC_COUNTER(n_errors, "tof_usage_write_errors_total", "",
               "Failed attempts to open or write the file of usage records.");

static char *file;              /* NULL: there is none. */
static int fd = -1;
static struct ds waiting = DS_EMPTY_INITIALIZER;
static size_t done;             /* Bytes of 'waiting' that are written. */
static bool torn;               /* The file ends within a line of ours. */
static int error;               /* Of the last attempt. */
static long long int retry_at;  /* If 'error'. */

static void
report(void)
{
    if (!file) {
        status_set(STATUS_USAGE, true, "off");
    } else {
        status_set(STATUS_USAGE, !error, "%s%s%s", file, error ? ": " : "",
                   error ? ovs_strerror(error) : "");
    }
}

static void
failed(int error_)
{
    error = error_;
    retry_at = time_msec() + RETRY_MS;
    metric_inc(&n_errors);
    report();
}

/* Reads up to 'max' bytes of the end of the file to 'buf', terminated. */
static size_t
read_end(char *buf, size_t max)
{
    int in = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = -1;
    struct stat st;

    if (in >= 0 && !fstat(in, &st) && S_ISREG(st.st_mode)) {
        off_t skip = MAX(0, st.st_size - (off_t) max);

        n = pread(in, buf, max, skip);
    }
    if (in >= 0) {
        close(in);
    }
    n = MAX(n, 0);
    buf[n] = '\0';
    return n;
}

uint64_t
usage_log_last_seq(void)
{
    char *buf = xmalloc(LAST_LINE_MAX + 1);
    size_t n = file ? read_end(buf, LAST_LINE_MAX) : 0;
    uint64_t seq = 0;

    /* Backwards, since the last line may have been cut short. */
    while (n && !seq) {
        char *line = memrchr(buf, '\n', n - 1);

        if (sscanf(line ? line + 1 : buf, "{\"seq\":%"SCNu64",", &seq) != 1) {
            seq = 0;
        }
        n = line ? line + 1 - buf : 0;
        if (line) {
            *line = '\0';
        }
    }
    free(buf);
    return seq;
}

/* Returns 0 or a positive errno value.  A line that somebody else has left
 * without its end gets one. */
static int
open_file(void)
{
    char last[2] = "";

    fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY
              | O_NONBLOCK, 0640);
    if (fd < 0) {
        return errno;
    }
    if (read_end(last, 1) && last[0] != '\n' && !torn) {
        struct ds s = DS_EMPTY_INITIALIZER;

        ds_put_char(&s, '\n');
        ds_put_buffer(&s, waiting.string + done, waiting.length - done);
        ds_destroy(&waiting);
        waiting = s;
        done = 0;
    }
    return 0;
}

void
usage_log_init(const char *file_)
{
    file = nullable_xstrdup(file_);
    report();
}

void
usage_log_add(const struct ds *line)
{
    if (!file) {
        return;
    }
    if (waiting.length - done + line->length >= WAITING_MAX) {
        metric_inc(&n_lost);
        return;
    }
    ds_put_buffer(&waiting, line->string, line->length);
    ds_put_char(&waiting, '\n');
}

/* Writes once.  Returns 0 or a positive errno value. */
static int
write_some(void)
{
    size_t n = MIN(waiting.length - done, WRITE_MAX);
    ssize_t written;

    do {
        written = write(fd, waiting.string + done, n);
    } while (written < 0 && errno == EINTR);
    if (written < 0) {
        return errno;
    }
    done += written;
    torn = done && waiting.string[done - 1] != '\n';
    if (done == waiting.length) {
        ds_clear(&waiting);
        done = 0;
    } else if (done >= WAITING_MAX) {
        memmove(waiting.string, waiting.string + done, waiting.length - done);
        ds_truncate(&waiting, waiting.length - done);
        done = 0;
    }
    return written ? 0 : ENOSPC;
}

void
usage_log_run(void)
{
    if (!file || (error && time_msec() < retry_at)
        || (!error && waiting.length == done)) {
        return;
    }
    int e = fd < 0 ? open_file() : 0;
    if (!e && waiting.length > done) {
        e = write_some();
    }
    if (e) {
        failed(e);
    } else if (error) {
        error = 0;
        report();
    }
}

void
usage_log_wait(void)
{
    if (error) {
        poll_timer_wait_until(retry_at);
    } else if (file && waiting.length > done) {
        poll_immediate_wake();
    }
}

void
usage_log_reopen(void)
{
    if (fd >= 0) {
        /* What is left of a line belongs to the old file. */
        if (torn) {
            const char *end = memchr(waiting.string + done, '\n',
                                     waiting.length - done);
            size_t n = end ? end + 1 - (waiting.string + done) : 0;

            if (write(fd, waiting.string + done, n) != (ssize_t) n) {
                metric_inc(&n_lost);
            }
            done += n;
            torn = false;
        }
        close(fd);
        fd = -1;
    }
    /* There is a file at once, whatever there is to write. */
    if (file) {
        int e = open_file();

        if (e) {
            failed(e);
        }
    }
}

void
usage_log_destroy(void)
{
    retry_at = 0;
    while (file && waiting.length > done) {
        usage_log_run();
        if (error) {
            break;
        }
    }
    if (fd >= 0) {
        close(fd);
        fd = -1;
    }
    ds_destroy(&waiting);
    ds_init(&waiting);
    done = 0;
    error = 0;
    torn = false;
    free(file);
    file = NULL;
}
