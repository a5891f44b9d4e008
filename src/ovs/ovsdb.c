/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Bridges and ports of the private Open vSwitch.
 *
 * Place in the flow: endpoint_ovs.c, classifier.c and sff.c say which bridges
 * and ports they want; whenever that or the database changes, vswitch_run()
 * compares the two and makes one transaction of what differs, none if nothing
 * does.  ovs-vswitchd answers by writing port numbers and errors into the
 * database, which the IDL brings back.
 *
 * Columns that ovs-vswitchd or an operator use as well are changed by single
 * keys and members, never replaced as a whole.  Bridges and ports that nobody
 * asked for are left alone. */

#include "ovs/ovsdb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "smap.h"
#include "sset.h"
#include "util.h"
#include "vswitch-idl.h"

VLOG_DEFINE_THIS_MODULE(ovsdb);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

enum { PROBE_INTERVAL_MS = 5000 };

/* Interface:external_ids: the device that ovs-vswitchd has open. */
#define IFINDEX_KEY "tof-ifindex"
enum { FIRST_REOPENED_OFPORT = 0x4000 };

/* A desired port. */
struct vport {
    char *bridge;
    char *type;
    struct smap options;
    unsigned int cfm_interval_ms;
    bool optional;

    ofp_port_t ofport;          /* As last seen; 0: none. */
    char *error;                /* As last seen, or NULL. */
};

static struct ovsdb_idl *idl;
static struct ovsdb_idl_txn *txn;       /* Under way, or NULL. */

static struct sset bridges;             /* Desired bridges. */
static struct shash ports;              /* Desired: struct vport by name. */
static struct sset deleted_ports;       /* Desired not to be there. */

static bool dirty;                      /* The desired state has changed. */
static bool applied;                    /* ...and the database has it. */
static unsigned int idl_seqno;          /* Compared with this one. */
static bool was_connected, was_synced;
static unsigned int seqno;

/* Desired state. */

static void
vport_destroy(struct vport *port)
{
    if (port) {
        free(port->bridge);
        free(port->type);
        smap_destroy(&port->options);
        free(port->error);
        free(port);
    }
}

/* Parses "key=value key=value" into '*map', which is initialized. */
static void
parse_options(const char *text, struct smap *map)
{
    char *copy = nullable_xstrdup(text);
    char *save = NULL;

    for (char *word = copy ? strtok_r(copy, " ", &save) : NULL; word;
         word = strtok_r(NULL, " ", &save)) {
        char *value = strchr(word, '=');

        if (value) {
            *value++ = '\0';
            smap_replace(map, word, value);
        } else {
            VLOG_ERR("option \"%s\" has no value", word);
        }
    }
    free(copy);
}

void
vswitch_bridge_add(const char *bridge)
{
    if (sset_add(&bridges, bridge)) {
        dirty = true;
    }
}

void
vswitch_port_add(const struct vswitch_port *spec)
{
    struct vport *port = xzalloc(sizeof *port);
    struct vport *old;

    port->bridge = xstrdup(spec->bridge);
    port->type = xstrdup(spec->type ? spec->type : "");
    smap_init(&port->options);
    parse_options(spec->options, &port->options);
    port->cfm_interval_ms = spec->cfm_interval_ms;
    port->optional = spec->optional;

    old = shash_replace(&ports, spec->name, port);
    if (old) {
        port->ofport = old->ofport;
        port->error = old->error;
        old->error = NULL;
        vport_destroy(old);
    }
    sset_find_and_delete(&deleted_ports, spec->name);
    dirty = true;
}

void
vswitch_port_delete(const char *name)
{
    vport_destroy(shash_find_and_delete(&ports, name));
    sset_add(&deleted_ports, name);
    dirty = true;
}

/* Desired to database. */

static const struct ovsrec_bridge *
find_bridge(const char *name)
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
find_port(const char *name, const struct ovsrec_bridge **bridge)
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
insert_bridge(const struct ovsrec_open_vswitch *root, const char *name)
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
apply_bridge(const struct ovsrec_open_vswitch *root, const char *name)
{
    static const char *protocols[] = { "OpenFlow13", "OpenFlow14",
                                       "OpenFlow15" };
    const struct ovsrec_bridge *br = find_bridge(name);
    bool there = br != NULL;

    if (there && bridge_is_ready(br)) {
        return true;
    } else if (there) {
        ovsrec_bridge_update_other_config_setkey(br, "disable-in-band",
                                                 "true");
    } else {
        br = insert_bridge(root, name);
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
unused_ofport(void)
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
apply_device(const struct ovsrec_interface *iface)
{
    int64_t now = device_now(iface);
    int64_t opened = device_opened(iface);

    if (now && now != opened) {
        char *value = xasprintf("%"PRId64, now);

        if (opened) {
            int64_t number = unused_ofport();

            VLOG_INFO("port %s: there is a new device", iface->name);
            ovsrec_interface_set_ofport_request(iface, &number, 1);
        }
        ovsrec_interface_update_external_ids_setkey(iface, IFINDEX_KEY,
                                                    value);
        free(value);
    }
}

static struct ovsrec_interface *
insert_interface(const char *name, const struct vport *want)
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
apply_port(const char *name, const struct vport *want)
{
    const struct ovsrec_bridge *bridge = find_bridge(want->bridge);
    const struct ovsrec_bridge *where;
    const struct ovsrec_port *port = find_port(name, &where);
    const struct ovsrec_interface *iface = port_interface(port, name);

    if (!bridge) {
        VLOG_WARN_RL(&rl, "port %s: nobody added bridge %s", name,
                     want->bridge);
        return;
    }
    if (!iface) {
        struct ovsrec_interface *new_iface = insert_interface(name, want);

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
        apply_device(iface);
    }
}

/* Writes what differs.  What is made can be referred to by the next
 * transaction only: the IDL takes single members and keys of rows that the
 * server has. */
static void
apply_all(void)
{
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
    SSET_FOR_EACH (name, &bridges) {
        complete &= apply_bridge(root, name);
    }
    if (!complete) {
        return;
    }
    SSET_FOR_EACH (name, &deleted_ports) {
        port = find_port(name, &bridge);
        if (port) {
            ovsrec_bridge_update_ports_delvalue(bridge, port);
        }
    }
    SHASH_FOR_EACH (node, &ports) {
        apply_port(node->name, node->data);
    }
}

/* Brings a transaction further.  Returns true if none is under way. */
static bool
txn_run(void)
{
    enum ovsdb_idl_txn_status status;

    if (!txn) {
        return true;
    }
    status = ovsdb_idl_txn_commit(txn);
    switch (status) {
    case TXN_INCOMPLETE:
        return false;
    case TXN_UNCHANGED:
        applied = true;
        break;
    case TXN_SUCCESS:
        /* The IDL shows it: compare again, to find it unchanged or to go on
         * with what builds on it. */
        dirty = true;
        break;
    case TXN_TRY_AGAIN:
        /* After the change of 'idl_seqno' that made it fail. */
        break;
    case TXN_UNCOMMITTED:
    case TXN_ABORTED:
    case TXN_NOT_LOCKED:
    case TXN_ERROR:
    default:
        VLOG_ERR_RL(&rl, "transaction failed: %s (%s)",
                    ovsdb_idl_txn_status_to_string(status),
                    ovsdb_idl_txn_get_error(txn));
        break;
    }
    ovsdb_idl_txn_destroy(txn);
    txn = NULL;
    return true;
}

/* Database to desired state: port numbers and errors. */

/* The port's number if it can be used; else 0 and maybe '*error'. */
static ofp_port_t
read_port(const struct vport *want, const struct ovsrec_interface *iface,
          const char **error)
{
    int64_t opened = device_opened(iface);

    *error = NULL;
    if (!iface->n_ofport) {
        return 0;
    } else if (iface->ofport[0] <= 0) {
        *error = iface->error ? iface->error : "could not be opened";
        return 0;
    } else if (is_device(want) && iface->n_ifindex && !device_now(iface)) {
        *error = "the device has gone";
        return 0;
    } else if (is_device(want) && opened
               && (opened != device_now(iface)
                   || (iface->n_ofport_request
                       && iface->ofport[0] != iface->ofport_request[0]))) {
        return 0;               /* Being opened anew. */
    }
    return OFP_PORT_C(iface->ofport[0]);
}

static void
read_ports(void)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, &ports) {
        struct vport *want = node->data;
        const struct ovsrec_bridge *bridge;
        const struct ovsrec_port *port = find_port(node->name, &bridge);
        const struct ovsrec_interface *iface = port_interface(port,
                                                              node->name);
        ofp_port_t ofport = 0;
        const char *error = NULL;

        if (iface && !strcmp(bridge->name, want->bridge)) {
            ofport = read_port(want, iface, &error);
        }
        if (ofport != want->ofport
            || !nullable_string_is_equal(error, want->error)) {
            if (error) {
                VLOG_WARN_RL(&rl, "port %s: %s", node->name, error);
            }
            want->ofport = ofport;
            free(want->error);
            want->error = nullable_xstrdup(error);
            seqno++;
        }
    }
}

/* Makes a transaction of what differs, if anything has changed on either side
 * since the last time. */
static void
compare(void)
{
    unsigned int new_seqno = ovsdb_idl_get_seqno(idl);

    if (new_seqno == idl_seqno && !dirty) {
        return;
    }
    idl_seqno = new_seqno;
    dirty = false;
    applied = false;
    read_ports();

    txn = ovsdb_idl_txn_create(idl);
    ovsdb_idl_txn_add_comment(txn, "tofd");
    apply_all();
    txn_run();
}

/* Interface. */

static void
monitor_columns(void)
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
        &ovsrec_interface_col_external_ids,
    };

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(idl, columns[i]);
    }
}

void
vswitch_init(const char *remote)
{
    sset_init(&bridges);
    shash_init(&ports);
    sset_init(&deleted_ports);
    idl = ovsdb_idl_create_unconnected(&ovsrec_idl_class, false);
    monitor_columns();
    ovsdb_idl_set_probe_interval(idl, PROBE_INTERVAL_MS);
    ovsdb_idl_set_remote(idl, remote, true);
    dirty = applied = was_connected = was_synced = false;
    idl_seqno = 0;
}

/* The bridges stay. */
void
vswitch_destroy(void)
{
    struct shash_node *node;

    if (!idl) {
        return;
    }
    if (txn) {
        ovsdb_idl_txn_destroy(txn);
        txn = NULL;
    }
    ovsdb_idl_destroy(idl);
    idl = NULL;
    SHASH_FOR_EACH (node, &ports) {
        vport_destroy(node->data);
    }
    shash_destroy(&ports);
    sset_destroy(&bridges);
    sset_destroy(&deleted_ports);
}

void
vswitch_run(void)
{
    unsigned int old_seqno = seqno;

    ovsdb_idl_run(idl);
    if (vswitch_is_connected() != was_connected) {
        was_connected = !was_connected;
        seqno++;
    }
    if (txn_run() && vswitch_is_connected()) {
        compare();
    }
    if (vswitch_is_synced() != was_synced) {
        was_synced = !was_synced;
        seqno++;
    }
    if (seqno != old_seqno) {
        /* For those who had their turn in the loop already. */
        poll_immediate_wake();
    }
}

void
vswitch_wait(void)
{
    ovsdb_idl_wait(idl);
    if (txn) {
        ovsdb_idl_txn_wait(txn);
    } else if (vswitch_is_connected()
               && (dirty || ovsdb_idl_get_seqno(idl) != idl_seqno)) {
        poll_immediate_wake();
    }
}

bool
vswitch_is_connected(void)
{
    return (idl && ovsdb_idl_has_ever_connected(idl)
            && ovsdb_idl_is_connected(idl));
}

ofp_port_t
vswitch_ofport(const char *name, const char **error)
{
    const struct vport *port = shash_find_data(&ports, name);

    if (error) {
        *error = port ? port->error : NULL;
    }
    return port ? port->ofport : 0;
}

bool
vswitch_is_synced(void)
{
    struct shash_node *node;

    if (!vswitch_is_connected() || txn || dirty || !applied) {
        return false;
    }
    SHASH_FOR_EACH (node, &ports) {
        const struct vport *port = node->data;

        if (!port->ofport && !port->optional) {
            return false;
        }
    }
    return true;
}

unsigned int
vswitch_seqno(void)
{
    return seqno;
}
