/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Why a UE is diverted, or why not: see explain.h. */

#include <config.h>

#include "explain/explain.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/service_spec.h"
#include "base/status.h"
#include "divert/hold.h"
#include "filter/l2.h"
#include "learn/pinger.h"
#include "learn/prove.h"
#include "service/service.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

struct explanation {
    const struct in6_addr *ue;
    const char *service;
    long long int now;
    explain_cb *cb;
    void *aux;
    char subject[24];           /* Of the steps that come. */
};

static void __attribute__((format(printf, 5, 6)))
tell(struct explanation *e, const char *name, enum explain_verdict verdict,
     const char *advice, const char *format, ...)
{
    struct explain_step step = { .name = name, .verdict = verdict,
                                 .advice = advice };
    va_list args;

    ovs_strlcpy(step.subject, e->subject, sizeof step.subject);
    va_start(args, format);
    vsnprintf(step.found, sizeof step.found, format, args);
    va_end(args);
    e->cb(&step, e->aux);
}

static double
seconds_since(const struct explanation *e, long long int then)
{
    return MAX(e->now - then, 0) / 1000.0;
}

/* The TOF itself, and services. */

static void
tell_tof(struct explanation *e)
{
    enum status_part part = status_first_missing();

    if (part == STATUS_N_PARTS) {
        tell(e, "tof", EXPLAIN_OK, NULL,
             "All that diverting depends on is there.");
    } else {
        tell(e, "tof", EXPLAIN_WRONG,
             "Nothing is diverted before all parts are ready; \"tofctl "
             "status\" shows them.", "Part %s is not ready: %s.",
             status_name(part), status_detail(part));
    }
}

struct search {
    const char *key;
    struct in6_addr ip;         /* Unspecified if 'key' is no address. */
    sa_family_t family;
    struct service_spec spec;   /* If 'found'. */
    bool found;
    unsigned int n;             /* Of that family. */
};

static void
match(const struct service_spec *spec,
      const struct counters *counters OVS_UNUSED, void *search_)
{
    struct search *search = search_;

    search->n += addr_family(&spec->service_ip) == search->family;
    if (search->key && !search->found
        && (!strcmp(spec->name, search->key)
            || IN6_ARE_ADDR_EQUAL(&spec->service_ip, &search->ip))) {
        search->spec = *spec;
        search->found = true;
    }
}

static void
tell_service(struct explanation *e)
{
    struct search search = { .key = e->service,
                             .family = addr_family(e->ue) };
    char ip[INET6_ADDRSTRLEN], app[INET6_ADDRSTRLEN];

    if (e->service && !addr_parse(e->service, &search.ip)) {
        search.ip = in6addr_any;
    }
    service_for_each(match, &search);
    if (!e->service && !search.n) {
        tell(e, "service", EXPLAIN_WRONG, "\"tofctl add\" registers one.",
             "No service with an address of the UE's family is registered.");
    } else if (!e->service) {
        tell(e, "service", EXPLAIN_OK, NULL, "%u services with addresses of "
             "the UE's family are in force.", search.n);
    } else if (!search.found) {
        tell(e, "service", EXPLAIN_WRONG,
             "\"tofctl services\" lists them; \"tofctl add\" registers one.",
             "There is no service %s in force.", e->service);
    } else if (addr_family(&search.spec.service_ip) != search.family) {
        tell(e, "service", EXPLAIN_WRONG,
             "Ask about the UE's address of the other family.",
             "Service %s has an address of the other family.",
             search.spec.name);
    } else {
        tell(e, "service", EXPLAIN_OK, NULL,
             "Service %s is in force: %s goes to %s.", search.spec.name,
             addr_format(&search.spec.service_ip, ip),
             addr_format(&search.spec.application_ip, app));
    }
}

/* A bearer. */

static void
tell_tunnel(struct explanation *e, const struct bearer *b)
{
    char enb[INET6_ADDRSTRLEN], sgw[INET6_ADDRSTRLEN], vlan[24] = "";
    struct l2_header l2;

    if (l2_get(SIDE_ENB, b->enb, b->sgw, &l2) && l2.len == 18) {
        snprintf(vlan, sizeof vlan, ", VLAN %d",
                 (l2.bytes[14] & 0x0f) << 8 | l2.bytes[15]);
    }
    if (b->replicated) {
        tell(e, "seen", EXPLAIN_OPEN,
             "It is proved when the UE's next packet comes by here.",
             "Another TOF or the journal knows its uplink tunnel, TEID "
             "0x%08"PRIx32" at %s; the UE has not been heard here.",
             b->up_teid, addr_format(b->sgw, sgw));
        return;
    }
    tell(e, "seen", EXPLAIN_OK, NULL,
         "Its uplink tunnel is TEID 0x%08"PRIx32" at SGW %s, from eNodeB %s%s; "
         "the UE was last heard %.1f s ago.", b->up_teid,
         addr_format(b->sgw, sgw), addr_format(b->enb, enb), vlan,
         seconds_since(e, b->heard));
}

/* Why it is not proved, as far as the Pinger knows. */
static void
tell_unproved(struct explanation *e, const struct bearer *b)
{
    struct pinger_state p;

    if (!prove_is_possible(b)) {
        tell(e, "proved", EXPLAIN_WRONG,
             "Give pinger.targets hosts of this family beyond the SGW that "
             "answer pings.",
             "Its downlink tunnel cannot be proved: the Pinger has no target "
             "of this family.");
    } else if (!pinger_describe(b->id, &p)) {
        tell(e, "proved", EXPLAIN_OPEN,
             "It is proved when the UE next sends.",
             "Its downlink tunnel is not proved now, and nobody has asked for "
             "it lately.");
    } else if (!p.attempts) {
        tell(e, "proved", EXPLAIN_OPEN, "Ask again in a second.",
             "Its downlink tunnel is not proved yet: the first ping is about "
             "to be sent.");
    } else if (!pinger_last_reply()) {
        tell(e, "proved", EXPLAIN_WRONG,
             "Is there a way from the SGW's network to pinger.targets, and "
             "back, and do they answer pings?",
             "Its downlink tunnel is not proved: pinged %u times, last %.1f s "
             "ago, and no target has ever answered for any UE.",
             p.attempts, seconds_since(e, p.sent));
    } else {
        tell(e, "proved", EXPLAIN_WRONG,
             "Does this UE's APN reach pinger.targets?  A UE that has left, "
             "or whose downlink passes another host, is not answered either.",
             "Its downlink tunnel is not proved: pinged %u times, last %.1f s "
             "ago, without a reply; others were answered %.1f s ago.",
             p.attempts, seconds_since(e, p.sent),
             seconds_since(e, pinger_last_reply()));
    }
}

static void
tell_proof(struct explanation *e, const struct bearer *b)
{
    char enb[INET6_ADDRSTRLEN];

    if (b->state != BEARER_ESTABLISHED) {
        if (b->down_retired) {
            tell(e, "path", EXPLAIN_OPEN, NULL,
                 "Its last downlink tunnel, to eNodeB %s, belongs to the path "
                 "before a handover and is never used again.",
                 addr_format(b->down_enb, enb));
        }
        tell_unproved(e, b);
    } else if (!prove_is_fresh(b, e->now)) {
        tell(e, "proved", EXPLAIN_OPEN,
             "Its next packet waits until it is proved anew.",
             "Its downlink tunnel was proved %.1f s ago, and the UE has been "
             "silent since: that is not good any more.",
             seconds_since(e, b->judged));
    } else {
        tell(e, "proved", EXPLAIN_OK, NULL,
             "Its downlink tunnel, TEID 0x%08"PRIx32" at eNodeB %s, was proved "
             "%.1f s ago.", b->down_teid, addr_format(b->down_enb, enb),
             seconds_since(e, bearer_proved(b)));
    }
}

static void
tell_diversion(struct explanation *e, const struct bearer *b)
{
    const struct bearer_use *use = bearer_use_get(b);

    switch (b->diversion) {
    case DIVERSION_OFF:
        tell(e, "diverted", EXPLAIN_OPEN, NULL,
             "The UE has not sent to a service yet.");
        break;
    case DIVERSION_WANTED:
        tell(e, "diverted", EXPLAIN_WRONG, NULL,
             "It has sent to a service, and is diverted as soon as it is "
             "proved; %u packets wait for that.", hold_count(b->id));
        break;
    case DIVERSION_ASKED:
        tell(e, "diverted", EXPLAIN_OPEN, "Ask again in a second.",
             "The endpoint was asked to divert it %.1f s ago.",
             seconds_since(e, use->asked));
        break;
    case DIVERSION_READY:
        tell(e, "diverted", EXPLAIN_OK, NULL,
             "It is diverted: %"PRIu64" packets have gone to Apps, "
             "%"PRIu64" to the UE.", use->counters.packets_up,
             use->counters.packets_down);
        break;
    }
}

static void
tell_bearers(struct explanation *e, const struct session *s)
{
    const struct bearer *b;

    SESSION_FOR_EACH_BEARER (b, s) {
        snprintf(e->subject, sizeof e->subject, "bearer %08"PRIx32, b->id);
        tell_tunnel(e, b);
        tell_proof(e, b);
        tell_diversion(e, b);
    }
    e->subject[0] = '\0';
}

/* The UE: its sessions, one for each address space. */

static void
tell_unknown(struct explanation *e)
{
    size_t n = (session_bearer_count(BEARER_EMBRYONIC)
                + session_bearer_count(BEARER_ESTABLISHED)
                + session_bearer_count(BEARER_STALE));

    if (n && n >= session_max()) {
        tell(e, "seen", EXPLAIN_WRONG, "Raise sessions.max.",
             "The UE is not known, and the session table is full: %"PRIuSIZE
             " bearers.", n);
    } else {
        tell(e, "seen", EXPLAIN_WRONG,
             "Does its traffic pass here, and are its eNodeB and SGW among "
             "s1u.enodebs and s1u.sgws?  \"tofctl peers\" lists those seen.",
             "No packet of this UE has been seen on S1-U.");
    }
}

static void
tell_ue(struct explanation *e)
{
    const struct session *s = NULL;
    unsigned int n = 0;

    while ((s = session_next_of_ue(e->ue, s))) {
        n++;
        tell_bearers(e, s);
    }
    if (!n) {
        tell_unknown(e);
    } else if (n > 1) {
        tell(e, "address", EXPLAIN_OPEN,
             "Answers go back to whom they are for; an App cannot open a "
             "connection to this address.",
             "%u UEs have this address, in as many address spaces.", n);
    }
}

void
explain(const struct in6_addr *ue, const char *service, explain_cb *cb,
        void *aux)
{
    struct explanation e = { .ue = ue, .service = service,
                             .now = time_msec(), .cb = cb, .aux = aux };

    tell_tof(&e);
    tell_service(&e);
    tell_ue(&e);
}
