/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The REST API's HTTP server, a part of the main loop.
 *
 * Place in the flow: libmicrohttpd reads requests off its epoll descriptor,
 * which the main loop polls, and calls handle() for each piece of a request;
 * routes.c says what to answer.  If the answer takes longer, the connection is
 * suspended, and resumed by exchange_resume() or when a walk ends.
 *
 * Life of a request: request_new() at its first line; handle() after its
 * headers, for each piece of its body, at its end, and once more if it was
 * suspended; send_part() while an answer goes out that is made part by part,
 * suspended between them; request_gone() when it is answered or its client has
 * left.  A suspended connection is not read, so a client that leaves meanwhile
 * is only noticed after the resume; but rest_destroy() takes connections away
 * from requests that are still owed an answer, and those live on without one.
 *
 * An answer that is known early (no such path, no token) is still sent after
 * the body, which is read and dropped: closing on a client that sends would
 * reset the connection and lose the answer.  Only a client that asked, by
 * "Expect: 100-continue", is answered at once. */

#include <config.h>

#include "api/rest.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/clients.h"
#include "api/exchange.h"
#include "api/guard.h"
#include "api/history.h"
#include "api/listen.h"
#include "api/routes.h"
#include "api/secret.h"
#include "base/metrics.h"
#include "base/status.h"
#include "conf/conf.h"
#include "fatal-signal.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/util.h"
#include "openvswitch/vlog.h"
#include "socket-util.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(rest);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 10);

METRIC_COUNTER(answers_ok, "tof_api_answers_total", "class=\"2xx\"",
               "Answers of the REST API, by class of status.");
METRIC_COUNTER(answers_refused, "tof_api_answers_total", "class=\"4xx\"",
               "Answers of the REST API, by class of status.");
METRIC_COUNTER(answers_failed, "tof_api_answers_total", "class=\"5xx\"",
               "Answers of the REST API, by class of status.");
METRIC_COUNTER(refusals_unlogged, "tof_api_refusals_unlogged_total", "",
               "Refused changes without a line in the log, as there were too "
               "many.");
METRIC_HISTOGRAM(answer_time, "tof_api_seconds",
                 "From the headers of a request to its answer.");

/* Those that are given up, and have not ended yet, count for the server. */
#define CONNECTIONS_MAX (2 * CLIENTS_MAX)
#define SILENCE_SECONDS 15      /* Of a connection. */
#define PART_BUFFER (16 * 1024) /* For what is sent at a time. */

struct listener {
    struct MHD_Daemon *daemon;
    int epoll_fd;
    bool local;                 /* A socket in the file system, which no
                                 * browser reaches. */
    struct clients clients;
};
static struct listener listeners[2];    /* TCP and Unix. */
static size_t n_listeners;

static struct svec names = SVEC_EMPTY_INITIALIZER;  /* Of this host. */
static char *unix_path;

struct secrets {
    char *token;                /* NULL: none is needed. */
    char *tls_cert, *tls_key;
};
static struct secrets secrets;

struct request {
    struct exchange x;
    struct MHD_Connection *connection;  /* NULL: gone. */
    struct client *client;
    char *who;                  /* Asks for a change; NULL: for none. */
    bool begun;                 /* Headers are there, */
    long long int begun_us;     /* and since then. */
    bool suspended;
    struct ovs_list walk_node;  /* In 'walks' while suspended with a step. */
};
static struct ovs_list walks = OVS_LIST_INITIALIZER(&walks);

/* Requests. */

/* "127.0.0.1:40000", or, on the Unix socket, "uid 0"; to be freed. */
static char *
describe_client(const struct client *c)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    struct ucred peer;
    struct ds s = DS_EMPTY_INITIALIZER;

    if (getpeername(c->fd, (struct sockaddr *) &ss, &len)) {
        ds_put_cstr(&s, "a client that has left");
    } else if (ss.ss_family != AF_UNIX) {
        ss_format_address(&ss, &s);
        ds_put_format(&s, ":%d", ss_get_port(&ss));
    } else if (len = sizeof peer,
               !getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len)) {
        ds_put_format(&s, "uid %u", peer.uid);
    }
    return ds_steal_cstr(&s);
}

/* A line for every change that is asked for, whatever became of it; but of
 * those that are refused only so many a minute, since anybody can ask. */
static void
audit(const struct request *r)
{
    static struct vlog_rate_limit refused_rl = VLOG_RATE_LIMIT_INIT(60, 60);
    const struct exchange *x = &r->x;
    struct ds path = DS_EMPTY_INITIALIZER;

    if (!r->who) {
        return;
    } else if (x->status >= 400 && VLOG_DROP_INFO(&refused_rl)) {
        metric_inc(&refusals_unlogged);
        return;
    }
    ds_put_printable(&path, x->path, strlen(x->path));
    VLOG_INFO("audit: %s%s: %s %s%s: %u", r->who,
              secrets.token && x->status != MHD_HTTP_UNAUTHORIZED
              ? ", with the token" : "",
              x->method, ds_cstr(&path), x->change ? x->change : "",
              x->status);
    ds_destroy(&path);
}

static void
request_free(struct request *r)
{
    exchange_uninit(&r->x);
    free(r->who);
    free(r);
}

/* The client waits no more, or there is none. */
static void
request_gone(struct request *r)
{
    ovs_list_remove(&r->walk_node);
    ovs_list_init(&r->walk_node);
    r->client->request = NULL;
    r->connection = NULL;
    if (!r->x.owed) {
        request_free(r);
    }
}

static void
request_resume(struct exchange *x)
{
    struct request *r = CONTAINER_OF(x, struct request, x);

    if (!r->connection) {
        audit(r);
        request_free(r);
    } else if (r->suspended) {
        r->suspended = false;
        client_extend(r->client);
        MHD_resume_connection(r->connection);
        poll_immediate_wake();  /* A resume shows at no descriptor. */
    }
}

static void
request_suspend(struct request *r)
{
    r->suspended = true;
    client_waits(r->client, r->x.owed);
    if (r->x.step) {
        ovs_list_push_back(&walks, &r->walk_node);
    }
    MHD_suspend_connection(r->connection);
}

/* Its client is given up: a walk for it goes no further. */
static void
client_given_up(struct client *c)
{
    struct request *r = c->request;

    if (r && r->suspended && !r->x.owed) {
        ovs_list_remove(&r->walk_node);
        ovs_list_init(&r->walk_node);
        r->x.more = false;
        if (!r->x.status) {
            exchange_problem(&r->x, MHD_HTTP_SERVICE_UNAVAILABLE,
                             "There are too many clients.");
        }
        request_resume(&r->x);
    }
}

/* MHD_OPTION_URI_LOG_CALLBACK: the only one that sees the request's target
 * before it is decoded and cut up. */
static void *
request_new(void *aux OVS_UNUSED, const char *target,
            struct MHD_Connection *connection)
{
    struct request *r = xzalloc(sizeof *r);

    exchange_init(&r->x, target);
    r->x.resume = request_resume;
    r->connection = connection;
    r->client = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    r->client->request = r;
    ovs_list_init(&r->walk_node);
    return r;
}

static void
request_completed(void *aux OVS_UNUSED,
                  struct MHD_Connection *connection OVS_UNUSED,
                  void **requestp,
                  enum MHD_RequestTerminationCode code OVS_UNUSED)
{
    struct request *r = *requestp;

    if (r) {
        *requestp = NULL;
        client_keeps(r->client, 0);
        client_extend(r->client);
        request_gone(r);
    }
}

static const char *
request_header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* Does it come with the token, if there is one? */
static bool
request_is_authorized(const struct request *r)
{
    static const char scheme[] = "Bearer ";
    const char *value = request_header(r, MHD_HTTP_HEADER_AUTHORIZATION);

    return secrets.token && value
           && !strncasecmp(value, scheme, sizeof scheme - 1)
           && secret_equals(secrets.token, value + sizeof scheme - 1);
}

/* Answers those that may not ask; the others it knows if they have shown who
 * they are. */
static void
refuse_strangers(struct request *r, const struct listener *l)
{
    const bool authorized = request_is_authorized(r);
    const struct guard_request headers = {
        .host = request_header(r, MHD_HTTP_HEADER_HOST),
        .origin = request_header(r, MHD_HTTP_HEADER_ORIGIN),
        .fetch_site = request_header(r, "Sec-Fetch-Site"),
    };
    const char *header = guard_refuses(&headers, names.names, names.n,
                                       l->local);
    struct exchange *x = &r->x;

    x->known = l->local || authorized;
    if (header) {
        smap_clear(&x->headers);
        exchange_problem(x, MHD_HTTP_FORBIDDEN,
                         "The header %s names another site%s.", header,
                         strcmp(header, "Host") ? ""
                         : "; api.hosts lists the names of this one");
    } else if (secrets.token && routes_need_token(x) && !authorized) {
        smap_clear(&x->headers);
        smap_add(&x->headers, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                 "Bearer realm=\"tof\"");
        exchange_problem(x, MHD_HTTP_UNAUTHORIZED,
                         "This needs the header Authorization: Bearer TOKEN "
                         "with the token that is in the file which "
                         "api.token_file names; tofctl takes it with -t "
                         "FILE.");
    }
}

static void
request_begin(struct request *r, const struct listener *l, const char *method)
{
    const char *type = request_header(r, MHD_HTTP_HEADER_CONTENT_TYPE);
    const char *length = request_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    struct exchange *x = &r->x;

    r->begun = true;
    r->begun_us = time_usec();
    x->method = xstrdup(method);
    if (strcmp(method, "GET") && strcmp(method, "HEAD")
        && strcmp(method, "OPTIONS")) {
        r->who = describe_client(r->client);
    }
    x->content_type = nullable_xstrdup(type);
    x->accept = nullable_xstrdup(
        request_header(r, MHD_HTTP_HEADER_ACCEPT));
    x->if_match = nullable_xstrdup(
        request_header(r, MHD_HTTP_HEADER_IF_MATCH));
    x->if_none_match = nullable_xstrdup(
        request_header(r, MHD_HTTP_HEADER_IF_NONE_MATCH));
    x->too_large = length && strtoull(length, NULL, 10) > EXCHANGE_BODY_MAX;
    routes_begin(x);
    refuse_strangers(r, l);
}

static void
request_take(struct request *r, const char *data, size_t len)
{
    struct exchange *x = &r->x;

    x->too_large |= x->body.length + len > EXCHANGE_BODY_MAX;
    if (!x->too_large && !x->status) {
        ds_put_buffer(&x->body, data, len);
    }
}

/* MHD_ContentReaderCallback: more of an answer that is made part by part. */
static ssize_t
send_part(void *r_, uint64_t pos OVS_UNUSED, char *buf, size_t max)
{
    struct request *r = r_;
    size_t n;

    if (r->client->visitor.leaves) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    n = exchange_send(&r->x, buf, max);
    client_extend(r->client);
    if (!n && !r->x.more) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    } else if (!n) {
        request_suspend(r);
    }
    return n;
}

static struct MHD_Response *
make_response(struct request *r)
{
    struct exchange *x = &r->x;
    size_t len = x->answer.length;
    struct MHD_Response *response;

    if (!x->more) {
        return MHD_create_response_from_buffer(len, ds_steal_cstr(&x->answer),
                                               MHD_RESPMEM_MUST_FREE);
    }
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PART_BUFFER,
                                                 send_part, r, NULL);
    if (!strcmp(x->method, "HEAD")) {
        /* Else it sends the end of a chunked body that is not there. */
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT,
                                 MHD_RO_END);
    }
    return response;
}

static enum MHD_Result
request_answer(struct request *r)
{
    struct exchange *x = &r->x;
    const size_t allocated = x->answer.allocated;
    struct MHD_Response *response = make_response(r);
    const struct smap_node *node;
    enum MHD_Result result;

    if (x->type) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                x->type);
    }
    if (!smap_get(&x->headers, MHD_HTTP_HEADER_CACHE_CONTROL)) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                "no-store");
    }
    SMAP_FOR_EACH (node, &x->headers) {
        MHD_add_response_header(response, node->key, node->value);
    }
    metric_inc(x->status < 400 ? &answers_ok
               : x->status < 500 ? &answers_refused : &answers_failed);
    histogram_add(&answer_time, time_usec() - r->begun_us);
    VLOG_DBG("%s %s: %u", x->method, x->path, x->status);
    audit(r);
    client_extend(r->client);
    client_keeps(r->client, allocated);
    result = MHD_queue_response(r->connection, x->status, response);
    MHD_destroy_response(response);
    return result;
}

/* MHD_AccessHandlerCallback. */
static enum MHD_Result
handle(void *listener, struct MHD_Connection *connection OVS_UNUSED,
       const char *url OVS_UNUSED, const char *method,
       const char *version OVS_UNUSED, const char *data, size_t *len,
       void **requestp)
{
    struct request *r = *requestp;

    if (!r->begun) {
        request_begin(r, listener, method);
        return (r->x.status && request_header(r, MHD_HTTP_HEADER_EXPECT)
                ? request_answer(r) : MHD_YES);
    }
    if (*len) {
        request_take(r, data, *len);
        *len = 0;
        return MHD_YES;
    }
    if (!r->x.status) {
        routes_handle(&r->x);
    }
    if (r->x.status) {
        return request_answer(r);
    }
    request_suspend(r);
    return MHD_YES;
}

/* Clients. */

/* MHD_AcceptPolicyCallback. */
static enum MHD_Result
client_admit(void *listener, const struct sockaddr *sa,
             socklen_t len OVS_UNUSED)
{
    struct listener *l = listener;

    return clients_admit(&l->clients, sa) ? MHD_YES : MHD_NO;
}

static struct client *
client_started(struct listener *l, struct MHD_Connection *connection)
{
    return client_create(
        &l->clients,
        MHD_get_connection_info(
            connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
        MHD_get_connection_info(
            connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
}

static void
client_notify(void *listener, struct MHD_Connection *connection,
              void **clientp, enum MHD_ConnectionNotificationCode code)
{
    struct client *c = *clientp;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *clientp = client_started(listener, connection);
    } else if (c) {
        if (c->request) {
            /* Left before its headers were complete. */
            request_gone(c->request);
        }
        client_destroy(c);
        *clientp = NULL;
        /* At its limit of connections the server stops to listen; it starts
         * again in the MHD_run() after this one. */
        poll_immediate_wake();
    }
}

/* The server. */

static void
log_error(void *aux OVS_UNUSED, const char *format, va_list args)
{
    char *text = xvasprintf(format, args);

    VLOG_DBG_RL(&rl, "%s", text);
    free(text);
}

/* Leaves encoded what exchange_decode() will decode. */
static size_t
no_unescape(void *aux OVS_UNUSED,
            struct MHD_Connection *connection OVS_UNUSED, char *s)
{
    return strlen(s);
}

/* Accepts clients of 'fd' for 'l', with what 's' has if they come by TLS.
 * Returns NULL, with '*error' set, if that cannot be. */
static struct MHD_Daemon *
server_start(struct listener *l, int fd, const struct secrets *s,
             char **error)
{
    struct MHD_OptionItem tls_options[] = {
        { MHD_OPTION_HTTPS_MEM_KEY, 0, s->tls_key },
        { MHD_OPTION_HTTPS_MEM_CERT, 0, s->tls_cert },
        { MHD_OPTION_END, 0, NULL },
    };
    struct MHD_OptionItem no_options[] = { { MHD_OPTION_END, 0, NULL } };
    const bool tls = !l->local && s->tls_cert;
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG
        | (tls ? MHD_USE_TLS : 0),
        0, client_admit, l, handle, l,
        MHD_OPTION_EXTERNAL_LOGGER, log_error, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned int) CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int) SILENCE_SECONDS,
        MHD_OPTION_URI_LOG_CALLBACK, request_new, NULL,
        MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, request_completed, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, client_notify, l,
        MHD_OPTION_ARRAY, tls ? tls_options : no_options,
        MHD_OPTION_END);
    if (!daemon) {
        *error = xstrdup(tls ? "api.tls_cert, api.tls_key: not usable"
                         : "api: cannot start the HTTP server");
    }
    return daemon;
}

static void
listener_set(struct listener *l, struct MHD_Daemon *daemon)
{
    l->daemon = daemon;
    l->epoll_fd = MHD_get_daemon_info(daemon,
                                      MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

static int
listener_start(int fd, bool local, char **error)
{
    struct listener *l = &listeners[n_listeners];
    struct MHD_Daemon *daemon;

    l->local = local;
    daemon = server_start(l, fd, &secrets, error);
    if (!daemon) {
        return EINVAL;
    }
    clients_init(&l->clients, local, client_given_up);
    listener_set(l, daemon);
    n_listeners++;
    return 0;
}

static bool
is_served_by(const struct request *r, const struct MHD_Daemon *daemon)
{
    return MHD_get_connection_info(
        r->connection, MHD_CONNECTION_INFO_DAEMON)->daemon == daemon;
}

static void
server_stop(struct listener *l, struct MHD_Daemon *daemon)
{
    struct client *c;

    /* It must not be stopped with connections suspended. */
    LIST_FOR_EACH (c, visitor.node, &l->clients.visitors.list) {
        struct request *r = c->request;

        if (r && r->suspended && is_served_by(r, daemon)) {
            r->suspended = false;
            MHD_resume_connection(r->connection);
        }
    }
    MHD_stop_daemon(daemon);
}

/* Another server takes over the socket of 'l', which listens all the time. */
static int
listener_renew(struct listener *l, const struct secrets *s, char **error)
{
    int fd = fcntl(MHD_get_daemon_info(
                       l->daemon, MHD_DAEMON_INFO_LISTEN_FD)->listen_fd,
                   F_DUPFD_CLOEXEC, 0);
    struct MHD_Daemon *daemon = server_start(l, fd, s, error);

    if (!daemon) {
        close(fd);
        return EINVAL;
    }
    close(MHD_quiesce_daemon(l->daemon));
    server_stop(l, l->daemon);
    listener_set(l, daemon);
    return 0;
}

static void
secrets_free(struct secrets *s)
{
    free(s->token);
    free(s->tls_cert);
    free(s->tls_key);
    memset(s, 0, sizeof *s);
}

/* To '*s', which is all NULL before, and may be set in part if it fails. */
static int
read_secrets(const struct conf *conf, struct secrets *s, char **error)
{
    int retval;

    if (!conf->api.tls_cert != !conf->api.tls_key) {
        *error = xstrdup("api.tls_cert, api.tls_key: one needs the other");
        return EINVAL;
    }
    retval = secret_read_token("api.token_file", conf->api.token_file,
                               &s->token, error);
    if (!retval) {
        retval = secret_read("api.tls_cert", conf->api.tls_cert, &s->tls_cert,
                             error);
    }
    if (!retval) {
        retval = secret_read("api.tls_key", conf->api.tls_key, &s->tls_key,
                             error);
    }
    return retval;
}

/* Whoever reaches the API changes what is diverted, so without a token only
 * this host does, unless that is wanted. */
static bool
may_listen(const struct conf *conf)
{
    const char *why = (secrets.token ? "with a token"
                       : !listen_is_reachable(conf->api.listen)
                       ? "without a token, for this host alone"
                       : conf->api.allow_without_token
                       ? "without a token, as api.allow_without_token says"
                       : NULL);
    char *fact = (why ? xasprintf("listens on %s %s", conf->api.listen, why)
                  : xasprintf("does not listen on %s, which other hosts "
                              "reach: it needs api.token_file, or "
                              "api.allow_without_token", conf->api.listen));

    if (!why) {
        VLOG_WARN("API: %s", fact);
    }
    status_fact("api", fact);
    free(fact);
    return why;
}

static void
collect_names(const struct conf *conf)
{
    char name[256];

    if (!gethostname(name, sizeof name)) {
        name[sizeof name - 1] = '\0';
        svec_add(&names, name);
    }
    for (size_t i = 0; i < conf->api.hosts.n; i++) {
        svec_add(&names, conf->api.hosts.items[i]);
    }
}

static int
start_listeners(const struct conf *conf, char **error)
{
    int retval = 0;
    int fd;

    if (conf->api.listen && may_listen(conf)) {
        retval = listen_tcp(conf->api.listen, conf->api.interface, &fd, error);
        if (!retval) {
            retval = listener_start(fd, false, error);
        }
    }
    if (!retval && conf->api.unix_path) {
        retval = listen_unix(conf->api.unix_path, &fd, error);
        if (!retval) {
            unix_path = xstrdup(conf->api.unix_path);
            retval = listener_start(fd, true, error);
        }
    }
    return retval;
}

int
rest_check(const struct conf *conf, char **error)
{
    struct secrets new = { .token = NULL };
    int retval = read_secrets(conf, &new, error);

    secrets_free(&new);
    return retval;
}

int
rest_init(const struct conf *conf, char **error)
{
    int retval;

    fatal_ignore_sigpipe();
    history_init();
    collect_names(conf);
    retval = read_secrets(conf, &secrets, error);
    if (!retval) {
        retval = start_listeners(conf, error);
    }
    if (retval) {
        rest_destroy();
    }
    return retval;
}

static bool
has_another_certificate(const struct secrets *s)
{
    return s->tls_cert && (strcmp(s->tls_cert, secrets.tls_cert)
                           || strcmp(s->tls_key, secrets.tls_key));
}

int
rest_reload(const struct conf *conf, char **error)
{
    struct secrets new = { .token = NULL };
    int retval = read_secrets(conf, &new, error);

    for (size_t i = 0; !retval && i < n_listeners; i++) {
        if (!listeners[i].local && has_another_certificate(&new)) {
            retval = listener_renew(&listeners[i], &new, error);
        }
    }
    if (!retval) {
        const struct secrets old = secrets;

        secrets = new;
        new = old;
    }
    secrets_free(&new);
    return retval;
}

/* One after the other, so that few answers are in memory that grow. */
static void
run_walk(struct request *r)
{
    r->x.step(&r->x);
    if (r->x.status && (r->x.answer.length || !r->x.more)) {
        ovs_list_remove(&r->walk_node);
        ovs_list_init(&r->walk_node);
        request_resume(&r->x);
    }
    client_keeps(r->client, r->x.answer.allocated);
}

void
rest_run(void)
{
    for (size_t i = 0; i < n_listeners; i++) {
        MHD_run(listeners[i].daemon);
    }
    if (!ovs_list_is_empty(&walks)) {
        run_walk(CONTAINER_OF(ovs_list_front(&walks), struct request,
                              walk_node));
    }
    clients_run();
    history_run();
}

void
rest_wait(void)
{
    history_wait();
    for (size_t i = 0; i < n_listeners; i++) {
        MHD_UNSIGNED_LONG_LONG ms;

        poll_fd_wait(listeners[i].epoll_fd, POLLIN);
        if (MHD_get_timeout(listeners[i].daemon, &ms) == MHD_YES) {
            poll_timer_wait(MIN(ms, SILENCE_SECONDS * 1000));
        }
    }
    if (!ovs_list_is_empty(&walks)) {
        poll_immediate_wake();
    }
    clients_wait();
}

void
rest_destroy(void)
{
    while (n_listeners) {
        struct listener *l = &listeners[--n_listeners];

        server_stop(l, l->daemon);
        clients_destroy(&l->clients);
    }
    if (unix_path) {
        fatal_signal_unlink_file_now(unix_path);
    }
    history_destroy();
    svec_destroy(&names);
    free(unix_path);
    unix_path = NULL;
    secrets_free(&secrets);
}
