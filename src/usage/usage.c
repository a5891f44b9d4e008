/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Usage: see usage.h for what it is and its place in the flow.
 *
 * An account is what one session has exchanged.  The kernel counts by bearer
 * and service, for ever; a reading of all its counts adds to the sums what
 * they have grown by.  So nothing is lost while nobody reads, and a count that
 * has been read is in the sums once, as both are saved together
 * (state.c).
 *
 * When a bearer is gone packets may still be on their way, and conntrack may
 * still know its flows.  When two readings after that have shown the same, it
 * is final.  The kernel's counts of a final bearer are deleted; but if its
 * session has ended only when all of its bearers are final, and the
 * account's last record has been made. */

#include <config.h>

#include "usage/usage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "conf/conf.h"
#include "nat/nat.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "usage/private.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(usage);

#define READ_MS 1000            /* Between readings, at least. */
#define READ_SHARE 20           /* And that often what one takes. */
#define FINAL_MS 5000          /* Longest wait for conntrack. */
#define STILL 2
#define SAVE_BUDGET 256         /* Accounts a round of the loop. */
#define ADOPT_TRIES 10
#define FORGET_BUDGET 2000      /* Counts in one transaction. */

METRIC_COUNTER(n_records, "tof_usage_records_total", "",
               "Usage records made.");
METRIC_COUNTER(n_orphans, "tof_usage_orphans_total", "",
               "Counts deleted because nobody knew their session.");

static struct ovs_list gone;            /* Bearers that are USAGE_GONE. */
static const char *dir;
static uint64_t seq;                    /* Of the last record. */

/* The reading under way, or the next. */
static bool reading;
static bool reading_final;
static unsigned int n_readings;
static long long int reading_since, read_at;

/* The round of records under way, or the next. */
static bool saving;
static struct usage_account *save_next;
static long long int interval_ms, save_at;

/* Counts in the kernel to be deleted. */
static struct nat_usage *dead;
static size_t n_dead, allocated_dead;

static void make_record(const struct usage_account *);
static void forget_pairs(const struct usage_bearer *);

/* Accounts. */

/* The last of 'a', which has ended and is final. */
static void
finish(struct usage_account *a)
{
    const struct usage_bearer *b;

    if (!ovs_list_is_empty(&a->services) && (a->seen || !a->stale)) {
        make_record(a);
    }
    LIST_FOR_EACH (b, account_node, &a->bearers) {
        forget_pairs(b);
    }
    usage_account_free(a);
}

static void
finish_final(void)
{
    struct usage_account *a;

    LIST_FOR_EACH_SAFE (a, node, &usage_ended) {
        if (usage_account_is_final(a)) {
            finish(a);
        }
    }
}

/* 'b', which is USAGE_GONE, may be freed. */
static void
make_final(struct usage_bearer *b)
{
    b->state = USAGE_FINAL;
    ovs_list_remove(&b->gone_node);
    ovs_list_init(&b->gone_node);
    if (!b->account->reason) {
        forget_pairs(b);
        usage_bearer_close(b);
    }
}

static void
bearer_gone(struct usage_bearer *b)
{
    if (b->state == USAGE_ALIVE) {
        b->state = USAGE_GONE;
        b->gone_in = n_readings;
        ovs_list_push_back(&gone, &b->gone_node);
    }
}

static void
account_end(struct usage_account *a, const char *reason)
{
    if (save_next == a) {
        save_next = usage_account_next(a);
    }
    usage_account_end(a, reason);
}

void
usage_bearer(const struct bearer *b)
{
    usage_bearer_get(b);
}

void
usage_bearer_gone(const struct bearer *b, const char *reason)
{
    struct usage_account *a = usage_account_find(b->session->id);
    struct usage_bearer *ub = (bearer_is_diverted(b) ? usage_bearer_get(b)
                               : usage_bearer_find(b->id));

    if (ub && ub->account->session == b->session->id) {
        a = ub->account;
        bearer_gone(ub);
    }
    if (a && session_only_bearer(b->session)) {
        account_end(a, reason);
    }
}

void
usage_sent_down(const struct bearer *b, const struct in6_addr *service_ip,
                size_t bytes)
{
    struct usage_account *a = usage_bearer_get(b)->account;
    struct usage_service *s = usage_service_now(a, service_ip);

    s->counters.packets_down++;
    s->counters.bytes_down += bytes;
    a->changed = true;
}

void
usage_of_session(uint32_t session_id,
                 void (*cb)(const char *name,
                            const struct in6_addr *service_ip,
                            const struct counters *, void *aux),
                 void *aux)
{
    const struct usage_account *a = usage_account_find(session_id);
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
        save_next = usage_account_next(a);
    }
}

static void
save_end(bool final)
{
    const struct usage_account *a;

    LIST_FOR_EACH (a, node, &usage_ended) {
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

    usage_state_begin();
    LIST_FOR_EACH (a, node, &usage_alive) {
        usage_state_put(a);
    }
    save_end(final);
}

static void
run_interval(void)
{
    usage_state_run();
    if (!saving && time_msec() >= save_at && !usage_state_is_busy()) {
        saving = true;
        usage_state_begin();
        save_next = (ovs_list_is_empty(&usage_alive) ? NULL
                     : CONTAINER_OF(ovs_list_front(&usage_alive),
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
forget_pairs(const struct usage_bearer *b)
{
    const struct usage_pair *p;

    LIST_FOR_EACH (p, node, &b->pairs) {
        struct nat_usage u = { .bearer = b->id, .service_ip = p->service_ip };

        if (p->up) {
            forget(&u);
        }
        if (p->down) {
            u.down = true;
            forget(&u);
        }
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
    const struct bearer *known = session_bearer_by_id(u->bearer);
    struct usage_bearer *b = (known ? usage_bearer_get(known)
                              : usage_bearer_find(u->bearer));
    struct counters delta = { .packets_up = 0 };
    struct usage_pair *p;

    if (!b) {
        metric_inc(&n_orphans);
        forget(u);
        return;
    }
    b->account->seen = true;
    p = usage_pair_get(b, &u->service_ip);
    if (u->down) {
        p->down = true;
    } else {
        p->up = true;
    }
    if (counters_advance(&delta, &p->last, u->down, u->packets, u->bytes)) {
        counters_add(&usage_service_now(b->account, &u->service_ip)->counters,
                     &delta);
        b->account->changed = true;
        b->still = 0;
    }
}

/* All counts have been read. */
static void
reading_done(void)
{
    struct usage_bearer *b;

    if (!reading_final) {
        return;
    }
    LIST_FOR_EACH_SAFE (b, gone_node, &gone) {
        if (n_readings > b->gone_in && ++b->still >= STILL) {
            make_final(b);
        }
    }
    finish_final();
}

static bool
begin_reading(bool final)
{
    long long int now = time_msec();

    if (!run_forget()) {
        poll_immediate_wake();
        return false;
    }
    if (now < read_at || (!final && now < read_at + FINAL_MS)) {
        return false;
    }
    if (nat_usage_begin()) {
        read_at = now + READ_MS;
        return false;
    }
    n_readings++;
    reading_final = final;
    reading_since = now;
    return true;
}

static void
run_reading(bool final)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);
    long long int took;
    int error;

    if (!reading) {
        reading = begin_reading(final);
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

/* What has ended, or nobody knows any more.  If the kernel does not count for
 * such an account either, its last record has been made since the sums were
 * saved; unless these are 'final'. */
static void
end_restored(bool final)
{
    struct usage_account *a;
    struct usage_bearer *b;

    LIST_FOR_EACH_SAFE (a, node, &usage_alive) {
        const struct session *s = session_by_id(a->session);
        bool lives = (!a->reason && s
                      && IN6_ARE_ADDR_EQUAL(&s->ue, &a->ue));

        LIST_FOR_EACH (b, account_node, &a->bearers) {
            const struct bearer *known = session_bearer_by_id(b->id);

            if (!lives || !known || known->session != s) {
                bearer_gone(b);
            }
        }
        if (!lives) {
            a->stale = !final;
            account_end(a, a->reason ? a->reason : "unknown");
        }
    }
}

void
usage_init(const struct conf *conf,
           const char *(*service_name)(const struct in6_addr *))
{
    bool final;

    usage_accounts_init(service_name);
    ovs_list_init(&gone);
    dir = conf->state_dir;
    interval_ms = conf->usage.interval_seconds * 1000ll;
    save_at = time_msec() + interval_ms;
    usage_log_init(conf->usage.file);
    usage_state_init(dir);
    usage_state_restore(&seq, &final);
    seq = MAX(seq, usage_log_last_seq());
    end_restored(final);
    save_all(false);
}

void
usage_destroy(void)
{
    usage_log_destroy();
    save_all(true);
    usage_state_destroy();
    save_next = NULL;
    usage_accounts_destroy();
    free(dead);
    dead = NULL;
    n_dead = allocated_dead = 0;
}

void
usage_adopt(void)
{
    struct usage_bearer *b;
    int tries = ADOPT_TRIES;
    int error;

    reading = false;
    do {
        error = nat_usage_begin() ? ENOTCONN : EINPROGRESS;
        while (error == EINPROGRESS) {
            error = nat_usage_next(counted, NULL);
        }
    } while (error == EAGAIN && --tries);
    if (!error) {
        LIST_FOR_EACH_SAFE (b, gone_node, &gone) {
            make_final(b);
        }
        finish_final();
    }
    while (!run_forget()) {
        continue;
    }
}

void
usage_reopen(void)
{
    usage_log_reopen();
}

void
usage_run(bool up, bool final)
{
    if (up) {
        run_reading(final);
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
    if (usage_state_is_busy()) {
        usage_state_wait();
    } else {
        poll_timer_wait_until(save_at);
    }
    usage_log_wait();
}
