/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Watches the wire: see wire.h.
 *
 * Links are told of by rtnetlink, so that a look follows their changes at
 * once; of sysctls and offloads nobody tells, so there is a look a second.
 * wire_faults.c judges what is seen. */

#include <config.h>

#include "filter/wire.h"

#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/metrics.h"
#include "base/status.h"
#include "conf/conf.h"
#include "filter/wire_faults.h"
#include "kernel/ethtool.h"
#include "kernel/netns.h"
#include "kernel/nft.h"
#include "kernel/rtnl.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(wire);

#define LOOK_MS 1000
#define LOOK_AGAIN_MS 50        /* After a change: others may follow it. */
#define STEADY_MS 1000          /* A fault may be half of what is being done. */
#define MEND_AGAIN_MS 3600000
#define MENDER_MS 100           /* How often it is looked whether it is done. */

METRIC_COUNTER(n_mendings, "tof_s1u_mendings_total", "",
               "How often tof-net has been asked to mend S1-U.");

static struct metric fault_metrics[WIRE_N_FAULTS];

static const struct conf *conf;
static struct rtnl *rtnl, *watch;
static struct nft *nft;
static long long int look_at, looked;
static uint32_t faults;                 /* Seen last. */
static long long int since[WIRE_N_FAULTS];      /* Of those. */
static long long int mended[WIRE_N_FAULTS];     /* When it was tried. */
static pid_t mender;                    /* tof-net, or 0. */

static void
register_metrics(void)
{
    static char labels[WIRE_N_FAULTS][32];

    for (int i = 0; i < WIRE_N_FAULTS; i++) {
        snprintf(labels[i], sizeof labels[i], "fault=\"%s\"",
                 wire_fault_name(i));
        fault_metrics[i] = (struct metric) {
            .name = "tof_s1u_fault", .labels = labels[i], .type = "gauge",
            .help = "What is wrong with the wire that S1-U passes by: 1 if it"
                    " is.",
        };
        metric_register(&fault_metrics[i]);
    }
}

void
wire_init(const struct conf *conf_)
{
    conf = conf_;
    register_metrics();
    for (int i = 0; i < WIRE_N_FAULTS; i++) {
        mended[i] = LLONG_MIN;
    }
    if (rtnl_open(-1, &watch) || rtnl_watch(watch)) {
        VLOG_WARN("changes of links are found within %d ms only", LOOK_MS);
        rtnl_close(watch);
        watch = NULL;
    }
}

void
wire_destroy(void)
{
    rtnl_close(watch);
    rtnl_close(rtnl);
    nft_close(nft);
    watch = rtnl = NULL;
    nft = NULL;
}

/* Looking. */

/* What takes a frame apart on its way in, or joins several: a VLAN tag in
 * metadata is lost to XDP, and a joined packet is another packet.  These are
 * the kernel's names for those that tof-net switches off. */
static const char *const merging[] = {
    "rx-vlan-hw-parse", "rx-lro", "rx-gro-hw", "rx-gro-list",
    "rx-udp-gro-forwarding",
};

static bool
open_sockets(void)
{
    if (!rtnl && rtnl_open(-1, &rtnl)) {
        return false;
    }
    return !conf->s1u.interface || nft || !nft_open(-1, &nft);
}

static void
look_at_adapter(struct wire_adapter *a, bool enb)
{
    struct rtnl_link link;

    *a = (struct wire_adapter) { .name = conf_adapter(conf, enb) };
    if (!rtnl_link_get(rtnl, a->name, &link)) {
        a->there = true;
        a->up = link.up;
        a->carrier = link.carrier;
        a->mtu = link.mtu;
        a->master = link.master;
        a->port = link.port;
        a->forwarding = link.forwarding;
        a->flood = link.flood;
        a->isolated = link.isolated;
        a->learning = link.learning;
        a->merges = ethtool_first_on(a->name, merging, ARRAY_SIZE(merging));
    }
}

static void
look_at_bridge(struct wire_seen *seen)
{
    static const char *const families[] = { "ip", "ip6", "arp" };
    struct rtnl_link bridge;

    if (seen->adapter[0].port
        && !rtnl_link_get_by_index(rtnl, seen->adapter[0].master, &bridge)) {
        seen->bridge_up = bridge.up;
        seen->vlan_filtering = bridge.vlan_filtering;
        seen->netfilter = bridge.netfilter;
    }
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        if (sysctl_read("net/bridge/bridge-nf-call-%stables",
                        families[i]) > 0) {
            seen->netfilter = true;
        }
    }
}

/* Is S1-U in IPv6, too? */
static bool
has_ipv6(void)
{
    const struct ip_prefix_list *sgws = &conf->s1u.sgws;

    for (size_t i = 0; i < sgws->n; i++) {
        if (addr_family(&sgws->prefixes[i].addr) == AF_INET6) {
            return true;
        }
    }
    return false;
}

/* Older kernels forward IPv6 for all interfaces or for none. */
static bool
forwards_ipv6(const char *name)
{
    long own = sysctl_read("net/ipv6/conf/%s/force_forwarding", name);

    return (own >= 0 ? own : sysctl_read("net/ipv6/conf/all/forwarding")) > 0;
}

static void
look_at_forwarding(struct wire_seen *seen)
{
    const char *name = seen->adapter[0].name;

    seen->forwards = sysctl_read("net/ipv4/conf/%s/forwarding", name) > 0;
    seen->forwards6 = !has_ipv6() || forwards_ipv6(name);
    seen->redirects =
        (sysctl_read("net/ipv4/conf/all/send_redirects") > 0
         || sysctl_read("net/ipv4/conf/%s/send_redirects", name) > 0);
    seen->refused = nft_forwards_nothing(nft);
}

static void
look(struct wire_seen *seen)
{
    *seen = (struct wire_seen) { .single = conf->s1u.interface };
    look_at_adapter(&seen->adapter[0], true);
    if (seen->single) {
        look_at_forwarding(seen);
    } else {
        look_at_adapter(&seen->adapter[1], false);
        look_at_bridge(seen);
    }
}

static struct wire_mtus
mtus_of(const struct wire_seen *seen)
{
    const struct wire_adapter *a = seen->adapter;

    return (struct wire_mtus) { MAX(a[0].mtu, a[1].mtu), a[0].mtu };
}

/* Mending. */

/* Beside this program, where it is installed or where it is built. */
static char *
find_tof_net(void)
{
    const char *given = getenv("TOF_NET");
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    char *path;

    if (given && *given) {
        return xstrdup(given);
    }
    exe[n > 0 ? n : 0] = '\0';
    char *end = strrchr(exe, '/');
    int dir_len = end ? end - exe : 0;
    path = xasprintf("%.*s/tof-net", dir_len, exe);
    if (access(path, X_OK)) {
        free(path);
        path = xasprintf("%.*s/scripts/tof-net", dir_len, exe);
    }
    return path;
}

/* Runs `tof-net up` beside us, with nothing of ours open but its output. */
static int
spawn(const char *path, char *const env[])
{
    char *const argv[] = { CONST_CAST(char *, path),
                           CONST_CAST(char *, "up"), NULL };
    posix_spawn_file_actions_t actions;
    int error;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    error = posix_spawn(&mender, path, &actions, NULL, argv, env);
    posix_spawn_file_actions_destroy(&actions);
    if (error) {
        mender = 0;
    }
    return error;
}

static void
start_mender(void)
{
    const char *path = getenv("PATH");
    char *env[] = {
        xasprintf("PATH=%s", path ? path : "/usr/sbin:/usr/bin:/sbin:/bin"),
        xasprintf("S1U_ENB=%s", conf->s1u.enb ? conf->s1u.enb : ""),
        xasprintf("S1U_SGW=%s", conf->s1u.sgw ? conf->s1u.sgw : ""),
        xasprintf("S1U_INTERFACE=%s",
                  conf->s1u.interface ? conf->s1u.interface : ""),
        NULL,
    };
    char *tof_net = find_tof_net();
    int error = spawn(tof_net, env);

    metric_inc(&n_mendings);
    if (error) {
        VLOG_WARN("%s: %s", tof_net, ovs_strerror(error));
    }
    for (size_t i = 0; env[i]; i++) {
        free(env[i]);
    }
    free(tof_net);
}

/* What tof-net can mend, and has not been asked to lately. */
static uint32_t
to_be_mended(void)
{
    uint32_t due = 0;

    for (int i = 0; i < WIRE_N_FAULTS; i++) {
        if (mended[i] == LLONG_MIN
            || time_msec() - mended[i] >= MEND_AGAIN_MS) {
            due |= 1u << i;
        }
    }
    return wire_mendable(faults) & due;
}

/* Once for each fault, when it stays. */
static void
mend(const char *text)
{
    uint32_t due = to_be_mended();

    for (int i = 0; i < WIRE_N_FAULTS; i++) {
        if (time_msec() - since[i] < STEADY_MS) {
            due &= ~(1u << i);
        }
    }
    if (!due || mender) {
        return;
    }
    VLOG_WARN("%s: having tof-net mend it, once", text);
    for (int i = 0; i < WIRE_N_FAULTS; i++) {
        if (due >> i & 1) {
            mended[i] = time_msec();
        }
    }
    start_mender();
}

static void
reap_mender(void)
{
    int status;

    if (mender && waitpid(mender, &status, WNOHANG)) {
        if (!WIFEXITED(status) || WEXITSTATUS(status)) {
            VLOG_WARN("tof-net could not mend S1-U");
        } else {
            VLOG_INFO("tof-net is done");
        }
        mender = 0;
        look_at = 0;
    }
}

/* The loop. */

static void
note_faults(uint32_t found)
{
    for (int i = 0; i < WIRE_N_FAULTS; i++) {
        if (found & ~faults & 1u << i) {
            since[i] = time_msec();
        }
        fault_metrics[i].value = found >> i & 1;
    }
    faults = found;
}

int
wire_find(struct wire_mtus *mtus, char **what)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    struct wire_seen seen;

    reap_mender();
    if (!open_sockets()) {
        *what = xstrdup("netlink socket");
        return EIO;
    }
    look(&seen);
    note_faults(wire_judge(&seen, &text));
    ds_destroy(&text);
    look_at = 0;
    for (int i = 0; i < (seen.single ? 1 : 2); i++) {
        if (!seen.adapter[i].up) {
            *what = xasprintf("S1-U adapter %s", seen.adapter[i].name);
            return seen.adapter[i].there ? ENETDOWN : ENODEV;
        }
    }
    if (seen.single && !seen.forwards) {
        *what = xasprintf("net.ipv4.conf.%s.forwarding (see tof-net)",
                          seen.adapter[0].name);
        return ENETUNREACH;
    }
    *mtus = mtus_of(&seen);
    return 0;
}

static void
report(const char *text)
{
    const uint32_t maybe = 1u << WIRE_NETFILTER;    /* Who knows what rules. */

    if (wire_cuts(faults)) {
        status_set(STATUS_INTERCEPTION, false, "S1-U %s pass: %s",
                   wire_cuts(faults) == maybe ? "may not" : "does not", text);
    } else if (faults) {
        status_set(STATUS_INTERCEPTION, true, "in force, but %s", text);
    } else {
        status_set(STATUS_INTERCEPTION, true, "in force");
    }
}

/* A fault that is to be mended is looked at again when it is steady. */
static long long int
next_look(void)
{
    return looked + (to_be_mended() ? STEADY_MS / 4 : LOOK_MS);
}

bool
wire_run(const struct wire_mtus *mtus)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    struct wire_seen seen;

    reap_mender();
    if (watch && rtnl_changed(watch)) {
        look_at = MIN(look_at, looked + LOOK_AGAIN_MS);
    }
    if (time_msec() < look_at || !open_sockets()) {
        return false;
    }
    look(&seen);
    looked = time_msec();
    note_faults(wire_judge(&seen, &text));
    report(ds_cstr(&text));
    mend(ds_cstr(&text));
    look_at = next_look();
    ds_destroy(&text);

    struct wire_mtus now = mtus_of(&seen);
    return (seen.adapter[0].there && (seen.single || seen.adapter[1].there)
            && (now.links != mtus->links || now.down != mtus->down));
}

void
wire_wait(void)
{
    poll_timer_wait_until(look_at);
    if (watch) {
        poll_fd_wait(rtnl_fd(watch), POLLIN);
    }
    if (mender) {
        poll_timer_wait(MENDER_MS);
    }
}
