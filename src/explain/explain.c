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
#include "gtp/endpoint.h"
#include "learn/foreign.h"
#include "learn/pinger.h"
#include "learn/prove.h"
#include "nat/nat.h"
#include "service/register.h"
#include "service/service.h"
#include "session/session.h"
#include "trace/drops.h"
#include "timeval.h"
#include "util.h"

#define AT_ONCE 1000            /* Heard so soon after a proof, a UE may have
                                 * been silent since; ms. */

#define DROPPED_LATELY 60000    /* Longer ago it does not matter now; ms. */

struct explanation {
    const struct in6_addr *ue;
    const char *service;
    long long int now;
    explain_cb *cb;
    void *aux;
    char subject[24];           /* Of the steps that come. */
    bool complete;              /* All parts are ready. */
    bool has_spec;              /* The service asked about is there; then */
    struct service_spec spec;   /* it is that, */
    struct service_view view;   /* and how it is; */
    size_t app;                 /* which of its Apps serves the UE. */
};

#define WHY_LEFT "Somebody has put it there, or tofd could not take it out; a " \
                 "restart of tofd looks through all entries."

static const struct endpoint_class *endpoint;

void
explain_init(const struct endpoint_class *endpoint_)
{
    endpoint = endpoint_;
}

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

    e->complete = part == STATUS_N_PARTS;
    if (e->complete) {
        tell(e, "tof", EXPLAIN_OK, NULL,
             "All that diverting depends on is there.");
    } else {
        tell(e, "tof", EXPLAIN_WRONG,
             "Nothing is diverted before all parts are ready; \"tofctl "
             "status\" shows them.", "Part %s is not ready: %s.",
             status_name(part), status_detail(part));
    }
}

struct tally {
    sa_family_t family;
    unsigned int n;             /* Services with addresses of it. */
};

static void
count_family(const struct service_spec *spec,
             const struct counters *counters OVS_UNUSED, void *tally_)
{
    struct tally *tally = tally_;

    tally->n += addr_family(&spec->service_ip) == tally->family;
}

/* What is in the data plane though no such service is in force.  One that
 * waits keeps its entry in the NAT. */
static void
tell_service_left(struct explanation *e, const struct in6_addr *ip)
{
    const char *keeps = (!e->complete ? NULL
                         : filter_has_service(ip)
                         ? "The filter has an element"
                         : !e->has_spec && nat_translates(ip)
                         ? "The NAT has an entry" : NULL);
    char text[INET6_ADDRSTRLEN];

    if (keeps) {
        tell(e, "entry", EXPLAIN_WRONG, WHY_LEFT,
             "%s for %s, though no service with that address is in force.",
             keeps, addr_format(ip, text));
    }
}

static void
tell_registered(struct explanation *e)
{
    const struct service_spec *s = &e->spec;
    char ip[INET6_ADDRSTRLEN], app[INET6_ADDRSTRLEN];

    if (!service_describe(&s->service_ip, &e->view)) {
        return;
    }
    e->has_spec = true;
    if (!e->view.in_force) {
        /* What is wrong with the App, tell_app() says. */
        tell(e, "service", (e->view.bypassed ? EXPLAIN_OPEN : EXPLAIN_WRONG),
             "Its packets are switched meanwhile.",
             "Service %s is not in force: %s.", s->name, e->view.why);
        if (!e->view.changing) {
            tell_service_left(e, &s->service_ip);
        }
    } else {
        tell(e, "service", EXPLAIN_OK, NULL,
             "Service %s is in force: %s goes to %s%s.", s->name,
             addr_format(&s->service_ip, ip),
             addr_format(&s->apps[e->app].ip, app),
             s->n_apps > 1 ? ", the one of its Apps that serves this UE" : "");
    }
}

/* Of the service's Apps, the one that the UE's next connection goes to. */
static size_t
app_of_ue(const struct explanation *e)
{
    const struct service_spec *s = &e->spec;
    struct in6_addr app;
    size_t i = 0;

    if (nat_app_of(&s->service_ip, e->ue, &app)) {
        while (i < s->n_apps && !IN6_ARE_ADDR_EQUAL(&s->apps[i].ip, &app)) {
            i++;
        }
    }
    return i < s->n_apps ? i : 0;
}

static void
tell_services(struct explanation *e)
{
    struct tally tally = { .family = addr_family(e->ue) };

    service_for_each(count_family, &tally);
    if (tally.n) {
        tell(e, "service", EXPLAIN_OK, NULL, "%u services with addresses of "
             "the UE's family are in force.", tally.n);
    } else {
        tell(e, "service", EXPLAIN_WRONG, "\"tofctl add\" registers one.",
             "No service with an address of the UE's family is registered.");
    }
}

static void
tell_service(struct explanation *e)
{
    const struct service_spec *spec = service_find(e->service);
    struct in6_addr ip;

    if (!spec) {
        tell(e, "service", EXPLAIN_WRONG,
             "\"tofctl services\" lists them; \"tofctl add\" registers one.",
             "There is no service %s in force.", e->service);
        if (addr_parse(e->service, &ip)) {
            tell_service_left(e, &ip);
        }
    } else if (addr_family(&spec->service_ip) != addr_family(e->ue)) {
        tell(e, "service", EXPLAIN_WRONG,
             "Ask about the UE's address of the other family.",
             "Service %s has an address of the other family.", spec->name);
    } else {
        e->spec = *spec;
        e->app = app_of_ue(e);
        tell_registered(e);
    }
}

/* What the data plane has of the service. */
static void
tell_service_in_force(struct explanation *e)
{
    const struct service_spec *s = &e->spec;
    const char *lacks = (
        !filter_has_service(&s->service_ip)
        ? "The filter has no element for it"
        : !register_has_nat(s)
        ? "The NAT has no entry for it" : NULL);

    if (lacks) {
        tell(e, "entry", EXPLAIN_WRONG,
             "Somebody has taken it out; tofd puts it back within seconds.",
             "%s, though service %s is in force.", lacks, s->name);
    } else {
        tell(e, "entry", EXPLAIN_OK, NULL,
             "The filter and the NAT have service %s.", s->name);
    }
}

static void
tell_app(struct explanation *e)
{
    char app[INET6_ADDRSTRLEN], hop[INET6_ADDRSTRLEN];
    struct in6_addr next;
    const struct in6_addr *ip = &e->spec.apps[e->app].ip;
    const struct app_view *view = &e->view.apps[e->app];
    const bool down = view->state == APP_DOWN;
    enum nat_app state = nat_find_app(ip, &next);

    if (down && state == NAT_APP_ASKED) {
        state = NAT_APP_SILENT;         /* It is asked again and again. */
    } else if (down && state <= NAT_APP_KNOWN) {
        tell(e, "app", EXPLAIN_WRONG, "Ask again in a second.",
             "The App was down until now: %s.", view->why);
        return;
    }

    addr_format(ip, app);
    addr_format(&next, hop);
    switch (state) {
    case NAT_APP_ANSWERS:
    case NAT_APP_KNOWN:
        tell(e, "app", EXPLAIN_OK, NULL,
             "The way to the App %s is known: its neighbour %s answers.", app,
             hop);
        break;
    case NAT_APP_UNASKED:
    case NAT_APP_ASKED:
        tell(e, "app", EXPLAIN_OPEN, "Ask again in a second.",
             "The neighbour %s, which is the way to the App %s, has not "
             "answered yet.", hop, app);
        break;
    case NAT_APP_SILENT:
        tell(e, "app", EXPLAIN_WRONG,
             "Is the host up, in that network, and does it have that address?",
             "The neighbour %s, which is the way to the App %s, is unknown: "
             "it does not answer %s.", hop, app,
             addr_family(&next) == AF_INET ? "ARP" : "neighbour discovery");
        break;
    case NAT_APP_NO_LINK:
        tell(e, "app", EXPLAIN_WRONG,
             "Is the cable in, and the other end up?",
             "The adapter that leads to the App %s is down.", app);
        break;
    case NAT_APP_SELF:
        tell(e, "app", EXPLAIN_WRONG, "Another host has to be the App.",
             "The App %s is the TOF itself.", app);
        break;
    case NAT_APP_NO_ROUTE:
        tell(e, "app", EXPLAIN_WRONG,
             "apps.routes in the configuration gives networks of Apps.",
             "No route leads to the App %s.", app);
        break;
    }
}

/* A bearer. */

/* Of packets from 'src' to 'dst' that come in on that side: its number, 0 if
 * they have no tag, -1 if none has been seen. */
static int
vlan_of(enum filter_side side, const struct in6_addr *src,
        const struct in6_addr *dst)
{
    struct l2_header l2;

    return (!l2_get(side, src, dst, &l2) ? -1
            : l2.len == 18 ? (l2.bytes[14] & 0x0f) << 8 | l2.bytes[15] : 0);
}

static const char *
vlan_name(int vlan, char name[24])
{
    snprintf(name, 24, vlan ? "in VLAN %d" : "without a VLAN tag", vlan);
    return name;
}

static void
tell_tunnel(struct explanation *e, const struct bearer *b)
{
    char enb[INET6_ADDRSTRLEN], sgw[INET6_ADDRSTRLEN], vlan[24];

    if (b->replicated) {
        tell(e, "seen", EXPLAIN_OPEN,
             "It is proved when the UE's next packet comes by here.",
             "Another TOF or the journal knows its uplink tunnel, TEID "
             "0x%08"PRIx32" at %s; the UE has not been heard here.",
             b->up_teid, addr_format(b->sgw, sgw));
        return;
    }
    tell(e, "seen", EXPLAIN_OK, NULL,
         "Its uplink tunnel is TEID 0x%08"PRIx32" at SGW %s, from eNodeB %s "
         "%s; the UE was last heard %.1f s ago.", b->up_teid,
         addr_format(b->sgw, sgw), addr_format(b->enb, enb),
         vlan_name(MAX(vlan_of(SIDE_ENB, b->enb, b->sgw), 0), vlan),
         seconds_since(e, b->heard));
}

/* Both directions between two peers have to be in one VLAN, or what either
 * sends does not reach the other.  An old header of one that sends nothing any
 * more is no fault while the tunnel is proved. */
static void
tell_vlan(struct explanation *e, const struct bearer *b)
{
    const int up = vlan_of(SIDE_ENB, b->enb, b->sgw);
    const int down = vlan_of(SIDE_SGW, b->sgw, b->enb);
    char enb[INET6_ADDRSTRLEN], sgw[INET6_ADDRSTRLEN];
    char up_name[24], down_name[24];

    if (up >= 0 && down >= 0 && up != down && !prove_is_fresh(b, e->now)) {
        tell(e, "vlan", EXPLAIN_WRONG,
             "Is the port of the eNodeB, or of the SGW, in the right VLAN?",
             "The VLANs differ: eNodeB %s sends %s, and SGW %s answers it %s.",
             addr_format(b->enb, enb), vlan_name(up, up_name),
             addr_format(b->sgw, sgw), vlan_name(down, down_name));
    }
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
    } else if (prove_is_fresh(b, e->now)) {
        tell(e, "proved", EXPLAIN_OK, NULL,
             "Its downlink tunnel, TEID 0x%08"PRIx32" at eNodeB %s, was proved "
             "%.1f s ago.", b->down_teid, addr_format(b->down_enb, enb),
             seconds_since(e, bearer_proved(b)));
    } else if (b->heard > b->judged + AT_ONCE) {
        tell_unproved(e, b);    /* It is there, and was asked for in vain. */
    } else {
        tell(e, "proved", EXPLAIN_OPEN,
             "Its next packet waits until it is proved anew.",
             "Its downlink tunnel was proved %.1f s ago, and the UE has been "
             "silent since: that is not good any more.",
             seconds_since(e, b->judged));
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

/* What the data plane itself has of a bearer that tofd holds for diverted. */
static void
tell_bearer_in_force(struct explanation *e, const struct bearer *b)
{
    const struct endpoint_bearer eb = bearer_describe(b);
    struct endpoint_look look;

    endpoint->bearer_look(&eb, &look);
    if (look.lacks) {
        tell(e, "entry", EXPLAIN_WRONG,
             "If somebody has taken it out, tofd puts it back within seconds.",
             "tofd holds it for diverted, and the data plane differs: %s.",
             look.lacks);
    } else if (look.seen == LLONG_MIN) {
        tell(e, "entry", EXPLAIN_OPEN,
             "Its next packet to a service is held until it is proved.",
             "The data plane has had no packet of the UE to a service for so "
             "long that it diverts none by itself.");
    } else {
        tell(e, "entry", EXPLAIN_OK, NULL,
             "The data plane has it, too, and had a sign of the UE %.1f s "
             "ago.", seconds_since(e, look.seen));
    }
}

/* The same of one that tofd does not hold for diverted. */
static void
tell_bearer_left(struct explanation *e, const struct bearer *b)
{
    const struct endpoint_bearer eb = bearer_describe(b);
    const char *left = e->complete ? endpoint->bearer_left(&eb) : NULL;

    if (left) {
        tell(e, "entry", EXPLAIN_WRONG, WHY_LEFT,
             "tofd does not divert it, and the data plane differs: %s.", left);
    } else if (bearer_is_ready(b)) {
        tell(e, "entry", EXPLAIN_OPEN,
             "Its next packet to a service is held until it is proved.",
             "Its proof is too old, so the data plane diverts nothing of it, "
             "and sends it no answers.");
    }
}

/* What the kernel has counted between the bearer and the service. */
static void
tell_usage(struct explanation *e, const struct bearer *b)
{
    struct nat_usage up = { .bearer = b->id,
                            .service_ip = e->spec.service_ip };
    struct nat_usage down = up;

    down.down = true;
    if (nat_usage_get(&up) || nat_usage_get(&down)) {
        return;
    } else if (up.packets && !down.packets) {
        tell(e, "answers", EXPLAIN_OPEN,
             "Does the App run, listen at that port, and have a route back to "
             "the UE by way of the TOF?",
             "The App of service %s has not answered: %"PRIu64" packets "
             "(%"PRIu64" bytes) have gone to it, and none has come back.",
             e->spec.name, up.packets, up.bytes);
    } else {
        tell(e, "answers", EXPLAIN_OK, NULL,
             "%"PRIu64" packets (%"PRIu64" bytes) have gone to service %s, "
             "and %"PRIu64" (%"PRIu64" bytes) have come back.", up.packets,
             up.bytes, e->spec.name, down.packets, down.bytes);
    }
}

static void
tell_bearers(struct explanation *e, const struct session *s)
{
    const struct bearer *b;

    SESSION_FOR_EACH_BEARER (b, s) {
        snprintf(e->subject, sizeof e->subject, "bearer %08"PRIx32, b->id);
        tell_tunnel(e, b);
        tell_vlan(e, b);
        tell_proof(e, b);
        tell_diversion(e, b);
        if (bearer_is_ready(b) && !bearer_use_get(b)->paused) {
            tell_bearer_in_force(e, b);
        } else if (b->diversion != DIVERSION_ASKED) {
            tell_bearer_left(e, b);
        }
        if (e->has_spec) {
            tell_usage(e, b);
        }
    }
    e->subject[0] = '\0';
}

/* The UE: its sessions, one for each address space. */

static void
tell_foreign(struct explanation *e, const struct foreign *f)
{
    char enb[INET6_ADDRSTRLEN], sgw[INET6_ADDRSTRLEN];

    tell(e, "seen", EXPLAIN_WRONG,
         "Put both into s1u.enodebs and s1u.sgws if the TOF is to know them.",
         "Its packets come from eNodeB %s to SGW %s, seen %.1f s ago, which "
         "are not both among s1u.enodebs and s1u.sgws.",
         addr_format(&f->enb, enb), addr_format(&f->sgw, sgw),
         seconds_since(e, f->seen));
}

static void
tell_unknown(struct explanation *e)
{
    const struct foreign *foreign = foreign_find(e->ue);
    size_t n = (session_bearer_count(BEARER_EMBRYONIC)
                + session_bearer_count(BEARER_ESTABLISHED)
                + session_bearer_count(BEARER_STALE));

    if (foreign) {
        tell_foreign(e, foreign);
    } else if (n && n >= session_max()) {
        tell(e, "seen", EXPLAIN_WRONG, "Raise sessions.max.",
             "The UE is not known, and the session table is full: %"PRIuSIZE
             " bearers.", n);
    } else {
        tell(e, "seen", EXPLAIN_WRONG,
             "Does its traffic pass here, and are its eNodeB and SGW among "
             "s1u.enodebs and s1u.sgws?  (With s1u.interface, packets with a "
             "VLAN tag are left alone.)  \"tofctl peers\" lists those seen.",
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
    if (!nat_reaches_ue(e->ue)) {
        tell(e, "address", EXPLAIN_WRONG,
             "UEs need addresses outside of apps.address and apps.routes.",
             "Apps would look for this address in a network of theirs, so the "
             "UE is not diverted.");
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

/* What is known to have been dropped, by reason. */
static void
tell_drops(struct explanation *e)
{
    const struct drop *d = NULL;

    while ((d = drops_next(e->ue, d))) {
        tell(e, "dropped", (e->now - d->last < DROPPED_LATELY ? EXPLAIN_OPEN
                            : EXPLAIN_OK),
             "What NAT and the data path drop is counted by reason, not by "
             "UE: \"tofctl trace\" shows it, and then it is told here, too.",
             "%"PRIu64" packets from or to this address were dropped, the last "
             "one %.1f s ago: %s.", d->n, seconds_since(e, d->last),
             d->reason);
    }
}

void
explain(const struct in6_addr *ue, const char *service, explain_cb *cb,
        void *aux)
{
    struct explanation e = { .ue = ue, .service = service,
                             .now = time_msec(), .cb = cb, .aux = aux };

    tell_tof(&e);
    if (service) {
        tell_service(&e);
    } else {
        tell_services(&e);
    }
    if (e.has_spec) {
        if (e.view.in_force) {
            tell_service_in_force(&e);
        }
        tell_app(&e);
    }
    tell_ue(&e);
    tell_drops(&e);
}
