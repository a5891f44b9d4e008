/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Pinger: see pinger.h.
 *
 * Jobs wait in two queues.  An urgent one sends at once and then every
 * interval_ms; the others share rate_per_second, and wait twice as long after
 * each attempt.  A job ends with a reply, when it is stopped, or when its
 * attempts are used up; it lingers for a while, so that late replies are still
 * known.  In the last case (paging takes its time) they prove as much as early
 * ones. */

#include <config.h>

#include "pinger.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "csum.h"
#include "hash.h"
#include "heap.h"
#include "metrics.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/token-bucket.h"
#include "packets.h"
#include "random.h"
#include "timeval.h"
#include "util.h"

METRIC_COUNTER(n_requests, "tof_pinger_requests_total", "",
               "Echo requests sent as a UE.");
METRIC_COUNTER(n_replies, "tof_pinger_replies_total", "",
               "Replies that carried a valid cookie.");
METRIC_COUNTER(n_forged, "tof_pinger_foreign_total", "",
               "Echo replies from a target that were not ours.");
METRIC_COUNTER(n_failed, "tof_pinger_failed_total", "",
               "Bearers that no reply came for.");
METRIC_COUNTER(n_send_errors, "tof_pinger_send_errors_total", "",
               "Echo requests that could not be sent.");

#define LINGER_MS 5000

#define MAGIC 0x544f4650        /* "TOFP" */

struct job {
    struct hmap_node node;              /* In jobs, by id. */
    struct ovs_list queue_node;         /* In urgent or normal, else empty. */
    struct heap_node due_node;          /* In asleep, if in no queue. */
    struct pinger_cookie cookie;
    uint64_t old_nonce[2];              /* Of requests that do not count. */
    bool urgent;
    bool sent;                          /* Any request, ever. */
    bool stopped;                       /* A reply proves nothing. */
    bool done;                          /* Sends nothing any more. */
    unsigned int attempts;
    long long int due;
};

static struct hmap jobs;
static struct ovs_list urgent, normal;  /* To be sent now. */
static struct heap asleep;              /* Waiting for 'due', next first. */
static struct token_bucket bucket;
static pinger_send_cb *send_cb;
static pinger_failed_cb *failed_cb;
static const struct conf *conf;
static ovs_be32 *targets;               /* IPv4; taken in turn. */
static size_t n_targets;

static uint64_t
n_jobs_metric(void)
{
    return hmap_count(&jobs);
}

METRIC_GAUGE(g_jobs, "tof_pinger_jobs", "", "Bearers being proved.",
             n_jobs_metric);

void
pinger_build(uint32_t dst, const struct pinger_cookie *cookie,
             uint8_t buf[PINGER_PACKET_LEN])
{
    struct ip_header ip = {
        .ip_ihl_ver = IP_IHL_VER(5, 4),
        .ip_tot_len = htons(PINGER_PACKET_LEN),
        .ip_frag_off = htons(IP_DONT_FRAGMENT),
        .ip_ttl = 64,
        .ip_proto = IPPROTO_ICMP,
    };
    uint8_t *icmp = buf + sizeof ip;
    uint32_t magic = htonl(MAGIC), id = htonl(cookie->bearer_id);
    uint16_t seq = htons(cookie->seq);
    ovs_be16 sum;

    put_16aligned_be32(&ip.ip_dst, dst);
    ip.ip_csum = csum_finish(csum_continue(0, &ip, sizeof ip));
    memcpy(buf, &ip, sizeof ip);

    memset(icmp, 0, 8);
    icmp[0] = ICMP4_ECHO_REQUEST;
    memcpy(icmp + 4, cookie->nonce, 2);         /* Identifier. */
    memcpy(icmp + 6, &seq, sizeof seq);
    memcpy(icmp + 8, &magic, sizeof magic);
    memcpy(icmp + 12, &id, sizeof id);
    memcpy(icmp + 16, cookie->nonce, sizeof cookie->nonce);
    sum = csum(icmp, PINGER_PACKET_LEN - sizeof ip);
    memcpy(icmp + 2, &sum, sizeof sum);
}

bool
pinger_parse_reply(const void *ip_, size_t len, struct pinger_cookie *cookie)
{
    const uint8_t *ip = ip_, *icmp = ip + IP_HEADER_LEN;
    uint32_t magic, id;
    uint16_t seq;

    if (len < PINGER_PACKET_LEN || ip[0] != IP_IHL_VER(5, 4)
        || ip[9] != IPPROTO_ICMP || icmp[0] != ICMP4_ECHO_REPLY) {
        return false;
    }
    memcpy(&seq, icmp + 6, sizeof seq);
    memcpy(&magic, icmp + 8, sizeof magic);
    memcpy(&id, icmp + 12, sizeof id);
    memcpy(cookie->nonce, icmp + 16, sizeof cookie->nonce);
    cookie->bearer_id = ntohl(id);
    cookie->seq = ntohs(seq);
    return ntohl(magic) == MAGIC;
}

void
pinger_init(const struct conf *conf_, pinger_send_cb *send,
            pinger_failed_cb *failed)
{
    conf = conf_;
    send_cb = send;
    failed_cb = failed;
    hmap_init(&jobs);
    ovs_list_init(&urgent);
    ovs_list_init(&normal);
    heap_init(&asleep);
    /* Tokens are thousandths of a packet, as its clock is in ms. */
    token_bucket_init(&bucket, conf->pinger.rate_per_second,
                      MAX(1000, conf->pinger.rate_per_second * 100));
    targets = xcalloc(MAX(1, conf->pinger.n_targets), sizeof *targets);
    n_targets = 0;
    for (size_t i = 0; i < conf->pinger.n_targets; i++) {
        if (IN6_IS_ADDR_V4MAPPED(&conf->pinger.targets[i])) {
            targets[n_targets++] =
                in6_addr_get_mapped_ipv4(&conf->pinger.targets[i]);
        }
    }
}

bool
pinger_has_target(void)
{
    return n_targets != 0;
}

static struct job *
find(uint32_t id)
{
    struct job *job;

    HMAP_FOR_EACH_WITH_HASH (job, node, hash_int(id, 0), &jobs) {
        if (job->cookie.bearer_id == id) {
            return job;
        }
    }
    return NULL;
}

/* Takes the job out of where it waits. */
static void
unqueue(struct job *job)
{
    if (ovs_list_is_empty(&job->queue_node)) {
        heap_remove(&asleep, &job->due_node);
    } else {
        ovs_list_remove(&job->queue_node);
        ovs_list_init(&job->queue_node);
    }
}

static void
enqueue(struct job *job)
{
    ovs_list_push_back(job->urgent ? &urgent : &normal, &job->queue_node);
}

static void
destroy(struct job *job)
{
    unqueue(job);
    hmap_remove(&jobs, &job->node);
    free(job);
}

void
pinger_destroy(void)
{
    struct job *job;

    HMAP_FOR_EACH_SAFE (job, node, &jobs) {
        destroy(job);
    }
    hmap_destroy(&jobs);
    heap_destroy(&asleep);
    free(targets);
    targets = NULL;
    n_targets = 0;
}

void
pinger_ask(uint32_t id, bool is_urgent)
{
    struct job *job = find(id);

    if (!n_targets) {
        return;
    }
    if (!job) {
        job = xzalloc(sizeof *job);
        job->cookie.bearer_id = id;
        random_bytes(job->cookie.nonce, sizeof job->cookie.nonce);
        random_bytes(job->old_nonce, sizeof job->old_nonce);
        hmap_insert(&jobs, &job->node, hash_int(id, 0));
        job->urgent = is_urgent;
        enqueue(job);
    } else if (job->done) {
        if (job->stopped) {
            memcpy(job->old_nonce, job->cookie.nonce, sizeof job->old_nonce);
            random_bytes(job->cookie.nonce, sizeof job->cookie.nonce);
        }
        job->done = job->stopped = false;
        job->attempts = 0;
        job->urgent = is_urgent;
        unqueue(job);
        enqueue(job);
    } else if (is_urgent && !job->urgent) {
        job->urgent = true;
        job->attempts = 0;
        unqueue(job);
        enqueue(job);
    }
}

/* Lets 'job' sleep until it is forgotten. */
static void
linger(struct job *job)
{
    job->done = true;
    job->due = time_msec() + LINGER_MS;
    unqueue(job);
    heap_insert(&asleep, &job->due_node, UINT64_MAX - job->due);
}

void
pinger_stop(uint32_t id)
{
    struct job *job = find(id);

    if (job && job->sent) {
        job->stopped = true;
        linger(job);
    } else if (job) {
        destroy(job);
    }
}

bool
pinger_is_active(uint32_t id)
{
    const struct job *job = find(id);

    return job && job->sent;
}

bool
pinger_is_reply(const void *ip, size_t len, uint32_t *id)
{
    struct pinger_cookie cookie;

    if (pinger_parse_reply(ip, len, &cookie)) {
        struct job *job = find(cookie.bearer_id);
        bool now = job && !memcmp(job->cookie.nonce, cookie.nonce,
                                  sizeof cookie.nonce);
        bool old = job && !memcmp(job->old_nonce, cookie.nonce,
                                  sizeof cookie.nonce);
        if (now || old) {
            metric_inc(&n_replies);
            *id = now && !job->stopped ? cookie.bearer_id : 0;
            return true;
        }
    }
    metric_inc(&n_forged);
    return false;
}

static void
give_up(struct job *job)
{
    uint32_t id = job->cookie.bearer_id;

    metric_inc(&n_failed);
    linger(job);                /* Paging may take longer. */
    failed_cb(id);
}

/* Sends one request, or gives up if all have been sent. */
static void
attempt(struct job *job)
{
    uint8_t packet[PINGER_PACKET_LEN];
    unsigned int backoff = job->urgent ? 0 : MIN(job->attempts, 6);

    if (job->attempts >= conf->pinger.attempts) {
        give_up(job);
        return;
    }
    job->cookie.seq++;
    job->sent = true;
    pinger_build(targets[job->attempts++ % n_targets], &job->cookie, packet);
    if (send_cb(job->cookie.bearer_id, packet, sizeof packet)) {
        metric_inc(&n_send_errors);
    } else {
        metric_inc(&n_requests);
    }
    job->due = time_msec() + ((long long) conf->pinger.interval_ms << backoff);
    unqueue(job);
    heap_insert(&asleep, &job->due_node, UINT64_MAX - job->due);
}

static struct job *
next_asleep(void)
{
    return heap_is_empty(&asleep) ? NULL
        : CONTAINER_OF(heap_max(&asleep), struct job, due_node);
}

/* Jobs whose time has come go back to their queue. */
static void
wake_up(long long int now)
{
    struct job *job;

    while ((job = next_asleep()) && job->due <= now) {
        if (job->done) {
            destroy(job);
        } else {
            unqueue(job);
            enqueue(job);
        }
    }
}

static void
run_queue(struct ovs_list *queue, bool limited)
{
    while (!ovs_list_is_empty(queue)) {
        if (!token_bucket_withdraw(&bucket, 1000) && limited) {
            break;
        }
        attempt(CONTAINER_OF(ovs_list_front(queue), struct job, queue_node));
    }
}

void
pinger_run(void)
{
    wake_up(time_msec());
    run_queue(&urgent, false);
    run_queue(&normal, true);
}

void
pinger_wait(void)
{
    if (!ovs_list_is_empty(&urgent)) {
        poll_immediate_wake();
    }
    if (!ovs_list_is_empty(&normal)) {
        token_bucket_wait(&bucket, 1000);
    }
    if (next_asleep()) {
        poll_timer_wait_until(next_asleep()->due);
    }
}
