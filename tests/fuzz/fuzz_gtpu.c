/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer target: the parsers of what the filter copies or holds, from the
 * outer IP header. */

#include "gtp/gtpu.h"

#include <stdlib.h>

#include "gtp/too_big.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    if (gtpu_parse_packet(data, size, &pkt)) {
        return 0;
    }
    if (pkt.msg.payload < data
        || pkt.msg.payload + pkt.msg.payload_len > data + size
        || (pkt.inner.l4 && (pkt.inner.l4 < pkt.msg.payload
                             || pkt.inner.l4 + pkt.inner.l4_len
                                > pkt.msg.payload + pkt.msg.payload_len))) {
        abort();
    }
    gtpu_parse_error_indication(&pkt.msg, &teid, &peer);
    return 0;
}
