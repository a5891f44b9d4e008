/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Ethernet headers (l2.c) and the paths made of them (path.c), with a map of
 * the kernel's and a switch that are in memory here. */

#include <config.h>

#include <errno.h>
#include <string.h>

#include "filter/l2.h"
#include "ovs/ofctl.h"
#include "ovs/path.h"
#include "packets.h"
#include "tap.h"
#include "util.h"

enum { SPARE = 16384 };         /* What path.c keeps for nobody. */

static uint8_t mac;             /* Last byte of each header's addresses. */
static int no_map;              /* Why the kernel knows no header, or 0. */
static int n_flows;
static uint64_t first_cookie;   /* Of the first flow since it was 0. */
static char first_flow[512];

int
filter_l2_get(enum filter_side side OVS_UNUSED,
              const struct in6_addr *src OVS_UNUSED,
              const struct in6_addr *dst OVS_UNUSED, struct l2_header *l2)
{
    if (no_map) {
        return no_map;
    }
    *l2 = (struct l2_header) { .bytes = { 2, 0, 0, 0, 0, mac, 2, 0, 0, 0, 1,
                                          mac, 8 }, .len = ETH_HEADER_LEN };
    return 0;
}

void
filter_l2_forget(enum filter_side side OVS_UNUSED,
                 const struct in6_addr *src OVS_UNUSED,
                 const struct in6_addr *dst OVS_UNUSED)
{
}

int
ofctl_set(struct ofctl *ofctl OVS_UNUSED, uint64_t cookie, const char *text)
{
    if (!first_cookie) {
        first_cookie = cookie;
        first_flow[0] = '\0';
    }
    if (cookie != first_cookie) {
        n_flows += *text ? 1 : -1;
    } else {
        n_flows += !!*text - !!*first_flow;
        ovs_strlcpy(first_flow, text, sizeof first_flow);
    }
    return 0;
}

uint64_t
ofctl_seqno(const struct ofctl *ofctl OVS_UNUSED)
{
    return 1;
}

bool
ofctl_acked(const struct ofctl *ofctl OVS_UNUSED, uint64_t seqno)
{
    return seqno <= 1;
}

bool
ofctl_is_refused(const struct ofctl *ofctl OVS_UNUSED,
                 uint64_t cookie OVS_UNUSED)
{
    return false;
}

static const struct in6_addr sgw = { .s6_addr = { [10] = 0xff, 0xff, 10, 1, 0,
                                                  2 } };

static struct in6_addr
enb(uint32_t n)
{
    return (struct in6_addr) {
        .s6_addr = { [10] = 0xff, 0xff, 10, 2 + (n >> 16), n >> 8, n } };
}

static void
start(void)
{
    l2_init(path_changed);
    path_init(NULL);
    path_ports(1, 2);
    mac = 1;
    no_map = 0;
    n_flows = 0;
    first_cookie = 0;
}

static void
end(void)
{
    path_destroy();
    l2_destroy();
}

/* As packets from many eNodeBs, all made up, would. */
static void
see(uint32_t from, uint32_t to)
{
    const uint8_t src_mac[] = { 2, 0, 0, 0, 1, mac };

    for (uint32_t n = from; n < to; n++) {
        const struct in6_addr addr = enb(n);
        l2_seen(SIDE_ENB, &addr, &sgw, src_mac, 0);
    }
}

static bool
knows(uint32_t n)
{
    const struct in6_addr addr = enb(n);
    struct l2_header l2;

    return l2_get(SIDE_ENB, &addr, &sgw, &l2);
}

static void
test_headers(void)
{
    start();
    see(0, L2_MAX);
    see(0, 1);
    see(L2_MAX, L2_MAX + 1000);
    no_map = ENOENT;
    tap_ok(!knows(1) && !knows(1000), "headers are not kept without limit");
    tap_ok(knows(0) && knows(1001) && knows(L2_MAX + 999),
           "those that were not seen for longest are forgotten");
    end();
}

static void
use(uint32_t from, uint32_t to)
{
    for (uint32_t n = from; n < to; n++) {
        const struct in6_addr addr = enb(n);
        path_use(SIDE_ENB, &addr, &sgw);
    }
}

static void
test_paths(void)
{
    const struct in6_addr addr = enb(0);
    struct path *kept, *again;

    start();
    tap_ok(path_use(SIDE_ENB, &addr, &sgw) && n_flows == 1
           && strstr(first_flow, "02:00:00:00:00:01->eth_dst"),
           "a path has a flow");
    use(1, SPARE + 1000);
    tap_ok(n_flows == SPARE && !*first_flow,
           "flows are not kept without limit");

    first_cookie = 0;
    kept = path_keep(SIDE_ENB, &addr, &sgw);
    again = path_keep(SIDE_ENB, &addr, &sgw);
    path_drop(again);
    use(SPARE + 1000, 3 * SPARE);
    tap_ok(kept && kept == again && n_flows == SPARE + 1 && *first_flow,
           "what somebody keeps stays");
    path_drop(kept);
    tap_ok(n_flows == SPARE && *first_flow, "and may go when nobody does");
    use(3 * SPARE, 4 * SPARE);
    tap_ok(n_flows == SPARE && !*first_flow, "after the others");
    end();
}

static void
test_change(void)
{
    const struct in6_addr addr = enb(0);
    struct path *path;

    start();
    path = path_keep(SIDE_ENB, &addr, &sgw);
    mac = 9;
    see(0, 1);
    tap_ok(strstr(first_flow, "02:00:00:00:00:09->eth_dst"),
           "a flow follows the header");
    see(1, L2_MAX + 1);
    mac = 5;
    see(0, 1);
    tap_ok(strstr(first_flow, "02:00:00:00:00:05->eth_dst"),
           "even if that had been forgotten");
    path_drop(path);
    end();
}

/* Restored before the kernel can be asked; that one may know better. */
static void
test_restored(void)
{
    const struct l2_header old = { .bytes = { 2, 0, 0, 0, 0, 7 },
                                   .len = ETH_HEADER_LEN };
    const struct in6_addr addrs[] = { enb(0), enb(1) };

    start();
    no_map = ENOTCONN;
    for (int i = 0; i < 2; i++) {
        l2_restored(SIDE_ENB, &addrs[i], &sgw, &old);
    }
    no_map = ENOENT;
    path_use(SIDE_ENB, &addrs[0], &sgw);
    tap_ok(strstr(first_flow, "02:00:00:00:00:07->eth_dst"),
           "a header is restored");
    no_map = 0;
    see(0, 1);
    tap_ok(strstr(first_flow, "02:00:00:00:00:01->eth_dst"),
           "until one is seen");
    first_cookie = 0;
    path_use(SIDE_ENB, &addrs[1], &sgw);
    tap_ok(strstr(first_flow, "02:00:00:00:00:01->eth_dst"),
           "or the kernel's map has one");
    end();
}

int
main(void)
{
    test_headers();
    test_paths();
    test_change();
    test_restored();
    return tap_done();
}
