/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_SERVICE_H
#define TOF_SERVICE_H 1

/* Services: 'serviceIP' that UEs ask for, 'applicationIP' that answers.
 *
 * Place in the flow: the REST API (api/routes.c) asks for a change with one of
 * the three calls below; service.c makes it a transaction in the registry
 * (registry.c), register.c applies to the data plane what the registry
 * then shows, and the callback tells the API the outcome: success only once
 * the data plane has confirmed, else everything is as before. */

#include <netinet/in.h>
#include <stdbool.h>

#include "base/counters.h"
#include "base/service_spec.h"
#include "service/apps.h"

enum service_error {
    SERVICE_OK,                 /* 200 */
    SERVICE_INVALID,            /* 400 */
    SERVICE_NOT_FOUND,          /* 404 */
    SERVICE_CONFLICT,           /* 409 */
    SERVICE_CHANGED,            /* 412: it has not the version asked for. */
    SERVICE_FAILED,             /* 500: could not be applied, rolled back. */
    SERVICE_UNAVAILABLE,        /* 503: a part it needs is not there now. */
};

/* Called exactly once for each request, maybe before the request's function
 * returns.  'detail' is a sentence for a person (never NULL); 'spec' is the
 * service as it is now, NULL for a deletion or an error. */
typedef void service_done_cb(enum service_error, const char *detail,
                             const struct service_spec *spec, void *aux);

void service_create(const struct service_spec *, service_done_cb *,
                    void *aux);
/* If 'version' is not SERVICE_ANY_VERSION, only if the service has that
 * service_spec_version() when its turn comes. */
void service_update(const char *name, const struct service_spec *,
                    uint64_t version, service_done_cb *, void *aux);
/* 'key': a name or a service IP. */
void service_delete(const char *key, uint64_t version, service_done_cb *,
                    void *aux);

/* The service with that name or, if there is none, with that service IP; NULL
 * if there is none, either.  It is good until the next service_run(). */
const struct service_spec *service_find(const char *key);

/* The name of the service that has 'service_ip'; NULL if none has. */
const char *service_name_of(const struct in6_addr *service_ip);

/* The service that has 'service_ip', and what it has exchanged; NULL if none
 * has. */
const struct service_spec *service_by_ip(const struct in6_addr *service_ip,
                                         const struct counters **);

/* Calls 'cb' for each service, ordered by name. */
void service_for_each(void (*cb)(const struct service_spec *,
                                 const struct counters *, void *aux),
                      void *aux);

/* How a service is.  It has as many Apps as its spec says, in that order. */
struct service_view {
    bool in_force;              /* Its packets are diverted; */
    bool changing;              /* or will be in a moment, or not any more. */
    const char *why;            /* If not, a sentence's end that says why; good
                                 * until the next call. */
    bool bypassed;              /* Why: its App, which has a route, is down. */
    struct app_view apps[SERVICE_APPS_MAX];
    uint32_t there;             /* Those that share new connections, by bits;
                                 * all if all of them are down. */
};

/* False if there is none with that service IP. */
bool service_describe(const struct in6_addr *service_ip,
                      struct service_view *);

#endif /* service/service.h */
