/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The Pinger: its packets, its cookie, its queues. */

#include <config.h>

#include "learn/pinger.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/icmp6.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "address.h"
#include "conf/conf.h"
#include "csum.h"
#include "packets.h"
#include "tap.h"
#include "timeval.h"

#define LEN 60                  /* IPv4 20, ICMP 8, cookie 32. */

#define UE "10.45.0.2"
#define UE6 "2001:db8:1:2::"            /* Its key. */

static char dir[] = "/tmp/tof-pinger-XXXXXX";
static uint8_t last[PINGER_PACKET_MAX];
static uint32_t last_of;                /* That bearer's; 0: anybody's. */
static uint32_t sent[64], failed[64];
static uint32_t nonces[64][4];          /* Of the requests in 'sent'. */
static unsigned int n_sent, n_failed, n_not_yet;

static int
record_sent(uint32_t id, const void *ip, size_t len)
{
    if (n_not_yet) {
        n_not_yet--;
        return EAGAIN;
    }
    if (!last_of || last_of == id) {
        memcpy(last, ip, len);
    }
    memcpy(nonces[n_sent % 64], (const uint8_t *) ip + len - 24,
           sizeof nonces[0]);
    sent[n_sent++ % 64] = id;
    return 0;
}

static void
record_failed(uint32_t id)
{
    failed[n_failed++ % 64] = id;
}

static void
ask(uint32_t id, const char *ue, bool urgent)
{
    const struct in6_addr key = ip(ue);

    pinger_ask(id, &key, urgent);
}

/* What the target makes of 'last', whose source the endpoint fills in. */
static void
reply(uint8_t packet[LEN])
{
    const struct in6_addr ue = ip(UE);

    memcpy(packet, last, LEN);
    memcpy(packet + 12, last + 16, 4);
    memcpy(packet + 16, &ue.s6_addr[12], 4);
    packet[20] = ICMP4_ECHO_REPLY;
}

/* The bearer that a packet proves; 0 if it is consumed all the same, and -1 if
 * it goes on to the UE. */
static long long int
proves(const uint8_t *packet, size_t len)
{
    uint32_t id = 0xdead;

    return pinger_is_reply(packet, len, &id) ? (long long int) id : -1;
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
    const struct in6_addr ue = ip("2001:db8:1:2:3:4:5:6");
    uint8_t r[PINGER_PACKET_MAX];

    pinger_init(conf, record_sent, record_failed);
    n_sent = 0;
    ask(0x400, UE6, true);
    pinger_run();
    tap_ok(n_sent == 1 && !memcmp(last, head, sizeof head),
           "IPv6: an echo request to the target of the family");
    tap_ok(!sum6(), "IPv6: checksum");
    memcpy(r, last, sizeof r);
    memcpy(r + 24, &ue, sizeof ue);
    r[40] = ICMP6_ECHO_REPLY;
    tap_ok(proves(r, sizeof r) == 0x400,
           "IPv6: a reply to any address of the UE's names its bearer");
    tap_ok(proves(r, sizeof r - 1) < 0, "IPv6: not cut short");
    r[60] ^= 1;
    tap_ok(proves(r, sizeof r) < 0, "IPv6: not with another cookie");
    r[60] ^= 1;
    r[31] ^= 1;
    tap_ok(proves(r, sizeof r) == 0,
           "IPv6: to another UE it is ours, and proves nothing");
    pinger_destroy();
}

static void
test_not_yet(const struct conf *conf)
{
    pinger_init(conf, record_sent, record_failed);
    n_sent = n_failed = 0;
    n_not_yet = 2;
    ask(0x500, UE, true);
    run_until_failed(1);
    tap_ok(n_sent == conf->pinger.attempts && !n_not_yet,
           "what cannot be sent yet is no attempt");
    n_sent = n_failed = 0;
    n_not_yet = 1000;
    ask(0x600, UE, true);
    run_until_failed(1);
    tap_ok(!n_sent && n_failed == 1, "unless it never can");
    n_failed = 0;
    n_not_yet = 2;
    ask(0x600, UE, true);
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
    last_of = 0x100;            /* On a slow machine 0x200 asks once more. */
    ask(0x100, UE, false);
    ask(0x200, UE, true);
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

    reply(r);
    tap_ok(proves(r, LEN) == 0x100, "a reply names its bearer");
    r[40] ^= 1;
    tap_ok(proves(r, LEN) < 0, "not with another cookie");
    r[40] ^= 1;
    tap_ok(proves(r, LEN - 1) < 0, "not cut short");
    r[19] ^= 1;
    tap_ok(proves(r, LEN) == 0,
           "to another UE it is ours, and proves nothing");
    r[19] ^= 1;
    r[15] ^= 1;
    tap_ok(proves(r, LEN) == 0x100, "whoever sends it");
    pinger_stop(0x100);
    tap_ok(proves(r, LEN) == 0,
           "a second reply is ours and proves nothing");
    r[20] = ICMP4_ECHO_REQUEST;
    tap_ok(proves(r, LEN) < 0, "not a request");
    reply(r);
    ask(0x100, UE, true);
    tap_ok(proves(r, LEN) == 0, "nor when it is asked again");
    pinger_run();
    reply(r);
    tap_ok(proves(r, LEN) == 0x100, "then a new reply does");
    pinger_stop(0x100);
    last_of = 0;
}

static void
test_end_of_attempts(void)
{
    uint8_t r[LEN];

    run_until_failed(1);
    tap_ok(n_failed == 1 && failed[0] == 0x200 && n_sent == 5,
           "gives up after its attempts");
    reply(r);
    tap_ok(proves(r, LEN) == 0x200, "a late reply proves as much");
    ask(0x200, UE, true);
    tap_ok(proves(r, LEN) == 0x200, "also while others are asked for");
    tap_ok(pinger_is_active(0x200) && !pinger_is_active(0x300), "active");
    tap_ok(!pinger_has_target(AF_INET6), "no target of the other family");
    pinger_run();
    n_sent = 0;
    ask(0x300, UE6, true);
    pinger_run();
    tap_ok(!n_sent, "and nothing to ask");
}

static void
test_confirmed(void)
{
    unsigned int n_asked = 0, n_gave_up = 0;
    memset(sent, 0, sizeof sent);
    ask(0x700, UE, true);
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

/* Runs the Pinger for that long. */
static void
run_for(long long int ms)
{
    const long long int end = time_msec() + ms;

    while (time_msec() < end) {
        xnanosleep(1000000);
        pinger_run();
    }
}

static void
test_ask_on(const struct conf *conf)
{
    const struct in6_addr key = ip(UE);
    uint8_t r[LEN];

    pinger_init(conf, record_sent, record_failed);
    n_sent = n_failed = 0;
    ask(0xc00, UE, true);
    run_until_failed(1);
    pinger_ask_on(0xc00, &key);
    run_for(500);
    tap_ok(n_sent == conf->pinger.attempts, "who asks on pauses first");
    run_for(700);
    tap_ok(n_sent == conf->pinger.attempts + 1, "then asks once");
    pinger_ask_on(0xc00, &key);
    run_for(1500);
    tap_ok(n_sent == conf->pinger.attempts + 1, "then pauses for longer");
    run_for(700);
    tap_ok(n_sent == conf->pinger.attempts + 2 && n_failed == 1,
           "and asks again");
    reply(r);
    tap_ok(proves(r, LEN) == 0xc00, "a reply proves as much");
    ask(0xc00, UE, true);
    run_until_failed(2);
    tap_ok(n_sent == 2 * conf->pinger.attempts + 2 && n_failed == 2,
           "when it is urgent it is as ever");
    n_sent = 0;
    pinger_ask_on(0xd00, &key);
    pinger_run();
    tap_ok(n_sent == 1, "who was not asked for is at once");
    pinger_stop(0xd00);
    run_for(1200);
    tap_ok(n_sent == 1, "until a reply has served");
    pinger_destroy();
}

/* The mode of the file with the key, or 0. */
static mode_t
key_mode(const char *path)
{
    struct stat st;

    return stat(path, &st) || st.st_size != 16 ? 0 : st.st_mode & 07777;
}

/* What the next tofd makes of a reply to one before it. */
static long long int
next_proves(const struct conf *conf, const uint8_t packet[LEN])
{
    pinger_destroy();
    pinger_init(conf, record_sent, record_failed);
    return proves(packet, LEN);
}

/* Replies that come so late that nothing is known of the request. */
static void
test_late(const struct conf *conf)
{
    char *path = xasprintf("%s/pinger.key", dir);
    uint8_t r[LEN], own[LEN];

    pinger_init(conf, record_sent, record_failed);
    ask(0x800, UE, true);
    pinger_run();
    reply(r);
    tap_ok(proves(r, LEN) == 0x800, "a reply in time");
    tap_ok(next_proves(conf, r) == 0, "one after a restart is consumed");
    memcpy(own, r, LEN);
    memset(own + LEN - 8, 0, 8);
    tap_ok(proves(own, LEN) < 0, "a UE's ping that looks alike is its own");
    tap_ok(key_mode(path) == 0600, "nobody else can read the key");
    tap_ok(next_proves(conf, r) == 0, "and after one more");
    tap_ok(!chmod(path, 0644) && next_proves(conf, r) < 0
           && key_mode(path) == 0600, "a key that others could read is used "
           "no more");
    tap_ok(!truncate(path, 5) && next_proves(conf, r) < 0
           && key_mode(path) == 0600, "nor is half a key");
    tap_ok(!unlink(path) && !symlink("/dev/zero", path)
           && next_proves(conf, r) < 0 && key_mode(path) == 0600,
           "nor what a link leads to");
    pinger_destroy();
    unlink(path);
    free(path);
}

/* The number that OVS's generator makes after 'x'. */
static uint32_t
xorshift(uint32_t x)
{
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ x << 5;
}

/* Each request has a nonce of its own, and no word of them tells the next. */
static void
test_nonces(const struct conf *conf)
{
    unsigned int equal = 0, told = 0;
    const uint32_t *word = nonces[0];

    pinger_init(conf, record_sent, record_failed);
    n_sent = n_failed = 0;
    for (uint32_t id = 1; id <= 16; id++) {
        ask(id, UE, true);
    }
    run_until_failed(16);
    for (unsigned int i = 1; i < 4 * n_sent; i++) {
        told += word[i] == xorshift(word[i - 1]);
        for (unsigned int j = i % 4; j < i; j += 4) {
            equal += word[i] == word[j];
        }
    }
    tap_ok(n_sent == 48 && !told, "no nonce tells another");
    tap_ok(!equal, "each request has its own");
    pinger_destroy();
}

/* The kernel refuses getrandom() to this process from now on.  Returns false
 * if libc does without it. */
static bool
forbid_random_numbers(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { ARRAY_SIZE(code), code };
    uint8_t byte;

    return (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)
            && getrandom(&byte, 1, 0) < 0);
}

/* The last test: there is no way back. */
static void
test_without_random_numbers(const struct conf *conf)
{
    char *path = xasprintf("%s/pinger.key", dir);

    pinger_init(conf, record_sent, record_failed);
    if (!forbid_random_numbers()) {
        tap_ok(true, "without random numbers # SKIP they cannot be forbidden");
    } else {
        n_sent = n_failed = 0;
        ask(0xa00, UE, true);
        run_until_failed(1);
        tap_ok(!n_sent && n_failed == 1,
               "nothing is sent without random numbers");
        unlink(path);
        pinger_destroy();
        pinger_init(conf, record_sent, record_failed);
        ask(0xb00, UE, true);
        run_until_failed(2);
        tap_ok(!n_sent && n_failed == 2, "nor without a key");
    }
    pinger_destroy();
    unlink(path);
    free(path);
}

int
main(void)
{
    struct in6_addr targets[2] = { ip("203.0.113.10"), ip("2001:db8:9::10") };
    struct conf conf = {
        .run_dir = dir,
        .pinger = { targets, 1, .interval_ms = 10, .attempts = 3,
                    .rate_per_second = 1000 },
    };

    if (!mkdtemp(dir)) {
        return 1;
    }
    pinger_init(&conf, record_sent, record_failed);
    test_requests();
    test_replies();
    test_end_of_attempts();
    test_confirmed();
    pinger_destroy();

    conf.pinger.n_targets = 2;
    test_ipv6(&conf);
    test_not_yet(&conf);
    test_ask_on(&conf);
    test_late(&conf);
    test_nonces(&conf);
    test_without_random_numbers(&conf);
    tap_ok(!rmdir(dir), "nothing is left behind");
    return tap_done();
}
