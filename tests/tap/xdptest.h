/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDPTEST_H
#define TOF_XDPTEST_H 1

/* Frames for the eBPF programs, and running them one at a time
 * (BPF_PROG_RUN), with tables of the test's own: what test_xdp*.c
 * are made of.  Included by one file a program. */

#define _GNU_SOURCE 1

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../unit/address.h"
#include "gtp/gtpu_build.h"
#include "nettest.h"
#include "../unit/tap.h"
#include "xdp/load.h"
#include "xdp/table.h"
#include "xdp/table_path.h"
#include "xdp/table_services.h"

#define LOOPBACK 1              /* Any device that there is. */
#define EVIDENCE 10             /* Seconds. */

#define SERVICE "198.51.100.10"
#define SERVICE6 "2001:db8:5::10"
#define ELSEWHERE "203.0.113.77"
#define TARGET "203.0.113.10"
#define UE "10.45.0.9"
#define UE6 "2001:db8:45:9::1"

static struct xdp *xdp;
static struct xdp_table *table;

struct frame {
    uint8_t bytes[2048];
    size_t len;
};

/* --- Frames. --- */

static inline void
append(struct frame *f, const void *p, size_t len)
{
    memcpy(f->bytes + f->len, p, len);
    f->len += len;
}

/* UDP of 'payload' bytes; or, if 'icmp' is not 0, ICMP of that type. */
static inline struct frame
inner_packet(const char *src, const char *dst, size_t payload, uint8_t icmp)
{
    struct in6_addr s = ip(src), d = ip(dst);
    struct frame f = { .len = 0 };

    if (IN6_IS_ADDR_V4MAPPED(&d)) {
        uint8_t ip[20] = { 0x45, 0, (28 + payload) >> 8, 28 + payload,
                           [8] = 64, icmp ? 1 : 17 };
        memcpy(ip + 12, &s.s6_addr[12], 4);
        memcpy(ip + 16, &d.s6_addr[12], 4);
        append(&f, ip, sizeof ip);
    } else {
        uint8_t ip[40] = { 0x60, [4] = (8 + payload) >> 8, 8 + payload,
                           icmp ? 58 : 17, 64 };
        memcpy(ip + 8, &s, 16);
        memcpy(ip + 24, &d, 16);
        append(&f, ip, sizeof ip);
    }
    f.bytes[f.len] = icmp ? icmp : 0x13;
    for (size_t i = 1; i < 8 + payload; i++) {
        f.bytes[f.len + i] = i * 7;
    }
    f.len += 8 + payload;
    return f;
}

/* An ICMP echo reply has type 0. */
static inline struct frame
echo_reply(const char *src, const char *dst)
{
    struct frame f = inner_packet(src, dst, 8, 129);

    if (f.bytes[0] == 0x45) {
        f.bytes[20] = 0;
    }
    return f;
}

struct outer {
    struct tunnel t;
    const char *gtp;            /* GTP-U header but for the length: flags,
                                 * type, and all after the TEID; in hex. */
    bool vlan;
};

static inline size_t
from_hex(uint8_t *out, const char *hex)
{
    size_t n = 0;
    unsigned int byte;

    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
        out[n++] = byte;
    }
    return n;
}

static inline uint16_t
checksum(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += i & 1 ? p[i] : p[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum;
}

/* The frame that carries 'inner'. */
static inline struct frame
wrap(const struct outer *o, const struct frame *inner)
{
    static const uint8_t macs[12] = { 2, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2 };
    const bool v4 = IN6_IS_ADDR_V4MAPPED(&o->t.dst);
    uint8_t gtp[64], head[80];
    size_t gtp_len = from_hex(gtp, o->gtp ? o->gtp : "30ff");
    struct tunnel t = o->t;
    struct frame f = { .len = 0 }, payload = { .len = 0 };

    append(&payload, gtp + 2, gtp_len - 2);
    append(&payload, inner->bytes, inner->len);
    append(&f, macs, 12);
    if (o->vlan) {
        append(&f, "\x81\x00\x00\x07", 4);
    }
    append(&f, v4 ? "\x08\x00" : "\x86\xdd", 2);
    size_t ip_len = gtpu_build(head, sizeof head, &t, 0, 0, "", 0) - 16;
    size_t l3 = f.len;
    f.len += gtpu_build(f.bytes + l3, sizeof f.bytes - l3, &t, 0, 0,
                        payload.bytes, payload.len);
    f.bytes[l3 + ip_len + 8] = gtp[0];
    f.bytes[l3 + ip_len + 9] = gtp[1];
    return f;
}

static inline struct outer
uplink(uint32_t teid)
{
    return (struct outer) { .t = { ip("10.1.0.1"), ip("10.1.0.2"),
                                   teid } };
}

static inline struct outer
uplink6(uint32_t teid)
{
    return (struct outer) { .t = { ip("fd01::1"), ip("fd01::2"), teid } };
}

static inline struct outer
downlink(uint32_t teid)
{
    return (struct outer) { .t = { ip("10.1.0.2"), ip("10.1.0.1"),
                                   teid } };
}

/* As ue0 sends it. */
static inline struct frame
answer(uint32_t id, const struct frame *inner)
{
    uint8_t eth[14] = { 2, 0, id >> 24, id >> 16, id >> 8, id,
                        2, 9, 9, 9, 9, 9, 8, 0 };
    struct frame f = { .len = 0 };

    if (inner->bytes[0] >> 4 == 6) {
        eth[12] = 0x86;
        eth[13] = 0xdd;
    }
    append(&f, eth, sizeof eth);
    append(&f, inner->bytes, inner->len);
    return f;
}

/* --- Running. --- */

static struct frame out;

static inline int
run(enum xdp_dev dev, const struct frame *f)
{
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes,
                .data_size_in = f->len, .data_out = out.bytes,
                .data_size_out = sizeof out.bytes, .repeat = 1);

    if (bpf_prog_test_run_opts(xdp_prog_fd(xdp, dev), &opts)) {
        tap_diag("BPF_PROG_RUN: %s", strerror(errno));
        return -1;
    }
    out.len = opts.data_size_out;
    return opts.retval;
}

static inline bool
unchanged(const struct frame *f)
{
    return out.len == f->len && !memcmp(out.bytes, f->bytes, f->len);
}

static const char *const reasons[] = {
#define X(SYMBOL, PROGRAM, VERDICT, REASON) #SYMBOL,
    XDP_REASONS
#undef X
};

/* Runs 'f' once: the verdict is 'verdict', and this is why. */
static inline void
expect(enum xdp_dev dev, const struct frame *f, int verdict,
       enum xdp_reason reason, const char *name)
{
    struct xdp_stats last = { 0 }, stats = { 0 };
    xdp_read_stats(xdp, &last);
    int got = run(dev, f);
    xdp_read_stats(xdp, &stats);

    if (!tap_ok(got == verdict && stats.n[reason] == last.n[reason] + 1
                && (verdict == XDP_REDIRECT || unchanged(f)), "%s", name)) {
        tap_diag("verdict %d, not %d, or not for the reason", got, verdict);
        for (int i = 0; i < XDP_N_REASONS; i++) {
            if (stats.n[i] != last.n[i] && i != (int) reason) {
                tap_diag("counted as %s", reasons[i]);
            }
        }
    }
}

/* The frame is switched as it is. */
static inline void
expect_untouched(enum xdp_dev dev, const struct frame *f, const char *name)
{
    expect(dev, f, XDP_REDIRECT,
           dev == XDP_DEV_ENB ? XDP_UP_FORWARD : XDP_DOWN_FORWARD, name);
    tap_ok(unchanged(f), "%s: bit for bit", name);
}

/* The same of 'inner' in the tunnel 'o'. */
static inline void
expect_switched(enum xdp_dev dev, const struct outer *o,
                const struct frame *inner, const char *name)
{
    struct frame f = wrap(o, inner);

    expect_untouched(dev, &f, name);
}

static inline void
expect_passed(enum xdp_dev dev, const struct outer *o,
              const struct frame *inner, enum xdp_reason reason,
              const char *name)
{
    struct frame f = wrap(o, inner);

    expect(dev, &f, XDP_PASS, reason, name);
}

static inline void
expect_answer(uint32_t id, const struct frame *inner, int verdict,
              enum xdp_reason reason, const char *name)
{
    struct frame f = answer(id, inner);

    expect(XDP_DEV_UE, &f, verdict, reason, name);
}

/* --- Tables. --- */

static const uint8_t l2[] = { 2, 0xe, 0, 0, 0, 1, 2, 0xa, 0, 0, 0, 1,
                              8, 0 };

static inline struct endpoint_bearer
bearer(uint32_t id, uint32_t teid, const char *ue)
{
    return (struct endpoint_bearer) {
        .id = id, .space = 0x0304, .ue = ip(ue),
        .up = uplink(teid).t, .down = downlink(teid + 0x1000).t,
    };
}

static inline uint32_t
divert(const struct endpoint_bearer *b)
{
    uint32_t now = xdp_now();
    uint32_t place = xdp_table_divert(table, b, now);
    uint32_t path = xdp_table_path_find(table, &b->down.src, &b->down.dst);

    if (!path) {
        path = xdp_table_path_set(table, &b->down.src, &b->down.dst, l2, 14);
    }
    xdp_table_bind(table, b);
    xdp_table_learn(table, &b->down, XDP_DOWN, false, xdp_ue_key(&b->ue),
                    now + xdp_ticks(60));
    xdp_table_template_set(table, b, path, place, 0, now);
    return place;
}

static inline void
learn(const struct outer *o, enum xdp_direction direction, bool inner6)
{
    xdp_table_learn(table, &o->t, direction, inner6, 0,
                    xdp_now() + xdp_ticks(60));
}

/* --- Start and end. --- */

static inline bool
load(void)
{
    struct in6_addr target = ip(TARGET), service = ip(SERVICE);
    struct in6_addr service6 = ip(SERVICE6);
    char *what;
    int error;

    setenv("TOF_LIBBPF_LOG", "1", 1);
    error = xdp_load(1024, false, NULL, &xdp, &what);
    if (!tap_ok(!error, "the verifier accepts the programs")) {
        tap_diag("%s: %s", what, strerror(error));
        return false;
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
    return true;
}

/* Runs all of 'tests' in a namespace of the program's own.  Gives the exit
 * status of the program. */
static inline int
xdptest_run(void (*const tests[])(void), size_t n)
{
    if (!own_namespace()) {
        return 0;
    } else if (load()) {
        for (size_t i = 0; i < n; i++) {
            tests[i]();
        }
        xdp_unload(xdp);
    }
    return tap_done();
}

#endif /* xdptest.h */
