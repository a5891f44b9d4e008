/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One bridge's OpenFlow connection.
 *
 * Place in the flow: classifier.c, sff.c and endpoint.c say what they want
 * (ofctl_set()); ofctl_flows.c keeps that beside what the switch has, and
 * ofctl_batch.c sends the difference.  Here is the connection itself, and what
 * the switch says on it: its flows at first, then confirmations and errors,
 * packet-ins, statistics, flows that somebody else has deleted, after which all
 * are compared as after a reconnect.  See ofctl.h for the states.
 *
 * No call does more than a fixed amount of work: what is left of a dump or of
 * a large batch continues with the next ofctl_run(). */

#include "ovs/ofctl.h"

#include <errno.h>
#include <stdlib.h>

#include "base/metrics.h"
#include "byte-order.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-connection.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-monitor.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/rconn.h"
#include "openvswitch/vlog.h"
#include "ovs/ofctl_private.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(ofctl);

METRIC_COUNTER(n_mended, "tof_mended_total", "what=\"flows\"",
               "What somebody else had taken out of the kernel, and was put "
               "back.");

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

enum {
    PROBE_INTERVAL = 5,         /* Seconds of silence before an echo. */
    MAX_BACKOFF = 1,            /* Seconds between attempts to connect. */
    RECV_BUDGET = 500,          /* Messages and flows received in a run. */
    MAX_PACKET_OUTS = 1024,     /* Queued. */
    RETRY_MS = 1000,            /* What is refused is tried again after this, */
    MAX_RETRIES = 100,          /* so many flows at once. */
    MEND_MS = 1000,             /* As long may deleted flows be missing. */
    HIDDEN_TABLE = 254,         /* The switch's own, with those above it. */
};

/* Sending. */

enum ofp_version
ofctl_version(const struct ofctl *ofctl)
{
    return ofputil_protocol_to_ofp_version(ofctl->protocol);
}

ovs_be32
ofctl_send(struct ofctl *ofctl, struct ofpbuf *msg)
{
    const struct ofp_header *oh = msg->data;
    ovs_be32 xid = oh->xid;

    rconn_send(ofctl->rconn, msg, ofctl->tx_counter);
    return xid;
}

static bool
is_leased(const struct ofctl *ofctl, uint8_t table_id)
{
    return table_id < 64 && ofctl->leased_tables & (UINT64_C(1) << table_id);
}

/* Dump and statistics. */

static ovs_be32
send_flow_stats_request(struct ofctl *ofctl, uint8_t table, uint64_t value,
                        uint64_t mask, ovs_be32 xid)
{
    struct ofputil_flow_stats_request fsr = {
        .table_id = table,
        .cookie = htonll(value & mask),
        .cookie_mask = htonll(mask),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };
    struct ofpbuf *msg;

    match_init_catchall(&fsr.match);
    msg = ofputil_encode_flow_stats_request(&fsr, ofctl->protocol);
    if (xid) {
        ((struct ofp_header *) msg->data)->xid = xid;
    }
    return ofctl_send(ofctl, msg);
}

/* Asks for all flows but those of leased tables: these may be many, and are
 * not ours to compare.  All requests have the same transaction id. */
static void
dump_start(struct ofctl *ofctl)
{
    flow_tables_forget_installed(&ofctl->tables);
    ofctl->state = S_DUMP;
    ofctl->dump_xid = 0;
    ofctl->n_dumps = 0;
    if (!ofctl->leased_tables) {
        ofctl->dump_xid = send_flow_stats_request(ofctl, OFPTT_ALL, 0, 0, 0);
        ofctl->n_dumps = 1;
        return;
    }
    for (int table = 0; table < HIDDEN_TABLE; table++) {
        if (!is_leased(ofctl, table)) {
            ofctl->dump_xid = send_flow_stats_request(ofctl, table, 0, 0,
                                                      ofctl->dump_xid);
            ofctl->n_dumps++;
        }
    }
}

static void
report_flow_stats(struct ofctl *ofctl, const struct ofputil_flow_stats *fs)
{
    struct ofctl_flow_stats stats = {
        .cookie = ntohll(fs->cookie),
        .table_id = fs->table_id,
        .packets = fs->packet_count,
        .bytes = fs->byte_count,
        .idle_age = fs->idle_age < 0 ? 0 : fs->idle_age,
    };
    if (ofctl->cbs.flow_stats) {
        ofctl->cbs.flow_stats(&stats, ofctl->cbs.aux);
    }
}

/* Handles a part of the answer to a dump or a poll.  Returns the number of
 * flows in it. */
static unsigned int
recv_flow_stats(struct ofctl *ofctl, struct ofpbuf *msg)
{
    const struct ofp_header *oh = msg->data;
    ovs_be32 xid = oh->xid;
    bool more = ofpmp_more(oh);
    bool dump = ofctl->state == S_DUMP && xid == ofctl->dump_xid;
    struct ofputil_flow_stats fs;
    struct ofpbuf ofpacts;
    unsigned int n = 0;
    int retval;

    if (!dump && (!ofctl->stats_xid || xid != ofctl->stats_xid)) {
        return 0;
    }
    ofpbuf_init(&ofpacts, 0);
    while (!(retval = ofputil_decode_flow_stats_reply(&fs, msg, true,
                                                      &ofpacts))) {
        n++;
        if (!dump) {
            report_flow_stats(ofctl, &fs);
        } else if (!is_leased(ofctl, fs.table_id)) {
            flow_tables_put_installed(&ofctl->tables, &fs);
        }
    }
    ofpbuf_uninit(&ofpacts);
    if (retval != EOF) {
        VLOG_WARN_RL(&rl, "%s: bad flow statistics", ofctl->name);
    }

    if (more) {
        return n;
    } else if (!dump) {
        ofctl->stats_xid = 0;
    } else if (!--ofctl->n_dumps) {
        flow_tables_end_dump(&ofctl->tables);
        ofctl->state = S_SYNC;
    }
    return n;
}

/* Receiving. */

static void
recv_packet_in(struct ofctl *ofctl, const struct ofp_header *oh)
{
    struct ofputil_packet_in pin;
    struct ofctl_packet_in report;
    uint32_t buffer_id;
    enum ofperr error;
    size_t total_len;

    error = ofputil_decode_packet_in(oh, true, NULL, NULL, &pin, &total_len,
                                     &buffer_id, NULL);
    if (error) {
        VLOG_WARN_RL(&rl, "%s: bad packet-in: %s", ofctl->name,
                     ofperr_to_string(error));
        return;
    }
    report.cookie = ntohll(pin.cookie);
    report.table_id = pin.table_id;
    report.tunnel = (struct tunnel) {
        .src = flow_tnl_src(&pin.flow_metadata.flow.tunnel),
        .dst = flow_tnl_dst(&pin.flow_metadata.flow.tunnel),
        .teid = ntohll(pin.flow_metadata.flow.tunnel.tun_id),
    };
    report.frame = pin.packet;
    report.len = pin.packet_len;
    if (ofctl->cbs.packet_in) {
        ofctl->cbs.packet_in(&report, ofctl->cbs.aux);
    }
}

static void
recv_error(struct ofctl *ofctl, const struct ofp_header *oh)
{
    enum ofperr error = ofperr_decode_msg(oh, NULL);

    if (batch_error(ofctl, oh->xid, error)) {
        return;
    }
    VLOG_WARN_RL(&rl, "%s: switch says %s", ofctl->name,
                 ofperr_to_string(error));
    if (ofctl->stats_xid && oh->xid == ofctl->stats_xid) {
        ofctl->stats_xid = 0;
    } else if (ofctl->state == S_DUMP && oh->xid == ofctl->dump_xid) {
        rconn_reconnect(ofctl->rconn);
    }
}

/* Asks to be told of flows that go, but for those that we delete. */
static void
watch_flows(struct ofctl *ofctl)
{
    struct ofputil_flow_monitor_request fmr = {
        .id = 1,
        .command = OFPFMC_ADD,
        .flags = OFPFMF_REMOVED,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = OFPTT_ALL,
    };
    struct ofpbuf *msg = ofpbuf_new(0);

    match_init_catchall(&fmr.match);
    ofputil_append_flow_monitor_request(&fmr, msg, ofctl->protocol);
    ofctl_send(ofctl, msg);
}

/* Somebody else has deleted flows: all are compared anew.  Not at once, since
 * `tof-ovs stop` begins by deleting those of heartbeats, so that nothing is
 * diverted any more when Open vSwitch ends. */
static void
recv_flow_update(struct ofctl *ofctl, struct ofpbuf *msg)
{
    struct ofputil_flow_update update;
    struct ofpbuf ofpacts;

    ofpbuf_init(&ofpacts, 0);
    while (!ofputil_decode_flow_update(&update, msg, &ofpacts)) {
        if (update.event == OFPFME_REMOVED && update.reason == OFPRR_DELETE
            && !is_leased(ofctl, update.table_id)
            && ofctl->mend_at == LLONG_MAX) {
            VLOG_WARN_RL(&rl, "%s: somebody else has deleted flows",
                         ofctl->name);
            metric_inc(&n_mended);
            ofctl->mend_at = time_msec() + MEND_MS;
        }
    }
    ofpbuf_uninit(&ofpacts);
}

/* Handles 'msg' and returns what it cost. */
static unsigned int
recv_msg(struct ofctl *ofctl, struct ofpbuf *msg)
{
    const struct ofp_header *oh = msg->data;
    enum ofptype type;

    if (ofptype_decode(&type, oh)) {
        return 1;
    }
    switch ((int) type) {
    case OFPTYPE_ECHO_REQUEST:
        rconn_send(ofctl->rconn, ofputil_encode_echo_reply(oh), NULL);
        return 1;
    case OFPTYPE_PACKET_IN:
        recv_packet_in(ofctl, oh);
        return 1;
    case OFPTYPE_FLOW_STATS_REPLY:
        return 1 + recv_flow_stats(ofctl, msg);
    case OFPTYPE_FLOW_MONITOR_STATS_REPLY:
        recv_flow_update(ofctl, msg);
        return 1;
    case OFPTYPE_BARRIER_REPLY:
        batch_barrier_reply(ofctl, oh->xid);
        return 1;
    case OFPTYPE_ERROR:
        recv_error(ofctl, oh);
        return 1;
    default:
        return 1;
    }
}

/* Connection. */

static void
disconnected(struct ofctl *ofctl)
{
    batch_abandon(ofctl);
    ofpbuf_list_delete(&ofctl->leases);
    ovs_list_init(&ofctl->leases);
    ofctl->state = S_IDLE;
    ofctl->mend_at = LLONG_MAX;
    ofctl->stats_xid = 0;
    ofctl->acked_seqno = 0;
}

/* A management connection gets nothing unasked by default: asks for whole
 * packet-ins, and for nothing else. */
static void
connected(struct ofctl *ofctl)
{
    int version = rconn_get_version(ofctl->rconn);
    struct ofputil_switch_config config = {
        .frag = OFPUTIL_FRAG_NORMAL,
        .invalid_ttl_to_controller = -1,
        .miss_send_len = OFPCML12_NO_BUFFER,
    };
    struct ofputil_async_cfg async = OFPUTIL_ASYNC_CFG_INIT;

    ofctl->protocol = ofputil_protocol_from_ofp_version(version);
    ofctl_send(ofctl, ofputil_encode_set_config(&config, version));
    async.primary[OAM_PACKET_IN]
        = ofputil_async_cfg_default(version).primary[OAM_PACKET_IN];
    ofctl_send(ofctl, ofputil_encode_set_async_config(
                 &async, (1u << OAM_PACKET_IN) | (1u << OAM_PORT_STATUS)
                 | (1u << OAM_FLOW_REMOVED), version));
    watch_flows(ofctl);
}

static void
connection_run(struct ofctl *ofctl)
{
    unsigned int seqno;

    rconn_run(ofctl->rconn);
    seqno = rconn_get_connection_seqno(ofctl->rconn);
    if (seqno != ofctl->conn_seqno) {
        ofctl->conn_seqno = seqno;
        poll_immediate_wake();
        disconnected(ofctl);
        if (rconn_is_connected(ofctl->rconn)) {
            connected(ofctl);
        }
    }
    if (time_msec() >= ofctl->mend_at && ofctl->state == S_RUN) {
        disconnected(ofctl);
    }
    if (ofctl->state == S_IDLE && ofctl->started
        && rconn_is_connected(ofctl->rconn)) {
        dump_start(ofctl);
    }
}

/* Interface. */

struct ofctl *
ofctl_create(const char *name, const char *target, uint64_t leased_tables,
             const struct ofctl_callbacks *cbs)
{
    struct ofctl *ofctl = xzalloc(sizeof *ofctl);

    ofctl->name = xstrdup(name);
    ofctl->cbs = cbs ? *cbs : (struct ofctl_callbacks) { .aux = NULL };
    ofctl->leased_tables = leased_tables;
    ofctl->protocol = OFPUTIL_P_OF15_OXM;
    ofctl->mend_at = LLONG_MAX;
    ofctl->tx_counter = rconn_packet_counter_create();
    ofctl->packet_out_counter = rconn_packet_counter_create();
    flow_tables_init(&ofctl->tables);
    ovs_list_init(&ofctl->leases);
    ofctl->rconn = rconn_create(PROBE_INTERVAL, MAX_BACKOFF, 0,
                                (1u << OFP13_VERSION) | (1u << OFP14_VERSION)
                                | (1u << OFP15_VERSION));
    ofctl->conn_seqno = rconn_get_connection_seqno(ofctl->rconn);
    rconn_connect(ofctl->rconn, target, name);
    return ofctl;
}

void
ofctl_start(struct ofctl *ofctl)
{
    ofctl->started = true;
}

/* The flows stay in the switch. */
void
ofctl_destroy(struct ofctl *ofctl)
{
    if (!ofctl) {
        return;
    }
    rconn_destroy(ofctl->rconn);
    disconnected(ofctl);
    free(ofctl->batch.items);
    flow_tables_destroy(&ofctl->tables);
    rconn_packet_counter_destroy(ofctl->tx_counter);
    rconn_packet_counter_destroy(ofctl->packet_out_counter);
    free(ofctl->last_error);
    free(ofctl->name);
    free(ofctl);
}

void
ofctl_run(struct ofctl *ofctl)
{
    unsigned int cost = 0;
    struct ofpbuf *msg;

    connection_run(ofctl);
    while (cost < RECV_BUDGET && (msg = rconn_recv(ofctl->rconn))) {
        cost += recv_msg(ofctl, msg);
        ofpbuf_delete(msg);
    }
    if (ofctl->tables.n_refused && ofctl_is_synced(ofctl)
        && time_msec() >= ofctl->retry_at) {
        ofctl->retry_at = time_msec() + RETRY_MS;
        flow_tables_retry(&ofctl->tables, MAX_RETRIES);
        ofctl->seqno++;
    }
    batch_run(ofctl);
}

void
ofctl_wait(struct ofctl *ofctl)
{
    rconn_run_wait(ofctl->rconn);
    rconn_recv_wait(ofctl->rconn);
    if (batch_is_ready(ofctl)
        || (ofctl->started && ofctl->state == S_IDLE
            && rconn_is_connected(ofctl->rconn))) {
        poll_immediate_wake();
    }
    if (ofctl->tables.n_refused) {
        poll_timer_wait_until(ofctl->retry_at);
    }
    poll_timer_wait_until(ofctl->mend_at);
}

int
ofctl_set(struct ofctl *ofctl, uint64_t cookie, const char *flows)
{
    bool changed = false;
    char *error = NULL;
    int retval;

    if (!cookie || cookie == UINT64_MAX) {
        VLOG_ERR("%s: cookie %#"PRIx64" is reserved", ofctl->name, cookie);
        return EINVAL;
    }
    retval = flow_tables_set(&ofctl->tables, cookie, flows, &changed, &error);
    if (retval) {
        VLOG_ERR_RL(&rl, "%s: flow not understood: %s", ofctl->name, error);
        free(error);
    } else if (changed) {
        ofctl->seqno++;
    }
    return retval;
}

/* Queues the flow modification 'text', in a leased table. */
static int
queue_lease(struct ofctl *ofctl, int command, uint64_t cookie,
            const char *text)
{
    struct ofputil_flow_mod fm;
    struct ofpbuf *msg;
    char *error;

    error = flow_parse(&fm, command, text);
    if (error) {
        VLOG_ERR_RL(&rl, "%s: lease not understood: %s: %s", ofctl->name,
                    text, error);
        free(error);
        return EINVAL;
    }
    if (command == OFPFC_ADD) {
        fm.new_cookie = htonll(cookie);
    }
    msg = (is_leased(ofctl, fm.table_id)
           ? ofputil_encode_flow_mod(&fm, ofctl->protocol) : NULL);
    minimatch_destroy(&fm.match);
    free(fm.ofpacts);
    if (!msg) {
        VLOG_ERR_RL(&rl, "%s: not a leased table: %s", ofctl->name, text);
        return EINVAL;
    }
    if (!rconn_is_connected(ofctl->rconn)) {
        ofpbuf_delete(msg);
        return ENOTCONN;
    }
    ovs_list_push_back(&ofctl->leases, &msg->list_node);
    ofctl->seqno++;
    return 0;
}

int
ofctl_lease(struct ofctl *ofctl, uint64_t cookie, const char *flow)
{
    return queue_lease(ofctl, OFPFC_ADD, cookie, flow);
}

int
ofctl_unlease(struct ofctl *ofctl, const char *match)
{
    return queue_lease(ofctl, OFPFC_DELETE, 0, match);
}

uint64_t
ofctl_seqno(const struct ofctl *ofctl)
{
    return ofctl->seqno;
}

bool
ofctl_acked(const struct ofctl *ofctl, uint64_t seqno)
{
    return ofctl_is_synced(ofctl) && ofctl->acked_seqno >= seqno;
}

bool
ofctl_is_synced(const struct ofctl *ofctl)
{
    return ofctl->state == S_RUN && ofctl_is_connected(ofctl);
}

bool
ofctl_was_robbed(const struct ofctl *ofctl)
{
    return ofctl->mend_at != LLONG_MAX;
}

bool
ofctl_is_connected(const struct ofctl *ofctl)
{
    return rconn_is_connected(ofctl->rconn);
}

uint64_t
ofctl_flow_mods(const struct ofctl *ofctl)
{
    return ofctl->n_flow_mods;
}

bool
ofctl_is_refused(const struct ofctl *ofctl, uint64_t cookie)
{
    return flow_tables_is_refused(&ofctl->tables, cookie);
}

const char *
ofctl_last_error(const struct ofctl *ofctl)
{
    return ofctl->last_error;
}

int
ofctl_packet_out(struct ofctl *ofctl, const void *frame, size_t len,
                 const char *actions)
{
    enum ofputil_protocol usable;
    struct ofpbuf ofpacts;
    struct ofpact_parse_params pp = {
        .ofpacts = &ofpacts,
        .usable_protocols = &usable,
    };
    struct ofputil_packet_out po = {
        .packet = frame,
        .packet_len = len,
        .buffer_id = UINT32_MAX,
    };
    char *error;
    int retval;

    if (!rconn_is_connected(ofctl->rconn)) {
        return ENOTCONN;
    }
    ofpbuf_init(&ofpacts, 64);
    error = ofpacts_parse_actions(actions, &pp);
    if (error || len < ETH_HEADER_LEN) {
        VLOG_ERR_RL(&rl, "%s: bad packet-out: %s: %s", ofctl->name, actions,
                    error ? error : "frame too short");
        free(error);
        retval = EINVAL;
    } else {
        match_init_catchall(&po.flow_metadata);
        match_set_in_port(&po.flow_metadata, OFPP_CONTROLLER);
        po.ofpacts = ofpacts.data;
        po.ofpacts_len = ofpacts.size;
        retval = rconn_send_with_limit(
            ofctl->rconn, ofputil_encode_packet_out(&po, ofctl->protocol),
            ofctl->packet_out_counter, MAX_PACKET_OUTS);
    }
    ofpbuf_uninit(&ofpacts);
    return retval;
}

int
ofctl_poll_stats(struct ofctl *ofctl, uint8_t table, uint64_t value,
                 uint64_t mask)
{
    if (!rconn_is_connected(ofctl->rconn)) {
        return ENOTCONN;
    } else if (ofctl->stats_xid) {
        return EBUSY;
    }
    ofctl->stats_xid = send_flow_stats_request(ofctl, table, value, mask, 0);
    return 0;
}
