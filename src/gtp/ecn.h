/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOF_ECN_H
#define TOF_ECN_H 1

/* Explicit Congestion Notification at a tunnel's end (RFC 6040): the last two
 * bits of IPv4's TOS and of IPv6's traffic class, of the outer and the inner
 * header.
 *
 * Place in the flow: tof_s1u.bpf.h and divert/forward.c, when they take
 * the outer header off.  (Open vSwitch does so by itself.)  A new outer header
 * has the inner one's bits.  Pure: no I/O. */

#define ECN_MASK 3

enum { ECN_NOT_ECT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3 };

/* RFC 6040 clause 4.2.  Returns what the inner header has behind the tunnel, or
 * -1 if the packet must be dropped: it had to slow its sender down, who does
 * not know that sign. */
static inline __attribute__((always_inline)) int
ecn_behind_tunnel(unsigned int outer, unsigned int inner)
{
    if (outer == ECN_CE) {
        return inner == ECN_NOT_ECT ? -1 : ECN_CE;
    }
    return outer == ECN_ECT1 && inner == ECN_ECT0 ? ECN_ECT1 : (int) inner;
}

#endif /* gtp/ecn.h */
