/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_GTPU_BUILD_H
#define TOF_GTPU_BUILD_H 1

/* Builds G-PDUs (3GPP TS 29.281; extension header of TS 38.415).
 *
 * Place in the flow: xdp/endpoint.c sends the agent's own packets with it;
 * what goes by itself is built by tof.bpf.c, to the same bytes.  Pure: no I/O,
 * no allocation, nothing but libc. */

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tunnel.h"

/* What may come in front of the inner packet, Ethernet left out: IPv6, UDP,
 * GTP-U, optional fields and a PDU Session Container. */
#define GTPU_BUILD_MAX_HEADER (40 + 8 + 8 + 8)

/* Writes the outer IP packet that carries the 'len' bytes at 'inner' into
 * 'tunnel' to 'buf' of 'size' bytes: UDP source port 2152, no sequence number,
 * 'dscp', the inner packet's ECN and OUTER_ID in the outer header, a PDU
 * Session Container if 'qfi' is not 0 but QFI_PRESENT and a QFI, and QFI_UPLINK
 * if it goes up; UDP checksum 0 over IPv4 and right over IPv6.  Returns the
 * packet's length, 0 if it does not fit. */
size_t gtpu_build(uint8_t *buf, size_t size, const struct tunnel *tunnel,
                  uint8_t dscp, uint8_t qfi, const void *inner, size_t len);

/* The ECN field (ecn.h) of an IP packet of which there is a header. */
uint8_t gtpu_ecn(const void *ip);
void gtpu_set_ecn(void *ip, uint8_t ecn);

/* Makes 'src' (of the same family) the source address of the IP packet of
 * 'len' bytes at 'ip', and mends the header's checksum (IPv4) or ICMPv6's
 * (RFC 4443 2.3).  Returns 0, EAFNOSUPPORT or EINVAL. */
int gtpu_set_inner_source(void *ip, size_t len, const struct in6_addr *src);

/* Length of the IP packet at 'ip' by its own header; 0 if it is none or longer
 * than 'len'. */
size_t gtpu_inner_len(const void *ip, size_t len);

#endif /* gtp/gtpu_build.h */
