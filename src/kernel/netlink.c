/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Netlink sockets: see netlink.h. */

#include "kernel/netlink.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <linux/netlink.h>

#include <libmnl/libmnl.h>

#include "kernel/netns.h"

struct opening {
    int protocol;
    struct mnl_socket *socket;
};

static int
open_socket(void *opening_)
{
    struct opening *opening = opening_;

    opening->socket = mnl_socket_open2(opening->protocol, SOCK_CLOEXEC);
    return opening->socket ? 0 : errno;
}

int
netlink_open(struct netlink *nl, int netns_fd, int protocol)
{
    struct opening opening = { .protocol = protocol };
    int error = netns_call(netns_fd, open_socket, &opening);
    int on = 1;

    *nl = (struct netlink) { .socket = opening.socket };
    if (!error && mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID)) {
        error = errno;
    }
    if (error) {
        netlink_close(nl);
        return error;
    }
    /* Errors without the refused message, which may be large. */
    mnl_socket_setsockopt(nl->socket, NETLINK_CAP_ACK, &on, sizeof on);
    return 0;
}

void
netlink_close(struct netlink *nl)
{
    if (nl->socket) {
        mnl_socket_close(nl->socket);
        nl->socket = NULL;
    }
}

bool
netlink_drain(struct netlink *nl)
{
    int fd = mnl_socket_get_fd(nl->socket);
    bool any = false;
    char c;

    while (recv(fd, &c, 1, MSG_DONTWAIT) >= 0
           || errno == EINTR || errno == ENOBUFS) {
        any = true;
    }
    return any;
}

int
netlink_send(struct netlink *nl, const void *data, size_t len)
{
    while (mnl_socket_sendto(nl->socket, data, len) < 0) {
        if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

int
netlink_receive(struct netlink *nl, void *buf, size_t size, size_t *len)
{
    ssize_t n;

    do {
        n = recv(mnl_socket_get_fd(nl->socket), buf, size, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    *len = n < 0 ? 0 : n;
    return n >= 0 ? 0 : errno == EAGAIN ? EIO : errno;
}

int
netlink_talk(struct netlink *nl, struct nlmsghdr *nlh,
             int (*cb)(const struct nlmsghdr *, void *aux), void *aux)
{
    char buf[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
    int run = MNL_CB_OK;
    int error;

    netlink_drain(nl);
    nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    nlh->nlmsg_seq = ++nl->seq;
    error = netlink_send(nl, nlh, nlh->nlmsg_len);
    while (!error && run > MNL_CB_STOP) {
        size_t len;

        error = netlink_receive(nl, buf, sizeof buf, &len);
        if (!error) {
            run = mnl_cb_run(buf, len, nl->seq, 0, cb, aux);
            error = run < 0 ? errno : 0;
        }
    }
    return error;
}
