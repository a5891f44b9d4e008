/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_DOWNLINK_H
#define TOF_DOWNLINK_H 1

/* Downlink packets that the endpoint cannot send down by itself: whose bearer
 * are they for, and may they go there now?
 *
 * Place in the flow: agent.c hands them on from the endpoint (struct
 * endpoint_events); forward.c sends them, or hold.c keeps them until divert.c
 * says that their bearer is ready.  'frame' starts at the Ethernet header and
 * is the caller's; addresses of UEs are as in the packet. */

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

struct conf;

void downlink_init(const struct conf *);

/* An answer for bearer 'id', whose lease has run out: the bearer is proved
 * again before anything is sent down. */
void downlink_held(uint32_t id, const uint8_t *frame, size_t len);

/* An app opens a connection to a UE: by its address, if that is
 * unambiguous. */
void downlink_unclaimed(const struct in6_addr *ue, const uint8_t *frame,
                        size_t len);

/* An answer whose flow's bearer is gone; the UE, which is in address space
 * 'space', may still be there, or again. */
void downlink_orphaned(const struct in6_addr *ue, uint16_t space,
                       const uint8_t *frame, size_t len);

#endif /* divert/downlink.h */
