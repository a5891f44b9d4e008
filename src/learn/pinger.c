/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Pinger: see pinger.h.
 *
 * Jobs wait in two queues.  An urgent one sends at once and then every
 * interval_ms; the others share rate_per_second, and wait twice as long after
 * each attempt.  A job ends with a reply, when it is stopped, or when its
 * attempts are used up; in the last case (paging takes its time) it lingers
 * for a while, and late replies prove as much as early ones.  One that goes on
 * (pinger_ask_on()) has no last attempt, but pauses that get longer.
 *
 * What a request carries is its cookie, behind the ICMP header:
 *
 *      offset  size
 *           0     4  magic, "TOFP"
 *           4     4  bearer id
 *           8    16  nonce: random, of this request alone; its first two bytes
 *                    are the identifier in the ICMP header, too
 *          24     8  tag: a hash, with a key that only TOFs on this host have,
 *                    of all before it and of identifier and sequence number
 *
 * The nonce is the proof: nobody can know it who has not been sent the request
 * or its reply.  The tag says no more than that a request was ours, whether or
 * not anything is still known of it, so that a reply however late does not
 * reach a UE, while a UE's own pings do.  Its key is in a file, which the next
 * tofd takes over. */

#include <config.h>

#include "learn/pinger.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/metrics.h"
#include "base/secure.h"
#include "conf/conf.h"
#include "csum.h"
#include "hash.h"
#include "heap.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/token-bucket.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(pinger);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

METRIC_COUNTER(n_requests, "tof_pinger_requests_total", "",
               "Echo requests sent as a UE.");
METRIC_COUNTER(n_replies, "tof_pinger_replies_total", "",
               "Replies that carried a valid cookie.");
METRIC_COUNTER(n_late, "tof_pinger_late_total", "",
               "Such replies that proved nothing: late, or to another UE.");
METRIC_COUNTER(n_forged, "tof_pinger_foreign_total", "",
               "Echo replies from a target that were not ours.");
METRIC_COUNTER(n_failed, "tof_pinger_failed_total", "",
               "Bearers that no reply came for.");
METRIC_COUNTER(n_send_errors, "tof_pinger_send_errors_total", "",
               "Echo requests that could not be sent.");

METRIC_HISTOGRAM(learn_time, "tof_learn_seconds",
                 "From when a bearer's downlink tunnel was asked for until a "
                 "reply has shown it.");

#define LINGER_MS 5000
#define RETRY_MS 2              /* What cannot be sent yet is tried again. */
#define PAUSE_MIN_MS 1000       /* Of who asks on. */
#define PAUSE_MAX_MS 60000

#define MAGIC 0x544f4650        /* "TOFP" */
#define KEY_FILE "pinger.key"

/* In an ICMP message. */
#define TAGGED_OFFSET 4         /* From the identifier on, */
#define TAG_OFFSET (PINGER_ICMP_LEN - 8)        /* up to the tag. */

struct nonce {
    uint64_t word[2];
};

/* The cookie of one request. */
struct cookie {
    uint32_t bearer_id;
    uint16_t seq;
    struct nonce nonce;
};

/* Of one address family each; taken in turn. */
struct target_list {
    struct in6_addr *addrs;
    size_t n;
};

struct job {
    struct hmap_node node;              /* In jobs, by id. */
    struct ovs_list queue_node;         /* In urgent or normal, else empty. */
    struct heap_node due_node;          /* In asleep, if in no queue. */
    uint32_t bearer_id;
    struct in6_addr ue;                 /* Its key: see addr_ue_key(). */
    const struct target_list *targets;
    bool urgent;
    long long int asked_us;             /* When it was begun; 0 once a reply
                                         * has come. */
    long long int sent_at;              /* The last request; else 0. */
    bool done;                          /* Sends nothing any more. */
    bool answered;                      /* A reply has served. */
    unsigned int attempts;
    unsigned int delays;        /* Times that it could not be sent yet. */
    unsigned int pause;         /* Of one that goes on: ms after the next
                                 * request; else 0. */
    long long int due;
    uint16_t seq;                       /* Of the last request sent. */
    unsigned int n_valid;               /* So many of them may be answered. */
    struct nonce nonces[];              /* By seq, 'attempts' of them. */
};

static struct secure_key key;
static bool key_known;

static struct hmap jobs;
static struct ovs_list urgent, normal;  /* To be sent now. */
static struct heap asleep;              /* Waiting for 'due', next first. */
static struct token_bucket bucket;
static pinger_send_cb *send_cb;
static pinger_failed_cb *failed_cb;
static const struct conf *conf;
static struct target_list targets4, targets6;
static long long int last_reply;

static uint64_t
n_jobs_metric(void)
{
    return hmap_count(&jobs);
}

METRIC_GAUGE(g_jobs, "tof_pinger_jobs", "", "Bearers being proved.",
             n_jobs_metric);

static uint64_t
tag_of(const uint8_t icmp[PINGER_ICMP_LEN])
{
    return secure_hash(&key, icmp + TAGGED_OFFSET,
                       TAG_OFFSET - TAGGED_OFFSET);
}

/* The ICMP message, alike in both families but for its type. */
static void
build_icmp(uint8_t type, const struct cookie *cookie,
           uint8_t icmp[PINGER_ICMP_LEN])
{
    uint32_t magic = htonl(MAGIC), id = htonl(cookie->bearer_id);
    uint16_t seq = htons(cookie->seq);
    uint64_t tag;

    memset(icmp, 0, 8);
    icmp[0] = type;
    memcpy(icmp + 4, &cookie->nonce, 2);        /* Identifier. */
    memcpy(icmp + 6, &seq, sizeof seq);
    memcpy(icmp + 8, &magic, sizeof magic);
    memcpy(icmp + 12, &id, sizeof id);
    memcpy(icmp + 16, &cookie->nonce, sizeof cookie->nonce);
    tag = tag_of(icmp);
    memcpy(icmp + TAG_OFFSET, &tag, sizeof tag);
}

static size_t
build_ipv4(const struct in6_addr *dst, const struct cookie *cookie,
           uint8_t *buf)
{
    struct ip_header ip = {
        .ip_ihl_ver = IP_IHL_VER(5, 4),
        .ip_tot_len = htons(IP_HEADER_LEN + PINGER_ICMP_LEN),
        .ip_frag_off = htons(IP_DONT_FRAGMENT),
        .ip_ttl = 64,
        .ip_proto = IPPROTO_ICMP,
    };
    uint8_t *icmp = buf + sizeof ip;
    ovs_be16 sum;

    put_16aligned_be32(&ip.ip_dst, in6_addr_get_mapped_ipv4(dst));
    ip.ip_csum = csum_finish(csum_continue(0, &ip, sizeof ip));
    memcpy(buf, &ip, sizeof ip);
    build_icmp(ICMP4_ECHO_REQUEST, cookie, icmp);
    sum = csum(icmp, PINGER_ICMP_LEN);
    memcpy(icmp + 2, &sum, sizeof sum);
    return sizeof ip + PINGER_ICMP_LEN;
}

static size_t
build_ipv6(const struct in6_addr *dst, const struct cookie *cookie,
           uint8_t *buf)
{
    struct ovs_16aligned_ip6_hdr ip;
    uint8_t *icmp = buf + sizeof ip;
    ovs_be16 sum;

    memset(&ip, 0, sizeof ip);
    ip.ip6_vfc = 6 << 4;
    ip.ip6_plen = htons(PINGER_ICMP_LEN);
    ip.ip6_nxt = IPPROTO_ICMPV6;
    ip.ip6_hlim = 64;
    memcpy(&ip.ip6_dst, dst, sizeof ip.ip6_dst);
    memcpy(buf, &ip, sizeof ip);
    build_icmp(ICMP6_ECHO_REQUEST, cookie, icmp);
    sum = csum_finish(csum_continue(packet_csum_pseudoheader6(&ip), icmp,
                                    PINGER_ICMP_LEN));
    memcpy(icmp + 2, &sum, sizeof sum);
    return sizeof ip + PINGER_ICMP_LEN;
}

/* Builds the request to 'target', of either family, into 'buf', with an
 * unspecified source address.  Returns its length. */
static size_t
build_request(const struct in6_addr *target, const struct cookie *cookie,
              uint8_t buf[PINGER_PACKET_MAX])
{
    return (IN6_IS_ADDR_V4MAPPED(target) ? build_ipv4 : build_ipv6)(
        target, cookie, buf);
}

/* The message in an IP packet if that can be an echo reply for us, without
 * options or extension headers; else NULL. */
static const uint8_t *
find_echo_reply(const uint8_t *ip, size_t len)
{
    if (len >= IP_HEADER_LEN + PINGER_ICMP_LEN && ip[0] == IP_IHL_VER(5, 4)
        && ip[9] == IPPROTO_ICMP && ip[IP_HEADER_LEN] == ICMP4_ECHO_REPLY) {
        return ip + IP_HEADER_LEN;
    } else if (len >= IPV6_HEADER_LEN + PINGER_ICMP_LEN && ip[0] >> 4 == 6
               && ip[6] == IPPROTO_ICMPV6
               && ip[IPV6_HEADER_LEN] == ICMP6_ECHO_REPLY) {
        return ip + IPV6_HEADER_LEN;
    }
    return NULL;
}

/* Takes the cookie out of what may be a reply.  Returns false if it is none of
 * ours. */
static bool
parse_reply(const void *ip, size_t len, struct cookie *cookie)
{
    const uint8_t *icmp = find_echo_reply(ip, len);
    uint32_t magic, id;
    uint64_t tag;
    uint16_t seq;

    if (!icmp || !key_known) {
        return false;
    }
    memcpy(&seq, icmp + 6, sizeof seq);
    memcpy(&magic, icmp + 8, sizeof magic);
    memcpy(&id, icmp + 12, sizeof id);
    memcpy(&cookie->nonce, icmp + 16, sizeof cookie->nonce);
    memcpy(&tag, icmp + TAG_OFFSET, sizeof tag);
    cookie->bearer_id = ntohl(id);
    cookie->seq = ntohs(seq);
    return ntohl(magic) == MAGIC && tag == tag_of(icmp);
}

/* The key of the UE that a packet, of either family, is for. */
static struct in6_addr
receiver_of(const void *packet)
{
    const uint8_t *ip = packet;
    struct in6_addr addr = { .s6_addr = { [10] = 0xff, 0xff } };

    if (ip[0] >> 4 == 4) {
        memcpy(&addr.s6_addr[12], ip + 16, 4);
    } else {
        memcpy(&addr, ip + 24, sizeof addr);
    }
    return addr_ue_key(&addr);
}

static struct target_list *
targets_of(sa_family_t family)
{
    return family == AF_INET ? &targets4 : &targets6;
}

/* Makes sure that there is a key.  Returns 0 or a positive errno value. */
static int
need_key(void)
{
    int error = key_known ? 0 : secure_key_load(conf->run_dir, KEY_FILE, &key,
                                                &key_known);

    if (error) {
        VLOG_WARN_RL(&rl, "%s/"KEY_FILE": %s%s", conf->run_dir,
                     ovs_strerror(error),
                     key_known ? "; replies that come after a restart of tofd "
                                 "will be switched to UEs" : "");
    }
    return key_known ? 0 : error;
}

void
pinger_init(const struct conf *conf_, pinger_send_cb *send,
            pinger_failed_cb *failed)
{
    conf = conf_;
    key_known = false;
    send_cb = send;
    failed_cb = failed;
    hmap_init(&jobs);
    ovs_list_init(&urgent);
    ovs_list_init(&normal);
    heap_init(&asleep);
    /* Tokens are thousandths of a packet, as its clock is in ms. */
    token_bucket_init(&bucket, conf->pinger.rate_per_second,
                      MAX(1000, conf->pinger.rate_per_second * 100));
    for (size_t i = 0; i < conf->pinger.n_targets; i++) {
        const struct in6_addr *addr = &conf->pinger.targets[i];
        struct target_list *list = targets_of(addr_family(addr));

        list->addrs = xrealloc(list->addrs,
                               (list->n + 1) * sizeof *list->addrs);
        list->addrs[list->n++] = *addr;
    }
    need_key();
}

bool
pinger_has_target(sa_family_t family)
{
    return targets_of(family)->n != 0;
}

static struct job *
find(uint32_t id)
{
    struct job *job;

    HMAP_FOR_EACH_WITH_HASH (job, node, hash_int(id, 0), &jobs) {
        if (job->bearer_id == id) {
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
    free(targets4.addrs);
    free(targets6.addrs);
    targets4 = targets6 = (struct target_list) { .n = 0 };
}

static struct job *
create(uint32_t id, const struct in6_addr *ue)
{
    struct job *job = xzalloc(sizeof *job + (conf->pinger.attempts
                                             * sizeof *job->nonces));

    job->bearer_id = id;
    job->ue = *ue;
    job->targets = targets_of(addr_family(ue));
    hmap_insert(&jobs, &job->node, hash_int(id, 0));
    return job;
}

/* The job of that bearer for this very UE. */
static struct job *
find_own(uint32_t id, const struct in6_addr *ue)
{
    struct job *job = find(id);

    if (job && !IN6_ARE_ADDR_EQUAL(&job->ue, ue)) {
        destroy(job);           /* Of one that had the identifier before. */
        job = NULL;
    }
    return job;
}

void
pinger_ask(uint32_t id, const struct in6_addr *ue, bool is_urgent)
{
    struct job *job = find_own(id, ue);

    if (!pinger_has_target(addr_family(ue))) {
        return;
    }
    if (!job) {
        job = create(id, ue);
        job->asked_us = time_usec();
        job->urgent = is_urgent;
        enqueue(job);
    } else if (job->done) {
        job->asked_us = time_usec();
        job->done = job->answered = false;
        job->attempts = job->delays = 0;
        job->urgent = is_urgent;
        unqueue(job);
        enqueue(job);
    } else if (is_urgent && !job->urgent) {
        job->urgent = true;
        job->attempts = job->pause = 0;
        unqueue(job);
        enqueue(job);
    }
}

static void
sleep_until(struct job *job, long long int due)
{
    job->due = due;
    unqueue(job);
    heap_insert(&asleep, &job->due_node, UINT64_MAX - due);
}

/* Lets 'job' sleep until it is forgotten. */
static void
linger(struct job *job)
{
    job->done = true;
    sleep_until(job, time_msec() + LINGER_MS);
}

/* How long 'job' waits after a request, ms. */
static long long int
next_pause(struct job *job)
{
    const unsigned int backoff = job->urgent ? 0 : MIN(job->attempts - 1, 6);
    const unsigned int pause = job->pause;

    if (pause) {
        job->pause = MIN(2 * pause, PAUSE_MAX_MS);
        job->delays = 0;
        return pause;
    }
    return (long long int) conf->pinger.interval_ms << backoff;
}

void
pinger_ask_on(uint32_t id, const struct in6_addr *ue)
{
    struct job *job = find_own(id, ue);

    if (!pinger_has_target(addr_family(ue)) || (job && job->pause)) {
        return;
    }
    if (!job) {
        job = create(id, ue);
        enqueue(job);
    }
    job->urgent = false;
    job->delays = 0;
    job->pause = PAUSE_MIN_MS;
    if (job->done) {
        job->done = job->answered = false;
        sleep_until(job, time_msec() + next_pause(job));
    }
}

void
pinger_stop(uint32_t id)
{
    struct job *job = find(id);

    if (job) {
        job->pause = 0;
    }
    if (job && job->sent_at) {
        job->n_valid = 0;
        linger(job);
    } else if (job) {
        destroy(job);
    }
}

void
pinger_confirm(uint32_t id)
{
    struct job *job = find(id);

    if (job && job->pause) {
        job->attempts = job->pause = 0;
        unqueue(job);
        enqueue(job);
    }
    if (job) {
        job->answered = true;
    }
}

bool
pinger_is_active(uint32_t id)
{
    const struct job *job = find(id);

    return job && job->sent_at && time_msec() - job->sent_at <= LINGER_MS;
}

bool
pinger_describe(uint32_t id, struct pinger_state *state)
{
    const struct job *job = find(id);

    if (job) {
        state->attempts = job->attempts;
        state->sent = job->sent_at;
    }
    return job != NULL;
}

long long int
pinger_last_reply(void)
{
    return last_reply;
}

static struct nonce *
nonce_of(struct job *job, uint16_t seq)
{
    return &job->nonces[seq % conf->pinger.attempts];
}

/* Whether a request of 'job', whose reply still counts, had that cookie. */
static bool
is_valid(struct job *job, const struct cookie *cookie)
{
    return ((uint16_t) (job->seq - cookie->seq) < job->n_valid
            && !memcmp(nonce_of(job, cookie->seq), &cookie->nonce,
                       sizeof cookie->nonce));
}

bool
pinger_is_reply(const void *ip, size_t len, uint32_t *id)
{
    struct cookie cookie;

    if (!parse_reply(ip, len, &cookie)) {
        metric_inc(&n_forged);
        return false;
    }

    struct in6_addr ue = receiver_of(ip);
    struct job *job = find(cookie.bearer_id);
    bool proves = (job && IN6_ARE_ADDR_EQUAL(&job->ue, &ue)
                   && is_valid(job, &cookie));

    metric_inc(&n_replies);
    last_reply = time_msec();
    if (!proves) {
        metric_inc(&n_late);
    } else if (job->asked_us) {
        histogram_add(&learn_time, time_usec() - job->asked_us);
        job->asked_us = 0;
    }
    *id = proves ? cookie.bearer_id : 0;
    return true;
}

static void
give_up(struct job *job)
{
    uint32_t id = job->bearer_id;

    linger(job);                /* Paging may take longer. */
    if (!job->answered) {
        metric_inc(&n_failed);
        failed_cb(id);
    }
}

/* What can be sent soon is tried again soon, and that was no attempt; unless
 * it goes on for as long as one.  False if it is not so. */
static bool
delay(struct job *job, int error)
{
    if (error != EAGAIN
        || job->delays * RETRY_MS >= conf->pinger.interval_ms) {
        return false;
    }
    job->delays++;
    job->attempts--;
    sleep_until(job, time_msec() + RETRY_MS);
    return true;
}

/* Sends a request to 'target'.  Returns 0, or a positive errno value and then
 * none has been sent: there is none without a nonce that is random. */
static int
send_request(struct job *job, const struct in6_addr *target)
{
    struct cookie cookie = { job->bearer_id, job->seq + 1, { { 0, 0 } } };
    uint8_t packet[PINGER_PACKET_MAX];
    int error = need_key();

    error = error ? error : secure_random(&cookie.nonce, sizeof cookie.nonce);
    if (error) {
        VLOG_WARN_RL(&rl, "no random numbers, so no pings: %s",
                     ovs_strerror(error));
        return error;
    }
    job->seq = cookie.seq;
    job->n_valid = MIN(job->n_valid + 1, conf->pinger.attempts);
    *nonce_of(job, cookie.seq) = cookie.nonce;
    job->sent_at = time_msec();
    error = send_cb(job->bearer_id, packet,
                    build_request(target, &cookie, packet));
    if (error && job->n_valid) {
        job->seq--;
        job->n_valid--;
    }
    return error;
}

/* Sends one request, or gives up if all have been sent. */
static void
attempt(struct job *job)
{
    const struct target_list *targets = job->targets;
    int error;

    if (job->attempts >= conf->pinger.attempts && !job->pause) {
        give_up(job);
        return;
    }
    error = send_request(job,
                         &targets->addrs[job->attempts++ % targets->n]);
    if (!delay(job, error)) {
        metric_inc(error ? &n_send_errors : &n_requests);
        sleep_until(job, time_msec() + next_pause(job));
    }
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
