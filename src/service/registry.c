/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The services' database.
 *
 * Place in the flow: service.c asks for changes, which wait in a queue; one at
 * a time becomes a transaction.  Its life:
 *
 *   queued       not connected: answered UNAVAILABLE at once.  Otherwise
 *                checked against what the IDL shows (NOT_FOUND, CONFLICT).
 *   committing   the server decides.  An index violation, when another client
 *                was faster, is a CONFLICT; a row that changed meanwhile means
 *                to try again.
 *   showing      committed: answered OK when the IDL shows it.
 *
 * None takes longer than three seconds.  Rows that do not make a service,
 * because someone else wrote them so, are not shown to service.c.
 *
 * Addresses are kept as text in their canonical form, so that the server's
 * indexes find equal ones; a chain as names separated by commas. */

#include "service/registry.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/service_spec.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "packets.h"
#include "service/tof-idl.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(registry);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

enum {
    TIMEOUT_MS = 3000,          /* For a request. */
    PROBE_INTERVAL_MS = 5000,
};

enum op { OP_INSERT, OP_UPDATE, OP_DELETE };

struct request {
    struct ovs_list list_node;
    enum op op;
    char *name;                 /* OP_UPDATE, OP_DELETE: of which service. */
    struct service_spec spec;   /* OP_INSERT, OP_UPDATE. */
    registry_cb *cb;
    void *aux;
    long long int deadline;
};

static struct ovsdb_idl *idl;
static struct ovs_list requests = OVS_LIST_INITIALIZER(&requests);

/* The first request's transaction. */
static struct ovsdb_idl_txn *txn;
static unsigned int txn_seqno;  /* The IDL's when it was made. */
static bool retry;              /* As soon as the IDL is past 'txn_seqno'. */
static bool showing;            /* Committed, but the IDL may not show it. */

static unsigned long long int n_answered;

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

/* Makes '*spec' of a row.  On failure returns the reason. */
static const char *
spec_from_row(const struct tofrec_service *row, struct service_spec *spec)
{
    const char *why = NULL;

    memset(spec, 0, sizeof *spec);
    if (strlen(row->name) > SERVICE_NAME_MAX) {
        return "name too long";
    }
    ovs_strlcpy(spec->name, row->name, sizeof spec->name);
    if (!parse_ip(row->service_ip, &spec->service_ip)) {
        return "service_ip is not an address in canonical form";
    }
    if (!parse_ip(row->application_ip, &spec->application_ip)) {
        return "application_ip is not an address in canonical form";
    }
    if (!parse_chain(row->chain, spec)) {
        return "chain too long";
    }
    return service_spec_is_valid(spec, &why) ? NULL : why;
}

static void
row_set(const struct tofrec_service *row, const struct service_spec *spec)
{
    char service_ip[INET6_ADDRSTRLEN], application_ip[INET6_ADDRSTRLEN];
    char *chain = format_chain(spec);

    ipv6_string_mapped(service_ip, &spec->service_ip);
    ipv6_string_mapped(application_ip, &spec->application_ip);
    tofrec_service_set_name(row, spec->name);
    tofrec_service_set_service_ip(row, service_ip);
    tofrec_service_set_application_ip(row, application_ip);
    tofrec_service_set_chain(row, chain);
    free(chain);
}

static const struct tofrec_service *
find_by_name(const char *name)
{
    const struct tofrec_service *row;

    TOFREC_SERVICE_FOR_EACH (row, idl) {
        if (!strcmp(row->name, name)) {
            return row;
        }
    }
    return NULL;
}

/* Returns the row that keeps 'spec' from being written to 'self' (NULL: a new
 * row), or NULL if nothing does. */
static const struct tofrec_service *
find_conflict(const struct service_spec *spec,
              const struct tofrec_service *self)
{
    char service_ip[INET6_ADDRSTRLEN];
    const struct tofrec_service *row;

    ipv6_string_mapped(service_ip, &spec->service_ip);
    TOFREC_SERVICE_FOR_EACH (row, idl) {
        if (row != self && (!strcmp(row->name, spec->name)
                            || !strcmp(row->service_ip, service_ip))) {
            return row;
        }
    }
    return NULL;
}

/* Requests. */

static void
request_queue(enum op op, const char *name, const struct service_spec *spec,
              registry_cb *cb, void *aux)
{
    struct request *req = xzalloc(sizeof *req);

    req->op = op;
    req->name = nullable_xstrdup(name);
    if (spec) {
        req->spec = *spec;
    }
    req->cb = cb;
    req->aux = aux;
    req->deadline = time_msec() + TIMEOUT_MS;
    ovs_list_push_back(&requests, &req->list_node);
}

/* Answers the first request. */
static void
request_done(enum registry_result result, const char *detail)
{
    struct request *req = CONTAINER_OF(ovs_list_pop_front(&requests),
                                       struct request, list_node);

    if (txn) {
        ovsdb_idl_txn_destroy(txn);
        txn = NULL;
    }
    retry = showing = false;
    n_answered++;
    req->cb(result, detail, req->aux);
    free(req->name);
    free(req);
}

static void
request_conflict(const struct request *req, const struct tofrec_service *row)
{
    char *detail = (!strcmp(row->name, req->spec.name)
                    ? xasprintf("the name %s is taken", row->name)
                    : xasprintf("the service IP %s is taken by %s",
                                row->service_ip, row->name));

    request_done(REGISTRY_CONFLICT, detail);
    free(detail);
}

/* Makes the transaction of 'req', or answers it. */
static void
request_start(const struct request *req)
{
    const struct tofrec_service *row, *conflict;

    row = req->op == OP_INSERT ? NULL : find_by_name(req->name);
    if (req->op != OP_INSERT && !row) {
        request_done(REGISTRY_NOT_FOUND, "there is no such service");
        return;
    }
    conflict = req->op == OP_DELETE ? NULL : find_conflict(&req->spec, row);
    if (conflict) {
        request_conflict(req, conflict);
        return;
    }

    retry = false;
    txn_seqno = ovsdb_idl_get_seqno(idl);
    txn = ovsdb_idl_txn_create(idl);
    ovsdb_idl_txn_add_comment(txn, "tofd");
    switch (req->op) {
    case OP_INSERT:
        row_set(tofrec_service_insert(txn), &req->spec);
        break;
    case OP_UPDATE:
        tofrec_service_verify_name(row);
        row_set(row, &req->spec);
        break;
    case OP_DELETE:
        tofrec_service_verify_name(row);
        tofrec_service_delete(row);
        break;
    }
}

/* The server has refused the transaction. */
static void
request_refused(const char *error)
{
    char *detail = xstrdup(error);

    if (strstr(detail, "constraint violation") && strstr(detail, "index")) {
        request_done(REGISTRY_CONFLICT,
                     "the name or the service IP has just been taken");
    } else {
        VLOG_WARN_RL(&rl, "transaction failed: %s", detail);
        request_done(REGISTRY_ERROR, detail);
    }
    free(detail);
}

static void
request_commit(void)
{
    enum ovsdb_idl_txn_status status = ovsdb_idl_txn_commit(txn);

    switch (status) {
    case TXN_INCOMPLETE:
        return;
    case TXN_UNCHANGED:
    case TXN_SUCCESS:
        showing = true;
        break;
    case TXN_TRY_AGAIN:
        retry = true;
        break;
    case TXN_UNCOMMITTED:
    case TXN_ABORTED:
    case TXN_NOT_LOCKED:
    case TXN_ERROR:
    default:
        request_refused(ovsdb_idl_txn_get_error(txn));
        return;
    }
    ovsdb_idl_txn_destroy(txn);
    txn = NULL;
}

/* Does the IDL show what 'req' has committed? */
static bool
request_is_shown(const struct request *req)
{
    char service_ip[INET6_ADDRSTRLEN], application_ip[INET6_ADDRSTRLEN];
    const struct tofrec_service *row;
    char *chain;
    bool shown;

    if (req->op == OP_DELETE) {
        return !find_by_name(req->name);
    }
    row = find_by_name(req->spec.name);
    if (!row) {
        return false;
    }
    ipv6_string_mapped(service_ip, &req->spec.service_ip);
    ipv6_string_mapped(application_ip, &req->spec.application_ip);
    chain = format_chain(&req->spec);
    shown = (!strcmp(row->service_ip, service_ip)
             && !strcmp(row->application_ip, application_ip)
             && !strcmp(row->chain, chain));
    free(chain);
    return shown;
}

/* Is the first request to become a transaction now? */
static bool
request_is_ready(void)
{
    return (!txn && !showing
            && (!retry || ovsdb_idl_get_seqno(idl) != txn_seqno));
}

/* Brings the first request as far as it gets now.  Returns true if it has been
 * answered. */
static bool
request_run(void)
{
    const struct request *req = CONTAINER_OF(ovs_list_front(&requests),
                                             struct request, list_node);
    unsigned long long int n = n_answered;

    if (!txn && !showing && !registry_is_connected()) {
        request_done(REGISTRY_UNAVAILABLE, "the registry is not connected");
        return true;
    }
    if (request_is_ready()) {
        request_start(req);
    }
    if (txn) {
        request_commit();
    }
    if (n_answered != n) {
        return true;
    }
    if (showing && request_is_shown(req)) {
        request_done(REGISTRY_OK, "");
        return true;
    }
    if (time_msec() >= req->deadline) {
        if (showing) {
            /* Committed, and changed again by someone else. */
            request_done(REGISTRY_OK, "");
        } else {
            request_done(REGISTRY_UNAVAILABLE,
                         "the registry does not answer");
        }
        return true;
    }
    return false;
}

/* Interface. */

void
registry_init(const char *remotes)
{
    idl = ovsdb_idl_create_unconnected(&tofrec_idl_class, true);
    /* In a cluster any member will do, with or without the leader. */
    ovsdb_idl_set_leader_only(idl, false);
    ovsdb_idl_set_probe_interval(idl, PROBE_INTERVAL_MS);
    ovsdb_idl_set_remote(idl, remotes, true);
}

void
registry_destroy(void)
{
    while (!ovs_list_is_empty(&requests)) {
        request_done(REGISTRY_UNAVAILABLE, "shutting down");
    }
    ovsdb_idl_destroy(idl);
    idl = NULL;
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
    while (!ovs_list_is_empty(&requests) && request_run()) {
        continue;
    }
}

void
registry_wait(void)
{
    ovsdb_idl_wait(idl);
    if (ovs_list_is_empty(&requests)) {
        return;
    }
    if (txn) {
        ovsdb_idl_txn_wait(txn);
    } else if (request_is_ready()) {
        poll_immediate_wake();
    }
    poll_timer_wait_until(CONTAINER_OF(ovs_list_front(&requests),
                                       struct request, list_node)->deadline);
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

void
registry_for_each(void (*cb)(const struct service_spec *, void *aux),
                  void *aux)
{
    const struct tofrec_service *row;

    TOFREC_SERVICE_FOR_EACH (row, idl) {
        struct service_spec spec;
        const char *why = spec_from_row(row, &spec);

        if (why) {
            VLOG_WARN_RL(&rl, "ignoring service \"%s\": %s", row->name, why);
        } else {
            cb(&spec, aux);
        }
    }
}

void
registry_insert(const struct service_spec *spec, registry_cb *cb, void *aux)
{
    request_queue(OP_INSERT, NULL, spec, cb, aux);
}

void
registry_update(const char *name, const struct service_spec *spec,
                registry_cb *cb, void *aux)
{
    request_queue(OP_UPDATE, name, spec, cb, aux);
}

void
registry_delete(const char *name, registry_cb *cb, void *aux)
{
    request_queue(OP_DELETE, name, NULL, cb, aux);
}
