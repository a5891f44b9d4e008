/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDP_STATS_H
#define TOF_XDP_STATS_H 1

/* Counters of the eBPF programs, for /metrics. */

struct xdp;

void xdp_stats_init(void);
void xdp_stats_poll(struct xdp *);

#endif /* xdp/stats.h */
