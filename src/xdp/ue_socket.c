/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Frames of the agent's own on the way to and from ue0: see ue_socket.h. */

#include <config.h>

#include "xdp/ue_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/metrics.h"
#include "gtp/endpoint.h"
#include "gtp/ue_frame.h"
#include "kernel/packet_socket.h"
#include "openvswitch/poll-loop.h"
#include "packets.h"
#include "util.h"
#include "xdp/bearers.h"

METRIC_COUNTER(n_read, "tof_xdp_ue_read_total", "",
               "Answers that came to tofd.");

#define BUDGET 256              /* Frames a round. */
#define FRAME_MAX 65536

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

static const struct endpoint_events *events;
static int fds[XDP_N_ENDS] = { -1, -1 };

static void
close_end(enum xdp_ue_end end)
{
    if (fds[end] >= 0) {
        close(fds[end]);
        fds[end] = -1;
    }
}

int
xdp_ue_open(enum xdp_ue_end end, const char *link,
            const struct endpoint_events *events_)
{
    const struct packet_receive receive = { .option = PACKET_IGNORE_OUTGOING };

    close_end(end);
    events = events_;
    return packet_socket_open(link, &receive, &fds[end]);
}

void
xdp_ue_close(void)
{
    for (int i = 0; i < XDP_N_ENDS; i++) {
        close_end(i);
    }
}

static void
run_end(int fd)
{
    static uint8_t frame[FRAME_MAX];

    for (int i = 0; fd >= 0 && i < BUDGET; i++) {
        ssize_t n = recv(fd, frame, sizeof frame, MSG_TRUNC);
        if (n < 0) {
            break;
        } else if (n <= (ssize_t) sizeof frame) {
            metric_inc(&n_read);
            xdp_bearers_check(ue_frame_id(frame, n));
            ue_frame_hand_on(events, frame, n);
        }
    }
}

void
xdp_ue_run(void)
{
    for (int i = 0; i < XDP_N_ENDS; i++) {
        run_end(fds[i]);
    }
}

void
xdp_ue_wait(void)
{
    for (int i = 0; i < XDP_N_ENDS; i++) {
        if (fds[i] >= 0) {
            poll_fd_wait(fds[i], POLLIN);
        }
    }
}

int
xdp_ue_send(enum xdp_ue_end end, const uint8_t macs[12], const void *ip,
            size_t len)
{
    const bool v6 = len && *(const uint8_t *) ip >> 4 == 6;
    const ovs_be16 type = htons(v6 ? ETH_TYPE_IPV6 : ETH_TYPE_IP);
    struct iovec iov[] = {
        { CONST_CAST(uint8_t *, macs), 12 },
        { CONST_CAST(ovs_be16 *, &type), sizeof type },
        { CONST_CAST(void *, ip), len },
    };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };

    if (fds[end] < 0) {
        return ENOTCONN;
    }
    return (sendmsg(fds[end], &msg, 0) >= 0 ? 0
            : errno == EAGAIN ? ENOBUFS : errno);
}
