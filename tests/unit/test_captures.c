/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The parser against real traffic.  The captures are in the directory that
 * the environment variable TOF_CAPTURES names (default "tests/captures").
 * What is expected of each agrees with what tshark says of it, except that
 * fragments are not reassembled here. */

#include "gtp/gtpu.h"

#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "tap.h"

struct tally {
    int errors[GTPU_N_ERRORS];
    int gpdu;
    int other;                  /* Other message types. */
    int has_seq;
    int pdu[2];                 /* PDU Session Containers: downlink, uplink. */
    int inner6;
    int inner_later;            /* Later fragments within. */
    int teids;                  /* Distinct ones of G-PDUs. */
};

static const struct {
    const char *file;
    int frames;
    struct tally expected;
} captures[] = {
    { "gtp.pcap", 7,
      { .errors = { [GTPU_OK] = 6, [GTPU_E_NOT_UDP] = 1 },
        .gpdu = 6, .has_seq = 5, .inner6 = 2, .teids = 4 } },
    { "gtp10_not_0xff.pcap", 3,
      { .errors = { [GTPU_OK] = 3 }, .other = 3, .has_seq = 3 } },
    { "gtp1_gn_normal_incl_fragmentation.pcap", 108,
      { .errors = { [GTPU_OK] = 32, [GTPU_E_FRAGMENT] = 76 },
        .gpdu = 32, .teids = 2 } },
    { "gtp4_udp_2152_inside.pcap", 1,
      { .errors = { [GTPU_OK] = 1 }, .gpdu = 1, .teids = 1 } },
    { "gtp_ext_header.pcap", 2, { .errors = { [GTPU_E_FRAGMENT] = 2 } } },
    { "ipv6_in_gtp.pcap", 2,
      { .errors = { [GTPU_OK] = 2 }, .gpdu = 2, .inner6 = 2, .teids = 2 } },
    { "uplink_100flows.pcap", 100,
      { .errors = { [GTPU_OK] = 100 }, .gpdu = 100, .teids = 100 } },
    { "srsenb-small.pcap", 1158,
      { .errors = { [GTPU_OK] = 1102, [GTPU_E_NOT_UDP] = 56 },
        .gpdu = 1102, .inner_later = 30, .teids = 2 } },
    { "testregistration-n3.pcap", 62,
      { .errors = { [GTPU_OK] = 61, [GTPU_E_LENGTH] = 1 },
        .gpdu = 61, .pdu = { 31, 30 }, .inner6 = 1, .teids = 11 } },
};

#define MAX_TEIDS 256

struct state {
    struct tally tally;
    uint32_t teids[MAX_TEIDS];
};

static void
add_teid(struct state *st, uint32_t teid)
{
    for (int i = 0; i < st->tally.teids; i++) {
        if (st->teids[i] == teid) {
            return;
        }
    }
    if (st->tally.teids < MAX_TEIDS) {
        st->teids[st->tally.teids++] = teid;
    }
}

static void
tally_cb(const uint8_t *ip, size_t len, void *aux)
{
    struct state *st = aux;
    struct tally *t = &st->tally;
    struct gtpu_packet pkt;
    enum gtpu_error error = gtpu_parse_packet(ip, len, &pkt);

    t->errors[error]++;
    if (error) {
        return;
    }
    t->has_seq += pkt.msg.has_seq;
    if (pkt.msg.pdu.present) {
        t->pdu[pkt.msg.pdu.type & 1]++;
    }
    if (pkt.msg.type != GTPU_GPDU) {
        t->other++;
        return;
    }
    t->gpdu++;
    t->inner6 += pkt.inner.version == 6;
    t->inner_later += pkt.inner.later_fragment;
    add_teid(st, pkt.msg.teid);
}

static void
test_tallies(const char *dir)
{
    for (size_t i = 0; i < sizeof captures / sizeof *captures; i++) {
        struct state st = { .teids = { 0 } };
        const struct tally *t = &st.tally;
        char path[4096];

        snprintf(path, sizeof path, "%s/%s", dir, captures[i].file);
        int n = capture_read(path, tally_cb, &st);
        if (!tap_ok(n == captures[i].frames
                    && !memcmp(t, &captures[i].expected, sizeof *t),
                    "%s", captures[i].file)) {
            tap_diag("%d frames, %d G-PDUs, %d others, %d sequence numbers, "
                     "%d+%d containers, %d IPv6, %d fragments, %d TEIDs",
                     n, t->gpdu, t->other, t->has_seq, t->pdu[0], t->pdu[1],
                     t->inner6, t->inner_later, t->teids);
            for (int e = 0; e < GTPU_N_ERRORS; e++) {
                tap_diag("%s: %d", gtpu_reason(e), t->errors[e]);
            }
        }
    }
}

/* Finds the G-PDU with a chain of two extension headers, types 0xC0 and 0x40,
 * and checks that its payload starts after both. */
static void
chain_cb(const uint8_t *ip, size_t len, void *aux)
{
    struct gtpu_packet pkt;

    if (gtpu_parse_packet(ip, len, &pkt)) {
        return;
    }
    const uint8_t *gtp = ip + 28;
    if (gtp[0] == 0x36 && gtp[11] == 0xc0 && gtp[15] == 0x40) {
        *(bool *) aux = (gtp[19] == 0 && pkt.msg.payload == gtp + 20
                         && pkt.inner.version == 4
                         && pkt.inner.proto == IPPROTO_ICMP);
    }
}

struct indication {
    enum gtpu_error error;
    uint32_t teid;
    struct in6_addr peer;
    int n;
};

static void
indication_cb(const uint8_t *ip, size_t len, void *aux)
{
    struct indication *in = aux;
    struct gtpu_packet pkt;

    if (!gtpu_parse_packet(ip, len, &pkt)
        && pkt.msg.type == GTPU_ERROR_INDICATION) {
        in->n++;
        in->error = gtpu_parse_error_indication(&pkt.msg, &in->teid,
                                                &in->peer);
    }
}

/* A UE's own GTP-U is payload: the outer tunnel counts. */
static void
inside_cb(const uint8_t *ip, size_t len, void *aux)
{
    struct gtpu_packet pkt;

    *(bool *) aux = (!gtpu_parse_packet(ip, len, &pkt)
                     && pkt.msg.type == GTPU_GPDU
                     && pkt.inner.proto == IPPROTO_UDP
                     && pkt.inner.l4_len > 4
                     && (pkt.inner.l4[0] << 8 | pkt.inner.l4[1]) == GTPU_PORT);
}

int
main(void)
{
    const char *dir = getenv("TOF_CAPTURES");
    const struct in6_addr peer = {
        .s6_addr = { [10] = 0xff, 0xff, 212, 200, 245, 64 },
    };
    struct indication in = { .n = 0 };
    bool chain = false;
    bool inside = false;
    char path[4096];

    dir = dir ? dir : "tests/captures";
    test_tallies(dir);

    snprintf(path, sizeof path, "%s/gtp.pcap", dir);
    capture_read(path, chain_cb, &chain);
    tap_ok(chain, "chain of extension headers 0xC0 and 0x40");

    snprintf(path, sizeof path, "%s/gtp10_not_0xff.pcap", dir);
    capture_read(path, indication_cb, &in);
    tap_ok(in.n == 1 && !in.error && in.teid == 0xa0f22350
           && IN6_ARE_ADDR_EQUAL(&in.peer, &peer),
           "Error Indication: TEID and peer");

    snprintf(path, sizeof path, "%s/gtp4_udp_2152_inside.pcap", dir);
    capture_read(path, inside_cb, &inside);
    tap_ok(inside, "GTP-U inside a UE's own packet is payload");
    return tap_done();
}
