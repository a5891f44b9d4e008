/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_TAP_FILTER_H
#define TOF_TAP_FILTER_H 1

/* Which frames a packet socket that looks at one UE gets: a program for the
 * kernel, so that those of others never leave it.
 *
 * Place in the flow: ovs/trace.c attaches it to its sockets.  Pure. */

#include <linux/filter.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define TAP_PROGRAM_MAX 160

/* Writes a program to 'code' that takes the first 'captured' bytes of the
 * Ethernet frames that carry a packet from or to 'ue', a UE's key: IP, if
 * 'bare'; else G-PDUs, over IP of either family, whole, with or without a VLAN
 * tag, with optional fields and up to eight extension headers.  Returns its
 * length. */
unsigned short tap_program(struct sock_filter code[TAP_PROGRAM_MAX],
                           const struct in6_addr *ue, bool bare,
                           uint32_t captured);

#endif /* filter/tap.h */
