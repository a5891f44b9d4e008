/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Tunnels that end: see signalling.h. */

#include <config.h>

#include "learn/signalling.h"

#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "filter/nfq.h"
#include "gtp/gtpu.h"
#include "learn/namesake.h"
#include "learn/pinger.h"
#include "openvswitch/list.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

METRIC_COUNTER(n_end_markers, "tof_end_markers_total", "",
               "End Markers for tunnels known here.");
METRIC_COUNTER(n_error_indications, "tof_error_indications_total", "",
               "Error Indications for tunnels known here.");

/* How long after a packet of ours an Error Indication may be because of it. */
#define DRAWN_MS 5000
#define WAIT_MS 100             /* For copies, at most. */

static const sa_family_t families[] = { AF_INET, AF_INET6 };

struct waiting {                /* An Error Indication. */
    struct ovs_list node;       /* In waiting; few, as holding is limited. */
    struct fteid about;
    bool from_enb;
    long long int due;
    size_t len;
    uint8_t ip[];               /* From the outer header on. */
};

static struct ovs_list waiting = OVS_LIST_INITIALIZER(&waiting);
static long long int idle_ms;
static packet_pass_cb *pass;

void
signalling_init(long long int idle_ms_, packet_pass_cb *pass_)
{
    idle_ms = idle_ms_;
    pass = pass_;
}

void
signalling_end_marker(const struct gtpu_packet *p)
{
    const struct fteid down = { p->dst, p->msg.teid };
    struct bearer *b = session_bearer_by_downlink(&down);

    if (b) {
        metric_inc(&n_end_markers);
    }
    namesake_down_ended(&down);
    for (; b; b = session_next_by_downlink(b)) {
        session_invalidate(b);
    }
}

/* Ends the tunnel to an eNodeB.  Returns true if we have sent into it lately.
 * What was under way when the first Error Indication came draws others. */
static bool
end_down(const struct fteid *down)
{
    struct bearer *b = session_bearer_by_downlink(down);
    bool ours = false;

    if (b) {
        metric_inc(&n_error_indications);
    }
    namesake_down_ended(down);
    for (; b; b = session_next_by_downlink(b)) {
        ours = (ours || bearer_is_ready(b)
                || time_msec() - bearer_use_get(b)->unready < DRAWN_MS);
        session_invalidate(b);
    }
    return ours;
}

/* The same with the tunnel to an SGW and the Pinger: asking further draws more
 * of the same. */
static bool
end_up(const struct fteid *up)
{
    bool ours = false, known = false;

    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        struct bearer *b = session_bearer_by_uplink(up, families[i]);

        if (b) {
            known = true;
            ours = ours || pinger_is_active(b->id);
            session_invalidate(b);
            pinger_stop(b->id);
        }
    }
    if (known) {
        metric_inc(&n_error_indications);
    }
    return ours;
}

/* Whether the SGW has sent into the tunnel to an eNodeB ('from_enb': whose
 * Error Indication it is), or the eNodeB into the one to an SGW. */
static bool
is_theirs(const struct fteid *f, bool from_enb)
{
    const long long int since = time_msec() - idle_ms;
    const struct bearer *b;
    bool theirs = false;

    if (from_enb) {
        for (b = session_bearer_by_downlink(f); b;
             b = session_next_by_downlink(b)) {
            theirs = theirs || b->natural >= since;
        }
    } else {
        for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
            b = session_bearer_by_uplink(f, families[i]);
            theirs = theirs || (b && b->forwarded >= since);
        }
    }
    return theirs;
}

/* TS 29.281 clause 7.3.1: the sender has no such tunnel.  If we have sent into
 * it, the question is who else has.  Copies tell, but what is held is read
 * before them: it waits until they have been read. */
void
signalling_error_indication(const struct nfq_packet *np,
                            const struct gtpu_packet *p)
{
    const bool from_enb = queue_side(np->queue) == SIDE_ENB;
    struct fteid f;
    bool known = !gtpu_parse_error_indication(&p->msg, &f.teid, &f.addr);
    bool ours = known && (from_enb ? end_down(&f) : end_up(&f));

    if (!ours || is_theirs(&f, from_enb)) {
        pass(queue_side(np->queue), np->ip, np->len);
        return;
    }
    struct waiting *w = xmalloc(sizeof *w + np->len);
    w->about = f;
    w->from_enb = from_enb;
    w->due = time_msec() + WAIT_MS;
    w->len = np->len;
    memcpy(w->ip, np->ip, np->len);
    ovs_list_push_back(&waiting, &w->node);
}

void
signalling_run(bool behind)
{
    struct waiting *w;

    LIST_FOR_EACH_SAFE (w, node, &waiting) {
        if (behind && time_msec() < w->due) {
            break;
        }
        if (is_theirs(&w->about, w->from_enb)) {
            pass(w->from_enb ? SIDE_ENB : SIDE_SGW, w->ip, w->len);
        }
        ovs_list_remove(&w->node);
        free(w);
    }
}

void
signalling_destroy(void)
{
    struct waiting *w;

    LIST_FOR_EACH_POP (w, node, &waiting) {
        free(w);
    }
}

void
signalling_reused(uint32_t id)
{
    struct bearer *b = session_bearer_by_id(id);

    if (b && b->down_known) {
        const struct fteid down = bearer_down(b);

        for (b = session_bearer_by_downlink(&down); b;
             b = session_next_by_downlink(b)) {
            session_invalidate(b);
        }
    }
}
