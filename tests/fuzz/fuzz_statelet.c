/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer target: the statelet decoder.  The checksum is made right first,
 * because no fuzzer guesses it; what is decoded must encode to what decodes to
 * the same again. */

#include "session/statelet.h"

#include <stdlib.h>
#include <string.h>

/* CRC-32C bit by bit, written to the end of 'buf'. */
static void
put_crc(uint8_t buf[STATELET_LEN])
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < 8 * (STATELET_LEN - 4); i++) {
        crc ^= buf[i / 8] >> i % 8 & 1;
        crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    for (size_t i = 0; i < 4; i++) {
        buf[STATELET_LEN - 1 - i] = ~crc >> 8 * i;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t head[] = { 'T', 'O', 'F', 'S', 1 };
    uint8_t buf[STATELET_LEN] = { 0 };
    uint8_t again[STATELET_LEN];
    struct statelet s, t;

    memcpy(buf, data, size < sizeof buf ? size : sizeof buf);
    put_crc(buf);
    if (!statelet_decode(buf, &s)) {
        if (size > 5 && !memcmp(buf, head, sizeof head) && buf[5] >= 1
            && buf[5] <= 3) {
            abort();
        }
        return 0;
    }
    statelet_encode(&s, buf);
    if (!statelet_decode(buf, &t)) {
        abort();
    }
    statelet_encode(&t, again);
    if (memcmp(buf, again, sizeof buf)) {
        abort();
    }
    return 0;
}
