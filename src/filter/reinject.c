/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Packet sockets for sending only: see reinject.h. */

#include <config.h>

#include "filter/reinject.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/metrics.h"
#include "conf/conf.h"
#include "filter/fragment.h"
#include "filter/links.h"
#include "kernel/packet_socket.h"
#include "random.h"
#include "util.h"

METRIC_COUNTER(sent_enb, "tof_wire_sent_total", "port=\"enb\"",
               "Frames put back on the wire.");
METRIC_COUNTER(sent_sgw, "tof_wire_sent_total", "port=\"sgw\"",
               "Frames put back on the wire.");
METRIC_COUNTER(send_errors, "tof_wire_errors_total", "",
               "Frames that could not be put back on the wire.");

/* Smaller packets are sent without asking for the MTU. */
#define MTU_MIN 1280

/* By the side that packets came in on. */
static int fds[] = { [SIDE_ENB] = -1, [SIDE_SGW] = -1 };
static int ifindexes[ARRAY_SIZE(fds)];
static struct metric *const counters[] = {
    [SIDE_ENB] = &sent_sgw, [SIDE_SGW] = &sent_enb,
};

/* With a single adapter all goes into the kernel's routing, by way of
 * FILTER_SGW_LINK, which takes it only with a header of its own. */
static bool routed;
static struct l2_header headers[2];     /* IPv4, IPv6. */

static int
find_headers(char **what)
{
    int error = 0;

    for (int i = 0; routed && !error && i < 2; i++) {
        error = links_header(FILTER_SGW_LINK, SGW_PORT, i, &headers[i]);
        if (error) {
            *what = xasprintf("addresses of %s", FILTER_SGW_LINK);
        }
    }
    return error;
}

int
reinject_init(const struct conf *conf, char **what)
{
    routed = conf->s1u.interface;
    const char *links[] = {
        [SIDE_ENB] = routed ? SGW_PORT : conf->s1u.sgw,
        [SIDE_SGW] = routed ? SGW_PORT : conf->s1u.enb,
    };
    int error = find_headers(what);

    if (error) {
        return error;
    }
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        error = packet_socket_open(links[i], NULL, &fds[i]);
        ifindexes[i] = if_nametoindex(links[i]);
        if (error) {
            *what = xasprintf("packet socket on %s", links[i]);
            reinject_close();
            return error;
        }
    }
    return 0;
}

void
reinject_close(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
            fds[i] = -1;
        }
    }
}

bool
reinject_is_routed(void)
{
    return routed;
}

struct sending {
    enum filter_side from;
    const struct l2_header *l2;
    int error;
};

/* Sends 'a' and 'b' behind each other. */
static void
send_frame(const void *a, size_t a_len, const void *b, size_t b_len,
           void *sending_)
{
    struct sending *s = sending_;
    struct iovec iov[] = {
        { CONST_CAST(uint8_t *, s->l2->bytes), s->l2->len },
        { CONST_CAST(void *, a), a_len },
        { CONST_CAST(void *, b), b_len },
    };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };

    if (fds[s->from] < 0 || sendmsg(fds[s->from], &msg, 0) < 0) {
        s->error = fds[s->from] < 0 ? ENOTCONN : errno;
        metric_inc(&send_errors);
    } else {
        metric_inc(counters[s->from]);
    }
}

static size_t
mtu_of(enum filter_side from)
{
    struct ifreq ifr;

    memset(&ifr, 0, sizeof ifr);
    if_indextoname(ifindexes[from], ifr.ifr_name);
    return ioctl(fds[from], SIOCGIFMTU, &ifr) ? 0 : ifr.ifr_mtu;
}

int
reinject_send(enum filter_side from, const struct l2_header *l2,
              const void *ip, size_t len)
{
    const bool v6 = len && *(const uint8_t *) ip >> 4 == 6;
    struct sending s = { from, routed ? &headers[v6] : l2, 0 };
    size_t mtu = len > MTU_MIN ? mtu_of(from) : 0;

    if (!mtu || len <= mtu) {
        send_frame(ip, len, NULL, 0, &s);
    } else {
        s.error = ip_fragment(ip, len, mtu, random_uint32(), send_frame, &s);
    }
    return s.error;
}
