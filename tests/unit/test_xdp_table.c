/* SPDX-License-Identifier: GPL-3.0-or-later */

/* xdp/table.h in plain memory: where tunnels, templates, paths and services
 * are put, and what makes room. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "tap.h"
#include "xdp/table.h"
#include "xdp/table_path.h"
#include "xdp/table_services.h"

static struct xdp_config config;
static struct xdp_table t = { .config = &config };

static void
start(uint32_t n_buckets)
{
    free(t.buckets);
    free(t.templates);
    free(t.paths);
    free(t.services);
    config = (struct xdp_config) {
        .n_buckets = n_buckets, .n_templates = 64, .seed = 12345,
        .evidence = xdp_ticks(10),
    };
    t.buckets = calloc(n_buckets, sizeof *t.buckets);
    t.templates = calloc(64, sizeof *t.templates);
    t.paths = calloc(XDP_PATHS, sizeof *t.paths);
    t.services = calloc(XDP_SERVICE_PLACES, sizeof *t.services);
    t.counts_known = false;
    memset(t.counts, 0, sizeof t.counts);
}

static struct endpoint_bearer
bearer(uint32_t id, uint32_t teid, const char *ue)
{
    return (struct endpoint_bearer) {
        .id = id, .space = 3, .ue = ip(ue),
        .up = { ip("10.1.0.1"), ip("10.1.0.2"), teid },
        .down = { ip("10.1.0.2"), ip("10.1.0.1"), teid + 1000 },
    };
}

static struct endpoint_bearer dumped;
static unsigned int n_dumped;

static void
dump_cb(const struct endpoint_bearer *b, uint32_t place, void *aux)
{
    dumped = *b;
    n_dumped++;
    *(uint32_t *) aux = place;
}

static void
test_layout(void)
{
    tap_ok(sizeof(struct xdp_entry) == 32 && sizeof(struct xdp_bucket) == 256
           && sizeof(struct xdp_template) == 64
           && sizeof(struct xdp_path) == 128
           && sizeof(struct xdp_service) == 32, "sizes of what is shared");
}

static void
test_divert(void)
{
    struct endpoint_bearer b = bearer(0x101, 7, "10.45.0.1");
    uint32_t now = xdp_now(), place, again, found = 0;

    start(64);
    place = xdp_table_divert(&t, &b, now);
    tap_ok(place != XDP_NOWHERE
           && xdp_table_entry(&t, place)->bearer == 0x101
           && xdp_table_entry(&t, place)->stamp == now, "a bearer is put in");
    struct xdp_entry before = *xdp_table_entry(&t, place);
    again = xdp_table_divert(&t, &b, 0);
    tap_ok(again == place
           && !memcmp(&before, xdp_table_entry(&t, place), sizeof before),
           "the same again changes nothing");
    xdp_table_entry(&t, place)->count = 5;
    b.up.src = ip("10.1.0.9");
    again = xdp_table_divert(&t, &b, now + 1);
    tap_ok(again == place && xdp_table_entry(&t, place)->meta != before.meta
           && xdp_table_entry(&t, place)->count == 5,
           "another sender: the same place, another version, same count");
    xdp_table_path_set(&t, &b.down.src, &b.down.dst,
                       (const uint8_t *) "12345678901234", 14);
    xdp_table_template_set(&t, &b, xdp_table_path_find(&t, &b.down.src,
                                                       &b.down.dst),
                           place, 0, now);
    n_dumped = 0;
    xdp_table_dump(&t, dump_cb, &found);
    tap_ok(n_dumped == 1 && found == place
           && !memcmp(&dumped, &b, sizeof b), "is dumped as it was set");
    xdp_table_release(&t, place, 0x102);
    tap_ok(xdp_table_entry(&t, place)->bearer == 0x101
           && XDP_META_KIND(xdp_table_entry(&t, place)->meta),
           "not released for another id");
    xdp_table_release(&t, place, 0x101);
    n_dumped = 0;
    xdp_table_dump(&t, dump_cb, &found);
    tap_ok(!n_dumped, "released");
}

static void
test_learn(void)
{
    struct endpoint_bearer b = bearer(0x101, 7, "10.45.0.1");
    uint64_t other = 0x0101;
    uint32_t now = xdp_now(), up, down;

    start(64);
    tap_ok(xdp_table_learn(&t, &b.up, XDP_UP, false, 0, now + 100)
           && xdp_table_learn(&t, &b.up, XDP_UP, true, 0, now + 100)
           && xdp_table_learn(&t, &b.up, XDP_DOWN, false, 0, now + 100),
           "one tunnel for each family and direction");
    up = xdp_table_divert(&t, &b, now);
    down = xdp_table_bind(&t, &b);
    tap_ok(xdp_table_learn(&t, &b.up, XDP_UP, false, other, now + 9)
           && xdp_table_entry(&t, up)->bearer == b.id
           && xdp_table_entry(&t, up)->stamp == now,
           "a diverted bearer stays so when it is learned again");
    xdp_table_learn(&t, &b.down, XDP_DOWN, false, xdp_ue_key(&b.ue),
                    now + 90);
    tap_ok(xdp_table_entry(&t, down)->bearer == b.id
           && xdp_table_entry(&t, down)->stamp == now + 90,
           "its downlink tunnel is switched for longer");
    xdp_table_learn(&t, &b.down, XDP_DOWN, false, other, now + 90);
    tap_ok(!xdp_table_entry(&t, down)->bearer,
           "a downlink tunnel with another UE is the bearer's no more");
    b.up.src = ip("10.1.0.9");
    xdp_table_learn(&t, &b.up, XDP_UP, false, xdp_ue_key(&b.ue), now + 90);
    tap_ok(!xdp_table_entry(&t, up)->bearer,
           "an uplink tunnel with another sender is diverted no more");
}

static void
test_unlearn(void)
{
    struct endpoint_bearer b = bearer(0x101, 7, "10.45.0.1");
    uint32_t now = xdp_now(), place;

    start(64);
    xdp_table_learn(&t, &b.up, XDP_UP, false, 0, now + 9);
    xdp_table_learn(&t, &b.down, XDP_DOWN, false, 0, now + 9);
    xdp_table_unlearn(&t, &b);
    unsigned int n = 0;
    for (uint32_t i = 0; i < 64 * XDP_BUCKET; i++) {
        n += XDP_META_KIND(xdp_table_entry(&t, i)->meta) != 0;
    }
    tap_ok(!n, "both tunnels of a bearer are unlearned");
    place = xdp_table_divert(&t, &b, now);
    xdp_table_unlearn(&t, &b);
    tap_ok(xdp_table_entry(&t, place)->bearer == b.id,
           "but not what is diverted");
}

/* One bucket holds them all. */
static void
test_full(void)
{
    uint32_t now = xdp_now(), n = 0, place;
    struct endpoint_bearer b;

    start(1);
    for (uint32_t teid = 1; teid <= 9; teid++) {
        b = bearer(teid << 8, teid, "10.45.0.1");
        n += xdp_table_learn(&t, &b.up, XDP_UP, false, 0, now + 100 + teid);
    }
    tap_ok(n == XDP_BUCKET, "what does not fit is not learned");
    b = bearer(0x5500, 99, "10.45.0.2");
    place = xdp_table_divert(&t, &b, now);
    tap_ok(place != XDP_NOWHERE, "a bearer pushes out what is only learned");
    b = bearer(0x100, 1, "10.45.0.1");
    tap_ok(!xdp_table_learn(&t, &b.up, XDP_UP, false, 0, now + 9),
           "namely what would have ended first");
    for (uint32_t i = 0; i < XDP_BUCKET; i++) {
        if (!t.buckets[0].e[i].bearer) {
            t.buckets[0].e[i].stamp = now - 1;
        }
    }
    tap_ok(xdp_table_learn(&t, &b.up, XDP_UP, false, 0, now + 9),
           "what has ended makes room");
    for (uint32_t i = 0, m = 1; i < XDP_BUCKET; i++) {
        b = bearer(0x6000 + (m++ << 8), 200 + i, "10.45.0.2");
        place = xdp_table_divert(&t, &b, now);
    }
    tap_ok(place == XDP_NOWHERE, "a bearer never pushes out a bearer");
}

/* In one bucket, and nothing but addresses tells them apart. */
static void
test_same_teid(void)
{
    struct endpoint_bearer a = bearer(0x101, 7, "10.45.0.1"), b = a, c = a;
    struct endpoint_bearer d = a;
    uint32_t now = xdp_now(), place, n = 0;

    start(1);
    b.id = 0x201;
    b.up.dst = b.down.src = ip("10.1.0.3");
    b.space = 4;
    c.up.dst = ip("fd01::3");
    d.up.dst = ip("fd01::4");
    place = xdp_table_divert(&t, &a, now);
    tap_ok(place != xdp_table_divert(&t, &b, now)
           && xdp_table_divert(&t, &a, 0) == place,
           "bearers with one TEID at two SGWs");
    xdp_table_learn(&t, &c.up, XDP_UP, false, 0, now + 9);
    xdp_table_learn(&t, &d.up, XDP_UP, false, 0, now + 9);
    xdp_table_learn(&t, &d.up, XDP_UP, false, 0, now + 9);
    for (uint32_t i = 0; i < XDP_BUCKET; i++) {
        n += XDP_META_KIND(t.buckets[0].e[i].meta) != 0;
    }
    tap_ok(n == 4, "and what is only switched, at others");
    n_dumped = 0;
    xdp_table_release(&t, place, a.id);
    xdp_table_dump(&t, dump_cb, &place);
    tap_ok(n_dumped == 1 && dumped.id == b.id && dumped.space == b.space
           && IN6_ARE_ADDR_EQUAL(&dumped.up.dst, &b.up.dst),
           "each with its own address and space");
}

/* UEs with one address behind one SGW, at one eNodeB. */
static void
test_spaces(void)
{
    struct endpoint_bearer a = bearer(0x101, 7, "10.45.0.1"), b = a;
    uint32_t now = xdp_now();

    start(8);
    b.id = 0x201;
    b.up.teid++;
    b.space = 4;
    uint32_t path = xdp_table_path_set(&t, &a.down.src, &a.down.dst,
                                       (const uint8_t[14]) { 2 }, 14);
    uint32_t one = xdp_table_divert(&t, &a, now);
    uint32_t two = xdp_table_divert(&t, &b, now);
    n_dumped = 0;
    xdp_table_release(&t, one, a.id);
    xdp_table_dump(&t, dump_cb, &two);
    tap_ok(n_dumped == 1 && dumped.space == 4
           && IN6_ARE_ADDR_EQUAL(&dumped.up.src, &b.up.src),
           "between the same two peers, each has its own address space");
    xdp_table_divert(&t, &a, now);
    b.space = 3;
    n_dumped = 0;
    xdp_table_divert(&t, &b, 0);
    xdp_table_release(&t, one, a.id);
    xdp_table_dump(&t, dump_cb, &two);
    tap_ok(n_dumped == 1 && dumped.space == 3, "which may change");
    tap_ok(xdp_table_path_find(&t, &a.down.src, &a.down.dst) == path,
           "headers are where they were");
}

static void
test_templates(void)
{
    struct endpoint_bearer b = bearer(0x101, 7, "10.45.0.1");
    struct xdp_template *x;
    uint32_t now = xdp_now();

    start(8);
    x = xdp_table_template_set(&t, &b, 1, 2, 0, now);
    tap_ok(x == &t.templates[1] && x->id == 0x101 && x->seen == now
           && !(x->version & 1), "a template is at its id's slot");
    uint32_t version = x->version;
    xdp_table_template_set(&t, &b, 1, 2, 0, 0);
    tap_ok(x->version == version && x->seen == now,
           "the same again changes nothing");
    b.down.teid++;
    xdp_table_template_set(&t, &b, 1, 2, 0, 0);
    tap_ok(x->version == version + 2 && now - x->seen >= config.evidence,
           "another tunnel without evidence has none");
    b.id = 0x102;
    x->own = 77;
    x->any = 5;
    tap_ok(xdp_template_count(x) == 82, "own and others' packets count");
    xdp_table_template_set(&t, &b, 1, 2, 0, now);
    tap_ok(x->id == 0x102 && !xdp_template_count(x) && x->own == 77,
           "another id counts from 0, and what programs write stays");
    x->own++;
    b.down.teid++;
    xdp_table_template_set(&t, &b, 1, 2, 0, now);
    tap_ok(xdp_template_count(x) == 1, "another tunnel counts on");
    b.down.teid++;
    xdp_table_template_change(&t, &b, 1, 3, 0, now);
    tap_ok(x->id == 0x102 && x->entry == 3, "changed while it is in use");
    tap_ok(!xdp_table_template_clear(&t, 0x101) && x->id == 0x102,
           "not cleared for another id");
    tap_ok(xdp_table_template_clear(&t, 0x102) && !x->id, "cleared");
    tap_ok(!xdp_table_template_clear(&t, 0x102),
           "it was out of use before it was cleared");
    xdp_table_template_change(&t, &b, 1, 2, 0, now);
    tap_ok(!x->id && x->entry == 2, "a change does not put it back into use");
    b.id = 64 << 8;
    tap_ok(!xdp_table_template_set(&t, &b, 1, 2, 0, now),
           "no place for this slot");
}

static void
test_paths(void)
{
    struct in6_addr a = ip("10.1.0.2"), b = ip("10.1.0.1");
    struct in6_addr c = ip("fd01::1");
    const uint8_t *l2 = (const uint8_t *) "dstmacsrcmac\x08\x00";
    uint32_t one, two, version;

    start(8);
    one = xdp_table_path_set(&t, &a, &b, l2, 14);
    two = xdp_table_path_set(&t, &b, &a, l2, 14);
    tap_ok(one && two && one != two
           && xdp_table_path_find(&t, &a, &b) == one
           && !xdp_table_path_find(&t, &a, &c), "found by both addresses");
    version = t.paths[one].version;
    tap_ok(xdp_table_path_set(&t, &a, &b, l2, 14) == one
           && t.paths[one].version == version,
           "the same again changes nothing");
    tap_ok(xdp_table_path_set(&t, &a, &b,
                              (const uint8_t *) "other!srcmac\x08\x00", 14)
           == one && t.paths[one].version == version + 2,
           "another header is put in place");
    two = xdp_table_path_get(&t, &a, &c, 0);
    tap_ok(two && !xdp_table_path_find(&t, &a, &c)
           && xdp_table_path_set(&t, &a, &c, l2, 14) == two
           && xdp_table_path_find(&t, &a, &c) == two,
           "a path may be there before its header");
}

static void
test_services(void)
{
    struct in6_addr v4 = ip("198.51.100.10"), v6 = ip("2001:db8::1");
    unsigned int n = 0;

    start(8);
    tap_ok(!xdp_table_service_set(&t, &v4, XDP_CHAIN_NONE)
           && !xdp_table_service_set(&t, &v4, XDP_CHAIN_NONE)
           && !xdp_table_service_set(&t, &v6, XDP_CHAIN_NONE)
           && xdp_table_service_find(&t, &v4) != XDP_NOWHERE
           && xdp_table_service_find(&t, &v6) != XDP_NOWHERE,
           "services of both families");
    uint32_t index = xdp_table_service_find(&t, &v4);
    xdp_table_service_set(&t, &v4, XDP_CHAIN_ON);
    tap_ok(xdp_table_service_find(&t, &v4) == index
           && t.services[index].chain == XDP_CHAIN_ON,
           "a service's chain changes in place");
    xdp_table_service_clear(&t, &v4);
    tap_ok(!xdp_table_service_set(&t, &v4, XDP_CHAIN_OFF)
           && t.services[xdp_table_service_find(&t, &v4)].chain
           == XDP_CHAIN_OFF, "and is no earlier one's");
    xdp_table_service_bypass(&t, &v4, XDP_CHAIN_ON);
    tap_ok(t.services[xdp_table_service_find(&t, &v4)].bypassed,
           "it may be bypassed");
    xdp_table_service_set(&t, &v4, XDP_CHAIN_ON);
    tap_ok(!t.services[xdp_table_service_find(&t, &v4)].bypassed,
           "and not any more");
    xdp_table_service_clear(&t, &v4);
    for (size_t i = 0; i < XDP_SERVICE_PLACES / 64; i++) {
        n += __builtin_popcountll(config.service_bits[i]);
    }
    tap_ok(xdp_table_service_find(&t, &v4) == XDP_NOWHERE
           && xdp_table_service_find(&t, &v6) != XDP_NOWHERE && n == 1,
           "one of them is cleared, with its bit");
}

static struct in6_addr
nth_service(uint32_t i)
{
    struct in6_addr addr = ip("198.18.0.0");
    uint32_t ipv4 = htonl(0xc6120000 + i);

    memcpy(addr.s6_addr + 12, &ipv4, sizeof ipv4);
    return addr;
}

/* As many as there may be, each counted by itself; no more; and one that goes
 * makes room, also after a restart. */
static void
test_many_services(void)
{
    static uint8_t counted[XDP_SERVICES];
    struct in6_addr more = ip("2001:db8::77"), gone = nth_service(7);
    bool ok = true;

    start(8);
    for (uint32_t i = 0; i < XDP_SERVICES; i++) {
        struct in6_addr addr = nth_service(i);
        ok = ok && xdp_table_service_fits(&t, &addr)
             && !xdp_table_service_set(&t, &addr, XDP_CHAIN_NONE);
    }
    for (uint32_t i = 0; ok && i < XDP_SERVICES; i++) {
        struct in6_addr addr = nth_service(i);
        uint32_t index = xdp_table_service_find(&t, &addr);

        ok = index != XDP_NOWHERE && !counted[t.services[index].stats]++;
    }
    tap_ok(ok, "%d services", XDP_SERVICES);
    tap_ok(!xdp_table_service_fits(&t, &more)
           && xdp_table_service_set(&t, &more, XDP_CHAIN_NONE) == ENOSPC,
           "there is no room for one more");
    uint32_t stats = t.services[xdp_table_service_find(&t, &gone)].stats;
    xdp_table_service_clear(&t, &gone);
    t.counts_known = false;
    memset(t.counts, 0, sizeof t.counts);
    tap_ok(xdp_table_service_fits(&t, &more)
           && !xdp_table_service_set(&t, &more, XDP_CHAIN_NONE)
           && t.services[xdp_table_service_find(&t, &more)].stats == stats,
           "one that goes makes room");
}

static void
test_counts(void)
{
    __u64 count = 0;
    uint64_t last = 0, packets = 0, bytes = 0;

    for (int i = 0; i < 1000; i++) {
        count += XDP_COUNT(1ull << 30);
    }
    xdp_count_read(count, &last, &packets, &bytes);
    for (int i = 0; i < 100; i++) {
        count += XDP_COUNT(1ull << 30);
    }
    xdp_count_read(count, &last, &packets, &bytes);
    tap_ok(packets == 1100 && bytes == 1100ull << 30,
           "counts run on when bytes carry into packets");
}

int
main(void)
{
    test_layout();
    test_divert();
    test_learn();
    test_unlearn();
    test_full();
    test_same_teid();
    test_spaces();
    test_templates();
    test_paths();
    test_services();
    test_many_services();
    test_counts();
    return tap_done();
}
