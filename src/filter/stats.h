/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FILTER_STATS_H
#define TOF_FILTER_STATS_H 1

/* The GTP Filter's own counters for /metrics: packets by side and by what was
 * done with them or why they are switched ("tof_filter_packets_total").  The
 * kernel keeps them, over restarts of tofd too. */

#include "kernel/nft.h"

/* Reads them all; filter.c calls this once in a while. */
int filter_stats_read(struct nft *);

#endif /* filter/stats.h */
