/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A file of packets in the format pcapng: see pcapng.h.
 *
 *     Section Header | Interface 0 | Interface 1 | Packet | Packet | ...
 *
 * Each block is its type, its length, what it says, options, and its length
 * again; an option is a code, a length and a value.  All begin at multiples of
 * four bytes. */

#include <config.h>

#include "ctl/pcapng.h"

#include <string.h>

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
};
enum {
    OPTION_END = 0,
    OPTION_COMMENT = 1,
    OPTION_NAME = 2,            /* Of an interface. */
    OPTION_DESCRIPTION = 3,
    OPTION_PROGRAM = 4,         /* Of a section. */
    OPTION_RESOLUTION = 9,      /* Of an interface's time. */
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define NANOSECONDS 9           /* Powers of 10 in a second. */

static const struct {
    uint16_t link_type;
    const char *name, *description;
} interfaces[] = {
    [PCAPNG_GTPU] = { 1, "gtpu", "S1-U, in the UE's tunnels" },
    [PCAPNG_UE] = { 101, "ue", "Between the TOF and Apps, without a tunnel" },
};
#define N_INTERFACES (sizeof interfaces / sizeof *interfaces)

struct block {
    uint8_t *start, *at;
};

static void
put(struct block *b, const void *data, size_t len)
{
    const size_t padding = -len & 3;

    if (len) {
        memcpy(b->at, data, len);
    }
    memset(b->at + len, 0, padding);
    b->at += len + padding;
}

static void
put_u32(struct block *b, uint32_t value)
{
    put(b, &value, sizeof value);
}

static void
put_u16s(struct block *b, uint16_t first, uint16_t second)
{
    const uint16_t both[] = { first, second };

    put(b, both, sizeof both);
}

static void
put_option(struct block *b, uint16_t code, const void *value, uint16_t len)
{
    put_u16s(b, code, len);
    put(b, value, len);
}

static void
put_text(struct block *b, uint16_t code, const char *text)
{
    put_option(b, code, text, strlen(text));
}

static struct block
begin(uint8_t *at, uint32_t type)
{
    struct block b = { at, at };

    put_u32(&b, type);
    put_u32(&b, 0);             /* The length: end() knows it. */
    return b;
}

/* Returns where the next block begins. */
static uint8_t *
end(struct block *b)
{
    const uint32_t len = b->at - b->start + 8;

    put_option(b, OPTION_END, NULL, 0);
    put_u32(b, len);
    memcpy(b->start + 4, &len, sizeof len);
    return b->at;
}

static uint8_t *
put_section(uint8_t *at, const char *by)
{
    const uint64_t unknown = UINT64_MAX;        /* How long it will be. */
    struct block b = begin(at, BLOCK_SECTION);

    put_u32(&b, BYTE_ORDER_MAGIC);
    put_u16s(&b, 1, 0);         /* Version. */
    put(&b, &unknown, sizeof unknown);
    put_text(&b, OPTION_PROGRAM, by);
    return end(&b);
}

static uint8_t *
put_interface(uint8_t *at, enum pcapng_interface i)
{
    const uint8_t resolution = NANOSECONDS;
    struct block b = begin(at, BLOCK_INTERFACE);

    put_u16s(&b, interfaces[i].link_type, 0);
    put_u32(&b, 0);             /* Packets may be of any length. */
    put_text(&b, OPTION_NAME, interfaces[i].name);
    put_text(&b, OPTION_DESCRIPTION, interfaces[i].description);
    put_option(&b, OPTION_RESOLUTION, &resolution, sizeof resolution);
    return end(&b);
}

size_t
pcapng_header(void *buf, const char *by)
{
    uint8_t *at = put_section(buf, by);

    for (size_t i = 0; i < N_INTERFACES; i++) {
        at = put_interface(at, i);
    }
    return at - (uint8_t *) buf;
}

size_t
pcapng_packet(void *buf, const struct pcapng_packet *p)
{
    struct block b = begin(buf, BLOCK_PACKET);

    put_u32(&b, p->interface);
    put_u32(&b, p->time >> 32);
    put_u32(&b, p->time);
    put_u32(&b, p->captured);
    put_u32(&b, p->length);
    put(&b, p->data, p->captured);
    put_text(&b, OPTION_COMMENT, p->comment);
    return end(&b) - (uint8_t *) buf;
}
