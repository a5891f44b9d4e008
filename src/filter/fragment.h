/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FRAGMENT_H
#define TOF_FRAGMENT_H 1

/* Cuts an IP packet into fragments (RFC 791, RFC 8200).
 *
 * Place in the flow: fragments of a service packet are put together in the
 * learn namespace; if the packet is to be switched after all, reinject.c sends
 * it in fragments again.  Pure. */

#include <stddef.h>
#include <stdint.h>

/* One fragment: two pieces that follow each other. */
typedef void fragment_cb(const void *header, size_t header_len,
                         const void *data, size_t len, void *aux);

/* Calls 'cb' for each fragment, of at most 'mtu' bytes, of the IP packet of
 * 'len' bytes at 'ip', in order.  Identification and flags of an IPv4 packet
 * are kept; 'id6' is that of an IPv6 one.  Returns 0; EINVAL if it is no IP
 * packet of that length, or EMSGSIZE if it cannot be cut to that size; then
 * 'cb' has not been called. */
int ip_fragment(const void *ip, size_t len, size_t mtu, uint32_t id6,
                fragment_cb *cb, void *aux);

#endif /* filter/fragment.h */
