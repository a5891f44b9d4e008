/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_PMTU_H
#define TOF_PMTU_H 1

/* The MTU of the paths from SGWs to eNodeBs, as far as it differs from that of
 * the adapter: what is configured, and what routers there say of packets that
 * the TOF has built.
 *
 * Place in the flow: divert.c tells which bearers are diverted; NAT is told how
 * wide their paths are (nat/paths.c), so that what Apps send fits.  detect.c
 * brings ICMP errors that the filter has held.  What reaches tofd and is too
 * large all the same, forward.c cuts, or tells the App. */

#include <stdint.h>

#include "learn/signalling.h"

struct bearer;
struct conf;
struct nfq_packet;

/* 'pass' sends a held packet on along the normal way. */
void pmtu_init(const struct conf *, packet_pass_cb *pass);
void pmtu_destroy(void);

/* The bearer is diverted from now on, maybe into another tunnel than before;
 * or it is not any more.  NAT knows when pmtu_run() has been called. */
void pmtu_bearer(const struct bearer *);
void pmtu_bearer_gone(uint32_t id);

/* NAT has been made anew: it is told everything again. */
void pmtu_refill(void);

void pmtu_run(void);
void pmtu_wait(void);

/* How large an IP packet to the bearer's UE may be; 0: what NAT lets pass
 * fits. */
unsigned int pmtu_room(const struct bearer *);

/* An ICMP error, held, about a packet that has the mark of what the TOF builds
 * (too_big.h).  It is consumed if the peers are known, and sets the MTU of
 * their path for 10 minutes; else it goes on.  One from the SGWs' side can only
 * be about a ping, which fits everywhere: it is consumed. */
void pmtu_too_big(const struct nfq_packet *);

#endif /* divert/pmtu.h */
