/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_OVSDB_PRIVATE_H
#define TOF_OVSDB_PRIVATE_H 1

/* What is wanted (ovsdb.c) against the rows that there are (ovsdb_rows.c).
 *
 * Place in the flow: ovsdb.c keeps what is wanted, the connection and the
 * transaction under way; the functions here read an IDL and write into a
 * transaction, and remember nothing. */

#include <stdbool.h>

#include "openvswitch/ofp-port.h"
#include "openvswitch/shash.h"
#include "smap.h"
#include "sset.h"

struct ovsdb_idl;
struct ovsdb_idl_txn;

/* A desired port: see struct vswitch_port. */
struct vport {
    char *bridge;
    char *type;
    struct smap options;
    unsigned int cfm_interval_ms;
    bool optional;

    ofp_port_t ofport;          /* As last seen; 0: none. */
    char *error;                /* As last seen, or NULL. */
};

struct vswitch_wanted {
    struct sset bridges;
    struct shash ports;         /* struct vport by name. */
    struct sset deleted_ports;  /* Not to be there. */
};

/* Has the IDL follow the columns that are read here. */
void rows_monitor(struct ovsdb_idl *);

/* Writes what differs.  What is made can be referred to by the next
 * transaction only, as the IDL takes single members and keys of rows that the
 * server has: so if bridges are missing, ports are left for the next one. */
void rows_write(struct ovsdb_idl_txn *, const struct vswitch_wanted *);

/* The port's number if it can be used; else 0, and '*error', which the IDL
 * owns, says why, or is NULL if it may just not have come yet. */
ofp_port_t rows_ofport(const struct ovsdb_idl *, const char *name,
                       const struct vport *, const char **error);

#endif /* ovs/ovsdb_private.h */
