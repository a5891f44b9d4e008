/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_OVS_PORTS_H
#define TOF_OVS_PORTS_H 1

/* Links and ports: veths that lead into Open vSwitch, and what it is told of
 * them and of functions.  Of the "ovs" endpoint: used by endpoint.c, which
 * draws the picture.  For chains behind the "xdp" endpoint: used by
 * xdp/chain.c, which does so, too. */

#include <stdbool.h>

#include "filter/links.h"

struct conf;
struct conf_function;

#define BR_GTP "br-gtp"
#define BR_TOF "br-tof"
#define HB_SEND_PORT "tof-hb0"
#define HB_RECV_PORT "tof-hb1"          /* Its peer. */
#define HB_GTP_PORT "hb-gtp"            /* Patch ports, of br-gtp */
#define HB_TOF_PORT "hb-tof"            /* and of br-tof. */
#define GTP_PORT "gtp0"
#define UE_PORT "ovs-ue"                /* Peer of ue0; made by nat/nat.c. */

/* Of chains behind the "xdp" endpoint. */
#define TUN_LINK "tof-tun"
#define TUN_PORT "ovs-tun"              /* Its peer: towards the tunnels. */
#define NAT_LINK "tof-nat"
#define NAT_PORT "ovs-nat"              /* Its peer: towards ue0. */

/* Makes the links, or adopts them.  Returns 0 or a positive errno value with
 * '*what' (malloc'd). */
int ovs_ports_plumb(unsigned int mtu, char **what);
/* Are all of them there, and up? */
bool ovs_ports_plumbed(void);

/* Asks for bridges and ports; numbers come by vswitch_ofport(). */
void ovs_ports_declare(const struct conf *);

/* The same for chains behind the "xdp" endpoint. */
int ovs_ports_plumb_chain(unsigned int mtu, char **what);
bool ovs_ports_chain_plumbed(void);
void ovs_ports_declare_chain(const struct conf *);
/* Takes the links away. */
void ovs_ports_remove_chain(void);

/* Says how it is with bridges and ports (status.h); 'port' is one of them. */
void ovs_ports_report(const struct conf *, const char *port);

/* The function called 'name', or NULL. */
const struct conf_function *ovs_ports_function(const struct conf *,
                                               const char *name);
/* Says which port of a function has no number, in a sentence that is good
 * until the next call; NULL if both have one. */
const char *ovs_ports_missing(const struct conf_function *);

#endif /* ovs/ports.h */
