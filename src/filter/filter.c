/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The GTP Filter's state: see filter.h for what it does and
 * rules.c for the rules.
 *
 * Changes of sets are gathered in one transaction, committed by filter_run()
 * in each round of the loop; services go at once.  The lease is renewed in the
 * same way that a dead man's handle is held. */

#include <config.h>

#include "filter/filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "conf/conf.h"
#include "filter/private.h"
#include "filter/rules.h"
#include "filter/stats.h"
#include "gtp/flow.h"
#include "kernel/nft.h"
#include "kernel/rtnl.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(filter);

#define LEASE_MS 1000
#define LEASE_RENEW_MS 250
#define LIVE_CHECK_MS 100
#define MEND_MIN_MS 500         /* Both elements end at about one time. */

/* With the limit of copies, what bounds the learned set. */
#define RESAMPLE_MAX_MS 60000

METRIC_COUNTER(n_learned, "tof_filter_learned_total", "",
               "Tunnels put into the filter's learned set.");
METRIC_COUNTER(n_diverts, "tof_filter_divert_total", "",
               "Bearers put into the filter's divert set.");
METRIC_COUNTER(n_errors, "tof_filter_errors_total", "",
               "Transactions that nftables refused.");

static struct nft *nft;
static struct nft_batch *pending;
static struct nft_batch *pending_stays; /* See filter_stay(). */
static struct filter_rules rules;       /* In force since filter_init(). */
static long long int lease_due;
static uint64_t evidence_ms;
static uint64_t resample_ms;

static uint64_t seqno = 1;              /* Of both. */
static unsigned int epoch;

static struct filter_tunnel_key
tunnel_key(const struct tunnel *t, bool inner_ip4)
{
    return (struct filter_tunnel_key) {
        .src = t->src, .dst = t->dst, .teid = htonl(t->teid),
        .family = inner_ip4 ? FILTER_INNER_IPV4 : FILTER_INNER_IPV6,
    };
}

static struct filter_bearer_key
bearer_key(const struct tunnel *t, const struct in6_addr *ue)
{
    return (struct filter_bearer_key) {
        .src = t->src, .dst = t->dst, .teid = htonl(t->teid), .ue = *ue,
    };
}

static struct nft_batch *
batch(void)
{
    if (!pending) {
        pending = nft_begin(nft);
    }
    return pending;
}

static int
commit(struct nft_batch *b)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);
    char *what = NULL;
    int error = nft_commit(b, &what);

    if (error) {
        metric_inc(&n_errors);
        VLOG_WARN_RL(&rl, "%s: %s", what ? what : "nftables",
                     ovs_strerror(error));
    }
    free(what);
    return error;
}

static int
commit_pending(void)
{
    struct nft_batch *b = pending, *stays = pending_stays;

    pending = pending_stays = NULL;
    seqno++;
    if (stays) {
        commit(stays);          /* Who is not noted may be torn. */
    }
    return b ? commit(b) : 0;
}

/* 'mtu': of an adapter, it grows to that of the link.  NULL: a veth of ours,
 * which takes packets only with both its ends up. */
static int
find_link(struct rtnl *rtnl, const char *name, int *ifindex,
          unsigned int *mtu, char **what)
{
    struct rtnl_link link;
    int error = rtnl_link_get(rtnl, name, &link);

    if (!error && !mtu && !(link.up && link.carrier)) {
        error = ENETDOWN;
    }
    if (error) {
        *what = xasprintf("interface %s", name);
        return error;
    }
    *ifindex = link.ifindex;
    if (mtu) {
        *mtu = MAX(*mtu, link.mtu);
    }
    return 0;
}

static int
find_links(struct filter_rules *r, char **what)
{
    struct rtnl *rtnl;
    int error = rtnl_open(-1, &rtnl);

    r->mtu = 0;
    if (error) {
        *what = xstrdup("rtnetlink socket");
        return error;
    }
    error = find_link(rtnl, r->enb, &r->enb_ifindex, &r->mtu, what);
    if (!error) {
        error = find_link(rtnl, r->sgw, &r->sgw_ifindex, &r->mtu, what);
    }
    if (!error && r->links) {
        error = find_link(rtnl, FILTER_ENB_LINK, &r->enb_link_ifindex, NULL,
                          what);
    }
    for (int i = 0; !error && i < N_QUEUES; i++) {
        char name[16];
        snprintf(name, sizeof name, FILTER_QUEUE_LINK, i);
        error = find_link(rtnl, name, &r->queue_ifindex[i], NULL, what);
    }
    rtnl_close(rtnl);
    return error;
}

static bool
has_stamp(uint64_t stamp)
{
    return (!nft_table_exists(nft, &filter_table)
            && !nft_elem_get(nft, &filter_table, &filter_stamp, &stamp, NULL,
                             NULL));
}

/* What says that the rules in force are 'rules', and whole: their hash, and
 * what somebody else would change who takes one away. */
static int
whole_stamp(uint64_t *stamp)
{
    uint64_t weight;
    int error = nft_table_weigh(nft, &filter_table, &weight);

    *stamp = filter_hash(filter_rules_stamp(&rules), &weight, sizeof weight);
    return error;
}

static bool
has(const struct nft_set *set, const void *key)
{
    return (!nft || nft_elem_get(nft, &filter_table, set, key, NULL, NULL)
            != ENOENT);
}

/* With the sets that are filled along with them. */
static bool
rules_are_whole(void)
{
    uint64_t stamp;

    return (!whole_stamp(&stamp) && has_stamp(stamp)
            && (!rules.links || filter_has_lengths(&rules, has))
            && (!rules.single || filter_has_peers(&rules, has)));
}

/* Only when they are in force can they be weighed. */
static int
put_stamp(char **what)
{
    uint64_t stamp;
    int error = whole_stamp(&stamp);

    if (error) {
        *what = xstrdup("chains");
        return error;
    }

    struct nft_batch *b = nft_begin(nft);
    nft_elem_add(b, &filter_table, &filter_stamp, &stamp, NULL, 0);
    return nft_commit(b, what);
}

static void
compile_pingers(struct nft_batch *b)
{
    nft_set_flush(b, &filter_table, filter_pingers.name);
    for (size_t i = 0; i < rules.n_pingers; i++) {
        nft_elem_add(b, &filter_table, &filter_pingers, &rules.pingers[i],
                     NULL, 0);
    }
}

int
filter_init(const struct conf *conf, bool links, bool tagged, char **what)
{
    rules = (struct filter_rules) {
        .links = links,
        .tagged = tagged && !conf->s1u.interface,
        .enb = conf_adapter(conf, true),
        .sgw = conf_adapter(conf, false),
        .single = conf->s1u.interface,
        .enodebs = &conf->s1u.enodebs,
        .sgws = &conf->s1u.sgws,
        .pingers = conf->pinger.targets,
        .n_pingers = conf->pinger.n_targets,
        .max_bearers = conf->sessions.max,
        .learn_all = conf->learn == LEARN_ALL,
        .evidence_ms = conf->sessions.evidence_seconds * 1000ull,
    };
    int error;

    *what = NULL;
    evidence_ms = rules.evidence_ms;
    resample_ms = MIN(MAX(1000, conf->sessions.idle_seconds * 1000ull / 5),
                      RESAMPLE_MAX_MS);
    error = find_links(&rules, what);
    if (error) {
        return error;
    }
    error = nft_open(-1, &nft);
    if (error) {
        *what = xstrdup("nftables socket");
        return error;
    }

    struct nft_batch *b = nft_begin(nft);
    bool adopt = rules_are_whole();
    if (adopt) {
        VLOG_INFO("adopting the rules that are in force");
    } else {
        filter_rules_compile(&rules, has_stamp(filter_rules_layout(&rules)),
                             b);
    }
    compile_pingers(b);
    filter_rules_compile_hold(&rules, b);
    error = nft_commit(b, what);
    if (!error && !adopt) {
        error = put_stamp(what);
    }
    if (error) {
        filter_close();
        return error;
    }
    lease_due = 0;
    epoch++;
    return 0;
}

void
filter_close(void)
{
    nft_abort(pending);
    nft_abort(pending_stays);
    pending = pending_stays = NULL;
    nft_close(nft);
    nft = NULL;
}

/* Whoever may hold packets must show every LEASE_RENEW_MS that it is well. */
static void
renew_lease(void)
{
    const uint32_t marks[] = { QUEUE_HOLD_ENB, QUEUE_HOLD_SGW };
    struct nft_batch *b = batch();

    nft_set_flush(b, &filter_hold_table, filter_lease.name);
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
        nft_elem_add(b, &filter_hold_table, &filter_lease, &marks[i], NULL,
                     LEASE_MS);
    }
    lease_due = time_msec() + LEASE_RENEW_MS;
}

int
filter_run(void)
{
    if (!nft) {
        return 0;
    }
    if (time_msec() >= lease_due) {
        renew_lease();
    }
    return commit_pending();
}

void
filter_hold_nothing(void)
{
    if (nft) {
        nft_set_flush(batch(), &filter_hold_table, filter_lease.name);
        lease_due = LLONG_MAX;
        commit_pending();
    }
}

void
filter_wait(void)
{
    if (nft) {
        poll_timer_wait_until(lease_due);
        if (pending || pending_stays) {
            poll_immediate_wake();
        }
    }
}

void
filter_learned(const struct tunnel *t, sa_family_t inner)
{
    struct filter_tunnel_key key = tunnel_key(t, inner == AF_INET);

    if (!nft) {
        return;
    }
    nft_elem_add(batch(), &filter_table, &filter_learned_set, &key, NULL,
                 resample_ms);
    metric_inc(&n_learned);
}

uint64_t
filter_seqno(void)
{
    return pending || pending_stays ? seqno : seqno - 1;
}

bool
filter_committed(uint64_t asked)
{
    return asked < seqno;
}

unsigned int
filter_epoch(void)
{
    return epoch;
}

void
filter_guard(const struct endpoint_bearer *eb)
{
    struct filter_bearer_key key = bearer_key(&eb->down, &eb->ue);
    struct filter_tunnel_key bound = tunnel_key(
        &eb->down, IN6_IS_ADDR_V4MAPPED(&eb->ue));

    if (nft) {
        nft_elem_add(batch(), &filter_table, &filter_down, &key, NULL, 0);
        nft_elem_add(batch(), &filter_table, &filter_down_bound, &bound, NULL,
                     0);
    }
}

void
filter_divert(const struct endpoint_bearer *eb, uint64_t left_ms)
{
    struct filter_bearer_key key = bearer_key(&eb->up, &eb->ue);
    struct filter_tunnel_key bound = tunnel_key(
        &eb->up, IN6_IS_ADDR_V4MAPPED(&eb->ue));

    if (!nft) {
        return;
    }
    nft_elem_add(batch(), &filter_table, &filter_divert_set, &key, NULL,
                 left_ms);
    nft_elem_add(batch(), &filter_table, &filter_bound, &bound, NULL,
                 left_ms);
    metric_inc(&n_diverts);
}

/* What may have timed out is added first, as deleting what is not there would
 * fail the whole transaction.  One transaction for many: each waits for the
 * kernel for some milliseconds. */
static void
forget(struct nft_batch *b, const struct nft_set *set, const void *key)
{
    nft_elem_add(b, &filter_table, set, key, NULL, evidence_ms);
    nft_elem_delete(b, &filter_table, set, key);
}

static struct filter_stay_key
stay_key(const struct flow *f)
{
    struct filter_stay_key key = { f->sgw, f->teid, f->src, f->dst, { 0 } };

    memcpy(key.ports, f->ports, sizeof key.ports);
    return key;
}

static const struct nft_set *
stay_set(const struct flow *f)
{
    return f->is_tcp ? &filter_stay_tcp : &filter_stay_other;
}

/* A transaction of its own, as the kernel may refuse it: UEs can have more
 * noted than there is room for, or the same thing so often that the set's hash
 * table is busy growing.  Nothing else is to fail with it. */
static struct nft_batch *
stay_batch(void)
{
    if (!pending_stays) {
        pending_stays = nft_begin(nft);
    }
    return pending_stays;
}

/* What is there is deleted first for another timeout, as not every kernel
 * refreshes it, but not in the set for TCP, from which packets delete: where
 * for FLOW_TCP_MS the agent alone can tell what a connection's packets are, as
 * they come in outer fragments, it is forgotten. */
void
filter_stay(const struct flow *f, bool again)
{
    const struct filter_stay_key key = stay_key(f);

    if (!nft) {
        return;
    }
    if (again && !f->is_tcp) {
        forget(stay_batch(), &filter_stay_other, &key);
    }
    nft_elem_add(stay_batch(), &filter_table, stay_set(f), &key, NULL,
                 f->is_tcp ? FLOW_TCP_MS : FLOW_OTHER_MS);
}

void
filter_stay_tunnel(const struct flow *f)
{
    const struct filter_stay_tunnel_key key = { f->sgw, f->teid };

    if (nft) {
        forget(stay_batch(), &filter_stay_tunnels, &key);
        nft_elem_add(stay_batch(), &filter_table, &filter_stay_tunnels, &key,
                     NULL, FLOW_TCP_MS + FLOW_OTHER_MS);
    }
}

bool
filter_stays(const struct flow *f)
{
    const struct filter_stay_key key = stay_key(f);

    return nft && !nft_elem_get(nft, &filter_table, stay_set(f), &key, NULL,
                                NULL);
}

void
filter_unlearn(const struct endpoint_bearer *eb)
{
    bool v4 = IN6_IS_ADDR_V4MAPPED(&eb->ue);
    struct filter_tunnel_key up = tunnel_key(&eb->up, v4);
    struct filter_tunnel_key down = tunnel_key(&eb->down, v4);

    if (!nft) {
        return;
    }
    forget(batch(), &filter_learned_set, &up);
    if (eb->down.teid) {
        forget(batch(), &filter_learned_set, &down);
    }
}

void
filter_undivert(const struct endpoint_bearer *eb)
{
    struct filter_bearer_key up = bearer_key(&eb->up, &eb->ue);
    struct filter_bearer_key down = bearer_key(&eb->down, &eb->ue);
    bool v4 = IN6_IS_ADDR_V4MAPPED(&eb->ue);
    struct filter_tunnel_key bound = tunnel_key(&eb->up, v4);
    struct filter_tunnel_key down_bound = tunnel_key(&eb->down, v4);

    if (!nft) {
        return;
    }
    if (eb->up.teid) {
        forget(batch(), &filter_divert_set, &up);
        forget(batch(), &filter_bound, &bound);
    }
    if (eb->down.teid) {
        forget(batch(), &filter_down, &down);
        forget(batch(), &filter_down_bound, &down_bound);
    }
}

/* Of an element that may not be there. */
static void
take_out(struct nft_batch *b, const struct nft_set *set, const void *key)
{
    nft_elem_add(b, &filter_table, set, key, NULL, 0);
    nft_elem_delete(b, &filter_table, set, key);
}

int
filter_service_set(const struct in6_addr *service_ip)
{
    struct nft_batch *b;

    if (!nft) {
        return ENOTCONN;
    }
    b = nft_begin(nft);
    nft_elem_add(b, &filter_table, &filter_services, service_ip, NULL, 0);
    take_out(b, &filter_bypassed, service_ip);
    return commit(b);
}

int
filter_services_bypass(const struct in6_addr *service_ips, size_t n)
{
    struct nft_batch *b;

    if (!nft) {
        return ENOTCONN;
    }
    b = nft_begin(nft);
    for (size_t i = 0; i < n; i++) {
        nft_elem_add(b, &filter_table, &filter_bypassed, &service_ips[i], NULL,
                     0);
        take_out(b, &filter_services, &service_ips[i]);
    }
    return commit(b);
}

int
filter_connections_end(const struct tcp_connection *connections, size_t n)
{
    struct nft_batch *b;

    if (!nft) {
        return ENOTCONN;
    }
    b = nft_begin(nft);
    for (size_t i = 0; i < n; i++) {
        nft_elem_add(b, &filter_table, &filter_ended, &connections[i], NULL,
                     FILTER_ENDED_MS);
    }
    return commit(b);
}

int
filter_divert_flush(void)
{
    struct nft_batch *b;

    if (!nft) {
        return ENOTCONN;
    }
    b = nft_begin(nft);
    nft_set_flush(b, &filter_table, filter_divert_set.name);
    nft_set_flush(b, &filter_table, filter_bound.name);
    nft_set_flush(b, &filter_table, filter_down.name);
    nft_set_flush(b, &filter_table, filter_down_bound.name);
    return commit(b);
}

int
filter_service_clear(const struct in6_addr *service_ip)
{
    struct nft_batch *b;

    if (!nft) {
        return ENOTCONN;
    }
    b = nft_begin(nft);
    take_out(b, &filter_services, service_ip);
    take_out(b, &filter_bypassed, service_ip);
    return commit(b);
}

struct dump {
    filter_bearer_cb *bearer_cb;
    void (*service_cb)(const struct in6_addr *, void *);
    filter_flow_cb *flow_cb;
    bool is_tcp;
    void *aux;
};

static void
bearer_dumped(const void *key_, const void *data OVS_UNUSED,
              uint64_t expires OVS_UNUSED, void *dump_)
{
    struct dump *dump = dump_;
    struct filter_bearer_key key;

    memcpy(&key, key_, sizeof key);
    const struct tunnel t = { key.src, key.dst, ntohl(key.teid) };
    dump->bearer_cb(&t, &key.ue, dump->aux);
}

int
filter_divert_dump(filter_bearer_cb *cb, void *aux)
{
    struct dump dump = { .bearer_cb = cb, .aux = aux };

    return nft_elem_dump(nft, &filter_table, &filter_divert_set,
                         bearer_dumped, &dump);
}

static void
flow_dumped(const void *key_, const void *data OVS_UNUSED,
            uint64_t expires OVS_UNUSED, void *dump_)
{
    struct dump *dump = dump_;
    struct filter_stay_key key;

    memcpy(&key, key_, sizeof key);
    struct flow f = { key.sgw, key.teid, key.src, key.dst, { 0 },
                      dump->is_tcp };
    memcpy(f.ports, key.ports, sizeof f.ports);
    dump->flow_cb(&f, dump->aux);
}

int
filter_stay_dump(filter_flow_cb *cb, void *aux)
{
    struct dump dump = { .flow_cb = cb, .is_tcp = true, .aux = aux };
    int error;

    if (!nft) {
        return ENOTCONN;
    }
    error = nft_elem_dump(nft, &filter_table, &filter_stay_tcp, flow_dumped,
                          &dump);
    dump.is_tcp = false;
    return (error ? error
            : nft_elem_dump(nft, &filter_table, &filter_stay_other,
                            flow_dumped, &dump));
}

int
filter_guard_dump(filter_bearer_cb *cb, void *aux)
{
    struct dump dump = { .bearer_cb = cb, .aux = aux };

    return nft_elem_dump(nft, &filter_table, &filter_down, bearer_dumped,
                         &dump);
}

static void
service_dumped(const void *key, const void *data OVS_UNUSED,
               uint64_t expires OVS_UNUSED, void *dump_)
{
    struct dump *dump = dump_;
    struct in6_addr addr;

    memcpy(&addr, key, sizeof addr);
    dump->service_cb(&addr, dump->aux);
}

int
filter_service_dump(void (*cb)(const struct in6_addr *, void *aux), void *aux)
{
    struct dump dump = { .service_cb = cb, .aux = aux };

    return nft_elem_dump(nft, &filter_table, &filter_services,
                         service_dumped, &dump);
}

int
filter_l2_get(enum filter_side side, const struct in6_addr *src,
              const struct in6_addr *dst, struct l2_header *l2)
{
    const struct filter_l2_key key = { *src, *dst, side };
    int error = (nft ? nft_elem_get(nft, &filter_table, &filter_l2, &key,
                                    l2->bytes, NULL) : ENOTCONN);

    if (!error) {
        bool tagged = l2->bytes[12] == 0x81 && !l2->bytes[13];
        l2->len = tagged ? VLAN_ETH_HEADER_LEN : ETH_HEADER_LEN;
    }
    return error;
}

void
filter_l2_forget(enum filter_side side, const struct in6_addr *src,
                 const struct in6_addr *dst)
{
    const struct filter_l2_key key = { *src, *dst, side };

    if (nft) {
        nft_elem_forget(nft, &filter_table, &filter_l2, &key);
    }
}

void
filter_poll_counters(void)
{
    if (nft) {
        filter_stats_read(nft);
    }
}

bool
filter_has_service(const struct in6_addr *service_ip)
{
    return has(&filter_services, service_ip);
}

bool
filter_has_guard(const struct endpoint_bearer *eb)
{
    struct filter_bearer_key down = bearer_key(&eb->down, &eb->ue);
    struct filter_tunnel_key bound = tunnel_key(
        &eb->down, IN6_IS_ADDR_V4MAPPED(&eb->ue));

    return has(&filter_down, &down) && has(&filter_down_bound, &bound);
}

int
filter_divert_get(const struct endpoint_bearer *eb, uint64_t *left_ms)
{
    struct filter_bearer_key key = bearer_key(&eb->up, &eb->ue);
    struct filter_tunnel_key bound = tunnel_key(
        &eb->up, IN6_IS_ADDR_V4MAPPED(&eb->ue));
    int error = !nft ? ENOTCONN : nft_elem_get(
        nft, &filter_table, &filter_divert_set, &key, NULL, left_ms);

    if (error == ENOENT) {
        error = nft_elem_get(nft, &filter_table, &filter_bound, &bound, NULL,
                             left_ms);
        error = error || *left_ms < MEND_MIN_MS ? ENOENT : EIO;
    }
    return error;
}

bool
filter_mend_divert(const struct endpoint_bearer *eb)
{
    struct filter_bearer_key key = bearer_key(&eb->up, &eb->ue);
    uint64_t left_ms;

    if (filter_divert_get(eb, &left_ms) != EIO) {
        return false;
    }
    nft_elem_add(batch(), &filter_table, &filter_divert_set, &key, NULL,
                 left_ms);
    return true;
}

static bool
has_pingers(void)
{
    for (size_t i = 0; i < rules.n_pingers; i++) {
        if (!has(&filter_pingers, &rules.pingers[i])) {
            return false;
        }
    }
    return true;
}

bool
filter_in_force(void)
{
    struct filter_rules now = rules;
    char *what = NULL;
    bool same = (!find_links(&now, &what)
                 && filter_rules_stamp(&now) == filter_rules_stamp(&rules)
                 && rules_are_whole() && has_pingers());

    free(what);
    return same;
}

bool
filter_endpoint_is_live(void)
{
    static long long int asked = LLONG_MIN;
    static bool live;
    const uint32_t key = 0;

    if (!nft) {
        live = false;
    } else if (time_msec() - LIVE_CHECK_MS >= asked) {
        asked = time_msec();
        live = !nft_elem_get(nft, &filter_table, &filter_live, &key, NULL,
                             NULL);
    }
    return live;
}
