/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Packet sockets: see packet_socket.h.
 *
 * Place in the flow: filter/reinject.c sends by them what was held,
 * xdp/ue_socket.c sends and receives at ue0, ovs/trace.c looks on. */

#include <config.h>

#include "kernel/packet_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#define RCVBUF (8 << 20)

static int
set_options(int fd, const struct packet_receive *receive)
{
    const struct sock_fprog *program = receive->program;
    const int on = 1, rcvbuf = RCVBUF;

    if (program && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program,
                              sizeof *program)) {
        return errno;
    }
    return (setsockopt(fd, SOL_PACKET, receive->option, &on, sizeof on)
            || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf,
                          sizeof rcvbuf) ? errno : 0);
}

int
packet_socket_open(const char *link, const struct packet_receive *receive,
                   int *fdp)
{
    struct sockaddr_ll sll = {
        .sll_family = AF_PACKET,
        .sll_protocol = receive ? htons(ETH_P_ALL) : 0,
        .sll_ifindex = if_nametoindex(link),
    };
    int fd, error;

    if (!sll.sll_ifindex) {
        return errno;
    }
    /* Protocol 0: deaf until bound. */
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return errno;
    }
    error = receive ? set_options(fd, receive) : 0;
    if (!error && bind(fd, (struct sockaddr *) &sll, sizeof sll)) {
        error = errno;
    }
    if (error) {
        close(fd);
        return error;
    }
    *fdp = fd;
    return 0;
}
