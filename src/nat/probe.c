/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Makes UEs with open connections say where these are.
 *
 * Place in the flow: flows.c finds the TCP connections of a service whose App
 * is down, and each one's UE is sent an empty segment, as from the App, so that
 * it passes the same translation and the same bearer as the App's own.  The UE
 * takes it for an old one, and acknowledges what it has had (RFC 9293, section
 * 3.10.7.4); to that the rules answer with a reset that has the right number
 * (ending_rules()).  Nobody here knows that number: connection tracking does
 * not tell. */

#define _GNU_SOURCE 1

#include "nat/nat.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "nat/private.h"

enum { IPV4_LEN = 20, IPV6_LEN = 40, TCP_LEN = 20, TTL = 64 };
#define TCP_ACK 0x10

int
nat_probe_open(void)
{
    static const int families[2] = { AF_INET, AF_INET6 };
    int error = 0;

    for (int i = 0; i < 2 && !error; i++) {
        error = nat_socket(families[i], SOCK_RAW, IPPROTO_RAW, &nat.raw[i]);
        if (error == EAFNOSUPPORT) {
            error = 0;
        }
    }
    return error;
}

void
nat_probe_close(void)
{
    for (int i = 0; i < 2; i++) {
        if (nat.raw[i] >= 0) {
            close(nat.raw[i]);
        }
    }
}

/* Writes the segment behind the addresses of its IP header, which are 'addrs'
 * of 'len' bytes each. */
static void
put_tcp(uint8_t *tcp, const uint8_t *addrs, size_t len,
        const struct nat_tcp *c)
{
    memset(tcp, 0, TCP_LEN);
    memcpy(tcp, &c->app_port, 2);
    memcpy(tcp + 2, &c->ue_port, 2);
    tcp[12] = TCP_LEN / 4 << 4;
    tcp[13] = TCP_ACK;
    put16(tcp + 16, sum_finish(sum_bytes(tcp, TCP_LEN, sum_bytes(
        addrs, 2 * len, IPPROTO_TCP + TCP_LEN))));
}

static void
send_to(int family, const void *packet, size_t len, const void *sa,
        socklen_t sa_len)
{
    /* A connection that is not told ends by its timeouts. */
    if (nat.raw[family] >= 0) {
        sendto(nat.raw[family], packet, len, MSG_DONTWAIT, sa, sa_len);
    }
}

static void
probe_ipv4(const struct nat_tcp *c)
{
    uint8_t packet[IPV4_LEN + TCP_LEN] = {
        0x45, [3] = sizeof packet, [8] = TTL, [9] = IPPROTO_TCP,
    };
    struct sockaddr_in sin = { .sin_family = AF_INET };

    memcpy(packet + 12, c->app.s6_addr + 12, 4);
    memcpy(packet + 16, c->ue.s6_addr + 12, 4);
    memcpy(&sin.sin_addr, c->ue.s6_addr + 12, 4);
    put_tcp(packet + IPV4_LEN, packet + 12, 4, c);
    send_to(0, packet, sizeof packet, &sin, sizeof sin);
}

static void
probe_ipv6(const struct nat_tcp *c)
{
    uint8_t packet[IPV6_LEN + TCP_LEN] = {
        0x60, [5] = TCP_LEN, [6] = IPPROTO_TCP, [7] = TTL,
    };
    struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
                                 .sin6_addr = c->ue };

    memcpy(packet + 8, &c->app, 16);
    memcpy(packet + 24, &c->ue, 16);
    put_tcp(packet + IPV6_LEN, packet + 8, 16, c);
    send_to(1, packet, sizeof packet, &sin6, sizeof sin6);
}

void
nat_probe_ue(const struct nat_tcp *c)
{
    if (IN6_IS_ADDR_V4MAPPED(&c->ue)) {
        probe_ipv4(c);
    } else {
        probe_ipv6(c);
    }
}
