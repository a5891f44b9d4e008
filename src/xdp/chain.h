/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDP_CHAIN_H
#define TOF_XDP_CHAIN_H 1

/* Chains of functions behind the eBPF programs: br-tof, and the links to it.
 *
 * Place in the flow: services.c says which services have which chain;
 * endpoint.c attaches programs to the links, runs this, and needs none of
 * it for services without a chain.  If no functions are configured, all of
 * this does nothing. */

#include <netinet/in.h>
#include <stdbool.h>

struct conf;
struct service_spec;
struct xdp_table;

void xdp_chain_init(const struct conf *, const struct xdp_table *);
void xdp_chain_close(void);

/* Makes the links, or adopts them; takes them away if there is no use for
 * them.  Returns 0 or a positive errno value with '*what' (malloc'd). */
int xdp_chain_plumb(unsigned int mtu, char **what);
/* Are all of them there? */
bool xdp_chain_plumbed(void);

/* All services are known. */
void xdp_chain_start(void);
void xdp_chain_run(void);
void xdp_chain_wait(void);
/* Says how it is (status.h). */
void xdp_chain_report(void);

/* As in endpoint.h, for services that have a chain.  What is 'in_force' is
 * possible for a while without heartbeats. */
int xdp_chain_set(const struct service_spec *);
void xdp_chain_clear(const struct in6_addr *service_ip);
bool xdp_chain_possible(const struct service_spec *, bool in_force,
                        const char **why);
bool xdp_chain_ready(const struct in6_addr *service_ip);

#endif /* xdp/chain.h */
