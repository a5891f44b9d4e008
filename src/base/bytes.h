/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_BYTES_H
#define TOF_BYTES_H 1

/* Numbers in packets, in network byte order and anywhere; and the Internet
 * checksum.  Pure: for what builds packets without Open vSwitch's library. */

#include <stddef.h>
#include <stdint.h>

static inline uint16_t
get16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static inline void
put16(uint8_t *p, uint16_t value)
{
    p[0] = value >> 8;
    p[1] = value;
}

static inline void
put32(uint8_t *p, uint32_t value)
{
    put16(p, value >> 16);
    put16(p + 2, value);
}

/* RFC 1071: adds 'len' bytes, even or odd, to 'sum'; sum_finish() makes the
 * checksum of it. */
static inline uint32_t
sum_bytes(const uint8_t *p, size_t len, uint32_t sum)
{
    for (; len > 1; len -= 2, p += 2) {
        sum += get16(p);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return len ? sum + (p[0] << 8) : sum;
}

static inline uint16_t
sum_finish(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

#endif /* base/bytes.h */
