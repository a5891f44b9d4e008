/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_OVS_SERVICES_H
#define TOF_OVS_SERVICES_H 1

/* Services in br-tof: each one's classification and chain, as flows with a
 * cookie of their own.  Used by endpoint.c and xdp/chain.c; set, clear,
 * possible and ready are those of endpoint.h. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/ofp-port.h"

struct conf;
struct ofctl;
struct service_spec;

/* Cookies of their flows: this, plus a number in the lower half. */
#define COOKIE_SERVICE (UINT64_C(1) << 32)
#define COOKIE_BROKEN (UINT64_C(5) << 32)       /* Its chain cannot be run. */

/* Status, while there are flows that the switch refuses. */
#define OVS_SERVICES_REFUSED \
    "flows are in force, but for some that Open vSwitch refuses: see the log"

void ovs_services_init(const struct conf *, struct ofctl *br_tof);
void ovs_services_destroy(void);
void ovs_services_wait(void);

/* The port towards NAT, 0 if not known; it and those of functions may have
 * changed. */
void ovs_services_ports(ofp_port_t nat);

int ovs_services_set(const struct service_spec *);
void ovs_services_clear(const struct in6_addr *service_ip);
bool ovs_services_possible(const struct service_spec *, const char **why);
bool ovs_services_ready(const struct in6_addr *service_ip);

/* Are there flows that take its packets to the App? */
bool ovs_services_has_way(const struct in6_addr *service_ip);

/* Which one's flows have that cookie; NULL if none's. */
const struct in6_addr *ovs_services_by_cookie(uint64_t cookie);

#endif /* ovs/services.h */
