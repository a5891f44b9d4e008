/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The pcapng writer, byte by byte as the format's clauses have it: read back
 * here by a reader that trusts no length. */

#include <config.h>

#include "ctl/pcapng.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

static uint8_t file[PCAPNG_HEADER_MAX + 4096];

static uint32_t
u32(const uint8_t *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof value);
    return value;
}

static uint16_t
u16(const uint8_t *p)
{
    uint16_t value;

    memcpy(&value, p, sizeof value);
    return value;
}

/* Length of the block at 'p', which both of its ends have, or 0. */
static uint32_t
block_len(const uint8_t *p, size_t room)
{
    const uint32_t len = room >= 12 ? u32(p + 4) : 0;

    return (len >= 12 && len % 4 == 0 && len <= room
            && u32(p + len - 4) == len ? len : 0);
}

/* The value of option 'code' of the block at 'p' whose options begin at
 * 'offset', with its length in '*len'; NULL if it has none, or the options
 * do not end as they have to. */
static const uint8_t *
option(const uint8_t *p, size_t offset, uint16_t code, uint16_t *len)
{
    const uint8_t *end = p + u32(p + 4) - 4, *found = NULL;

    p += offset;
    while (p + 4 <= end && u16(p)) {
        if (u16(p) == code) {
            *len = u16(p + 2);
            found = p + 4;
        }
        p += 4 + (u16(p + 2) + 3) / 4 * 4;
    }
    return p + 4 == end && !u32(p) ? found : NULL;
}

static bool
option_is(const uint8_t *p, size_t offset, uint16_t code, const char *text)
{
    uint16_t len;
    const uint8_t *value = option(p, offset, code, &len);

    return value && len == strlen(text) && !memcmp(value, text, len);
}

static void
the_section_says_who_has_written_it(void)
{
    const size_t size = pcapng_header(file, "tofctl 1.0");
    const uint32_t len = block_len(file, size);

    tap_ok(len && u32(file) == 0x0a0d0d0a, "it is a section's header");
    tap_ok(u32(file + 8) == 0x1a2b3c4d, "the byte order");
    tap_ok(u16(file + 12) == 1 && u16(file + 14) == 0, "version 1.0");
    tap_ok(u32(file + 16) == UINT32_MAX && u32(file + 20) == UINT32_MAX,
           "its length is not known yet");
    tap_ok(option_is(file, 24, 4, "tofctl 1.0"), "the program");
}

static void
there_are_two_interfaces(void)
{
    const size_t size = pcapng_header(file, "tofctl");
    const uint8_t *gtpu = file + block_len(file, size);
    const uint8_t *ue = gtpu + block_len(gtpu, file + size - gtpu);
    uint16_t len;
    const uint8_t *resolution;

    tap_ok(u32(gtpu) == 1 && u16(gtpu + 8) == 1 && !u32(gtpu + 12),
           "Ethernet, of any length");
    tap_ok(option_is(gtpu, 16, 2, "gtpu"), "its name");
    tap_ok(u32(ue) == 1 && u16(ue + 8) == 101, "IP packets");
    tap_ok(option_is(ue, 16, 2, "ue"), "its name");
    resolution = option(ue, 16, 9, &len);
    tap_ok(resolution && len == 1 && *resolution == 9, "nanoseconds");
    tap_ok(ue + block_len(ue, file + size - ue) == file + size,
           "nothing follows");
}

/* Is there no more in a block than the header says it may need? */
static bool
is_within(size_t size, const struct pcapng_packet *p)
{
    return size <= PCAPNG_PACKET_MAX + p->captured + strlen(p->comment);
}

static void
a_packet_has_its_time_bytes_and_comment(void)
{
    static const char data[] = "abcdefg";
    const struct pcapng_packet p = {
        .interface = PCAPNG_UE, .time = 0x123456789abcdef0, .data = data,
        .captured = 7, .length = 1500, .comment = "to the App",
    };
    size_t size;

    memset(file, 0xee, sizeof file);
    size = pcapng_packet(file, &p);
    tap_ok(block_len(file, size) == size && u32(file) == 6, "it is a packet");
    tap_ok(u32(file + 8) == 1, "the interface");
    tap_ok(u32(file + 12) == 0x12345678 && u32(file + 16) == 0x9abcdef0,
           "the time");
    tap_ok(u32(file + 20) == 7 && u32(file + 24) == 1500,
           "how much there is, and was");
    tap_ok(!memcmp(file + 28, "abcdefg\0", 8), "its bytes, filled up with 0");
    tap_ok(option_is(file, 36, 1, "to the App"), "the comment");
    tap_ok(is_within(size, &p), "it needs no more room than it may");
}

static void
blocks_begin_at_multiples_of_four(void)
{
    static const char data[] = "01234567";
    bool whole = true, within = true;

    for (uint32_t n = 0; n < sizeof data; n++) {
        const struct pcapng_packet p = {
            .interface = PCAPNG_GTPU, .time = 1, .data = data, .captured = n,
            .length = n, .comment = data + n,
        };
        const size_t size = pcapng_packet(file, &p);

        whole = whole && block_len(file, size) == size
            && option_is(file, 28 + (n + 3) / 4 * 4, 1, data + n);
        within = within && is_within(size, &p);
    }
    tap_ok(whole, "whatever their parts' lengths");
    tap_ok(within, "and need no more room than they may");
}

int
main(void)
{
    the_section_says_who_has_written_it();
    there_are_two_interfaces();
    a_packet_has_its_time_bytes_and_comment();
    blocks_begin_at_multiples_of_four();
    return tap_done();
}
