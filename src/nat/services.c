/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which services the NAT namespace translates, and to what.
 *
 * Place in the flow: register.c calls in here when the registry shows a
 * change, and waits for nothing: once a call has returned, it is in force.
 * What is in force is in the kernel's maps alone; nothing is remembered here
 * that could differ from it.
 *
 * Each service is in one map under its own address, and each application in
 * another one under its: with the service that connections of its own seem to
 * come from, any one if it has several.  Both change in one transaction. */

#include "nat/nat.h"

#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "nat/private.h"

/* An address as the maps have it. */
static const uint8_t *
bytes(const struct in6_addr *addr)
{
    return addr->s6_addr + (IN6_IS_ADDR_V4MAPPED(addr) ? 12 : 0);
}

/* Index into nat_services and nat_apps. */
static int
family_of(const struct in6_addr *addr)
{
    return IN6_IS_ADDR_V4MAPPED(addr) ? 0 : 1;
}

struct heir {
    size_t len;
    const uint8_t *application, *service;
    bool found;
    uint8_t heir[16];
};

static void
heir_cb(const void *service, const void *application,
        uint64_t expires_ms __attribute__((unused)), void *heir_)
{
    struct heir *heir = heir_;

    if (!memcmp(application, heir->application, heir->len)
        && memcmp(service, heir->service, heir->len)) {
        heir->found = true;
        memcpy(heir->heir, service, heir->len);
    }
}

/* 'service' is no longer served by 'application'.  If that one's connections
 * seemed to come from the service, they have to come from another one of its
 * services, if there is any. */
static int
release_app(struct nft_batch *b, int family, const uint8_t *service,
            const uint8_t *application)
{
    const struct nft_set *apps = &nat_apps[family];
    struct heir heir = { .len = apps->key_len, .application = application,
                         .service = service };
    uint8_t shown[16];
    int error = nft_elem_get(nat.nft, &nat_inet, apps, application, shown,
                             NULL);

    if (error || memcmp(shown, service, apps->key_len)) {
        return error == ENOENT ? 0 : error;
    }
    nft_elem_delete(b, &nat_inet, apps, application);
    error = nft_elem_dump(nat.nft, &nat_inet, &nat_services[family], heir_cb,
                          &heir);
    if (!error && heir.found) {
        nft_elem_add(b, &nat_inet, apps, application, heir.heir, 0);
    }
    return error;
}

int
nat_service_set(const struct in6_addr *service_ip,
                const struct in6_addr *application_ip)
{
    const uint8_t *service = bytes(service_ip);
    const uint8_t *application = bytes(application_ip);
    int family = family_of(service_ip);
    const struct nft_set *services = &nat_services[family];
    const struct nft_set *apps = &nat_apps[family];
    uint8_t old[16], shown[16];
    struct nft_batch *b;
    bool replaced;
    int error;

    if (family != family_of(application_ip)) {
        return EAFNOSUPPORT;
    }
    if (!nat.open) {
        return ENOTCONN;
    }
    error = nft_elem_get(nat.nft, &nat_inet, services, service, old, NULL);
    if (error && error != ENOENT) {
        return error;
    }
    replaced = !error && memcmp(old, application, services->data_len);
    if (!error && !replaced
        && !nft_elem_get(nat.nft, &nat_inet, apps, application, shown,
                         NULL)) {
        return 0;               /* As at each start, for all of them. */
    }

    b = nft_begin(nat.nft);
    error = 0;
    if (replaced) {
        nft_elem_delete(b, &nat_inet, services, service);
        error = release_app(b, family, service, old);
    }
    if (!error) {
        nft_elem_add(b, &nat_inet, services, service, application, 0);
        error = nft_elem_get(nat.nft, &nat_inet, apps, application, shown,
                             NULL);
        if (error == ENOENT) {
            nft_elem_add(b, &nat_inet, apps, application, service, 0);
            error = 0;
        }
    }
    if (error) {
        nft_abort(b);
        return error;
    }
    error = nft_commit(b, NULL);
    return error || !replaced ? error : nat_flows_forget(service_ip);
}

bool
nat_translates(const struct in6_addr *service_ip)
{
    return nat.open && !nft_elem_get(nat.nft, &nat_inet,
                                     &nat_services[family_of(service_ip)],
                                     bytes(service_ip), NULL, NULL);
}

bool
nat_has_service(const struct in6_addr *service_ip,
                const struct in6_addr *application_ip)
{
    int family = family_of(service_ip);
    uint8_t application[16];

    if (!nat.open) {
        return true;
    }
    int error = nft_elem_get(nat.nft, &nat_inet, &nat_services[family],
                             bytes(service_ip), application, NULL);
    if (!error && memcmp(application, bytes(application_ip),
                         nat_services[family].data_len)) {
        error = ENOENT;
    }
    if (!error) {
        error = nft_elem_get(nat.nft, &nat_inet, &nat_apps[family],
                             bytes(application_ip), NULL, NULL);
    }
    return error != ENOENT;
}

int
nat_service_resume(const struct in6_addr *service_ip, bool *ended)
{
    const struct nft_set *ending = &nat_ending[family_of(service_ip)];
    int error;

    *ended = false;
    if (!nat.open) {
        return ENOTCONN;
    }
    /* (To delete what is not there takes much longer than to look.) */
    error = nft_elem_get(nat.nft, &nat_inet, ending, bytes(service_ip), NULL,
                         NULL);
    *ended = !error;
    return (error == ENOENT ? 0 : error ? error
            : nft_elem_forget(nat.nft, &nat_inet, ending, bytes(service_ip)));
}

int
nat_service_clear(const struct in6_addr *service_ip)
{
    const uint8_t *service = bytes(service_ip);
    int family = family_of(service_ip);
    const struct nft_set *services = &nat_services[family];
    uint8_t application[16];
    bool ended;
    int error;

    if (!nat.open) {
        return ENOTCONN;
    }
    nat_service_resume(service_ip, &ended);
    error = nft_elem_get(nat.nft, &nat_inet, services, service, application,
                         NULL);
    if (!error) {
        struct nft_batch *b = nft_begin(nat.nft);

        nft_elem_delete(b, &nat_inet, services, service);
        error = release_app(b, family, service, application);
        if (error) {
            nft_abort(b);
        } else {
            error = nft_commit(b, NULL);
        }
    }
    return error && error != ENOENT ? error : nat_flows_forget(service_ip);
}

int
nat_services_end(const struct in6_addr *service_ips, size_t n)
{
    struct nft_batch *b;
    int error;

    if (!nat.open) {
        return ENOTCONN;
    }
    b = nft_begin(nat.nft);
    for (size_t i = 0; i < n; i++) {
        nft_elem_add(b, &nat_inet, &nat_ending[family_of(&service_ips[i])],
                     bytes(&service_ips[i]), NULL, 0);
    }
    error = nft_commit(b, NULL);
    return error ? error : nat_flows_end(service_ips, n);
}

struct dump {
    int family;
    void (*cb)(const struct in6_addr *, const struct in6_addr *, void *aux);
    void *aux;
};

static struct in6_addr
address(int family, const void *raw)
{
    struct in6_addr addr;

    if (!family) {
        return addr_of_ipv4(raw);
    }
    memcpy(&addr, raw, sizeof addr);
    return addr;
}

static void
dump_cb(const void *key, const void *data,
        uint64_t expires_ms __attribute__((unused)), void *dump_)
{
    struct dump *dump = dump_;
    struct in6_addr service = address(dump->family, key);
    struct in6_addr application = address(dump->family, data);

    dump->cb(&service, &application, dump->aux);
}

int
nat_service_dump(void (*cb)(const struct in6_addr *service_ip,
                            const struct in6_addr *application_ip,
                            void *aux), void *aux)
{
    struct dump dump = { .cb = cb, .aux = aux };
    int error = nat.open ? 0 : ENOTCONN;

    for (; !error && dump.family < 2; dump.family++) {
        error = nft_elem_dump(nat.nft, &nat_inet, &nat_services[dump.family],
                              dump_cb, &dump);
    }
    return error;
}
