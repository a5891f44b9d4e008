/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Kills a process at one of the places where it writes down something: just
 * before the N-th system call that changes or syncs a file below DIR.
 *
 *     die_at N DIR COMMAND...     a command that is started
 *     die_at -p PID N DIR         a process that runs
 *
 * Prints "killed: " and the call, or "ended after M calls" if it ends before;
 * with -p, "ready" first, when it looks.  By ptrace(2), so it works on any
 * program as it is.  Exits with 0; 2 if it cannot do that. */

#define _GNU_SOURCE 1

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/ptrace.h>

#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE \
                 | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK \
                 | PTRACE_O_EXITKILL)

static const char *dir;
static unsigned long at, n_calls;

static void __attribute__((noreturn))
die(const char *what)
{
    fprintf(stderr, "die_at: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* Calls by the descriptor of what they write to, and by path. */
enum kind { BY_FD, BY_PATH, BY_PATH_AT, BY_OPEN, BY_SUBMIT };

static const struct call {
    uint64_t nr;
    enum kind kind;
    const char *name;
} calls[] = {
    { SYS_write, BY_FD, "write" },
    { SYS_writev, BY_FD, "writev" },
    { SYS_pwrite64, BY_FD, "pwrite" },
    { SYS_ftruncate, BY_FD, "ftruncate" },
    { SYS_fsync, BY_FD, "fsync" },
    { SYS_fdatasync, BY_FD, "fdatasync" },
    { SYS_unlinkat, BY_PATH_AT, "unlinkat" },
    { SYS_renameat, BY_PATH_AT, "renameat" },
    { SYS_renameat2, BY_PATH_AT, "renameat2" },
    { SYS_openat, BY_OPEN, "openat" },
#ifdef SYS_rename
    { SYS_rename, BY_PATH, "rename" },
    { SYS_unlink, BY_PATH, "unlink" },
#endif
    { SYS_io_submit, BY_SUBMIT, "io_submit" },
};

static bool
is_below(const char *path)
{
    size_t n = strlen(dir);

    return !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

/* What the descriptor of the process is, into 'path'. */
static void
get_fd(pid_t pid, int fd, char *path, size_t size)
{
    char link[64];

    snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, fd);
    ssize_t n = readlink(link, path, size - 1);
    path[n < 0 ? 0 : n] = '\0';
}

/* The text at that address of the process; cut short if it is long. */
static void
get_text(pid_t pid, uint64_t address, char *text, size_t size)
{
    struct iovec local = { text, size - 1 };
    struct iovec remote = { (void *) (uintptr_t) address, size - 1 };

    /* What follows on the same page. */
    remote.iov_len = 4096 - address % 4096;
    remote.iov_len = remote.iov_len < size ? remote.iov_len : size - 1;
    ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
    text[n < 0 ? 0 : n] = '\0';
}

/* Whether the call is about something below DIR, which is put into 'what'. */
static bool
concerns(pid_t pid, const struct call *call, const uint64_t args[6],
         char *what, size_t size)
{
    const bool at_fd = call->kind != BY_PATH;

    switch (call->kind) {
    case BY_SUBMIT:
        snprintf(what, size, "%s", "in the background");
        return true;
    case BY_FD:
        get_fd(pid, args[0], what, size);
        return is_below(what);
    case BY_OPEN:
        if (!(args[2] & (O_CREAT | O_TRUNC))) {
            return false;
        }
        break;
    case BY_PATH:
    case BY_PATH_AT:
        break;
    }
    get_text(pid, args[at_fd], what, size);
    if (what[0] == '/') {
        return is_below(what);
    }
    char base[512] = "";
    if (at_fd && (int) args[0] != AT_FDCWD) {
        get_fd(pid, args[0], base, sizeof base);
    }
    return is_below(base);
}

/* At the entry of a system call.  Returns true if that is the one. */
static bool
is_the_one(pid_t pid)
{
    struct __ptrace_syscall_info info;
    char what[512];

    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) < 0
        || info.op != PTRACE_SYSCALL_INFO_ENTRY) {
        return false;
    }
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (info.entry.nr == calls[i].nr
            && concerns(pid, &calls[i], (const uint64_t *) info.entry.args,
                        what, sizeof what)
            && ++n_calls == at) {
            printf("killed: %s %s\n", calls[i].name, what);
            return true;
        }
    }
    return false;
}

/* Goes on until all have ended, or 'main_pid' is killed. */
static void
watch(pid_t main_pid)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        if (!WIFSTOPPED(status)) {
            continue;
        }
        int signo = WSTOPSIG(status);
        if (signo == (SIGTRAP | 0x80) && is_the_one(pid)) {
            kill(main_pid, SIGKILL);
            kill(pid, SIGKILL);
            while (waitpid(-1, &status, __WALL) > 0) {
                continue;
            }
            return;
        }
        /* Stops of our own, and of new children, are not theirs to see. */
        bool ours = (signo == (SIGTRAP | 0x80) || status >> 16
                     || signo == SIGSTOP);
        ptrace(PTRACE_SYSCALL, pid, 0, ours ? 0 : signo);
    }
    printf("ended after %lu calls\n", n_calls);
}

static void
seize(pid_t pid)
{
    char path[64];
    struct dirent *d;

    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    if (!tasks) {
        die(path);
    }
    while ((d = readdir(tasks)) != NULL) {
        pid_t task = atoi(d->d_name);

        if (task && (ptrace(PTRACE_SEIZE, task, 0, OPTIONS)
                     || ptrace(PTRACE_INTERRUPT, task, 0, 0))) {
            die("PTRACE_SEIZE");
        }
    }
    closedir(tasks);
}

static pid_t
start(char *argv[])
{
    pid_t pid = fork();

    if (!pid) {
        raise(SIGSTOP);
        execv(argv[0], argv);
        die(argv[0]);
    }
    if (pid < 0 || waitpid(pid, NULL, WUNTRACED) != pid
        || ptrace(PTRACE_SEIZE, pid, 0, OPTIONS)
        || ptrace(PTRACE_INTERRUPT, pid, 0, 0) || kill(pid, SIGCONT)) {
        die("start");
    }
    return pid;
}

int
main(int argc, char *argv[])
{
    pid_t pid = 0;

    if (argc == 5 && !strcmp(argv[1], "-p")) {
        pid = atoi(argv[2]);
        argv += 2;
    } else if (argc < 4) {
        fprintf(stderr, "usage: die_at [-p PID] N DIR [COMMAND...]\n");
        return 2;
    }
    at = strtoul(argv[1], NULL, 0);
    dir = argv[2];
    if (pid) {
        seize(pid);
        puts("ready");
        fflush(stdout);
    } else {
        pid = start(argv + 3);
    }
    watch(pid);
    return 0;
}
