/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One tofd for each 'run_dir': see lock.h.
 *
 * A lock on the open file, and the process identifier in it for whoever is
 * refused.  The file stays: were it deleted, somebody could wait for the lock
 * of a file that nobody finds any more. */

#include <config.h>

#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "timeval.h"
#include "util.h"

#define RETRY_US 50000

/* Who has the lock, as they call themselves: in another process namespace that
 * may be another number than here. */
static char *
describe_holder(const char *dir, int fd)
{
    char pid[16] = "";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);

    pid[n > 0 ? n : 0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
    return xasprintf("run_dir %s belongs to another tofd, process %s", dir,
                     *pid ? pid : "unknown");
}

static int
note_holder(int fd)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%ld\n", (long) getpid());

    if (ftruncate(fd, 0) || pwrite(fd, text, len, 0) < 0) {
        return errno;
    }
    return 0;
}

int
lock_take(const char *dir, int wait_ms, char **what)
{
    char *path = xasprintf("%s/tofd.lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    const long long int end = time_msec() + wait_ms;
    int error = fd < 0 ? errno : 0;

    while (!error && flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK) {
            error = errno;
        } else if (time_msec() >= end) {
            error = EBUSY;
        } else {
            usleep(RETRY_US);
        }
    }
    if (!error) {
        error = note_holder(fd);
    }
    if (error) {
        *what = error == EBUSY ? describe_holder(dir, fd) : xstrdup(path);
        if (fd >= 0) {
            close(fd);
        }
    }
    free(path);
    return error;
}
