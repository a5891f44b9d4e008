/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The packets of one UE, for an operator who looks on: see trace.h.
 *
 *     endpoint, NAT, forward.c --> keep() --> records --> api/tracing.c
 *                          |
 *                          +-> drops.c --> explain.c
 *
 * A record is kept until its reader has asked for those after it.  There are
 * no more than KEPT_MAX, and no more than RATE a second: what is beyond is
 * counted as lost. */

#include <config.h>

#include "trace/trace.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "gtp/gtpu.h"
#include "nat/nat.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/token-bucket.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "session/session.h"
#include "trace/drops.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(trace);

#define KEPT_MAX 8192
#define RATE 5000               /* Packets a second; and at once, as many as
                                 * are kept. */
#define ABANDONED_MS 5000       /* Its reader has asked for nothing. */

struct kept {
    struct ovs_list node;       /* In 'records'. */
    struct trace_record r;
    uint8_t bytes[];
};

#define DROPPED "dropped"       /* Where such a packet goes. */

static bool allowed, whole;
static const struct endpoint_class *endpoint;

static bool running, readable;
static struct in6_addr traced;          /* While 'readable'. */
static long long int until, asked;
static uint64_t n_told, n_lost, n_lost_below;
static struct token_bucket bucket;
static struct ovs_list records = OVS_LIST_INITIALIZER(&records);
static size_t n_records;

static size_t
cut(size_t captured)
{
    return whole ? captured : MIN(captured, TRACE_CAPTURED);
}

/* NAT, whose rules know a UE's address only. */

static void
nat_dropped(const struct nat_drop *drop)
{
    const struct traced_packet p = {
        .time = clock_ns(CLOCK_REALTIME),
        .direction = drop->down ? ENDPOINT_DOWN : ENDPOINT_UP,
        .frame = drop->ip, .captured = drop->len, .length = drop->len,
        .bare = true, .where = DROPPED, .reason = drop->reason,
    };

    trace_packet(&p);
}

/* The rest of the trace works without. */
static void
check_nat(int error)
{
    static bool said;

    if (error && !said) {
        said = true;
        VLOG_WARN("traces lack what the rules of the NAT namespace drop: "
                  "NFLOG%s: %s", error == EPERM ? " (another reader?)" : "",
                  ovs_strerror(error));
    }
}

/* Start and end. */

void
trace_init(const struct conf *conf, const struct endpoint_class *endpoint_)
{
    allowed = conf->trace.allow;
    whole = conf->trace.payload;
    endpoint = endpoint_;
}

static void
forget(struct kept *k)
{
    ovs_list_remove(&k->node);
    n_records--;
    free(k);
}

static bool
is_ambiguous(const struct in6_addr *ue)
{
    const struct session *s = session_next_of_ue(ue, NULL);

    return s && session_next_of_ue(ue, s);
}

int
trace_start(const struct in6_addr *ue, unsigned int seconds)
{
    int error = (!allowed ? EPERM : readable ? EBUSY
                 : is_ambiguous(ue) ? ENOTUNIQ
                 : endpoint->trace_start(ue, seconds));

    if (!error) {
        running = readable = true;
        traced = *ue;
        asked = time_msec();
        until = asked + seconds * 1000ll;
        n_told = n_lost = n_lost_below = 0;
        token_bucket_init(&bucket, RATE / 1000, KEPT_MAX);
        check_nat(nat_trace_start(ue, cut(UINT16_MAX), nat_dropped));
    }
    return error;
}

/* What has been seen may still be read. */
static void
stop(const char *why)
{
    if (running) {
        nat_trace_stop();
        running = false;
        endpoint->trace_stop();
        VLOG_INFO("the trace of %s has ended: %s; %"PRIu64" packets seen, "
                  "%"PRIu64" lost", log_ue(&traced), why, n_told,
                  trace_lost());
    }
}

void
trace_end(void)
{
    struct kept *k;

    stop("asked to");
    readable = false;
    LIST_FOR_EACH_SAFE (k, node, &records) {
        forget(k);
    }
}

void
trace_destroy(void)
{
    trace_end();
}

void
trace_run(void)
{
    if (running) {
        check_nat(nat_trace_run());
    }
    if (running && time_msec() >= until) {
        stop("its time is over");
    } else if (running && is_ambiguous(&traced)) {
        stop("another UE has this address, too");
    }
    if (readable && time_msec() >= asked + ABANDONED_MS) {
        stop("nobody looks at it");
        trace_end();
    }
}

void
trace_wait(void)
{
    if (nat_trace_fd() >= 0) {
        poll_fd_wait(nat_trace_fd(), POLLIN);
    }
    if (readable) {
        poll_timer_wait_until(running ? MIN(until, asked + ABANDONED_MS)
                              : asked + ABANDONED_MS);
    }
}

/* Its reader. */

const struct in6_addr *
trace_ue(void)
{
    return readable ? &traced : NULL;
}

bool
trace_is_running(void)
{
    return running;
}

uint64_t
trace_lost(void)
{
    return n_lost + n_lost_below + nat_trace_lost();
}

const struct trace_record *
trace_after(uint64_t number)
{
    struct kept *k;

    asked = time_msec();
    LIST_FOR_EACH_SAFE (k, node, &records) {
        if (k->r.number > number) {
            return &k->r;
        }
        forget(k);
    }
    return NULL;
}

const struct trace_record *
trace_next(const struct trace_record *r)
{
    const struct kept *k = CONTAINER_OF(r, struct kept, r);

    return (k->node.next != &records
            ? &CONTAINER_OF(k->node.next, struct kept, node)->r : NULL);
}

/* Packets. */

/* The UE's key. */
static struct in6_addr
ue_of(enum endpoint_direction direction, const struct gtpu_inner *packet)
{
    return addr_ue_key(direction == ENDPOINT_UP ? &packet->src : &packet->dst);
}

/* Fills in what the first 'len' bytes of the UE's packet at 'ip' say.  False
 * if it is not one of the UE that is traced, or it cannot be told. */
static bool
read_packet(struct trace_record *r, const uint8_t *ip, size_t len)
{
    struct gtpu_inner inner;
    struct in6_addr key;

    if (gtpu_parse_inner_head(ip, len, &inner)) {
        return false;
    }
    r->src = inner.src;
    r->dst = inner.dst;
    r->proto = inner.proto;
    r->packet_length = inner.length;
    key = ue_of(r->direction, &inner);
    return IN6_ARE_ADDR_EQUAL(&key, &traced);
}

static void
keep(const struct trace_record *r)
{
    struct kept *k = xmalloc(sizeof *k + r->frame_captured
                             + r->packet_captured);
    uint8_t *bytes = k->bytes;

    k->r = *r;
    k->r.number = ++n_told;
    if (r->frame) {
        memcpy(bytes, r->frame, r->frame_captured);
        k->r.frame = bytes;
        bytes += r->frame_captured;
    }
    if (r->packet) {
        memcpy(bytes, r->packet, r->packet_captured);
        k->r.packet = bytes;
    }
    ovs_list_push_back(&records, &k->node);
    n_records++;
}

void
trace_packet(const struct traced_packet *p)
{
    const uint8_t *ip = p->frame + p->offset;
    const size_t len = p->captured > p->offset ? p->captured - p->offset : 0;
    struct trace_record r = {
        .time = p->time, .direction = p->direction, .where = p->where,
        .reason = p->reason,
    };

    if (!running || !read_packet(&r, ip, len)) {
        return;
    }
    if (!strcmp(p->where, DROPPED)) {
        drops_note(&traced, p->reason, time_msec());
    }
    if (n_records >= KEPT_MAX || !token_bucket_withdraw(&bucket, 1)) {
        n_lost++;
        return;
    }
    if (p->tunnelled) {
        r.frame = p->frame;
        r.frame_captured = cut(p->captured);
        r.frame_length = p->length;
    }
    if (p->bare) {
        r.packet = ip;
        r.packet_captured = cut(MIN(len, r.packet_length));
    }
    keep(&r);
}

void
trace_packets_lost(uint64_t n)
{
    n_lost_below = n;
}

void
trace_held(enum endpoint_direction direction, const void *ip, size_t len,
           bool bare, const char *where, const char *reason)
{
    if (running) {
        const struct traced_packet p = {
            .time = clock_ns(CLOCK_REALTIME),
            .direction = direction, .frame = ip, .captured = len,
            .length = len, .bare = bare && !endpoint->traces_sent,
            .where = where, .reason = reason,
        };
        trace_packet(&p);
    }
}

void
trace_dropped(enum endpoint_direction direction, const void *ip, size_t len,
              const char *reason)
{
    struct gtpu_inner packet;
    struct in6_addr key;

    if (gtpu_parse_inner_head(ip, len, &packet)) {
        return;
    }
    key = ue_of(direction, &packet);
    if (running && IN6_ARE_ADDR_EQUAL(&key, &traced)) {
        trace_held(direction, ip, len, false, DROPPED, reason);
    } else {
        drops_note(&key, reason, time_msec());
    }
}
