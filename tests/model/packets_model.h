/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_PACKETS_MODEL_H
#define TOF_PACKETS_MODEL_H 1

/* The packets of world.c: built and read here, by code that shares nothing
 * with the TOF's.  Addresses and TEIDs in host byte order; all packets start
 * at the outer IP header. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_MAX 256
#define MODEL_GPDU 255
#define MODEL_END_MARKER 254
#define MODEL_ERROR_INDICATION 26

enum model_mark {               /* What a packet of ours is. */
    MODEL_NOTHING,              /* It is not one of ours. */
    MODEL_ASKED = 0x544f4601,   /* To the service; and back. */
    MODEL_ELSEWHERE,
    MODEL_NATURAL,
    MODEL_SPOOFED,
};

struct model_payload {          /* Of UDP, inside. */
    uint32_t mark, gen, sgw, seq;
};

/* Each writes to 'buf' (MODEL_MAX bytes) and returns a length. */
size_t model_udp(uint8_t *buf, uint32_t src, uint32_t dst, uint16_t sport,
                 uint16_t dport, const struct model_payload *);
/* 'optional': with a sequence number. */
size_t model_gtp(uint8_t *buf, uint32_t src, uint32_t dst, uint32_t teid,
                 uint8_t type, bool optional, const uint8_t *inner,
                 size_t len);
/* 'src' has no tunnel 'teid'. */
size_t model_error_indication(uint8_t *buf, uint32_t src, uint32_t dst,
                              uint32_t teid);
size_t model_echo_reply(uint8_t *buf, const uint8_t *request, size_t len);

struct model_packet {
    uint32_t src, dst, teid;
    uint8_t type;
    const uint8_t *inner;
    size_t inner_len;
    uint32_t inner_src, inner_dst;
    bool is_echo, is_echo_reply;
    struct model_payload payload;       /* Mark 0 if it is not one of ours. */
};

/* False if it is not a GTP-U packet over IPv4. */
bool model_parse(const uint8_t *ip, size_t len, struct model_packet *);

#endif /* packets_model.h */
