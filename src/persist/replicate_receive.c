/* SPDX-License-Identifier: GPL-3.0-or-later */

/* TOFs that this one follows: see replicate_receive.h.
 *
 * Nothing becomes fresher by being told.  Records have ages rather than times,
 * as clocks of hosts differ; the time that a record has been under way at most
 * (see replicate_send.h) is added to them. */

#include <config.h>

#include "persist/replicate_receive.h"

#include <errno.h>
#include <stdlib.h>

#include "base/addr.h"
#include "base/metrics.h"
#include "base/status.h"
#include "conf/conf.h"
#include "filter/l2.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "persist/replicate_names.h"
#include "session/session.h"
#include "session/statelet.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(replicate_receive);

#define RETRY_MS 1000
#define CONNECT_MS 5000
#define RECORDS 1024                    /* At a time. */
#define READS 4                         /* A round of the loop. */

METRIC_COUNTER(n_heard, "tof_standby_heard_total", "",
               "Records from TOFs that this one follows.");
METRIC_COUNTER(n_taken, "tof_standby_taken_total", "",
               "Such records of bearers that were taken over.");
METRIC_COUNTER(n_diverted, "tof_standby_diverted_total", "",
               "Such records by which a bearer was diverted, or stayed so.");

struct source {
    const char *target;                 /* ADDRESS:PORT. */
    struct stream *stream;              /* NULL: not before 'retry_at'. */
    bool connected;
    long long int retry_at, opened_at, heard_at, alive_due;
    char *problem;                      /* Why it was lost last, or NULL. */
    size_t len;
    uint8_t buffer[RECORDS * STATELET_LEN];
};

static const struct conf *conf;
static replicate_diverted_cb *diverted;
static struct source *sources;
static size_t n_sources;

static void
report(void)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    bool all = true;

    for (size_t i = 0; i < n_sources; i++) {
        const struct source *s = &sources[i];

        all = all && s->connected;
        ds_put_format(&ds, "%sfollows %s: %s", i ? "; " : "", s->target,
                      s->connected ? "connected"
                      : s->problem ? s->problem : "connecting");
    }
    status_set(STATUS_STANDBY, all, "%s",
               n_sources ? ds_cstr(&ds) : "follows no other TOF");
    ds_destroy(&ds);
}

void
replicate_receive_init(const struct conf *conf_,
                       replicate_diverted_cb *diverted_)
{
    conf = conf_;
    diverted = diverted_;
    n_sources = conf->standby.follow.n;
    sources = xcalloc(n_sources, sizeof *sources);
    for (size_t i = 0; i < n_sources; i++) {
        sources[i].target = conf->standby.follow.items[i];
    }
    report();
}

void
replicate_receive_destroy(void)
{
    for (size_t i = 0; i < n_sources; i++) {
        stream_close(sources[i].stream);
        free(sources[i].problem);
    }
    free(sources);
    sources = NULL;
    n_sources = 0;
}

/* What was said. */

/* Adds the time that 'st' has been under way. */
static void
make_older(struct statelet *st)
{
    const long long int now = time_msec();

    st->heard_age = statelet_age(st->heard_age, st->time_ms, now);
    st->seen_age = statelet_age(st->seen_age, st->time_ms, now);
    st->proved_age = statelet_age(st->proved_age, st->time_ms, now);
}

/* Whether there can be such a tunnel, with such a DSCP and QFI. */
static bool
is_tunnel(const struct in6_addr *enb, const struct in6_addr *sgw,
          uint8_t dscp, uint8_t qfi)
{
    return (addr_family(enb) == addr_family(sgw) && dscp < 64
            && qfi < 2 * QFI_PRESENT && conf_are_peers(conf, enb, sgw));
}

static void
hear_bearer(struct statelet *st)
{
    const long long int now = time_msec();
    struct bearer *b;

    if (!st->teid_up || addr_problem(&st->ue)
        || !is_tunnel(&st->enb, &st->sgw, st->up_dscp, st->up_qfi)
        || (st->teid_down && !is_tunnel(&st->down_enb, &st->down_sgw,
                                        st->down_dscp, st->down_qfi))) {
        return;
    }
    /* Without a way to send answers a proof is worth nothing. */
    if (!l2_is_known(SIDE_SGW, &st->down_sgw, &st->down_enb)) {
        st->proved = false;
    }
    b = session_replicated(st, now);
    if (b) {
        metric_inc(&n_taken);
        if (st->diverted && diverted(b, now)) {
            metric_inc(&n_diverted);
        }
    }
}

static void
hear_path(const struct statelet *st)
{
    const bool down = st->path.from_sgw;
    const struct in6_addr *src = &st->path.src, *dst = &st->path.dst;

    /* Where packets are routed here, headers lead to this host. */
    if (!conf->s1u.interface
        && conf_are_peers(conf, down ? dst : src, down ? src : dst)) {
        l2_replicated(down ? SIDE_SGW : SIDE_ENB, src, dst, &st->path.l2);
    }
}

static void
hear(struct statelet *st)
{
    metric_inc(&n_heard);
    make_older(st);
    switch (st->op) {
    case STATELET_BEARER:
    case STATELET_INVALID:
    case STATELET_GONE:
        hear_bearer(st);
        break;
    case STATELET_PATH:
        hear_path(st);
        break;
    case STATELET_ALIVE:
        break;
    }
}

/* The stream. */

static void
lose(struct source *s, const char *problem)
{
    free(s->problem);
    s->problem = xstrdup(problem);
    stream_close(s->stream);
    s->stream = NULL;
    s->connected = false;
    s->retry_at = time_msec() + RETRY_MS;
    report();
}

static void
open_stream(struct source *s)
{
    char *name = xasprintf("%s:%s", conf->tls.key ? "ssl" : "tcp", s->target);
    int error = stream_open(name, &s->stream, DSCP_DEFAULT);

    free(name);
    s->opened_at = time_msec();
    s->len = 0;
    if (error) {
        s->stream = NULL;
        lose(s, ovs_strerror(error));
    }
}

static void
run_connect(struct source *s)
{
    int error;

    stream_run(s->stream);
    error = stream_connect(s->stream);
    if (!error && !replicate_is_allowed(conf, s->stream)) {
        lose(s, "its certificate has another name than those of "
             "standby.names");
    } else if (!error) {
        s->connected = true;
        s->heard_at = s->alive_due = time_msec();
        report();
    } else if (error != EAGAIN) {
        lose(s, ovs_strerror(error));
    } else if (time_msec() > s->opened_at + CONNECT_MS) {
        lose(s, "no answer");
    }
}

static void
say_alive(struct source *s)
{
    const struct statelet alive = { .op = STATELET_ALIVE,
                                    .time_ms = time_msec() };
    uint8_t record[STATELET_LEN];
    int n;

    statelet_encode(&alive, record);
    n = stream_send(s->stream, record, sizeof record);
    s->alive_due = time_msec() + STATELET_ALIVE_MS;
    if (n != sizeof record) {
        lose(s, n < 0 ? ovs_strerror(-n) : "it does not read");
    }
}

/* Hears all whole records.  Returns false if there is one that is none. */
static bool
parse(struct source *s)
{
    size_t done = 0;

    for (; s->len - done >= STATELET_LEN; done += STATELET_LEN) {
        struct statelet st;

        if (!statelet_decode(s->buffer + done, &st)) {
            return false;
        }
        hear(&st);
    }
    s->len -= done;
    memmove(s->buffer, s->buffer + done, s->len);
    return true;
}

static void
run_stream(struct source *s)
{
    stream_run(s->stream);
    for (int i = 0; i < READS; i++) {
        int n = stream_recv(s->stream, s->buffer + s->len,
                            sizeof s->buffer - s->len);

        if (n == -EAGAIN) {
            if (time_msec() >= s->heard_at + STATELET_SILENCE_MS) {
                lose(s, "it has fallen silent");
            }
            return;
        } else if (n <= 0) {
            lose(s, n ? ovs_strerror(-n) : "it has closed the connection");
            return;
        }
        s->heard_at = time_msec();
        s->len += n;
        if (!parse(s)) {
            lose(s, "what it says is no statelet");
            return;
        }
    }
    poll_immediate_wake();
}

void
replicate_receive_run(void)
{
    for (size_t i = 0; i < n_sources; i++) {
        struct source *s = &sources[i];

        if (!s->stream && time_msec() >= s->retry_at) {
            open_stream(s);
        }
        if (s->stream && !s->connected) {
            run_connect(s);
        }
        if (s->connected) {
            run_stream(s);
        }
        if (s->connected && time_msec() >= s->alive_due) {
            say_alive(s);
        }
    }
}

void
replicate_receive_wait(void)
{
    for (size_t i = 0; i < n_sources; i++) {
        const struct source *s = &sources[i];

        if (!s->stream) {
            poll_timer_wait_until(s->retry_at);
        } else {
            stream_run_wait(s->stream);
            if (s->connected) {
                stream_recv_wait(s->stream);
                poll_timer_wait_until(MIN(s->heard_at + STATELET_SILENCE_MS,
                                          s->alive_due));
            } else {
                stream_connect_wait(s->stream);
                poll_timer_wait_until(s->opened_at + CONNECT_MS + 1);
            }
        }
    }
}
