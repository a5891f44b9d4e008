/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the NAT namespace drops, and why, for /metrics; and how full its table
 * of connections is.
 *
 * Place in the flow: agent.c has it read once in a while.  The reasons are the
 * comments of the rules that drop (rules.c).
 *
 * What does not fit into the table is lost, and it is too late to switch it: it
 * has been taken out of its tunnel.  So the last part of the table is for
 * bearers that are diverted already. */

#include <config.h>

#include "nat/nat.h"

#include <inttypes.h>

#include "base/metrics.h"
#include "base/status.h"
#include "kernel/netns.h"
#include "kernel/rule_stats.h"
#include "nat/conntrack.h"
#include "nat/private.h"
#include "util.h"

/* Percent: from here on it is full, and below this it is not so any more. */
#define FULL 90
#define NOT_FULL 85

/* How long a UDP stream may be silent, in seconds: as set by nat.c, and while
 * there is no room. */
#define STREAM "120"
#define STREAM_FULL "30"

static struct conntrack_fill fill;
static bool full;

static uint64_t
get_n(void)
{
    return fill.n;
}

static uint64_t
get_max(void)
{
    return fill.max;
}

METRIC_GAUGE(g_n, "tof_nat_connections", "",
             "Connections of UEs and Apps that the kernel tracks.", get_n);
METRIC_GAUGE(g_max, "tof_nat_connections_max", "",
             "How many of them there can be.", get_max);

static char *
labels(const char *chain OVS_UNUSED, const char *comment)
{
    return xasprintf("reason=\"%s\"", comment);
}

static struct rule_stats stats = {
    .name = "tof_nat_dropped_packets_total",
    .help = "Packets dropped in the NAT namespace, by reason.",
    .labels = labels,
    .by_labels = SHASH_INITIALIZER(&stats.by_labels),
};

bool
nat_has_room(void)
{
    return !full;
}

static void
read_fill(void)
{
    unsigned int percent;
    bool was_full = full;

    if (conntrack_get_fill(nat.ct, &fill) || !fill.max) {
        return;
    }
    percent = (uint64_t) fill.n * 100 / fill.max;
    full = percent >= (full ? NOT_FULL : FULL);
    if (full != was_full) {
        sysctl_write(nat.netns, full ? STREAM_FULL : STREAM,
                     "net/netfilter/nf_conntrack_udp_timeout_stream");
    }
    status_set(STATUS_NAT, !full, "in force; %u %% of %"PRIu32" connections%s",
               percent, fill.max,
               full ? ": no further UE is diverted" : "");
}

void
nat_poll_counters(void)
{
    const struct nft_table *tables[] = { &nat_inet, &nat_netdev };

    if (nat.open) {
        rule_stats_read(&stats, nat.nft, tables, ARRAY_SIZE(tables));
        read_fill();
    }
}
