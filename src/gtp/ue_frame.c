/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Whose a frame from ue0 is: see ue_frame.h. */

#include <config.h>

#include "gtp/ue_frame.h"

#include <netinet/in.h>
#include <string.h>

#include "gtp/endpoint.h"
#include "packets.h"
#include "unaligned.h"

/* To whom an IP packet goes; false if it is none, or if it is one of IPv6 to an
 * IPv4-mapped address, which is nobody's. */
static bool
get_destination(const uint8_t *frame, size_t len, struct in6_addr *dst)
{
    const struct eth_header *eth = (const void *) frame;
    const void *l3 = eth + 1;

    len -= ETH_HEADER_LEN;
    if (eth->eth_type == htons(ETH_TYPE_IP) && len >= IP_HEADER_LEN) {
        const struct ip_header *ip = l3;

        in6_addr_set_mapped_ipv4(dst, get_16aligned_be32(&ip->ip_dst));
        return true;
    } else if (eth->eth_type == htons(ETH_TYPE_IPV6)
               && len >= IPV6_HEADER_LEN) {
        const struct ovs_16aligned_ip6_hdr *ip = l3;

        memcpy(dst, &ip->ip6_dst, sizeof *dst);
        return !IN6_IS_ADDR_V4MAPPED(dst);
    }
    return false;
}

static bool
has_id(const uint8_t *frame, size_t len)
{
    return len >= ETH_HEADER_LEN && frame[0] == 0x02 && !frame[1];
}

uint32_t
ue_frame_id(const uint8_t *frame, size_t len)
{
    uint32_t id = 0;

    if (has_id(frame, len)) {
        memcpy(&id, frame + 2, sizeof id);
    }
    return ntohl(id);
}

void
ue_frame_hand_on(const struct endpoint_events *events, const uint8_t *frame,
                 size_t len)
{
    uint32_t id = ue_frame_id(frame, len);
    struct in6_addr ue;

    if (!has_id(frame, len) || !get_destination(frame, len, &ue)) {
        return;
    } else if (!id) {
        events->unclaimed(&ue, frame, len);
    } else if (is_orphan_id(id)) {
        events->orphaned(&ue, id >> 8, frame, len);
    } else {
        events->held_down(id, frame, len);
    }
}
