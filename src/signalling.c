/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Tunnels that end: see signalling.h. */

#include <config.h>

#include "signalling.h"

#include "gtp/gtpu.h"
#include "metrics.h"
#include "session.h"
#include "timeval.h"
#include "util.h"

METRIC_COUNTER(n_end_markers, "tof_end_markers_total", "",
               "End Markers for tunnels known here.");
METRIC_COUNTER(n_error_indications, "tof_error_indications_total", "",
               "Error Indications for tunnels known here.");

static long long int idle_ms;

void
signalling_init(long long int idle_ms_)
{
    idle_ms = idle_ms_;
}

void
signalling_end_marker(const struct gtpu_packet *p)
{
    const struct fteid down = { p->dst, p->msg.teid };
    struct bearer *b = session_bearer_by_downlink(&down);

    if (b) {
        metric_inc(&n_end_markers);
        session_invalidate(b);
    }
}

/* True if only the TOF has sent into the bearer's downlink tunnel lately: an
 * Error Indication for it is not the SGW's business. */
static bool
drawn_by_us(const struct bearer *b, long long int now)
{
    return (b->ready && b->counters.packets_down
            && now - b->natural > idle_ms);
}

/* TS 29.281 clause 7.3.1: the sender has no such tunnel. */
bool
signalling_error_indication(const struct gtpu_packet *p, bool from_enb)
{
    bool ours = false;
    struct fteid f;
    struct bearer *b;

    if (!gtpu_parse_error_indication(&p->msg, &f.teid, &f.addr)) {
        b = session_bearer_by_downlink(&f);
        if (!b) {
            b = session_bearer_by_uplink(&f);
        }
        if (b) {
            metric_inc(&n_error_indications);
            ours = from_enb && drawn_by_us(b, time_msec());
            session_invalidate(b);
        }
    }
    return ours;
}
