/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The eBPF programs against the parser that tofd has (gtp/gtpu.c): random
 * frames, most of them nearly right, go through the programs in the kernel,
 * and what becomes of each must be allowed by what the parser finds in it and
 * by a plain list of what is in the tables.
 *
 *     test_xdp_random [SEED [ROUNDS]]
 *
 * A frame for which that is not so is printed, with the seed. */

#include "xdptest.h"

#include <time.h>

#include "base/bytes.h"
#include "gtp/gtpu.h"

#define BEARERS 6
#define LEARNED 8
#define ETH 14

static const char *const ues[BEARERS] = {
    UE, "10.45.0.10", UE6, "10.45.0.11", "2001:db8:45:a::1", "10.45.0.12"
};
static struct endpoint_bearer bearers[BEARERS];
static struct {
    struct outer outer;
    enum xdp_direction direction;
    bool inner6;
} learned[LEARNED];

static unsigned long long seed;
static unsigned int n_wrong;
static unsigned int n_switched, n_decapsulated, n_answers, n_passed;

/* --- Random numbers and frames. --- */

static uint32_t
any(uint32_t n)
{
    static uint64_t state;

    if (!state) {
        state = seed * 0x9e3779b97f4a7c15u | 1;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 16) % n;
}

#define ONE_OF(ARRAY) (ARRAY)[any(sizeof (ARRAY) / sizeof *(ARRAY))]

static const char *const headers[] = {
    "30ff", "38ff", "32ff12340000", "34ff00000000", "34ff0000008501100500",
    "36ff000100c00112344001086800", "30fe", "3201",
    "34ff000000c0010000c0010000c0010000c0010000c0010000c0010000c0010000"
    "c001000000",
};

/* A frame of S1-U: of a bearer, or in a tunnel that is learned. */
static struct frame
tunnelled(enum xdp_dev dev)
{
    static const char *const to4[] = { SERVICE, ELSEWHERE, TARGET,
                                       "224.0.0.1" };
    static const char *const to6[] = { SERVICE6, "2001:db8::99", "ff02::1" };
    uint32_t i = any(BEARERS + LEARNED);
    const bool down = dev == XDP_DEV_SGW;
    struct outer o = { .gtp = ONE_OF(headers), .vlan = !any(6) };
    const char *ue = i < BEARERS ? ues[i] : NULL;
    struct frame inner;

    if (ue) {
        o.t = down ? bearers[i].down : bearers[i].up;
    } else {
        o.t = learned[i - BEARERS].outer.t;
        ue = learned[i - BEARERS].inner6 ? "2001:db8:77::5" : "10.99.0.1";
    }
    const bool six = strchr(ue, ':');
    const char *other = six ? ONE_OF(to6) : ONE_OF(to4);
    if (!down) {
        inner = inner_packet(ue, other, any(200), 0);
    } else if (any(3)) {
        inner = inner_packet(other, ue, any(200), 0);
    } else {
        inner = echo_reply(six ? "2001:db8::99" : any(2) ? TARGET : ELSEWHERE,
                           ue);
    }
    return wrap(&o, &inner);
}

static struct frame
from_app(void)
{
    uint32_t i = any(BEARERS);
    struct frame inner = inner_packet(strchr(ues[i], ':') ? SERVICE6 : SERVICE,
                                      ues[i], any(any(8) ? 100 : 1400), 0);

    return answer(bearers[i].id, &inner);
}

/* Lengths of the IPv4 packet, UDP and GTP-U change together. */
static void
change_lengths(struct frame *f)
{
    uint8_t *ip = f->bytes + ETH;
    int d = (int) any(9) - 4;

    if (f->len > 60 && ip[0] == 0x45) {
        put16(ip + 2, get16(ip + 2) + d);
        put16(ip + 24, get16(ip + 24) + d);
        put16(ip + 30, get16(ip + 30) + d);
    }
}

static void
mutate(struct frame *f)
{
    static const uint8_t odd[] = { 0, 1, 2, 4, 8, 0x10, 0x11, 0x45, 0x46,
                                   0x4f, 0x60, 0x7f, 0x80, 0x81, 0xfe, 0xff };

    for (uint32_t n = any(4); n; n--) {
        size_t at = any(8) ? 12 + any(78) : any(f->len);

        if (at < f->len) {
            f->bytes[at] = any(2) ? ONE_OF(odd) : any(256);
        }
    }
    switch (any(10)) {
    case 0:
        f->len = ETH + any(f->len - ETH + 1);
        break;
    case 1:
        for (uint32_t n = any(40); n; n--) {
            f->bytes[f->len++] = any(256);
        }
        break;
    case 2: {
        size_t at = ETH + any(f->len - ETH), n = 4 * (1 + any(4));

        memmove(f->bytes + at + n, f->bytes + at, f->len - at);
        f->len += n;
        break;
    }
    case 3:
        change_lengths(f);
        break;
    }
}

/* --- What the parser finds. --- */

struct found {
    bool gpdu;                  /* If not, nothing else is there. */
    struct gtpu_packet p;
    size_t payload;             /* Where in the frame. */
};

static struct found
parse(const struct frame *f)
{
    struct found found = { .gpdu = false };
    size_t l3 = ETH;

    if (f->len >= ETH + 4 && get16(f->bytes + 12) == 0x8100) {
        l3 += 4;
    }
    if (f->len < l3 + 40) {
        return found;
    }
    const uint16_t type = get16(f->bytes + l3 - 2);
    const uint8_t *ip = f->bytes + l3;
    size_t len = f->len - l3, own;
    if ((type == 0x0800 && ip[0] >> 4 == 4)) {
        own = get16(ip + 2);
    } else if (type == 0x86dd && ip[0] >> 4 == 6) {
        own = get16(ip + 4) + 40;
    } else {
        return found;
    }
    /* The kernel cuts off what is behind a packet. */
    len = own < len ? own : len;
    found.gpdu = (gtpu_parse_packet(ip, len, &found.p) == GTPU_OK
                  && found.p.msg.type == GTPU_GPDU
                  && found.p.dport == GTPU_PORT);
    found.payload = found.gpdu ? found.p.msg.payload - f->bytes : 0;
    return found;
}

static bool
same(const struct in6_addr *a, const struct in6_addr *b)
{
    return IN6_ARE_ADDR_EQUAL(a, b);
}

/* The bearer that has that tunnel, for that family inside. */
static const struct endpoint_bearer *
bearer_of(const struct found *f, bool up)
{
    for (size_t i = 0; i < BEARERS; i++) {
        const struct endpoint_bearer *b = &bearers[i];
        const struct tunnel *t = up ? &b->up : &b->down;
        const int version = IN6_IS_ADDR_V4MAPPED(&b->ue) ? 4 : 6;

        if (t->teid == f->p.msg.teid && same(&t->dst, &f->p.dst)
            && f->p.inner.version == version) {
            return b;
        }
    }
    return NULL;
}

static bool
is_of(const struct found *f, const struct tunnel *t)
{
    return (t->teid == f->p.msg.teid && same(&t->dst, &f->p.dst)
            && same(&t->src, &f->p.src));
}

static bool
is_learned(const struct found *f, enum xdp_direction direction)
{
    /* divert() learns a bearer's, with IPv4 inside. */
    for (size_t i = 0; direction == XDP_DOWN && i < BEARERS; i++) {
        if (f->p.inner.version == 4 && is_of(f, &bearers[i].down)) {
            return true;
        }
    }
    for (size_t i = 0; i < LEARNED; i++) {
        if (learned[i].direction == direction
            && f->p.inner.version == (learned[i].inner6 ? 6 : 4)
            && is_of(f, &learned[i].outer.t)) {
            return true;
        }
    }
    return false;
}

static bool
is_service(const struct in6_addr *addr)
{
    const struct in6_addr a = ip(SERVICE), b = ip(SERVICE6);

    return same(addr, &a) || same(addr, &b);
}

static bool
is_ue_of(const struct endpoint_bearer *b, const struct in6_addr *addr)
{
    return (IN6_IS_ADDR_V4MAPPED(&b->ue) ? same(&b->ue, addr)
            : !memcmp(&b->ue, addr, 8));
}

/* --- What may become of a frame. --- */

static void
wrong(const char *what, const struct frame *f, int verdict)
{
    if (n_wrong++ < 10) {
        tap_diag("seed %llu: %s; verdict %d, frame:", seed, what, verdict);
        printf("# ");
        for (size_t i = 0; i < f->len; i++) {
            printf("%02x", f->bytes[i]);
        }
        putchar('\n');
    }
}

/* It has come out as the UE's packet, for the bearer. */
static bool
is_decapsulated(const struct frame *f, const struct found *found,
                const struct endpoint_bearer *b)
{
    const bool v4 = found->p.inner.version == 4;
    const uint8_t eth[ETH] = { 2, 0, 0, 0, b->space >> 8, b->space, 2, 0,
                               b->id >> 24, b->id >> 16, b->id >> 8, b->id,
                               v4 ? 0x08 : 0x86, v4 ? 0x00 : 0xdd };
    const size_t len = f->len - found->payload;

    return (out.len == ETH + len && !memcmp(out.bytes, eth, ETH)
            /* An outer CE is copied, and changes the checksum. */
            && (found->p.tos & 3
                || !memcmp(out.bytes + ETH, f->bytes + found->payload, len)));
}

/* From this UE, for a service. */
static bool
is_to_be_diverted(const struct found *found, const struct endpoint_bearer *b)
{
    return (b && same(&b->up.src, &found->p.src)
            && is_service(&found->p.inner.dst)
            && is_ue_of(b, &found->p.inner.src));
}

static void
check_uplink(const struct frame *f)
{
    const int verdict = run(XDP_DEV_ENB, f);
    const struct found found = parse(f);
    const struct endpoint_bearer *b = (found.gpdu ? bearer_of(&found, true)
                                       : NULL);

    if (verdict == XDP_PASS) {
        n_passed++;
        if (!unchanged(f)) {
            wrong("passed, but changed", f, verdict);
        }
    } else if (verdict == XDP_DROP) {
        /* RFC 6040: CE outside of what knows no ECN. */
        if (!is_to_be_diverted(&found, b) || (found.p.tos & 3) != 3) {
            wrong("dropped", f, verdict);
        }
    } else if (verdict != XDP_REDIRECT) {
        wrong("odd verdict", f, verdict);
    } else if (!found.gpdu) {
        wrong("redirected, but no G-PDU", f, verdict);
    } else if (unchanged(f)) {
        n_switched++;
        if (!b && !is_learned(&found, XDP_UP)) {
            wrong("switched, but in no table", f, verdict);
        } else if (is_service(&found.p.inner.dst)) {
            wrong("switched, but for a service", f, verdict);
        }
    } else {
        n_decapsulated++;
        if (!is_to_be_diverted(&found, b)) {
            wrong("decapsulated, but not this UE's for a service", f,
                  verdict);
        } else if (!is_decapsulated(f, &found, b)) {
            wrong("decapsulated wrongly", f, verdict);
        }
    }
}

static bool
is_reply_of_a_target(const struct found *found)
{
    const struct in6_addr target = ip(TARGET);
    const struct gtpu_inner *inner = &found->p.inner;

    return (same(&inner->src, &target) && inner->proto == IPPROTO_ICMP
            && !inner->later_fragment && inner->l4_len && !inner->l4[0]);
}

static void
check_downlink(const struct frame *f)
{
    const int verdict = run(XDP_DEV_SGW, f);
    const struct found found = parse(f);

    if ((verdict != XDP_PASS && verdict != XDP_REDIRECT) || !unchanged(f)) {
        wrong("downlink: neither passed nor switched as it is", f, verdict);
    } else if (verdict == XDP_REDIRECT && !found.gpdu) {
        wrong("downlink: switched, but no G-PDU", f, verdict);
    } else if (verdict == XDP_REDIRECT && !bearer_of(&found, false)
               && !is_learned(&found, XDP_DOWN)) {
        wrong("downlink: switched, but in no table", f, verdict);
    } else if (verdict == XDP_REDIRECT && is_reply_of_a_target(&found)) {
        wrong("downlink: switched, but maybe the Pinger's", f, verdict);
    }
    n_switched += verdict == XDP_REDIRECT;
    n_passed += verdict == XDP_PASS;
}

/* The checksums of what was built. */
static bool
has_right_checksums(const uint8_t *ip)
{
    if (ip[0] >> 4 == 4) {
        return !sum_finish(sum_bytes(ip, 20, 0));
    }
    const size_t len = get16(ip + 4);
    return (get16(ip + 46)
            && !sum_finish(sum_bytes(ip + 40, len,
                                     sum_bytes(ip + 8, 32, len + 17))));
}

/* Whether 'f' has come out in the downlink tunnel of the bearer that its MAC
 * address names, whole, and is for that UE. */
static const char *
what_is_wrong_with_answer(const struct frame *f)
{
    const uint8_t *ip = f->bytes + ETH;
    const bool v4 = ip[0] >> 4 == 4;
    const size_t len = v4 ? get16(ip + 2) : get16(ip + 4) + 40u;
    const struct endpoint_bearer *b = NULL;
    struct in6_addr dst = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
    struct gtpu_msg msg;

    for (size_t i = 0; i < BEARERS; i++) {
        const uint32_t id = bearers[i].id;
        const uint8_t mac[6] = { 2, 0, id >> 24, id >> 16, id >> 8, id };

        b = memcmp(f->bytes, mac, 6) ? b : &bearers[i];
    }
    if (!b) {
        return "sent down for nobody";
    } else if (ETH + len > f->len) {
        return "sent down, but cut off";
    }
    memcpy(v4 ? &dst.s6_addr[12] : dst.s6_addr, ip + (v4 ? 16 : 24),
           v4 ? 4 : 16);
    if (!is_ue_of(b, &dst)) {
        return "sent down to another UE";
    }
    const uint8_t *outer = out.bytes + ETH;
    const size_t udp = outer[0] >> 4 == 4 ? 20 : 40;
    if (out.len < ETH + udp + 16
        || gtpu_parse(outer + udp + 8, out.len - ETH - udp - 8, &msg)) {
        return "sent down what is no GTP-U";
    } else if (msg.teid != b->down.teid) {
        return "sent down another tunnel";
    } else if (msg.payload_len != len || memcmp(msg.payload, ip, len)
               || msg.payload + len != out.bytes + out.len) {
        return "sent down something else";
    }
    return has_right_checksums(outer) ? NULL : "a checksum is wrong";
}

static void
check_answer(const struct frame *f)
{
    const int verdict = run(XDP_DEV_UE, f);

    if (verdict == XDP_REDIRECT) {
        const char *what = what_is_wrong_with_answer(f);

        n_answers++;
        if (what) {
            wrong(what, f, verdict);
        }
    } else if (verdict != XDP_PASS && verdict != XDP_DROP) {
        wrong("an answer: odd verdict", f, verdict);
    }
}

/* --- The whole. --- */

/* What is in the tables; it ends by time, and by some frames. */
static void
fill(void)
{
    for (size_t i = 0; i < BEARERS; i++) {
        divert(&bearers[i]);
    }
    for (size_t i = 0; i < LEARNED; i++) {
        learn(&learned[i].outer, learned[i].direction, learned[i].inner6);
    }
}

static void
set_up(void)
{
    for (uint32_t i = 0; i < BEARERS; i++) {
        bearers[i] = bearer((i + 1) << 8 | 7, 0x100 + i, ues[i]);
        if (i >= 3) {
            bearers[i].up = uplink6(0x100 + i).t;
            bearers[i].down = (struct tunnel) { ip("fd01::2"), ip("fd01::1"),
                                                0x1100 + i };
        }
        bearers[i].down_qfi = i & 1 ? 0x49 : 0;
    }
    for (uint32_t i = 0; i < LEARNED; i++) {
        learned[i].outer = i & 1 ? downlink(0x9000 + i) : uplink(0x9000 + i);
        if (i & 4) {
            learned[i].outer = uplink6(0x9000 + i);
        }
        learned[i].direction = i & 1 ? XDP_DOWN : XDP_UP;
        learned[i].inner6 = i & 2;
    }
}

int
main(int argc, char *argv[])
{
    unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 0) : 100000;

    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (unsigned long) time(NULL);
    if (!own_namespace()) {
        return 0;
    } else if (!load()) {
        return tap_done();
    }
    set_up();
    for (unsigned long i = 0; i < rounds; i++) {
        struct frame f;

        if (i % 16 == 0) {
            fill();
        }
        f = tunnelled(XDP_DEV_ENB);
        mutate(&f);
        check_uplink(&f);
        f = tunnelled(XDP_DEV_SGW);
        mutate(&f);
        check_downlink(&f);
        f = from_app();
        mutate(&f);
        check_answer(&f);
    }
    tap_diag("seed %llu: %u switched, %u decapsulated, %u answers, %u passed",
             seed, n_switched, n_decapsulated, n_answers, n_passed);
    tap_ok(!n_wrong, "programs and parser agree");
    tap_ok(n_switched > rounds / 4 && n_decapsulated > rounds / 100
           && n_answers > rounds / 4 && n_passed > rounds / 4,
           "frames of every kind were there");
    xdp_unload(xdp);
    return tap_done();
}
