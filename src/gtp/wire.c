/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Packet sockets for sending only: see wire.h. */

#include <config.h>

#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "conf.h"
#include "metrics.h"
#include "util.h"

METRIC_COUNTER(sent_enb, "tof_wire_sent_total", "port=\"enb\"",
               "Frames put back on the wire.");
METRIC_COUNTER(sent_sgw, "tof_wire_sent_total", "port=\"sgw\"",
               "Frames put back on the wire.");
METRIC_COUNTER(send_errors, "tof_wire_errors_total", "",
               "Frames that could not be put back on the wire.");

static int fds[N_WIRE_PORTS] = { -1, -1 };
static struct metric *counters[N_WIRE_PORTS] = { &sent_enb, &sent_sgw };

static int
open_port(const char *link, int *fdp)
{
    struct sockaddr_ll sll = { .sll_family = AF_PACKET };
    int fd;

    sll.sll_ifindex = if_nametoindex(link);
    if (!sll.sll_ifindex) {
        return errno;
    }
    /* Protocol 0: nothing is received. */
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return errno;
    }
    if (bind(fd, (struct sockaddr *) &sll, sizeof sll) < 0) {
        int error = errno;
        close(fd);
        return error;
    }
    *fdp = fd;
    return 0;
}

int
wire_init(const struct conf *conf, char **what)
{
    const char *links[] = {
        [WIRE_ENB] = conf->s1u.enb,
        [WIRE_SGW] = conf->s1u.sgw,
    };

    for (int i = 0; i < N_WIRE_PORTS; i++) {
        int error = open_port(links[i], &fds[i]);
        if (error) {
            *what = xasprintf("packet socket on %s", links[i]);
            wire_close();
            return error;
        }
    }
    return 0;
}

void
wire_close(void)
{
    for (int i = 0; i < N_WIRE_PORTS; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
            fds[i] = -1;
        }
    }
}

int
wire_send(enum wire_port port, const struct l2_header *l2, const void *ip,
          size_t len)
{
    struct iovec iov[] = {
        { CONST_CAST(uint8_t *, l2->bytes), l2->len },
        { CONST_CAST(void *, ip), len },
    };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };

    if (fds[port] < 0 || sendmsg(fds[port], &msg, 0) < 0) {
        metric_inc(&send_errors);
        return fds[port] < 0 ? ENOTCONN : errno;
    }
    metric_inc(counters[port]);
    return 0;
}
