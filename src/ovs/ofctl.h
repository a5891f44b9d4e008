/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_OFCTL_H
#define TOF_OFCTL_H 1

/* One bridge's OpenFlow: desired flows here, installed flows in the switch.
 *
 * Place in the flow: classifier.c, sff.c and endpoint.c compile what they
 * want into flows as text; ofctl.c brings the switch there and keeps it there.
 *
 * States of a connection (OpenFlow 1.4 or later, rconn):
 *
 *   S_IDLE       not connected.
 *   S_DUMP       connected: the switch's flows have been asked for.
 *   S_SYNC       the difference to the desired flows has been sent as one
 *                bundle: what the switch has right is left alone, so there is
 *                no empty-table moment and nothing is programmed twice.
 *   S_RUN        changes go out as bundles, each confirmed by a barrier; the
 *                next is sent when the last is acknowledged.
 *
 * Flows belong to groups: all flows with one cookie.  A group is set or
 * cleared as a whole.  If two groups want the same table, priority and match,
 * the one set last has it; if that goes, the other has it again. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tunnel.h"

struct ofctl;
struct ds;

struct ofctl_packet_in {
    uint64_t cookie;            /* Of the flow that sent it up. */
    uint8_t table_id;
    const uint8_t *frame;       /* Ethernet frame. */
    size_t len;
    struct tunnel tunnel;       /* That it came by; teid 0: none. */
};

struct ofctl_flow_stats {
    uint64_t cookie;
    uint8_t table_id;
    uint64_t packets, bytes;
    unsigned int idle_age;      /* Seconds since last hit. */
};

struct ofctl_callbacks {
    void (*packet_in)(const struct ofctl_packet_in *, void *aux);
    void (*flow_stats)(const struct ofctl_flow_stats *, void *aux);
    void *aux;
};

/* 'target': "unix:/run/tof/ovs/br-tof.mgmt".  Flows in tables for which
 * 'leased_tables' has a bit set are never compared, listed or deleted at
 * synchronisation: they are leases that end by themselves.  Nothing is
 * synchronised before ofctl_start(): until then the owner fills in what it
 * wants. */
struct ofctl *ofctl_create(const char *name, const char *target,
                           uint64_t leased_tables,
                           const struct ofctl_callbacks *);
void ofctl_start(struct ofctl *);
void ofctl_destroy(struct ofctl *);

void ofctl_run(struct ofctl *);         /* Fixed budget of work. */
void ofctl_wait(struct ofctl *);

/* Sets the group 'cookie' (nonzero) to the flows in 'flows', one a line, in
 * the syntax of ovs-ofctl add-flow with numeric ports ("table=0,priority=10,
 * ip,nw_dst=198.51.100.10,actions=output:3"); an empty text clears it.  Only
 * what differs is sent.  Returns 0, or EINVAL with the error logged (and
 * nothing changed) if a line cannot be parsed: a bug in the compiler. */
int ofctl_set(struct ofctl *, uint64_t cookie, const char *flows);

/* Sends a flow that is not part of the desired ones: a lease in one of the
 * leased tables.  In order with ofctl_set().  The same flow again restarts its
 * hard_timeout.  Returns 0, EINVAL (not a leased table, say), or ENOTCONN:
 * leases are not kept for a later connection, nor over the loss of one. */
int ofctl_lease(struct ofctl *, uint64_t cookie, const char *flow);
/* Deletes what matches ("table=20,cookie=0x5/-1"), likewise. */
int ofctl_unlease(struct ofctl *, const char *match);

/* A number that grows with every change; ofctl_acked() says whether the
 * switch has confirmed everything up to 'seqno'.  False while not
 * connected. */
uint64_t ofctl_seqno(const struct ofctl *);
bool ofctl_acked(const struct ofctl *, uint64_t seqno);

/* Has somebody else deleted flows?  Soon all are compared anew. */
bool ofctl_was_robbed(const struct ofctl *);

/* S_RUN, and all changes acknowledged at least once since connecting. */
bool ofctl_is_synced(const struct ofctl *);
bool ofctl_is_connected(const struct ofctl *);
/* Number of flow modifications sent over the life of the process. */
uint64_t ofctl_flow_mods(const struct ofctl *);
/* Does the switch refuse a flow of the group 'cookie'?  A refused change counts
 * as acknowledged, holds up no other, and is tried again about once a second
 * while it is wanted. */
bool ofctl_is_refused(const struct ofctl *, uint64_t cookie);
/* If the switch refused something: the text of the last error, else NULL.  The
 * error stays while a refused flow is wanted; a refused lease's, until the
 * next change is acknowledged. */
const char *ofctl_last_error(const struct ofctl *);

/* Sends 'frame' into the switch with 'actions' (ovs-ofctl syntax), in_port
 * CONTROLLER.  Returns 0, ENOTCONN, EINVAL, or EAGAIN if too much is
 * queued. */
int ofctl_packet_out(struct ofctl *, const void *frame, size_t len,
                     const char *actions);

/* Asks for the statistics of flows in 'table' (0xff: all) with
 * (cookie & mask) == (value & mask); answers come by callback.  At most one
 * request is under way; returns EBUSY then, and ENOTCONN while not connected:
 * a request ends with its connection.  The switch brings its counters up to
 * date about once a second. */
int ofctl_poll_stats(struct ofctl *, uint8_t table, uint64_t value,
                     uint64_t mask);

#endif /* ovs/ofctl.h */
