/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Path MTUs: see pmtu.h.
 *
 * A path is a pair of SGW and eNodeB.  It is here while a bearer uses it, or
 * while something is known of it that a router has said.  Errors are believed
 * only if they quote the mark of what the TOF builds, and a tunnel or at least
 * a pair of peers that it sends to; what they can do is bounded: no path gets
 * an MTU below CONF_MTU_MIN, and each is as wide as before after
 * LEARNED_MS. */

#include <config.h>

#include "divert/pmtu.h"

#include <stdlib.h>

#include "base/addr.h"
#include "base/metrics.h"
#include "conf/conf.h"
#include "conf/conf_value.h"
#include "filter/l2.h"
#include "filter/nfq.h"
#include "gtp/too_big.h"
#include "hash.h"
#include "nat/nat.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(pmtu);

#define LEARNED_MS (10 * 60 * 1000)
#define MAX_LEARNED 1024        /* Paths.  Beyond that errors are consumed, but
                                 * teach nothing. */
#define STEP 16                 /* Learned MTUs are multiples of this, as each
                                 * different one costs a routing table. */
#define RETRY_MS 1000

#define METRIC_ERRORS(VAR, RESULT)                                      \
    METRIC_COUNTER(VAR, "tof_path_mtu_errors_total",                    \
                   "result=\"" RESULT "\"", "ICMP errors that quote the " \
                   "mark of what the TOF builds, by what became of them.")
METRIC_ERRORS(n_learned_errors, "learned");
METRIC_ERRORS(n_ignored, "ignored");
METRIC_ERRORS(n_passed, "passed");

struct path {
    struct hmap_node node;      /* In paths. */
    struct in6_addr sgw, enb;
    struct ovs_list users;      /* Of struct user. */
    struct ovs_list learned_node;       /* In learned, if 'learned'. */
    unsigned int learned;       /* An MTU, or 0. */
    long long int until;        /* Of 'learned'. */
};

struct user {                   /* A bearer. */
    struct hmap_node node;      /* In users. */
    struct ovs_list path_node;
    struct path *path;
    uint32_t id;
    unsigned int told;          /* To NAT; 0: nothing. */
    bool ipv6;                  /* Its UE's address. */
};

static const struct conf *conf;
static packet_pass_cb *pass;
static struct hmap paths, users;
static struct ovs_list learned; /* The first ends first. */
static size_t n_learned;
static bool refill;             /* NAT may know anything. */
static long long int retry_at;

static uint64_t
n_learned_metric(void)
{
    return n_learned;
}

METRIC_GAUGE(g_learned, "tof_path_mtu_learned", "",
             "Paths with an MTU that routers have told.", n_learned_metric);

void
pmtu_init(const struct conf *conf_, packet_pass_cb *pass_)
{
    conf = conf_;
    pass = pass_;
    hmap_init(&paths);
    hmap_init(&users);
    ovs_list_init(&learned);
    n_learned = 0;
    refill = false;
}

void
pmtu_destroy(void)
{
    struct path *p;
    struct user *u;

    HMAP_FOR_EACH_POP (u, node, &users) {
        free(u);
    }
    HMAP_FOR_EACH_POP (p, node, &paths) {
        free(p);
    }
    hmap_destroy(&users);
    hmap_destroy(&paths);
}

static struct path *
find_path(const struct in6_addr *sgw, const struct in6_addr *enb)
{
    struct path *p;

    HMAP_FOR_EACH_WITH_HASH (p, node, l2_hash_pair(sgw, enb), &paths) {
        if (IN6_ARE_ADDR_EQUAL(&p->sgw, sgw)
            && IN6_ARE_ADDR_EQUAL(&p->enb, enb)) {
            return p;
        }
    }
    return NULL;
}

static struct path *
get_path(const struct in6_addr *sgw, const struct in6_addr *enb)
{
    struct path *p = find_path(sgw, enb);

    if (!p) {
        p = xzalloc(sizeof *p);
        p->sgw = *sgw;
        p->enb = *enb;
        ovs_list_init(&p->users);
        hmap_insert(&paths, &p->node, l2_hash_pair(sgw, enb));
    }
    return p;
}

static void
free_if_unused(struct path *p)
{
    if (!p->learned && ovs_list_is_empty(&p->users)) {
        hmap_remove(&paths, &p->node);
        free(p);
    }
}

static struct user *
find_user(uint32_t id)
{
    struct user *u;

    HMAP_FOR_EACH_WITH_HASH (u, node, hash_int(id, 0), &users) {
        if (u->id == id) {
            return u;
        }
    }
    return NULL;
}

/* 0: as wide as the adapter. */
static unsigned int
mtu_of(const struct path *p)
{
    unsigned int mtu = conf_path_mtu(conf, &p->enb);

    return p->learned && (!mtu || p->learned < mtu) ? p->learned : mtu;
}

static void
tell(struct user *u, unsigned int mtu)
{
    nat_path_set(u->id, u->ipv6, u->told, mtu);
    u->told = mtu;
}

static void
tell_all(struct path *p)
{
    struct user *u;

    LIST_FOR_EACH (u, path_node, &p->users) {
        tell(u, mtu_of(p));
    }
}

void
pmtu_bearer(const struct bearer *b)
{
    struct path *p = get_path(b->down_sgw, b->down_enb);
    struct user *u = find_user(b->id);

    if (!u) {
        u = xzalloc(sizeof *u);
        u->id = b->id;
        u->ipv6 = bearer_family(b) == AF_INET6;
        hmap_insert(&users, &u->node, hash_int(u->id, 0));
    } else if (u->path != p) {
        ovs_list_remove(&u->path_node);
        free_if_unused(u->path);
    }
    if (u->path != p) {
        u->path = p;
        ovs_list_push_back(&p->users, &u->path_node);
    }
    tell(u, mtu_of(p));
}

void
pmtu_bearer_gone(uint32_t id)
{
    struct user *u = find_user(id);

    if (u) {
        tell(u, 0);
        ovs_list_remove(&u->path_node);
        hmap_remove(&users, &u->node);
        free_if_unused(u->path);
        free(u);
    }
}

void
pmtu_refill(void)
{
    refill = true;
    retry_at = LLONG_MIN;
}

/* Learned MTUs whose time is up. */
static void
expire(long long int now)
{
    while (!ovs_list_is_empty(&learned)) {
        struct path *p = CONTAINER_OF(ovs_list_front(&learned), struct path,
                                      learned_node);

        if (now < p->until) {
            break;
        }
        ovs_list_remove(&p->learned_node);
        n_learned--;
        p->learned = 0;
        tell_all(p);
        free_if_unused(p);
    }
}

static int
fill(void)
{
    struct user *u;
    int error = nat_path_flush();

    HMAP_FOR_EACH (u, node, &users) {
        u->told = 0;
        tell(u, mtu_of(u->path));
    }
    return error ? error : nat_path_run();
}

/* What NAT refuses is tried again, all of it. */
void
pmtu_run(void)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);
    long long int now = time_msec();
    int error = 0;

    expire(now);
    if (!refill) {
        error = nat_path_run();
    } else if (now >= retry_at) {
        error = fill();
        refill = error;
    }
    if (error) {
        VLOG_WARN_RL(&rl, "NAT refuses the MTUs of paths: %s",
                     ovs_strerror(error));
        refill = true;
        retry_at = now + RETRY_MS;
    }
}

void
pmtu_wait(void)
{
    if (refill) {
        poll_timer_wait_until(retry_at);
    }
    if (!ovs_list_is_empty(&learned)) {
        poll_timer_wait_until(CONTAINER_OF(ovs_list_front(&learned),
                                           struct path,
                                           learned_node)->until);
    }
}

unsigned int
pmtu_room(const struct bearer *b)
{
    const struct in6_addr *sgw = b->down_sgw, *enb = b->down_enb;
    struct path *p = b->down_known ? find_path(sgw, enb) : NULL;
    unsigned int mtu = p ? mtu_of(p) : 0;

    return mtu ? nat_path_room(bearer_family(b) == AF_INET6, mtu) : 0;
}

/* Have we sent a ping into the uplink tunnel that is quoted?  If it is not, to
 * that SGW as that eNodeB? */
static bool
is_about_ping(const struct tunnel *t)
{
    static const sa_family_t families[] = { AF_INET, AF_INET6 };
    const struct fteid up = { t->dst, t->teid };
    bool ours = !t->teid && l2_is_known(SIDE_ENB, &t->src, &t->dst);

    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        const struct bearer *b = session_bearer_by_uplink(&up, families[i]);

        ours = ours || (b && IN6_ARE_ADDR_EQUAL(b->enb, &t->src));
    }
    return ours;
}

/* Have we sent into the downlink tunnel that is quoted?  If it is not, to that
 * eNodeB as that SGW? */
static bool
is_about_answer(const struct tunnel *t)
{
    const struct fteid down = { t->dst, t->teid };
    const struct bearer *b = session_bearer_by_downlink(&down);

    if (!t->teid) {
        return find_path(&t->src, &t->dst) != NULL;
    }
    while (b && !(bearer_is_diverted(b)
                  && IN6_ARE_ADDR_EQUAL(b->down_sgw, &t->src))) {
        b = session_next_by_downlink(b);
    }
    return b != NULL;
}

/* A packet of ours did not fit.  Returns true if that is news. */
static bool
learn(const struct too_big *t)
{
    unsigned int mtu = MAX(t->mtu / STEP * STEP, CONF_MTU_MIN);
    struct path *p = get_path(&t->tunnel.src, &t->tunnel.dst);
    unsigned int old = p->learned;

    if (t->mtu >= t->len || (!old && n_learned >= MAX_LEARNED)
        || (mtu_of(p) && mtu_of(p) < mtu)) {
        free_if_unused(p);
        return false;
    }
    if (old) {
        ovs_list_remove(&p->learned_node);
    } else {
        n_learned++;
    }
    p->learned = mtu;
    p->until = time_msec() + LEARNED_MS;
    ovs_list_push_back(&learned, &p->learned_node);
    if (mtu != old) {
        tell_all(p);
    }
    return mtu != old;
}

void
pmtu_too_big(const struct nfq_packet *np)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(6, 10);
    const bool from_enb = queue_side(np->queue) == SIDE_ENB;
    char sgw[INET6_ADDRSTRLEN], enb[INET6_ADDRSTRLEN];
    struct too_big t;

    if (!too_big_parse(np->ip, np->len, &t)
        || !(from_enb ? is_about_answer : is_about_ping)(&t.tunnel)) {
        metric_inc(&n_passed);
        pass(queue_side(np->queue), np->ip, np->len);
    } else if (from_enb && learn(&t)) {
        metric_inc(&n_learned_errors);
        VLOG_INFO_RL(&rl, "path from %s to %s: a router says that its MTU is "
                     "%u", addr_format(&t.tunnel.src, sgw),
                     addr_format(&t.tunnel.dst, enb), t.mtu);
    } else {
        metric_inc(&n_ignored);
    }
}
