/* SPDX-License-Identifier: GPL-3.0-or-later */

/* GTP Tunnel Endpoints as eBPF programs in the kernel.
 *
 *   enb0 --tof_enb--> sgw0    known, not for a service: untouched
 *                 \-> tof-ue|ue0 --> NAT --> ME App      decapsulated
 *   sgw0 --tof_sgw--> enb0    known: untouched
 *   enb0 <--tof_ue-- tof-ue|ue0 <-- NAT <-- ME App       encapsulated
 *
 * What they pass goes the way that it would go without them: the filter's
 * rules and the bridge at the adapters, our packet socket at tof-ue.  Neither
 * the filter nor Open vSwitch is needed for what they redirect.
 *
 * The parts: tof.bpf.c the programs; xdp_load.c puts them into the kernel;
 * xdp_table.c writes their tables, xdp_bearers.c says what; xdp_ue.c the
 * packet socket; xdp_stats.c counters. */

#include <config.h>

#include "endpoint.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "gtpu_build.h"
#include "hash.h"
#include "l2.h"
#include "metrics.h"
#include "net/rtnl.h"
#include "nft/nat_private.h"
#include "openvswitch/hmap.h"
#include "openvswitch/vlog.h"
#include "ovs/classifier.h"
#include "ovs_ports.h"
#include "packets.h"
#include "service.h"
#include "status.h"
#include "util.h"
#include "wire.h"
#include "xdp_bearers.h"
#include "xdp_load.h"
#include "xdp_stats.h"
#include "xdp_table.h"
#include "xdp_ue.h"

VLOG_DEFINE_THIS_MODULE(endpoint_xdp);

METRIC_COUNTER(n_not_learned, "tof_xdp_not_learned_total", "",
               "Tunnels for which the table had no room: their packets take "
               "the slow path.");

#define UE_LINK "tof-ue"                /* Peer of ue0; made by nft/nat.c. */
#define OUTER_MAX 65536

struct xdp_svc {
    struct hmap_node node;              /* In services, by service IP. */
    struct in6_addr ip;
};

static struct hmap services;            /* What there should be. */
static struct xdp *xdp;
static struct xdp_table *table;         /* Of 'xdp'. */
static const struct conf *conf;
static struct endpoint_events events;
static bool attached, generic;
static uint32_t resample;               /* Ticks: see learned(). */
static char *unfit;                     /* Why it is not native. */

/* --- Start and end. --- */

int
endpoint_xdp_load(const struct conf *conf_, char **why)
{
    char *dir = xdp_pin_dir();
    int error = (dir ? xdp_load(conf_->sessions.max, dir, &xdp, why)
                 : ENOMEM);

    free(dir);
    if (!error) {
        table = xdp_table(xdp);
    }
    return error;
}

void
endpoint_xdp_remove(void)
{
    char *dir = xdp_pin_dir();

    if (dir) {
        xdp_unpin(dir);
    }
    free(dir);
}

static void
write_config(void)
{
    struct xdp_config *c = table->config;

    c->evidence = xdp_ticks(conf->sessions.evidence_seconds);
    for (size_t i = 0; i < MIN(conf->pinger.n_targets, XDP_PINGERS); i++) {
        xdp_addr(c->pingers[i], &conf->pinger.targets[i]);
    }
    c->n_pingers = MIN(conf->pinger.n_targets, XDP_PINGERS + 1);
}

static void
endpoint_init(const struct conf *conf_, const struct endpoint_events *events_)
{
    conf = conf_;
    events = *events_;
    hmap_init(&services);
    xdp_bearers_init(&events);
    xdp_bearers_use(table);
    xdp_stats_init();
    write_config();
    /* Longer than the filter would, so that a tunnel is not copied twice. */
    resample = xdp_ticks(MAX(1, conf->sessions.idle_seconds / 5));
    status_set(STATUS_OVSDB, true, "not used by datapath xdp");
    status_set(STATUS_OPENFLOW, true, "not used by datapath xdp");
    if (xdp_is_adopted(xdp)) {
        VLOG_INFO("adopting the tables that are in force");
    }
}

static void
endpoint_close(void)
{
    struct xdp_svc *s;

    HMAP_FOR_EACH_POP (s, node, &services) {
        free(s);
    }
    hmap_destroy(&services);
    xdp_bearers_destroy();
    xdp_ue_close();
    xdp_unload(xdp);
    free(unfit);
    unfit = NULL;
    xdp = NULL;
}

/* --- Interfaces. --- */

struct place {
    enum xdp_dev dev;
    const char *link;
};

#define N_PLACES 3

static void
find_places(struct place places[N_PLACES])
{
    places[0] = (struct place) { XDP_DEV_UE, UE_LINK };
    places[1] = (struct place) { XDP_DEV_SGW, conf->s1u.sgw };
    places[2] = (struct place) { XDP_DEV_ENB, conf->s1u.enb };
}

/* Links that the other endpoint would use. */
static void
remove_strangers(void)
{
    static const char *const links[] = {
        FILTER_ENB_LINK, FILTER_SGW_LINK, HB_SEND_PORT,
    };
    struct rtnl *rtnl;

    if (!rtnl_open(-1, &rtnl)) {
        for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
            rtnl_link_delete(rtnl, links[i]);
        }
        rtnl_close(rtnl);
    }
}

/* A veth takes what is redirected to its peer only so. */
static int
prepare_ue(char **what)
{
    int netns, error = netns_open(conf->apps.namespace, &netns);

    if (!error) {
        error = ethtool_gro_on(netns, NAT_UE);
        close(netns);
    }
    if (error) {
        *what = xstrdup("GRO on " NAT_UE);
    }
    return error;
}

/* Drivers are used only if all of them can send what is redirected to them:
 * else packets would be lost.  Notes why not. */
static bool
drivers_can_send(const struct place places[N_PLACES])
{
    for (int i = 0; i < N_PLACES; i++) {
        int ifindex = if_nametoindex(places[i].link);
        bool can;
        int error = netdev_can_xdp_xmit(ifindex, &can);

        if (!error && !can) {
            free(unfit);
            unfit = xasprintf("%s cannot send redirected packets",
                              places[i].link);
            return false;
        }
    }
    return true;
}

static int
attach(const struct place places[N_PLACES], char **what)
{
    int error = 0;

    for (int i = 0; !error && i < N_PLACES; i++) {
        int ifindex = if_nametoindex(places[i].link);
        error = (ifindex ? xdp_attach(xdp, places[i].dev, ifindex, generic)
                 : ENODEV);
        if (error) {
            free(*what);
            *what = xasprintf("eBPF program on %s", places[i].link);
        }
    }
    return error;
}

static void
say_how(void)
{
    char *fact = xasprintf("xdp: %s: %s on %s, %s%s%s%s",
                           (conf->datapath == DATAPATH_AUTO
                            ? "auto" : "configured"),
                           generic ? "generic" : "native", conf->s1u.enb,
                           conf->s1u.sgw, generic ? " (" : "",
                           generic && unfit ? unfit : "",
                           generic ? ")" : "");

    status_fact("datapath", fact);
    VLOG_INFO("%s", fact);
    free(fact);
}

/* In the drivers, or if not all of them can, in the generic way everywhere: a
 * packet redirected from one way to the other might be lost. */
static int
endpoint_plumb(unsigned int mtu OVS_UNUSED, char **what)
{
    struct place places[N_PLACES];
    int error;

    remove_strangers();
    find_places(places);
    error = prepare_ue(what);
    if (!error) {
        generic = false;
        error = attach(places, what);
        if (error || !drivers_can_send(places)) {
            if (error) {
                free(unfit);
                unfit = xasprintf("%s: %s", *what, ovs_strerror(error));
            }
            generic = true;
            error = attach(places, what);
        }
    }
    if (!error) {
        error = xdp_ue_open(UE_LINK, &events);
        if (error) {
            *what = xstrdup("packet socket on " UE_LINK);
        }
    }
    attached = !error;
    if (attached) {
        free(*what);
        *what = NULL;
        say_how();
    }
    return error;
}

static bool
endpoint_plumbed(void)
{
    struct place places[N_PLACES];

    find_places(places);
    for (int i = 0; i < N_PLACES; i++) {
        if (!xdp_is_attached(xdp, places[i].dev,
                             if_nametoindex(places[i].link))) {
            attached = false;
        }
    }
    return attached && (generic || drivers_can_send(places));
}

static void
endpoint_report(bool up)
{
    if (up) {
        status_set(STATUS_ENDPOINT, attached, "%s", attached
                   ? "eBPF programs are attached" : "not attached");
    }
}

/* --- The loop. --- */

/* Services that are gone. */
static void
sweep_services(void)
{
    for (uint32_t i = 0; i < XDP_SERVICES; i++) {
        const struct xdp_service *s = &table->services[i];
        struct in6_addr ip;
        const struct xdp_svc *svc;
        bool wanted = false;

        memcpy(&ip, s->addr, sizeof ip);
        HMAP_FOR_EACH_WITH_HASH (svc, node, hash_bytes(&ip, sizeof ip, 0),
                                 &services) {
            wanted = wanted || IN6_ARE_ADDR_EQUAL(&svc->ip, &ip);
        }
        if (s->used && !wanted) {
            xdp_table_service_clear(table, &ip);
        }
    }
}

static void
endpoint_start(void)
{
    sweep_services();
}

static bool
endpoint_ready(void)
{
    return attached;
}

static void
endpoint_run(void)
{
    xdp_bearers_run();
    xdp_ue_run();
}

static void
endpoint_wait(void)
{
    xdp_bearers_wait();
    xdp_ue_wait();
}

/* --- Tunnels. --- */

static void
endpoint_learned(enum filter_side from, const struct tunnel *tunnel,
                 const struct in6_addr *ue)
{
    if (!xdp_table_learn(table, tunnel, from == SIDE_ENB ? XDP_UP : XDP_DOWN,
                         !IN6_IS_ADDR_V4MAPPED(ue), xdp_ue_key(ue),
                         xdp_now() + resample)) {
        metric_inc(&n_not_learned);
    }
}

static void
endpoint_unlearn(const struct endpoint_bearer *b)
{
    xdp_table_unlearn(table, b);
}

/* --- Services. --- */

static struct xdp_svc *
find_service(const struct in6_addr *ip)
{
    struct xdp_svc *s;

    HMAP_FOR_EACH_WITH_HASH (s, node, hash_bytes(ip, sizeof *ip, 0),
                             &services) {
        if (IN6_ARE_ADDR_EQUAL(&s->ip, ip)) {
            return s;
        }
    }
    return NULL;
}

static int
endpoint_service_set(const struct service_spec *spec)
{
    if (spec->n_chain) {
        return EOPNOTSUPP;
    }
    if (!find_service(&spec->service_ip)) {
        struct xdp_svc *s = xmalloc(sizeof *s);

        s->ip = spec->service_ip;
        hmap_insert(&services, &s->node, hash_bytes(&s->ip, sizeof s->ip, 0));
    }
    return 0;
}

static void
endpoint_service_clear(const struct service_spec *spec)
{
    struct xdp_svc *s = find_service(&spec->service_ip);

    if (s) {
        xdp_table_service_clear(table, &spec->service_ip);
        hmap_remove(&services, &s->node);
        free(s);
    }
}

static bool
endpoint_service_possible(const struct service_spec *spec, const char **why)
{
    *why = (spec->n_chain ? "datapath xdp has no chains of functions yet"
            : NULL);
    return !*why;
}

static bool
endpoint_service_ready(const struct in6_addr *ip)
{
    return find_service(ip) != NULL;
}

static int
endpoint_service_divert(const struct in6_addr *ip, bool on)
{
    uint32_t before = xdp_table_service_find(table, ip);
    int error = 0;

    if (!on) {
        xdp_table_service_clear(table, ip);
    } else {
        error = xdp_table_service_set(table, ip);
        if (!error && before == XDP_NOWHERE) {
            xdp_clear_service_stats(xdp, xdp_table_service_find(table, ip));
        }
    }
    return error;
}

/* --- The agent's own packets. --- */

/* 'inner' goes into 'tunnel', as if it had come in on side 'from'. */
static int
send_tunnelled(enum filter_side from, const struct tunnel *tunnel,
               uint8_t dscp, uint8_t qfi, const void *inner, size_t len)
{
    static uint8_t outer[OUTER_MAX];
    struct l2_header l2;
    size_t n;

    if (!l2_get(from, &tunnel->src, &tunnel->dst, &l2)) {
        return ENOENT;
    }
    n = gtpu_build(outer, sizeof outer, tunnel, dscp << 2, qfi, inner, len);
    return n ? wire_send(from == SIDE_ENB ? WIRE_SGW : WIRE_ENB, &l2, outer,
                         n) : EMSGSIZE;
}

static int
endpoint_send_up(const struct endpoint_bearer *b, const void *ip, size_t len)
{
    uint8_t qfi = b->up_qfi ? b->up_qfi | QFI_UPLINK : 0;
    uint8_t inner[256];
    int error;

    if (len > sizeof inner) {
        return EMSGSIZE;
    }
    memcpy(inner, ip, len);
    error = gtpu_set_inner_source(inner, len, &b->ue_addr);
    return (error ? error
            : send_tunnelled(SIDE_ENB, &b->up, b->up_dscp, qfi, inner, len));
}

static int
endpoint_send_app(const struct endpoint_bearer *b, const void *ip, size_t len)
{
    uint8_t macs[12];

    classifier_macs(b, macs);
    return xdp_ue_send(macs, ip, len);
}

static int
endpoint_send_down(const struct endpoint_bearer *b, const void *frame,
                   size_t len)
{
    const uint8_t *ip = (const uint8_t *) frame + ETH_HEADER_LEN;
    size_t inner_len = (len > ETH_HEADER_LEN
                        ? gtpu_inner_len(ip, len - ETH_HEADER_LEN) : 0);

    return (inner_len
            ? send_tunnelled(SIDE_SGW, &b->down, b->down_dscp, b->down_qfi, ip,
                             inner_len) : EINVAL);
}

/* --- Counters. --- */

static void
poll_services(void)
{
    const struct xdp_svc *svc;

    HMAP_FOR_EACH (svc, node, &services) {
        uint32_t index = xdp_table_service_find(table, &svc->ip);
        struct xdp_service_stats s;

        if (index != XDP_NOWHERE && !xdp_read_service_stats(xdp, index, &s)) {
            events.service_counters(&svc->ip, ENDPOINT_UP, s.up_packets,
                                    s.up_bytes);
            events.service_counters(&svc->ip, ENDPOINT_DOWN, s.down_packets,
                                    s.down_bytes);
        }
    }
}

static void
endpoint_poll_counters(void)
{
    xdp_bearers_poll();
    poll_services();
    xdp_stats_poll(xdp);
}

const struct endpoint_class endpoint_xdp = {
    .name = "xdp",
    .ue_port = UE_LINK,
    .init = endpoint_init,
    .plumb = endpoint_plumb,
    .plumbed = endpoint_plumbed,
    .report = endpoint_report,
    .close = endpoint_close,
    .run = endpoint_run,
    .wait = endpoint_wait,
    .start = endpoint_start,
    .ready = endpoint_ready,
    .bearer_set = xdp_bearers_set,
    .adopt = xdp_bearers_adopt,
    .learned = endpoint_learned,
    .unlearn = endpoint_unlearn,
    .bearer_clear = xdp_bearers_clear,
    .service_set = endpoint_service_set,
    .service_clear = endpoint_service_clear,
    .service_possible = endpoint_service_possible,
    .service_ready = endpoint_service_ready,
    .service_divert = endpoint_service_divert,
    .send_up = endpoint_send_up,
    .send_app = endpoint_send_app,
    .send_down = endpoint_send_down,
    .path_changed = xdp_bearers_path_changed,
    .poll_counters = endpoint_poll_counters,
};
