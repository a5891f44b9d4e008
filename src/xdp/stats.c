/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the eBPF programs have counted, by program, verdict and reason. */

#include <config.h>

#include "xdp/stats.h"

#include "base/metrics.h"
#include "xdp/load.h"

static struct metric metrics[XDP_N_REASONS] = {
#define X(SYMBOL, PROGRAM, VERDICT, REASON)                              \
    [XDP_##SYMBOL] = {                                                   \
        .name = "tof_xdp_packets_total",                                 \
        .labels = "program=\"" PROGRAM "\",verdict=\"" VERDICT "\""      \
                  ",reason=\"" REASON "\"",                              \
        .help = "Packets at the eBPF programs.", .type = "counter",      \
    },
    XDP_REASONS
#undef X
};

void
xdp_stats_init(void)
{
    for (int i = 0; i < XDP_N_REASONS; i++) {
        metric_register(&metrics[i]);
    }
}

void
xdp_stats_poll(struct xdp *xdp)
{
    struct xdp_stats stats;

    if (!xdp_read_stats(xdp, &stats)) {
        for (int i = 0; i < XDP_N_REASONS; i++) {
            metrics[i].value = stats.n[i];
        }
    }
}
