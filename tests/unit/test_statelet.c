/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Tests of the statelet codec. */

#include "session/statelet.h"

#include <string.h>

#include "tap.h"

#define V4(A, B, C, D) { .s6_addr = { [10] = 0xff, 0xff, A, B, C, D } }

static const struct statelet example = {
    .op = STATELET_BEARER,
    .bearer_id = 0x01020304,
    .session_id = 0x05060708,
    .space = 0x090a,
    .proved = true,
    .down_qfi = 9,
    .teid_up = 0x0b0c0d0e,
    .teid_down = 0x0f101112,
    .ue = V4(10, 45, 0, 2),
    .enb = V4(10, 1, 0, 1),
    .sgw = V4(10, 1, 0, 2),
    .down_enb = V4(10, 1, 0, 3),
    .down_sgw = V4(10, 1, 0, 4),
    .time_ms = 0x0000019012345678,
};

#define MAPPED 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff

/* The example as it must stand in every journal ever written: a change here is
 * a change of the format's version. */
static const uint8_t encoded[STATELET_LEN] = {
    'T', 'O', 'F', 'S', 1, 1,           /* Version, operation. */
    0x09, 0x0a,                         /* Address space. */
    0x01, 9, 0, 0,                      /* Flags, QFI, zero. */
    0x01, 0x02, 0x03, 0x04,             /* Bearer id. */
    0x05, 0x06, 0x07, 0x08,             /* Session id. */
    0x0b, 0x0c, 0x0d, 0x0e,             /* Uplink TEID. */
    0x0f, 0x10, 0x11, 0x12,             /* Downlink TEID. */
    0x00, 0x00, 0x01, 0x90, 0x12, 0x34, 0x56, 0x78,
    MAPPED, 10, 45, 0, 2,
    MAPPED, 10, 1, 0, 1,
    MAPPED, 10, 1, 0, 2,
    MAPPED, 10, 1, 0, 3,
    MAPPED, 10, 1, 0, 4,
    0, 0, 0, 0, 0, 0, 0, 0,
    0x30, 0xa4, 0x15, 0xcb,             /* CRC-32C. */
};

static bool
equal(const struct statelet *a, const struct statelet *b)
{
    return (a->op == b->op && a->bearer_id == b->bearer_id
            && a->session_id == b->session_id && a->space == b->space
            && a->proved == b->proved && a->paired == b->paired
            && a->unanswered == b->unanswered
            && a->up_qfi == b->up_qfi && a->down_qfi == b->down_qfi
            && a->up_dscp == b->up_dscp && a->down_dscp == b->down_dscp
            && a->teid_up == b->teid_up && a->teid_down == b->teid_down
            && IN6_ARE_ADDR_EQUAL(&a->ue, &b->ue)
            && IN6_ARE_ADDR_EQUAL(&a->enb, &b->enb)
            && IN6_ARE_ADDR_EQUAL(&a->sgw, &b->sgw)
            && IN6_ARE_ADDR_EQUAL(&a->down_enb, &b->down_enb)
            && IN6_ARE_ADDR_EQUAL(&a->down_sgw, &b->down_sgw)
            && a->time_ms == b->time_ms && a->diverted == b->diverted
            && a->heard_age == b->heard_age && a->seen_age == b->seen_age
            && a->proved_age == b->proved_age);
}

static void
test_round_trip(void)
{
    struct statelet zero = { .op = STATELET_GONE };
    struct statelet full;
    struct statelet s;
    uint8_t buf[STATELET_LEN];

    memset(&full, 0xff, sizeof full);
    full.op = STATELET_INVALID;
    full.proved = full.paired = full.diverted = full.unanswered = true;
    full.heard_age = 10;
    full.seen_age = full.proved_age = STATELET_AGE_MAX;
    statelet_encode(&example, buf);
    tap_ok(statelet_decode(buf, &s) && equal(&s, &example),
           "example comes back");
    statelet_encode(&zero, buf);
    tap_ok(statelet_decode(buf, &s) && equal(&s, &zero), "zeros come back");
    statelet_encode(&full, buf);
    tap_ok(statelet_decode(buf, &s) && equal(&s, &full), "ones come back");
}

static void
test_path(void)
{
    struct statelet path = {
        .op = STATELET_PATH, .time_ms = 5,
        .path = { V4(10, 1, 0, 1), V4(10, 1, 0, 2), true,
                  { { 1, 2, 3, [17] = 9 }, 18 } },
    };
    uint8_t buf[STATELET_LEN];
    struct statelet s;

    statelet_encode(&path, buf);
    tap_ok(statelet_decode(buf, &s) && s.op == STATELET_PATH
           && IN6_ARE_ADDR_EQUAL(&s.path.src, &path.path.src)
           && IN6_ARE_ADDR_EQUAL(&s.path.dst, &path.path.dst)
           && s.path.from_sgw && s.time_ms == 5
           && l2_header_equal(&s.path.l2, &path.path.l2),
           "a path comes back");
    path.path.l2.len = 15;
    statelet_encode(&path, buf);
    tap_ok(!statelet_decode(buf, &s), "no Ethernet header is that long");
}

static void
test_ages(void)
{
    struct statelet s = { .op = STATELET_BEARER, .heard_age = 1239,
                          .proved_age = UINT32_MAX };
    uint8_t buf[STATELET_LEN];

    statelet_encode(&s, buf);
    tap_ok(statelet_decode(buf, &s) && s.heard_age == 1240 && !s.seen_age
           && s.proved_age == STATELET_AGE_MAX, "ages are rounded up");
}

/* The time of a record is what somebody has written there. */
static void
test_age_later(void)
{
    static const struct {
        uint32_t age;
        uint64_t then, now;
        uint32_t later;
    } cases[] = {
        { 0, 1000, 1000, 0 },
        { 50, 1000, 1030, 80 },
        { 50, 1001, 1000, 50 },
        { 50, UINT64_MAX, 1000, 50 },
        { 50, (uint64_t) INT64_MAX + 1, 1000, 50 },
        { 50, 0, UINT64_MAX, STATELET_AGE_MAX },
        { 50, 0, STATELET_AGE_MAX - 51, STATELET_AGE_MAX - 1 },
        { 50, 0, STATELET_AGE_MAX - 50, STATELET_AGE_MAX },
        { STATELET_AGE_MAX, 1000, 1000, STATELET_AGE_MAX },
        { UINT32_MAX, 1000, 1001, STATELET_AGE_MAX },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tap_ok(statelet_age(cases[i].age, cases[i].then, cases[i].now)
               == cases[i].later, "age %u of %#llx at %#llx", cases[i].age,
               (unsigned long long) cases[i].then,
               (unsigned long long) cases[i].now);
    }
}

static void
test_bad(void)
{
    uint8_t buf[STATELET_LEN];
    struct statelet s;
    bool ok = true;

    for (size_t bit = 0; bit < 8 * STATELET_LEN; bit++) {
        memcpy(buf, encoded, sizeof buf);
        buf[bit / 8] ^= 1 << bit % 8;
        ok = ok && !statelet_decode(buf, &s);
    }
    tap_ok(ok, "any one wrong bit is seen");

    memset(buf, 0, sizeof buf);
    tap_ok(!statelet_decode(buf, &s), "zeros are no record");

    s = example;
    s.op = 0;
    statelet_encode(&s, buf);
    tap_ok(!statelet_decode(buf, &s), "operation 0");
    s.op = STATELET_ALIVE + 1;
    statelet_encode(&s, buf);
    tap_ok(!statelet_decode(buf, &s), "unknown operation");
}

int
main(void)
{
    uint8_t buf[STATELET_LEN];
    struct statelet s;

    statelet_encode(&example, buf);
    if (!tap_ok(!memcmp(buf, encoded, sizeof buf), "encoded bytes")) {
        for (size_t i = 0; i < sizeof buf; i += 4) {
            tap_diag("%3zu: %02x %02x %02x %02x", i, buf[i], buf[i + 1],
                     buf[i + 2], buf[i + 3]);
        }
    }
    tap_ok(statelet_decode(encoded, &s) && equal(&s, &example),
           "decoded bytes");
    test_round_trip();
    test_path();
    test_ages();
    test_age_later();
    test_bad();
    return tap_done();
}
