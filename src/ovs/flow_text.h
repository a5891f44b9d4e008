/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FLOW_TEXT_H
#define TOF_FLOW_TEXT_H 1

/* Pieces of flows as text, for addresses of either family.  Pure.  Used by
 * classifier.c, sff.c and path.c. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct ds;
struct tunnel;

enum flow_end { FLOW_SRC, FLOW_DST };

/* Match: "ip,nw_src=10.45.0.2" or "ipv6,ipv6_src=2001:db8::5". */
void flow_match_ip(struct ds *, enum flow_end, const struct in6_addr *);

/* Match: both ends, of one family. */
void flow_match_pair(struct ds *, const struct in6_addr *src,
                     const struct in6_addr *dst);

/* Match: packets from the UE with that key, "ip,nw_src=10.45.0.2" or
 * "ipv6,ipv6_src=2001:db8:1:2::/64". */
void flow_match_from_ue(struct ds *, const struct in6_addr *ue);

/* Match: "tun_id=0x11,tun_src=10.1.0.1,tun_dst=10.1.0.2". */
void flow_match_tunnel(struct ds *, const struct tunnel *);

/* Actions: send into the tunnel, with that DSCP in the outer header (see
 * flow_dscp_from_mark()).  The second one as a learn action wants them. */
void flow_set_tunnel(struct ds *, const struct tunnel *, uint8_t dscp);
void flow_load_tunnel(struct ds *, const struct tunnel *, uint8_t dscp);

/* Further actions, each with a comma before it: with a PDU Session Container,
 * uplink or downlink, if 'qfi' says QFI_PRESENT.  The second one as a learn
 * action wants it. */
void flow_set_qfi(struct ds *, uint8_t qfi, bool uplink);
void flow_load_qfi(struct ds *, uint8_t qfi, bool uplink);

/* Action for the underlay bridge: no field of a tunnel holds the outer DSCP,
 * so the packet mark brings it there. */
void flow_dscp_from_mark(struct ds *);

#endif /* ovs/flow_text.h */
