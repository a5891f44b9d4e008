/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Usage: see usage.h for what it is and its place in the flow.
 *
 * An account is what one session has exchanged.  The kernel counts by bearer
 * and service, for ever; a reading of all its counts adds to the sums what
 * they have grown by.  So nothing is lost while nobody reads, and a count that
 * has been read is in the sums once, as both are saved together
 * (usage_state.c).
 *
 *   alive    its session lives.  Once an interval, a record is made if
 *            anything has changed.
 *   ended    its session is gone, but packets may still be on their way, and
 *            conntrack may still know its flows.  When two readings after
 *            that show the same, the last record is made, and the kernel's
 *            counts of its bearers are deleted. */

#include <config.h>

#include "usage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "hash.h"
#include "metrics.h"
#include "nft/nat.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "service.h"
#include "timeval.h"
#include "usage_private.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(usage);

#define READ_MS 1000            /* Between readings, at least. */
#define READ_SHARE 50           /* And that often what one takes. */
#define SETTLE_MS 5000          /* Longest wait for conntrack. */
#define STILL 2
#define SAVE_BUDGET 256         /* Accounts a round of the loop. */
#define ADOPT_TRIES 10
#define FORGET_BUDGET 2000      /* Counts in one transaction. */

METRIC_COUNTER(n_records, "tof_usage_records_total", "",
               "Usage records made.");
METRIC_COUNTER(n_orphans, "tof_usage_orphans_total", "",
               "Counts deleted because nobody knew their session.");

static struct hmap by_session;          /* Accounts that are alive. */
static struct hmap by_bearer;
static struct ovs_list alive, ended;    /* By account's 'node'. */
static const char *dir;
static uint64_t seq;                    /* Of the last record. */

/* The reading under way, or the next. */
static bool reading;
static bool reading_settled;
static unsigned int n_readings;
static long long int reading_since, read_at;

/* The round of records under way, or the next. */
static bool saving;
static struct usage_account *save_next;
static long long int interval_ms, save_at;

/* Counts in the kernel to be deleted. */
static struct nat_usage *dead;
static size_t n_dead, allocated_dead;

static uint64_t
n_accounts(void)
{
    return hmap_count(&by_session);
}

METRIC_GAUGE(g_accounts, "tof_usage_sessions", "",
             "Sessions whose usage is being counted.", n_accounts);

/* Accounts. */

static struct usage_account *
account_find(uint32_t session)
{
    struct usage_account *a;

    HMAP_FOR_EACH_WITH_HASH (a, session_node, hash_int(session, 0),
                             &by_session) {
        if (a->session == session) {
            return a;
        }
    }
    return NULL;
}

struct usage_account *
usage_account_create(uint32_t session, const struct in6_addr *ue,
                     long long int since)
{
    struct usage_account *a = xzalloc(sizeof *a);

    a->session = session;
    a->ue = *ue;
    a->since = since;
    ovs_list_init(&a->bearers);
    ovs_list_init(&a->services);
    ovs_list_push_back(&alive, &a->node);
    hmap_insert(&by_session, &a->session_node, hash_int(session, 0));
    return a;
}

static struct usage_bearer *
bearer_find(uint32_t id)
{
    struct usage_bearer *b;

    HMAP_FOR_EACH_WITH_HASH (b, node, hash_int(id, 0), &by_bearer) {
        if (b->id == id) {
            return b;
        }
    }
    return NULL;
}

struct usage_bearer *
usage_bearer_create(struct usage_account *a, uint32_t id,
                    const struct fteid *up)
{
    struct usage_bearer *b = xzalloc(sizeof *b);

    b->account = a;
    b->id = id;
    b->up = *up;
    ovs_list_init(&b->pairs);
    ovs_list_push_back(&a->bearers, &b->account_node);
    hmap_insert(&by_bearer, &b->node, hash_int(id, 0));
    return b;
}

static struct usage_bearer *
bearer_get(const struct bearer *b)
{
    struct usage_bearer *ub = bearer_find(b->id);

    if (!ub) {
        struct usage_account *a = account_find(b->session->id);

        if (!a) {
            a = usage_account_create(b->session->id, &b->session->ue,
                                     time_wall_msec());
        }
        ub = usage_bearer_create(a, b->id, &b->up);
    }
    return ub;
}

struct usage_pair *
usage_pair_get(struct usage_bearer *b, const struct in6_addr *service_ip)
{
    struct usage_pair *p;

    LIST_FOR_EACH (p, node, &b->pairs) {
        if (IN6_ARE_ADDR_EQUAL(&p->service_ip, service_ip)) {
            return p;
        }
    }
    p = xzalloc(sizeof *p);
    p->service_ip = *service_ip;
    ovs_list_push_back(&b->pairs, &p->node);
    return p;
}

struct usage_service *
usage_service_get(struct usage_account *a, const struct in6_addr *ip,
                  const char *name)
{
    struct usage_service *s;

    LIST_FOR_EACH (s, node, &a->services) {
        if (IN6_ARE_ADDR_EQUAL(&s->ip, ip) && !strcmp(s->name, name)) {
            return s;
        }
    }
    s = xzalloc(sizeof *s);
    s->ip = *ip;
    s->name = xstrdup(name);
    ovs_list_push_back(&a->services, &s->node);
    return s;
}

/* The service that has 'ip' now, or the last one that had.  One whose name was
 * not known yet has it now. */
static struct usage_service *
service_now(struct usage_account *a, const struct in6_addr *ip)
{
    const char *name = service_name_of(ip);
    struct usage_service *last = NULL, *s;

    LIST_FOR_EACH (s, node, &a->services) {
        last = IN6_ARE_ADDR_EQUAL(&s->ip, ip) ? s : last;
    }
    if (last && (!name || !strcmp(last->name, name))) {
        return last;
    }
    if (last && !last->name[0]) {
        free(last->name);
        last->name = xstrdup(name);
        return last;
    }
    return usage_service_get(a, ip, name ? name : "");
}

static void
account_end(struct usage_account *a, const char *reason)
{
    if (save_next == a) {
        save_next = (a->node.next == &alive ? NULL
                     : CONTAINER_OF(a->node.next, struct usage_account,
                                    node));
    }
    hmap_remove(&by_session, &a->session_node);
    ovs_list_remove(&a->node);
    ovs_list_push_back(&ended, &a->node);
    a->reason = reason;
    a->ended_in = n_readings;
}

/* 'a' has ended. */
static void
account_free(struct usage_account *a)
{
    struct usage_bearer *b;
    struct usage_service *s;
    struct usage_pair *p;

    LIST_FOR_EACH_POP (b, account_node, &a->bearers) {
        LIST_FOR_EACH_POP (p, node, &b->pairs) {
            free(p);
        }
        hmap_remove(&by_bearer, &b->node);
        free(b);
    }
    LIST_FOR_EACH_POP (s, node, &a->services) {
        free(s->name);
        free(s);
    }
    ovs_list_remove(&a->node);
    free(a);
}

void
usage_bearer(const struct bearer *b)
{
    bearer_get(b);
}

void
usage_bearer_gone(const struct bearer *b, const char *reason)
{
    struct usage_account *a;

    if (b->diverted) {
        bearer_get(b);
    }
    a = account_find(b->session->id);
    if (a && ovs_list_is_singleton(&b->session->bearers)) {
        account_end(a, reason);
    }
}

void
usage_sent_down(const struct bearer *b, const struct in6_addr *service_ip,
                size_t bytes)
{
    struct usage_account *a = bearer_get(b)->account;
    struct usage_service *s = service_now(a, service_ip);

    s->counters.packets_down++;
    s->counters.bytes_down += bytes;
    a->changed = true;
}

void
usage_of_session(uint32_t session_id,
                 void (*cb)(const char *name,
                            const struct in6_addr *service_ip,
                            const struct bearer_counters *, void *aux),
                 void *aux)
{
    const struct usage_account *a = account_find(session_id);
    const struct usage_service *s;

    if (a) {
        LIST_FOR_EACH (s, node, &a->services) {
            cb(s->name, &s->ip, &s->counters, aux);
        }
    }
}

/* Records. */

static void
make_record(const struct usage_account *a)
{
    struct ds line = DS_EMPTY_INITIALIZER;

    usage_record(&line, a, ++seq, time_wall_msec(), a->reason);
    usage_log_add(&line);
    metric_inc(&n_records);
    ds_destroy(&line);
}

/* Records and sums of the accounts that are alive, some a round. */
static void
save_some(void)
{
    for (int i = 0; i < SAVE_BUDGET && save_next; i++) {
        struct usage_account *a = save_next;

        if (a->changed) {
            make_record(a);
            a->changed = false;
        }
        usage_state_put(a);
        save_next = (a->node.next == &alive ? NULL
                     : CONTAINER_OF(a->node.next, struct usage_account,
                                    node));
    }
}

static void
save_end(bool final)
{
    const struct usage_account *a;

    LIST_FOR_EACH (a, node, &ended) {
        usage_state_put(a);
    }
    usage_state_end(seq, final);
    saving = false;
}

/* All sums, at once; no records. */
static void
save_all(bool final)
{
    const struct usage_account *a;

    usage_state_begin(dir);
    LIST_FOR_EACH (a, node, &alive) {
        usage_state_put(a);
    }
    save_end(final);
}

static void
run_interval(void)
{
    if (!saving && time_msec() >= save_at) {
        saving = true;
        usage_state_begin(dir);
        save_next = (ovs_list_is_empty(&alive) ? NULL
                     : CONTAINER_OF(ovs_list_front(&alive),
                                    struct usage_account, node));
    }
    if (saving) {
        save_some();
        if (!save_next) {
            save_end(false);
            save_at = time_msec() + interval_ms;
        }
    }
}

/* Readings. */

static void
forget(const struct nat_usage *u)
{
    if (n_dead >= allocated_dead) {
        dead = x2nrealloc(dead, &allocated_dead, sizeof *dead);
    }
    dead[n_dead++] = *u;
}

static void
forget_pair(const struct usage_bearer *b, const struct usage_pair *p)
{
    struct nat_usage u = { .bearer = b->id, .service_ip = p->service_ip };

    if (p->up) {
        forget(&u);
    }
    if (p->down) {
        u.down = true;
        forget(&u);
    }
}

/* Deletes what is to be forgotten; true if nothing is left. */
static bool
run_forget(void)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);
    size_t n = MIN(n_dead, FORGET_BUDGET);
    int error = n ? nat_usage_forget(&dead[n_dead - n], n) : 0;

    if (error) {
        VLOG_WARN_RL(&rl, "deleting old counts: %s", ovs_strerror(error));
    }
    n_dead -= n;
    return !n_dead;
}

/* What a count of the kernel has grown by. */
static void
counted(const struct nat_usage *u, void *aux OVS_UNUSED)
{
    struct usage_bearer *b = bearer_find(u->bearer);
    const struct bearer *known = (b ? NULL
                                  : session_bearer_by_id(u->bearer));
    struct bearer_counters delta = { .packets_up = 0 };
    struct usage_service *s;
    struct usage_pair *p;

    if (known) {
        b = bearer_get(known);
    }
    if (!b) {
        metric_inc(&n_orphans);
        forget(u);
        return;
    }
    b->account->seen = true;
    p = usage_pair_get(b, &u->service_ip);
    if (u->down) {
        p->down = true;
        count_advance(&delta.packets_down, &p->last.packets_down, u->packets);
        count_advance(&delta.bytes_down, &p->last.bytes_down, u->bytes);
    } else {
        p->up = true;
        count_advance(&delta.packets_up, &p->last.packets_up, u->packets);
        count_advance(&delta.bytes_up, &p->last.bytes_up, u->bytes);
    }
    if (delta.packets_up || delta.packets_down) {
        s = service_now(b->account, &u->service_ip);
        s->counters.packets_up += delta.packets_up;
        s->counters.bytes_up += delta.bytes_up;
        s->counters.packets_down += delta.packets_down;
        s->counters.bytes_down += delta.bytes_down;
        b->account->changed = true;
        b->account->still = 0;
    }
}

/* The last of 'a', which has ended. */
static void
finish(struct usage_account *a)
{
    const struct usage_bearer *b;
    const struct usage_pair *p;

    if (!ovs_list_is_empty(&a->services) && (a->seen || !a->stale)) {
        make_record(a);
    }
    LIST_FOR_EACH (b, account_node, &a->bearers) {
        LIST_FOR_EACH (p, node, &b->pairs) {
            forget_pair(b, p);
        }
    }
    account_free(a);
}

/* All counts have been read. */
static void
reading_done(void)
{
    struct usage_account *a;

    if (!reading_settled) {
        return;
    }
    LIST_FOR_EACH_SAFE (a, node, &ended) {
        if (n_readings > a->ended_in && ++a->still >= STILL) {
            finish(a);
        }
    }
}

static bool
begin_reading(bool settled)
{
    long long int now = time_msec();

    if (!run_forget()) {
        poll_immediate_wake();
        return false;
    }
    if (now < read_at || (!settled && now < read_at + SETTLE_MS)) {
        return false;
    }
    if (nat_usage_begin()) {
        read_at = now + READ_MS;
        return false;
    }
    n_readings++;
    reading_settled = settled;
    reading_since = now;
    return true;
}

static void
run_reading(bool settled)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);
    long long int took;
    int error;

    if (!reading) {
        reading = begin_reading(settled);
    }
    if (!reading) {
        return;
    }
    error = nat_usage_next(counted, NULL);
    if (error == EINPROGRESS) {
        return;
    }
    reading = false;
    took = time_msec() - reading_since;
    read_at = time_msec() + MAX(READ_MS, READ_SHARE * took);
    if (!error) {
        reading_done();
    } else if (error != EAGAIN) {
        VLOG_WARN_RL(&rl, "reading counts: %s", ovs_strerror(error));
    }
}

/* Start, end, loop. */

/* Accounts whose session has ended, or nobody knows any more.  If the kernel
 * does not count for such a one either, its last record has been made since
 * the sums were saved; unless these are 'final'. */
static void
end_restored(bool final)
{
    struct usage_account *a;

    LIST_FOR_EACH_SAFE (a, node, &alive) {
        const struct session *s = session_by_id(a->session);

        if (a->reason || !s || !IN6_ARE_ADDR_EQUAL(&s->ue, &a->ue)) {
            a->stale = !final;
            account_end(a, a->reason ? a->reason : "unknown");
        }
    }
}

void
usage_init(const struct conf *conf)
{
    bool final;

    hmap_init(&by_session);
    hmap_init(&by_bearer);
    ovs_list_init(&alive);
    ovs_list_init(&ended);
    dir = conf->state_dir;
    interval_ms = conf->usage.interval_seconds * 1000ll;
    save_at = time_msec() + interval_ms;
    usage_log_init(conf->usage.file);
    usage_state_restore(dir, &seq, &final);
    seq = MAX(seq, usage_log_last_seq());
    end_restored(final);
    save_all(false);
}

void
usage_destroy(void)
{
    struct usage_account *a;

    usage_log_destroy();
    save_all(true);

    LIST_FOR_EACH_SAFE (a, node, &alive) {
        account_end(a, "");
    }
    LIST_FOR_EACH_SAFE (a, node, &ended) {
        account_free(a);
    }
    hmap_destroy(&by_session);
    hmap_destroy(&by_bearer);
    free(dead);
    dead = NULL;
    n_dead = allocated_dead = 0;
}

void
usage_adopt(void)
{
    int tries = ADOPT_TRIES;
    int error;

    reading = false;
    do {
        error = nat_usage_begin() ? ENOTCONN : EINPROGRESS;
        while (error == EINPROGRESS) {
            error = nat_usage_next(counted, NULL);
        }
        while (!run_forget()) {
            continue;
        }
    } while (error == EAGAIN && --tries);
}

void
usage_reopen(void)
{
    usage_log_reopen();
}

void
usage_run(bool up, bool settled)
{
    if (up) {
        run_reading(settled);
    } else {
        reading = false;
    }
    run_interval();
    usage_log_run();
}

void
usage_wait(bool up)
{
    if (reading || saving) {
        poll_immediate_wake();
    } else if (up) {
        poll_timer_wait_until(MAX(read_at, time_msec() + 1));
    }
    poll_timer_wait_until(save_at);
    usage_log_wait();
}
