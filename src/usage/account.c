/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Accounts: what each session has exchanged with each service.
 *
 * Place in the flow: usage.c adds to the sums, and says what has ended; here
 * is where they are found.  No I/O, and no clock but for the time of birth.
 *
 * A bearer's identifier is used again, with another generation each time; so
 * one that is gone must be closed before long, though its account may live on
 * for months. */

#include <config.h>

#include "usage/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "hash.h"
#include "timeval.h"
#include "util.h"

#define CLOSED_MAX 16           /* Bearers to be shown in a record. */

struct ovs_list usage_alive, usage_ended;
static struct hmap by_session;          /* Accounts in usage_alive. */
static struct hmap by_bearer;
static const char *(*service_name)(const struct in6_addr *);

static uint64_t
n_accounts(void)
{
    return hmap_count(&by_session);
}

METRIC_GAUGE(g_accounts, "tof_usage_sessions", "",
             "Sessions whose usage is being counted.", n_accounts);

void
usage_accounts_init(const char *(*service_name_)(const struct in6_addr *))
{
    service_name = service_name_;
    hmap_init(&by_session);
    hmap_init(&by_bearer);
    ovs_list_init(&usage_alive);
    ovs_list_init(&usage_ended);
}

void
usage_accounts_destroy(void)
{
    struct usage_account *a;

    LIST_FOR_EACH_SAFE (a, node, &usage_alive) {
        usage_account_end(a, "");
    }
    LIST_FOR_EACH_SAFE (a, node, &usage_ended) {
        usage_account_free(a);
    }
    hmap_destroy(&by_session);
    hmap_destroy(&by_bearer);
}

struct usage_account *
usage_account_find(uint32_t session)
{
    struct usage_account *a;

    HMAP_FOR_EACH_WITH_HASH (a, session_node, hash_int(session, 0),
                             &by_session) {
        if (a->session == session) {
            return a;
        }
    }
    return NULL;
}

struct usage_account *
usage_account_create(uint32_t session, const struct in6_addr *ue,
                     long long int since)
{
    struct usage_account *a = xzalloc(sizeof *a);

    a->session = session;
    a->ue = *ue;
    a->since = since;
    ovs_list_init(&a->bearers);
    ovs_list_init(&a->services);
    ovs_list_push_back(&usage_alive, &a->node);
    hmap_insert(&by_session, &a->session_node, hash_int(session, 0));
    return a;
}

struct usage_account *
usage_account_next(const struct usage_account *a)
{
    return (a->node.next == &usage_alive ? NULL
            : CONTAINER_OF(a->node.next, struct usage_account, node));
}

void
usage_account_end(struct usage_account *a, const char *reason)
{
    hmap_remove(&by_session, &a->session_node);
    ovs_list_remove(&a->node);
    ovs_list_push_back(&usage_ended, &a->node);
    a->reason = reason;
}

static void
bearer_close(struct usage_bearer *b)
{
    struct usage_pair *p;

    if (b->state == USAGE_CLOSED) {
        return;
    }
    b->state = USAGE_CLOSED;
    b->account->n_closed++;
    hmap_remove(&by_bearer, &b->node);
    ovs_list_remove(&b->gone_node);
    ovs_list_init(&b->gone_node);
    LIST_FOR_EACH_POP (p, node, &b->pairs) {
        free(p);
    }
}

static void
bearer_free(struct usage_bearer *b)
{
    bearer_close(b);
    b->account->n_closed--;
    ovs_list_remove(&b->account_node);
    free(b);
}

void
usage_account_free(struct usage_account *a)
{
    struct usage_bearer *b;
    struct usage_service *s;

    LIST_FOR_EACH_SAFE (b, account_node, &a->bearers) {
        bearer_free(b);
    }
    LIST_FOR_EACH_POP (s, node, &a->services) {
        free(s->name);
        free(s);
    }
    ovs_list_remove(&a->node);
    free(a);
}

bool
usage_account_is_final(const struct usage_account *a)
{
    const struct usage_bearer *b;

    LIST_FOR_EACH (b, account_node, &a->bearers) {
        if (b->state < USAGE_FINAL) {
            return false;
        }
    }
    return true;
}

struct usage_bearer *
usage_bearer_find(uint32_t id)
{
    struct usage_bearer *b;

    HMAP_FOR_EACH_WITH_HASH (b, node, hash_int(id, 0), &by_bearer) {
        if (b->id == id) {
            return b;
        }
    }
    return NULL;
}

struct usage_bearer *
usage_bearer_create(struct usage_account *a, uint32_t id,
                    const struct fteid *up, enum usage_bearer_state state)
{
    struct usage_bearer *b = xzalloc(sizeof *b);

    b->account = a;
    b->id = id;
    b->up = *up;
    b->state = state;
    ovs_list_init(&b->gone_node);
    ovs_list_init(&b->pairs);
    ovs_list_push_back(&a->bearers, &b->account_node);
    if (state == USAGE_CLOSED) {
        a->n_closed++;
    } else {
        hmap_insert(&by_bearer, &b->node, hash_int(id, 0));
    }
    return b;
}

struct usage_bearer *
usage_bearer_get(const struct bearer *b)
{
    struct usage_bearer *ub = usage_bearer_find(b->id);
    struct usage_account *a = usage_account_find(b->session->id);

    if (ub && ub->account == a && ub->state == USAGE_ALIVE) {
        return ub;
    }
    if (!a) {
        a = usage_account_create(b->session->id, &b->session->ue,
                                 time_wall_msec());
    }
    const struct fteid up = bearer_up(b);
    struct usage_bearer *new = usage_bearer_create(a, b->id, &up,
                                                   USAGE_ALIVE);
    if (ub) {
        /* All generations have passed by before it could be closed.  What has
         * been counted until now is not this one's. */
        ovs_list_push_back_all(&new->pairs, &ub->pairs);
        usage_bearer_close(ub);
    }
    return new;
}

void
usage_bearer_close(struct usage_bearer *b)
{
    struct usage_account *a = b->account;

    bearer_close(b);
    if (a->n_closed > CLOSED_MAX) {
        /* A session that lives for ever must not collect them for ever. */
        LIST_FOR_EACH (b, account_node, &a->bearers) {
            if (b->state == USAGE_CLOSED) {
                bearer_free(b);
                break;
            }
        }
    }
}

struct usage_pair *
usage_pair_get(struct usage_bearer *b, const struct in6_addr *service_ip)
{
    struct usage_pair *p;

    LIST_FOR_EACH (p, node, &b->pairs) {
        if (IN6_ARE_ADDR_EQUAL(&p->service_ip, service_ip)) {
            return p;
        }
    }
    p = xzalloc(sizeof *p);
    p->service_ip = *service_ip;
    ovs_list_push_back(&b->pairs, &p->node);
    return p;
}

struct usage_service *
usage_service_get(struct usage_account *a, const struct in6_addr *ip,
                  const char *name)
{
    struct usage_service *s;

    LIST_FOR_EACH (s, node, &a->services) {
        if (IN6_ARE_ADDR_EQUAL(&s->ip, ip) && !strcmp(s->name, name)) {
            return s;
        }
    }
    s = xzalloc(sizeof *s);
    s->ip = *ip;
    s->name = xstrdup(name);
    ovs_list_push_back(&a->services, &s->node);
    return s;
}

struct usage_service *
usage_service_now(struct usage_account *a, const struct in6_addr *ip)
{
    const char *name = service_name(ip);
    struct usage_service *last = NULL, *s;

    LIST_FOR_EACH (s, node, &a->services) {
        last = IN6_ARE_ADDR_EQUAL(&s->ip, ip) ? s : last;
    }
    if (last && (!name || !strcmp(last->name, name))) {
        return last;
    }
    if (last && !last->name[0]) {
        /* It was not known yet. */
        free(last->name);
        last->name = xstrdup(name);
        return last;
    }
    return usage_service_get(a, ip, name ? name : "");
}
