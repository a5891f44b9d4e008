/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_ANSWER_H
#define TOF_ANSWER_H 1

/* What an endpoint says: that a bearer is programmed, and what it cannot send
 * down by itself.  The functions are those of struct endpoint_events, in which
 * agent.c hands them on. */

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

struct conf;

void answer_init(const struct conf *);
void answer_ready(uint32_t id);
void answer_refused(uint32_t id);
void answer_held(uint32_t id, const uint8_t *frame, size_t len);
void answer_unclaimed(const struct in6_addr *ue, const uint8_t *frame,
                      size_t len);
void answer_orphaned(const struct in6_addr *ue, uint16_t space,
                     const uint8_t *frame, size_t len);

#endif /* divert/answer.h */
