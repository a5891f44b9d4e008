/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Counters of rules: see rule_stats.h.
 *
 * Place in the flow: filter/stats.c and nat/stats.c have their tables
 * read once in a while.  A metric is made when its labels are first seen; how
 * many there are is bounded by the tables' rules. */

#include <config.h>

#include "kernel/rule_stats.h"

#include <stdlib.h>

#include "base/metrics.h"
#include "util.h"

struct stat {
    struct metric metric;
    uint64_t sum;               /* While they are being read. */
};

static struct stat *
get(struct rule_stats *stats, const char *labels)
{
    struct stat *stat = shash_find_data(&stats->by_labels, labels);

    if (!stat) {
        stat = xzalloc(sizeof *stat);
        stat->metric.name = stats->name;
        stat->metric.labels = xstrdup(labels);
        stat->metric.help = stats->help;
        stat->metric.type = "counter";
        metric_register(&stat->metric);
        shash_add(&stats->by_labels, labels, stat);
    }
    return stat;
}

static void
add(const char *chain, const char *comment, uint64_t packets,
    uint64_t bytes OVS_UNUSED, void *stats_)
{
    struct rule_stats *stats = stats_;
    char *labels = stats->labels(chain, comment);

    get(stats, labels)->sum += packets;
    free(labels);
}

int
rule_stats_read(struct rule_stats *stats, struct nft *nft,
                const struct nft_table *const tables[], size_t n)
{
    struct shash_node *node;
    int error = 0;

    SHASH_FOR_EACH (node, &stats->by_labels) {
        ((struct stat *) node->data)->sum = 0;
    }
    for (size_t i = 0; !error && i < n; i++) {
        error = nft_counters(nft, tables[i], add, stats);
    }
    if (!error) {
        SHASH_FOR_EACH (node, &stats->by_labels) {
            struct stat *stat = node->data;
            stat->metric.value = stat->sum;
        }
    }
    return error;
}
