/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The eBPF programs in the kernel, one frame at a time (xdptest.h): what is
 * passed and what is switched.  And what they cost the verifier. */

#include "xdptest.h"

/* Instructions that the verifier walks through; its own limit is a million. */
#define INSNS_LIMIT 200000

static void
test_headers(void)
{
    static const struct {
        const char *name, *gtp;
    } good[] = {
        { "plain", "30ff" },
        { "spare bit", "38ff" },
        { "S", "32ff12340000" },
        { "S, next type without E", "32ff12340085" },
        { "PN", "31ff00000700" },
        { "E without an extension", "34ff00000000" },
        { "PDU Session Container", "34ff0000008501100500" },
        { "two extensions, S", "36ff000100c001123440010868" "00" },
        { "8 extensions", "34ff000000c0" "010000c0010000c0010000c0010000c0"
          "010000c0010000c0010000c001000000" },
        { "an extension of 12 bytes", "34ff000000c003" "00000000000000000000"
          "00" },
    }, bad[] = {
        { "9 extensions", "34ff000000c0" "010000c0010000c0010000c0010000c0"
          "010000c0010000c0010000c0010000c001000000" },
        { "an extension of no length", "34ff000000c000000000" },
        { "an extension beyond the end", "34ff000000c0ff000000" },
    }, other[] = {
        { "Echo Request", "3201" "00010000" },
        { "Echo Response", "3202" "00010000" },
        { "Error Indication", "321a" "00010000" },
        { "Supported Extension Headers", "321f" "00010000" },
        { "End Marker", "30fe" },
    }, none[] = {
        { "GTP'", "20ff" },
        { "version 2", "50ff" },
    };
    struct frame inner = inner_packet(UE, ELSEWHERE, 20, 0);
    struct outer o = uplink(1);

    learn(&o, XDP_UP, false);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        o.gtp = good[i].gtp;
        expect_switched(XDP_DEV_ENB, &o, &inner, good[i].name);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o.gtp = bad[i].gtp;
        expect_passed(XDP_DEV_ENB, &o, &inner, XDP_UP_MALFORMED, bad[i].name);
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        o.gtp = other[i].gtp;
        expect_passed(XDP_DEV_ENB, &o, &inner, XDP_UP_OTHER_TYPE,
                      other[i].name);
        expect_passed(XDP_DEV_SGW, &o, &inner, XDP_DOWN_OTHER_TYPE,
                      other[i].name);
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        o.gtp = none[i].gtp;
        expect_passed(XDP_DEV_ENB, &o, &inner, XDP_UP_NOT_GTPU, none[i].name);
    }
}

/* What a byte of the frame makes of it. */
static void
test_odd(void)
{
    enum { IP = 14, UDP = 34, GTP = 42, INNER = 50 };
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
        enum xdp_reason reason;
    } changes[] = {
        { "ARP", 13, 6, XDP_UP_NOT_GTPU },
        { "not version 4", IP, 0x55, XDP_UP_NOT_GTPU },
        { "IHL of 4", IP, 0x44, XDP_UP_NOT_GTPU },
        { "more fragments", IP + 6, 0x20, XDP_UP_NOT_GTPU },
        { "a fragment offset", IP + 7, 1, XDP_UP_NOT_GTPU },
        { "TCP", IP + 9, 6, XDP_UP_NOT_GTPU },
        { "IP length beyond the frame", IP + 2, 1, XDP_UP_NOT_GTPU },
        { "IP length shorter than UDP's", IP + 3, 30, XDP_UP_NOT_GTPU },
        { "another port", UDP + 3, 0x69, XDP_UP_NOT_GTPU },
        { "UDP length beyond IP's", UDP + 4, 1, XDP_UP_NOT_GTPU },
        { "GTP length beyond UDP's", GTP + 2, 1, XDP_UP_MALFORMED },
        { "GTP length less than UDP's", GTP + 3, 40, XDP_UP_MALFORMED },
        { "TEID 0", GTP + 7, 0, XDP_UP_MALFORMED },
        { "inner not IP", INNER, 0x15, XDP_UP_MALFORMED },
        { "inner IHL of 4", INNER, 0x44, XDP_UP_MALFORMED },
        { "inner length beyond the message", INNER + 2, 1,
          XDP_UP_MALFORMED },
        { "inner length less than its header", INNER + 3, 19,
          XDP_UP_MALFORMED },
        { "another TEID", GTP + 7, 99, XDP_UP_UNKNOWN },
        { "another receiver", IP + 19, 99, XDP_UP_UNKNOWN },
        { "another sender", IP + 15, 99, XDP_UP_NEW_SENDER },
    };
    struct frame inner = inner_packet(UE, ELSEWHERE, 20, 0);
    struct outer o = uplink(1);
    struct frame whole = wrap(&o, &inner), f = whole;

    expect_untouched(XDP_DEV_ENB, &f, "as it should be");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        f = whole;
        f.bytes[changes[i].at] = changes[i].value;
        expect(XDP_DEV_ENB, &f, XDP_PASS, changes[i].reason, changes[i].name);
    }
    f = whole;
    f.len += 6;
    expect_untouched(XDP_DEV_ENB, &f, "Ethernet padding");
    f = whole;
    f.bytes[IP + 6] = 0x40;
    f.bytes[IP + 10] ^= 1;
    expect_untouched(XDP_DEV_ENB, &f, "DF; a wrong header checksum");
}

/* Every beginning of a frame is passed, whatever it is cut off in. */
static void
test_truncated(void)
{
    struct frame inner4 = inner_packet(UE, ELSEWHERE, 4, 0);
    struct frame inner6 = inner_packet(UE6, SERVICE6, 4, 0);
    struct outer outers[] = { uplink(1), uplink6(1) };

    for (int i = 0; i < 8; i++) {
        struct outer o = outers[i & 1];
        o.gtp = i & 2 ? "36ff000100c001123440010868" "00" : "30ff";
        o.vlan = i & 4;
        struct frame f = wrap(&o, i & 1 ? &inner6 : &inner4);
        size_t whole = f.len, n = 0;

        for (f.len = 14; f.len < whole; f.len++) {
            n += (run(XDP_DEV_ENB, &f) == XDP_PASS && unchanged(&f)
                  && run(XDP_DEV_SGW, &f) == XDP_PASS && unchanged(&f));
        }
        tap_ok(n == whole - 14, "all %zu beginnings of frame %d",
               whole - 14, i);
    }
}

static void
test_families(void)
{
    static const char *const ends[2][2] = { { UE, ELSEWHERE },
                                            { UE6, "2001:db8::1" } };

    for (int i = 0; i < 8; i++) {
        struct outer o = i & 1 ? uplink6(2) : uplink(2);
        const char *const *end = ends[i >> 1 & 1];
        struct frame inner = inner_packet(end[0], end[1], 20, 0);
        char name[64];

        o.vlan = i & 4;
        learn(&o, XDP_UP, i & 2);
        snprintf(name, sizeof name, "IPv%d in IPv%d%s", i & 2 ? 6 : 4,
                 i & 1 ? 6 : 4, o.vlan ? ", VLAN" : "");
        expect_switched(XDP_DEV_ENB, &o, &inner, name);
    }
    struct outer o = uplink(3);
    struct frame inner = inner_packet(UE6, "2001:db8::1", 20, 0);
    struct frame f = wrap(&o, &inner);
    learn(&o, XDP_UP, false);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_UNKNOWN,
           "a tunnel learned for IPv4 is not known for IPv6");
    f.bytes[12] = 0x88;
    f.bytes[13] = 0xa8;
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_NOT_GTPU, "802.1ad");
}

/* In IPv6 an IPv4-mapped address is nobody's: not the IPv4 peer's, UE's or
 * service's that has the same form in the tables. */
static void
test_mapped(void)
{
    enum { OUTER_ADDR = 14 + 8, INNER_ADDR = 50 + 8 };
    const struct in6_addr ue = ip(UE), service = ip(SERVICE);
    struct outer o = uplink(1), o6 = uplink6(2);
    struct frame inner = inner_packet(UE, ELSEWHERE, 20, 0);
    struct frame inner6 = inner_packet(UE6, "2001:db8::1", 20, 0);

    learn(&o, XDP_UP, true);
    expect_switched(XDP_DEV_ENB, &o, &inner6, "IPv6 inside");
    struct frame whole = wrap(&o, &inner6), f = whole;
    memcpy(f.bytes + INNER_ADDR, &ue, 16);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_MALFORMED, "inner source mapped");
    f = whole;
    memcpy(f.bytes + INNER_ADDR + 16, &service, 16);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_MALFORMED,
           "inner destination mapped");

    /* The tunnel of these addresses is learned, but it is one of IPv4. */
    learn(&o, XDP_UP, false);
    f = wrap(&o6, &inner);
    f.bytes[14 + 40 + 8 + 7] = 1;                       /* TEID */
    memcpy(f.bytes + OUTER_ADDR, &o.t.src, 16);
    memcpy(f.bytes + OUTER_ADDR + 16, &o.t.dst, 16);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_NOT_GTPU,
           "outer addresses mapped");

    inner6 = inner_packet(SERVICE6, UE6, 20, 0);
    memcpy(inner6.bytes + 24, &ue, 16);
    expect_answer(0, &inner6, XDP_PASS, XDP_UE_NOT_IP,
                  "an answer to a mapped address");
}

static void
test_learned_ends(void)
{
    struct outer up = uplink(4), down = downlink(4);
    struct frame inner = inner_packet(UE, ELSEWHERE, 20, 0);

    xdp_table_learn(table, &up.t, XDP_UP, false, 0, xdp_now() - 1);
    xdp_table_learn(table, &down.t, XDP_DOWN, false, 0, xdp_now() - 1);
    expect_passed(XDP_DEV_ENB, &up, &inner, XDP_UP_UNKNOWN,
                  "not switched for longer than asked for, up");
    expect_passed(XDP_DEV_SGW, &down, &inner, XDP_DOWN_UNKNOWN, "down");
    learn(&up, XDP_UP, false);
    learn(&down, XDP_DOWN, false);
    expect_switched(XDP_DEV_ENB, &up, &inner, "learned again, up");
    expect_switched(XDP_DEV_SGW, &down, &inner, "learned again, down");
    expect_passed(XDP_DEV_SGW, &up, &inner, XDP_DOWN_UNKNOWN,
                  "an uplink tunnel is not one from the other side");
}

/* Nothing is redirected into nothing. */
static void
test_no_target(void)
{
    struct endpoint_bearer b = bearer(0x1101, 0x11, UE);
    struct frame plain = inner_packet(UE, ELSEWHERE, 20, 0);
    struct frame service = inner_packet(UE, SERVICE, 20, 0);
    struct frame back = inner_packet(SERVICE, UE, 20, 0);
    struct outer up = uplink(0x11), down = downlink(4);
    uint32_t devs = xdp_map_fd(xdp, "devs");

    divert(&b);
    for (uint32_t key = 0; key < XDP_N_DEVS; key++) {
        bpf_map_delete_elem(devs, &key);
    }
    expect_passed(XDP_DEV_ENB, &up, &plain, XDP_UP_NO_TARGET, "no SGW side");
    expect_passed(XDP_DEV_ENB, &up, &service, XDP_UP_NO_TARGET, "no ue0");
    expect_passed(XDP_DEV_SGW, &down, &plain, XDP_DOWN_NO_TARGET,
                  "no eNodeB side");
    expect_answer(b.id, &back, XDP_PASS, XDP_UE_NO_TARGET,
                  "no eNodeB side for an answer");
    for (int i = 0; i < XDP_N_DEVS; i++) {
        xdp_set_dev(xdp, i, LOOPBACK);
    }
}

static void
test_downlink(void)
{
    struct endpoint_bearer b = bearer(0x4101, 0x51, UE);
    struct frame to_ue = inner_packet(ELSEWHERE, UE, 20, 0);
    struct frame to_other = inner_packet(ELSEWHERE, "10.45.0.8", 20, 0);
    struct frame multicast = inner_packet(ELSEWHERE, "224.0.0.1", 20, 0);
    struct frame reply = echo_reply(TARGET, UE);
    struct frame other_reply = echo_reply(ELSEWHERE, UE);
    struct frame request = inner_packet(TARGET, UE, 8, 8);
    struct outer o = { .t = b.down };
    struct frame back = inner_packet(SERVICE, UE, 20, 0);

    divert(&b);
    expect_switched(XDP_DEV_SGW, &o, &to_ue, "to the UE");
    expect_passed(XDP_DEV_SGW, &o, &reply, XDP_DOWN_PINGER,
                  "an echo reply of a Pinger target");
    expect_switched(XDP_DEV_SGW, &o, &other_reply, "of somebody else");
    expect_switched(XDP_DEV_SGW, &o, &request, "an echo request");
    o.t.src = ip("10.1.0.77");
    expect_passed(XDP_DEV_SGW, &o, &to_ue, XDP_DOWN_NEW_SENDER,
                  "from another SGW");
    o.t = b.down;
    expect_answer(b.id, &back, XDP_REDIRECT, XDP_UE_ENCAP, "an answer");
    expect_switched(XDP_DEV_SGW, &o, &multicast, "to a multicast address");
    expect_passed(XDP_DEV_SGW, &o, &to_other, XDP_DOWN_REUSED,
                  "to another UE: the TEID has been given away");
    expect_answer(b.id, &back, XDP_PASS, XDP_UE_UNKNOWN,
                  "from then on nothing is sent there");
    divert(&b);
    xdp_table_learn(table, &b.down, XDP_DOWN, false, xdp_ue_key(&b.ue),
                    xdp_now() - 1);
    expect_passed(XDP_DEV_SGW, &o, &to_other, XDP_DOWN_REUSED,
                  "the same in a tunnel that is not switched here");
    expect_answer(b.id, &back, XDP_PASS, XDP_UE_UNKNOWN, "nor sent to");
}

static void
test_many_pingers(void)
{
    struct outer o = downlink(4);
    struct frame inner = echo_reply(ELSEWHERE, UE);

    table->config->n_pingers = XDP_PINGERS + 1;
    expect_passed(XDP_DEV_SGW, &o, &inner, XDP_DOWN_PINGER,
                  "more Pinger targets than fit: any echo reply may be one's");
    table->config->n_pingers = 1;
}

static void
test_cost(void)
{
    static const char *const names[XDP_N_DEVS] = {
        "tof_enb", "tof_sgw", "tof_ue", "tof_s1u", "tof_tun", "tof_nat",
        "tof_port", "tof_port",
    };

    for (int i = 0; i < XDP_N_DEVS; i++) {
        struct bpf_prog_info info = { 0 };
        uint32_t len = sizeof info;
        int error = bpf_obj_get_info_by_fd(xdp_prog_fd(xdp, i), &info, &len);

        tap_ok(!error && info.verified_insns <= INSNS_LIMIT,
               "%s: %u instructions verified (limit %u), %u bytes long",
               names[i], info.verified_insns, INSNS_LIMIT,
               info.jited_prog_len);
    }
}

int
main(void)
{
    static void (*const tests[])(void) = {
        test_headers, test_odd, test_truncated, test_families,
        test_mapped, test_learned_ends, test_no_target, test_downlink, test_many_pingers,
        test_cost,
    };

    return xdptest_run(tests, sizeof tests / sizeof *tests);
}
