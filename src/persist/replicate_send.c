/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Those who follow this TOF: see replicate_send.h.
 *
 * Who has connected has a few seconds to show that it is a TOF: by its
 * certificate, with TLS, and by saying that it is alive.  Only then it counts
 * as a follower, and is told anything; so those who cannot show it keep no
 * follower out.
 *
 * A follower is a stream, what is still to be sent on it, and a place in the
 * session table, where the current round has come to.  Changes are told at
 * once, between the records of a round; where a change comes before the round
 * gets to its bearer, the round says the same or something newer. */

#include <config.h>

#include "persist/replicate_send.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/descriptors.h"
#include "base/metrics.h"
#include "base/status.h"
#include "base/visitors.h"
#include "conf/conf.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "persist/replicate_names.h"
#include "session/session.h"
#include "socket-util.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(replicate_send);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 20);

#define FOLLOWERS_MAX 16
#define UNKNOWN_MAX 64                  /* Who have not shown it yet. */
#define UNKNOWN_OF_ADDRESS_MAX 16
#define UNKNOWN_RESERVED 16             /* Even if descriptors are scarce. */
#define GREETING_MS 5000                /* To show it. */
#define UNREAD_MS 10000                 /* To read anything of what waits. */
#define RETRY_MS 1000
#define ACCEPTS 16                      /* A round of the loop. */
#define VISITS 2000                     /* Bearers a round of the loop. */
#define WALK_BUFFERED (256 * 1024)      /* A walk goes on below that. */
#define BUFFERED_MAX (16 * 1024 * 1024)

METRIC_COUNTER(n_told, "tof_standby_told_total", "",
               "Records sent to TOFs that follow this one.");
METRIC_COUNTER(n_cut_off, "tof_standby_cut_off_total", "",
               "Followers cut off because they did not read.");
#define REFUSED(VAR, REASON) \
    METRIC_COUNTER(VAR, "tof_standby_refused_total", \
                   "reason=\"" REASON "\"", \
                   "Connections that did not become followers, by reason.")
REFUSED(refused_silent, "silent");
REFUSED(refused_no_tof, "no_tof");
REFUSED(refused_name, "name");
REFUSED(refused_gave_way, "gave_way");
REFUSED(refused_number, "number");
REFUSED(refused_descriptors, "descriptors");

struct follower {
    struct visitor visitor;             /* In 'unknown', until it greets; */
    struct ovs_list node;               /* then in 'followers'. */
    struct stream *stream;
    uint8_t *buffer;
    size_t sent, end, allocated;        /* Bytes of 'buffer'. */
    bool walking;
    uint32_t cursor;                    /* The last bearer looked at. */
    long long int began, since;         /* This round; active ones only. */
    long long int alive_due;
    uint8_t said[STATELET_LEN];         /* It says only that it is alive. */
    size_t n_said;
    long long int added_at, heard_at, read_at;
    bool greeted;                       /* It has said so: */
    uint64_t its_time;                  /* When, by its clock, */
    long long int our_time;             /* and when that was read. */
};

static const struct conf *conf;
static struct pstream *listener;
static struct ovs_list followers;
static size_t n_followers;
static struct visitors unknown;
static long long int listen_at;         /* Not before this. */

static uint64_t
count(void)
{
    return n_followers;
}

METRIC_GAUGE(n_now, "tof_standby_followers", "",
             "TOFs that follow this one.", count);

void
replicate_send_init(const struct conf *conf_)
{
    conf = conf_;
    ovs_list_init(&followers);
    visitors_init(&unknown, UNKNOWN_MAX, UNKNOWN_OF_ADDRESS_MAX);
    if (!conf->standby.listen) {
        status_set(STATUS_FOLLOWERS, true, "none, standby.listen is not set");
    }
}

static void
report(void)
{
    status_set(STATUS_FOLLOWERS, true, "%"PRIuSIZE" connected to %s",
               n_followers, conf->standby.listen);
}

static void
drop(struct follower *f, const char *why)
{
    VLOG_INFO_RL(&rl, "follower %s: %s", stream_get_name(f->stream), why);
    if (f->greeted) {
        ovs_list_remove(&f->node);
        n_followers--;
        report();
    } else {
        visitors_remove(&f->visitor);
    }
    stream_close(f->stream);
    free(f->buffer);
    free(f);
}

/* The same of one that has not become a follower. */
static void
refuse(struct follower *f, struct metric *reason, const char *why)
{
    metric_inc(reason);
    drop(f, why);
}

static struct follower *
first_unknown(const struct in6_addr *from)
{
    struct visitor *v = visitors_first(&unknown, from);

    return v ? CONTAINER_OF(v, struct follower, visitor) : NULL;
}

void
replicate_send_destroy(void)
{
    struct follower *f;

    LIST_FOR_EACH_SAFE (f, node, &followers) {
        drop(f, "this TOF ends");
    }
    while ((f = first_unknown(NULL)) != NULL) {
        drop(f, "this TOF ends");
    }
    pstream_close(listener);
    listener = NULL;
}

/* What is said. */

static size_t
buffered(const struct follower *f)
{
    return f->end - f->sent;
}

static void
make_room(struct follower *f)
{
    if (f->end + STATELET_LEN <= f->allocated) {
        return;
    }
    memmove(f->buffer, f->buffer + f->sent, buffered(f));
    f->end -= f->sent;
    f->sent = 0;
    if (f->end + STATELET_LEN > f->allocated / 2) {
        f->allocated = MAX(WALK_BUFFERED, 2 * f->allocated);
        f->buffer = xrealloc(f->buffer, f->allocated);
    }
}

/* What is beyond the limit is not kept: replicate_send_run() cuts it off. */
static void
tell(struct follower *f, struct statelet st)
{
    if (buffered(f) <= BUFFERED_MAX) {
        st.time_ms = f->its_time + (time_msec() - f->our_time);
        make_room(f);
        statelet_encode(&st, f->buffer + f->end);
        f->end += STATELET_LEN;
        metric_inc(&n_told);
    }
}

static void
tell_bearer(struct follower *f, const struct bearer *b, enum statelet_op op)
{
    struct statelet st;

    session_to_statelet(b, &st);
    st.op = op;
    tell(f, st);
}

/* That the tunnel of a bearer has ended may be known here first-hand though
 * the bearer is not. */
static bool
is_first_hand(const struct bearer *b, enum statelet_op op)
{
    return (!b->replicated
            || (op == STATELET_INVALID && b->judged != LLONG_MIN));
}

void
replicate_send_bearer(const struct bearer *b, enum statelet_op op)
{
    struct follower *f;

    if (is_first_hand(b, op) && b->state != BEARER_EMBRYONIC) {
        LIST_FOR_EACH (f, node, &followers) {
            tell_bearer(f, b, op);
        }
    }
}

void
replicate_send_path(enum filter_side side, const struct in6_addr *src,
                    const struct in6_addr *dst, const struct l2_header *l2)
{
    const struct statelet st = statelet_of_path(side == SIDE_SGW, src, dst,
                                                l2);
    struct follower *f;

    /* Where packets are routed here, headers lead to this host. */
    if (!conf->s1u.interface) {
        LIST_FOR_EACH (f, node, &followers) {
            tell(f, st);
        }
    }
}

/* Followers. */

static void
tell_path(enum filter_side side, const struct in6_addr *src,
          const struct in6_addr *dst, const struct l2_header *l2,
          void *follower)
{
    tell(follower, statelet_of_path(side == SIDE_SGW, src, dst, l2));
}

static void
start_round(struct follower *f, long long int since)
{
    f->walking = true;
    f->cursor = 0;
    f->since = since;
    f->began = time_msec();
}

/* The first thing that it has said: it is a TOF. */
static void
greet(struct follower *f)
{
    VLOG_INFO_RL(&rl, "follower %s: connected", stream_get_name(f->stream));
    visitors_remove(&f->visitor);
    ovs_list_push_back(&followers, &f->node);
    n_followers++;
    f->greeted = true;
    f->read_at = time_msec();
    report();
    if (!conf->s1u.interface) {
        l2_dump(false, tell_path, f);
    }
    start_round(f, LLONG_MIN);
}

/* Where 'stream' comes from, whose name is "PROTOCOL:ADDRESS:PORT". */
static struct in6_addr
address_of(const struct stream *stream)
{
    const char *colon = strchr(stream_get_name(stream), ':');
    struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };

    if (colon) {
        inet_parse_active(colon + 1, 0, &ss, false, NULL);
    }
    return visitors_address((const struct sockaddr *) &ss);
}

/* One more is here: others may have to give way for it. */
static void
add(struct stream *stream)
{
    struct follower *f = xzalloc(sizeof *f), *first = NULL;
    const struct in6_addr from = address_of(stream);
    const enum visitors_limit limit = visitors_limit(&unknown, &from);

    if (limit != VISITORS_ROOM) {
        first = first_unknown(limit == VISITORS_OF_ADDRESS ? &from : NULL);
        refuse(first, &refused_gave_way, "gave way to the next one");
    }
    f->stream = stream;
    f->added_at = f->heard_at = time_msec();
    visitors_add(&unknown, &f->visitor, &from);
    if (ovs_list_size(&unknown.list) > UNKNOWN_RESERVED
        && descriptors_are_scarce()) {
        refuse(first_unknown(NULL), &refused_descriptors,
               "closed, there are too few descriptors");
    }
}

static void
run_listener(void)
{
    struct stream *stream;
    int error;

    if (!listener && time_msec() >= listen_at) {
        /* PORT:ADDRESS there, ADDRESS:PORT here. */
        const char *colon = strrchr(conf->standby.listen, ':');
        char *name = xasprintf("%s:%s:%.*s", conf->tls.key ? "pssl" : "ptcp",
                               colon + 1, (int) (colon - conf->standby.listen),
                               conf->standby.listen);

        listen_at = time_msec() + RETRY_MS;
        error = pstream_open(name, &listener, DSCP_DEFAULT);
        free(name);
        if (error) {
            status_set(STATUS_FOLLOWERS, false, "%s: %s",
                       conf->standby.listen, ovs_strerror(error));
            return;
        }
        report();
    }
    for (int i = 0; i < ACCEPTS; i++) {
        if (!listener || pstream_accept(listener, &stream)) {
            return;
        }
        add(stream);
    }
    poll_immediate_wake();
}

/* That its proof has been kept up is none. */
static bool
is_news(const struct follower *f, const struct bearer *b)
{
    return (!b->replicated && b->state != BEARER_EMBRYONIC
            && b->seen >= f->since);
}

static void
walk(struct follower *f)
{
    for (int i = 0; i < VISITS && buffered(f) < WALK_BUFFERED; i++) {
        const struct bearer *b = session_next_bearer(f->cursor);

        if (!b) {
            f->walking = false;
            return;
        }
        f->cursor = b->id;
        if (is_news(f, b)) {
            tell_bearer(f, b, STATELET_BEARER);
        }
    }
}

static long long int
next_round(const struct follower *f)
{
    return f->began + conf->sessions.evidence_seconds * 1000ll / 4;
}

/* Each of these returns NULL, or why the stream has ended. */

/* '*said': has it said once more that it is alive? */
static const char *
listen_to(struct follower *f, bool *said)
{
    struct statelet st;
    int n = stream_recv(f->stream, f->said + f->n_said,
                        sizeof f->said - f->n_said);

    *said = false;
    if (n == -EAGAIN) {
        return (time_msec() < f->heard_at + STATELET_SILENCE_MS ? NULL
                : "cut off, it has fallen silent");
    } else if (n <= 0) {
        return n ? ovs_strerror(-n) : "has gone";
    }
    f->heard_at = time_msec();
    f->n_said += n;
    if (f->n_said < sizeof f->said) {
        return NULL;
    }
    f->n_said = 0;
    if (!statelet_decode(f->said, &st) || st.op != STATELET_ALIVE) {
        return "cut off, it is no TOF";
    }
    f->its_time = st.time_ms;
    f->our_time = f->heard_at;
    *said = true;
    return NULL;
}

static const char *
speak_to(struct follower *f)
{
    while (buffered(f)) {
        int n = stream_send(f->stream, f->buffer + f->sent, buffered(f));
        if (n <= 0) {
            return n == -EAGAIN ? NULL : ovs_strerror(-n);
        }
        f->sent += n;
        f->read_at = time_msec();
    }
    f->sent = f->end = 0;
    f->read_at = time_msec();
    return NULL;
}

/* One that has not shown yet that it is a TOF. */
static void
run_unknown(struct follower *f)
{
    const char *gone;
    bool said;

    if (time_msec() >= f->added_at + GREETING_MS) {
        refuse(f, &refused_silent, "closed, it has not said what it is");
        return;
    }
    stream_run(f->stream);
    gone = listen_to(f, &said);
    if (gone) {
        refuse(f, &refused_no_tof, gone);
    } else if (said && !replicate_is_allowed(conf, f->stream)) {
        refuse(f, &refused_name, "refused, its certificate has another name "
               "than those of standby.names");
    } else if (said && n_followers >= FOLLOWERS_MAX) {
        refuse(f, &refused_number, "refused, there are enough already");
    } else if (said) {
        greet(f);
    }
}

/* One that lives, but takes nothing of what is said, keeps memory. */
static bool
does_not_read(const struct follower *f)
{
    return (buffered(f) > BUFFERED_MAX
            || (buffered(f) && time_msec() >= f->read_at + UNREAD_MS));
}

static void
run_follower(struct follower *f)
{
    const char *gone;
    bool said;

    if (f->walking) {
        walk(f);
    } else if (time_msec() >= next_round(f)) {
        start_round(f, f->began);
    }
    if (time_msec() >= f->alive_due) {
        const struct statelet alive = { .op = STATELET_ALIVE };

        f->alive_due = time_msec() + STATELET_ALIVE_MS;
        tell(f, alive);
    }
    stream_run(f->stream);
    gone = listen_to(f, &said);
    gone = gone ? gone : speak_to(f);
    if (!gone && does_not_read(f)) {
        metric_inc(&n_cut_off);
        gone = "cut off, it does not read";
    }
    if (gone) {
        drop(f, gone);
    }
}

void
replicate_send_run(void)
{
    struct follower *f;

    if (conf->standby.listen) {
        run_listener();
    }
    LIST_FOR_EACH_SAFE (f, visitor.node, &unknown.list) {
        run_unknown(f);
    }
    LIST_FOR_EACH_SAFE (f, node, &followers) {
        run_follower(f);
    }
}

static void
wait_for_follower(const struct follower *f)
{
    if (buffered(f)) {
        stream_send_wait(f->stream);
        poll_timer_wait_until(f->read_at + UNREAD_MS);
    }
    if (!f->walking) {
        poll_timer_wait_until(next_round(f));
    } else if (buffered(f) < WALK_BUFFERED) {
        poll_immediate_wake();
    }
    poll_timer_wait_until(MIN(f->alive_due,
                              f->heard_at + STATELET_SILENCE_MS));
}

void
replicate_send_wait(void)
{
    struct follower *f;

    if (listener) {
        pstream_wait(listener);
    } else if (conf->standby.listen) {
        poll_timer_wait_until(listen_at);
    }
    LIST_FOR_EACH (f, visitor.node, &unknown.list) {
        stream_run_wait(f->stream);
        stream_recv_wait(f->stream);
        poll_timer_wait_until(f->added_at + GREETING_MS);
    }
    LIST_FOR_EACH (f, node, &followers) {
        stream_run_wait(f->stream);
        stream_recv_wait(f->stream);
        wait_for_follower(f);
    }
}
