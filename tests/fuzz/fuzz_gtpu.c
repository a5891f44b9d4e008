/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer target: the GTP-U parser, from the outer IP header. */

#include "gtp/gtpu.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gtpu_packet pkt;
    struct in6_addr peer;
    uint32_t teid;

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
