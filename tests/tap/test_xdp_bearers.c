/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The eBPF programs in the kernel, one frame at a time (xdptest.h): diverted
 * bearers, what goes to services and what comes back. */

#define _GNU_SOURCE 1

#include <sched.h>

#include "xdptest.h"

/* What comes out of tof_enb for a service. */
static void
expect_decap(const struct outer *o, const struct frame *inner,
             const struct endpoint_bearer *b, const char *name)
{
    const uint8_t eth[12] = { 2, 0, 0, 0, b->space >> 8, b->space,
                              2, 0, b->id >> 24, b->id >> 16, b->id >> 8,
                              b->id };
    struct frame f = wrap(o, inner);

    expect(XDP_DEV_ENB, &f, XDP_REDIRECT, XDP_UP_DECAP, name);
    tap_ok(out.len == 14 + inner->len && !memcmp(out.bytes, eth, 12)
           && out.bytes[12] == (inner->bytes[0] >> 4 == 6 ? 0x86 : 0x08)
           && out.bytes[13] == (inner->bytes[0] >> 4 == 6 ? 0xdd : 0x00)
           && !memcmp(out.bytes + 14, inner->bytes, inner->len),
           "%s: bearer id and space in the MACs, the inner packet", name);
}

static void
test_decap(void)
{
    struct endpoint_bearer b = bearer(0x2105, 0x21, UE);
    struct in6_addr service_ip = ip(SERVICE);
    struct frame service = inner_packet(UE, SERVICE, 20, 0);
    struct frame plain = inner_packet(UE, ELSEWHERE, 20, 0);
    struct frame spoofed = inner_packet("10.45.0.8", SERVICE, 20, 0);
    struct outer o = uplink(0x21);
    uint32_t place = divert(&b);
    struct xdp_entry *e = xdp_table_entry(table, place);

    expect_decap(&o, &service, &b, "diverted");
    o.vlan = true;
    expect_decap(&o, &service, &b, "diverted, VLAN");
    o.vlan = false;
    o.gtp = "36ff000100c001123440010868" "00";
    expect_decap(&o, &service, &b, "diverted, two extensions");
    o.gtp = NULL;
    tap_ok(e->count == 3 * XDP_COUNT(service.len), "counted");

    expect_switched(XDP_DEV_ENB, &o, &plain, "not to a service");
    expect_passed(XDP_DEV_ENB, &o, &spoofed, XDP_UP_FOREIGN_SOURCE,
                  "another inner source");
    xdp_table_service_bypass(table, &service_ip, XDP_CHAIN_NONE);
    expect_passed(XDP_DEV_ENB, &o, &service, XDP_UP_BYPASSED,
                  "to a service that is bypassed");
    xdp_table_service_set(table, &service_ip, XDP_CHAIN_NONE);
    expect_decap(&o, &service, &b, "in force again");
    o.t.src = ip("10.1.0.7");
    expect_passed(XDP_DEV_ENB, &o, &service, XDP_UP_NEW_SENDER,
                  "another sender");

    o = uplink(0x22);
    learn(&o, XDP_UP, false);
    expect_passed(XDP_DEV_ENB, &o, &service, XDP_UP_HOLD,
                  "a bearer that is not diverted");
    o = uplink(0x23);
    expect_passed(XDP_DEV_ENB, &o, &service, XDP_UP_UNKNOWN,
                  "a bearer that is not known");
}

static void
test_decap6(void)
{
    struct endpoint_bearer b = bearer(0x2205, 0x31, UE6);
    struct frame service = inner_packet("2001:db8:45:9::77", SERVICE6, 33, 0);
    struct frame spoofed = inner_packet("2001:db8:45:8::1", SERVICE6, 33, 0);
    struct frame v4 = inner_packet(UE, SERVICE, 33, 0);
    struct outer o = uplink6(0x31);

    b.up = o.t;
    divert(&b);
    expect_decap(&o, &service, &b, "IPv6 in IPv6");
    expect_passed(XDP_DEV_ENB, &o, &spoofed, XDP_UP_FOREIGN_SOURCE,
                  "an inner source of another /64");
    expect_passed(XDP_DEV_ENB, &o, &v4, XDP_UP_UNKNOWN,
                  "IPv4 in a tunnel diverted for IPv6");
}

static void
test_evidence(void)
{
    struct endpoint_bearer b = bearer(0x3101, 0x41, UE);
    struct frame service = inner_packet(UE, SERVICE, 20, 0);
    struct frame plain = inner_packet(UE, ELSEWHERE, 20, 0);
    struct frame spoofed = inner_packet("10.45.0.8", ELSEWHERE, 20, 0);
    struct frame back = inner_packet(SERVICE, UE, 20, 0);
    struct outer o = uplink(0x41);
    struct xdp_entry *e = xdp_table_entry(table, divert(&b));
    struct xdp_template *t = &table->templates[b.id >> 8];
    uint32_t ev = xdp_ticks(EVIDENCE);
    struct frame f = wrap(&o, &plain);

    e->stamp = xdp_now() - ev / 2;
    run(XDP_DEV_ENB, &f);
    tap_ok(xdp_now() - (e->stamp & XDP_TICK_MASK) <= 1
           && e->stamp & XDP_STAMP_FORWARDED,
           "any packet of the UE is evidence; this one went on");
    uint32_t stamp = e->stamp = xdp_now() - ev / 2;
    f = wrap(&o, &spoofed);
    run(XDP_DEV_ENB, &f);
    tap_ok(e->stamp == stamp, "one of another source is none");

    t->seen = xdp_now() - ev;
    e->stamp = xdp_now();
    expect_answer(b.id, &back, XDP_REDIRECT, XDP_UE_ENCAP,
                  "an answer asks the uplink tunnel for evidence");
    tap_ok(xdp_now() - t->seen <= 1, "and remembers it");

    stamp = e->stamp = t->seen = xdp_now() - ev;
    expect_passed(XDP_DEV_ENB, &o, &service, XDP_UP_STALE,
                  "after a silence nothing is diverted");
    expect_passed(XDP_DEV_ENB, &o, &plain, XDP_UP_STALE,
                  "nor switched unseen");
    tap_ok(e->stamp == stamp, "nor is that evidence");
    expect_answer(b.id, &back, XDP_PASS, XDP_UE_STALE, "nor is anything sent");
    divert(&b);
    f = wrap(&o, &service);
    expect(XDP_DEV_ENB, &f, XDP_REDIRECT, XDP_UP_DECAP, "until proved");
    expect_answer(b.id, &back, XDP_REDIRECT, XDP_UE_ENCAP,
                  "then answers go, too");
}

/* The frame is what gtpu_build() makes, behind 'header'. */
static void
expect_encap(const struct endpoint_bearer *b, const struct frame *inner,
             uint8_t dscp, const uint8_t *header, size_t header_len,
             const char *name)
{
    struct frame f = answer(b->id, inner), wanted = { .len = 0 };

    append(&wanted, header, header_len);
    wanted.len += gtpu_build(wanted.bytes + header_len,
                             sizeof wanted.bytes - header_len, &b->down, dscp,
                             b->down_qfi, inner->bytes, inner->len);
    expect(XDP_DEV_UE, &f, XDP_REDIRECT, XDP_UE_ENCAP, name);
    tap_ok(unchanged(&wanted), "%s: byte for byte", name);
    for (size_t i = 0; i < wanted.len && !unchanged(&wanted); i++) {
        if (out.bytes[i] != wanted.bytes[i]) {
            tap_diag("byte %zu is %02x, not %02x; %zu bytes of %zu", i,
                     out.bytes[i], wanted.bytes[i], out.len, wanted.len);
            break;
        }
    }
    f.len += 5;
    run(XDP_DEV_UE, &f);
    tap_ok(unchanged(&wanted), "%s: without what was behind it", name);
}

static void
test_encap(void)
{
    static const uint8_t vlan[18] = {
        2, 0xe, 0, 0, 0, 1, 2, 0xa, 0, 0, 0, 1, 0x81, 0, 0x60, 7, 8, 0,
    };
    struct endpoint_bearer b = bearer(0x5107, 0x61, UE);
    struct xdp_template *t = &table->templates[b.id >> 8];
    uint32_t now = xdp_now(), place;

    for (size_t len = 0; len <= 1400; len += 350) {
        struct frame inner = inner_packet(SERVICE, UE, len, 0);
        char name[64];

        snprintf(name, sizeof name, "IPv4, %zu bytes", len);
        b.down_qfi = len == 350 ? QFI_PRESENT | 9 : 0;
        place = divert(&b);
        expect_encap(&b, &inner, 0, l2, 14, name);
    }
    tap_ok(xdp_template_count(t) >> XDP_COUNT_SHIFT, "counted");

    struct frame inner = inner_packet(SERVICE, UE, 100, 0);
    b.down.src = ip("10.1.0.22");
    b.down_qfi = QFI_PRESENT | 63;
    uint32_t path = xdp_table_path_set(table, &b.down.src, &b.down.dst, vlan,
                                       sizeof vlan);
    place = xdp_table_divert(table, &b, now);
    xdp_table_template_set(table, &b, path, place, 0xb8, now);
    expect_encap(&b, &inner, 0xb8 >> 2, vlan, sizeof vlan, "VLAN, DSCP, QFI");
}

static void
test_encap_processors(void)
{
    struct endpoint_bearer b = bearer(0x5307, 0x63, UE);
    struct frame inner = inner_packet(SERVICE, UE, 100, 0);
    struct frame f = answer(b.id, &inner);
    struct xdp_template *t = &table->templates[b.id >> 8];
    cpu_set_t all, one;

    divert(&b);
    sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
    run(XDP_DEV_UE, &f);
    run(XDP_DEV_UE, &f);
    run(XDP_DEV_UE, &f);
    sched_setaffinity(0, sizeof all, &all);
    tap_ok(xdp_template_count(t) == 3 * XDP_COUNT(inner.len)
           && t->own == 2 * XDP_COUNT(inner.len),
           "the processor that has begun counts without a lock");
    t->owner = UINT32_MAX;
    run(XDP_DEV_UE, &f);
    tap_ok(xdp_template_count(t) == 4 * XDP_COUNT(inner.len)
           && t->own == 2 * XDP_COUNT(inner.len), "others beside it");
}

static void
test_encap6(void)
{
    static const uint8_t eth[] = { 2, 0xe, 0, 0, 0, 1, 2, 0xa, 0, 0, 0, 1,
                                   0x86, 0xdd };
    static const size_t lengths[] = { 0, 1, 2, 3, 55, 56, 57, 63, 64, 65,
                                      500, 1379, 1380 };
    struct endpoint_bearer b = bearer(0x5207, 0x62, UE6);
    uint32_t now = xdp_now(), place, path;

    b.down.src = ip("fd01::2");
    b.down.dst = ip("fd01::1");
    path = xdp_table_path_set(table, &b.down.src, &b.down.dst, eth,
                              sizeof eth);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct frame inner = inner_packet(SERVICE6, UE6, lengths[i], 0);
        char name[64];

        b.down_qfi = i & 1 ? QFI_PRESENT : 0;
        place = xdp_table_divert(table, &b, now);
        xdp_table_template_set(table, &b, path, place, 0x28, now);
        snprintf(name, sizeof name, "IPv6 in IPv6, %zu bytes", lengths[i]);
        expect_encap(&b, &inner, 0x28 >> 2, eth, sizeof eth, name);
        tap_ok(!checksum(out.bytes + 54, out.len - 54,
                         (uint16_t) ~checksum(out.bytes + 22, 32, 0)
                         + (out.len - 54) + IPPROTO_UDP),
               "UDP checksum");
    }
}

static void
test_answers_not_sent(void)
{
    struct endpoint_bearer b = bearer(0x6101, 0x71, UE);
    struct frame inner = inner_packet(SERVICE, UE, 20, 0);
    struct frame other = inner_packet(SERVICE, "10.45.0.8", 20, 0);
    struct frame v6 = inner_packet(SERVICE6, UE6, 20, 0);
    struct frame f;

    divert(&b);
    expect_answer(0, &inner, XDP_PASS, XDP_UE_UNCLAIMED, "no bearer");
    expect_answer(0x6102, &inner, XDP_PASS, XDP_UE_UNKNOWN,
                  "a bearer of another generation");
    expect_answer(0xffffff00, &inner, XDP_PASS, XDP_UE_UNKNOWN,
                  "a slot that there is not");
    expect_answer(b.id, &other, XDP_DROP, XDP_UE_FOREIGN, "to another UE");
    expect_answer(b.id, &v6, XDP_DROP, XDP_UE_FOREIGN, "of another family");
    f = answer(b.id, &inner);
    f.len--;
    expect(XDP_DEV_UE, &f, XDP_PASS, XDP_UE_NOT_IP, "cut off");
    f = answer(b.id, &inner);
    f.bytes[0] = 0x33;
    expect(XDP_DEV_UE, &f, XDP_PASS, XDP_UE_NOT_IP, "to another MAC");
    f = answer(b.id, &inner);
    xdp_table_template_set(table, &b, 0,
                           table->templates[b.id >> 8].entry, 0, xdp_now());
    expect(XDP_DEV_UE, &f, XDP_PASS, XDP_UE_NO_PATH, "no path");
    xdp_table_template_clear(table, b.id);
    expect(XDP_DEV_UE, &f, XDP_PASS, XDP_UE_UNKNOWN, "a cleared bearer");
}

/* Tables that are being written are not read. */
static void
test_torn(void)
{
    struct endpoint_bearer b = bearer(0x7101, 0x81, UE);
    struct frame service = inner_packet(UE, SERVICE, 20, 0);
    struct frame back = inner_packet(SERVICE, UE, 20, 0);
    struct outer o = uplink(0x81);
    struct xdp_entry *e = xdp_table_entry(table, divert(&b));
    struct xdp_template *t = &table->templates[b.id >> 8];
    uint32_t meta = e->meta;

    e->meta &= ~0xff;
    expect_passed(XDP_DEV_ENB, &o, &service, XDP_UP_UNKNOWN, "an entry");
    e->meta = meta;
    t->version++;
    expect_answer(b.id, &back, XDP_PASS, XDP_UE_UNKNOWN, "a template");
    t->version++;
    table->paths[t->path].version++;
    expect_answer(b.id, &back, XDP_PASS, XDP_UE_NO_PATH, "a path");
    table->paths[t->path].version++;
    expect_answer(b.id, &back, XDP_REDIRECT, XDP_UE_ENCAP, "when written");
}

static void
test_service_counters(void)
{
    struct in6_addr service = ip(SERVICE);
    uint32_t index = xdp_table_service_find(table, &service);
    struct xdp_service_stats s;

    tap_ok(!xdp_read_service_stats(xdp, table->services[index].stats, &s)
           && s.up_packets && s.down_packets
           && s.up_bytes >= 48 * s.up_packets
           && s.down_bytes >= 28 * s.down_packets, "services are counted");
}

int
main(void)
{
    static void (*const tests[])(void) = {
        test_decap, test_decap6, test_evidence, test_encap,
        test_encap_processors, test_encap6, test_answers_not_sent,
        test_torn, test_service_counters,
    };

    return xdptest_run(tests, sizeof tests / sizeof *tests);
}
