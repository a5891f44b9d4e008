/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_OVSDB_H
#define TOF_OVSDB_H 1

/* Bridges and ports of the private Open vSwitch, over OVSDB (database
 * Open_vSwitch): desired here, installed there.
 *
 * Place in the flow: endpoint.c says which bridges and ports it wants;
 * port numbers come back from the IDL. */

#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/ofp-port.h"

/* 'remote': "unix:/run/tof/ovs/db.sock". */
void vswitch_init(const char *remote);
void vswitch_destroy(void);
void vswitch_run(void);
void vswitch_wait(void);

/* Connected, and the database's contents are here. */
bool vswitch_is_connected(void);

/* A bridge with datapath_type=netdev, fail_mode=secure, protocols OpenFlow13
 * to OpenFlow15, no controller (management socket only), other-config
 * 'disable-in-band' true. */
void vswitch_bridge_add(const char *bridge);

/* A port with one interface.  'options' and 'other_config' are
 * "key=value key=value" or NULL; 'type' "" for system, "gtpu", "afxdp".
 * 'cfm_interval_ms' nonzero: CFM with cfm_mpid 1 and that interval
 * (other_config:cfm_interval).  'optional': vswitch_is_synced() does not wait
 * for its number, as its device may come later or never; and it has one only
 * while the link is up. */
struct vswitch_port {
    const char *bridge;
    const char *name;
    const char *type;
    const char *options;
    unsigned int cfm_interval_ms;
    bool optional;
};
void vswitch_port_add(const struct vswitch_port *);
void vswitch_port_delete(const char *name);

/* OpenFlow port number of a desired port; 0 if not known yet, and '*error'
 * (may be NULL) set to the interface's error text, good until the next call of
 * vswitch_run(), or NULL. */
ofp_port_t vswitch_ofport(const char *name, const char **error);

/* All desired bridges and ports are there and have port numbers, but for
 * optional ports, which may have none. */
bool vswitch_is_synced(void);
/* Grows with each change of connection, port number or vswitch_is_synced():
 * compare to notice. */
unsigned int vswitch_seqno(void);

#endif /* ovs/ovsdb.h */
