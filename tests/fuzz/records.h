/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FUZZ_RECORDS_H
#define TOF_FUZZ_RECORDS_H 1

/* Statelets of a fuzzer's input, for targets that read many: most have what no
 * fuzzer guesses, a checksum that is right, and addresses of a small network,
 * so that records are about the same bearers.  Offsets: session/statelet.c. */

#include <stdint.h>
#include <string.h>

#include "session/statelet.h"

/* CRC-32C bit by bit, written to the end of 'buf'. */
static inline void
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

enum { RECORD_RAW = 1, RECORD_ANY_ADDRESS = 2 };

/* Makes the next record of '*data', which moves on: a byte that says how it is
 * made, one that says of how many bytes, and these.  Returns false at the
 * end. */
static inline bool
next_record(const uint8_t **data, size_t *size, uint8_t record[STATELET_LEN])
{
    if (*size < 2) {
        return false;
    }
    const uint8_t how = (*data)[0];
    size_t n = (*data)[1] % (STATELET_LEN + 1);

    *data += 2;
    *size -= 2;
    n = n < *size ? n : *size;
    memset(record, 0, STATELET_LEN);
    memcpy(record, *data, n);
    *data += n;
    *size -= n;
    if (how & RECORD_RAW) {
        return true;
    }
    memcpy(record, "TOFS\1", 5);
    record[5] = 1 + record[5] % 5;
    for (int at = 36; !(how & RECORD_ANY_ADDRESS) && at < 116; at += 16) {
        static const uint8_t mapped[] = { 0xff, 0xff, 10, 0 };

        memset(record + at, 0, 10);
        memcpy(record + at + 10, mapped, sizeof mapped);
        record[at + 14] &= 1;
        record[at + 15] = 1 + (record[at + 15] & 3);
    }
    put_crc(record);
    return true;
}

#endif /* records.h */
