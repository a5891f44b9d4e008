/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rows of the database Open_vSwitch: see ovsdb_private.h.
 *
 * Columns that ovs-vswitchd or an operator use as well are changed by single
 * keys and members, never replaced as a whole.  Bridges and ports that nobody
 * asked for are left alone. */

#include "ovs/ovsdb_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "util.h"
#include "vswitch-idl.h"

VLOG_DEFINE_THIS_MODULE(ovsdb_rows);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* Interface:external_ids: the device that ovs-vswitchd has open. */
#define IFINDEX_KEY "tof-ifindex"
enum { FIRST_REOPENED_OFPORT = 0x4000 };

void
rows_monitor(struct ovsdb_idl *idl)
{
    static const struct ovsdb_idl_column *columns[] = {
        &ovsrec_open_vswitch_col_bridges,
        &ovsrec_bridge_col_name,
        &ovsrec_bridge_col_ports,
        &ovsrec_bridge_col_datapath_type,
        &ovsrec_bridge_col_fail_mode,
        &ovsrec_bridge_col_protocols,
        &ovsrec_bridge_col_other_config,
        &ovsrec_port_col_name,
        &ovsrec_port_col_interfaces,
        &ovsrec_interface_col_name,
        &ovsrec_interface_col_type,
        &ovsrec_interface_col_options,
        &ovsrec_interface_col_other_config,
        &ovsrec_interface_col_cfm_mpid,
        &ovsrec_interface_col_ofport,
        &ovsrec_interface_col_ofport_request,
        &ovsrec_interface_col_error,
        &ovsrec_interface_col_ifindex,
        &ovsrec_interface_col_link_state,
        &ovsrec_interface_col_external_ids,
    };

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(idl, columns[i]);
    }
}

static const struct ovsrec_bridge *
find_bridge(const struct ovsdb_idl *idl, const char *name)
{
    const struct ovsrec_bridge *br;

    OVSREC_BRIDGE_FOR_EACH (br, idl) {
        if (!strcmp(br->name, name)) {
            return br;
        }
    }
    return NULL;
}

/* Returns the port called 'name' and sets '*bridge' to where it is. */
static const struct ovsrec_port *
find_port(const struct ovsdb_idl *idl, const char *name,
          const struct ovsrec_bridge **bridge)
{
    const struct ovsrec_bridge *br;

    OVSREC_BRIDGE_FOR_EACH (br, idl) {
        for (size_t i = 0; i < br->n_ports; i++) {
            if (!strcmp(br->ports[i]->name, name)) {
                *bridge = br;
                return br->ports[i];
            }
        }
    }
    *bridge = NULL;
    return NULL;
}

static const struct ovsrec_interface *
port_interface(const struct ovsrec_port *port, const char *name)
{
    for (size_t i = 0; port && i < port->n_interfaces; i++) {
        if (!strcmp(port->interfaces[i]->name, name)) {
            return port->interfaces[i];
        }
    }
    return NULL;
}

static bool
bridge_is_ready(const struct ovsrec_bridge *br)
{
    return (!strcmp(br->datapath_type, "netdev")
            && br->fail_mode && !strcmp(br->fail_mode, "secure")
            && br->n_protocols == 3
            && smap_get_bool(&br->other_config, "disable-in-band", false));
}

/* Makes a bridge with its local port. */
static const struct ovsrec_bridge *
insert_bridge(struct ovsdb_idl_txn *txn,
              const struct ovsrec_open_vswitch *root, const char *name)
{
    struct ovsrec_interface *iface = ovsrec_interface_insert(txn);
    struct ovsrec_port *port = ovsrec_port_insert(txn);
    struct ovsrec_bridge *br = ovsrec_bridge_insert(txn);
    const struct smap other_config
        = SMAP_CONST1(&other_config, "disable-in-band", "true");

    ovsrec_interface_set_name(iface, name);
    ovsrec_interface_set_type(iface, "internal");
    ovsrec_port_set_name(port, name);
    ovsrec_port_set_interfaces(port, &iface, 1);
    ovsrec_bridge_set_name(br, name);
    ovsrec_bridge_set_ports(br, &port, 1);
    ovsrec_bridge_set_other_config(br, &other_config);
    ovsrec_open_vswitch_update_bridges_addvalue(root, br);
    return br;
}

/* Makes a bridge or mends it.  Returns true if it was there. */
static bool
apply_bridge(struct ovsdb_idl_txn *txn,
             const struct ovsrec_open_vswitch *root, const char *name)
{
    static const char *protocols[] = { "OpenFlow13", "OpenFlow14",
                                       "OpenFlow15" };
    const struct ovsrec_bridge *br
        = find_bridge(ovsdb_idl_txn_get_idl(txn), name);
    bool there = br != NULL;

    if (there && bridge_is_ready(br)) {
        return true;
    } else if (there) {
        ovsrec_bridge_update_other_config_setkey(br, "disable-in-band",
                                                 "true");
    } else {
        br = insert_bridge(txn, root, name);
    }
    ovsrec_bridge_set_datapath_type(br, "netdev");
    ovsrec_bridge_set_fail_mode(br, "secure");
    ovsrec_bridge_set_protocols(br, protocols, ARRAY_SIZE(protocols));
    return there;
}

static void
apply_cfm(const struct ovsrec_interface *iface, unsigned int interval_ms)
{
    unsigned int have = smap_get_uint(&iface->other_config, "cfm_interval", 0);
    int64_t mpid = 1;

    if (!interval_ms) {
        if (iface->n_cfm_mpid) {
            ovsrec_interface_set_cfm_mpid(iface, NULL, 0);
        }
        if (have) {
            ovsrec_interface_update_other_config_delkey(iface, "cfm_interval");
        }
        return;
    }
    if (!iface->n_cfm_mpid || iface->cfm_mpid[0] != mpid) {
        ovsrec_interface_set_cfm_mpid(iface, &mpid, 1);
    }
    if (have != interval_ms) {
        char *value = xasprintf("%u", interval_ms);

        ovsrec_interface_update_other_config_setkey(iface, "cfm_interval",
                                                    value);
        free(value);
    }
}

static bool
is_device(const struct vport *port)
{
    return !port->type[0] || !strcmp(port->type, "afxdp");
}

/* Number of the device that is there now; 0: none, or not known. */
static int64_t
device_now(const struct ovsrec_interface *iface)
{
    return iface->n_ifindex ? iface->ifindex[0] : 0;
}

static int64_t
device_opened(const struct ovsrec_interface *iface)
{
    return smap_get_ullong(&iface->external_ids, IFINDEX_KEY, 0);
}

static int64_t
unused_ofport(const struct ovsdb_idl *idl)
{
    int64_t number = FIRST_REOPENED_OFPORT;
    const struct ovsrec_interface *iface;
    bool used;

    do {
        used = false;
        OVSREC_INTERFACE_FOR_EACH (iface, idl) {
            used = (used || (iface->n_ofport && iface->ofport[0] == number)
                    || (iface->n_ofport_request
                        && iface->ofport_request[0] == number));
        }
    } while (used && ++number);
    return number;
}

/* With its userspace datapath ovs-vswitchd keeps a device open that has been
 * deleted, and hears nothing from a new one of the same name.  It does open
 * that one if the port has to get another number. */
static void
apply_device(const struct ovsdb_idl *idl,
             const struct ovsrec_interface *iface)
{
    int64_t now = device_now(iface);
    int64_t opened = device_opened(iface);

    if (now && now != opened) {
        char *value = xasprintf("%"PRId64, now);

        if (opened) {
            int64_t number = unused_ofport(idl);

            VLOG_INFO("port %s: there is a new device", iface->name);
            ovsrec_interface_set_ofport_request(iface, &number, 1);
        }
        ovsrec_interface_update_external_ids_setkey(iface, IFINDEX_KEY,
                                                    value);
        free(value);
    }
}

static struct ovsrec_interface *
insert_interface(struct ovsdb_idl_txn *txn, const char *name,
                 const struct vport *want)
{
    struct ovsrec_interface *iface = ovsrec_interface_insert(txn);

    ovsrec_interface_set_name(iface, name);
    ovsrec_interface_set_type(iface, want->type);
    ovsrec_interface_set_options(iface, &want->options);
    if (want->cfm_interval_ms) {
        struct smap other_config = SMAP_INITIALIZER(&other_config);
        int64_t mpid = 1;

        smap_add_format(&other_config, "cfm_interval", "%u",
                        want->cfm_interval_ms);
        ovsrec_interface_set_other_config(iface, &other_config);
        ovsrec_interface_set_cfm_mpid(iface, &mpid, 1);
        smap_destroy(&other_config);
    }
    return iface;
}

/* Makes a port, mends it or moves it to its bridge. */
static void
apply_port(struct ovsdb_idl_txn *txn, const char *name,
           const struct vport *want)
{
    const struct ovsdb_idl *idl = ovsdb_idl_txn_get_idl(txn);
    const struct ovsrec_bridge *bridge = find_bridge(idl, want->bridge);
    const struct ovsrec_bridge *where;
    const struct ovsrec_port *port = find_port(idl, name, &where);
    const struct ovsrec_interface *iface = port_interface(port, name);

    if (!bridge) {
        VLOG_WARN_RL(&rl, "port %s: nobody added bridge %s", name,
                     want->bridge);
        return;
    }
    if (!iface) {
        struct ovsrec_interface *new_iface = insert_interface(txn, name, want);

        if (!port) {
            port = ovsrec_port_insert(txn);
            ovsrec_port_set_name(port, name);
        }
        ovsrec_port_set_interfaces(port, &new_iface, 1);
    }
    if (where != bridge) {
        if (where) {
            ovsrec_bridge_update_ports_delvalue(where, port);
        }
        ovsrec_bridge_update_ports_addvalue(bridge, port);
    }
    if (iface && strcmp(iface->type, want->type)) {
        ovsrec_interface_set_type(iface, want->type);
    }
    if (iface && !smap_equal(&iface->options, &want->options)) {
        ovsrec_interface_set_options(iface, &want->options);
    }
    if (iface) {
        apply_cfm(iface, want->cfm_interval_ms);
    }
    if (iface && is_device(want)) {
        apply_device(idl, iface);
    }
}

void
rows_write(struct ovsdb_idl_txn *txn, const struct vswitch_wanted *wanted)
{
    const struct ovsdb_idl *idl = ovsdb_idl_txn_get_idl(txn);
    const struct ovsrec_open_vswitch *root = ovsrec_open_vswitch_first(idl);
    const struct ovsrec_bridge *bridge;
    const struct ovsrec_port *port;
    struct shash_node *node;
    const char *name;
    bool complete = true;

    if (!root) {
        ovsrec_open_vswitch_insert(txn);
        return;
    }
    SSET_FOR_EACH (name, &wanted->bridges) {
        complete &= apply_bridge(txn, root, name);
    }
    if (!complete) {
        return;
    }
    SSET_FOR_EACH (name, &wanted->deleted_ports) {
        port = find_port(idl, name, &bridge);
        if (port) {
            ovsrec_bridge_update_ports_delvalue(bridge, port);
        }
    }
    SHASH_FOR_EACH (node, &wanted->ports) {
        apply_port(txn, node->name, node->data);
    }
}

static ofp_port_t
read_port(const struct vport *want, const struct ovsrec_interface *iface,
          const char **error)
{
    int64_t opened = device_opened(iface);

    if (!iface->n_ofport) {
        return 0;
    } else if (iface->ofport[0] <= 0) {
        *error = iface->error ? iface->error : "could not be opened";
        return 0;
    } else if (is_device(want) && iface->n_ifindex && !device_now(iface)) {
        *error = "the device has gone";
        return 0;
    } else if (want->optional && iface->link_state
               && strcmp(iface->link_state, "up")) {
        *error = "the link is down";
        return 0;
    } else if (is_device(want) && opened
               && (opened != device_now(iface)
                   || (iface->n_ofport_request
                       && iface->ofport[0] != iface->ofport_request[0]))) {
        return 0;               /* Being opened anew. */
    }
    return OFP_PORT_C(iface->ofport[0]);
}

ofp_port_t
rows_ofport(const struct ovsdb_idl *idl, const char *name,
            const struct vport *want, const char **error)
{
    const struct ovsrec_bridge *bridge;
    const struct ovsrec_port *port = find_port(idl, name, &bridge);
    const struct ovsrec_interface *iface = port_interface(port, name);

    *error = NULL;
    return (iface && !strcmp(bridge->name, want->bridge)
            ? read_port(want, iface, error) : 0);
}
