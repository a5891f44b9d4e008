/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The Pinger: its packets, its cookie, its queues. */

#include <config.h>

#include "learn/pinger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/icmp6.h>

#include "address.h"
#include "conf/conf.h"
#include "csum.h"
#include "packets.h"
#include "tap.h"
#include "timeval.h"

#define LEN 52                  /* IPv4 20, ICMP 8, cookie 24. */

static uint8_t last[PINGER_PACKET_MAX];
static uint32_t sent[64], failed[64];
static unsigned int n_sent, n_failed, n_not_yet;

static int
record_sent(uint32_t id, const void *ip, size_t len)
{
    if (n_not_yet) {
        n_not_yet--;
        return EAGAIN;
    }
    memcpy(last, ip, len);
    sent[n_sent++ % 64] = id;
    return 0;
}

static void
record_failed(uint32_t id)
{
    failed[n_failed++ % 64] = id;
}

/* What the target makes of 'last'. */
static void
reply(uint8_t packet[LEN])
{
    memcpy(packet, last, LEN);
    packet[20] = ICMP4_ECHO_REPLY;
}

/* Runs the Pinger until 'n' requests have been sent or it waits. */
static void
run_until_failed(unsigned int n)
{
    long long int end = time_msec() + 5000;

    while (n_failed < n && time_msec() < end) {
        xnanosleep(1000000);
        pinger_run();
    }
}

/* Checksum over pseudo-header and message of 'last', 0 if right. */
static uint16_t
sum6(void)
{
    struct ovs_16aligned_ip6_hdr ip;

    memcpy(&ip, last, sizeof ip);
    return csum_finish(csum_continue(packet_csum_pseudoheader6(&ip),
                                     last + sizeof ip, PINGER_ICMP_LEN));
}

static void
test_ipv6(const struct conf *conf)
{
    static const uint8_t head[] = {
        0x60, 0, 0, 0, 0, PINGER_ICMP_LEN, 58, 64,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0x20, 0x01, 0x0d, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ICMP6_ECHO_REQUEST, 0,
    };
    uint8_t r[PINGER_PACKET_MAX];
    uint32_t id;

    pinger_init(conf, record_sent, record_failed);
    n_sent = 0;
    pinger_ask(0x400, AF_INET6, true);
    pinger_run();
    tap_ok(n_sent == 1 && !memcmp(last, head, sizeof head),
           "IPv6: an echo request to the target of the family");
    tap_ok(!sum6(), "IPv6: checksum");
    memcpy(r, last, sizeof r);
    r[40] = ICMP6_ECHO_REPLY;
    tap_ok(pinger_is_reply(r, sizeof r, &id) && id == 0x400,
           "IPv6: a reply names its bearer");
    tap_ok(!pinger_is_reply(r, sizeof r - 1, &id), "IPv6: not cut short");
    r[60] ^= 1;
    tap_ok(!pinger_is_reply(r, sizeof r, &id),
           "IPv6: not with another cookie");
    pinger_destroy();
}

static void
test_not_yet(const struct conf *conf)
{
    pinger_init(conf, record_sent, record_failed);
    n_sent = n_failed = 0;
    n_not_yet = 2;
    pinger_ask(0x500, AF_INET, true);
    run_until_failed(1);
    tap_ok(n_sent == conf->pinger.attempts && !n_not_yet,
           "what cannot be sent yet is no attempt");
    n_sent = n_failed = 0;
    n_not_yet = 1000;
    pinger_ask(0x600, AF_INET, true);
    run_until_failed(1);
    tap_ok(!n_sent && n_failed == 1, "unless it never can");
    n_failed = 0;
    n_not_yet = 2;
    pinger_ask(0x600, AF_INET, true);
    run_until_failed(1);
    tap_ok(n_sent == conf->pinger.attempts && !n_not_yet,
           "nor is it one when asked again");
    n_not_yet = 0;
    pinger_destroy();
}

/* What follows is one story, of bearers 0x100, 0x200, 0x300, 0x700. */

static void
test_requests(void)
{
    pinger_ask(0x100, AF_INET, false);
    pinger_ask(0x200, AF_INET, true);
    pinger_run();
    tap_ok(n_sent == 2 && sent[0] == 0x200 && sent[1] == 0x100,
           "those with packets waiting go first");
    tap_ok(!csum(last, 20) && !csum(last + 20, LEN - 20),
           "checksums");
    tap_ok(!memcmp(last + 12, "\0\0\0\0", 4)
           && !memcmp(last + 16, "\xcb\0\x71\x0a", 4), "addresses");
}

static void
test_replies(void)
{
    uint8_t r[LEN];
    uint32_t id = 0;

    reply(r);
    tap_ok(pinger_is_reply(r, sizeof r, &id) && id == 0x100,
           "a reply names its bearer");
    r[40] ^= 1;
    tap_ok(!pinger_is_reply(r, sizeof r, &id), "not with another cookie");
    r[40] ^= 1;
    tap_ok(!pinger_is_reply(r, sizeof r - 1, &id), "not cut short");
    pinger_stop(0x100);
    tap_ok(pinger_is_reply(r, sizeof r, &id) && !id,
           "a second reply is ours and proves nothing");
    r[20] = ICMP4_ECHO_REQUEST;
    tap_ok(!pinger_is_reply(r, sizeof r, &id), "not a request");
    reply(r);
    pinger_ask(0x100, AF_INET, true);
    tap_ok(pinger_is_reply(r, sizeof r, &id) && !id,
           "nor when it is asked again");
    pinger_run();
    reply(r);
    tap_ok(pinger_is_reply(r, sizeof r, &id) && id == 0x100,
           "then a new reply does");
    pinger_stop(0x100);
}

static void
test_end_of_attempts(void)
{
    uint8_t r[LEN];
    uint32_t id = 0;

    run_until_failed(1);
    tap_ok(n_failed == 1 && failed[0] == 0x200 && n_sent == 5,
           "gives up after its attempts");
    reply(r);
    tap_ok(pinger_is_reply(r, sizeof r, &id) && id == 0x200,
           "a late reply proves as much");
    pinger_ask(0x200, AF_INET, true);
    tap_ok(pinger_is_reply(r, sizeof r, &id) && id == 0x200,
           "also while others are asked for");
    tap_ok(pinger_is_active(0x200) && !pinger_is_active(0x300), "active");
    tap_ok(!pinger_has_target(AF_INET6), "no target of the other family");
    pinger_run();
    n_sent = 0;
    pinger_ask(0x300, AF_INET6, true);
    pinger_run();
    tap_ok(!n_sent, "and nothing to ask");
}

static void
test_confirmed(void)
{
    unsigned int n_asked = 0, n_gave_up = 0;
    memset(sent, 0, sizeof sent);
    pinger_ask(0x700, AF_INET, true);
    pinger_run();
    pinger_confirm(0x700);
    for (int i = 0; i < 100; i++) {
        xnanosleep(1000000);
        pinger_run();
    }
    for (int i = 0; i < 64; i++) {
        n_asked += sent[i] == 0x700;
        n_gave_up += failed[i] == 0x700;
    }
    tap_ok(n_asked == 3 && !n_gave_up,
           "goes on to be sure, and that is no failure");
}

int
main(void)
{
    struct in6_addr targets[2] = { ip("203.0.113.10"), ip("2001:db8:9::10") };
    struct conf conf = {
        .pinger = { targets, 1, .interval_ms = 10, .attempts = 3,
                    .rate_per_second = 1000 },
    };

    pinger_init(&conf, record_sent, record_failed);
    test_requests();
    test_replies();
    test_end_of_attempts();
    test_confirmed();
    pinger_destroy();

    conf.pinger.n_targets = 2;
    test_ipv6(&conf);
    test_not_yet(&conf);
    return tap_done();
}
