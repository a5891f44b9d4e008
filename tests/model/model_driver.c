/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A random network (tests/model/world.h) on both ends of a lab's S1-U, and an
 * App of its own that answers late; tests/net/test_model.py runs it beside a
 * tofd.
 *
 *   model_driver SEED EVENTS SECONDS SILENCE_MS MARKER_MS FLIGHT_MS [ROUTER]
 *
 * SECONDS is how long it takes to let EVENTS happen.  ROUTER is the MAC address
 * of the host that forwards between both ends, if it is no wire.  What the TOF sends is
 * judged by the time at which the kernel has received it.  Prints statistics;
 * exits with 1 if one UE's traffic was in another's tunnel. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "packets_model.h"
#include "world.h"

#define APP_PORT 7007

struct side {
    const char *netns;
    int fd;
    void (*receive)(const uint8_t *ip, size_t len, int64_t now);
};

static struct side enb = { "lab-enb", -1, world_at_enb };
static struct side sgw = { "lab-sgw", -1, world_at_sgw };
static int app = -1;
static const uint8_t *router;          /* MAC address, or NULL. */

struct late {                   /* An answer of the App's. */
    int64_t due;
    struct sockaddr_in to;
    size_t len;
    uint8_t data[64];
};

#define MAX_LATE 4096
static struct late late[MAX_LATE];
static size_t n_late;

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, ": %s\n", strerror(errno));
    exit(2);
}

static int64_t
to_us(const struct timespec *ts)
{
    return ts->tv_sec * 1000000ll + ts->tv_nsec / 1000;
}

/* The clock of packets' time stamps. */
static int64_t
clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return to_us(&ts);
}

static void
enter(const char *netns)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/run/netns/%s", netns);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET)) {
        die("%s", path);
    }
    close(fd);
}

static void
side_open(struct side *side)
{
    struct sockaddr_ll sll = { .sll_family = AF_PACKET };
    int size = 64 << 20, one = 1;

    enter(side->netns);
    side->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
    sll.sll_ifindex = if_nametoindex("s1u0");
    sll.sll_protocol = htons(ETH_P_ALL);
    setsockopt(side->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(side->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one,
               sizeof one);
    setsockopt(side->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
    if (side->fd < 0
        || bind(side->fd, (struct sockaddr *) &sll, sizeof sll)) {
        die("%s", side->netns);
    }
}

static void
app_open(void)
{
    struct sockaddr_in sin = { .sin_family = AF_INET,
                               .sin_port = htons(APP_PORT) };

    enter("lab-app");
    app = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (app < 0 || bind(app, (struct sockaddr *) &sin, sizeof sin)) {
        die("lab-app");
    }
}

/* MAC addresses by the last byte of the outer IP address. */
static void
send_frame(struct side *side, const uint8_t *ip, size_t len)
{
    uint8_t frame[14 + MODEL_MAX] = { [12] = 0x08 };

    memcpy(frame, "\x0e\x05\x09\x00\x00", 5);
    frame[5] = ip[19];
    if (router) {
        memcpy(frame, router, 6);
    }
    memcpy(frame + 6, "\x0e\x05\x09\x00\x00", 5);
    frame[11] = ip[15];
    memcpy(frame + 14, ip, len);
    while (send(side->fd, frame, 14 + len, 0) < 0) {
        if (errno != EAGAIN && errno != ENOBUFS) {
            die("send");
        }
        poll(&(struct pollfd) { side->fd, POLLOUT, 0 }, 1, 10);
    }
}

static void
from_enb(const uint8_t *ip, size_t len)
{
    send_frame(&enb, ip, len);
}

static void
from_sgw(const uint8_t *ip, size_t len)
{
    send_frame(&sgw, ip, len);
}

static bool
side_receive(struct side *side)
{
    uint8_t frame[2048], control[256];
    struct iovec iov = { frame, sizeof frame };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
                          .msg_control = control,
                          .msg_controllen = sizeof control };
    ssize_t n = recvmsg(side->fd, &msg, 0);
    int64_t now = clock_us();

    if (n <= 0) {
        return false;
    }
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c;
         c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec ts;
            memcpy(&ts, CMSG_DATA(c), sizeof ts);
            now = to_us(&ts);
        }
    }
    if (n > 34 && frame[12] == 0x08 && frame[13] == 0x00) {
        size_t len = frame[16] << 8 | frame[17];
        side->receive(frame + 14, (ssize_t) len < n - 14 ? len
                      : (size_t) n - 14, now);
    }
    return true;
}

/* Answers at once, or up to six seconds late. */
static bool
app_receive(void)
{
    struct late *l = &late[n_late];
    socklen_t size = sizeof l->to;
    ssize_t n;

    if (n_late == MAX_LATE) {
        return false;
    }
    n = recvfrom(app, l->data, sizeof l->data, 0,
                 (struct sockaddr *) &l->to, &size);
    if (n <= 0) {
        return false;
    }
    l->len = n;
    l->due = clock_us() + (random() % 3 ? 0 : random() % 6000000);
    n_late++;
    return true;
}

static void
app_run(int64_t now)
{
    for (size_t i = 0; i < n_late; i++) {
        if (late[i].due <= now) {
            sendto(app, late[i].data, late[i].len, 0,
                   (struct sockaddr *) &late[i].to, sizeof late[i].to);
            late[i--] = late[--n_late];
        }
    }
}

/* All that has arrived, and then what is due. */
static void
run(void)
{
    bool more = true;

    for (int i = 0; more && i < 64; i++) {
        more = side_receive(&enb);
        more |= side_receive(&sgw);
        more |= app_receive();
    }
    app_run(clock_us());
    world_tick(clock_us());
}

static void
sleep_until(int64_t when)
{
    struct pollfd fds[] = { { enb.fd, POLLIN, 0 }, { sgw.fd, POLLIN, 0 },
                            { app, POLLIN, 0 } };
    int64_t us;

    while ((us = when - clock_us()) > 0) {
        struct timespec ts = { 0, us < 1000 ? us * 1000 : 1000000 };

        ppoll(fds, 3, &ts, NULL);
        run();
    }
    run();
}

int
main(int argc, char *argv[])
{
    struct ether_addr *via = argc == 9 ? ether_aton(argv[8]) : NULL;

    if (argc < 8 || argc > 9 || (argc == 9 && !via)) {
        fprintf(stderr, "usage: model_driver SEED EVENTS SECONDS SILENCE_MS "
                "MARKER_MS FLIGHT_MS SHOWS [ROUTER]\n");
        return 2;
    }
    router = via ? via->ether_addr_octet : NULL;
    const uint64_t events = strtoull(argv[2], NULL, 0);
    const int64_t total_us = atoll(argv[3]) * 1000000;
    const struct world_config config = {
        .seed = strtoull(argv[1], NULL, 0),
        .silence_us = atoll(argv[4]) * 1000,
        .marker_us = atoll(argv[5]) * 1000,
        .flight_us = atoll(argv[6]) * 1000,
        .n_shows = atoi(argv[7]),
        .n_ues = 150,
        .service = 0xc633640a,          /* 198.51.100.10 */
        .target = 0xcb00710a,           /* 203.0.113.10 */
        .ports = { 7, APP_PORT },
        .from_enb = from_enb,
        .from_sgw = from_sgw,
    };

    srandom(config.seed);
    app_open();
    side_open(&enb);
    side_open(&sgw);
    world_init(&config);
    int64_t start = clock_us();
    while (world_stats.events < events) {
        sleep_until(start + total_us * (int64_t) world_stats.events
                    / (int64_t) events);
        world_step(clock_us());
    }
    sleep_until(clock_us() + 3000000);
    world_print_stats(stdout);
    printf("# %.1f s\n", (clock_us() - start) / 1e6);
    return world_stats.violations != 0;
}
