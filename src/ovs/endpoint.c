/* SPDX-License-Identifier: GPL-3.0-or-later */

/* GTP Tunnel Endpoints in the GTP-patched Open vSwitch.
 *
 *   filter --fwd--> tof-enb|ovs-enb --> br-gtp --LOCAL--> gtp0 --> br-tof
 *   adapter <--fwd-- tof-enb|ovs-enb <-- br-gtp <--LOCAL-- gtp0 <-- br-tof
 *           <--fwd-- tof-sgw|ovs-sgw <--
 *
 * br-gtp carries encapsulated packets: what the filter diverts is output to
 * LOCAL, where the intercepting port gtp0 terminates it; what gtp0 builds
 * comes in from LOCAL and gets its Ethernet header and its way out from one
 * flow for each path (pair of outer addresses).  br-tof carries the UEs'
 * packets: see classifier.h.
 *
 * Heartbeat: tof-hb0, a port of br-gtp, sends CFM frames every 100 ms, and
 * flows take them past every port that packets pass:
 *
 *   tof-hb0|tof-hb1 -> br-gtp -> hb-gtp|hb-tof -> br-tof -> ovs-ue|ue0
 *     the NAT namespace sends them back: ue0|ovs-ue -> br-tof
 *     -> hb-tof|hb-gtp -> br-gtp -> ovs-enb|tof-enb
 *     the filter sends them back: tof-enb|ovs-enb -> br-gtp
 *     -> ovs-sgw|tof-sgw, where the filter notes that all of this works.
 *
 * Those of br-gtp are there only while both bridges have all their flows, so
 * that the filter diverts only into a switch that is alive, connected *and*
 * programmed, whatever happens to whom.
 *
 * A bearer is programmed in this order: paths, barrier, bearer flows, barrier,
 * and meanwhile the filter's guard, which lets answers out; held packets; when
 * the switch's cache has followed (cache_guard.h), divert set.  It is withdrawn
 * in reverse. */

#include <config.h>

#include "ovs/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/metrics.h"
#include "base/secure.h"
#include "base/status.h"
#include "conf/conf.h"
#include "filter/filter.h"
#include "gtp/ue_frame.h"
#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs/cache_guard.h"
#include "ovs/classifier.h"
#include "ovs/ofctl.h"
#include "ovs/ovsdb.h"
#include "ovs/path.h"
#include "ovs/ports.h"
#include "ovs/send.h"
#include "ovs/services.h"
#include "ovs/strays.h"
#include "ovs/trace.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(endpoint_ovs);

/* Cookies: which flows belong together.  A bearer's is its id; services and
 * paths have theirs, too (1 and 5, and 2). */
#define COOKIE_STATIC (UINT64_C(3) << 32)
#define COOKIE_HEARTBEAT (UINT64_C(4) << 32)
#define COOKIE_KIND_MASK (UINT64_MAX << 32)     /* Zero: a bearer's. */

#define CHECK_MS 1000
#define CHECK_AGAIN_MS 10               /* If something was missing. */
#define CHECK_BUDGET 200                /* Bearers looked up at a time. */

METRIC_COUNTER(n_mended, "tof_mended_total", "what=\"bearers\"",
               "What somebody else had taken out of the kernel, and was put "
               "back.");

struct ovs_bearer {
    struct hmap_node node;              /* In bearers, by id. */
    struct hmap_node down_node;         /* In by_down, by b.down. */
    struct endpoint_bearer b;
    struct ovs_list waiting_node;       /* In waiting, else empty. */
    struct ovs_list pathless_node;      /* In pathless, else empty. */
    struct path *up, *down;             /* Kept, or NULL. */
    uint64_t tof_seqno, gtp_seqno;      /* What must be acknowledged, */
    uint64_t filter_seqno;              /* and committed. */
    long long int asked;                /* When bearer_set() was called, or
                                         * its UE heard before. */
    long long int acked;                /* When it was first acknowledged. */
    unsigned int cache_ms;             /* Not ready before so much later, */
    long long int guarded_until;        /* nor diverted before this. */
    bool adopted;
    bool ready;                         /* The agent has been told. */
    bool paused;                        /* Waits for a new proof. */
    bool new_proof;                     /* Gets a lease with its flows. */
};

static struct hmap bearers, by_down;
static struct ovs_list waiting;         /* Of ovs_bearer, oldest first. */
static struct ovs_list pathless;        /* Those that wait for their paths. */
static struct ofctl *gtp, *tof;
static struct endpoint_events events;
static const struct conf *conf;
static struct classifier_ports ports;
static ofp_port_t enb_port, sgw_port;
static ofp_port_t hb_recv_port, hb_gtp_port, hb_tof_port;
static unsigned int vswitch_seen;       /* vswitch_seqno() when compiled. */
static unsigned int guards_seen;        /* filter_epoch() of the guards. */
static bool started, tof_started, gtp_started, heartbeat;
static long long int check_due;         /* check_bearers() */
static unsigned int next_poll;           /* Which statistics come next. */
static long long int polled_at;         /* The last ones. */

static uint32_t
hash_down(const struct endpoint_bearer *b)
{
    return secure_table_hash(&b->down.dst, b->down.teid);
}

static struct ovs_bearer *
find_bearer(uint32_t id)
{
    struct ovs_bearer *ob;

    HMAP_FOR_EACH_WITH_HASH (ob, node, hash_int(id, 0), &bearers) {
        if (ob->b.id == id) {
            return ob;
        }
    }
    return NULL;
}

static bool
ports_known(void)
{
    return (ports.gtp && ports.nat && enb_port && sgw_port && hb_recv_port
            && hb_gtp_port && hb_tof_port);
}

/* Start and end. */

static void
packet_in(const struct ofctl_packet_in *pi, void *aux OVS_UNUSED)
{
    if (pi->table_id == TABLE_TUNNEL) {
        ue_frame_hand_on(&events, pi->frame, pi->len);
    } else if (pi->tunnel.teid && pi->len > ETH_HEADER_LEN) {
        events.missed(&pi->tunnel, pi->frame + ETH_HEADER_LEN,
                      pi->len - ETH_HEADER_LEN);
    }
}

static void
flow_stats(const struct ofctl_flow_stats *fs, void *aux OVS_UNUSED)
{
    enum endpoint_direction direction =
        (fs->table_id == TABLE_LEASE || fs->table_id == TABLE_ANSWER
         ? ENDPOINT_DOWN : ENDPOINT_UP);

    if (!(fs->cookie & COOKIE_KIND_MASK)) {
        if (fs->table_id == TABLE_INPUT && !find_bearer(fs->cookie)) {
            strays_note(fs->cookie, polled_at);
        }
        events.counters(fs->cookie, direction, fs->packets, fs->bytes,
                        polled_at);
    } else if (fs->table_id != TABLE_INPUT) {
        const struct in6_addr *ip = ovs_services_by_cookie(fs->cookie);

        if (ip) {
            events.service_counters(ip, direction, fs->packets, fs->bytes);
        }
    }
}

static void
ovs_init(const struct conf *conf_, const struct endpoint_events *events_)
{
    const struct ofctl_callbacks cbs = { packet_in, flow_stats, NULL };

    conf = conf_;
    events = *events_;
    hmap_init(&bearers);
    hmap_init(&by_down);
    cache_guard_init();
    ovs_list_init(&waiting);
    ovs_list_init(&pathless);

    char *remote = xasprintf("unix:%s/ovs/db.sock", conf->run_dir);
    vswitch_init(remote);
    free(remote);
    ovs_ports_declare(conf);

    char *target = xasprintf("unix:%s/ovs/" BR_GTP ".mgmt", conf->run_dir);
    gtp = ofctl_create(BR_GTP, target, 0, &cbs);
    free(target);
    target = xasprintf("unix:%s/ovs/" BR_TOF ".mgmt", conf->run_dir);
    tof = ofctl_create(BR_TOF, target, UINT64_C(1) << TABLE_LEASE, &cbs);
    free(target);
    path_init(gtp);
    ovs_services_init(conf, tof);
    ovs_send_init(gtp, tof);
}

static void
ovs_close(void)
{
    struct ovs_bearer *ob;

    ovs_trace_stop();
    HMAP_FOR_EACH_POP (ob, node, &bearers) {
        free(ob);
    }
    cache_guard_destroy();
    hmap_destroy(&bearers);
    hmap_destroy(&by_down);
    ovs_services_destroy();
    path_destroy();
    ofctl_destroy(gtp);
    ofctl_destroy(tof);
    vswitch_destroy();
}

static void
ovs_start(void)
{
    started = true;
}

/* Flows. */

static void
set_flows(struct ofctl *ofctl, uint64_t cookie, struct ds *ds)
{
    ofctl_set(ofctl, cookie, ds_cstr(ds));
    ds_destroy(ds);
}

static void
put_heartbeat(struct ds *ds, ofp_port_t in, ofp_port_t out)
{
    ds_put_format(ds, "table=0,priority=200,in_port=%"PRIu32
                  ",dl_type=0x8902,actions=output:%"PRIu32"\n", in, out);
}

static void
compile_static(void)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    /* A tunnel ends only without its VLAN tag. */
    ds_put_format(&ds, "table=0,priority=110,in_port=%"PRIu32
                  ",vlan_tci=0x1000/0x1000,actions=pop_vlan,LOCAL\n"
                  "table=0,priority=100,in_port=%"PRIu32",actions=LOCAL\n",
                  enb_port, enb_port);
    set_flows(gtp, COOKIE_STATIC, &ds);

    ds_init(&ds);
    classifier_static(&ports, &ds);
    put_heartbeat(&ds, hb_tof_port, ports.nat);
    put_heartbeat(&ds, ports.nat, hb_tof_port);
    set_flows(tof, COOKIE_STATIC, &ds);
}

static void
compile_heartbeat(void)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    if (heartbeat && ports_known()) {
        put_heartbeat(&ds, hb_recv_port, hb_gtp_port);
        put_heartbeat(&ds, hb_gtp_port, enb_port);
        put_heartbeat(&ds, enb_port, sgw_port);
    }
    set_flows(gtp, COOKIE_HEARTBEAT, &ds);
}

/* The flows in br-tof of 'ob'; only a new proof makes a lease. */
static void
program(struct ovs_bearer *ob)
{
    const long long int evidence_s = conf->sessions.evidence_seconds;
    long long int silent_s = DIV_ROUND_UP(time_msec() - ob->asked, 1000);
    struct ds ds = DS_EMPTY_INITIALIZER;

    ovs_list_remove(&ob->pathless_node);
    ovs_list_init(&ob->pathless_node);
    classifier_bearer(&ports, &ob->b, evidence_s, &ds);
    set_flows(tof, ob->b.id, &ds);
    if (ob->new_proof && silent_s < evidence_s) {
        ds_init(&ds);
        classifier_lease(&ports, &ob->b, evidence_s - silent_s, &ds);
        ofctl_lease(tof, ob->b.id, ds_cstr(&ds));
        ds_destroy(&ds);
    }
    ob->new_proof = false;
    ob->tof_seqno = ofctl_seqno(tof);
}

/* br-tof must not send into a tunnel for which br-gtp has no path yet: the
 * datapath's cache may take in, while both change, that such packets are
 * dropped, and go on to do so for a while after both are whole.  So a bearer's
 * flows come when its paths are in force.  (Not if br-gtp is yet to be
 * compared with what we want: then the switch has just started, with an empty
 * cache; or we have, and both bridges have had these flows all along.) */
static void
compile_bearer(struct ovs_bearer *ob, bool new_proof)
{
    struct path *old_up = ob->up, *old_down = ob->down;

    ob->up = path_keep(SIDE_ENB, &ob->b.up.src, &ob->b.up.dst);
    ob->down = path_keep(SIDE_SGW, &ob->b.down.src, &ob->b.down.dst);
    path_drop(old_up);
    path_drop(old_down);
    ob->new_proof |= new_proof;
    if (!ofctl_is_synced(gtp)
        || (path_is_acked(ob->up) && path_is_acked(ob->down))) {
        program(ob);
    } else if (ovs_list_is_empty(&ob->pathless_node)) {
        ovs_list_push_back(&pathless, &ob->pathless_node);
    }
    ob->gtp_seqno = ofctl_seqno(gtp);
}

static void
run_pathless(void)
{
    struct ovs_bearer *ob;

    LIST_FOR_EACH_SAFE (ob, pathless_node, &pathless) {
        if (path_is_acked(ob->up) && path_is_acked(ob->down)) {
            program(ob);
        }
    }
}

/* Port numbers have become known or have changed: everything is compiled
 * anew.  ofctl sends only what differs. */
static void
compile_all(void)
{
    struct ovs_bearer *ob;

    ports.gtp = vswitch_ofport(GTP_PORT, NULL);
    ports.nat = vswitch_ofport(UE_PORT, NULL);
    enb_port = vswitch_ofport(ENB_PORT, NULL);
    hb_recv_port = vswitch_ofport(HB_RECV_PORT, NULL);
    hb_gtp_port = vswitch_ofport(HB_GTP_PORT, NULL);
    hb_tof_port = vswitch_ofport(HB_TOF_PORT, NULL);
    sgw_port = vswitch_ofport(SGW_PORT, NULL);
    path_ports(enb_port, sgw_port);
    ovs_services_ports(ports_known() ? ports.nat : 0);
    ovs_send_ports(ports_known() ? &ports : NULL);
    if (!ports_known()) {
        return;
    }
    compile_static();
    compile_heartbeat();
    HMAP_FOR_EACH (ob, node, &bearers) {
        compile_bearer(ob, false);
    }
}

/* The loop. */

/* Have both bridges what all packets need? */
static bool
is_whole(void)
{
    return (ofctl_is_synced(tof) && !ofctl_is_refused(tof, COOKIE_STATIC)
            && !ofctl_is_refused(gtp, COOKIE_STATIC));
}

/* br-tof first; br-gtp, which lets packets in, when br-tof is whole. */
static void
run_bridges(void)
{
    if (started && ports_known() && !tof_started) {
        tof_started = true;
        ofctl_start(tof);
    }
    if (tof_started && !gtp_started && ofctl_is_synced(tof)) {
        gtp_started = true;
        heartbeat = true;
        compile_heartbeat();
        ofctl_start(gtp);
    }
    ofctl_run(tof);
    ofctl_run(gtp);
    if (gtp_started && heartbeat != is_whole()) {
        heartbeat = !heartbeat;
        compile_heartbeat();
    }
}

/* Have both bridges what they should?  For that nobody needs the database once
 * port numbers are known. */
static bool
flows_are_in_force(void)
{
    return gtp_started && ofctl_is_synced(tof) && ofctl_is_synced(gtp);
}

static bool
ovs_ready(void)
{
    return vswitch_is_synced() && flows_are_in_force();
}

/* Answers are let out before the first can come. */
static void
guard(struct ovs_bearer *ob)
{
    filter_guard(&ob->b);
    ob->filter_seqno = filter_seqno();
}

/* Ends diversion and guard of 'ob'; other bearers may share its downlink
 * tunnel, and thereby the guard. */
static void
undivert(struct ovs_bearer *ob)
{
    struct ovs_bearer *other;

    filter_undivert(&ob->b);
    HMAP_FOR_EACH_WITH_HASH (other, down_node, ob->down_node.hash, &by_down) {
        if (other != ob && !other->paused
            && !memcmp(&other->b.down, &ob->b.down, sizeof ob->b.down)) {
            guard(other);
        }
    }
}

/* Does the switch refuse a flow that it needs?  (Not a lease: without one its
 * answers come up to the agent.) */
static bool
is_refused(const struct ovs_bearer *ob)
{
    return (ofctl_is_refused(tof, ob->b.id) || path_is_refused(ob->up)
            || path_is_refused(ob->down));
}

static void
refuse(struct ovs_bearer *ob)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

    VLOG_WARN_RL(&rl, "bearer %08"PRIx32" is not diverted: "
                 "Open vSwitch refuses its flows", ob->b.id);
    undivert(ob);
    events.bearer_refused(ob->b.id);
}

static bool
is_acked(const struct ovs_bearer *ob)
{
    return (ovs_list_is_empty(&ob->pathless_node)
            && ofctl_acked(tof, ob->tof_seqno)
            && ofctl_acked(gtp, ob->gtp_seqno));
}

/* Packets of 'ob' can be delivered one by one: the agent is told. */
static void
make_ready(struct ovs_bearer *ob)
{
    if (!ob->ready) {
        ob->ready = true;
        events.bearer_ready(ob->b.id);
    }
}

/* 'ob' has been acknowledged.  Returns true if it needs not wait any more. */
static bool
run_acked(struct ovs_bearer *ob)
{
    const long long int now = time_msec();
    const long long int left = (ob->asked - now
                                + conf->sessions.evidence_seconds * 1000ll);

    ob->acked = ob->acked ? ob->acked : now;
    if (is_refused(ob)) {
        refuse(ob);
        return true;
    } else if (now < ob->acked + ob->cache_ms
               || !filter_committed(ob->filter_seqno)) {
        return false;
    } else if (ob->adopted) {
        make_ready(ob);
        return true;
    } else if (left <= 0) {
        return true;
    }
    make_ready(ob);
    if (now < ob->guarded_until) {
        return false;
    }
    filter_divert(&ob->b, left);
    return true;
}

static void
run_waiting(void)
{
    struct ovs_bearer *ob;

    LIST_FOR_EACH_SAFE (ob, waiting_node, &waiting) {
        if (!ports_known() || !is_acked(ob)) {
            break;
        } else if (run_acked(ob)) {
            ovs_list_remove(&ob->waiting_node);
            ovs_list_init(&ob->waiting_node);
        }
    }
}

/* The filter has been made anew. */
static void
guard_all(void)
{
    struct ovs_bearer *ob;

    guards_seen = filter_epoch();
    HMAP_FOR_EACH (ob, node, &bearers) {
        if (!ob->paused) {
            guard(ob);
        }
    }
}

/* Is 'ob' diverted and guarded as it should be?  Mends it if not. */
static bool
check_bearer(const struct ovs_bearer *ob)
{
    if (ob->paused || !filter_committed(ob->filter_seqno)) {
        return true;
    } else if (!filter_has_guard(&ob->b)) {
        guard_all();
        return false;
    }
    return !filter_mend_divert(&ob->b);
}

/* Somebody else may empty the sets of the filter: without its guard a bearer's
 * answers are dropped.  Some are looked up each second, all in turn; the next
 * ones very soon if something was missing. */
static void
check_bearers(void)
{
    static struct vlog_rate_limit mend_rl = VLOG_RATE_LIMIT_INIT(1, 5);
    static struct hmap_position at;
    struct hmap_node *node;
    bool whole = true;

    if (time_msec() < check_due) {
        return;
    }
    for (int i = 0; i < CHECK_BUDGET; i++) {
        node = hmap_at_position(&bearers, &at);
        if (!node) {
            at = (struct hmap_position) { .bucket = 0 };
            break;
        }
        whole &= check_bearer(CONTAINER_OF(node, struct ovs_bearer, node));
    }
    check_due = time_msec() + (whole ? CHECK_MS : CHECK_AGAIN_MS);
    if (!whole) {
        VLOG_WARN_RL(&mend_rl, "diverted bearers have been taken out of the "
                     "filter: they are put back");
        metric_inc(&n_mended);
    }
}

static void
ovs_run(void)
{
    vswitch_run();
    ovs_ports_report(conf, GTP_PORT);
    if (vswitch_seqno() != vswitch_seen) {
        vswitch_seen = vswitch_seqno();
        compile_all();
    }
    if (filter_epoch() != guards_seen) {
        guard_all();
    }
    check_bearers();
    run_bridges();
    run_pathless();
    run_waiting();
    ovs_trace_run();
}

static void
ovs_report(bool up)
{
    bool ready = up && flows_are_in_force();
    bool refused = ofctl_last_error(tof) || ofctl_last_error(gtp);

    if (!ready) {
        status_wait(STATUS_OPENFLOW, "waiting for Open vSwitch");
    } else {
        status_set(STATUS_OPENFLOW, true, "%s",
                   refused ? OVS_SERVICES_REFUSED : "flows are in force");
    }
    if (up && ready && filter_endpoint_is_live()) {
        status_set(STATUS_ENDPOINT, true, "heartbeats arrive");
    } else if (up) {
        status_wait(STATUS_ENDPOINT, "no heartbeats: switching");
    }
}

static void
ovs_wait(void)
{
    const struct ovs_bearer *ob;

    vswitch_wait();
    ovs_trace_wait();
    ofctl_wait(tof);
    ofctl_wait(gtp);
    LIST_FOR_EACH (ob, waiting_node, &waiting) {
        if (!is_acked(ob)) {
            break;              /* For that ofctl wakes us. */
        }
        poll_timer_wait_until(ob->ready ? ob->guarded_until
                              : ob->acked + ob->cache_ms);
    }
    ovs_services_wait();
    poll_timer_wait_until(check_due);
}

/* Bearers. */

/* Nothing of 'ob' is diverted or sent down, from the next filter_run() on. */
static void
stop(struct ovs_bearer *ob)
{
    char match[64];

    undivert(ob);
    snprintf(match, sizeof match, "table=%d,cookie=%#"PRIx32"/-1",
             TABLE_LEASE, ob->b.id);
    ofctl_unlease(tof, match);
    ovs_list_remove(&ob->waiting_node);
    ovs_list_init(&ob->waiting_node);
}

/* Its flows stay: while the guard is gone none of them leads to a UE. */
static void
ovs_bearer_pause(const struct endpoint_bearer *b)
{
    struct ovs_bearer *ob = find_bearer(b->id);

    if (ob) {
        stop(ob);
        ob->paused = true;
    }
}

static void
ovs_bearer_clear(const struct endpoint_bearer *b)
{
    struct ovs_bearer *ob = find_bearer(b->id);

    if (ob) {
        stop(ob);
        ofctl_set(tof, b->id, "");
        cache_guard_note(&ob->b.up.dst, ob->b.up.teid);
        path_drop(ob->up);
        path_drop(ob->down);
        ovs_list_remove(&ob->pathless_node);
        hmap_remove(&bearers, &ob->node);
        hmap_remove(&by_down, &ob->down_node);
        free(ob);
    }
}

/* What is new has nothing in the switch's cache, unless its tunnel was cleared
 * a short while ago. */
static struct ovs_bearer *
add_bearer(const struct endpoint_bearer *b)
{
    struct ovs_bearer *ob = xzalloc(sizeof *ob);

    ob->b = *b;
    hmap_insert(&bearers, &ob->node, hash_int(b->id, 0));
    hmap_insert(&by_down, &ob->down_node, hash_down(b));
    ovs_list_init(&ob->waiting_node);
    ovs_list_init(&ob->pathless_node);
    ob->cache_ms = cache_guard_wait_ms(&b->up.dst, b->up.teid);
    ob->guarded_until = cache_guard_until(&b->up.dst, b->up.teid);
    return ob;
}

static void
ovs_bearer_set(const struct endpoint_bearer *b, bool adopted)
{
    struct ovs_bearer *ob = find_bearer(b->id);

    if (ob && !endpoint_same_tunnels(&ob->b, b)) {
        ovs_bearer_clear(&ob->b);
        ob = NULL;
    }
    if (!ob) {
        ob = add_bearer(b);
    }
    ob->b = *b;
    ob->paused = false;
    guard(ob);
    ob->asked = time_msec() - b->silent_ms;
    ob->adopted = adopted;
    ob->ready = false;
    ovs_list_remove(&ob->waiting_node);
    ovs_list_push_back(&waiting, &ob->waiting_node);
    if (ports_known()) {
        compile_bearer(ob, !adopted);
    }
}

static void
ovs_bearer_look(const struct endpoint_bearer *b, struct endpoint_look *look)
{
    const struct ovs_bearer *ob = find_bearer(b->id);
    uint64_t left_ms;
    int error = filter_divert_get(b, &left_ms);

    *look = (struct endpoint_look) { .seen = LLONG_MIN };
    if (!ob) {
        look->lacks = "Open vSwitch has never been told of it";
    } else if (error == EIO) {
        look->lacks = "the filter's set \"divert\" has no element for it";
    } else if (!filter_has_guard(b)) {
        look->lacks = "the filter has no guard for it, which lets its answers "
                      "out";
    } else if (ofctl_was_robbed(tof) || ofctl_was_robbed(gtp)) {
        look->lacks = "somebody else has deleted flows of Open vSwitch";
    } else if (is_refused(ob)) {
        look->lacks = "Open vSwitch refuses its flows";
    } else if (!error) {
        look->seen = (time_msec() + left_ms
                      - conf->sessions.evidence_seconds * 1000ll);
    }
}

static const char *
ovs_bearer_left(const struct endpoint_bearer *b)
{
    uint64_t left_ms;
    int error = (filter_committed(filter_seqno())
                 ? filter_divert_get(b, &left_ms) : ENOENT);

    return (!error ? "the filter's set \"divert\" has an element for it"
            : error == EIO ? "the filter's set \"bound\" has an element for it"
            : !find_bearer(b->id) && strays_has(b->id)
            ? "Open vSwitch has a flow for it" : NULL);
}

/* What the filter does by itself. */

static bool
adopt_nothing(bool (*cb)(const struct endpoint_bearer *) OVS_UNUSED)
{
    return false;
}

static void
learned(enum filter_side from OVS_UNUSED, const struct tunnel *tunnel,
        const struct in6_addr *ue)
{
    filter_learned(tunnel, addr_family(ue));
}

static int
divert_nothing(const struct in6_addr *service_ip OVS_UNUSED,
               enum endpoint_service how OVS_UNUSED)
{
    return 0;
}

/* Before it diverts, the filter looks itself. */
static void
stay(const struct flow *f OVS_UNUSED)
{
}

static void
stay_all(const struct flow *flows OVS_UNUSED, size_t n OVS_UNUSED)
{
}

/* Counters. */

static void
ovs_poll_counters(void)
{
    static const struct {
        uint8_t table;
        uint64_t kind;
    } polls[] = {
        { TABLE_INPUT, 0 },
        { TABLE_LEASE, 0 },
        { TABLE_CLASSIFIER, COOKIE_SERVICE },
        { TABLE_ANSWER, COOKIE_SERVICE },
    };

    if (!ofctl_poll_stats(tof, polls[next_poll].table, polls[next_poll].kind,
                          COOKIE_KIND_MASK)) {
        next_poll = (next_poll + 1) % ARRAY_SIZE(polls);
        polled_at = time_msec();
    }
}

/* Sockets end with us. */
static int
trace_start(const struct in6_addr *ue, unsigned int seconds OVS_UNUSED)
{
    return ovs_trace_start(conf, ue, &events);
}

const struct endpoint_class endpoint_ovs = {
    .name = "ovs",
    .fed_by_links = true,
    .ue_port = UE_PORT,
    .traces_sent = true,
    .init = ovs_init,
    .plumb = ovs_ports_plumb,
    .plumbed = ovs_ports_plumbed,
    .close = ovs_close,
    .report = ovs_report,
    .run = ovs_run,
    .wait = ovs_wait,
    .start = ovs_start,
    .ready = ovs_ready,
    .bearer_set = ovs_bearer_set,
    .bearer_pause = ovs_bearer_pause,
    .adopt = adopt_nothing,
    .learned = learned,
    .unlearn = filter_unlearn,
    .bearer_clear = ovs_bearer_clear,
    .bearer_look = ovs_bearer_look,
    .bearer_left = ovs_bearer_left,
    .service_set = ovs_services_set,
    .service_clear = ovs_services_clear,
    .service_possible = ovs_services_possible,
    .service_ready = ovs_services_ready,
    .service_divert = divert_nothing,
    .stay = stay,
    .stay_all = stay_all,
    .send_up = ovs_send_up,
    .send_app = ovs_send_app,
    .send_down = ovs_send_down,
    .path_changed = path_changed,
    .poll_counters = ovs_poll_counters,
    .trace_start = trace_start,
    .trace_stop = ovs_trace_stop,
};
