/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer target: the parsers of what the filter copies or holds, from the
 * outer IP header. */

#include "gtp/gtpu.h"

#include <stdlib.h>

#include "gtp/too_big.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What has been found lies within the input. */
static void
check(const struct gtpu_packet *pkt, const uint8_t *data, size_t size)
{
    const uint8_t *payload = pkt->msg.payload;
    const uint8_t *end = payload + pkt->msg.payload_len;
    const struct gtpu_inner *in = &pkt->inner;

    if (payload < data || end > data + size
        || (in->l4 && (in->l4 < payload || in->l4 + in->l4_len > end))) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gtpu_packet pkt;
    struct too_big too_big;
    uint8_t icmp[TOO_BIG_MAX];
    struct in6_addr peer;
    uint32_t teid;

    too_big_parse(data, size, &too_big);
    if (too_big_build(icmp, data, size, 1280) > sizeof icmp) {
        abort();
    }
    if (!gtpu_parse_packet_head(data, size, &pkt)) {
        check(&pkt, data, size);
    }
    if (!gtpu_parse_packet(data, size, &pkt)) {
        check(&pkt, data, size);
        gtpu_parse_error_indication(&pkt.msg, &teid, &peer);
    }
    return 0;
}
