/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Application registration: see register.h.
 *
 * When service.c calls, the request has been validated and the registry has
 * taken it; the API is answered when register_divert() has succeeded. */

#include <config.h>

#include "service/register.h"

#include <errno.h>
#include <string.h>

#include "base/service_spec.h"
#include "conf/conf.h"
#include "filter/filter.h"
#include "gtp/endpoint.h"
#include "nat/nat.h"
#include "service/buckets.h"
#include "util.h"

static const struct conf *conf;
static const struct endpoint_class *endpoint;
static bool (*plane_is_up)(void);
static void (*resuming)(void);

/* Services whose Apps are back: in force at the filter, but not yet at the
 * endpoint. */
static struct in6_addr *resumed;
static size_t n_resumed, allocated_resumed;

/* (Those that there is no room for are switched.) */
static void
connections_found(const struct tcp_connection *connections, size_t n)
{
    filter_connections_end(connections, n);
}

void
register_init(const struct conf *conf_, const struct endpoint_class *endpoint_,
              bool (*plane_is_up_)(void), void (*resuming_)(void))
{
    plane_is_up = plane_is_up_;
    resuming = resuming_;
    conf = conf_;
    endpoint = endpoint_;
    nat_connections_listen(connections_found);
}

bool
register_ready(const char **why)
{
    *why = "the data plane is not ready; see /status";
    return plane_is_up() && endpoint->ready();
}

bool
register_supports(const struct service_spec *spec, const char **why)
{
    for (size_t i = 0; i < spec->n_chain; i++) {
        size_t j = 0;
        while (j < conf->n_functions
               && strcmp(conf->functions[j].name, spec->chain[i])) {
            j++;
        }
        if (j == conf->n_functions) {
            *why = "the chain names a function that is not configured";
            return false;
        }
    }
    return true;
}

bool
register_possible(const struct service_spec *spec, const char **why)
{
    return !plane_is_up() || endpoint->service_possible(spec, why);
}

bool
register_reaches_all(const struct service_spec *spec, const char **why)
{
    size_t i = 0;

    while (i < spec->n_apps && nat_reaches_app(&spec->apps[i].ip, why)) {
        i++;
    }
    return i == spec->n_apps;
}

bool
register_reaches(const struct service_spec *spec, const char **why)
{
    size_t i = 0;

    while (i < spec->n_apps && !nat_reaches_app(&spec->apps[i].ip, why)) {
        i++;
    }
    return i < spec->n_apps;
}

bool
register_routes_changed(void)
{
    return nat_routes_changed();
}

/* Without its buckets. */
static struct nat_service
nat_service_of(const struct service_spec *spec)
{
    struct nat_service s = { .service_ip = spec->service_ip,
                             .n_apps = spec->n_apps };

    for (size_t i = 0; i < spec->n_apps; i++) {
        s.apps[i] = spec->apps[i].ip;
    }
    return s;
}

bool
register_has_nat(const struct service_spec *spec)
{
    const struct nat_service s = nat_service_of(spec);

    return nat_has_service(&s);
}

int
register_share(const struct service_spec *spec, uint32_t there)
{
    struct nat_service s = nat_service_of(spec);
    struct bucket_app apps[SERVICE_APPS_MAX];
    uint8_t owners[NAT_BUCKETS] = { 0 };

    if (spec->n_apps > 1) {
        for (size_t i = 0; i < spec->n_apps; i++) {
            const bool usable = there & 1u << i;

            apps[i] = (struct bucket_app) { spec->apps[i].ip,
                                            spec->apps[i].weight, usable };
            s.lost |= usable ? 0 : 1u << i;
        }
        buckets_fill(apps, spec->n_apps, BUCKETS_SEED, owners);
        s.owners = owners;
    }
    return plane_is_up() ? nat_service_set(&s) : ENETDOWN;
}

void
register_forget_lost(const struct service_spec *spec, uint32_t there)
{
    for (size_t i = 0; i < spec->n_apps; i++) {
        if (!(there & 1u << i)) {
            nat_flows_forget_app(&spec->service_ip, &spec->apps[i].ip);
        }
    }
}

bool
register_is_lost(const struct service_spec *spec, size_t app)
{
    return nat_is_lost(&spec->service_ip, &spec->apps[app].ip);
}

/* 1. NAT to the application, then chain and Classifier. */
int
register_apply(const struct service_spec *spec, uint32_t there)
{
    int error = register_share(spec, there);

    if (!error) {
        error = endpoint->service_set(spec);
    }
    return error;
}

/* 2. The barrier's answer; and the flows of an old application are gone. */
bool
register_applied(const struct service_spec *spec)
{
    return (plane_is_up() && nat_service_ready(&spec->service_ip)
            && endpoint->service_ready(&spec->service_ip));
}

/* 3. Last of all, the filter: now packets are diverted. */
int
register_divert(const struct service_spec *spec)
{
    const struct in6_addr *ip = &spec->service_ip;
    bool ended;
    int error = nat_service_resume(ip, &ended);

    if (!error && !ended) {
        error = endpoint->service_divert(ip, ENDPOINT_DIVERTS);
    }
    if (!error) {
        error = filter_service_set(ip);
    }
    if (!error && ended) {
        if (n_resumed >= allocated_resumed) {
            resumed = x2nrealloc(resumed, &allocated_resumed, sizeof *resumed);
        }
        resumed[n_resumed++] = *ip;
    }
    return error;
}

/* (They are at the endpoint already, so that has room.) */
void
register_run(void)
{
    if (n_resumed) {
        resuming();
    }
    while (n_resumed) {
        endpoint->service_divert(&resumed[--n_resumed], ENDPOINT_DIVERTS);
    }
}

bool
register_in_force(const struct service_spec *spec)
{
    return (!plane_is_up()
            || (filter_has_service(&spec->service_ip)
                && register_has_nat(spec)));
}

void
register_undivert(const struct service_spec *spec)
{
    endpoint->service_divert(&spec->service_ip, ENDPOINT_SWITCHES);
    if (plane_is_up()) {
        filter_service_clear(&spec->service_ip);
    }
}

bool
register_is_bypassed(const struct service_spec *spec)
{
    return (plane_is_up() && !filter_has_service(&spec->service_ip)
            && register_has_nat(spec));
}

uint64_t
register_end(const struct in6_addr *service_ips, size_t n)
{
    return plane_is_up() ? nat_connections_list(service_ips, n) : 0;
}

bool
register_ended(uint64_t walk)
{
    return nat_connections_listed(walk);
}

/* The filter first, so that nothing is reset that has begun elsewhere. */
int
register_bypass(const struct in6_addr *service_ips, size_t n)
{
    int error = 0;

    for (size_t i = 0; i < n && !error; i++) {
        error = endpoint->service_divert(&service_ips[i], ENDPOINT_BYPASSES);
    }
    if (!error && plane_is_up()) {
        error = filter_services_bypass(service_ips, n);
        error = error ? error : nat_services_end(service_ips, n);
    }
    return error;
}

/* All of it in reverse. */
void
register_withdraw(const struct service_spec *spec)
{
    /* What cannot be done now, dataplane_came_up() makes good. */
    endpoint->service_divert(&spec->service_ip, ENDPOINT_SWITCHES);
    filter_service_clear(&spec->service_ip);
    endpoint->service_clear(&spec->service_ip);
    nat_service_clear(&spec->service_ip);
}
