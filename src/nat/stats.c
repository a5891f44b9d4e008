/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the NAT namespace drops, and why, for /metrics.
 *
 * Place in the flow: agent.c has it read once in a while.  The reasons are the
 * comments of the rules that drop (rules.c). */

#include <config.h>

#include "nat/nat.h"

#include "kernel/rule_stats.h"
#include "nat/private.h"
#include "util.h"

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

void
nat_poll_counters(void)
{
    const struct nft_table *tables[] = { &nat_inet, &nat_netdev };

    if (nat.open) {
        rule_stats_read(&stats, nat.nft, tables, ARRAY_SIZE(tables));
    }
}
