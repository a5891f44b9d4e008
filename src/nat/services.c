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
 * come from, any one if it has several.  A service that has several
 * applications is also in a map of its buckets, and in one with each of them.
 * All change in one transaction. */

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

/* Index into nat_services and the like. */
static int
family_of(const struct in6_addr *addr)
{
    return IN6_IS_ADDR_V4MAPPED(addr) ? 0 : 1;
}

/* A key of 'nat_members' and 'nat_lost': both addresses. */
struct pair {
    uint8_t bytes[32];
};

static struct pair
make_pair(int family, const uint8_t *service, const uint8_t *application)
{
    const size_t len = nat_services[family].key_len;
    struct pair pair;

    memcpy(pair.bytes, service, len);
    memcpy(pair.bytes + len, application, len);
    return pair;
}

/* A key of the map 'nat_buckets'. */
struct bucket {
    uint8_t bytes[20];
};

static struct bucket
make_bucket(int family, const uint8_t *service, uint32_t number)
{
    const size_t len = nat_services[family].key_len;
    struct bucket bucket;

    memcpy(bucket.bytes, service, len);
    memcpy(bucket.bytes + len, &number, sizeof number);
    return bucket;
}

/* Whether an element is there; 'error' is sticky. */
static bool
has_elem(const struct nft_set *set, const void *key, void *data, int *error)
{
    int e = nft_elem_get(nat.nft, &nat_inet, set, key, data, NULL);

    if (e && e != ENOENT && !*error) {
        *error = e;
    }
    return !e;
}

/* The applications that the maps have for a service, of which there may be
 * none. */
struct held {
    int family;
    size_t len;                 /* Of an address. */
    const uint8_t *service;
    bool there;                 /* In the map of services, which has */
    uint8_t shown[16];          /* this for it. */
    bool several;
    uint8_t apps[SERVICE_APPS_MAX][16];
    size_t n;
};

static void
held_cb(const void *pair_, const void *data __attribute__((unused)),
        uint64_t expires_ms __attribute__((unused)), void *held_)
{
    struct held *held = held_;
    const uint8_t *pair = pair_;

    if (!memcmp(pair, held->service, held->len)
        && held->n < SERVICE_APPS_MAX) {
        memcpy(held->apps[held->n++], pair + held->len, held->len);
    }
}

/* Whether the service has just those applications that it should have, as all
 * of them say that there are so many. */
static bool
has_members(const struct held *held, const struct nat_service *s, int *error)
{
    for (size_t i = 0; i < s->n_apps; i++) {
        const struct pair pair = make_pair(held->family, held->service,
                                           bytes(&s->apps[i]));
        uint32_t n;

        if (!has_elem(&nat_members[held->family], &pair, &n, error)
            || n != s->n_apps) {
            return false;
        }
    }
    return s->n_apps;
}

/* ('s' says what is looked for first: a dump of all members takes longer.) */
static int
find_held(const struct nat_service *s, struct held *held)
{
    const int family = family_of(&s->service_ip);
    const uint8_t *service = bytes(&s->service_ip);
    const struct bucket first = make_bucket(family, service, 0);
    int error = 0;

    *held = (struct held) { .family = family, .service = service,
                            .len = nat_services[family].key_len };
    held->there = has_elem(&nat_services[family], service, held->shown,
                           &error);
    held->several = has_elem(&nat_buckets[family], &first, NULL, &error);
    if (held->several && has_members(held, s, &error)) {
        for (size_t i = 0; i < s->n_apps; i++) {
            memcpy(held->apps[held->n++], bytes(&s->apps[i]), held->len);
        }
        return error;
    }
    if (held->several && !error) {
        return nft_elem_dump(nat.nft, &nat_inet, &nat_members[family],
                             held_cb, held);
    }
    if (held->there) {
        memcpy(held->apps[held->n++], held->shown, held->len);
    }
    return error;
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

static void
member_cb(const void *pair, const void *data __attribute__((unused)),
          uint64_t expires_ms, void *heir_)
{
    const struct heir *heir = heir_;

    heir_cb(pair, (const uint8_t *) pair + heir->len, expires_ms, heir_);
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
    if (!error && !heir.found) {
        error = nft_elem_dump(nat.nft, &nat_inet, &nat_members[family],
                              member_cb, &heir);
    }
    if (!error && heir.found) {
        nft_elem_add(b, &nat_inet, apps, application, heir.heir, 0);
    }
    return error;
}

/* A transaction that makes of what the maps have for a service what they should
 * have. */
struct change {
    const struct nat_service *s;
    struct held old;
    struct nft_batch *b;
    bool changes;               /* Whether there is anything in it. */
    int error;                  /* Sticky. */
};

static void
put(struct change *c, const struct nft_set *set, const void *key,
    const void *data)
{
    nft_elem_add(c->b, &nat_inet, set, key, data, 0);
    c->changes = true;
}

static void
take(struct change *c, const struct nft_set *set, const void *key)
{
    nft_elem_delete(c->b, &nat_inet, set, key);
    c->changes = true;
}

/* One of 'set', a set, is to be there, or is not. */
static void
put_or_take(struct change *c, const struct nft_set *set, const void *key,
            bool wanted)
{
    const bool there = has_elem(set, key, NULL, &c->error);

    if (wanted && !there) {
        put(c, set, key, NULL);
    } else if (!wanted && there) {
        take(c, set, key);
    }
}

static void
change_buckets(struct change *c)
{
    const struct nft_set *buckets = &nat_buckets[c->old.family];
    const bool several = c->s->n_apps > 1;

    if (!several && !c->old.several) {
        return;
    }
    for (uint32_t i = 0; i < NAT_BUCKETS; i++) {
        const struct bucket key = make_bucket(c->old.family, c->old.service,
                                              i);
        const uint8_t *app = several ? bytes(&c->s->apps[c->s->owners[i]])
                                     : NULL;
        uint8_t old[16];
        bool there = has_elem(buckets, &key, old, &c->error);

        if (there && several && !memcmp(old, app, c->old.len)) {
            continue;
        }
        if (there) {
            take(c, buckets, &key);
        }
        if (several) {
            put(c, buckets, &key, app);
        }
    }
}

static bool
is_wanted(const struct change *c, const uint8_t *application)
{
    for (size_t i = 0; i < c->s->n_apps; i++) {
        if (!memcmp(bytes(&c->s->apps[i]), application, c->old.len)) {
            return true;
        }
    }
    return false;
}

/* An application is one of the 'n' of the service, or (0) the only one. */
static void
change_member(struct change *c, const struct pair *pair, uint32_t n)
{
    const struct nft_set *members = &nat_members[c->old.family];
    uint32_t old;
    bool there = has_elem(members, pair, &old, &c->error);

    if (there && old == n) {
        return;
    }
    if (there) {
        take(c, members, pair);
    }
    if (n) {
        put(c, members, pair, &n);
    }
}

/* The map of members and the set of those that are lost, for applications that
 * the service has. */
static void
change_pairs(struct change *c)
{
    const int family = c->old.family;
    const bool several = c->s->n_apps > 1;

    for (size_t i = 0; i < c->s->n_apps; i++) {
        const struct pair pair = make_pair(family, c->old.service,
                                           bytes(&c->s->apps[i]));

        if (several || c->old.several) {
            change_member(c, &pair, several ? c->s->n_apps : 0);
            put_or_take(c, &nat_lost[family], &pair,
                        several && c->s->lost & 1u << i);
        }
    }
}

/* Applications that the service has no more. */
static void
release_apps(struct change *c)
{
    const int family = c->old.family;

    for (size_t i = 0; i < c->old.n; i++) {
        const uint8_t *app = c->old.apps[i];
        const struct pair pair = make_pair(family, c->old.service, app);

        if (is_wanted(c, app)) {
            continue;
        }
        if (c->old.several) {
            change_member(c, &pair, 0);
            put_or_take(c, &nat_lost[family], &pair, false);
        }
        int error = release_app(c->b, family, c->old.service, app);
        c->error = c->error ? c->error : error;
        c->changes = true;
    }
}

static void
claim_apps(struct change *c)
{
    const struct nft_set *apps = &nat_apps[c->old.family];

    for (size_t i = 0; i < c->s->n_apps; i++) {
        const uint8_t *app = bytes(&c->s->apps[i]);

        if (!has_elem(apps, app, NULL, &c->error)) {
            put(c, apps, app, c->old.service);
        }
    }
}

static void
change_service(struct change *c)
{
    const struct nft_set *services = &nat_services[c->old.family];
    const uint8_t *first = c->s->n_apps ? bytes(&c->s->apps[0]) : NULL;

    if (first && c->old.there && !memcmp(first, c->old.shown, c->old.len)) {
        return;
    }
    if (c->old.there) {
        take(c, services, c->old.service);
    }
    if (first) {
        put(c, services, c->old.service, first);
    }
}

/* In force, as far as the maps are concerned. */
static int
commit(struct change *c)
{
    int error = find_held(c->s, &c->old);

    if (error) {
        return error;
    }
    c->b = nft_begin(nat.nft);
    change_service(c);
    change_buckets(c);
    change_pairs(c);
    release_apps(c);
    claim_apps(c);
    if (c->error || !c->changes) {
        nft_abort(c->b);        /* Unchanged: as at each start, for all. */
        return c->error;
    }
    return nft_commit(c->b, NULL);
}

/* What flows there are to applications that the service has no more, or that
 * are lost. */
static int
end_flows(const struct change *c)
{
    const struct nat_service *s = c->s;
    size_t n_gone = 0;
    int error = 0;

    for (size_t i = 0; i < c->old.n && !error; i++) {
        if (!is_wanted(c, c->old.apps[i])) {
            const struct in6_addr app = address(c->old.family,
                                                c->old.apps[i]);

            error = nat_flows_forget_app(&s->service_ip, &app);
            n_gone++;
        }
    }
    if (n_gone && n_gone == c->old.n && !error) {
        error = nat_flows_forget(&s->service_ip);
    }
    for (size_t i = 0; i < s->n_apps && !error; i++) {
        if (s->lost & 1u << i) {
            error = nat_flows_end_app(&s->service_ip, &s->apps[i]);
        }
    }
    return error;
}

int
nat_service_set(const struct nat_service *s)
{
    struct change c = { .s = s };
    int error;

    for (size_t i = 0; i < s->n_apps; i++) {
        if (family_of(&s->apps[i]) != family_of(&s->service_ip)) {
            return EAFNOSUPPORT;
        }
    }
    if (!nat.open) {
        return ENOTCONN;
    }
    error = commit(&c);
    return error ? error : end_flows(&c);
}

bool
nat_translates(const struct in6_addr *service_ip)
{
    return nat.open && !nft_elem_get(nat.nft, &nat_inet,
                                     &nat_services[family_of(service_ip)],
                                     bytes(service_ip), NULL, NULL);
}

/* Whether it is there for sure, or may be. */
static bool
may_have(const struct nft_set *set, const void *key, void *data)
{
    return nft_elem_get(nat.nft, &nat_inet, set, key, data, NULL) != ENOENT;
}

/* (One bucket a call, another one each time.) */
static bool
may_have_shares(int family, const struct nat_service *s)
{
    static uint32_t next;
    const struct bucket bucket = make_bucket(family, bytes(&s->service_ip),
                                             next++ % NAT_BUCKETS);
    bool has = may_have(&nat_buckets[family], &bucket, NULL);

    for (size_t i = 0; i < s->n_apps && has; i++) {
        const struct pair pair = make_pair(family, bytes(&s->service_ip),
                                           bytes(&s->apps[i]));

        has = may_have(&nat_members[family], &pair, NULL);
    }
    return has;
}

bool
nat_has_service(const struct nat_service *s)
{
    const int family = family_of(&s->service_ip);
    uint8_t first[16];

    if (!nat.open) {
        return true;
    }
    int error = nft_elem_get(nat.nft, &nat_inet, &nat_services[family],
                             bytes(&s->service_ip), first, NULL);
    if (error) {
        return error != ENOENT;
    }
    if (memcmp(first, bytes(&s->apps[0]), nat_services[family].data_len)) {
        return false;
    }
    for (size_t i = 0; i < s->n_apps; i++) {
        if (!may_have(&nat_apps[family], bytes(&s->apps[i]), NULL)) {
            return false;
        }
    }
    return s->n_apps < 2 || may_have_shares(family, s);
}

bool
nat_is_lost(const struct in6_addr *service_ip,
            const struct in6_addr *application_ip)
{
    const int family = family_of(service_ip);
    const struct pair pair = make_pair(family, bytes(service_ip),
                                       bytes(application_ip));

    return nat.open && !nft_elem_get(nat.nft, &nat_inet, &nat_lost[family],
                                     &pair, NULL, NULL);
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
    const struct nat_service nobody = { .service_ip = *service_ip };
    struct change c = { .s = &nobody };
    bool ended;
    int error;

    if (!nat.open) {
        return ENOTCONN;
    }
    nat_service_resume(service_ip, &ended);
    error = commit(&c);
    return error ? error : nat_flows_forget(service_ip);
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
