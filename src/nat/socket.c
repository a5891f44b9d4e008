/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Sockets in the NAT namespace.
 *
 * Place in the flow: probe.c sends UEs packets by one; service/check.c asks
 * Apps how they are. */

#define _GNU_SOURCE 1

#include "nat/nat.h"

#include <errno.h>
#include <sys/socket.h>

#include "kernel/netns.h"
#include "nat/private.h"

struct socket_call {
    int family, type, protocol, fd;
};

static int
open_socket(void *call_)
{
    struct socket_call *call = call_;

    call->fd = socket(call->family, call->type | SOCK_CLOEXEC | SOCK_NONBLOCK,
                      call->protocol);
    return call->fd < 0 ? errno : 0;
}

int
nat_socket(int family, int type, int protocol, int *fd)
{
    struct socket_call call = { family, type, protocol, -1 };
    int error = (nat.open ? netns_call(nat.netns, open_socket, &call)
                 : ENOTCONN);

    *fd = call.fd;
    return error;
}
