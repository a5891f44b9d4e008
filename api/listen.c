/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Listening sockets of the REST API.
 *
 * Place in the flow: rest.c opens them at start and gives them to the HTTP
 * server.  The server could open a plain TCP socket by itself, but can neither
 * bind it to an interface nor say what went wrong.
 *
 * Connections take over from the listening socket how much the kernel keeps of
 * what their clients do not read, which would be 4 MB of each. */

#include <config.h>

#include "api/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "openvswitch/util.h"
#include "socket-util.h"
#include "util.h"

#define BACKLOG 128
#define SENDING (128 * 1024)    /* By the kernel, of each connection. */

/* Binds 'fd' and starts to listen.  Returns NULL, or the name of what
 * failed, with errno set. */
static const char *
bind_and_listen(int fd, const struct sockaddr_storage *ss,
                const char *interface)
{
    const int one = 1, sending = SENDING;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one)) {
        return "SO_REUSEADDR";
    } else if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sending,
                          sizeof sending)) {
        return "SO_SNDBUF";
    } else if (interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE,
                                       interface, strlen(interface))) {
        return interface;
    } else if (bind(fd, (const struct sockaddr *) ss, ss_length(ss))) {
        return "bind";
    } else if (listen(fd, BACKLOG)) {
        return "listen";
    }
    return NULL;
}

int
listen_tcp(const char *target, const char *interface, int *fdp, char **error)
{
    struct sockaddr_storage ss;
    const char *failed;

    if (!inet_parse_active(target, -1, &ss, false, NULL)) {
        *error = xasprintf("api.listen: %s is not ADDRESS:PORT", target);
        return EINVAL;
    }

    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    0);
    failed = fd < 0 ? "socket" : bind_and_listen(fd, &ss, interface);
    if (failed) {
        int retval = errno;

        *error = xasprintf("api.listen: cannot listen on %s: %s: %s",
                           target, failed, ovs_strerror(retval));
        if (fd >= 0) {
            close(fd);
        }
        return retval;
    }
    *fdp = fd;
    return 0;
}

bool
listen_is_reachable(const char *target)
{
    struct sockaddr_storage ss;

    if (!inet_parse_active(target, -1, &ss, false, NULL)) {
        return false;
    } else if (ss.ss_family == AF_INET) {
        struct in_addr ip = ((struct sockaddr_in *) &ss)->sin_addr;

        return ntohl(ip.s_addr) >> 24 != IN_LOOPBACKNET;
    }
    return !IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *) &ss)->sin6_addr);
}

int
listen_unix(const char *path, int *fdp, char **error)
{
    int fd = make_unix_socket(SOCK_STREAM, true, path, NULL);
    int retval = fd < 0 ? -fd : listen(fd, BACKLOG) ? errno : 0;

    if (retval) {
        *error = xasprintf("api.unix: cannot listen on %s: %s", path,
                           ovs_strerror(retval));
        if (fd >= 0) {
            close(fd);
        }
        return retval;
    }
    *fdp = fd;
    return 0;
}
