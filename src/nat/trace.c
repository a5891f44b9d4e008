/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the rules drop of a UE's packets, for an operator who looks on.
 *
 *     rule of the end "not_for_service" (ends.c) --> NFLOG --> told() --> cb
 *
 * Place in the flow: trace/trace.c begins and ends it.  The rules that tell are
 * there only meanwhile: nat_rules() takes out those that an earlier tofd has
 * left. */

#include "nat/nat.h"

#include <errno.h>

#include "kernel/nflog.h"
#include "nat/private.h"

static struct {
    enum { OFF, WANTED, ON, FAILED } state;
    struct in6_addr ue;
    size_t captured;
    nat_drop_cb *cb;
    struct nflog log;           /* While 'state' is ON. */
    uint64_t lost;              /* Of logs that are closed. */
} trace;

/* Fills the ends with or without rules that tell of 'ue'.  The rules weigh more
 * or less by that, and by nothing else. */
static int
change_rules(const struct in6_addr *ue)
{
    struct nft_batch *b = nft_begin(nat.nft);
    uint64_t before, after;
    int error = nat_weigh(&before);

    nat_ends_fill(b, ue);
    if (error) {
        nft_abort(b);
        return error;
    }
    error = nft_commit(b, NULL);
    if (!error && !nat_weigh(&after)) {
        nat.weight += after - before;
    }
    return error;
}

static void
close_log(void)
{
    trace.lost += trace.log.lost;
    nflog_close(&trace.log);
}

/* The log comes first: it has the kernel load what the rules need. */
static int
begin(void)
{
    int error = nflog_open(&trace.log, nat.netns, NAT_LOG_GROUP,
                           trace.captured);

    if (!error) {
        error = change_rules(&trace.ue);
        if (error) {
            close_log();
        }
    }
    trace.state = error ? FAILED : ON;
    return error;
}

static void
told(const struct nflog_packet *p)
{
    const struct nat_end *end = nat_end_find(p->prefix);

    if (end) {
        const struct nat_drop drop = {
            .down = end->down, .ip = p->ip, .len = p->len,
            .reason = end->reason,
        };
        trace.cb(&drop);
    }
}

int
nat_trace_start(const struct in6_addr *ue, size_t captured, nat_drop_cb *cb)
{
    trace.state = WANTED;
    trace.ue = *ue;
    trace.captured = captured;
    trace.cb = cb;
    trace.lost = 0;
    return nat.open ? begin() : 0;
}

int
nat_trace_run(void)
{
    if (trace.state == WANTED && nat.open) {
        return begin();
    } else if (trace.state == ON) {
        nflog_run(&trace.log, told);
    }
    return 0;
}

int
nat_trace_fd(void)
{
    return trace.state == ON ? nflog_fd(&trace.log) : -1;
}

uint64_t
nat_trace_lost(void)
{
    return trace.lost + (trace.state == ON ? trace.log.lost : 0);
}

void
nat_trace_stop(void)
{
    if (trace.state == ON) {
        nat_trace_run();
        change_rules(NULL);
        close_log();
    }
    trace.state = OFF;
}

void
nat_trace_abort(void)
{
    if (trace.state == ON) {
        close_log();
    }
    if (trace.state != OFF) {
        trace.state = WANTED;
    }
}
