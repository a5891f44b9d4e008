/* SPDX-License-Identifier: GPL-3.0-or-later */

/* GTP Tunnel Endpoints as eBPF programs in the kernel.
 *
 *   enb0 --tof_enb--> sgw0    known, not for a service: untouched
 *                 \-> tof-ue|ue0 --> NAT --> ME App      decapsulated
 *   sgw0 --tof_sgw--> enb0    known: untouched
 *   enb0 <--tof_ue-- tof-ue|ue0 <-- NAT <-- ME App       encapsulated
 *
 * With a single adapter (routed.c):
 *
 *   s1u0 --tof_s1u--> the filter's rules, the kernel's forwarding
 *                 \-> tof-ue|ue0 --> NAT --> ME App
 *   s1u0 <-- the kernel's forwarding <-- tof-enb|ovs-enb <--tof_ue-- tof-ue
 *
 * What they pass goes the way that it would go without them: the filter's
 * rules and the bridge at the adapters, our packet socket at tof-ue.  Neither
 * the filter nor Open vSwitch is needed for what they redirect, but for
 * services with a chain of functions.
 *
 * The parts: tof.bpf.c the programs; load.c puts them into the kernel;
 * table.c writes their tables, bearers.c and services.c say what;
 * chain.c chains of functions; routed.c a single adapter's links;
 * ue_socket.c packet sockets; stats.c counters. */

#include <config.h>

#include "xdp/endpoint.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/metrics.h"
#include "base/status.h"
#include "conf/conf.h"
#include "filter/l2.h"
#include "filter/reinject.h"
#include "gtp/gtpu.h"
#include "gtp/gtpu_build.h"
#include "kernel/ethtool.h"
#include "kernel/netdev.h"
#include "kernel/netns.h"
#include "kernel/rtnl.h"
#include "nat/nat.h"
#include "openvswitch/vlog.h"
#include "ovs/classifier.h"
#include "ovs/ports.h"
#include "packets.h"
#include "util.h"
#include "xdp/bearers.h"
#include "xdp/chain.h"
#include "xdp/load.h"
#include "xdp/routed.h"
#include "xdp/services.h"
#include "xdp/stats.h"
#include "xdp/table.h"
#include "xdp/table_stay.h"
#include "xdp/trace.h"
#include "xdp/ue_socket.h"

VLOG_DEFINE_THIS_MODULE(endpoint_xdp);

METRIC_COUNTER(n_not_learned, "tof_xdp_not_learned_total", "",
               "Tunnels for which the table had no room: their packets take "
               "the slow path.");

METRIC_COUNTER(n_mended, "tof_mended_total", "what=\"pins\"",
               "What somebody else had taken out of the kernel, and was put "
               "back.");

#define UE_LINK "tof-ue"                /* Peer of ue0; made by nat/nat.c. */
#define OUTER_MAX 65536

static struct xdp *xdp;
static struct xdp_table *table;         /* Of 'xdp'. */
static const struct conf *conf;
static struct endpoint_events events;
static bool attached, generic;
static uint32_t resample;               /* Ticks: see learned(). */
static char *unfit;                     /* Why it is not native. */

/* A single adapter? */
static bool
single(void)
{
    return conf->s1u.interface;
}

/* --- Start and end. --- */

int
endpoint_xdp_load(const struct conf *conf_, char **why)
{
    const enum xdp_dev other = (conf_->s1u.interface ? XDP_DEV_ENB
                                : XDP_DEV_S1U);
    char *dir = xdp_pin_dir();
    int error;

    if (dir && xdp_was_attached(dir, other)) {
        xdp_unpin(dir);         /* With adapters that are not ours any more. */
    }
    error = dir ? xdp_load(conf_->sessions.max, conf_->trace.payload, dir,
                           &xdp, why) : ENOMEM;
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
    ovs_ports_remove_chain();
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
    xdp_svc_init(xdp, &events);
    xdp_bearers_init(&events);
    xdp_bearers_use(table);
    xdp_stats_init();
    write_config();
    xdp_trace_stop(xdp);        /* An earlier tofd's. */
    /* Longer than the filter would, so that a tunnel is not copied twice. */
    resample = xdp_ticks(MAX(1, conf->sessions.idle_seconds / 5));
    xdp_chain_init(conf, table);
    if (xdp_is_adopted(xdp)) {
        VLOG_INFO("adopting the tables that are in force");
    }
}

static void
endpoint_close(void)
{
    xdp_svc_destroy();
    xdp_chain_close();
    xdp_bearers_destroy();
    xdp_ue_close();
    xdp_trace_stop(xdp);
    xdp_unload(xdp);
    free(unfit);
    unfit = NULL;
    xdp = NULL;
}

/* --- Interfaces. --- */

struct place {
    enum xdp_dev dev;
    const char *link;           /* Has the program. */
    const char *target;         /* Takes what is redirected. */
    bool veth;                  /* Of our own. */
};

/* In the order in which programs are attached.  Returns how many. */
static size_t
find_places(struct place places[XDP_N_DEVS])
{
    const char *enb = conf->s1u.enb, *sgw = conf->s1u.sgw;
    const struct place ue = { XDP_DEV_UE, UE_LINK, UE_LINK, true };
    const struct place adapters[] = {
        { XDP_DEV_SGW, sgw, sgw, false }, { XDP_DEV_ENB, enb, enb, false },
    };
    const struct place adapter = { XDP_DEV_S1U, conf->s1u.interface, ENB_PORT,
                                   false };
    const struct place chain[] = {
        { XDP_DEV_TUN_PORT, TUN_PORT, TUN_PORT, true },
        { XDP_DEV_NAT_PORT, NAT_PORT, NAT_PORT, true },
        { XDP_DEV_TUN, TUN_LINK, TUN_LINK, true },
        { XDP_DEV_NAT, NAT_LINK, NAT_LINK, true },
    };
    size_t n = 0;

    places[n++] = ue;
    if (single()) {
        places[n++] = adapter;
    } else {
        memcpy(&places[n], adapters, sizeof adapters);
        n += ARRAY_SIZE(adapters);
    }
    if (conf->n_functions) {
        memcpy(&places[n], chain, sizeof chain);
        n += ARRAY_SIZE(chain);
    }
    return n;
}

/* Links that the other endpoint would use. */
static void
remove_strangers(void)
{
    const char *const links[] = {
        single() ? NULL : FILTER_ENB_LINK, single() ? NULL : FILTER_SGW_LINK,
        conf->n_functions ? NULL : HB_SEND_PORT,
    };
    struct rtnl *rtnl;

    if (!rtnl_open(-1, &rtnl)) {
        for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
            if (links[i]) {
                rtnl_link_delete(rtnl, links[i]);
            }
        }
        rtnl_close(rtnl);
    }
}

/* A veth takes what is redirected to its peer only with GRO on, or a program
 * of its own. */
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

/* Some kernels switch a veth's GRO on with its program; but what comes out
 * there goes into tunnels or to functions, packet by packet. */
static int
finish_veths(const struct place *places, size_t n, char **what)
{
    int error = 0;

    for (size_t i = 0; !error && i < n; i++) {
        if (places[i].veth) {
            error = ethtool_offload_off(-1, places[i].link, OFFLOAD_GRO);
        }
        if (error) {
            *what = xasprintf("GRO on %s", places[i].link);
        }
    }
    return error;
}

/* Drivers are used only if all of them can send what is redirected to them:
 * else packets would be lost.  Notes why not. */
static bool
drivers_can_send(const struct place *places, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int ifindex = if_nametoindex(places[i].target);
        bool can;
        int error = netdev_can_xdp_xmit(ifindex, &can);

        if (error == ENODEV || error == ENETDOWN) {
            continue;           /* It is waited for, and asked then. */
        } else if (error || !can) {
            free(unfit);
            unfit = xasprintf("%s cannot send redirected packets%s%s",
                              places[i].target, error ? ": " : "",
                              error ? ovs_strerror(error) : "");
            return false;
        }
    }
    return true;
}

static int
attach(const struct place *places, size_t n, char **what)
{
    int error = 0;

    for (size_t i = 0; !error && i < n; i++) {
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
    char *fact = xasprintf("xdp: %s: %s on %s%s%s%s%s%s",
                           (conf->datapath == DATAPATH_AUTO
                            ? "auto" : "configured"),
                           generic ? "generic" : "native",
                           conf_adapter(conf, true), single() ? "" : ", ",
                           single() ? "" : conf->s1u.sgw, generic ? " (" : "",
                           generic && unfit ? unfit : "",
                           generic ? ")" : "");

    status_fact("datapath", fact);
    VLOG_INFO("%s", fact);
    free(fact);
}

static int
open_sockets(char **what)
{
    int error = xdp_ue_open(XDP_END_NAT, UE_LINK, &events);

    if (!error && conf->n_functions) {
        error = xdp_ue_open(XDP_END_CHAIN, TUN_LINK, &events);
    }
    if (error) {
        *what = xstrdup("packet socket");
    }
    return error;
}

/* In the drivers, or if not all of them can, in the generic way everywhere: a
 * packet redirected from one way to the other might be lost. */
static int
endpoint_plumb(unsigned int mtu, char **what)
{
    struct place places[XDP_N_DEVS];
    size_t n = find_places(places);
    int error;

    remove_strangers();
    error = prepare_ue(what);
    if (!error && single()) {
        error = xdp_routed_plumb(conf->s1u.interface, mtu, xdp, what);
    }
    if (!error) {
        error = xdp_chain_plumb(mtu, what);
    }
    if (!error) {
        generic = false;
        error = attach(places, n, what);
        if (error || !drivers_can_send(places, n)) {
            if (error) {
                free(unfit);
                unfit = xasprintf("%s: %s", *what, ovs_strerror(error));
            }
            generic = true;
            error = attach(places, n, what);
        }
    }
    if (!error) {
        error = finish_veths(places, n, what);
    }
    if (!error) {
        error = open_sockets(what);
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
    struct place places[XDP_N_DEVS];
    size_t n = find_places(places);

    if (xdp_pin_again(xdp)) {
        VLOG_WARN("eBPF pins had been removed: they are put back");
        metric_inc(&n_mended);
    }
    for (size_t i = 0; i < n; i++) {
        if (!xdp_is_attached(xdp, places[i].dev,
                             if_nametoindex(places[i].link))) {
            attached = false;
        }
    }
    return (attached && xdp_chain_plumbed()
            && (!single() || xdp_routed_plumbed())
            && (generic || drivers_can_send(places, n)));
}

static void
endpoint_report(bool up)
{
    if (up) {
        status_set(STATUS_ENDPOINT, attached, "%s", attached
                   ? "eBPF programs are attached" : "not attached");
    }
    xdp_chain_report();
}

/* --- The loop. --- */

static void
endpoint_start(void)
{
    xdp_svc_sweep();
    xdp_chain_start();
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
    xdp_chain_run();
    xdp_trace_run(xdp);
}

static void
endpoint_wait(void)
{
    xdp_bearers_wait();
    xdp_ue_wait();
    xdp_chain_wait();
    xdp_trace_wait();
}

/* --- Tunnels. --- */

static void
endpoint_learned(enum filter_side from, const struct tunnel *tunnel,
                 const struct in6_addr *ue)
{
    if (single()) {
        filter_learned(tunnel, addr_family(ue));
    } else if (!xdp_table_learn(table, tunnel,
                                from == SIDE_ENB ? XDP_UP : XDP_DOWN,
                                !IN6_IS_ADDR_V4MAPPED(ue), xdp_ue_key(ue),
                                xdp_now() + resample)) {
        metric_inc(&n_not_learned);
    }
}

static void
endpoint_unlearn(const struct endpoint_bearer *b)
{
    if (single()) {
        filter_unlearn(b);
    } else {
        xdp_table_unlearn(table, b);
    }
}

static void
endpoint_stay(const struct flow *f)
{
    xdp_table_stay(table, f);
}

static void
endpoint_stay_all(const struct flow *flows, size_t n)
{
    xdp_table_stay_all(table, flows, n);
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
    n = gtpu_build(outer, sizeof outer, tunnel, dscp, qfi, inner, len);
    return n ? reinject_send(from, &l2, outer, n) : EMSGSIZE;
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
    struct gtpu_inner inner;
    uint8_t macs[12];
    bool chain;
    int error = (gtpu_parse_inner(ip, len, &inner) == GTPU_OK
                 ? xdp_svc_way(&inner.dst, &chain) : EINVAL);

    if (!error) {
        classifier_macs(b, macs);
        error = xdp_ue_send(chain ? XDP_END_CHAIN : XDP_END_NAT, macs, ip,
                            len);
    }
    return error;
}

static int
endpoint_send_down(const struct endpoint_bearer *b, const void *frame,
                   size_t len)
{
    const uint8_t *ip = (const uint8_t *) frame + ETH_HEADER_LEN;
    size_t inner_len = (len > ETH_HEADER_LEN
                        ? gtpu_inner_len(ip, len - ETH_HEADER_LEN) : 0);

    if (!xdp_bearers_may_send(b->id)) {
        return ENOENT;
    }
    return (inner_len
            ? send_tunnelled(SIDE_SGW, &b->down, b->down_dscp, b->down_qfi, ip,
                             inner_len) : EINVAL);
}

/* --- Counters. --- */

static void
endpoint_poll_counters(void)
{
    xdp_bearers_poll();
    xdp_svc_poll_counters();
    xdp_stats_poll(xdp);
}

/* --- Traces. --- */

static int
endpoint_trace_start(const struct in6_addr *ue, unsigned int seconds)
{
    return xdp_trace_start(xdp, ue, seconds, &events);
}

static void
endpoint_trace_stop(void)
{
    xdp_trace_stop(xdp);
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
    .bearer_pause = xdp_bearers_pause,
    .bearer_clear = xdp_bearers_clear,
    .bearer_look = xdp_bearers_look,
    .bearer_left = xdp_bearers_left,
    .service_set = xdp_svc_set,
    .service_clear = xdp_svc_clear,
    .service_possible = xdp_svc_possible,
    .service_ready = xdp_svc_ready,
    .service_divert = xdp_svc_divert,
    .stay = endpoint_stay,
    .stay_all = endpoint_stay_all,
    .send_up = endpoint_send_up,
    .send_app = endpoint_send_app,
    .send_down = endpoint_send_down,
    .path_changed = xdp_bearers_path_changed,
    .poll_counters = endpoint_poll_counters,
    .trace_start = endpoint_trace_start,
    .trace_stop = endpoint_trace_stop,
};
