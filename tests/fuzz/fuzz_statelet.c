/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer target: the statelet decoder.  The checksum is made right first,
 * because no fuzzer guesses it; what is decoded must encode to what decodes to
 * the same again. */

#include <stdbool.h>
#include <stdlib.h>

#include "records.h"

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
