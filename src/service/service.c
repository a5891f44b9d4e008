/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Services: from a request to the registry to the data plane and back.
 *
 * An entry of the table goes through
 *
 *   S_APPLYING   register_apply() has been called; waiting until it is
 *                confirmed.
 *   S_ACTIVE     register_divert() has succeeded: packets are diverted.
 *   S_ENDING     its App is down; waiting until it is known which connections
 *                are to be reset, for ENDING_MS at most.
 *   S_BYPASSED   its App is down: packets are switched.
 *   S_WAITING    what it needs is not there: packets are switched.
 *
 * A service whose App is down is bypassed, unless its on_failure is "keep": it
 * goes from S_ACTIVE by way of S_ENDING to S_BYPASSED, and back by way of
 * S_APPLYING when the App is up.  Connections that have begun at the service's
 * real host by then stay there (divert/stay.h).  With NAT and endpoint as they
 * were, a later tofd sees by the filter alone that the service is bypassed.
 *
 * A service that has several Apps is in force as long as one of them is not
 * down: those that are not share its new connections, and what the others have
 * is reset (register_share()).  What may be left of that is forgotten FORGET_MS
 * later, so that no connection that is like an old one goes to an App that is
 * down.
 *
 * A service is known by its service IP: if anything else of it changes, it goes
 * from S_ACTIVE to S_APPLYING and back while its packets are diverted, first
 * as it was and then as it is.
 *
 * A request goes through
 *
 *   R_QUEUED     requests are served one at a time, in order.
 *   R_APP        its App is asked; until that is known, or for RESOLVE_MS.
 *   R_REGISTRY   its transaction is under way.
 *   R_PLANE      the registry shows it; waiting for the table to follow.
 *   R_ROLLBACK   the data plane did not take it in time; the opposite
 *                transaction is under way.
 *
 * of which the last three have three seconds each.  So an App that is there is
 * known to be when the first packet goes to it, and one that is down gets none.
 *
 * The table follows the registry, whoever changes it. */

#include <config.h>

#include "service/service.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/metrics.h"
#include "hash.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "service/apps.h"
#include "service/register.h"
#include "service/registry.h"
#include "service/service_table.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(service);

#define TIMEOUT_MS 3000
#define RESOLVE_MS 250
#define RETRY_MS 500
#define LOOK_MS 100
#define LOOK_BUDGET 1000        /* Settled services looked at then. */
#define ENDING_MS 100
#define FORGET_MS 5000
#define CHECK_MS 1000
#define CHECK_BUDGET 200        /* Services looked up at a time. */
#define TURN_MS 5               /* For what takes system calls, a turn. */

METRIC_COUNTER(n_requests, "tof_service_requests_total", "",
               "Requests to change services.");
METRIC_COUNTER(n_rollbacks, "tof_service_rollbacks_total", "",
               "Requests rolled back because they could not be applied.");

METRIC_COUNTER(n_mended, "tof_mended_total", "what=\"service\"",
               "What somebody else had taken out of the kernel, and was put "
               "back.");

/* The Apps of a service. */
struct watched {
    struct app *apps[SERVICE_APPS_MAX];
    size_t n;
};

struct entry {
    struct hmap_node node;      /* In entries, by service IP. */
    struct hmap_node name_node; /* In names, by name. */
    struct ovs_list turn_node;  /* In 'due' or in 'settled'. */
    struct service_spec spec;
    enum { S_APPLYING, S_ACTIVE, S_ENDING, S_BYPASSED, S_WAITING } state;
    bool applied;               /* Since the data plane came up. */
    bool adopted;               /* Applied since this tofd knows it. */
    long long int retry_at;     /* S_WAITING: not applied before. */
    long long int end_at;       /* S_ENDING: when it is switched at last, */
    uint64_t end_walk;          /* and what for. */
    unsigned int routes_seen;   /* 'routes' when it was seen whether */
    const char *unreachable;    /* there is a route to its application; NULL if
                                 * there is. */
    struct watched apps;
    /* Apps, by bits of their number: those that an earlier tofd had found to be
     * down, which holds until something is known of them; and of several those
     * that share new connections. */
    uint32_t were_down, there;
    long long int share_at;     /* Not shared out before. */
    long long int forget_at;    /* When what the others had is forgotten. */
    struct counters counters;
    struct counters last;       /* As the data plane last said. */
    bool wanted;                /* The registry shows it; else it goes. */
};

enum request_op { OP_CREATE, OP_UPDATE, OP_DELETE };
enum request_state { R_QUEUED, R_APP, R_REGISTRY, R_PLANE, R_ROLLBACK };

struct request {
    struct ovs_list node;       /* In requests. */
    enum request_op op;
    enum request_state state;
    char name[SERVICE_NAME_MAX + 1];    /* Update, delete: which one. */
    struct service_spec spec;           /* Create, update: what it becomes. */
    struct service_spec old;            /* Update: what it was. */
    uint64_t version;                   /* Update, delete: only of this one. */
    struct watched apps;                /* From R_APP on; or none. */
    long long int deadline;             /* Of the state, unless queued. */
    service_done_cb *cb;
    void *aux;
};

static struct hmap entries, names;
/* Each of them is in one of these; the one that was looked at longest ago comes
 * first. */
static struct ovs_list due;     /* To be looked at in the next turn. */
static struct ovs_list settled; /* The others: see is_settled(). */
static long long int look_at;   /* When some that are settled become due. */
static unsigned int routes = 1; /* Grows when routes may have changed. */
static bool behind;             /* There was no time for all that are due. */
static size_t n_unapplied;      /* Of them, those to be applied. */
static struct ovs_list requests;
static unsigned int registry_seen;
static bool synced;

static uint64_t
n_services_metric(void)
{
    return hmap_count(&entries);
}

METRIC_GAUGE(g_services, "tof_services", "", "Services.", n_services_metric);

static void
watch(struct watched *w, const struct service_spec *spec)
{
    for (size_t i = 0; i < spec->n_apps; i++) {
        w->apps[i] = app_watch(&spec->apps[i].ip, &spec->health);
    }
    w->n = spec->n_apps;
}

static void
unwatch(struct watched *w)
{
    while (w->n) {
        app_unwatch(w->apps[--w->n]);
    }
}

/* The Apps that are not down. */
static uint32_t
those_up(const struct entry *e)
{
    uint32_t up = 0;

    for (size_t i = 0; i < e->apps.n; i++) {
        const enum app_state state = app_view(e->apps.apps[i])->state;
        const bool was_down = e->were_down & 1u << i;

        if (state == APP_UP || (state == APP_UNKNOWN && !was_down)) {
            up |= 1u << i;
        }
    }
    return up;
}

/* Those that may get new connections. */
static uint32_t
those_with_weight(const struct service_spec *spec)
{
    uint32_t apps = 0;

    for (size_t i = 0; i < spec->n_apps; i++) {
        apps |= spec->apps[i].weight ? 1u << i : 0;
    }
    return apps;
}

/* Nobody gets new connections: all of its Apps are down, or drained. */
static bool
is_down(const struct entry *e)
{
    return !(those_up(e) & those_with_weight(&e->spec));
}

/* Those that are to share connections, if it is in force. */
static uint32_t
those_to_share(const struct entry *e)
{
    return is_down(e) ? UINT32_MAX : those_up(e);
}

/* Whether it is not to be diverted, as its App is down. */
static bool
is_bypassed(const struct entry *e)
{
    return e->spec.on_failure == SERVICE_BYPASS && is_down(e);
}

static uint64_t
n_bypassed_metric(void)
{
    uint64_t n = 0;
    struct entry *e;

    HMAP_FOR_EACH (e, node, &entries) {
        n += e->state == S_BYPASSED;
    }
    return n;
}
METRIC_GAUGE(g_bypassed, "tof_services_bypassed", "",
             "Services that are not in force as their Apps are down.",
             n_bypassed_metric);

static uint64_t
n_waiting_metric(void)
{
    uint64_t n = 0;
    struct entry *e;

    HMAP_FOR_EACH (e, node, &entries) {
        n += e->state != S_ACTIVE;
    }
    return n;
}

METRIC_GAUGE(g_waiting, "tof_services_waiting", "",
             "Services that are not in force: their packets are switched.",
             n_waiting_metric);

void
service_init(void)
{
    hmap_init(&entries);
    hmap_init(&names);
    apps_init();
    ovs_list_init(&due);
    ovs_list_init(&settled);
    look_at = 0;
    n_unapplied = 0;
    ovs_list_init(&requests);
    synced = false;
    registry_seen = 0;
}

void
service_destroy(void)
{
    struct request *r;
    struct entry *e;

    LIST_FOR_EACH_POP (r, node, &requests) {
        unwatch(&r->apps);
        r->cb(SERVICE_UNAVAILABLE, "shutting down", NULL, r->aux);
        free(r);
    }
    HMAP_FOR_EACH_POP (e, node, &entries) {
        unwatch(&e->apps);
        free(e);
    }
    hmap_destroy(&entries);
    hmap_destroy(&names);
    apps_destroy();
}

/* Whether the data plane does the same for both; their service IP is. */
static bool
is_served_alike(const struct service_spec *a, const struct service_spec *b)
{
    return service_spec_same_apps(a, b) && service_spec_same_chain(a, b);
}

static bool
spec_equal(const struct service_spec *a, const struct service_spec *b)
{
    return (!strcmp(a->name, b->name)
            && IN6_ARE_ADDR_EQUAL(&a->service_ip, &b->service_ip)
            && a->on_failure == b->on_failure
            && service_check_equal(&a->health, &b->health)
            && is_served_alike(a, b));
}

static uint32_t
hash_ip(const struct in6_addr *ip)
{
    return hash_bytes(ip, sizeof *ip, 0);
}

static struct entry *
find_by_ip(const struct in6_addr *ip)
{
    struct entry *e;

    HMAP_FOR_EACH_WITH_HASH (e, node, hash_ip(ip), &entries) {
        if (IN6_ARE_ADDR_EQUAL(&e->spec.service_ip, ip)) {
            return e;
        }
    }
    return NULL;
}

/* One that goes is found only if no other has its name. */
static struct entry *
find_by_name(const char *name)
{
    struct entry *e, *found = NULL;

    HMAP_FOR_EACH_WITH_HASH (e, name_node, hash_string(name, 0), &names) {
        if (!strcmp(e->spec.name, name)) {
            found = e;
            if (e->wanted) {
                break;
            }
        }
    }
    return found;
}

const struct service_spec *
service_find(const char *key)
{
    const struct entry *e = find_by_name(key);
    struct in6_addr ip;

    if (!e && addr_parse(key, &ip)) {
        e = find_by_ip(&ip);
    }
    return e ? &e->spec : NULL;
}

const char *
service_name_of(const struct in6_addr *service_ip)
{
    const struct entry *e = find_by_ip(service_ip);

    return e ? e->spec.name : NULL;
}

const struct service_spec *
service_by_ip(const struct in6_addr *service_ip,
              const struct counters **counters)
{
    const struct entry *e = find_by_ip(service_ip);

    *counters = e ? &e->counters : NULL;
    return e ? &e->spec : NULL;
}

bool
service_ip_exists(const struct in6_addr *ip)
{
    return find_by_ip(ip) != NULL;
}

/* The table follows the registry. */

/* Its Apps share connections as they should. */
static bool
is_shared(const struct entry *e)
{
    return e->spec.n_apps == 1 || e->there == those_to_share(e);
}

/* Nothing is left to do for it, as far as is known. */
static bool
is_settled(const struct entry *e)
{
    const bool there = (e->state == S_WAITING
                        || (is_bypassed(e) ? e->state == S_BYPASSED
                            : e->state == S_ACTIVE && is_shared(e)));

    return there && e->wanted && e->applied && e->routes_seen == routes;
}

/* Puts it where it belongs now, as the last one there. */
static void
place(struct entry *e)
{
    ovs_list_remove(&e->turn_node);
    ovs_list_push_back(is_settled(e) ? &settled : &due, &e->turn_node);
}

/* All are looked at as soon as there is time. */
static void
all_become_due(void)
{
    ovs_list_push_back_all(&due, &settled);
}

/* Those whose Apps have come or gone come first. */
static void
unsettled_become_due(void)
{
    struct entry *e;

    LIST_FOR_EACH_SAFE (e, turn_node, &settled) {
        if (!is_settled(e)) {
            ovs_list_remove(&e->turn_node);
            ovs_list_push_front(&due, &e->turn_node);
        }
    }
}

/* Connections are shared out like this now. */
static void
note_shares(struct entry *e, uint32_t there)
{
    e->there = there;
    e->forget_at = time_msec() + FORGET_MS;
}

static void
apply(struct entry *e)
{
    const uint32_t there = those_to_share(e);
    int error = register_apply(&e->spec, there);

    n_unapplied -= !e->applied;
    e->applied = true;
    e->state = error ? S_WAITING : S_APPLYING;
    e->retry_at = time_msec() + RETRY_MS;
    note_shares(e, there);
    if (error) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 10);
        VLOG_WARN_RL(&rl, "service %s cannot be applied: %s", e->spec.name,
                     ovs_strerror(error));
    }
    place(e);
}

static void
withdraw(struct entry *e)
{
    VLOG_INFO("service %s is withdrawn", e->spec.name);
    register_withdraw(&e->spec);
    n_unapplied -= !e->applied;
    hmap_remove(&entries, &e->node);
    hmap_remove(&names, &e->name_node);
    ovs_list_remove(&e->turn_node);
    unwatch(&e->apps);
    free(e);
}

/* Its Apps are watched from now on, and those of before no more. */
static void
watch_apps(struct entry *e)
{
    struct watched old = e->apps;

    watch(&e->apps, &e->spec);
    e->were_down = 0;
    unwatch(&old);
}

static void
change(struct entry *e, const struct service_spec *spec)
{
    const bool alike = is_served_alike(&e->spec, spec);
    const bool same_apps = (service_spec_same_apps(&e->spec, spec)
                           && service_check_equal(&e->spec.health,
                                                  &spec->health));

    if (strcmp(e->spec.name, spec->name)) {
        VLOG_INFO("service %s is called %s now", e->spec.name, spec->name);
        hmap_remove(&names, &e->name_node);
        hmap_insert(&names, &e->name_node, hash_string(spec->name, 0));
    }
    e->spec = *spec;
    if (!same_apps) {
        watch_apps(e);
    }
    if (!alike) {
        e->routes_seen = 0;
        apply(e);
    } else if (!is_settled(e)) {
        place(e);
    }
}

/* The registry shows it no more. */
static void
lose_row(const struct in6_addr *service_ip)
{
    struct entry *e = find_by_ip(service_ip);

    if (e) {
        e->wanted = false;
        place(e);
    }
}

/* The same address is the same service, whatever it is called. */
static void
follow_row(const struct service_spec *spec)
{
    struct entry *e = find_by_ip(&spec->service_ip);
    const char *why;

    if (!register_supports(spec, &why)) {
        VLOG_WARN("service %s is ignored: %s", spec->name, why);
        lose_row(&spec->service_ip);
        return;
    } else if (e) {
        e->wanted = true;
        change(e, spec);
        return;
    }
    e = xzalloc(sizeof *e);
    e->spec = *spec;
    e->state = S_WAITING;
    e->wanted = true;
    watch_apps(e);
    hmap_insert(&entries, &e->node, hash_ip(&spec->service_ip));
    hmap_insert(&names, &e->name_node, hash_string(spec->name, 0));
    ovs_list_push_front(&due, &e->turn_node);
    n_unapplied++;
}

static void
follow_registry(void)
{
    if (registry_is_connected()
        && (!synced || registry_seqno() != registry_seen)) {
        registry_seen = registry_seqno();
        registry_follow(lose_row, follow_row);
        synced = true;
    }
}

/* Whether the entry can be in force; if not, '*why' says why not. */
static bool
is_possible(struct entry *e, const char **why)
{
    if (e->routes_seen != routes) {
        e->routes_seen = routes;
        if (register_reaches(&e->spec, &e->unreachable)) {
            e->unreachable = NULL;
        }
    }
    *why = e->unreachable;
    return !*why && register_possible(&e->spec, why);
}

/* For the first time.  An earlier tofd may have bypassed it, or found some of
 * its Apps to be down: that holds until they are known. */
static void
adopt(struct entry *e)
{
    if (register_is_bypassed(&e->spec)) {
        e->were_down = UINT32_MAX;
    }
    for (size_t i = 0; e->spec.n_apps > 1 && i < e->spec.n_apps; i++) {
        e->were_down |= register_is_lost(&e->spec, i) ? 1u << i : 0;
    }
    apply(e);
    e->adopted = e->state == S_APPLYING;
}

/* What it needs is not there. */
static void
suspend(struct entry *e, const char *why)
{
    if (e->state != S_WAITING) {
        VLOG_WARN("service %s is not in force: %s", e->spec.name, why);
        register_undivert(&e->spec);
        e->state = S_WAITING;
    }
}

/* Apps that are down.  Many services may have one App: so what is done is done
 * for all of them at once that have their turn. */

struct many {
    struct entry **entries;
    struct in6_addr *ips;
    size_t n;
};

static void
many_init(struct many *m, const struct ovs_list *list)
{
    struct entry *e;
    size_t n = ovs_list_size(list);

    m->entries = xmalloc(n * sizeof *m->entries);
    m->ips = xmalloc(n * sizeof *m->ips);
    m->n = 0;
    LIST_FOR_EACH (e, turn_node, list) {
        m->entries[m->n] = e;
        m->ips[m->n++] = e->spec.service_ip;
    }
}

static void
many_destroy(struct many *m)
{
    free(m->entries);
    free(m->ips);
}

/* Whether it is not known yet which connections of it are to be reset. */
static bool
is_ending(const struct entry *e)
{
    return (e->state == S_ENDING && time_msec() < e->end_at
            && !register_ended(e->end_walk));
}

/* Those in 'list' are diverted, until it is known. */
static void
end_all(const struct ovs_list *list)
{
    struct many m;

    many_init(&m, list);
    const uint64_t walk = register_end(m.ips, m.n);
    for (size_t i = 0; i < m.n; i++) {
        struct entry *e = m.entries[i];

        e->state = S_ENDING;
        e->end_at = time_msec() + ENDING_MS;
        e->end_walk = walk;
        place(e);
    }
    poll_timer_wait_until(time_msec() + ENDING_MS);
    many_destroy(&m);
}

/* Those in 'list' are bypassed.  If that fails, it is tried again soon. */
static void
bypass_all(const struct ovs_list *list)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 10);
    struct many m;

    many_init(&m, list);
    int error = register_bypass(m.ips, m.n);
    if (error) {
        VLOG_WARN_RL(&rl, "%"PRIuSIZE" services whose Apps are down cannot be "
                     "bypassed: %s", m.n, ovs_strerror(error));
    }
    for (size_t i = 0; i < m.n; i++) {
        struct entry *e = m.entries[i];

        if (!error) {
            VLOG_WARN("service %s is bypassed: its App is down",
                      e->spec.name);
        }
        e->state = error ? S_ENDING : S_BYPASSED;
        e->end_at = time_msec() + ENDING_MS;
        e->end_walk = UINT64_MAX;
        place(e);
    }
    many_destroy(&m);
}

/* An App of one that is in force has come or gone. */
static void
share_out(struct entry *e)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 10);
    const uint32_t there = those_to_share(e);

    if (time_msec() < e->share_at) {
        poll_timer_wait_until(e->share_at);
        return;
    }
    int error = register_share(&e->spec, there);
    if (error) {
        VLOG_WARN_RL(&rl, "service %s: its Apps cannot share it: %s",
                     e->spec.name, ovs_strerror(error));
        e->share_at = time_msec() + RETRY_MS;
    } else {
        note_shares(e, there);
    }
}

static void
forget_lost(struct entry *e)
{
    if (time_msec() >= e->forget_at) {
        register_forget_lost(&e->spec, e->there);
        e->forget_at = LLONG_MAX;
    }
}

/* Nothing keeps it from being in force. */
static void
bring_into_force(struct entry *e)
{
    if (e->state == S_ENDING || e->state == S_BYPASSED
        || (e->state == S_WAITING && time_msec() >= e->retry_at)) {
        apply(e);
    }
    if (e->state == S_APPLYING && register_applied(&e->spec)
        && !register_divert(&e->spec)) {
        e->state = S_ACTIVE;
        VLOG_INFO("service %s is in force", e->spec.name);
    }
    if (e->state == S_ACTIVE && !is_shared(e)) {
        share_out(e);
    } else if (e->state == S_ACTIVE && e->spec.n_apps > 1) {
        forget_lost(e);
    }
}

/* What is left to be done for one whose App is down, but for end_all() and
 * bypass_all(), which run_due() calls. */
static void
bypass(struct entry *e)
{
    const char *why;

    if (is_ending(e)) {
        poll_timer_wait_until(e->end_at);
        return;
    }
    if (e->state == S_WAITING) {
        register_undivert(&e->spec);    /* What it was it may still be. */
        e->state = S_BYPASSED;
    }
    if (e->state == S_BYPASSED) {
        is_possible(e, &why);           /* Somebody may ask that. */
    }
}

static void
run_entry(struct entry *e)
{
    const char *why;

    if (!e->applied && !e->adopted) {
        adopt(e);
    } else if (!e->applied) {
        apply(e);
    }
    if (is_bypassed(e)) {
        bypass(e);
    } else if (!is_possible(e, &why)) {
        suspend(e, why);
    } else {
        bring_into_force(e);
    }
}

/* Those that are settled, of which there may be thousands, are not looked at in
 * each turn, but when their Apps have come or gone, some now and then, and all
 * when routes have changed: what else they need may go, or come, but packets do
 * not depend on how soon that is noticed here.  Apps are looked at until
 * 'until'. */
static void
look_at_settled(long long int until)
{
    bool changed = register_routes_changed();

    if (apps_run(changed, until)) {
        unsettled_become_due();
    }
    if (changed) {
        routes++;
        all_become_due();
    }
    if (time_msec() >= look_at) {
        look_at = time_msec() + LOOK_MS;
        for (int i = 0; i < LOOK_BUDGET && !ovs_list_is_empty(&settled); i++) {
            ovs_list_push_back(&due, ovs_list_pop_front(&settled));
        }
    }
}

/* Looks once at each one that is due, until 'until': what there is no time for
 * comes first in the next turn. */
static void
run_due(long long int until)
{
    struct ovs_list turn = OVS_LIST_INITIALIZER(&turn);
    struct ovs_list ending = OVS_LIST_INITIALIZER(&ending);
    struct ovs_list ended = OVS_LIST_INITIALIZER(&ended);

    ovs_list_push_back_all(&turn, &due);
    while (!ovs_list_is_empty(&turn) && time_msec() < until) {
        struct entry *e = CONTAINER_OF(ovs_list_front(&turn), struct entry,
                                       turn_node);
        if (!e->wanted) {
            withdraw(e);
            continue;
        }
        run_entry(e);
        place(e);
        if (is_bypassed(e) && e->state != S_BYPASSED && !is_ending(e)) {
            ovs_list_remove(&e->turn_node);
            ovs_list_push_back(e->state == S_ACTIVE ? &ending : &ended,
                               &e->turn_node);
        }
    }
    if (!ovs_list_is_empty(&ending)) {
        end_all(&ending);
    }
    if (!ovs_list_is_empty(&ended)) {
        bypass_all(&ended);
    }
    register_run();
    behind = !ovs_list_is_empty(&turn);
    if (behind) {
        ovs_list_splice(due.next, turn.next, &turn);
        poll_immediate_wake();
    }
}

static void
mend(struct entry *e)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 10);

    VLOG_WARN_RL(&rl, "service %s has been taken out of the kernel: it is put "
                 "back", e->spec.name);
    metric_inc(&n_mended);
    apply(e);
}

/* Somebody else may empty the kernel's sets.  Some services are looked up each
 * second, all in turn; one that is missing is put back, and the next ones are
 * looked up at once, as it may not be the only one. */
static void
check_entries(void)
{
    static long long int due;
    static size_t next;                 /* How many of them are done. */
    struct entry *e;
    size_t i = 0, end = next + CHECK_BUDGET;

    if (behind || time_msec() < due) {
        return;
    }
    due = time_msec() + CHECK_MS;
    HMAP_FOR_EACH (e, node, &entries) {
        if (i++ >= next && i <= end && e->state == S_ACTIVE && e->wanted
            && !register_in_force(&e->spec)) {
            mend(e);
            next = i - 1;
            due = 0;
            poll_immediate_wake();
            return;
        }
    }
    next = end < i ? end : 0;
}

bool
service_is_synced(void)
{
    return synced;
}

bool
service_is_applied(void)
{
    return synced && !n_unapplied;
}

void
service_reapply(void)
{
    struct entry *e;

    HMAP_FOR_EACH (e, node, &entries) {
        e->applied = false;
    }
    n_unapplied = hmap_count(&entries);
    all_become_due();
}

/* Requests. */

static struct request *
active_request(void)
{
    return ovs_list_is_empty(&requests) ? NULL
        : CONTAINER_OF(ovs_list_front(&requests), struct request, node);
}

static void
finish(struct request *r, enum service_error error, const char *detail)
{
    ovs_list_remove(&r->node);
    unwatch(&r->apps);
    r->cb(error, detail, error || r->op == OP_DELETE ? NULL : &r->spec,
          r->aux);
    free(r);
}

static enum service_error
from_registry(enum registry_result result)
{
    switch (result) {
    case REGISTRY_OK: return SERVICE_OK;
    case REGISTRY_NOT_FOUND: return SERVICE_NOT_FOUND;
    case REGISTRY_CONFLICT: return SERVICE_CONFLICT;
    case REGISTRY_ERROR: return SERVICE_FAILED;
    case REGISTRY_UNAVAILABLE: return SERVICE_UNAVAILABLE;
    case REGISTRY_PENDING:
    default: OVS_NOT_REACHED();
    }
}

static void
enter(struct request *r, enum request_state state)
{
    r->state = state;
    r->deadline = time_msec() + (state == R_APP ? RESOLVE_MS : TIMEOUT_MS);
}

static void
roll_back(struct request *r)
{
    metric_inc(&n_rollbacks);
    VLOG_WARN("service %s: not confirmed in time, rolling back",
              r->spec.name);
    registry_begin(r->spec.name, r->op == OP_CREATE ? NULL : &r->old);
    enter(r, R_ROLLBACK);
}

/* Each of the following brings a request as far as it gets in its state, and
 * returns true if that has become another one; after false the request may
 * have been finished. */

static bool
run_transaction(struct request *r)
{
    char *detail;
    enum registry_result result = registry_continue(&detail);
    bool go_on = false;

    if (result == REGISTRY_PENDING && time_msec() >= r->deadline) {
        result = registry_give_up();
        detail = xstrdup("the registry does not answer");
    }
    if (result == REGISTRY_PENDING) {
        /* Goes on. */
    } else if (r->state == R_ROLLBACK) {
        if (result != REGISTRY_OK) {
            VLOG_ERR("rolling back service %s failed: %s", r->spec.name,
                     detail);
        }
        finish(r, SERVICE_FAILED,
               "the data plane did not confirm the change in time; "
               "it has been rolled back");
    } else if (result != REGISTRY_OK) {
        finish(r, from_registry(result), detail);
    } else {
        enter(r, R_PLANE);
        go_on = true;
    }
    free(detail);
    return go_on;
}

/* Finds the service that is to be changed. */
static const struct entry *
find_old(const struct request *r)
{
    const struct entry *e = find_by_name(r->name);
    struct in6_addr ip;

    e = e && e->wanted ? e : NULL;
    if (!e && r->op == OP_DELETE && addr_parse(r->name, &ip)) {
        e = find_by_ip(&ip);
    }
    return e;
}

/* Whether what is asked for can be done; if not, answers. */
static bool
check(struct request *r)
{
    char *conflict = registry_conflict(&r->spec, (r->op == OP_UPDATE
                                                  ? r->name : NULL));
    const char *why = NULL;

    if (conflict) {
        finish(r, SERVICE_CONFLICT, conflict);
    } else if (!register_supports(&r->spec, &why)) {
        finish(r, SERVICE_INVALID, why);
    } else if (!register_ready(&why) || !register_possible(&r->spec, &why)) {
        finish(r, SERVICE_UNAVAILABLE, why);
    } else if (!register_reaches_all(&r->spec, &why)) {
        finish(r, SERVICE_INVALID, why);
    } else {
        return true;
    }
    free(conflict);
    return false;
}

/* Notes what the service is that the request is about.  If it is not there, or
 * another one than the request means, answers. */
static bool
take_old(struct request *r)
{
    const struct entry *e = r->op == OP_CREATE ? NULL : find_old(r);

    if (r->op == OP_CREATE) {
        return true;
    } else if (!e) {
        finish(r, SERVICE_NOT_FOUND, "there is no such service");
        return false;
    } else if (r->version != SERVICE_ANY_VERSION
               && r->version != service_spec_version(&e->spec)) {
        finish(r, SERVICE_CHANGED, "the service is another one now than the "
               "request is about");
        return false;
    }
    r->old = e->spec;
    return true;
}

/* Whether the request can be served; if not, answers. */
static bool
start(struct request *r)
{
    if (!take_old(r) || (r->op != OP_DELETE && !check(r))) {
        return false;
    }
    if (r->op != OP_DELETE) {
        watch(&r->apps, &r->spec);
    }
    enter(r, R_APP);
    return true;
}

/* Whether it is known of all whether they are there. */
static bool
are_known(const struct watched *w)
{
    size_t i = 0;

    while (i < w->n && app_view(w->apps[i])->state != APP_UNKNOWN) {
        i++;
    }
    return i == w->n;
}

/* Starts the transaction, when it is known whether the Apps are there. */
static bool
await_apps(struct request *r)
{
    if (!are_known(&r->apps) && time_msec() < r->deadline) {
        apps_hurry();
        return false;
    } else if (!take_old(r)) {
        return false;           /* It has changed meanwhile. */
    }
    registry_begin(r->op == OP_CREATE ? NULL : r->old.name,
                   r->op == OP_DELETE ? NULL : &r->spec);
    enter(r, R_REGISTRY);
    return true;
}

/* Whether the data plane does what was asked for. */
static bool
is_in_force(const struct request *r)
{
    const struct service_spec *spec = (r->op == OP_DELETE ? &r->old
                                       : &r->spec);
    const struct entry *e = find_by_ip(&spec->service_ip);

    return (r->op == OP_DELETE ? !e || strcmp(e->spec.name, spec->name)
            : (e && e->wanted && spec_equal(&e->spec, spec)
               && (e->state == S_ACTIVE || e->state == S_BYPASSED)));
}

static bool
await_plane(struct request *r)
{
    if (is_in_force(r)) {
        finish(r, SERVICE_OK, "");
    } else if (time_msec() < r->deadline) {
        /* Goes on. */
    } else if (r->op == OP_DELETE) {
        finish(r, SERVICE_FAILED, "the service is still in force");
    } else {
        roll_back(r);
        return true;
    }
    return false;
}

static bool
run_request(struct request *r)
{
    switch (r->state) {
    case R_QUEUED: return start(r);
    case R_APP: return await_apps(r);
    case R_PLANE: return await_plane(r);
    case R_REGISTRY: case R_ROLLBACK: return run_transaction(r);
    default: OVS_NOT_REACHED();
    }
}

void
service_run(void)
{
    const long long int until = time_msec() + TURN_MS;
    struct request *r;

    registry_run();
    follow_registry();
    look_at_settled(until);
    run_due(until);
    check_entries();

    r = active_request();
    while (r && run_request(r)) {
        continue;
    }
}

void
service_wait(void)
{
    const struct request *r = active_request();

    registry_wait();
    apps_wait();
    if (!hmap_is_empty(&entries)) {
        poll_timer_wait_until(look_at);
    }
    if (r && r->state == R_QUEUED) {
        poll_immediate_wake();
    } else if (r) {
        poll_timer_wait_until(r->deadline);
    }
}

static void
enqueue(enum request_op op, const char *name, const struct service_spec *spec,
        uint64_t version, service_done_cb *cb, void *aux)
{
    if (strlen(name) > SERVICE_NAME_MAX) {
        cb(SERVICE_NOT_FOUND, "there is no such service", NULL, aux);
        return;
    }

    struct request *r = xzalloc(sizeof *r);
    r->op = op;
    r->state = R_QUEUED;
    r->version = version;
    r->cb = cb;
    r->aux = aux;
    ovs_strlcpy(r->name, name, sizeof r->name);
    if (spec) {
        r->spec = *spec;
    }
    ovs_list_push_back(&requests, &r->node);
    metric_inc(&n_requests);
    poll_immediate_wake();
}

void
service_create(const struct service_spec *spec, service_done_cb *cb,
               void *aux)
{
    enqueue(OP_CREATE, spec->name, spec, SERVICE_ANY_VERSION, cb, aux);
}

void
service_update(const char *name, const struct service_spec *spec,
               uint64_t version, service_done_cb *cb, void *aux)
{
    enqueue(OP_UPDATE, name, spec, version, cb, aux);
}

void
service_delete(const char *key, uint64_t version, service_done_cb *cb,
               void *aux)
{
    enqueue(OP_DELETE, key, NULL, version, cb, aux);
}

void
service_count(const struct in6_addr *service_ip,
              enum endpoint_direction direction, uint64_t packets,
              uint64_t bytes)
{
    struct entry *e = find_by_ip(service_ip);

    if (e) {
        counters_advance(&e->counters, &e->last, direction == ENDPOINT_DOWN,
                         packets, bytes);
    }
}

/* What keeps a service from being in force. */
static const char *
why_waiting(const struct entry *e)
{
    const char *why;

    return (e->unreachable ? e->unreachable
            : !register_ready(&why) || !register_possible(&e->spec, &why) ? why
            : is_bypassed(e) ? (e->spec.n_apps > 1 ? "its Apps are down"
                                : "its App is down")
            : "it is about to be");
}

bool
service_describe(const struct in6_addr *service_ip, struct service_view *view)
{
    const struct entry *e = find_by_ip(service_ip);

    if (e) {
        view->in_force = e->state == S_ACTIVE || e->state == S_ENDING;
        view->changing = e->state == S_APPLYING || e->state == S_ENDING;
        view->why = view->in_force ? NULL : why_waiting(e);
        view->bypassed = (!view->in_force && !e->unreachable
                          && is_bypassed(e));
        for (size_t i = 0; i < e->apps.n; i++) {
            view->apps[i] = *app_view(e->apps.apps[i]);
        }
        view->there = those_to_share(e);
    }
    return e;
}

static int
compare_names(const void *a_, const void *b_)
{
    const struct entry *const *a = a_, *const *b = b_;

    return strcmp((*a)->spec.name, (*b)->spec.name);
}

void
service_for_each(void (*cb)(const struct service_spec *,
                            const struct counters *, void *aux),
                 void *aux)
{
    const size_t n = hmap_count(&entries);
    const struct entry **sorted = xmalloc(n * sizeof *sorted), *e;
    size_t i = 0;

    HMAP_FOR_EACH (e, node, &entries) {
        sorted[i++] = e;
    }
    qsort(sorted, n, sizeof *sorted, compare_names);
    for (i = 0; i < n; i++) {
        cb(&sorted[i]->spec, &sorted[i]->counters, aux);
    }
    free(sorted);
}
