/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDP_UE_H
#define TOF_XDP_UE_H 1

/* The packet sockets on the peer of ue0, and where chains of functions begin.
 *
 * Place in the flow: what tof_ue and tof_tun pass (an answer without evidence,
 * or of no bearer) is read here, and nobody else wants it; what the agent
 * delivers to services goes out here. */

#include <stddef.h>
#include <stdint.h>

struct endpoint_events;

enum xdp_ue_end {
    XDP_END_NAT,                 /* To ue0. */
    XDP_END_CHAIN,               /* Into br-tof. */
    XDP_N_ENDS
};

/* Returns 0 or a positive errno value. */
int xdp_ue_open(enum xdp_ue_end, const char *link,
                const struct endpoint_events *);
void xdp_ue_close(void);

/* Hands on at most a fixed number of frames. */
void xdp_ue_run(void);
void xdp_ue_wait(void);

/* Sends a frame there.  Returns 0 or a positive errno value. */
int xdp_ue_send(enum xdp_ue_end, const uint8_t macs[12], const void *ip,
                size_t len);

#endif /* xdp/ue_socket.h */
