/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Health checks: see check.h.
 *
 * A try goes through CONNECTING and, but for TCP, AWAITING to IDLE, where it
 * stays until the next one is due. */

#include <config.h>

#include "service/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/secure.h"
#include "base/service_spec.h"
#include "nat/nat.h"
#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "util.h"

#define ICMP_LEN 8
#define STATUS_LEN 12           /* "HTTP/1.1 200" */

struct check {
    struct in6_addr app;
    const struct service_check *spec;
    enum { IDLE, CONNECTING, AWAITING } state;
    int fd;                     /* Unless IDLE. */
    long long int due;          /* The next try. */
    const char *why;
    uint8_t echo[ICMP_LEN];     /* What was sent. */
    char answer[STATUS_LEN + 1];
    size_t n_answer;
};

struct check *
check_start(const struct in6_addr *app, const struct service_check *spec)
{
    struct check *c = xzalloc(sizeof *c);

    c->app = *app;
    c->spec = spec;
    c->due = time_msec();
    return c;
}

static enum check_result
end(struct check *c, const char *why)
{
    if (c->state != IDLE) {
        close(c->fd);
        c->state = IDLE;
    }
    c->why = why;
    return why ? CHECK_FAILED : CHECK_PASSED;
}

void
check_stop(struct check *c)
{
    if (c) {
        end(c, NULL);
        free(c);
    }
}

const char *
check_why(const struct check *c)
{
    return c->why;
}

/* Returns 0 or a positive errno value; EINPROGRESS: it will be writable when
 * that is known. */
static int
connect_to(int fd, const struct in6_addr *app, uint16_t port)
{
    int error;

    if (addr_family(app) == AF_INET) {
        struct sockaddr_in sin = { .sin_family = AF_INET,
                                   .sin_port = htons(port) };

        memcpy(&sin.sin_addr, app->s6_addr + 12, 4);
        error = connect(fd, (struct sockaddr *) &sin, sizeof sin);
    } else {
        struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
                                     .sin6_port = htons(port),
                                     .sin6_addr = *app };

        error = connect(fd, (struct sockaddr *) &sin6, sizeof sin6);
    }
    return error ? errno : 0;
}

/* What an error of the socket means. */
static const char *
why_not(int error)
{
    return (error == ECONNREFUSED ? "is refused"
            : error == ECONNRESET || error == EPIPE ? "is reset"
            : "cannot be sent");
}

/* Begins a try. */
static enum check_result
begin(struct check *c)
{
    const int family = addr_family(&c->app);
    const bool icmp = c->spec->kind == SERVICE_CHECK_ICMP;
    int error = nat_socket(family, icmp ? SOCK_RAW : SOCK_STREAM,
                           !icmp ? IPPROTO_TCP
                           : family == AF_INET ? IPPROTO_ICMP
                           : IPPROTO_ICMPV6, &c->fd);

    if (error) {
        return end(c, "cannot be made");
    }
    c->state = CONNECTING;
    c->n_answer = 0;
    error = connect_to(c->fd, &c->app, icmp ? 0 : c->spec->port);
    return error && error != EINPROGRESS ? end(c, why_not(error))
           : CHECK_PENDING;
}

/* The connection is open, or never will be. */
static int
connection_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) ? errno : error;
}

static bool
is_ready(int fd, short events)
{
    struct pollfd pollfd = { .fd = fd, .events = events };

    return poll(&pollfd, 1, 0) > 0;
}

static int
send_http(const struct check *c)
{
    char host[INET6_ADDRSTRLEN];
    const bool ipv6 = addr_family(&c->app) == AF_INET6;
    char *request = xasprintf(
        "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: tofd\r\n"
        "Connection: close\r\n\r\n", c->spec->path, ipv6 ? "[" : "",
        addr_format(&c->app, host), ipv6 ? "]" : "", c->spec->port);
    const size_t len = strlen(request);
    const ssize_t sent = send(c->fd, request, len, MSG_NOSIGNAL);

    free(request);
    return sent == (ssize_t) len ? 0 : sent < 0 ? errno : EAGAIN;
}

/* An echo request with random identifier and sequence number. */
static int
send_echo(struct check *c)
{
    const bool ipv6 = addr_family(&c->app) == AF_INET6;

    memset(c->echo, 0, sizeof c->echo);
    c->echo[0] = ipv6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
    secure_random(c->echo + 4, 4);
    if (!ipv6) {
        put16(c->echo + 2, sum_finish(sum_bytes(c->echo, ICMP_LEN, 0)));
    }
    return send(c->fd, c->echo, ICMP_LEN, 0) < 0 ? errno : 0;
}

static enum check_result
connected(struct check *c)
{
    int error = connection_error(c->fd);

    if (!error && c->spec->kind == SERVICE_CHECK_TCP) {
        return end(c, NULL);
    } else if (!error) {
        error = (c->spec->kind == SERVICE_CHECK_HTTP ? send_http(c)
                 : send_echo(c));
    }
    c->state = AWAITING;
    return error ? end(c, why_not(error)) : CHECK_PENDING;
}

/* Whether the packet is the reply to what was sent. */
static bool
is_reply(const struct check *c, const uint8_t *packet, size_t len)
{
    const bool ipv6 = addr_family(&c->app) == AF_INET6;
    const size_t header = ipv6 ? 0 : len ? (packet[0] & 0x0f) * 4 : 0;

    return (len >= header + ICMP_LEN
            && packet[header] == (ipv6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY)
            && !memcmp(packet + header + 4, c->echo + 4, 4));
}

static enum check_result
read_echo(struct check *c)
{
    uint8_t packet[128];
    ssize_t n;

    while ((n = recv(c->fd, packet, sizeof packet, 0)) >= 0) {
        if (is_reply(c, packet, n)) {
            return end(c, NULL);
        }
    }
    return errno == EAGAIN ? CHECK_PENDING : end(c, why_not(errno));
}

static enum check_result
read_http(struct check *c)
{
    const ssize_t n = recv(c->fd, c->answer + c->n_answer,
                           STATUS_LEN - c->n_answer, 0);
    unsigned int status;

    if (n <= 0) {
        return (n < 0 && errno == EAGAIN ? CHECK_PENDING
                : end(c, n ? why_not(errno) : "is not answered"));
    }
    c->n_answer += n;
    c->answer[c->n_answer] = '\0';
    if (c->n_answer < STATUS_LEN) {
        return CHECK_PENDING;
    }
    return end(c, (sscanf(c->answer, "HTTP/1.%*1u %3u", &status) == 1
                   && status == c->spec->expect
                   ? NULL : "is answered with another status"));
}

enum check_result
check_run(struct check *c)
{
    const long long int now = time_msec();

    if (c->state == CONNECTING && is_ready(c->fd, POLLOUT)) {
        return connected(c);
    } else if (c->state == AWAITING && is_ready(c->fd, POLLIN)) {
        return (c->spec->kind == SERVICE_CHECK_HTTP ? read_http(c)
                : read_echo(c));
    } else if (now < c->due) {
        return CHECK_PENDING;
    } else if (c->state != IDLE) {
        return end(c, "is not answered");
    }
    c->due = MAX(c->due + c->spec->interval_ms, now);
    return begin(c);
}

void
check_wait(const struct check *c)
{
    if (c->state != IDLE) {
        poll_fd_wait(c->fd, c->state == CONNECTING ? POLLOUT : POLLIN);
    }
    poll_timer_wait_until(c->due);
}
