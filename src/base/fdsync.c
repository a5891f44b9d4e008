/* SPDX-License-Identifier: GPL-3.0-or-later */

/* fdatasync() in the background: see fdsync.h.
 *
 * Linux AIO by its system calls, since 4.18 able to sync; completion makes an
 * eventfd readable. */

#define _GNU_SOURCE 1

#include "base/fdsync.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/util.h"

struct fdsync {
    aio_context_t context;      /* 0: there is none. */
    int event_fd;
    bool busy;
    bool done;                  /* 'busy', but done already. */
    int result;                 /* If 'done'. */

    /* What a file is to replace when it is synced; NULL: nothing. */
    const char *temporary, *name;
    int dir_fd;
    bool replaced;              /* What is being synced is the directory. */
};

struct fdsync *
fdsync_create(void)
{
    struct fdsync *s = calloc(1, sizeof *s);

    if (!s) {
        abort();
    }
    s->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->event_fd < 0 || syscall(SYS_io_setup, 1, &s->context)) {
        s->context = 0;
    }
    return s;
}

void
fdsync_destroy(struct fdsync *s)
{
    if (!s) {
        return;
    }
    fdsync_finish(s);
    if (s->context) {
        syscall(SYS_io_destroy, s->context);
    }
    if (s->event_fd >= 0) {
        close(s->event_fd);
    }
    free(s);
}

void
fdsync_start(struct fdsync *s, int fd)
{
    struct iocb iocb = {
        .aio_fildes = fd,
        .aio_lio_opcode = IOCB_CMD_FDSYNC,
        .aio_flags = IOCB_FLAG_RESFD,
        .aio_resfd = s->event_fd,
    };
    struct iocb *iocbs[] = { &iocb };

    s->busy = true;
    s->done = (!s->context
               || syscall(SYS_io_submit, s->context, 1, iocbs) != 1);
    if (s->done) {
        s->result = fdatasync(fd) ? errno : 0;
    }
}

void
fdsync_replace(struct fdsync *s, int fd, int dir_fd, const char *temporary,
               const char *name)
{
    fdsync_start(s, fd);
    s->dir_fd = dir_fd;
    s->temporary = temporary;
    s->name = name;
}

bool
fdsync_is_busy(const struct fdsync *s)
{
    return s->busy;
}

static bool
is_done(struct fdsync *s)
{
    struct io_event event;
    uint64_t n;

    if (!s->done && read(s->event_fd, &n, sizeof n) >= 0
        && syscall(SYS_io_getevents, s->context, 1, 1, &event, NULL) == 1) {
        s->result = -event.res;
        s->done = true;
    }
    return s->done;
}

/* The file that is to replace another one is on the disk.  Goes on with the
 * directory, and returns true, if nothing has gone wrong. */
static bool
replace(struct fdsync *s)
{
    if (!s->result
        && renameat(s->dir_fd, s->temporary, s->dir_fd, s->name)) {
        s->result = errno;
    }
    s->temporary = NULL;
    s->replaced = !s->result;
    if (s->replaced) {
        fdsync_start(s, s->dir_fd);
    }
    return s->replaced;
}

int
fdsync_poll(struct fdsync *s)
{
    do {
        if (!is_done(s)) {
            return EINPROGRESS;
        }
    } while (s->temporary && replace(s));
    if (s->replaced) {
        s->result = 0;          /* The new file is there, whatever comes. */
    }
    s->busy = s->done = s->replaced = false;
    return s->result;
}

int
fdsync_finish(struct fdsync *s)
{
    int error = 0;

    while (s->busy && (error = fdsync_poll(s)) == EINPROGRESS) {
        struct pollfd pfd = { .fd = s->event_fd, .events = POLLIN };

        poll(&pfd, 1, -1);
    }
    return error;
}

void
fdsync_wait(const struct fdsync *s)
{
    if (s->done) {
        poll_immediate_wake();
    } else if (s->busy) {
        poll_fd_wait(s->event_fd, POLLIN);
    }
}
