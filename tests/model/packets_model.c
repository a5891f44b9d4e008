/* SPDX-License-Identifier: GPL-3.0-or-later */

/* See packets_model.h.  Where this resembles src/gtp/gtpu_build.c, that is on
 * purpose: a judge must not share the mistakes of what is judged. */

#include "packets_model.h"

#include <string.h>

static void
put16(uint8_t *p, uint16_t v)
{
    p[0] = v >> 8;
    p[1] = v;
}

static void
put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

static uint16_t
get16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static uint32_t
get32(const uint8_t *p)
{
    return (uint32_t) get16(p) << 16 | get16(p + 2);
}

static uint16_t
checksum(const uint8_t *p, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < len; i += 2) {
        sum += get16(p + i);
    }
    if (len % 2) {
        sum += p[len - 1] << 8;
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return ~((sum & 0xffff) + (sum >> 16));
}

static void
put_ip(uint8_t *p, uint32_t src, uint32_t dst, uint8_t proto, size_t len)
{
    memset(p, 0, 20);
    p[0] = 0x45;
    put16(p + 2, len);
    p[8] = 64;
    p[9] = proto;
    put32(p + 12, src);
    put32(p + 16, dst);
    put16(p + 10, checksum(p, 20));
}

size_t
model_udp(uint8_t *buf, uint32_t src, uint32_t dst, uint16_t sport,
          uint16_t dport, const struct model_payload *payload)
{
    size_t len = 28 + sizeof *payload;

    put_ip(buf, src, dst, 17, len);
    put16(buf + 20, sport);
    put16(buf + 22, dport);
    put16(buf + 24, len - 20);
    put16(buf + 26, 0);
    memcpy(buf + 28, payload, sizeof *payload);
    return len;
}

size_t
model_gtp(uint8_t *buf, uint32_t src, uint32_t dst, uint32_t teid,
          uint8_t type, bool optional, const uint8_t *inner, size_t len)
{
    size_t header = optional ? 12 : 8, total = 28 + header + len;

    put_ip(buf, src, dst, 17, total);
    put16(buf + 20, 2152);
    put16(buf + 22, 2152);
    put16(buf + 24, total - 20);
    put16(buf + 26, 0);
    buf[28] = optional ? 0x32 : 0x30;
    buf[29] = type;
    put16(buf + 30, total - 36);
    put32(buf + 32, teid);
    memset(buf + 36, 0, header - 8);
    if (len) {
        memcpy(buf + 28 + header, inner, len);
    }
    return total;
}

size_t
model_error_indication(uint8_t *buf, uint32_t src, uint32_t dst,
                       uint32_t teid)
{
    uint8_t body[12] = { 0x10, [5] = 0x85, [7] = 4 };

    put32(body + 1, teid);
    put32(body + 8, src);
    return model_gtp(buf, src, dst, 0, MODEL_ERROR_INDICATION, true, body,
                     sizeof body);
}

size_t
model_echo_reply(uint8_t *buf, const uint8_t *request, size_t len)
{
    memcpy(buf, request, len);
    put_ip(buf, get32(request + 16), get32(request + 12), 1, len);
    buf[20] = 0;
    put16(buf + 22, 0);
    put16(buf + 22, checksum(buf + 20, len - 20));
    return len;
}

static void
parse_inner(const uint8_t *p, size_t len, struct model_packet *m)
{
    struct model_payload payload;

    if (len < 28 || p[0] != 0x45) {
        return;
    }
    m->inner_src = get32(p + 12);
    m->inner_dst = get32(p + 16);
    m->is_echo = p[9] == 1 && p[20] == 8;
    m->is_echo_reply = p[9] == 1 && p[20] == 0;
    if (p[9] == 17 && len >= 28 + sizeof payload) {
        memcpy(&payload, p + 28, sizeof payload);
        if (payload.mark >> 8 == MODEL_ASKED >> 8) {
            m->payload = payload;
        }
    }
}

bool
model_parse(const uint8_t *ip, size_t len, struct model_packet *m)
{
    size_t at = 36;

    memset(m, 0, sizeof *m);
    if (len < 36 || ip[0] != 0x45 || ip[9] != 17 || get16(ip + 22) != 2152
        || ip[28] >> 4 != 3) {
        return false;
    }
    m->src = get32(ip + 12);
    m->dst = get32(ip + 16);
    m->type = ip[29];
    m->teid = get32(ip + 32);
    if (ip[28] & 7) {
        at += 4;
    }
    if (at <= len) {
        m->inner = ip + at;
        m->inner_len = len - at;
        parse_inner(m->inner, m->inner_len, m);
    }
    return true;
}
