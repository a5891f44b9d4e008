/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Chains of functions behind the eBPF programs: see chain.h.
 *
 *   tof_enb -> tof-tun|ovs-tun -> br-tof: Classifier, SFF, functions
 *                                   -> ovs-nat|tof-nat -> tof_nat -> ue0
 *   tof_tun <- tof-tun|ovs-tun <- br-tof: functions, SFF
 *                                   <- ovs-nat|tof-nat <- tof_ue <- ue0
 *
 * br-tof has the same flows for services as with the other endpoint
 * (ovs/services.c); the bearers' are not needed, as the programs know them.
 *
 * Heartbeat: tof-hb0 sends CFM frames every 100 ms, which come in at tof-hb1.
 * A flow takes them to ovs-tun; tof_tun sends them back in; another flow takes
 * them to ovs-nat, tof_nat to ue0; the NAT namespace sends them back, and there
 * tof_ue notes when one has come.  While that is
 * not longer ago than XDP_LIVE_NS, the programs send packets of services with
 * a chain to br-tof.  These flows come and go with all others, in one bundle:
 * so a heartbeat shows that the switch is alive, forwards both ways, and is
 * programmed.  Nobody has to notice that it is not. */

#include <config.h>

#include "xdp/chain.h"

#include <errno.h>
#include <stdlib.h>

#include "base/status.h"
#include "conf/conf.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "ovs/cache_guard.h"
#include "ovs/classifier.h"
#include "ovs/ofctl.h"
#include "ovs/ovsdb.h"
#include "ovs/ports.h"
#include "ovs/services.h"
#include "timeval.h"
#include "util.h"
#include "xdp/table.h"
#include "xdp/table_services.h"

#define COOKIE_STATIC (UINT64_C(3) << 32)
#define LOOK_MS 100             /* How often heartbeats are looked for. */
#define GONE_MS 1000            /* After this without one, chains are taken
                                 * out of force; the kernel is faster. */

static const struct conf *conf;
static const struct xdp_table *table;
static struct ofctl *tof;               /* NULL: no functions. */
static struct classifier_ports ports;
static ofp_port_t hb_port;
static unsigned int vswitch_seen;       /* vswitch_seqno() when compiled. */
static bool started, tof_started;
static long long int lived;             /* When the switch was last seen to. */

void
xdp_chain_init(const struct conf *conf_, const struct xdp_table *table_)
{
    char *target;

    conf = conf_;
    table = table_;
    if (!conf->n_functions) {
        status_set(STATUS_OVSDB, true, "not used by datapath xdp");
        status_set(STATUS_OPENFLOW, true, "not used by datapath xdp");
        return;
    }
    cache_guard_init();
    target = xasprintf("unix:%s/ovs/db.sock", conf->run_dir);
    vswitch_init(target);
    free(target);
    ovs_ports_declare_chain(conf);
    target = xasprintf("unix:%s/ovs/" BR_TOF ".mgmt", conf->run_dir);
    tof = ofctl_create(BR_TOF, target, 0, NULL);
    free(target);
    ovs_services_init(conf, tof);
}

void
xdp_chain_close(void)
{
    if (tof) {
        ovs_services_destroy();
        ofctl_destroy(tof);
        tof = NULL;
        vswitch_destroy();
        cache_guard_destroy();
    }
}

int
xdp_chain_plumb(unsigned int mtu, char **what)
{
    if (!tof) {
        ovs_ports_remove_chain();
        return 0;
    }
    return ovs_ports_plumb_chain(mtu, what);
}

bool
xdp_chain_plumbed(void)
{
    return !tof || ovs_ports_chain_plumbed();
}

void
xdp_chain_start(void)
{
    started = true;
}

static bool
ports_known(void)
{
    return ports.gtp && ports.nat && hb_port;
}

/* Port numbers have become known or have changed. */
static void
compile_all(void)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    ports.gtp = vswitch_ofport(TUN_PORT, NULL);
    ports.nat = vswitch_ofport(NAT_PORT, NULL);
    hb_port = vswitch_ofport(HB_RECV_PORT, NULL);
    ovs_services_ports(ports_known() ? ports.nat : 0);
    if (ports_known()) {
        ds_put_format(&ds, "table=%d,priority=200,in_port=%"PRIu32
                      ",dl_type=0x8902,actions=output:%"PRIu32"\n"
                      "table=%d,priority=200,in_port=%"PRIu32
                      ",dl_type=0x8902,actions=output:%"PRIu32"\n",
                      TABLE_INPUT, hb_port, ports.gtp,
                      TABLE_INPUT, ports.gtp, ports.nat);
        classifier_static_chain(&ports, &ds);
        ofctl_set(tof, COOKIE_STATIC, ds_cstr(&ds));
    }
    ds_destroy(&ds);
}

void
xdp_chain_run(void)
{
    if (!tof) {
        return;
    }
    if (xdp_table_switch_lives(table)) {
        lived = time_msec();
    }
    vswitch_run();
    ovs_ports_report(conf, TUN_PORT);
    if (vswitch_seqno() != vswitch_seen) {
        vswitch_seen = vswitch_seqno();
        compile_all();
    }
    if (started && ports_known() && !tof_started) {
        tof_started = true;
        ofctl_start(tof);
    }
    ofctl_run(tof);
}

void
xdp_chain_wait(void)
{
    if (tof) {
        vswitch_wait();
        ofctl_wait(tof);
        ovs_services_wait();
        poll_timer_wait(LOOK_MS);
    }
}

void
xdp_chain_report(void)
{
    if (tof) {
        bool synced = tof_started && ofctl_is_synced(tof);
        bool live = xdp_table_switch_lives(table);

        status_set(STATUS_OPENFLOW, synced && live, "%s",
                   !synced ? "waiting for Open vSwitch"
                   : !live
                   ? "no heartbeats: services with a chain are switched"
                   : ofctl_last_error(tof) ? OVS_SERVICES_REFUSED
                   : "flows are in force");
    }
}

int
xdp_chain_set(const struct service_spec *spec)
{
    return tof ? ovs_services_set(spec) : ENOENT;
}

void
xdp_chain_clear(const struct in6_addr *service_ip)
{
    if (tof) {
        ovs_services_clear(service_ip);
    }
}

bool
xdp_chain_possible(const struct service_spec *spec, bool in_force,
                   const char **why)
{
    bool lives = tof && (xdp_table_switch_lives(table)
                         || (in_force && lived
                             && time_msec() - lived < GONE_MS));

    if (!lives) {
        *why = "no heartbeats from Open vSwitch, which has its chain";
        return false;
    } else if (ofctl_is_refused(tof, COOKIE_STATIC)) {
        *why = "Open vSwitch refuses flows";
        return false;
    }
    return ovs_services_possible(spec, why);
}

bool
xdp_chain_ready(const struct in6_addr *service_ip)
{
    return tof && ovs_services_ready(service_ip);
}
