/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_HOLD_H
#define TOF_HOLD_H 1

/* Packets that wait for their bearer: bounded for each bearer, in total, and
 * in time.  Those that have waited longest make room for others, and go the
 * normal way: so nobody overtakes, and a flood of packets that wait in vain
 * does not keep out those that wait for a moment.
 *
 * Place in the flow: divert.c puts in what the filter holds, downlink.c what
 * the endpoint holds; divert.c takes it out when the bearer is ready. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOLD_PER_BEARER 64
#define HOLD_TOTAL 4096
#define HOLD_BYTES (16u << 20)
#define HOLD_MS 2000

enum hold_direction { HOLD_UP, HOLD_DOWN };

struct hold_packet {
    enum hold_direction direction;
    const uint8_t *data;        /* HOLD_UP: the outer packet.  HOLD_DOWN: a
                                 * frame of the endpoint's. */
    size_t len;

    /* Of HOLD_UP, so that it is not parsed again. */
    struct in6_addr src, dst;   /* Outer addresses. */
    size_t inner, inner_len;    /* The UE's packet, within 'data'. */
};

/* What becomes of a packet, which is freed afterwards. */
typedef void hold_cb(uint32_t bearer_id, const struct hold_packet *);

void hold_init(void);
void hold_destroy(void);

/* Keeps a copy of the packet.  If there is no room, the oldest one of that
 * bearer, or the oldest of all, are given to the callback first. */
void hold_add(uint32_t bearer_id, const struct hold_packet *,
              long long int now, hold_cb *);

/* Takes out all packets of a bearer, in the order in which they came. */
void hold_release(uint32_t bearer_id, hold_cb *);

/* Those of one direction, of a bearer that is not waited for any more. */
void hold_give_up(uint32_t bearer_id, enum hold_direction, hold_cb *);

/* The same with those for which 'match' says true. */
typedef bool hold_match(uint32_t bearer_id, const struct hold_packet *,
                        const void *aux);
void hold_release_some(uint32_t bearer_id, hold_match *, const void *aux,
                       hold_cb *);

/* Takes out all packets that have waited for HOLD_MS. */
void hold_expire(long long int now, hold_cb *);
void hold_wait(void);

/* Since when there have always been packets waiting for a bearer, though not
 * the same ones; LLONG_MAX if there are none. */
long long int hold_since(uint32_t bearer_id);

/* Packets now waiting for a bearer. */
unsigned int hold_count(uint32_t bearer_id);

#endif /* divert/hold.h */
