/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDP_TRACE_H
#define TOF_XDP_TRACE_H 1

/* The packets of one UE, as the eBPF programs tell of them: event traced().
 *
 * Place in the flow: endpoint.c calls these; tof_trace.bpf.h writes the ring
 * that is read here.  In each packet the programs write what they decide, and
 * why. */

#include <netinet/in.h>

struct endpoint_events;
struct xdp;

/* See endpoint_class: trace_start(). */
int xdp_trace_start(struct xdp *, const struct in6_addr *ue,
                    unsigned int seconds, const struct endpoint_events *);
/* Whether there is one, or there was one of an earlier tofd, which is over. */
void xdp_trace_stop(struct xdp *);
void xdp_trace_run(struct xdp *);
void xdp_trace_wait(void);

#endif /* xdp/trace.h */
