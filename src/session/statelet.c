/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The statelet codec.
 *
 * Place in the flow: journal.c writes and reads files of these records;
 * replicate_send.c and replicate_receive.c carry the same bytes from TOF to
 * TOF.  Pure.
 *
 *      offset  size
 *           0     4  magic, "TOFS"
 *           4     1  version, 1
 *           5     1  operation
 *           6     2  address space
 *           8     1  flags: bit 0, proved; bit 1, heard since the bearer
 *                   of the other family was; bit 2, diverted; bit 3, no
 *                   reply has proved it in time
 *           9     1  QFI, and bit 6 if there is one, of the downlink tunnel
 *          10     1  DSCP of the uplink tunnel
 *          11     1  DSCP of the downlink tunnel
 *          12     4  bearer id
 *          16     4  session id
 *          20     4  uplink TEID
 *          24     4  downlink TEID
 *          28     8  time, milliseconds since the Unix epoch
 *          36    16  UE address, the one seen last
 *          52    16  eNodeB address, uplink
 *          68    16  SGW address, uplink
 *          84    16  eNodeB address, downlink
 *         100    16  SGW address, downlink
 *         116     1  QFI and bit 6 of the uplink tunnel
 *         117     2  ages in units of 10 ms: since the UE was heard,
 *         119     2  since there was traffic of its,
 *         121     2  since its downlink tunnel was proved
 *         123     1  zero
 *         124     4  CRC-32C of bytes 0 to 123
 *
 * With operation STATELET_PATH, from offset 36 on:
 *
 *          36    16  source address
 *          52    16  destination address
 *          68     1  1 if the source is an SGW, else 0
 *          69     1  length of the Ethernet header
 *          70    18  Ethernet header
 *          88    36  zero */

#include "session/statelet.h"

#include <string.h>

#define MAGIC "TOFS"
#define VERSION 1
#define FLAG_PROVED 0x01
#define FLAG_PAIRED 0x02
#define FLAG_DIVERTED 0x04
#define FLAG_UNANSWERED 0x08
#define AGE_UNIT 10                     /* ms. */
#define CRC_OFFSET (STATELET_LEN - 4)

/* What a byte does to a CRC when 0 to 3 more bytes follow it in the same
 * word. */
static uint32_t crc_table[4][256];

static void
crc32c_init(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
        }
        crc_table[0][i] = crc;
    }
    for (int n = 1; n < 4; n++) {
        for (int i = 0; i < 256; i++) {
            uint32_t crc = crc_table[n - 1][i];

            crc_table[n][i] = crc >> 8 ^ crc_table[0][crc & 0xff];
        }
    }
}

/* CRC-32C (Castagnoli) of 'len' bytes, a multiple of 4: reflected polynomial
 * 0x82f63b78, initial value and final XOR all ones (RFC 3720 appendix
 * B.4). */
static uint32_t
crc32c(const uint8_t *p, size_t len)
{
    uint32_t crc = UINT32_MAX;

    if (!crc_table[0][1]) {
        crc32c_init();
    }
    for (const uint8_t *end = p + len; p < end; p += 4) {
        crc = (crc_table[3][(crc ^ p[0]) & 0xff]
               ^ crc_table[2][(crc >> 8 ^ p[1]) & 0xff]
               ^ crc_table[1][(crc >> 16 ^ p[2]) & 0xff]
               ^ crc_table[0][crc >> 24 ^ p[3]]);
    }
    return ~crc;
}

/* Each of these writes at '*p', or reads there, and moves '*p' on. */

static void
put_uint(uint8_t **p, uint64_t value, size_t size)
{
    for (size_t i = size; i > 0; i--) {
        (*p)[i - 1] = value;
        value >>= 8;
    }
    *p += size;
}

static void
put_addr(uint8_t **p, const struct in6_addr *addr)
{
    memcpy(*p, addr, sizeof *addr);
    *p += sizeof *addr;
}

static uint64_t
get_uint(const uint8_t **p, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++) {
        value = value << 8 | (*p)[i];
    }
    *p += size;
    return value;
}

static void
get_addr(const uint8_t **p, struct in6_addr *addr)
{
    memcpy(addr, *p, sizeof *addr);
    *p += sizeof *addr;
}

static void
put_age(uint8_t **p, uint32_t age)
{
    /* Rather older than younger. */
    put_uint(p, (age < STATELET_AGE_MAX ? age + AGE_UNIT - 1
                 : STATELET_AGE_MAX) / AGE_UNIT, 2);
}

static uint32_t
get_age(const uint8_t **p)
{
    return get_uint(p, 2) * AGE_UNIT;
}

static void
put_bearer(uint8_t *p, const struct statelet *s)
{
    put_addr(&p, &s->ue);
    put_addr(&p, &s->enb);
    put_addr(&p, &s->sgw);
    put_addr(&p, &s->down_enb);
    put_addr(&p, &s->down_sgw);
    put_uint(&p, s->up_qfi, 1);
    put_age(&p, s->heard_age);
    put_age(&p, s->seen_age);
    put_age(&p, s->proved_age);
}

static void
put_path(uint8_t *p, const struct statelet *s)
{
    put_addr(&p, &s->path.src);
    put_addr(&p, &s->path.dst);
    put_uint(&p, s->path.from_sgw, 1);
    put_uint(&p, s->path.l2.len, 1);
    if (l2_header_is_valid(&s->path.l2)) {
        memcpy(p, s->path.l2.bytes, s->path.l2.len);
    }
}

uint32_t
statelet_age(uint32_t age, uint64_t then, uint64_t now)
{
    const uint64_t passed = now > then ? now - then : 0;

    return (age >= STATELET_AGE_MAX || passed >= STATELET_AGE_MAX - age
            ? STATELET_AGE_MAX : age + passed);
}

struct statelet
statelet_of_path(bool from_sgw, const struct in6_addr *src,
                 const struct in6_addr *dst, const struct l2_header *l2)
{
    return (struct statelet) {
        .op = STATELET_PATH, .path = { *src, *dst, from_sgw, *l2 },
    };
}

void
statelet_encode(const struct statelet *s, uint8_t buf[STATELET_LEN])
{
    uint8_t *p = buf;

    memset(buf, 0, STATELET_LEN);
    memcpy(p, MAGIC, 4);
    p += 4;
    put_uint(&p, VERSION, 1);
    put_uint(&p, s->op, 1);
    put_uint(&p, s->space, 2);
    put_uint(&p, (s->proved ? FLAG_PROVED : 0)
                 | (s->paired ? FLAG_PAIRED : 0)
                 | (s->diverted ? FLAG_DIVERTED : 0)
                 | (s->unanswered ? FLAG_UNANSWERED : 0), 1);
    put_uint(&p, s->down_qfi, 1);
    put_uint(&p, s->up_dscp, 1);
    put_uint(&p, s->down_dscp, 1);
    put_uint(&p, s->bearer_id, 4);
    put_uint(&p, s->session_id, 4);
    put_uint(&p, s->teid_up, 4);
    put_uint(&p, s->teid_down, 4);
    put_uint(&p, s->time_ms, 8);
    if (s->op == STATELET_PATH) {
        put_path(p, s);
    } else {
        put_bearer(p, s);
    }
    p = buf + CRC_OFFSET;
    put_uint(&p, crc32c(buf, CRC_OFFSET), 4);
}

static void
get_bearer(const uint8_t *p, struct statelet *s)
{
    get_addr(&p, &s->ue);
    get_addr(&p, &s->enb);
    get_addr(&p, &s->sgw);
    get_addr(&p, &s->down_enb);
    get_addr(&p, &s->down_sgw);
    s->up_qfi = get_uint(&p, 1);
    s->heard_age = get_age(&p);
    s->seen_age = get_age(&p);
    s->proved_age = get_age(&p);
}

static bool
get_path(const uint8_t *p, struct statelet *s)
{
    get_addr(&p, &s->path.src);
    get_addr(&p, &s->path.dst);
    s->path.from_sgw = get_uint(&p, 1);
    s->path.l2.len = get_uint(&p, 1);
    memcpy(s->path.l2.bytes, p, sizeof s->path.l2.bytes);
    return l2_header_is_valid(&s->path.l2);
}

bool
statelet_decode(const uint8_t buf[STATELET_LEN], struct statelet *s)
{
    const uint8_t *p = buf + CRC_OFFSET;
    uint8_t flags;

    memset(s, 0, sizeof *s);
    if (memcmp(buf, MAGIC, 4) || buf[4] != VERSION
        || buf[5] < STATELET_BEARER || buf[5] > STATELET_ALIVE
        || get_uint(&p, 4) != crc32c(buf, CRC_OFFSET)) {
        return false;
    }
    p = buf + 5;
    s->op = get_uint(&p, 1);
    s->space = get_uint(&p, 2);
    flags = get_uint(&p, 1);
    s->proved = flags & FLAG_PROVED;
    s->paired = flags & FLAG_PAIRED;
    s->diverted = flags & FLAG_DIVERTED;
    s->unanswered = flags & FLAG_UNANSWERED;
    s->down_qfi = get_uint(&p, 1);
    s->up_dscp = get_uint(&p, 1);
    s->down_dscp = get_uint(&p, 1);
    s->bearer_id = get_uint(&p, 4);
    s->session_id = get_uint(&p, 4);
    s->teid_up = get_uint(&p, 4);
    s->teid_down = get_uint(&p, 4);
    s->time_ms = get_uint(&p, 8);
    if (s->op == STATELET_PATH) {
        return get_path(p, s);
    }
    get_bearer(p, s);
    return true;
}
