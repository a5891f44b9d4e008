/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_UE_FRAME_H
#define TOF_UE_FRAME_H 1

/* Frames from ue0 that no tunnel took: whose they are.
 *
 * Place in the flow: an endpoint got one that its data path has no answer to,
 * and hands it on to the agent (endpoint_events). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct endpoint_events;

/* The flow of such an answer has lost its bearer: in the place of the bearer's
 * identifier is one that no bearer has (see idtable.h), of the address space
 * that the flow is in. */
#define ORPHAN_PREFIX 0xff000000u

static inline uint32_t
orphan_id(uint16_t space)
{
    return ORPHAN_PREFIX | (uint32_t) space << 8;
}

static inline bool
is_orphan_id(uint32_t id)
{
    return (id & ORPHAN_PREFIX) == ORPHAN_PREFIX;
}

/* The bearer identifier in the destination address of a frame (host byte
 * order); 0 if there is none. */
uint32_t ue_frame_id(const uint8_t *frame, size_t len);

/* Calls held_down(), orphaned() or unclaimed(), or nothing if it is no IP
 * packet.  The frame stays the caller's. */
void ue_frame_hand_on(const struct endpoint_events *, const uint8_t *frame,
                      size_t len);

#endif /* gtp/ue_frame.h */
