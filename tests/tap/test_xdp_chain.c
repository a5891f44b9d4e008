/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The eBPF programs in the kernel, one frame at a time (xdptest.h): into a
 * chain of functions and out of it, as long as the switch lives. */

#include "xdptest.h"

/* A heartbeat comes through the switch. */
static bool
beat(void)
{
    struct frame f = { .bytes = { 1, 0x80, 0xc2, 0, 0, 0x30, [12] = 0x89, 2 },
                       .len = 64 };

    return (run(XDP_DEV_TUN, &f) == XDP_TX && unchanged(&f)
            && run(XDP_DEV_NAT, &f) == XDP_REDIRECT && unchanged(&f)
            && run(XDP_DEV_UE, &f) == XDP_DROP);
}

/* None has come for so long that the switch is taken for dead. */
static void
stop_beating(void)
{
    table->config->heartbeat -= XDP_LIVE_NS;
}

static bool
is_decapsulated(const struct frame *inner)
{
    return (out.len == 14 + inner->len
            && !memcmp(out.bytes + 14, inner->bytes, inner->len));
}

static void
test_chain(void)
{
    struct endpoint_bearer b = bearer(0x8101, 0x91, UE);
    struct frame service = inner_packet(UE, SERVICE, 20, 0);
    struct frame spoofed = inner_packet("10.45.0.8", SERVICE, 20, 0);
    struct in6_addr service_ip = ip(SERVICE);
    struct outer o = uplink(0x91), not_diverted = uplink(0x92);
    struct xdp_entry *e = xdp_table_entry(table, divert(&b));
    struct frame f = wrap(&o, &service);

    learn(&not_diverted, XDP_UP, false);
    xdp_table_service_set(table, &service_ip, XDP_CHAIN_ON);
    e->stamp = xdp_now();
    expect_untouched(XDP_DEV_ENB, &f,
                     "a service with a chain, before the switch lives");
    tap_ok(e->stamp & XDP_STAMP_FORWARDED, "and tofd is told that it went on");
    expect_switched(XDP_DEV_ENB, &not_diverted, &service,
                    "of a bearer that is not diverted, likewise");
    tap_ok(!xdp_table_switch_lives(table), "tofd knows");

    tap_ok(beat() && xdp_table_switch_lives(table), "a heartbeat");
    e->stamp = xdp_now();
    expect(XDP_DEV_ENB, &f, XDP_REDIRECT, XDP_UP_CHAIN, "into the chain");
    tap_ok(is_decapsulated(&service), "decapsulated");
    tap_ok(!(e->stamp & XDP_STAMP_FORWARDED), "it did not go on");
    expect_passed(XDP_DEV_ENB, &o, &spoofed, XDP_UP_FOREIGN_SOURCE,
                  "another inner source");
    expect_passed(XDP_DEV_ENB, &not_diverted, &service, XDP_UP_HOLD,
                  "of a bearer that is not diverted: held");
    stop_beating();
    expect(XDP_DEV_ENB, &f, XDP_REDIRECT, XDP_UP_FORWARD,
           "no heartbeats any more");
    beat();
    xdp_table_service_set(table, &service_ip, XDP_CHAIN_OFF);
    expect(XDP_DEV_ENB, &f, XDP_REDIRECT, XDP_UP_FORWARD,
           "a chain that is not there");
    xdp_table_service_set(table, &service_ip, XDP_CHAIN_NONE);
    stop_beating();
    expect(XDP_DEV_ENB, &f, XDP_REDIRECT, XDP_UP_DECAP,
           "a service without a chain needs no heartbeats");

    f = answer(b.id, &service);
    expect(XDP_DEV_NAT, &f, XDP_REDIRECT, XDP_NAT_FORWARD, "out of a chain");
    tap_ok(unchanged(&f), "as it is");
}

static void
test_chain_answers(void)
{
    struct endpoint_bearer b = bearer(0x8201, 0xa1, UE);
    struct frame inner = inner_packet(SERVICE, UE, 20, 0);
    struct frame f = answer(b.id, &inner), unclaimed = answer(0, &inner);
    struct in6_addr service_ip = ip(SERVICE);
    struct xdp_template *t = &table->templates[b.id >> 8];
    uint64_t count;

    divert(&b);
    xdp_table_service_set(table, &service_ip, XDP_CHAIN_ON);
    beat();
    count = xdp_template_count(t);
    expect(XDP_DEV_UE, &f, XDP_REDIRECT, XDP_UE_CHAIN,
           "an answer runs the chain");
    tap_ok(unchanged(&f) && xdp_template_count(t) == count,
           "as it is, not yet counted");
    expect(XDP_DEV_UE, &unclaimed, XDP_REDIRECT, XDP_UE_CHAIN,
           "so does what an app sends of its own accord");
    expect(XDP_DEV_TUN, &f, XDP_REDIRECT, XDP_UE_ENCAP,
           "out of the chain, into the tunnel");
    tap_ok(xdp_template_count(t) == count + XDP_COUNT(inner.len),
           "counted once");
    expect(XDP_DEV_TUN, &unclaimed, XDP_PASS, XDP_UE_UNCLAIMED,
           "what has no bearer is for tofd then");
    stop_beating();
    expect(XDP_DEV_UE, &f, XDP_DROP, XDP_UE_NO_CHAIN,
           "never past a dead switch");
    beat();
    xdp_table_service_set(table, &service_ip, XDP_CHAIN_OFF);
    expect(XDP_DEV_UE, &f, XDP_DROP, XDP_UE_NO_CHAIN,
           "nor past a chain that is not there");
    expect(XDP_DEV_UE, &unclaimed, XDP_DROP, XDP_UE_NO_CHAIN, "nor that");
    xdp_table_service_set(table, &service_ip, XDP_CHAIN_NONE);
    expect(XDP_DEV_UE, &f, XDP_REDIRECT, XDP_UE_ENCAP, "without a chain");
}

int
main(void)
{
    static void (*const tests[])(void) = {
        test_chain, test_chain_answers,
    };

    return xdptest_run(tests, sizeof tests / sizeof *tests);
}
