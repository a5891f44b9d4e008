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
 * packets: see ovs/classifier.h.
 *
 * Heartbeat: tof-hb0, a port of br-gtp, sends CFM frames every 100 ms; its
 * veth peer tof-hb1 is a port of br-gtp too, and a flow takes them from there
 * to ovs-enb.  The filter sends them back in by tof-enb, another flow takes
 * them to ovs-sgw, and there the filter notes that all of this works.  The
 * flows are there only while both bridges have all their flows, so that the
 * filter diverts only into a switch that is alive, connected *and*
 * programmed, whatever happens to whom.
 *
 * A bearer is programmed in this order: path and bearer flows, barrier, held
 * packets, divert set; and withdrawn in reverse. */

#include <config.h>

#include "endpoint.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "filter.h"
#include "hash.h"
#include "net/rtnl.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs/classifier.h"
#include "ovs/ofctl.h"
#include "ovs/ovsdb.h"
#include "ovs/sff.h"
#include "packets.h"
#include "path.h"
#include "service.h"
#include "status.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(endpoint_ovs);

#define BR_GTP "br-gtp"
#define BR_TOF "br-tof"
#define ENB_PORT "ovs-enb"
#define SGW_PORT "ovs-sgw"
#define HB_SEND_PORT "tof-hb0"
#define HB_RECV_PORT "tof-hb1"
#define GTP_PORT "gtp0"
#define UE_PORT "ovs-ue"
#define HB_INTERVAL_MS 100
#define SETTLE_MS 200
#define CACHE_LIFE_MS 30000     /* Longer than an unused entry of the cache. */

/* Cookies: which flows belong together.  A bearer's is its id. */
#define COOKIE_SERVICE (UINT64_C(1) << 32)      /* + IPv4 address. */
#define COOKIE_STATIC (UINT64_C(3) << 32)
#define COOKIE_HEARTBEAT (UINT64_C(4) << 32)
#define COOKIE_KIND_MASK (UINT64_MAX << 32)     /* Zero: a bearer's. */

struct ovs_bearer {
    struct hmap_node node;              /* In bearers, by id. */
    struct endpoint_bearer b;
    struct ovs_list waiting_node;       /* In waiting, else empty. */
    uint64_t tof_seqno, gtp_seqno;      /* What must be acknowledged. */
    long long int asked;                /* When bearer_set() was called. */
    long long int settled;              /* Not diverted before this. */
    bool ready;                         /* bearer_ready() has been called. */
    bool adopted;
};

struct ovs_service {
    struct hmap_node node;              /* In services, by service IP. */
    struct service_spec spec;
    uint64_t seqno;
    long long int settled;
    bool compiled;                      /* All ports are known. */
};

struct cleared {                /* See "Recently cleared" below. */
    struct hmap_node node;
    struct ovs_list age_node;
    struct in6_addr addr;
    uint32_t teid;
    long long int at;
};

static struct hmap bearers, services, cleared;
static struct ovs_list cleared_by_age;
static struct ovs_list waiting;         /* Of ovs_bearer, oldest first. */
static struct ofctl *gtp, *tof;
static struct endpoint_events events;
static const struct conf *conf;
static struct classifier_ports ports;
static ofp_port_t enb_port, sgw_port, hb_recv_port;
static unsigned int vswitch_seen;       /* vswitch_seqno() when compiled. */
static bool started, tof_started, gtp_started, heartbeat;
static unsigned int next_poll;           /* Which statistics come next. */

/* Recently cleared.
 *
 * ovs-vswitchd acknowledges a change of flows before its revalidators have
 * brought the datapath's cache into line.  For a tunnel or a service that has
 * never been seen that does not matter.  One that was there a short while ago
 * may still have an entry in the cache that says "drop"; if it comes back, it
 * is diverted only after SETTLE_MS. */

static uint32_t
settle_hash(const struct in6_addr *addr, uint32_t teid)
{
    return hash_bytes(addr, sizeof *addr, teid);
}

static struct cleared *
find_cleared(const struct in6_addr *addr, uint32_t teid)
{
    struct cleared *c;

    HMAP_FOR_EACH_WITH_HASH (c, node, settle_hash(addr, teid), &cleared) {
        if (c->teid == teid && IN6_ARE_ADDR_EQUAL(&c->addr, addr)) {
            return c;
        }
    }
    return NULL;
}

static void
forget_cleared(struct cleared *c)
{
    hmap_remove(&cleared, &c->node);
    ovs_list_remove(&c->age_node);
    free(c);
}

/* Notes that 'addr' with 'teid' (0 for a service) is not diverted any
 * more. */
static void
note_cleared(const struct in6_addr *addr, uint32_t teid)
{
    long long int now = time_msec();
    struct cleared *c = find_cleared(addr, teid);

    if (c) {
        forget_cleared(c);
    }
    c = xmalloc(sizeof *c);
    *c = (struct cleared) { .addr = *addr, .teid = teid, .at = now };
    hmap_insert(&cleared, &c->node, settle_hash(addr, teid));
    ovs_list_push_back(&cleared_by_age, &c->age_node);
    while ((c = CONTAINER_OF(ovs_list_front(&cleared_by_age), struct cleared,
                             age_node))->at < now - CACHE_LIFE_MS) {
        forget_cleared(c);
    }
}

/* When what is programmed now may be diverted. */
static long long int
settled_at(const struct in6_addr *addr, uint32_t teid)
{
    return time_msec() + (find_cleared(addr, teid) ? SETTLE_MS : 0);
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

static struct ovs_service *
find_service(const struct in6_addr *ip)
{
    struct ovs_service *os;
    uint32_t hash = hash_bytes(ip, sizeof *ip, 0);

    HMAP_FOR_EACH_WITH_HASH (os, node, hash, &services) {
        if (IN6_ARE_ADDR_EQUAL(&os->spec.service_ip, ip)) {
            return os;
        }
    }
    return NULL;
}

static bool
ports_known(void)
{
    return ports.gtp && ports.nat && enb_port && sgw_port && hb_recv_port;
}

/* Start and end. */

static void
packet_in(const struct ofctl_packet_in *pi, void *aux OVS_UNUSED)
{
    const struct eth_header *eth = (const void *) pi->frame;
    uint32_t id;

    if (pi->len < ETH_HEADER_LEN) {
        return;
    }
    memcpy(&id, &eth->eth_dst.ea[2], sizeof id);
    id = ntohl(id);
    if (id) {
        events.held_down(id, pi->frame, pi->len);
    } else if (eth->eth_type == htons(ETH_TYPE_IP)
               && pi->len >= ETH_HEADER_LEN + IP_HEADER_LEN) {
        const struct ip_header *ip = (const void *) (eth + 1);
        struct in6_addr ue;

        in6_addr_set_mapped_ipv4(&ue, get_16aligned_be32(&ip->ip_dst));
        events.unclaimed(&ue, pi->frame, pi->len);
    }
}

static void
flow_stats(const struct ofctl_flow_stats *fs, void *aux OVS_UNUSED)
{
    enum endpoint_direction direction =
        (fs->table_id == TABLE_LEASE || fs->table_id == TABLE_ANSWER
         ? ENDPOINT_DOWN : ENDPOINT_UP);

    if (!(fs->cookie & COOKIE_KIND_MASK)) {
        events.counters(fs->cookie, direction, fs->packets, fs->bytes);
    } else if ((fs->cookie & COOKIE_KIND_MASK) == COOKIE_SERVICE
               && fs->table_id != TABLE_INPUT) {
        struct in6_addr ip;

        in6_addr_set_mapped_ipv4(&ip, htonl(fs->cookie));
        events.service_counters(&ip, direction, fs->packets, fs->bytes);
    }
}

static int
make_veth(struct rtnl *rtnl, const char *name, const char *peer,
          unsigned int mtu, char **what)
{
    const char *ends[] = { name, peer };
    int error = rtnl_veth_ensure(rtnl, name, peer, -1, mtu);

    for (size_t i = 0; !error && i < ARRAY_SIZE(ends); i++) {
        sysctl_write(-1, "1", "net/ipv6/conf/%s/disable_ipv6", ends[i]);
        error = rtnl_link_set_up(rtnl, ends[i], true);
    }
    if (error) {
        *what = xasprintf("interface %s", name);
    }
    return error;
}

static int
ovs_plumb(unsigned int mtu, char **what)
{
    struct rtnl *rtnl;
    int error = rtnl_open(-1, &rtnl);

    if (error) {
        *what = xstrdup("rtnetlink socket");
        return error;
    }
    error = make_veth(rtnl, FILTER_ENB_LINK, ENB_PORT, mtu, what);
    if (!error) {
        error = make_veth(rtnl, FILTER_SGW_LINK, SGW_PORT, mtu, what);
    }
    if (!error) {
        error = make_veth(rtnl, HB_SEND_PORT, HB_RECV_PORT, mtu, what);
    }
    rtnl_close(rtnl);
    return error;
}

static bool
ovs_plumbed(void)
{
    static const char *const links[] = {
        FILTER_ENB_LINK, FILTER_SGW_LINK, HB_SEND_PORT, UE_PORT,
    };

    for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
        if (!if_nametoindex(links[i])) {
            return false;
        }
    }
    return true;
}

static void
declare_ports(void)
{
    const struct vswitch_port fixed[] = {
        { .bridge = BR_GTP, .name = ENB_PORT, .type = "" },
        { .bridge = BR_GTP, .name = SGW_PORT, .type = "" },
        { .bridge = BR_GTP, .name = HB_SEND_PORT, .type = "",
          .cfm_interval_ms = HB_INTERVAL_MS },
        { .bridge = BR_GTP, .name = HB_RECV_PORT, .type = "" },
        { .bridge = BR_TOF, .name = UE_PORT, .type = "" },
        { .bridge = BR_TOF, .name = GTP_PORT, .type = "gtpu",
          .options = "intercept=true intercept_bridge=" BR_GTP
                     " local_ip=flow remote_ip=flow key=flow"
                     " src_port=2152 csum=false" },
    };

    vswitch_bridge_add(BR_GTP);
    vswitch_bridge_add(BR_TOF);
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        vswitch_port_add(&fixed[i]);
    }
    for (size_t i = 0; i < conf->n_functions; i++) {
        const struct conf_function *f = &conf->functions[i];
        struct vswitch_port port = { .bridge = BR_TOF, .type = "",
                                     .optional = true };
        port.name = f->in;
        vswitch_port_add(&port);
        port.name = f->out;
        vswitch_port_add(&port);
    }
}

static void
ovs_init(const struct conf *conf_, const struct endpoint_events *events_)
{
    const struct ofctl_callbacks cbs = { packet_in, flow_stats, NULL };

    conf = conf_;
    events = *events_;
    hmap_init(&bearers);
    hmap_init(&services);
    hmap_init(&cleared);
    ovs_list_init(&cleared_by_age);
    ovs_list_init(&waiting);

    char *remote = xasprintf("unix:%s/ovs/db.sock", conf->run_dir);
    vswitch_init(remote);
    free(remote);
    declare_ports();

    char *target = xasprintf("unix:%s/ovs/" BR_GTP ".mgmt", conf->run_dir);
    gtp = ofctl_create(BR_GTP, target, 0, &cbs);
    free(target);
    target = xasprintf("unix:%s/ovs/" BR_TOF ".mgmt", conf->run_dir);
    tof = ofctl_create(BR_TOF, target, UINT64_C(1) << TABLE_LEASE, &cbs);
    free(target);
    path_init(gtp);
}

static void
ovs_close(void)
{
    struct ovs_bearer *ob;
    struct ovs_service *os;

    HMAP_FOR_EACH_POP (ob, node, &bearers) {
        free(ob);
    }
    HMAP_FOR_EACH_POP (os, node, &services) {
        free(os);
    }
    while (!ovs_list_is_empty(&cleared_by_age)) {
        forget_cleared(CONTAINER_OF(ovs_list_front(&cleared_by_age),
                                    struct cleared, age_node));
    }
    hmap_destroy(&cleared);
    hmap_destroy(&bearers);
    hmap_destroy(&services);
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
compile_static(void)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    ds_put_format(&ds, "table=0,priority=100,in_port=%"PRIu32
                  ",actions=LOCAL\n", enb_port);
    set_flows(gtp, COOKIE_STATIC, &ds);

    ds_init(&ds);
    classifier_static(&ports, &ds);
    set_flows(tof, COOKIE_STATIC, &ds);
}

static void
compile_heartbeat(void)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    if (heartbeat && ports_known()) {
        ds_put_format(&ds, "table=0,priority=200,in_port=%"PRIu32
                      ",dl_type=0x8902,actions=output:%"PRIu32"\n"
                      "table=0,priority=200,in_port=%"PRIu32
                      ",dl_type=0x8902,actions=output:%"PRIu32"\n",
                      hb_recv_port, enb_port, enb_port, sgw_port);
    }
    set_flows(gtp, COOKIE_HEARTBEAT, &ds);
}

/* Only a new proof makes a lease. */
static void
compile_bearer(struct ovs_bearer *ob, bool new_proof)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    path_use(SIDE_ENB, &ob->b.up.src, &ob->b.up.dst);
    path_use(SIDE_SGW, &ob->b.down.src, &ob->b.down.dst);
    classifier_bearer(&ports, &ob->b, conf->sessions.evidence_seconds, &ds);
    set_flows(tof, ob->b.id, &ds);
    if (new_proof) {
        ds_init(&ds);
        classifier_lease(&ports, &ob->b, conf->sessions.evidence_seconds,
                         &ds);
        ofctl_lease(tof, ob->b.id, ds_cstr(&ds));
        ds_destroy(&ds);
    }
    ob->tof_seqno = ofctl_seqno(tof);
    ob->gtp_seqno = ofctl_seqno(gtp);
}

static const struct conf_function *
find_function(const char *name)
{
    for (size_t i = 0; i < conf->n_functions; i++) {
        if (!strcmp(conf->functions[i].name, name)) {
            return &conf->functions[i];
        }
    }
    return NULL;
}

/* Says which port of 'f' has no number, in a sentence that is good until the
 * next call; NULL if both have one. */
static const char *
function_misses(const struct conf_function *f)
{
    static char text[256];
    const char *port = !vswitch_ofport(f->in, NULL) ? f->in
        : !vswitch_ofport(f->out, NULL) ? f->out : NULL;
    const char *error;

    if (!port) {
        return NULL;
    }
    vswitch_ofport(port, &error);
    snprintf(text, sizeof text, "waiting for port %s of function %s%s%s",
             port, f->name, error ? ": " : "", error ? error : "");
    return text;
}

static void
compile_service(struct ovs_service *os)
{
    bool was_compiled = os->compiled;
    struct sff_hop hops[SERVICE_CHAIN_MAX];
    struct ds ds = DS_EMPTY_INITIALIZER;
    size_t n = os->spec.n_chain;

    os->compiled = true;
    for (size_t i = 0; i < n; i++) {
        const struct conf_function *f = find_function(os->spec.chain[i]);
        hops[i].in = f ? vswitch_ofport(f->in, NULL) : 0;
        hops[i].out = f ? vswitch_ofport(f->out, NULL) : 0;
        os->compiled = os->compiled && hops[i].in && hops[i].out;
    }
    if (os->compiled) {
        classifier_service(&os->spec, n ? hops[0].in : ports.nat, &ds);
        sff_service(&os->spec, hops, n, ports.nat, &ds);
    } else if (was_compiled) {
        note_cleared(&os->spec.service_ip, 0);
    }
    set_flows(tof, COOKIE_SERVICE
              + ntohl(in6_addr_get_mapped_ipv4(&os->spec.service_ip)), &ds);
    os->seqno = ofctl_seqno(tof);
}

/* Port numbers have become known or have changed: everything is compiled
 * anew.  ofctl sends only what differs. */
static void
compile_all(void)
{
    struct ovs_bearer *ob;
    struct ovs_service *os;

    ports.gtp = vswitch_ofport(GTP_PORT, NULL);
    ports.nat = vswitch_ofport(UE_PORT, NULL);
    enb_port = vswitch_ofport(ENB_PORT, NULL);
    hb_recv_port = vswitch_ofport(HB_RECV_PORT, NULL);
    sgw_port = vswitch_ofport(SGW_PORT, NULL);
    path_ports(enb_port, sgw_port);
    if (!ports_known()) {
        return;
    }
    compile_static();
    compile_heartbeat();
    HMAP_FOR_EACH (os, node, &services) {
        compile_service(os);
    }
    HMAP_FOR_EACH (ob, node, &bearers) {
        compile_bearer(ob, false);
    }
}

/* The loop. */

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
    if (gtp_started && heartbeat != ofctl_is_synced(tof)) {
        heartbeat = !heartbeat;
        compile_heartbeat();
    }
}

static bool
ovs_ready(void)
{
    return (vswitch_is_synced() && gtp_started && ofctl_is_synced(tof)
            && ofctl_is_synced(gtp));
}

static void
run_waiting(void)
{
    long long int stale = time_msec()
        - conf->sessions.evidence_seconds * 1000ll / 2;
    struct ovs_bearer *ob;

    LIST_FOR_EACH_SAFE (ob, waiting_node, &waiting) {
        if (!ports_known() || !ofctl_acked(tof, ob->tof_seqno)
            || !ofctl_acked(gtp, ob->gtp_seqno)) {
            break;
        }
        if (!ob->ready && (ob->adopted || ob->asked >= stale)) {
            ob->ready = true;
            events.bearer_ready(ob->b.id);
        }
        if (time_msec() < ob->settled) {
            continue;
        }
        ovs_list_remove(&ob->waiting_node);
        ovs_list_init(&ob->waiting_node);
        if (ob->ready && !ob->adopted && !ofctl_last_error(tof)) {
            filter_divert(&ob->b.up, &ob->b.ue);
        }
    }
}

static void
report_ovsdb(void)
{
    const char *why = NULL;
    bool synced = vswitch_is_synced();

    if (!synced) {
        vswitch_ofport(GTP_PORT, &why);
    }
    for (size_t i = 0; synced && !why && i < conf->n_functions; i++) {
        why = function_misses(&conf->functions[i]);
    }
    status_set(STATUS_OVSDB, synced, "%s",
               !vswitch_is_connected() ? "not connected"
               : why ? why : synced ? "bridges and ports are there"
               : "waiting for ports");
}

static void
ovs_run(void)
{
    vswitch_run();
    report_ovsdb();
    if (vswitch_seqno() != vswitch_seen) {
        vswitch_seen = vswitch_seqno();
        compile_all();
    }
    run_bridges();
    run_waiting();
}

static void
ovs_wait(void)
{
    const struct ovs_service *os;
    const struct ovs_bearer *ob;

    vswitch_wait();
    ofctl_wait(tof);
    ofctl_wait(gtp);
    LIST_FOR_EACH (ob, waiting_node, &waiting) {
        /* What has not been acknowledged, ofctl wakes us for. */
        if (ob->ready) {
            poll_timer_wait_until(ob->settled);
            break;
        }
    }
    HMAP_FOR_EACH (os, node, &services) {
        if (time_msec() < os->settled) {
            poll_timer_wait_until(os->settled);
        }
    }
}

/* Bearers and services. */

static void
ovs_bearer_set(const struct endpoint_bearer *b, bool adopted)
{
    struct ovs_bearer *ob = find_bearer(b->id);

    if (!ob) {
        ob = xzalloc(sizeof *ob);
        hmap_insert(&bearers, &ob->node, hash_int(b->id, 0));
        ovs_list_init(&ob->waiting_node);
    }
    ob->b = *b;
    ob->asked = time_msec();
    ob->adopted = adopted;
    ob->ready = false;
    ob->settled = settled_at(&b->up.dst, b->up.teid);
    ovs_list_remove(&ob->waiting_node);
    ovs_list_push_back(&waiting, &ob->waiting_node);
    if (ports_known()) {
        compile_bearer(ob, !adopted);
    }
}

static void
ovs_bearer_clear(const struct endpoint_bearer *b)
{
    struct ovs_bearer *ob = find_bearer(b->id);

    if (ob) {
        char match[64];

        filter_undivert(&ob->b.up, &ob->b.ue);
        snprintf(match, sizeof match, "table=%d,cookie=%#"PRIx32"/-1",
                 TABLE_LEASE, b->id);
        ofctl_set(tof, b->id, "");
        ofctl_unlease(tof, match);
        note_cleared(&ob->b.up.dst, ob->b.up.teid);
        ovs_list_remove(&ob->waiting_node);
        hmap_remove(&bearers, &ob->node);
        free(ob);
    }
}

static int
ovs_service_set(const struct service_spec *spec)
{
    struct ovs_service *os = find_service(&spec->service_ip);

    if (!IN6_IS_ADDR_V4MAPPED(&spec->service_ip)) {
        return EAFNOSUPPORT;
    }
    for (size_t i = 0; i < spec->n_chain; i++) {
        if (!find_function(spec->chain[i])) {
            return ENOENT;
        }
    }
    if (!os) {
        os = xzalloc(sizeof *os);
        hmap_insert(&services, &os->node,
                    hash_bytes(&spec->service_ip, sizeof spec->service_ip,
                               0));
    }
    os->spec = *spec;
    os->compiled = false;
    os->settled = settled_at(&spec->service_ip, 0);
    if (ports_known()) {
        compile_service(os);
    }
    return 0;
}

static void
ovs_service_clear(const struct service_spec *spec)
{
    struct ovs_service *os = find_service(&spec->service_ip);

    if (os) {
        ofctl_set(tof, COOKIE_SERVICE
                  + ntohl(in6_addr_get_mapped_ipv4(&spec->service_ip)), "");
        note_cleared(&spec->service_ip, 0);
        hmap_remove(&services, &os->node);
        free(os);
    }
}

static bool
ovs_service_possible(const struct service_spec *spec, const char **why)
{
    *why = NULL;
    for (size_t i = 0; ports_known() && !*why && i < spec->n_chain; i++) {
        const struct conf_function *f = find_function(spec->chain[i]);
        *why = f ? function_misses(f) : NULL;
    }
    return !*why;
}

static bool
ovs_service_ready(const struct in6_addr *ip)
{
    const struct ovs_service *os = find_service(ip);

    return (os && os->compiled && ofctl_acked(tof, os->seqno)
            && time_msec() >= os->settled);
}

/* The agent's own packets. */

static int
packet_out(const void *frame, size_t len, struct ds *actions)
{
    int error = ofctl_packet_out(tof, frame, len, ds_cstr(actions));

    ds_destroy(actions);
    return error;
}

static int
ovs_send_up(const struct endpoint_bearer *b, const void *ip, size_t len)
{
    uint8_t frame[ETH_HEADER_LEN + 256] = { [12] = 0x08, [13] = 0x00 };
    struct ds actions = DS_EMPTY_INITIALIZER;

    if (len > sizeof frame - ETH_HEADER_LEN) {
        return EMSGSIZE;
    } else if (!ports_known() || !ofctl_is_synced(gtp)) {
        return ENOTCONN;
    }
    memcpy(frame + ETH_HEADER_LEN, ip, len);
    path_use(SIDE_ENB, &b->up.src, &b->up.dst);
    classifier_send_up(&ports, b, &actions);
    return packet_out(frame, ETH_HEADER_LEN + len, &actions);
}

/* By the flow tables, not by the datapath's cache of them: see
 * "recently cleared". */
static int
ovs_send_app(const struct endpoint_bearer *b, const void *ip, size_t len)
{
    struct ds actions = DS_EMPTY_INITIALIZER;
    uint8_t *frame = xmalloc(ETH_HEADER_LEN + len);
    int error;

    classifier_macs(b, frame);
    frame[12] = 0x08;
    frame[13] = 0x00;
    memcpy(frame + ETH_HEADER_LEN, ip, len);
    classifier_send_app(&actions);
    error = packet_out(frame, ETH_HEADER_LEN + len, &actions);
    free(frame);
    return error;
}

static int
ovs_send_down(const struct endpoint_bearer *b, const void *frame, size_t len)
{
    struct ds actions = DS_EMPTY_INITIALIZER;

    if (!ports_known()) {
        return ENOTCONN;
    }
    path_use(SIDE_SGW, &b->down.src, &b->down.dst);
    classifier_send_down(&ports, b, &actions);
    return packet_out(frame, len, &actions);
}

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
    }
}

const struct endpoint_class endpoint_ovs = {
    .name = "ovs",
    .init = ovs_init,
    .plumb = ovs_plumb,
    .plumbed = ovs_plumbed,
    .close = ovs_close,
    .run = ovs_run,
    .wait = ovs_wait,
    .start = ovs_start,
    .ready = ovs_ready,
    .bearer_set = ovs_bearer_set,
    .bearer_clear = ovs_bearer_clear,
    .service_set = ovs_service_set,
    .service_clear = ovs_service_clear,
    .service_possible = ovs_service_possible,
    .service_ready = ovs_service_ready,
    .send_up = ovs_send_up,
    .send_app = ovs_send_app,
    .send_down = ovs_send_down,
    .path_changed = path_changed,
    .poll_counters = ovs_poll_counters,
};
