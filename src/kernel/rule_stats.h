/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_RULE_STATS_H
#define TOF_RULE_STATS_H 1

/* What rules have counted, as a metric for /metrics.  The kernel keeps it,
 * over restarts of tofd too. */

#include "kernel/nft.h"
#include "openvswitch/shash.h"

/* One metric, a counter, of rules that have a comment.  Rules for which
 * 'labels' gives the same malloc'd text are counted together; 'chain' and
 * 'comment' are theirs. */
struct rule_stats {
    const char *name, *help;
    char *(*labels)(const char *chain, const char *comment);
    struct shash by_labels;     /* SHASH_INITIALIZER() at first. */
};

/* Reads the counters of 'n' tables.  Returns 0 or a positive errno value; then
 * the metric stays as it is. */
int rule_stats_read(struct rule_stats *, struct nft *,
                    const struct nft_table *const tables[], size_t n);

#endif /* kernel/rule_stats.h */
