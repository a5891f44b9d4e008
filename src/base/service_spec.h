/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_SERVICE_SPEC_H
#define TOF_SERVICE_SPEC_H 1

/* What a service is: 'serviceIP' that UEs ask for, 'applicationIP', or several
 * of them, that answer, and the functions on the way.
 *
 * Place in the flow: the word that REST API, registry and data planes have for
 * a service; service.h says how one comes into force.  The checks are of
 * whoever builds one: the API's body parser (api/json.c) checks what a client
 * sent, the registry what another TOF or a person wrote in the shared database,
 * the configuration the names of functions; all by the same rules.  Pure: no
 * I/O and no state. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVICE_NAME_MAX 63
#define SERVICE_CHAIN_MAX 8
#define SERVICE_APPS_MAX 16
#define SERVICE_WEIGHT_MAX 100
#define SERVICE_CHECK_PATH_MAX 127

/* What becomes of a service's packets while its App is down: they are
 * switched, or go there all the same. */
enum service_on_failure { SERVICE_BYPASS, SERVICE_KEEP };

/* How an App is asked whether it does what it is there for.  It is down when
 * 'fall' tries in a row have failed, and up again when 'rise' have succeeded. */
struct service_check {
    enum {
        SERVICE_CHECK_NONE,     /* Its host alone is asked for. */
        SERVICE_CHECK_TCP,
        SERVICE_CHECK_HTTP,
        SERVICE_CHECK_ICMP,
    } kind;
    uint16_t port;              /* TCP, HTTP. */
    char path[SERVICE_CHECK_PATH_MAX + 1];      /* HTTP. */
    uint16_t expect;            /* HTTP: the status. */
    uint32_t interval_ms;
    uint8_t fall, rise;
};

/* Who answers.  Of a service that has several, each gets new UEs in proportion
 * to its weight: so one of weight 0 keeps what it has. */
struct service_app {
    struct in6_addr ip;         /* IPv4 as IPv4-mapped IPv6. */
    uint8_t weight;             /* 1 if there is one alone. */
};

/* What a service is, as REST and registry see it. */
struct service_spec {
    char name[SERVICE_NAME_MAX + 1];
    struct in6_addr service_ip;         /* IPv4 as IPv4-mapped IPv6. */
    struct service_app apps[SERVICE_APPS_MAX];
    size_t n_apps;                      /* At least 1. */
    char chain[SERVICE_CHAIN_MAX][SERVICE_NAME_MAX + 1];
    size_t n_chain;                     /* 0: the chain is NAT alone. */
    enum service_on_failure on_failure;
    struct service_check health;
};

/* Checks the parts of a spec, for whoever builds one.  On failure returns
 * false and sets '*why' to a constant sentence. */
bool service_name_is_valid(const char *name, const char **why);
bool service_ip_is_valid(const struct in6_addr *, const char **why);
bool service_spec_is_valid(const struct service_spec *, const char **why);

/* "bypass" or "keep"; and back, false if 'name' is neither. */
const char *service_on_failure_name(enum service_on_failure);
bool service_on_failure_from_name(const char *name,
                                  enum service_on_failure *);

/* What a check is if nothing else is said; and whether both are the same. */
void service_check_init(struct service_check *);
bool service_check_equal(const struct service_check *,
                         const struct service_check *);

/* Makes 'ip' its only App. */
void service_spec_set_app(struct service_spec *, const struct in6_addr *ip);

/* Whether both have the same Apps, or functions, in the same order. */
bool service_spec_same_apps(const struct service_spec *,
                            const struct service_spec *);
bool service_spec_same_chain(const struct service_spec *,
                             const struct service_spec *);

/* A number that two specs have in common only if they are equal (but for an
 * accident), in any process and on any host.  Never SERVICE_ANY_VERSION or
 * SERVICE_NO_VERSION. */
uint64_t service_spec_version(const struct service_spec *);
#define SERVICE_ANY_VERSION 0
#define SERVICE_NO_VERSION 1

#endif /* base/service_spec.h */
