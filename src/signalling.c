/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Tunnels that end: see signalling.h. */

#include <config.h>

#include "signalling.h"

#include "gtp/gtpu.h"
#include "metrics.h"
#include "pinger.h"
#include "session.h"
#include "timeval.h"
#include "util.h"

METRIC_COUNTER(n_end_markers, "tof_end_markers_total", "",
               "End Markers for tunnels known here.");
METRIC_COUNTER(n_error_indications, "tof_error_indications_total", "",
               "Error Indications for tunnels known here.");

/* How long after a packet of ours an Error Indication may be because of it. */
#define DRAWN_MS 5000

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
    }
    for (; b; b = session_next_by_downlink(b)) {
        session_invalidate(b);
    }
}

/* The tunnel to an eNodeB has ended.  Returns true if only the TOF can have
 * sent into it lately: an Error Indication for it is not the SGW's business.
 * What was under way when the first one came draws others. */
static bool
down_ended(const struct fteid *down)
{
    struct bearer *b = session_bearer_by_downlink(down);
    bool ours = false, theirs = false;
    long long int now = time_msec();

    if (b) {
        metric_inc(&n_error_indications);
    }
    for (; b; b = session_next_by_downlink(b)) {
        ours = ours || b->ready || now - b->unready < DRAWN_MS;
        theirs = theirs || now - b->natural <= idle_ms;
        session_invalidate(b);
    }
    return ours && !theirs;
}

/* The tunnel to an SGW has ended: asking further draws more of the same.  As
 * above, with the Pinger and the eNodeB as those who send into it. */
static bool
up_ended(const struct fteid *up)
{
    static const sa_family_t families[] = { AF_INET, AF_INET6 };
    bool ours = false, theirs = false, known = false;

    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        struct bearer *b = session_bearer_by_uplink(up, families[i]);

        if (b) {
            known = true;
            ours = ours || pinger_is_active(b->id);
            theirs = theirs || time_msec() - b->onward <= idle_ms;
            session_invalidate(b);
            pinger_stop(b->id);
        }
    }
    if (known) {
        metric_inc(&n_error_indications);
    }
    return ours && !theirs;
}

/* TS 29.281 clause 7.3.1: the sender has no such tunnel. */
bool
signalling_error_indication(const struct gtpu_packet *p, bool from_enb)
{
    struct fteid f;

    if (gtpu_parse_error_indication(&p->msg, &f.teid, &f.addr)) {
        return false;
    }
    return from_enb ? down_ended(&f) : up_ended(&f);
}

void
signalling_reused(uint32_t id)
{
    struct bearer *b = session_bearer_by_id(id);

    if (b && b->down_known) {
        const struct fteid down = b->down;

        for (b = session_bearer_by_downlink(&down); b;
             b = session_next_by_downlink(b)) {
            session_invalidate(b);
        }
    }
}
