/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What each path of the REST API means.
 *
 * Place in the flow: rest.c brings requests and takes answers (exchange.h);
 * services are changed by service_*(), whose callback gives the answer once
 * the data plane has confirmed; sessions are read from session.c, and purged
 * by agent.c.  Knows neither sockets nor packets.
 *
 * The table below is the API: swagger/tof.yaml describes the same rows, and
 * the tests hold answers against it. */

#include <config.h>

#include "api/routes.h"

#include <inttypes.h>
#include <limits.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent.h"
#include "api/accept.h"
#include "api/exchange.h"
#include "api/history.h"
#include "api/json.h"
#include "api/services.h"
#include "api/snapshot.h"
#include "api/tracing.h"
#include "api/view.h"
#include "api/walk.h"
#include "api/web.h"
#include "base/addr.h"
#include "base/jsontext.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/process.h"
#include "base/status.h"
#include "explain/explain.h"
#include "service/service.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

#define SESSIONS_LIMIT 1000
#define LIST_LIMIT_MAX 10000

struct route {
    const char *method;         /* "GET" stands for "HEAD" also. */
    const char *path;           /* First segment. */
    bool key;                   /* Is there a second one? */
    const char *part;           /* The third one; NULL if there is none. */
    void (*handle)(struct exchange *);
    const char *body;           /* Media type of its body, if it takes one. */
    const char *type;           /* Of what it answers with, if that is one. */
    bool open;                  /* Needs no token. */
    bool known;                 /* Only for who has shown one, or uses the
                                 * Unix socket. */
};

static void
answer_json(struct exchange *x, json_t *json)
{
    jsontext_put(&x->answer, json);
    ds_put_char(&x->answer, '\n');
    exchange_ok(x, EXCHANGE_JSON);
}

/* Services. */

#define ETAG_LEN (sizeof "\"0123456789abcdef\"" - 1)

static void
format_etag(const struct service_spec *spec, char etag[ETAG_LEN + 1])
{
    snprintf(etag, ETAG_LEN + 1, "\"%016"PRIx64"\"",
             service_spec_version(spec));
}

static void
service_done(enum service_error error, const char *detail,
             const struct service_spec *spec, void *x_)
{
    static const unsigned int statuses[] = {
        [SERVICE_OK] = MHD_HTTP_OK,
        [SERVICE_INVALID] = MHD_HTTP_BAD_REQUEST,
        [SERVICE_NOT_FOUND] = MHD_HTTP_NOT_FOUND,
        [SERVICE_CONFLICT] = MHD_HTTP_CONFLICT,
        [SERVICE_CHANGED] = MHD_HTTP_PRECONDITION_FAILED,
        [SERVICE_FAILED] = MHD_HTTP_INTERNAL_SERVER_ERROR,
        [SERVICE_UNAVAILABLE] = MHD_HTTP_SERVICE_UNAVAILABLE,
    };
    struct exchange *x = x_;

    if (error != SERVICE_OK) {
        exchange_problem(x, statuses[error], "%s", detail);
    } else if (spec) {
        char etag[ETAG_LEN + 1];

        format_etag(spec, etag);
        smap_replace(&x->headers, MHD_HTTP_HEADER_ETAG, etag);
        answer_json(x, view_service(spec));
    } else {
        exchange_ok(x, NULL);
    }
    exchange_resume(x);
}

/* Reads a service from the body; if it is not one answers so and returns
 * false. */
static bool
read_body(struct exchange *x, struct service_spec *spec)
{
    char service_ip[INET6_ADDRSTRLEN], application_ip[INET6_ADDRSTRLEN];
    char problem[JSON_PROBLEM_MAX];

    if (!json_to_service(ds_cstr(&x->body), x->body.length, spec, problem)) {
        exchange_problem(x, MHD_HTTP_BAD_REQUEST, "%s", problem);
        return false;
    }
    x->change = xasprintf(" (%s: %s to %s%s)", spec->name,
                          addr_format(&spec->service_ip, service_ip),
                          addr_format(&spec->apps[0].ip, application_ip),
                          spec->n_apps > 1 ? " and others" : "");
    return true;
}

static bool
parse_number(const char *value, unsigned int max, unsigned int *n)
{
    size_t len = strlen(value);

    if (len > 5 || strspn(value, "0123456789") != len) {
        return false;
    }
    *n = atoi(value);
    return *n >= 1 && *n <= max;
}

/* Reads "limit" and "cursor" of a list that is not of sessions: at most
 * LIST_LIMIT_MAX, and all if there is no limit.  Answers 400 and returns false
 * if they are not right; else '*cursor' is the caller's, NULL if there is
 * none. */
static bool
read_page(struct exchange *x, unsigned int *limit, char **cursor)
{
    char *text = NULL;
    bool ok;

    *limit = UINT_MAX;
    *cursor = NULL;
    ok = (!exchange_query(x, "limit", &text)
          && (!text || parse_number(text, LIST_LIMIT_MAX, limit))
          && !exchange_query(x, "cursor", cursor));
    free(text);
    if (!ok) {
        exchange_problem(x, MHD_HTTP_BAD_REQUEST, "The query's limit must be "
                         "a number from 1 to %d, its cursor what "
                         "X-Next-Cursor said.", LIST_LIMIT_MAX);
    }
    return ok;
}

static void
get_services(struct exchange *x)
{
    unsigned int limit;
    char *after, *view = NULL;

    if (!read_page(x, &limit, &after)) {
        return;
    }
    if (exchange_query(x, "view", &view)
        || (view && strcmp(view, "status"))) {
        exchange_problem(x, MHD_HTTP_BAD_REQUEST,
                         "The query's view must be status.");
    } else {
        services_list(x, after, limit, view);
    }
    free(after);
    free(view);
}

static void
post_service(struct exchange *x)
{
    struct service_spec spec;

    if (read_body(x, &spec)) {
        x->owed = true;
        service_create(&spec, service_done, x);
    }
}

/* The service that the path names, until the loop goes on; answers 404 and
 * returns NULL if there is none. */
static const struct service_spec *
need_service(struct exchange *x)
{
    const struct service_spec *spec = service_find(x->key);

    if (!spec) {
        exchange_problem(x, MHD_HTTP_NOT_FOUND, "There is no service %s.",
                         x->key);
    }
    return spec;
}

/* Which version of a service a change is about: If-Match.  Whether it has that
 * is seen when the change's turn comes. */
static uint64_t
wanted_version(const struct exchange *x)
{
    const struct service_spec *spec;
    char etag[ETAG_LEN + 1];

    if (!x->if_match || accept_has_etag(x->if_match, "*", false)) {
        return SERVICE_ANY_VERSION;
    }
    spec = service_find(x->key);
    if (!spec) {
        return SERVICE_NO_VERSION;
    }
    format_etag(spec, etag);
    return (accept_has_etag(x->if_match, etag, false)
            ? service_spec_version(spec) : SERVICE_NO_VERSION);
}

static void
put_service(struct exchange *x)
{
    struct service_spec spec;

    if (read_body(x, &spec)) {
        x->owed = true;
        service_update(x->key, &spec, wanted_version(x), service_done, x);
    }
}

static void
delete_service(struct exchange *x)
{
    x->owed = true;
    service_delete(x->key, wanted_version(x), service_done, x);
}

static void
get_service(struct exchange *x)
{
    const struct service_spec *spec = need_service(x);
    char etag[ETAG_LEN + 1];

    if (!spec) {
        return;
    }
    format_etag(spec, etag);
    if (!exchange_etag(x, etag)) {
        answer_json(x, view_service(spec));
    }
}

static void
get_service_status(struct exchange *x)
{
    const struct service_spec *spec = need_service(x);

    if (spec) {
        answer_json(x, view_service_status(spec));
    }
}

/* Sessions and peers. */

static bool
parse_state(const char *value, struct walk_filter *f)
{
    for (f->state = BEARER_EMBRYONIC; f->state <= BEARER_STALE; f->state++) {
        if (!strcmp(value, bearer_state_name(f->state))) {
            return true;
        }
    }
    return false;
}

static bool
parse_ue(const char *value, struct walk_filter *f)
{
    f->by_ue = addr_parse_ue(value, &f->ue);
    return f->by_ue;
}

static bool
parse_enb(const char *value, struct walk_filter *f)
{
    f->by_enb = addr_parse(value, &f->enb);
    return f->by_enb;
}

static bool
parse_sgw(const char *value, struct walk_filter *f)
{
    f->by_sgw = addr_parse(value, &f->sgw);
    return f->by_sgw;
}

static bool
parse_limit(const char *value, struct walk_filter *f)
{
    return parse_number(value, LIST_LIMIT_MAX, &f->limit);
}

static bool
parse_cursor(const char *value, struct walk_filter *f)
{
    return view_id_from_string(value, &f->cursor);
}

/* Fills in '*f' from the query.  Answers 400 and returns false if it cannot;
 * otherwise the caller owns f->query. */
static bool
parse_session_filter(struct exchange *x, struct walk_filter *f)
{
    static const struct {
        const char *name;
        bool (*parse)(const char *value, struct walk_filter *);
        const char *what;
        bool keep;              /* Repeated in the link to the next page? */
    } params[] = {
        { "ue", parse_ue, "an IP address or an IPv6 prefix of length 64",
          true },
        { "state", parse_state, "embryonic, established or stale", true },
        { "enb", parse_enb, "an IP address", true },
        { "sgw", parse_sgw, "an IP address", true },
        { "limit", parse_limit, "a number from 1 to 10000", false },
        { "cursor", parse_cursor, "what X-Next-Cursor said", false },
    };
    struct ds query = DS_EMPTY_INITIALIZER;

    *f = (struct walk_filter) { .state = -1, .limit = SESSIONS_LIMIT };
    for (size_t i = 0; i < ARRAY_SIZE(params); i++) {
        char *value;
        int error = exchange_query(x, params[i].name, &value);

        if (error || (value && !params[i].parse(value, f))) {
            exchange_problem(x, MHD_HTTP_BAD_REQUEST,
                             "The query's %s must be %s.", params[i].name,
                             params[i].what);
            free(value);
            ds_destroy(&query);
            return false;
        }
        if (value && params[i].keep) {
            ds_put_format(&query, "%s=%s&", params[i].name, value);
        }
        free(value);
    }
    f->query = ds_steal_cstr(&query);
    return true;
}

static void
get_peers(struct exchange *x)
{
    unsigned int limit;
    char *cursor;

    if (!read_page(x, &limit, &cursor)) {
        return;
    }
    if (!walk_peers(x, limit, cursor)) {
        exchange_problem(x, MHD_HTTP_BAD_REQUEST,
                         "The query's cursor must be what X-Next-Cursor "
                         "said.");
    }
    free(cursor);
}

static void
get_sessions(struct exchange *x)
{
    struct walk_filter filter;

    if (parse_session_filter(x, &filter)) {
        walk_sessions(x, &filter);
    }
}

/* Returns the session that the path names, or answers and returns NULL. */
static struct session *
find_session(struct exchange *x)
{
    uint32_t id;
    struct session *s = (view_id_from_string(x->key, &id)
                         ? session_by_id(id) : NULL);

    if (!s) {
        exchange_problem(x, MHD_HTTP_NOT_FOUND, "There is no session %s.",
                         x->key);
    }
    return s;
}

static void
get_session(struct exchange *x)
{
    const struct session *s = find_session(x);

    if (s) {
        answer_json(x, view_session(s, time_msec()));
    }
}

static void
delete_session(struct exchange *x)
{
    struct session *s = find_session(x);

    if (s) {
        agent_session_purge(s);
        exchange_ok(x, NULL);
    }
}

/* The TOF itself. */

static void
get_status(struct exchange *x)
{
    answer_json(x, view_status());
}

static void
get_healthz(struct exchange *x)
{
    enum status_part part;

    if (status_health(&part) == HEALTH_DOWN) {
        exchange_problem(x, MHD_HTTP_SERVICE_UNAVAILABLE, "%s: %s",
                         status_name(part), status_detail(part));
    } else {
        answer_json(x, view_health());
    }
}

struct explaining {
    json_t *steps;
    json_t *reason;             /* The first step that is wrong. */
};

static void
add_step(const struct explain_step *step, void *e_)
{
    static const char *const verdicts[] = {
        [EXPLAIN_OK] = "ok", [EXPLAIN_WRONG] = "wrong",
        [EXPLAIN_OPEN] = "open",
    };
    struct explaining *e = e_;
    json_t *json = json_pack("{ss ss so so*}", "step", step->name,
                             "verdict", verdicts[step->verdict],
                             "found", jsontext_string(step->found),
                             "advice", step->advice
                             ? json_string(step->advice) : NULL);

    if (step->subject[0]) {
        json_object_set_new(json, "subject", json_string(step->subject));
    }
    if (step->verdict == EXPLAIN_WRONG && !e->reason) {
        e->reason = json_incref(json);
    }
    json_array_append_new(e->steps, json);
}

static void
get_explain(struct exchange *x)
{
    struct explaining e = { .steps = json_array() };
    char *ue_text = NULL, *service = NULL, ue_shown[ADDR_UE_STRLEN];
    struct in6_addr ue;

    if (exchange_query(x, "ue", &ue_text) || !ue_text
        || !addr_parse_ue(ue_text, &ue)
        || exchange_query(x, "service", &service)) {
        exchange_problem(x, MHD_HTTP_BAD_REQUEST, "The query must be ue=, an "
                         "IP address or an IPv6 prefix of length 64, and may "
                         "have service=, a name or a service IP.");
    } else {
        explain(&ue, service, add_step, &e);
        answer_json(x, json_pack(
            "{ss so* so so}", "ue", addr_format_ue(&ue, ue_shown),
            "service", service ? jsontext_string(service) : NULL,
            "steps", json_incref(e.steps),
            "reason", e.reason ? json_incref(e.reason) : json_null()));
    }
    json_decref(e.reason);
    json_decref(e.steps);
    free(ue_text);
    free(service);
}

static void
add_level(const char *module, const char *level, void *levels)
{
    json_object_set_new(levels, module, json_string(level));
}

static void
get_log(struct exchange *x)
{
    json_t *levels = json_object();

    log_for_each(add_level, levels);
    answer_json(x, levels);
}

static void
put_log(struct exchange *x)
{
    char problem[JSON_PROBLEM_MAX];
    char *level = json_to_level(ds_cstr(&x->body), x->body.length, problem);
    const char *wrong = level ? log_set_level(x->key, level) : problem;

    if (wrong) {
        exchange_problem(x, MHD_HTTP_BAD_REQUEST, "%s", wrong);
    } else {
        x->change = xasprintf(" (%s)", level);
        answer_json(x, json_pack("{ss}", x->key, level));
    }
    free(level);
}

static void
put_parts(struct ds *s)
{
    ds_put_cstr(s, "# HELP tof_part_ready Whether a part of the TOF is ready, "
                "as /status has it.\n# TYPE tof_part_ready gauge\n");
    for (enum status_part part = 0; part < STATUS_N_PARTS; part++) {
        ds_put_format(s, "tof_part_ready{part=\"%s\"} %d\n",
                      status_name(part), status_ready(part));
    }
}

static void
get_metrics(struct exchange *x)
{
    process_put_metrics(&x->answer);
    metrics_render(&x->answer);
    put_parts(&x->answer);
    services_metrics(x);
}

static void
get_history(struct exchange *x)
{
    history_put(&x->answer);
    exchange_ok(x, EXCHANGE_JSON);
}

static void
get_swagger(struct exchange *x)
{
    ds_put_buffer(&x->answer, swagger_json, swagger_json_len);
    exchange_ok(x, EXCHANGE_JSON);
}

#define JSON .type = EXCHANGE_JSON
#define HTML .type = "text/html"

static const struct route routes[] = {
    { "GET", "service", JSON, .handle = get_services },
    { "POST", "service", JSON, .body = EXCHANGE_JSON,
      .handle = post_service },
    { "GET", "service", JSON, .key = true, .handle = get_service },
    { "GET", "service", JSON, .key = true, .part = "status",
      .handle = get_service_status },
    { "PUT", "service", JSON, .key = true, .body = EXCHANGE_JSON,
      .handle = put_service },
    { "DELETE", "service", .key = true, .handle = delete_service },
    { "GET", "session", JSON, .handle = get_sessions },
    { "GET", "session", JSON, .key = true, .handle = get_session },
    { "DELETE", "session", .key = true, .handle = delete_session },
    { "GET", "explain", JSON, .handle = get_explain },
    { "POST", "trace", JSON, .known = true, .handle = tracing_start },
    { "GET", "trace", JSON, .known = true, .handle = tracing_read },
    { "DELETE", "trace", .known = true, .handle = tracing_end },
    { "GET", "peer", JSON, .handle = get_peers },
    { "GET", "statelet", .type = EXCHANGE_STATELETS, .handle = snapshot_get },
    { "POST", "statelet", JSON, .body = EXCHANGE_STATELETS,
      .handle = snapshot_post },
    { "GET", "status", JSON, .handle = get_status },
    { "GET", "metrics", .type = "text/plain", .handle = get_metrics },
    { "GET", "history", JSON, .handle = get_history },
    { "GET", "log", JSON, .handle = get_log },
    { "PUT", "log", JSON, .key = true, .body = EXCHANGE_JSON,
      .handle = put_log },
    { "GET", "healthz", JSON, .handle = get_healthz, .open = true },
    { "GET", "swagger.json", JSON, .handle = get_swagger },
    { "GET", "", HTML, .handle = web_page, .open = true },
    { "GET", "web", .key = true, .handle = web_file, .open = true },
    { "GET", "docs", HTML, .handle = web_docs, .open = true },
};

/* No row has the method: says which there are. */
static void
refuse_method(struct exchange *x, const char *allow)
{
    smap_add(&x->headers, MHD_HTTP_HEADER_ALLOW, allow);
    if (!strcmp(x->method, "OPTIONS")) {
        x->status = MHD_HTTP_NO_CONTENT;
    } else {
        exchange_problem(x, MHD_HTTP_METHOD_NOT_ALLOWED,
                         "%s can be used with %s only.", x->path, allow);
    }
}

/* Whether both are the same, or NULL. */
static bool
same_part(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

/* Finds the row for 'segment', x->key and 'part' (NULL: none), or answers 404
 * or 405, or what OPTIONS asks for. */
static void
find_route(struct exchange *x, const char *segment, const char *part)
{
    bool get = !strcmp(x->method, "GET") || !strcmp(x->method, "HEAD");
    const char *method = get ? "GET" : x->method;
    struct ds allow = DS_EMPTY_INITIALIZER;

    for (const struct route *r = routes; r < &routes[ARRAY_SIZE(routes)];
         r++) {
        if (strcmp(r->path, segment) || r->key != (x->key != NULL)
            || !same_part(r->part, part)) {
            continue;
        }
        if (!strcmp(r->method, method)) {
            x->route = r;
        }
        ds_put_format(&allow, "%s, ", (strcmp(r->method, "GET") ? r->method
                                       : "GET, HEAD"));
    }
    if (!x->route && allow.length) {
        ds_put_cstr(&allow, "OPTIONS");
        refuse_method(x, ds_cstr(&allow));
    } else if (!x->route) {
        exchange_problem(x, MHD_HTTP_NOT_FOUND, "There is no %s.", x->path);
    }
    ds_destroy(&allow);
}

/* Is 'type' the media type 'wanted', maybe with "charset=utf-8"; or what
 * "curl -d" says when it is told nothing? */
static bool
is_media_type(const char *type, const char *wanted)
{
    const char *p;

    if (!strcasecmp(type, "application/x-www-form-urlencoded")) {
        return true;
    } else if (strncasecmp(type, wanted, strlen(wanted))) {
        return false;
    }
    p = type + strlen(wanted);
    p += strspn(p, " \t");
    if (!*p) {
        return true;
    } else if (*p != ';') {
        return false;
    }
    p += strspn(p, "; \t");
    return !*p || !strcasecmp(p, "charset=utf-8")
           || !strcasecmp(p, "charset=\"utf-8\"");
}

static void
refuse_too_large(struct exchange *x)
{
    if (!x->status && x->too_large) {
        exchange_problem(x, MHD_HTTP_CONTENT_TOO_LARGE,
                         "The body is larger than %d bytes.",
                         EXCHANGE_BODY_MAX);
    }
}

/* Answers those that send, or want, something else than there is. */
static void
refuse_types(struct exchange *x)
{
    const struct route *r = x->route;

    if (r->body && x->content_type
        && !is_media_type(x->content_type, r->body)) {
        exchange_problem(x, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                         "The body must be %s.", r->body);
    } else if (r->type && !accept_allows(x->accept, r->type)) {
        exchange_problem(x, MHD_HTTP_NOT_ACCEPTABLE, "The answer is %s, which "
                         "the header Accept does not allow.", r->type);
    }
}

void
routes_begin(struct exchange *x)
{
    const char *path = x->path + (x->path[0] == '/');
    size_t len = strcspn(path, "/");
    char *segment = exchange_decode(path, len);
    bool badly_encoded = !segment;
    const char *part = NULL;

    if (path[len]) {
        const char *key = path + len + 1;
        size_t key_len = strcspn(key, "/");

        x->key = exchange_decode(key, key_len);
        badly_encoded |= !x->key;
        part = key[key_len] ? key + key_len + 1 : NULL;
    }
    if (badly_encoded) {
        exchange_problem(x, MHD_HTTP_BAD_REQUEST,
                         "The path is badly percent-encoded.");
    } else if (x->key && !x->key[0]) {
        exchange_problem(x, MHD_HTTP_NOT_FOUND, "There is no %s.", x->path);
    } else {
        find_route(x, segment, part);
    }
    free(segment);
    refuse_too_large(x);
    if (!x->status) {
        refuse_types(x);
    }
}

void
routes_handle(struct exchange *x)
{
    refuse_too_large(x);
    if (!x->status && x->route->known && !x->known) {
        exchange_problem(x, MHD_HTTP_FORBIDDEN, "This is only for clients "
                         "that show a token (api.token_file), or come by the "
                         "Unix socket (api.unix).");
    } else if (!x->status) {
        x->route->handle(x);
    }
}

bool
routes_need_token(const struct exchange *x)
{
    return !x->route || !x->route->open;
}
