/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_OFCTL_PRIVATE_H
#define TOF_OFCTL_PRIVATE_H 1

/* What ofctl.c (the connection) and ofctl_batch.c (what is sent on it) share;
 * for nobody else. */

#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/rconn.h"
#include "ovs/ofctl.h"
#include "ovs/ofctl_flows.h"

enum state {
    S_IDLE,                     /* Not connected, or not started. */
    S_DUMP,                     /* Waiting for the switch's flows. */
    S_SYNC,                     /* The first batch is on its way. */
    S_RUN,                      /* As before, but for later batches. */
};

/* A flow modification on its way. */
struct batch_item {
    struct flow_slot *slot;     /* NULL: a lease. */
    struct ofpbuf *lease;       /* Encoded flow_mod. */
    ovs_be32 xid;
    enum ofperr error;
};

enum batch_phase {
    B_NONE,
    B_SENDING,                  /* From 'next' on. */
    B_WAITING,                  /* All sent, waiting for the barrier. */
};

struct batch {
    enum batch_phase phase;
    struct batch_item *items;
    size_t n, allocated;
    size_t next;
    uint64_t seqno;             /* Confirmed with this batch. */
    bool single;                /* Without a bundle: second try. */
    bool failed;
    uint32_t bundle_id;
    ovs_be32 open_xid, commit_xid, barrier_xid;
};

struct ofctl {
    char *name;
    struct rconn *rconn;
    struct ofctl_callbacks cbs;
    uint64_t leased_tables;
    bool started;
    long long int mend_at;      /* Flows have been deleted by others: when all
                                 * are compared anew.  LLONG_MAX: none. */

    enum state state;
    unsigned int conn_seqno;            /* Of rconn, to see a new one. */
    enum ofputil_protocol protocol;     /* Negotiated, or assumed. */
    struct rconn_packet_counter *tx_counter;
    struct rconn_packet_counter *packet_out_counter;

    struct flow_tables tables;
    struct ovs_list leases;             /* Of struct ofpbuf: flow_mods. */
    struct batch batch;

    ovs_be32 dump_xid;
    unsigned int n_dumps;               /* Requests not yet answered. */
    ovs_be32 stats_xid;                 /* 0: none is under way. */

    uint64_t seqno, acked_seqno;
    uint64_t n_flow_mods;
    char *last_error;
    long long int retry_at;             /* What has been refused. */
};

/* ofctl.c. */

/* Sends 'msg', taking it over; returns its transaction id. */
ovs_be32 ofctl_send(struct ofctl *, struct ofpbuf *msg);
enum ofp_version ofctl_version(const struct ofctl *);

/* ofctl_batch.c. */

/* Sends what has changed, or more of it. */
void batch_run(struct ofctl *);
/* Would batch_run() do something? */
bool batch_is_ready(const struct ofctl *);
/* Gives up the batch under way: the connection has gone. */
void batch_abandon(struct ofctl *);
/* A barrier reply, and an error, that may be about the batch; the latter
 * returns true if so. */
void batch_barrier_reply(struct ofctl *, ovs_be32 xid);
bool batch_error(struct ofctl *, ovs_be32 xid, enum ofperr);

#endif /* ovs/ofctl_private.h */
