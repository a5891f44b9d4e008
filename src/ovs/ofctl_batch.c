/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Changes on their way to the switch.
 *
 * Place in the flow: ofctl_run() calls batch_run(), which takes from
 * ofctl_flows.c all that changed since the last time: one bundle, ordered and
 * atomic, then a barrier.  The barrier's reply confirms it; meanwhile further
 * changes gather for the next batch.
 *
 *   B_NONE     nothing on its way.
 *   B_SENDING  the bundle is open; batch_run() adds a part of it each time.
 *   B_WAITING  committed, and the barrier sent.  The reply ends the batch,
 *              unless the bundle has been refused.
 *
 * A bundle of which the switch refuses one message has no effect at all: its
 * messages are then sent once more without a bundle ('single'), so that one
 * bad flow does not hold up the others, and its owner can be told
 * (ofctl_is_refused()). */

#include "ovs/ofctl_private.h"

#include <stdlib.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(ofctl_batch);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

enum {
    SEND_BUDGET = 500,          /* Flow modifications sent in a run. */
    MAX_TX_BYTES = 4 << 20,     /* Of flow modifications, queued. */
};

static ovs_be32
msg_xid(const struct ofpbuf *msg)
{
    const struct ofp_header *oh = msg->data;
    return oh->xid;
}

static void
batch_add(struct batch *b, struct flow_slot *slot, struct ofpbuf *lease)
{
    if (b->n >= b->allocated) {
        b->items = x2nrealloc(b->items, &b->allocated, sizeof *b->items);
    }
    b->items[b->n++] = (struct batch_item) { .slot = slot, .lease = lease };
}

static void
batch_add_slot(struct flow_slot *slot, void *batch)
{
    batch_add(batch, slot, NULL);
}

static void
batch_clear(struct batch *b)
{
    free(b->items);
    *b = (struct batch) { .bundle_id = b->bundle_id };
}

void
batch_abandon(struct ofctl *ofctl)
{
    struct batch *b = &ofctl->batch;

    for (size_t i = 0; i < b->n; i++) {
        if (b->items[i].slot) {
            flow_slot_abandon(&ofctl->tables, b->items[i].slot);
        }
        ofpbuf_delete(b->items[i].lease);
    }
    batch_clear(b);
}

/* The switch has confirmed the batch. */
static void
batch_finish(struct ofctl *ofctl)
{
    struct batch *b = &ofctl->batch;
    bool failed = false;

    for (size_t i = 0; i < b->n; i++) {
        struct batch_item *item = &b->items[i];

        failed |= item->error != 0;
        if (!item->slot) {
            ofpbuf_delete(item->lease);
        } else if (item->error) {
            flow_slot_refuse(&ofctl->tables, item->slot);
        } else {
            flow_slot_confirm(&ofctl->tables, item->slot);
        }
    }
    if (!failed && !ofctl->tables.n_refused) {
        free(ofctl->last_error);
        ofctl->last_error = NULL;
    }
    ofctl->acked_seqno = b->seqno;
    if (ofctl->state == S_SYNC) {
        VLOG_INFO("%s: synchronised, %"PRIuSIZE" changes", ofctl->name, b->n);
        ofctl->state = S_RUN;
    }
    batch_clear(b);
    /* For those who had their turn in the loop already. */
    poll_immediate_wake();
}

static ovs_be32
batch_control(struct ofctl *ofctl, uint16_t type)
{
    struct ofputil_bundle_ctrl_msg bcm = {
        .bundle_id = ofctl->batch.bundle_id,
        .type = type,
        .flags = OFPBF_ATOMIC | OFPBF_ORDERED,
    };
    return ofctl_send(ofctl, ofputil_encode_bundle_ctrl_request(
                        ofctl_version(ofctl), &bcm));
}

static void
batch_send_item(struct ofctl *ofctl, struct batch_item *item)
{
    struct batch *b = &ofctl->batch;
    struct ofpbuf *msg;

    msg = (item->slot ? flow_slot_encode(item->slot, ofctl->protocol)
           : ofpbuf_clone(item->lease));
    ofpmsg_update_length(msg);
    item->xid = msg_xid(msg);
    if (!b->single) {
        struct ofputil_bundle_add_msg bam = {
            .bundle_id = b->bundle_id,
            .flags = OFPBF_ATOMIC | OFPBF_ORDERED,
            .msg = msg->data,
        };
        struct ofpbuf *add = ofputil_encode_bundle_add(ofctl_version(ofctl),
                                                       &bam);
        ofpbuf_delete(msg);
        msg = add;
    }
    ofctl->n_flow_mods++;
    ofctl_send(ofctl, msg);
}

/* Opens a batch with all that has changed. */
static void
batch_open(struct ofctl *ofctl)
{
    struct batch *b = &ofctl->batch;
    struct ofpbuf *lease;

    b->seqno = ofctl->seqno;
    flow_tables_collect(&ofctl->tables, batch_add_slot, b);
    LIST_FOR_EACH_POP (lease, list_node, &ofctl->leases) {
        batch_add(b, NULL, lease);
    }
    if (!b->n) {
        batch_finish(ofctl);
        return;
    }
    b->phase = B_SENDING;
    b->bundle_id++;
    b->open_xid = batch_control(ofctl, OFPBCT_OPEN_REQUEST);
}

bool
batch_is_ready(const struct ofctl *ofctl)
{
    switch (ofctl->batch.phase) {
    case B_NONE:
        return ((ofctl->state == S_SYNC || ofctl->state == S_RUN)
                && (ofctl->acked_seqno != ofctl->seqno
                    || ofctl->state == S_SYNC));
    case B_SENDING:
        return (rconn_packet_counter_n_bytes(ofctl->tx_counter)
                < MAX_TX_BYTES);
    case B_WAITING:
    default:
        return false;
    }
}

void
batch_run(struct ofctl *ofctl)
{
    struct batch *b = &ofctl->batch;
    size_t end;

    if (!batch_is_ready(ofctl)) {
        return;
    }
    if (b->phase == B_NONE) {
        batch_open(ofctl);
    }
    end = MIN(b->n, b->next + SEND_BUDGET);
    while (b->next < end) {
        batch_send_item(ofctl, &b->items[b->next++]);
    }
    if (b->phase == B_SENDING && b->next == b->n) {
        if (!b->single) {
            b->commit_xid = batch_control(ofctl, OFPBCT_COMMIT_REQUEST);
        }
        b->barrier_xid = ofctl_send(
            ofctl, ofputil_encode_barrier_request(ofctl_version(ofctl)));
        b->phase = B_WAITING;
    }
}

void
batch_barrier_reply(struct ofctl *ofctl, ovs_be32 xid)
{
    struct batch *b = &ofctl->batch;

    if (b->phase != B_WAITING || xid != b->barrier_xid) {
        return;
    }
    if (!b->failed || b->single) {
        batch_finish(ofctl);
        return;
    }

    VLOG_WARN_RL(&rl, "%s: bundle refused, trying its %"PRIuSIZE
                 " changes one by one", ofctl->name, b->n);
    for (size_t i = 0; i < b->n; i++) {
        b->items[i].error = 0;
    }
    b->single = true;
    b->failed = false;
    b->next = 0;
    b->phase = B_SENDING;
}

static char *
lease_to_string(const struct ofpbuf *lease)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_cstr(&s, "lease: ");
    ofputil_flow_mod_format(&s, lease->data, NULL, NULL, 1);
    return ds_steal_cstr(&s);
}

bool
batch_error(struct ofctl *ofctl, ovs_be32 xid, enum ofperr error)
{
    struct batch *b = &ofctl->batch;

    if (b->phase == B_NONE) {
        return false;
    }
    for (size_t i = 0; i < b->next; i++) {
        struct batch_item *item = &b->items[i];

        if (item->xid == xid) {
            char *what = (item->slot ? flow_slot_to_string(item->slot)
                          : lease_to_string(item->lease));

            item->error = error;
            b->failed = true;
            free(ofctl->last_error);
            ofctl->last_error = xasprintf("%s: %s", ofperr_to_string(error),
                                          what);
            VLOG_WARN_RL(&rl, "%s: switch refused: %s", ofctl->name,
                         ofctl->last_error);
            free(what);
            return true;
        }
    }
    if (!b->single && (xid == b->open_xid || xid == b->commit_xid)) {
        b->failed = true;
        return true;
    }
    return false;
}
