/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The eBPF programs in the kernel, one frame at a time (BPF_PROG_RUN), with
 * tables of the test's own: what is passed, what is redirected, what comes
 * out.  And what they cost the verifier. */

#define _GNU_SOURCE 1

#include "nettest.h"
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
    struct frame f;

    learn(&o, XDP_UP, false);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        o.gtp = good[i].gtp;
        f = wrap(&o, &inner);
        expect_switched(XDP_DEV_ENB, &f, good[i].name);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o.gtp = bad[i].gtp;
        f = wrap(&o, &inner);
        expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_MALFORMED, "%s",
               bad[i].name);
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        o.gtp = other[i].gtp;
        f = wrap(&o, &inner);
        expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_OTHER_TYPE, "%s",
               other[i].name);
        expect(XDP_DEV_SGW, &f, XDP_PASS, XDP_DOWN_OTHER_TYPE, "%s, down",
               other[i].name);
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        o.gtp = none[i].gtp;
        f = wrap(&o, &inner);
        expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_NOT_GTPU, "%s",
               none[i].name);
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

    expect_switched(XDP_DEV_ENB, &f, "as it should be");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        f = whole;
        f.bytes[changes[i].at] = changes[i].value;
        expect(XDP_DEV_ENB, &f, XDP_PASS, changes[i].reason, "%s",
               changes[i].name);
    }
    f = whole;
    f.len += 6;
    expect_switched(XDP_DEV_ENB, &f, "Ethernet padding");
    f = whole;
    f.bytes[IP + 6] = 0x40;
    f.bytes[IP + 10] ^= 1;
    expect_switched(XDP_DEV_ENB, &f, "DF; a wrong header checksum");
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
        o.vlan = i & 4;
        struct frame f = wrap(&o, &inner);
        char name[64];

        learn(&o, XDP_UP, i & 2);
        snprintf(name, sizeof name, "IPv%d in IPv%d%s", i & 2 ? 6 : 4,
                 i & 1 ? 6 : 4, o.vlan ? ", VLAN" : "");
        expect_switched(XDP_DEV_ENB, &f, name);
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

static void
test_learned_ends(void)
{
    struct outer up = uplink(4), down = downlink(4);
    struct frame inner = inner_packet(UE, ELSEWHERE, 20, 0);
    struct frame f = wrap(&up, &inner), g = wrap(&down, &inner);

    xdp_table_learn(table, &up.t, XDP_UP, false, 0, xdp_now() - 1);
    xdp_table_learn(table, &down.t, XDP_DOWN, false, 0, xdp_now() - 1);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_UNKNOWN,
           "not switched for longer than asked for, up");
    expect(XDP_DEV_SGW, &g, XDP_PASS, XDP_DOWN_UNKNOWN, "down");
    learn(&up, XDP_UP, false);
    learn(&down, XDP_DOWN, false);
    expect_switched(XDP_DEV_ENB, &f, "learned again, up");
    expect_switched(XDP_DEV_SGW, &g, "learned again, down");
    expect(XDP_DEV_SGW, &f, XDP_PASS, XDP_DOWN_UNKNOWN,
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
    struct frame f;

    divert(&b);
    for (uint32_t key = 0; key < XDP_N_DEVS; key++) {
        bpf_map_delete_elem(devs, &key);
    }
    f = wrap(&up, &plain);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_NO_TARGET, "no SGW side");
    f = wrap(&up, &service);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_NO_TARGET, "no ue0");
    f = wrap(&down, &plain);
    expect(XDP_DEV_SGW, &f, XDP_PASS, XDP_DOWN_NO_TARGET,
           "no eNodeB side");
    f = answer(b.id, &back);
    expect(XDP_DEV_UE, &f, XDP_PASS, XDP_UE_NO_TARGET,
           "no eNodeB side for an answer");
    for (int i = 0; i < XDP_N_DEVS; i++) {
        xdp_set_dev(xdp, i, LOOPBACK);
    }
}

/* What comes out of tof_enb for a service. */
static void
expect_decap(const struct outer *o, const struct frame *inner,
             const struct endpoint_bearer *b, const char *name)
{
    const uint8_t eth[12] = { 2, 0, 0, 0, b->space >> 8, b->space,
                              2, 0, b->id >> 24, b->id >> 16, b->id >> 8,
                              b->id };
    struct frame f = wrap(o, inner);

    expect(XDP_DEV_ENB, &f, XDP_REDIRECT, XDP_UP_DECAP, "%s", name);
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
    struct frame service = inner_packet(UE, SERVICE, 20, 0);
    struct frame plain = inner_packet(UE, ELSEWHERE, 20, 0);
    struct frame spoofed = inner_packet("10.45.0.8", SERVICE, 20, 0);
    struct outer o = uplink(0x21);
    uint32_t place = divert(&b);
    struct xdp_entry *e = xdp_table_entry(table, place);
    struct frame f;

    expect_decap(&o, &service, &b, "diverted");
    o.vlan = true;
    expect_decap(&o, &service, &b, "diverted, VLAN");
    o.vlan = false;
    o.gtp = "36ff000100c001123440010868" "00";
    expect_decap(&o, &service, &b, "diverted, two extensions");
    o.gtp = NULL;
    tap_ok(e->count == 3 * XDP_COUNT(service.len), "counted");

    f = wrap(&o, &plain);
    expect_switched(XDP_DEV_ENB, &f, "not to a service");
    f = wrap(&o, &spoofed);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_FOREIGN_SOURCE,
           "another inner source");
    o.t.src = addr("10.1.0.7");
    f = wrap(&o, &service);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_NEW_SENDER, "another sender");

    o = uplink(0x22);
    learn(&o, XDP_UP, false);
    f = wrap(&o, &service);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_HOLD,
           "a bearer that is not diverted");
    o = uplink(0x23);
    f = wrap(&o, &service);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_UNKNOWN,
           "a bearer that is not known");
}

static void
test_decap6(void)
{
    struct endpoint_bearer b = bearer(0x2205, 0x31, UE6);
    struct frame service = inner_packet("2001:db8:45:9::77", SERVICE6, 33, 0);
    struct frame spoofed = inner_packet("2001:db8:45:8::1", SERVICE6, 33, 0);
    struct frame v4 = inner_packet(UE, SERVICE, 33, 0), f;
    struct outer o = uplink6(0x31);

    b.up = o.t;
    divert(&b);
    expect_decap(&o, &service, &b, "IPv6 in IPv6");
    f = wrap(&o, &spoofed);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_FOREIGN_SOURCE,
           "an inner source of another /64");
    f = wrap(&o, &v4);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_UNKNOWN,
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
    struct frame f = wrap(&o, &plain), a = answer(b.id, &back);

    e->stamp = xdp_now() - ev / 2;
    run(XDP_DEV_ENB, &f);
    tap_ok(xdp_now() - (e->stamp & XDP_TICK_MASK) <= 1
           && e->stamp & XDP_STAMP_ONWARD,
           "any packet of the UE is evidence; this one went on");
    uint32_t stamp = e->stamp = xdp_now() - ev / 2;
    f = wrap(&o, &spoofed);
    run(XDP_DEV_ENB, &f);
    tap_ok(e->stamp == stamp, "one of another source is none");

    t->seen = xdp_now() - ev;
    e->stamp = xdp_now();
    expect(XDP_DEV_UE, &a, XDP_REDIRECT, XDP_UE_ENCAP,
           "an answer asks the uplink tunnel for evidence");
    tap_ok(xdp_now() - t->seen <= 1, "and remembers it");

    stamp = e->stamp = t->seen = xdp_now() - ev;
    f = wrap(&o, &service);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_STALE,
           "after a silence nothing is diverted");
    f = wrap(&o, &plain);
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_STALE, "nor switched unseen");
    tap_ok(e->stamp == stamp, "nor is that evidence");
    expect(XDP_DEV_UE, &a, XDP_PASS, XDP_UE_STALE, "nor is anything sent");
    divert(&b);
    f = wrap(&o, &service);
    expect(XDP_DEV_ENB, &f, XDP_REDIRECT, XDP_UP_DECAP, "until proved");
    expect(XDP_DEV_UE, &a, XDP_REDIRECT, XDP_UE_ENCAP,
           "then answers go, too");
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
    struct frame f, a = answer(b.id, &back);

    divert(&b);
    f = wrap(&o, &to_ue);
    expect_switched(XDP_DEV_SGW, &f, "to the UE");
    f = wrap(&o, &reply);
    expect(XDP_DEV_SGW, &f, XDP_PASS, XDP_DOWN_PINGER,
           "an echo reply of a Pinger target");
    f = wrap(&o, &other_reply);
    expect_switched(XDP_DEV_SGW, &f, "of somebody else");
    f = wrap(&o, &request);
    expect_switched(XDP_DEV_SGW, &f, "an echo request");
    o.t.src = addr("10.1.0.77");
    f = wrap(&o, &to_ue);
    expect(XDP_DEV_SGW, &f, XDP_PASS, XDP_DOWN_NEW_SENDER,
           "from another SGW");
    o.t = b.down;
    expect(XDP_DEV_UE, &a, XDP_REDIRECT, XDP_UE_ENCAP, "an answer");
    f = wrap(&o, &multicast);
    expect_switched(XDP_DEV_SGW, &f, "to a multicast address");
    f = wrap(&o, &to_other);
    expect(XDP_DEV_SGW, &f, XDP_PASS, XDP_DOWN_REUSED,
           "to another UE: the TEID has been given away");
    expect(XDP_DEV_UE, &a, XDP_PASS, XDP_UE_UNKNOWN,
           "from then on nothing is sent there");
    divert(&b);
    xdp_table_learn(table, &b.down, XDP_DOWN, false, xdp_ue_key(&b.ue),
                    xdp_now() - 1);
    expect(XDP_DEV_SGW, &f, XDP_PASS, XDP_DOWN_REUSED,
           "the same in a tunnel that is not switched here");
    expect(XDP_DEV_UE, &a, XDP_PASS, XDP_UE_UNKNOWN, "nor sent to");
}

/* --- Answers. --- */

/* The frame is what gtpu_build() makes, behind 'header'. */
static void
expect_encap(const struct endpoint_bearer *b, const struct frame *inner,
             uint8_t tos, const uint8_t *header, size_t header_len,
             const char *name)
{
    struct frame f = answer(b->id, inner), wanted = { .len = 0 };

    append(&wanted, header, header_len);
    wanted.len += gtpu_build(wanted.bytes + header_len,
                             sizeof wanted.bytes - header_len, &b->down, tos,
                             b->down_qfi, inner->bytes, inner->len);
    expect(XDP_DEV_UE, &f, XDP_REDIRECT, XDP_UE_ENCAP, "%s", name);
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
    tap_ok(t->count >> XDP_COUNT_SHIFT, "counted");

    struct frame inner = inner_packet(SERVICE, UE, 100, 0);
    b.down.src = addr("10.1.0.22");
    b.down_qfi = QFI_PRESENT | 63;
    uint32_t path = xdp_table_path_set(table, &b.down.src, &b.down.dst, vlan,
                                       sizeof vlan);
    place = xdp_table_divert(table, &b, now);
    xdp_table_template_set(table, &b, path, place, 0xb8, now);
    expect_encap(&b, &inner, 0xb8, vlan, sizeof vlan, "VLAN, DSCP, QFI");
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

    b.down.src = addr("fd01::2");
    b.down.dst = addr("fd01::1");
    path = xdp_table_path_set(table, &b.down.src, &b.down.dst, eth,
                              sizeof eth);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct frame inner = inner_packet(SERVICE6, UE6, lengths[i], 0);
        char name[64];

        b.down_qfi = i & 1 ? QFI_PRESENT : 0;
        place = xdp_table_divert(table, &b, now);
        xdp_table_template_set(table, &b, path, place, 0x28, now);
        snprintf(name, sizeof name, "IPv6 in IPv6, %zu bytes", lengths[i]);
        expect_encap(&b, &inner, 0x28, eth, sizeof eth, name);
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
    f = answer(0, &inner);
    expect(XDP_DEV_UE, &f, XDP_PASS, XDP_UE_UNCLAIMED, "no bearer");
    f = answer(0x6102, &inner);
    expect(XDP_DEV_UE, &f, XDP_PASS, XDP_UE_UNKNOWN,
           "a bearer of another generation");
    f = answer(0xffffff00, &inner);
    expect(XDP_DEV_UE, &f, XDP_PASS, XDP_UE_UNKNOWN,
           "a slot that there is not");
    f = answer(b.id, &other);
    expect(XDP_DEV_UE, &f, XDP_DROP, XDP_UE_FOREIGN, "to another UE");
    f = answer(b.id, &v6);
    expect(XDP_DEV_UE, &f, XDP_DROP, XDP_UE_FOREIGN, "of another family");
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
    struct frame f = wrap(&o, &service), a = answer(b.id, &back);
    uint32_t meta = e->meta;

    e->meta &= ~0xff;
    expect(XDP_DEV_ENB, &f, XDP_PASS, XDP_UP_UNKNOWN, "an entry");
    e->meta = meta;
    t->version++;
    expect(XDP_DEV_UE, &a, XDP_PASS, XDP_UE_UNKNOWN, "a template");
    t->version++;
    table->paths[t->path].version++;
    expect(XDP_DEV_UE, &a, XDP_PASS, XDP_UE_NO_PATH, "a path");
    table->paths[t->path].version++;
    expect(XDP_DEV_UE, &a, XDP_REDIRECT, XDP_UE_ENCAP, "when written");
}

static void
test_many_pingers(void)
{
    struct outer o = downlink(4);
    struct frame inner = echo_reply(ELSEWHERE, UE), f = wrap(&o, &inner);

    table->config->n_pingers = XDP_PINGERS + 1;
    expect(XDP_DEV_SGW, &f, XDP_PASS, XDP_DOWN_PINGER,
           "more Pinger targets than fit: any echo reply may be one's");
    table->config->n_pingers = 1;
}

static void
test_service_counters(void)
{
    struct in6_addr ip = addr(SERVICE);
    struct xdp_service_stats s;

    tap_ok(!xdp_read_service_stats(xdp, xdp_table_service_find(table, &ip),
                                   &s)
           && s.up_packets && s.down_packets
           && s.up_bytes >= 48 * s.up_packets
           && s.down_bytes >= 28 * s.down_packets, "services are counted");
}

/* --- Chains of functions. --- */

/* A heartbeat comes through the switch. */
static bool
beat(void)
{
    struct frame f = { .bytes = { 1, 0x80, 0xc2, 0, 0, 0x30, [12] = 0x89, 2 },
                       .len = 64 };

    return (run(XDP_DEV_TUN, &f) == XDP_TX && unchanged(&f)
            && run(XDP_DEV_NAT, &f) == XDP_DROP);
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
    struct in6_addr ip = addr(SERVICE);
    struct outer o = uplink(0x91), not_diverted = uplink(0x92);
    struct xdp_entry *e = xdp_table_entry(table, divert(&b));
    struct frame f = wrap(&o, &service), g = wrap(&o, &spoofed);
    struct frame h = wrap(&not_diverted, &service);

    learn(&not_diverted, XDP_UP, false);
    xdp_table_service_set(table, &ip, XDP_CHAIN_ON);
    e->stamp = xdp_now();
    expect(XDP_DEV_ENB, &f, XDP_REDIRECT, XDP_UP_FORWARD,
           "a service with a chain, before the switch lives");
    tap_ok(unchanged(&f), "bit for bit");
    tap_ok(e->stamp & XDP_STAMP_ONWARD, "and tofd is told that it went on");
    expect(XDP_DEV_ENB, &h, XDP_REDIRECT, XDP_UP_FORWARD,
           "of a bearer that is not diverted, likewise");
    tap_ok(!xdp_table_switch_lives(table), "tofd knows");

    tap_ok(beat() && xdp_table_switch_lives(table), "a heartbeat");
    e->stamp = xdp_now();
    expect(XDP_DEV_ENB, &f, XDP_REDIRECT, XDP_UP_CHAIN, "into the chain");
    tap_ok(is_decapsulated(&service), "decapsulated");
    tap_ok(!(e->stamp & XDP_STAMP_ONWARD), "it did not go on");
    expect(XDP_DEV_ENB, &g, XDP_PASS, XDP_UP_FOREIGN_SOURCE,
           "another inner source");
    expect(XDP_DEV_ENB, &h, XDP_PASS, XDP_UP_HOLD,
           "of a bearer that is not diverted: held");
    stop_beating();
    expect(XDP_DEV_ENB, &f, XDP_REDIRECT, XDP_UP_FORWARD,
           "no heartbeats any more");
    beat();
    xdp_table_service_set(table, &ip, XDP_CHAIN_OFF);
    expect(XDP_DEV_ENB, &f, XDP_REDIRECT, XDP_UP_FORWARD,
           "a chain that is not there");
    xdp_table_service_set(table, &ip, XDP_CHAIN_NONE);
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
    struct in6_addr ip = addr(SERVICE);
    struct xdp_template *t = &table->templates[b.id >> 8];
    uint64_t count;

    divert(&b);
    xdp_table_service_set(table, &ip, XDP_CHAIN_ON);
    beat();
    count = t->count;
    expect(XDP_DEV_UE, &f, XDP_REDIRECT, XDP_UE_CHAIN,
           "an answer runs the chain");
    tap_ok(unchanged(&f) && t->count == count, "as it is, not yet counted");
    expect(XDP_DEV_UE, &unclaimed, XDP_REDIRECT, XDP_UE_CHAIN,
           "so does what an app sends of its own accord");
    expect(XDP_DEV_TUN, &f, XDP_REDIRECT, XDP_UE_ENCAP,
           "out of the chain, into the tunnel");
    tap_ok(t->count == count + XDP_COUNT(inner.len), "counted once");
    expect(XDP_DEV_TUN, &unclaimed, XDP_PASS, XDP_UE_UNCLAIMED,
           "what has no bearer is for tofd then");
    stop_beating();
    expect(XDP_DEV_UE, &f, XDP_DROP, XDP_UE_NO_CHAIN,
           "never past a dead switch");
    beat();
    xdp_table_service_set(table, &ip, XDP_CHAIN_OFF);
    expect(XDP_DEV_UE, &f, XDP_DROP, XDP_UE_NO_CHAIN,
           "nor past a chain that is not there");
    expect(XDP_DEV_UE, &unclaimed, XDP_DROP, XDP_UE_NO_CHAIN, "nor that");
    xdp_table_service_set(table, &ip, XDP_CHAIN_NONE);
    expect(XDP_DEV_UE, &f, XDP_REDIRECT, XDP_UE_ENCAP, "without a chain");
}

static void
test_cost(void)
{
    static const char *const names[XDP_N_DEVS] = {
        "tof_enb", "tof_sgw", "tof_ue", "tof_tun", "tof_nat", "tof_port",
        "tof_port",
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
    struct in6_addr target = addr(TARGET), service = addr(SERVICE);
    struct in6_addr service6 = addr(SERVICE6);
    char *what;
    int error;

    if (!own_namespace()) {
        return 0;
    }
    setenv("TOF_LIBBPF_LOG", "1", 1);
    error = xdp_load(1024, NULL, &xdp, &what);
    if (!tap_ok(!error, "the verifier accepts the programs")) {
        tap_diag("%s: %s", what, strerror(error));
        return tap_done();
    }
    table = xdp_table(xdp);
    for (int i = 0; i < XDP_N_DEVS; i++) {
        xdp_set_dev(xdp, i, LOOPBACK);
    }
    table->config->evidence = xdp_ticks(EVIDENCE);
    table->config->n_pingers = 1;
    xdp_addr(table->config->pingers[0], &target);
    xdp_table_service_set(table, &service, XDP_CHAIN_NONE);
    xdp_table_service_set(table, &service6, XDP_CHAIN_NONE);

    test_headers();
    test_odd();
    test_truncated();
    test_families();
    test_learned_ends();
    test_no_target();
    test_decap();
    test_decap6();
    test_evidence();
    test_downlink();
    test_encap();
    test_encap6();
    test_answers_not_sent();
    test_torn();
    test_many_pingers();
    test_service_counters();
    test_chain();
    test_chain_answers();
    test_cost();
    xdp_unload(xdp);
    return tap_done();
}
