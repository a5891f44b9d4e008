/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Connections of others, and who gives one up: see visitors.h.
 *
 * A few hundred at most, so they are looked through whenever one comes. */

#include <config.h>

#include "base/visitors.h"

#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"

struct in6_addr
visitors_address(const struct sockaddr *sa)
{
    struct in6_addr addr = in6addr_any;

    if (sa->sa_family == AF_INET) {
        addr = addr_of_ipv4(&((const struct sockaddr_in *) sa)->sin_addr);
    } else if (sa->sa_family == AF_INET6) {
        addr = addr_ue_key(&((const struct sockaddr_in6 *) sa)->sin6_addr);
    }
    return addr;
}

void
visitors_init(struct visitors *vs, unsigned int max, unsigned int max_each)
{
    ovs_list_init(&vs->list);
    vs->max = max;
    vs->max_each = max_each;
}

void
visitors_add(struct visitors *vs, struct visitor *v,
             const struct in6_addr *from)
{
    *v = (struct visitor) { .from = *from };
    ovs_list_push_back(&vs->list, &v->node);
}

void
visitors_remove(struct visitor *v)
{
    ovs_list_remove(&v->node);
}

void
visitors_moved(struct visitors *vs, struct visitor *v)
{
    ovs_list_remove(&v->node);
    ovs_list_push_back(&vs->list, &v->node);
}

enum visitors_limit
visitors_limit(const struct visitors *vs, const struct in6_addr *from)
{
    unsigned int n = 0, n_each = 0;
    const struct visitor *v;

    LIST_FOR_EACH (v, node, &vs->list) {
        if (!v->leaves) {
            n++;
            n_each += IN6_ARE_ADDR_EQUAL(&v->from, from);
        }
    }
    return (n_each >= vs->max_each ? VISITORS_OF_ADDRESS
            : n >= vs->max ? VISITORS_IN_ALL : VISITORS_ROOM);
}

struct visitor *
visitors_first(const struct visitors *vs, const struct in6_addr *from)
{
    struct visitor *v;

    LIST_FOR_EACH (v, node, &vs->list) {
        if (!v->leaves && !v->stays
            && (!from || IN6_ARE_ADDR_EQUAL(&v->from, from))) {
            return v;
        }
    }
    return NULL;
}
