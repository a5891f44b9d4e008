/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Network namespaces with names, and what is done inside of one.
 *
 * Place in the flow: nat/nat.c makes the namespace of the applications here,
 * filter/filter.c that of the learn side; nft.c and rtnl.c open their sockets
 * by way of netns_call(), for a socket stays in the namespace that it was
 * opened in.  The names are those of `ip netns`: /run/netns/NAME is a file on
 * which the namespace is mounted, so that it outlives the process.
 *
 * A namespace belongs to a thread, not to the process: hence
 * /proc/thread-self. */

#define _GNU_SOURCE 1

#include "kernel/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <net/if.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>

#define NETNS_DIR "/run/netns"
#define OWN_NETNS "/proc/thread-self/ns/net"

/* Fills in the file name of namespace 'name'. */
static int
netns_path(const char *name, char *path, size_t size)
{
    if (!*name || strchr(name, '/') || !strcmp(name, ".")
        || !strcmp(name, "..")) {
        return EINVAL;
    }
    return (size_t) snprintf(path, size, NETNS_DIR "/%s", name) < size
           ? 0 : ENAMETOOLONG;
}

static int
open_own(int *fd)
{
    *fd = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
    return *fd < 0 ? errno : 0;
}

/* Goes back to where 'fd' says, and closes it.  A process that stayed in the
 * wrong namespace would go on to mend the wrong network. */
static void
go_back(int fd)
{
    if (setns(fd, CLONE_NEWNET)) {
        perror("tof: cannot return to own network namespace");
        abort();
    }
    close(fd);
}

int
netns_call(int fd, int (*cb)(void *aux), void *aux)
{
    int own, error;

    if (fd < 0) {
        return cb(aux);
    }
    error = open_own(&own);
    if (error) {
        return error;
    }
    if (setns(fd, CLONE_NEWNET)) {
        error = errno;
        close(own);
        return error;
    }
    error = cb(aux);
    go_back(own);
    return error;
}

int
netns_open(const char *name, int *fd)
{
    char path[512];
    struct statfs sfs;
    int error;

    *fd = -1;
    if (!name) {
        return open_own(fd);
    }
    error = netns_path(name, path, sizeof path);
    if (error) {
        return error;
    }
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) {
        return errno;
    }
    /* A file on which nothing is mounted is left from a creation that was cut
     * short, or from before a reboot: no namespace. */
    if (fstatfs(*fd, &sfs) || sfs.f_type != NSFS_MAGIC) {
        close(*fd);
        *fd = -1;
        return ENOENT;
    }
    return 0;
}

/* Makes the directory, shared: a namespace that is mounted here then shows in
 * other mount namespaces too, and what is unmounted is gone there.  Returns it
 * opened and locked in '*fd'. */
static int
lock_dir(int *fd)
{
    bool bound = false;
    int error;

    if (mkdir(NETNS_DIR, 0755) && errno != EEXIST) {
        return errno;
    }
    *fd = open(NETNS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0) {
        return errno;
    }
    while (flock(*fd, LOCK_EX)) {
        if (errno != EINTR) {
            error = errno;
            close(*fd);
            return error;
        }
    }
    while (mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL)) {
        /* EINVAL: it is no mount point yet. */
        if (errno != EINVAL || bound
            || mount(NETNS_DIR, NETNS_DIR, "none", MS_BIND | MS_REC, NULL)) {
            error = errno;
            close(*fd);
            return error;
        }
        bound = true;
    }
    return 0;
}

/* Makes a namespace and mounts it on 'path'. */
static int
make_and_mount(const char *path)
{
    int own, file, error;

    file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0);
    if (file < 0) {
        return errno;
    }
    close(file);
    error = open_own(&own);
    if (error) {
        return error;
    }
    if (unshare(CLONE_NEWNET)) {
        error = errno;
        close(own);
    } else {
        error = (mount(OWN_NETNS, path, "none", MS_BIND, NULL) ? errno : 0);
        go_back(own);
    }
    if (error) {
        unlink(path);
    }
    return error;
}

/* By ioctl: rtnl.c opens its sockets by what is here. */
static int
loopback_up(void *aux __attribute__((unused)))
{
    struct ifreq ifr = { .ifr_name = "lo" };
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error = 0;

    if (sock < 0) {
        return errno;
    }
    if (ioctl(sock, SIOCGIFFLAGS, &ifr)) {
        error = errno;
    } else {
        ifr.ifr_flags |= IFF_UP;
        error = ioctl(sock, SIOCSIFFLAGS, &ifr) ? errno : 0;
    }
    close(sock);
    return error;
}

int
netns_ensure(const char *name, int *fd, bool *made)
{
    char path[512];
    int dir = -1, error;
    bool new = false;

    *fd = -1;
    error = netns_path(name, path, sizeof path);
    if (!error) {
        error = lock_dir(&dir);
    }
    if (error) {
        return error;
    }
    error = netns_open(name, fd);
    if (error == ENOENT) {
        error = make_and_mount(path);
        new = !error;
        if (new) {
            error = netns_open(name, fd);
        }
    }
    close(dir);
    if (!error) {
        error = netns_call(*fd, loopback_up, NULL);
    }
    if (error && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    if (error && new) {
        netns_delete(name);
    }
    if (made) {
        *made = new && !error;
    }
    return error;
}

int
netns_delete(const char *name)
{
    char path[512];
    int error = netns_path(name, path, sizeof path);

    if (error) {
        return error;
    }
    if (umount2(path, MNT_DETACH) && errno != EINVAL && errno != ENOENT) {
        return errno;
    }
    return unlink(path) && errno != ENOENT ? errno : 0;
}

/* Sysctls. */

struct sysctl {
    char path[512];
    const char *value;
};

static int
write_sysctl(void *sysctl_)
{
    const struct sysctl *sysctl = sysctl_;
    size_t len = strlen(sysctl->value);
    int fd = open(sysctl->path, O_WRONLY | O_CLOEXEC);
    ssize_t n;
    int error;

    if (fd < 0) {
        return errno;
    }
    n = write(fd, sysctl->value, len);
    error = n == (ssize_t) len ? 0 : n < 0 ? errno : EIO;
    close(fd);
    return error;
}

static int
set_path(struct sysctl *sysctl, const char *path, va_list args)
{
    static const char prefix[] = "/proc/sys/";
    const size_t ofs = sizeof prefix - 1;
    int n;

    memcpy(sysctl->path, prefix, sizeof prefix);
    n = vsnprintf(sysctl->path + ofs, sizeof sysctl->path - ofs, path, args);
    return (n < 0 || (size_t) n >= sizeof sysctl->path - ofs ? ENAMETOOLONG
            : 0);
}

int
sysctl_write(int netns_fd, const char *value, const char *path, ...)
{
    struct sysctl sysctl = { .value = value };
    va_list args;
    int error;

    va_start(args, path);
    error = set_path(&sysctl, path, args);
    va_end(args);
    return error ? error : netns_call(netns_fd, write_sysctl, &sysctl);
}

long
sysctl_read(const char *path, ...)
{
    struct sysctl sysctl;
    long value = -1;
    va_list args;
    FILE *f;

    va_start(args, path);
    f = set_path(&sysctl, path, args) ? NULL : fopen(sysctl.path, "re");
    va_end(args);
    if (f) {
        if (fscanf(f, "%ld", &value) != 1) {
            value = -1;
        }
        fclose(f);
    }
    return value;
}
