/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Capture reader for test_captures.c and for making fuzzer seeds. */

#include "capture.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE (4 * 1024 * 1024)

enum { LINK_ETHERNET = 1, LINK_COOKED = 113 };
enum { PCAP_MAGIC = 0xa1b2c3d4, PCAPNG_SECTION = 0x0a0d0d0a };
enum { PCAPNG_INTERFACE = 1, PCAPNG_PACKET = 6 };

struct capture {
    const uint8_t *p;
    size_t len;
    bool swap;                  /* Not of this machine's byte order. */
    uint32_t link;
    int n;
    void (*cb)(const uint8_t *, size_t, void *);
    void *aux;
};

static uint32_t
get_u32(const struct capture *c, size_t offset)
{
    uint32_t value = 0;

    if (offset + 4 <= c->len) {
        memcpy(&value, c->p + offset, 4);
    }
    return c->swap ? __builtin_bswap32(value) : value;
}

static uint16_t
get_be16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static void
frame(struct capture *c, size_t offset, size_t len)
{
    const uint8_t *p = c->p + offset;
    size_t header = c->link == LINK_COOKED ? 16 : 14;

    c->n++;
    if (offset > c->len || len > c->len - offset || len < header) {
        return;
    }
    uint16_t type = get_be16(p + header - 2);
    while (type == 0x8100 && len >= header + 4) {
        header += 4;
        type = get_be16(p + header - 2);
    }
    if (type == 0x0800 || type == 0x86dd) {
        c->cb(p + header, len - header, c->aux);
    }
}

static void
read_pcap(struct capture *c)
{
    c->link = get_u32(c, 20) & 0xffff;
    for (size_t offset = 24; offset + 16 <= c->len;) {
        uint32_t len = get_u32(c, offset + 8);

        frame(c, offset + 16, len);
        offset += 16 + (size_t) len;
    }
}

static void
read_pcapng(struct capture *c)
{
    for (size_t offset = 0; offset + 12 <= c->len;) {
        uint32_t type = get_u32(c, offset);
        uint32_t len = get_u32(c, offset + 4);

        if (type == PCAPNG_INTERFACE) {
            c->link = get_u32(c, offset + 8) & 0xffff;
        } else if (type == PCAPNG_PACKET) {
            frame(c, offset + 28, get_u32(c, offset + 20));
        }
        if (len < 12) {
            break;
        }
        offset += len;
    }
}

int
capture_read(const char *file,
             void (*cb)(const uint8_t *ip, size_t len, void *aux), void *aux)
{
    uint8_t *data = malloc(MAX_FILE);
    struct capture c = { .p = data, .cb = cb, .aux = aux };
    FILE *stream = fopen(file, "r");

    c.n = -1;
    if (data && stream) {
        c.len = fread(data, 1, MAX_FILE, stream);
        uint32_t magic = get_u32(&c, 0);
        c.n = 0;
        if (magic == PCAPNG_SECTION) {
            c.swap = get_u32(&c, 8) != 0x1a2b3c4d;
            read_pcapng(&c);
        } else if (magic == PCAP_MAGIC
                   || magic == __builtin_bswap32(PCAP_MAGIC)) {
            c.swap = magic != PCAP_MAGIC;
            read_pcap(&c);
        } else {
            c.n = -1;
        }
    }
    if (stream) {
        fclose(stream);
    }
    free(data);
    return c.n;
}
