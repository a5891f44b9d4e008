/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_OVS_TRACE_H
#define TOF_OVS_TRACE_H 1

/* The packets of one UE, as packet sockets see them: event traced().
 *
 * Place in the flow: endpoint.c calls these.  Each packet of the UE is seen
 * when it comes in, at an S1-U adapter or at ue0, and when it goes out, at
 * another one: so it is known where it went. */

#include <netinet/in.h>

struct conf;
struct endpoint_events;

/* See endpoint_class. */
int ovs_trace_start(const struct conf *, const struct in6_addr *ue,
                    const struct endpoint_events *);
void ovs_trace_stop(void);
void ovs_trace_run(void);
void ovs_trace_wait(void);

#endif /* ovs/trace.h */
