/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The Pinger: its packets, its cookie, its queues. */

#include <config.h>

#include "pinger.h"

#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "csum.h"
#include "addr.h"
#include "packets.h"
#include "tap.h"
#include "timeval.h"

static uint8_t last[PINGER_PACKET_LEN];
static uint32_t sent[64], failed[64];
static unsigned int n_sent, n_failed;

static int
record_sent(uint32_t id, const void *ip, size_t len)
{
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
reply(uint8_t packet[PINGER_PACKET_LEN])
{
    memcpy(packet, last, PINGER_PACKET_LEN);
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

int
main(void)
{
    struct in6_addr target;
    struct conf conf = {
        .pinger = { &target, 1, .interval_ms = 10, .attempts = 3,
                    .rate_per_second = 1000 },
    };
    uint8_t r[PINGER_PACKET_LEN];
    uint32_t id = 0;

    addr_parse("203.0.113.10", &target);
    pinger_init(&conf, record_sent, record_failed);
    pinger_ask(0x100, false);
    pinger_ask(0x200, true);
    pinger_run();
    tap_ok(n_sent == 2 && sent[0] == 0x200 && sent[1] == 0x100,
           "those with packets waiting go first");
    tap_ok(!csum(last, 20) && !csum(last + 20, PINGER_PACKET_LEN - 20),
           "checksums");
    tap_ok(!memcmp(last + 12, "\0\0\0\0", 4)
           && !memcmp(last + 16, "\xcb\0\x71\x0a", 4), "addresses");

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
    pinger_ask(0x100, true);
    tap_ok(pinger_is_reply(r, sizeof r, &id) && !id,
           "nor when it is asked again");
    pinger_run();
    reply(r);
    tap_ok(pinger_is_reply(r, sizeof r, &id) && id == 0x100,
           "then a new reply does");
    pinger_stop(0x100);

    run_until_failed(1);
    tap_ok(n_failed == 1 && failed[0] == 0x200 && n_sent == 5,
           "gives up after its attempts");
    reply(r);
    tap_ok(pinger_is_reply(r, sizeof r, &id) && id == 0x200,
           "a late reply proves as much");
    pinger_ask(0x200, true);
    tap_ok(pinger_is_reply(r, sizeof r, &id) && id == 0x200,
           "also while others are asked for");
    tap_ok(pinger_is_active(0x200) && !pinger_is_active(0x300), "active");
    pinger_destroy();
    return tap_done();
}
