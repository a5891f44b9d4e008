/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_ADOPT_H
#define TOF_ADOPT_H 1

/* What the data plane holds when tofd finds it, against what tofd knows:
 * bearers that are diverted are adopted, what nobody knows is taken out.
 *
 * Place in the flow: agent.c calls when the data plane has come up. */

struct conf;
struct endpoint_class;

/* Bearers.  Nothing else is done to those that are adopted.  Those whose peers
 * are not configured any more are not. */
void adopt_bearers(const struct conf *, const struct endpoint_class *);

/* Service IPs in filter and NAT that no service has are taken out.  Only when
 * the services are known. */
void adopt_services(void);

#endif /* divert/adopt.h */
