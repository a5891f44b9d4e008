/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Filter counters: see stats.h.
 *
 * A rule that counts has a comment, and its chain begins with its side, and a
 * "6" if the outer family is IPv6 ("enb6_x12", "extension_chain").  Rules with
 * the same comment and side are one metric, made when first seen; the set is
 * bounded by rules.c. */

#include <config.h>

#include "filter/stats.h"

#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "filter/rules.h"
#include "openvswitch/shash.h"
#include "util.h"

struct stat {
    struct metric metric;
    uint64_t sum;               /* While they are being read. */
};

static struct shash stats = SHASH_INITIALIZER(&stats);  /* By labels. */

static struct stat *
get(const char *labels)
{
    struct stat *stat = shash_find_data(&stats, labels);

    if (!stat) {
        stat = xzalloc(sizeof *stat);
        stat->metric.name = "tof_filter_packets_total";
        stat->metric.labels = xstrdup(labels);
        stat->metric.help = "Packets at the filter, by side and fate.";
        stat->metric.type = "counter";
        metric_register(&stat->metric);
        shash_add(&stats, labels, stat);
    }
    return stat;
}

static void
add(const char *chain, const char *comment, uint64_t packets,
    uint64_t bytes OVS_UNUSED, void *aux OVS_UNUSED)
{
    char *labels = xasprintf("side=\"%.*s\",fate=\"%s\"",
                             (int) strcspn(chain, "_6"), chain, comment);

    get(labels)->sum += packets;
    free(labels);
}

int
filter_stats_read(struct nft *nft)
{
    struct shash_node *node;
    int error;

    SHASH_FOR_EACH (node, &stats) {
        ((struct stat *) node->data)->sum = 0;
    }
    error = nft_counters(nft, &filter_table, add, NULL);
    if (!error) {
        SHASH_FOR_EACH (node, &stats) {
            struct stat *stat = node->data;
            stat->metric.value = stat->sum;
        }
    }
    return error;
}
