/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Adopting what an earlier tofd left: see adopt.h. */

#include <config.h>

#include "divert/adopt.h"

#include "base/addr.h"
#include "conf/conf.h"
#include "divert/divert.h"
#include "filter/filter.h"
#include "gtp/endpoint.h"
#include "hmapx.h"
#include "nat/nat.h"
#include "openvswitch/vlog.h"
#include "service/service_table.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(adopt);

static const struct conf *conf;
static struct hmapx guarded;    /* Bearers with a guard in force. */
static unsigned int n_adopted;

static void
adopt(struct bearer *b)
{
    b->heard = time_msec();
    b->created_s = b->heard / 1000;
    b->unread = 1 << ENDPOINT_UP | 1 << ENDPOINT_DOWN;
    session_touch(b, b->heard);
    b->replicated = true;          /* When it was heard nobody knows. */
    divert_adopt(b);
    n_adopted++;
}

/* The established bearer with that downlink tunnel, from 'b' on. */
static struct bearer *
find_down(struct bearer *b, const struct tunnel *t, const struct in6_addr *ue)
{
    while (b && !(b->state == BEARER_ESTABLISHED
                  && IN6_ARE_ADDR_EQUAL(b->down_sgw, &t->src)
                  && IN6_ARE_ADDR_EQUAL(&b->session->ue, ue))) {
        b = session_next_by_downlink(b);
    }
    return b;
}

/* A downlink tunnel into which the kernel lets answers. */
static void
note_guard(const struct tunnel *t, const struct in6_addr *ue,
           void *aux OVS_UNUSED)
{
    const struct fteid down = { t->dst, t->teid };
    struct bearer *b = find_down(session_bearer_by_downlink(&down), t, ue);

    for (; b; b = find_down(session_next_by_downlink(b), t, ue)) {
        hmapx_add(&guarded, b);
    }
}

/* A bearer that the kernel diverts: ours, or nobody's.  The journal may be
 * behind, so both of its tunnels must be those of the kernel. */
static void
adopt_bearer(const struct tunnel *t, const struct in6_addr *ue,
             void *aux OVS_UNUSED)
{
    const struct endpoint_bearer nobody = { .up = *t, .ue = *ue };
    const struct fteid up = { t->dst, t->teid };
    struct bearer *b = session_bearer_by_uplink(&up, addr_family(ue));

    if (b && hmapx_contains(&guarded, b)
        && conf_are_peers(conf, &t->src, &t->dst)
        && IN6_ARE_ADDR_EQUAL(b->enb, &t->src)
        && IN6_ARE_ADDR_EQUAL(&b->session->ue, ue)) {
        adopt(b);
    } else {
        filter_undivert(&nobody);
    }
}

/* The same from an endpoint that knows all of it. */
static bool
adopt_whole(const struct endpoint_bearer *found)
{
    struct bearer *b = session_bearer_by_id(found->id);

    if (!b || b->state != BEARER_ESTABLISHED) {
        return false;
    }
    const struct endpoint_bearer eb = bearer_describe(b);
    if (!endpoint_same_tunnels(&eb, found)
        || !conf_are_peers(conf, &found->up.src, &found->up.dst)) {
        return false;
    }
    adopt(b);
    return true;
}

/* A downlink tunnel into which the kernel lets answers: ours, or nobody's. */
static void
mend_guard(const struct tunnel *t, const struct in6_addr *ue,
           void *aux OVS_UNUSED)
{
    const struct endpoint_bearer nobody = { .down = *t, .ue = *ue };
    const struct fteid down = { t->dst, t->teid };
    const struct bearer *b = find_down(session_bearer_by_downlink(&down), t,
                                       ue);

    while (b && !bearer_is_diverted(b)) {
        b = find_down(session_next_by_downlink(b), t, ue);
    }
    if (!b) {
        filter_undivert(&nobody);
    }
}

/* A service IP in the filter or in NAT that no service has. */
static void
mend_filter_service(const struct in6_addr *ip, void *aux OVS_UNUSED)
{
    if (!service_ip_exists(ip)) {
        filter_service_clear(ip);
    }
}

static void
mend_nat_service(const struct in6_addr *ip,
                 const struct in6_addr *app OVS_UNUSED, void *aux OVS_UNUSED)
{
    if (!service_ip_exists(ip)) {
        nat_service_clear(ip);
    }
}

void
adopt_services(void)
{
    filter_service_dump(mend_filter_service, NULL);
    nat_service_dump(mend_nat_service, NULL);
}

void
adopt_bearers(const struct conf *conf_,
              const struct endpoint_class *endpoint)
{
    conf = conf_;
    n_adopted = 0;
    hmapx_init(&guarded);
    if (!endpoint->adopt(adopt_whole)
        && (filter_guard_dump(note_guard, NULL)
            || filter_divert_dump(adopt_bearer, NULL)
            || filter_guard_dump(mend_guard, NULL))) {
        filter_divert_flush();
    }
    if (n_adopted) {
        VLOG_INFO("%u diverted bearers adopted", n_adopted);
    }
    hmapx_destroy(&guarded);
}
