/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Bridges and ports of the private Open vSwitch.
 *
 * Place in the flow: endpoint.c, classifier.c and sff.c say which bridges
 * and ports they want; whenever that or the database changes, vswitch_run()
 * has both compared (ovsdb_rows.c) and makes one transaction of what differs,
 * none if nothing does.  ovs-vswitchd answers by writing port numbers and
 * errors into the database, which the IDL brings back. */

#include "ovs/ovsdb.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs/ovsdb_private.h"
#include "ovsdb-idl.h"
#include "util.h"
#include "vswitch-idl.h"

VLOG_DEFINE_THIS_MODULE(ovsdb);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

enum { PROBE_INTERVAL_MS = 5000 };

static struct ovsdb_idl *idl;
static struct ovsdb_idl_txn *txn;       /* Under way, or NULL. */

static struct vswitch_wanted wanted;
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
    if (sset_add(&wanted.bridges, bridge)) {
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

    old = shash_replace(&wanted.ports, spec->name, port);
    if (old) {
        port->ofport = old->ofport;
        port->error = old->error;
        old->error = NULL;
        vport_destroy(old);
    }
    sset_find_and_delete(&wanted.deleted_ports, spec->name);
    dirty = true;
}

void
vswitch_port_delete(const char *name)
{
    vport_destroy(shash_find_and_delete(&wanted.ports, name));
    sset_add(&wanted.deleted_ports, name);
    dirty = true;
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

static void
read_ports(void)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, &wanted.ports) {
        struct vport *want = node->data;
        const char *error;
        ofp_port_t ofport = rows_ofport(idl, node->name, want, &error);

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
    rows_write(txn, &wanted);
    txn_run();
}

/* Interface. */

void
vswitch_init(const char *remote)
{
    sset_init(&wanted.bridges);
    shash_init(&wanted.ports);
    sset_init(&wanted.deleted_ports);
    idl = ovsdb_idl_create_unconnected(&ovsrec_idl_class, false);
    rows_monitor(idl);
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
    SHASH_FOR_EACH (node, &wanted.ports) {
        vport_destroy(node->data);
    }
    shash_destroy(&wanted.ports);
    sset_destroy(&wanted.bridges);
    sset_destroy(&wanted.deleted_ports);
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
    const struct vport *port = shash_find_data(&wanted.ports, name);

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
    SHASH_FOR_EACH (node, &wanted.ports) {
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
