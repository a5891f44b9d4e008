/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Filter counters: see stats.h.
 *
 * A rule that counts has a comment, and its chain begins with its side, and a
 * "6" if the outer family is IPv6 ("enb6_x12", "extension_chain").  Rules with
 * the same comment and side are counted together. */

#include <config.h>

#include "filter/stats.h"

#include <string.h>

#include "filter/rules.h"
#include "kernel/rule_stats.h"
#include "util.h"

static char *
labels(const char *chain, const char *comment)
{
    return xasprintf("side=\"%.*s\",fate=\"%s\"",
                     (int) strcspn(chain, "_6"), chain, comment);
}

static struct rule_stats stats = {
    .name = "tof_filter_packets_total",
    .help = "Packets at the filter, by side and fate.",
    .labels = labels,
    .by_labels = SHASH_INITIALIZER(&stats.by_labels),
};

int
filter_stats_read(struct nft *nft)
{
    const struct nft_table *tables[] = { &filter_table };

    return rule_stats_read(&stats, nft, tables, ARRAY_SIZE(tables));
}
