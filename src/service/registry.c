/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The services' database.
 *
 * Place in the flow: service.c has one request at a time made a transaction.
 * The life of such a change:
 *
 *   open         not connected: UNAVAILABLE at once.
 *   committing   the server decides.  A violation of an index, because another
 *                client was faster, is a CONFLICT; a row that changed
 *                meanwhile means to try again.
 *   showing      committed: OK when the IDL shows it.
 *
 * Rows that do not make a service, because someone else wrote them so, are not
 * shown to service.c, which is shown changes alone.
 *
 * Addresses are kept as text in their canonical form, so that the server's
 * indexes find equal ones; a chain as names separated by commas.  What a
 * service has beyond that is in the map "options", each only if it is not what
 * goes without saying: so it is empty for most.  TOFs of versions before that
 * column do not see it, and do with such a service what they have always
 * done.  So a service with several Apps has the first one in "application_ip",
 * too, where they find it. */

#include "service/registry.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/service_spec.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/hmap.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "packets.h"
#include "service/tof-idl.h"
#include "smap.h"
#include "util.h"
#include "uuid.h"

VLOG_DEFINE_THIS_MODULE(registry);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

#define PROBE_INTERVAL_MS 5000

static struct ovsdb_idl *idl;
static struct ovsdb_idl_index *by_name, *by_service_ip;

/* A row of which service.c knows, as far as it makes a service. */
struct shown {
    struct hmap_node node;      /* In 'shown', by 'uuid'. */
    struct uuid uuid;
    bool valid;                 /* It does; then */
    struct in6_addr service_ip; /* that is its own. */
};
static struct hmap shown = HMAP_INITIALIZER(&shown);

/* The change under way. */
static struct {
    const char *name;           /* NULL: a new service. */
    const struct service_spec *spec;    /* NULL: the service goes. */
    struct ovsdb_idl_txn *txn;
    unsigned int txn_seqno;     /* The IDL's when it was made. */
    enum { OPEN, RETRY, COMMITTING, SHOWING } state;
                                /* RETRY: as soon as the IDL is past
                                 * 'txn_seqno'. */
} change;

/* Rows and services. */

/* Parses an address in canonical form, IPv4 into an IPv4-mapped one. */
static bool
parse_ip(const char *text, struct in6_addr *addr)
{
    char canonical[INET6_ADDRSTRLEN];

    return addr_parse(text, addr)
           && !strcmp(text, addr_format(addr, canonical));
}

static bool
parse_chain(const char *text, struct service_spec *spec)
{
    char *copy = xstrdup(text);
    char *rest = copy;
    const char *name;
    bool ok = true;

    spec->n_chain = 0;
    while (*text && (name = strsep(&rest, ",")) != NULL) {
        ok = (spec->n_chain < SERVICE_CHAIN_MAX
              && strlen(name) <= SERVICE_NAME_MAX);
        if (!ok) {
            break;
        }
        ovs_strlcpy(spec->chain[spec->n_chain], name,
                    sizeof spec->chain[spec->n_chain]);
        spec->n_chain++;
    }
    free(copy);
    return ok;
}

static char *
format_chain(const struct service_spec *spec)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < spec->n_chain; i++) {
        ds_put_format(&s, "%s%s", i ? "," : "", spec->chain[i]);
    }
    return ds_steal_cstr(&s);
}

static const char *const check_kinds[] = {
    [SERVICE_CHECK_TCP] = "tcp", [SERVICE_CHECK_HTTP] = "http",
    [SERVICE_CHECK_ICMP] = "icmp",
};

/* A number from 0 to 'max', which stays as it is if the option is not there;
 * 0, which none of them may be, if it is no such number. */
static unsigned int
parse_number(const struct smap *options, const char *key, unsigned int number,
             unsigned int max)
{
    const char *text = smap_get(options, key);
    unsigned int n;

    return (!text ? number
            : str_to_uint(text, 10, &n) && n <= max ? n : 0);
}

/* On failure returns the reason. */
static const char *
parse_check(const struct smap *options, struct service_check *c)
{
    const char *kind = smap_get(options, "health");
    const char *path = smap_get_def(options, "health_path", "");

    service_check_init(c);
    if (!kind) {
        return NULL;
    }
    for (int i = SERVICE_CHECK_TCP; i <= SERVICE_CHECK_ICMP; i++) {
        if (!strcmp(kind, check_kinds[i])) {
            c->kind = i;
        }
    }
    if (!c->kind || strlen(path) > SERVICE_CHECK_PATH_MAX) {
        return "health is none that is known";
    }
    ovs_strlcpy(c->path, path, sizeof c->path);
    c->port = parse_number(options, "health_port", 0, UINT16_MAX);
    c->expect = parse_number(options, "health_expect", c->expect, UINT16_MAX);
    c->interval_ms = parse_number(options, "health_interval_ms",
                                  c->interval_ms, UINT32_MAX);
    c->fall = parse_number(options, "health_fall", c->fall, UINT8_MAX);
    c->rise = parse_number(options, "health_rise", c->rise, UINT8_MAX);
    return NULL;
}

/* "IP=WEIGHT,...", the first of them once more: 'spec' has that one.  On failure
 * returns the reason. */
static const char *
parse_apps(const char *text, struct service_spec *spec)
{
    const struct in6_addr first = spec->apps[0].ip;
    char *copy = xstrdup(text);
    char *rest = copy, *ip;
    bool ok = true;

    spec->n_apps = 0;
    while (ok && (ip = strsep(&rest, ",")) != NULL) {
        char *weight = strchr(ip, '=');
        unsigned int n;

        ok = weight && spec->n_apps < SERVICE_APPS_MAX;
        if (ok) {
            struct service_app *app = &spec->apps[spec->n_apps++];

            *weight++ = '\0';
            ok = (parse_ip(ip, &app->ip) && str_to_uint(weight, 10, &n)
                  && n <= SERVICE_WEIGHT_MAX);
            app->weight = n;
        }
    }
    free(copy);
    return (!ok || spec->n_apps < 2 ? "applications are not several with "
            "weights"
            : !IN6_ARE_ADDR_EQUAL(&first, &spec->apps[0].ip)
            ? "application_ip is not the first of applications" : NULL);
}

static char *
format_apps(const struct service_spec *spec)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < spec->n_apps; i++) {
        char ip[INET6_ADDRSTRLEN];

        ds_put_format(&s, "%s%s=%u", i ? "," : "",
                      addr_format(&spec->apps[i].ip, ip),
                      spec->apps[i].weight);
    }
    return ds_steal_cstr(&s);
}

/* On failure returns the reason. */
static const char *
parse_options(const struct smap *options, struct service_spec *spec)
{
    const char *on_failure = smap_get(options, "on_failure");
    const char *apps = smap_get(options, "applications");
    const char *why = apps ? parse_apps(apps, spec) : NULL;

    if (why) {
        return why;
    }
    if (on_failure && !service_on_failure_from_name(on_failure,
                                                    &spec->on_failure)) {
        return "on_failure is neither bypass nor keep";
    }
    return parse_check(options, &spec->health);
}

static void
format_number(struct smap *options, const char *key, unsigned int number,
              unsigned int usual)
{
    if (number != usual) {
        smap_add_format(options, key, "%u", number);
    }
}

static void
format_check(const struct service_check *c, struct smap *options)
{
    struct service_check usual;

    service_check_init(&usual);
    smap_add(options, "health", check_kinds[c->kind]);
    format_number(options, "health_port", c->port, 0);
    if (c->path[0]) {
        smap_add(options, "health_path", c->path);
    }
    format_number(options, "health_expect", c->expect, usual.expect);
    format_number(options, "health_interval_ms", c->interval_ms,
                  usual.interval_ms);
    format_number(options, "health_fall", c->fall, usual.fall);
    format_number(options, "health_rise", c->rise, usual.rise);
}

/* The caller frees it. */
static void
format_options(const struct service_spec *spec, struct smap *options)
{
    smap_init(options);
    if (spec->on_failure != SERVICE_BYPASS) {
        smap_add(options, "on_failure",
                 service_on_failure_name(spec->on_failure));
    }
    if (spec->n_apps > 1) {
        smap_add_nocopy(options, xstrdup("applications"), format_apps(spec));
    }
    if (spec->health.kind) {
        format_check(&spec->health, options);
    }
}

/* Makes '*spec' of a row.  On failure returns the reason. */
static const char *
spec_from_row(const struct tofrec_service *row, struct service_spec *spec)
{
    struct in6_addr application_ip;
    const char *why = NULL;

    memset(spec, 0, sizeof *spec);
    if (strlen(row->name) > SERVICE_NAME_MAX) {
        return "name too long";
    }
    ovs_strlcpy(spec->name, row->name, sizeof spec->name);
    if (!parse_ip(row->service_ip, &spec->service_ip)) {
        return "service_ip is not an address in canonical form";
    }
    if (!parse_ip(row->application_ip, &application_ip)) {
        return "application_ip is not an address in canonical form";
    }
    service_spec_set_app(spec, &application_ip);
    if (!parse_chain(row->chain, spec)) {
        return "chain too long";
    }
    why = parse_options(&row->options, spec);
    if (!why) {
        service_spec_is_valid(spec, &why);
    }
    return why;
}

/* Whether the database has the column. */
static bool
has_options(void)
{
    return ovsdb_idl_server_has_column(idl, &tofrec_service_col_options);
}

/* Whether it can keep all of 'spec'. */
static bool
can_keep(const struct service_spec *spec)
{
    struct smap options;
    bool can;

    format_options(spec, &options);
    can = smap_is_empty(&options) || has_options();
    smap_destroy(&options);
    return can;
}

static void
row_set(const struct tofrec_service *row, const struct service_spec *spec)
{
    char service_ip[INET6_ADDRSTRLEN], application_ip[INET6_ADDRSTRLEN];
    char *chain = format_chain(spec);
    struct smap options;

    ipv6_string_mapped(service_ip, &spec->service_ip);
    ipv6_string_mapped(application_ip, &spec->apps[0].ip);
    tofrec_service_set_name(row, spec->name);
    tofrec_service_set_service_ip(row, service_ip);
    tofrec_service_set_application_ip(row, application_ip);
    tofrec_service_set_chain(row, chain);
    free(chain);
    format_options(spec, &options);
    if (has_options()) {
        tofrec_service_set_options(row, &options);
    }
    smap_destroy(&options);
}

static const struct tofrec_service *
find_by_name(const char *name)
{
    struct tofrec_service *key = tofrec_service_index_init_row(by_name);
    const struct tofrec_service *row;

    tofrec_service_index_set_name(key, name);
    row = tofrec_service_index_find(by_name, key);
    tofrec_service_index_destroy_row(key);
    return row;
}

static const struct tofrec_service *
find_by_service_ip(const struct in6_addr *ip)
{
    struct tofrec_service *key = tofrec_service_index_init_row(by_service_ip);
    const struct tofrec_service *row;
    char text[INET6_ADDRSTRLEN];

    ipv6_string_mapped(text, ip);
    tofrec_service_index_set_service_ip(key, text);
    row = tofrec_service_index_find(by_service_ip, key);
    tofrec_service_index_destroy_row(key);
    return row;
}

char *
registry_conflict(const struct service_spec *spec, const char *name)
{
    const struct tofrec_service *row = find_by_name(spec->name);

    if (row && (!name || strcmp(row->name, name))) {
        return xasprintf("the name %s is taken", row->name);
    }
    row = find_by_service_ip(&spec->service_ip);
    if (row && (!name || strcmp(row->name, name))) {
        return xasprintf("the service IP %s is taken by %s", row->service_ip,
                         row->name);
    }
    return NULL;
}

/* The change. */

static void
destroy_txn(void)
{
    if (change.txn) {
        ovsdb_idl_txn_destroy(change.txn);
        change.txn = NULL;
    }
}

void
registry_begin(const char *name, const struct service_spec *spec)
{
    destroy_txn();
    change.name = name;
    change.spec = spec;
    change.state = OPEN;
}

/* Makes the transaction.  Returns false if there is no such service. */
static bool
make_txn(void)
{
    const struct tofrec_service *row = (change.name
                                        ? find_by_name(change.name) : NULL);

    if (change.name && !row) {
        return false;
    }
    change.state = COMMITTING;
    change.txn_seqno = ovsdb_idl_get_seqno(idl);
    change.txn = ovsdb_idl_txn_create(idl);
    ovsdb_idl_txn_add_comment(change.txn, "tofd");
    if (row) {
        tofrec_service_verify_name(row);
    } else {
        row = tofrec_service_insert(change.txn);
    }
    if (change.spec) {
        row_set(row, change.spec);
    } else {
        tofrec_service_delete(row);
    }
    return true;
}

/* The server has refused the transaction. */
static enum registry_result
refused(const char *error, char **detail)
{
    if (strstr(error, "constraint violation") && strstr(error, "index")) {
        *detail = xstrdup("the name or the service IP has just been taken");
        return REGISTRY_CONFLICT;
    }
    VLOG_WARN_RL(&rl, "transaction failed: %s", error);
    *detail = xstrdup(error);
    return REGISTRY_ERROR;
}

static enum registry_result
commit(char **detail)
{
    switch (ovsdb_idl_txn_commit(change.txn)) {
    case TXN_INCOMPLETE:
        return REGISTRY_PENDING;
    case TXN_UNCHANGED:
    case TXN_SUCCESS:
        change.state = SHOWING;
        break;
    case TXN_TRY_AGAIN:
        change.state = RETRY;
        break;
    case TXN_UNCOMMITTED:
    case TXN_ABORTED:
    case TXN_NOT_LOCKED:
    case TXN_ERROR:
    default:
        return refused(ovsdb_idl_txn_get_error(change.txn), detail);
    }
    destroy_txn();
    return REGISTRY_PENDING;
}

/* Does the IDL show what has been committed? */
static bool
is_shown(void)
{
    char service_ip[INET6_ADDRSTRLEN], application_ip[INET6_ADDRSTRLEN];
    const struct service_spec *spec = change.spec;
    const struct tofrec_service *row;
    struct smap options;
    char *chain;
    bool shown;

    if (!spec) {
        return !find_by_name(change.name);
    }
    row = find_by_name(spec->name);
    if (!row) {
        return false;
    }
    ipv6_string_mapped(service_ip, &spec->service_ip);
    ipv6_string_mapped(application_ip, &spec->apps[0].ip);
    chain = format_chain(spec);
    format_options(spec, &options);
    shown = (!strcmp(row->service_ip, service_ip)
             && !strcmp(row->application_ip, application_ip)
             && !strcmp(row->chain, chain)
             && smap_equal(&row->options, &options));
    smap_destroy(&options);
    free(chain);
    return shown;
}

/* Is there to be a transaction now? */
static bool
is_due(void)
{
    return (change.state == OPEN
            || (change.state == RETRY
                && ovsdb_idl_get_seqno(idl) != change.txn_seqno));
}

/* As registry_continue(), but the transaction is left. */
static enum registry_result
advance(char **detail)
{
    enum registry_result result = REGISTRY_PENDING;

    if ((change.state == OPEN || change.state == RETRY)
        && !registry_is_connected()) {
        *detail = xstrdup("the registry is not connected");
        return REGISTRY_UNAVAILABLE;
    }
    if (change.spec && !can_keep(change.spec)) {
        *detail = xstrdup("the registry's database is of an older version, "
                          "without the column \"options\": see tof-ovs(8)");
        return REGISTRY_ERROR;
    }
    if (is_due() && !make_txn()) {
        *detail = xstrdup("there is no such service");
        return REGISTRY_NOT_FOUND;
    }
    if (change.state == COMMITTING) {
        result = commit(detail);
    }
    return (result == REGISTRY_PENDING && change.state == SHOWING
            && is_shown() ? REGISTRY_OK : result);
}

enum registry_result
registry_continue(char **detail)
{
    enum registry_result result;

    *detail = NULL;
    result = advance(detail);
    if (result != REGISTRY_PENDING) {
        destroy_txn();
    }
    return result;
}

enum registry_result
registry_give_up(void)
{
    destroy_txn();
    /* Committed, and changed again by someone else. */
    return change.state == SHOWING ? REGISTRY_OK : REGISTRY_UNAVAILABLE;
}

/* The contents. */

void
registry_init(const char *remotes)
{
    idl = ovsdb_idl_create_unconnected(&tofrec_idl_class, true);
    /* In a cluster any member will do, with or without the leader. */
    ovsdb_idl_set_leader_only(idl, false);
    ovsdb_idl_set_probe_interval(idl, PROBE_INTERVAL_MS);
    ovsdb_idl_track_add_all(idl);
    by_name = ovsdb_idl_index_create1(idl, &tofrec_service_col_name);
    by_service_ip = ovsdb_idl_index_create1(idl,
                                            &tofrec_service_col_service_ip);
    ovsdb_idl_set_remote(idl, remotes, true);
}

void
registry_destroy(void)
{
    struct shown *s;

    destroy_txn();
    ovsdb_idl_destroy(idl);
    idl = NULL;
    HMAP_FOR_EACH_POP (s, node, &shown) {
        free(s);
    }
    hmap_destroy(&shown);
    hmap_init(&shown);
}

void
registry_run(void)
{
    unsigned int seqno = ovsdb_idl_get_seqno(idl);

    ovsdb_idl_run(idl);
    if (ovsdb_idl_get_seqno(idl) != seqno) {
        /* For those who had their turn in the loop already. */
        poll_immediate_wake();
    }
}

void
registry_wait(void)
{
    ovsdb_idl_wait(idl);
    if (change.txn) {
        ovsdb_idl_txn_wait(change.txn);
    }
}

bool
registry_is_connected(void)
{
    return (idl && ovsdb_idl_has_ever_connected(idl)
            && ovsdb_idl_is_connected(idl));
}

unsigned int
registry_seqno(void)
{
    return idl ? ovsdb_idl_get_seqno(idl) : 0;
}

static struct shown *
find_shown(const struct uuid *uuid)
{
    struct shown *s;

    HMAP_FOR_EACH_WITH_HASH (s, node, uuid_hash(uuid), &shown) {
        if (uuid_equals(&s->uuid, uuid)) {
            return s;
        }
    }
    return NULL;
}

static void
take_back(struct shown *s, void (*gone)(const struct in6_addr *))
{
    if (s->valid) {
        gone(&s->service_ip);
    }
    hmap_remove(&shown, &s->node);
    free(s);
}

/* 'row' has changed, or is new: what it was is no more, unless the service is
 * the same one.  Returns true if nothing of it is shown. */
static bool
take_back_old(const struct tofrec_service *row,
              void (*gone)(const struct in6_addr *))
{
    struct shown *s = find_shown(&row->header_.uuid);
    struct service_spec spec;

    if (s && (tofrec_service_is_deleted(row) || spec_from_row(row, &spec)
              || !IN6_ARE_ADDR_EQUAL(&spec.service_ip, &s->service_ip))) {
        take_back(s, gone);
        s = NULL;
    }
    return !s;
}

static void
show(const struct tofrec_service *row,
     void (*there)(const struct service_spec *))
{
    struct shown *s = find_shown(&row->header_.uuid);
    struct service_spec spec;
    const char *why = spec_from_row(row, &spec);

    if (!s) {
        s = xzalloc(sizeof *s);
        s->uuid = row->header_.uuid;
        hmap_insert(&shown, &s->node, uuid_hash(&s->uuid));
    }
    s->valid = !why;
    s->service_ip = spec.service_ip;
    if (why) {
        VLOG_WARN_RL(&rl, "ignoring service \"%s\": %s", row->name, why);
    } else {
        there(&spec);
    }
}

static size_t
count_rows(void)
{
    const struct tofrec_service *row;
    size_t n = 0;

    TOFREC_SERVICE_FOR_EACH (row, idl) {
        n++;
    }
    return n;
}

/* The IDL does not say what has gone when it begins anew, with another
 * database, say. */
static void
take_back_lost(void (*gone)(const struct in6_addr *))
{
    struct shown *s;

    HMAP_FOR_EACH_SAFE (s, node, &shown) {
        if (!tofrec_service_get_for_uuid(idl, &s->uuid)) {
            take_back(s, gone);
        }
    }
}

void
registry_follow(void (*gone)(const struct in6_addr *),
                void (*there)(const struct service_spec *))
{
    const struct tofrec_service *row;
    size_t n_new = 0;

    TOFREC_SERVICE_FOR_EACH_TRACKED (row, idl) {
        n_new += (take_back_old(row, gone)
                  && !tofrec_service_is_deleted(row));
    }
    if (hmap_count(&shown) + n_new != count_rows()) {
        take_back_lost(gone);
    }
    TOFREC_SERVICE_FOR_EACH_TRACKED (row, idl) {
        if (!tofrec_service_is_deleted(row)) {
            show(row, there);
        }
    }
    ovsdb_idl_track_clear(idl);
}
