/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Flows in the NAT namespace that outlive what they were made by.
 *
 * Place in the flow: services.c notes here which services have gone or have
 * another application now, or one that is down, whose connections
 * service/register.c wants to know; agent.c says when bearers are gone, and has
 * the table of connections walked, a part in each turn of its loop.  What comes
 * up during a walk waits for the next one.
 *
 * Until a service's old flows are gone it must not be diverted to its new
 * application (nat_service_ready()).  For a service that is just gone there is
 * no hurry: nothing is diverted to it, and what an application still sends in
 * its flows is nobody's answer (to_ue_rules()). */

#include "nat/nat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/tunnel.h"
#include "nat/conntrack.h"
#include "nat/private.h"

#define PARTS 8                 /* Of a walk, in a turn. */
#define FOUND_MAX 2048          /* More are told of in between. */

/* For the next walk, and of the one that is under way. */
static struct conntrack_wanted due, current;
static bool walking;
static uint64_t n_walked;       /* So many have come to their end. */

static nat_connections_cb *listener;
static struct tcp_connection found[FOUND_MAX];
static size_t n_found;

static bool
has_target(const struct conntrack_targets *t,
           const struct conntrack_target *target)
{
    for (size_t i = 0; i < t->n; i++) {
        if (!memcmp(&t->targets[i], target, sizeof *target)) {
            return true;
        }
    }
    return false;
}

static bool
has_service(const struct conntrack_targets *t,
            const struct in6_addr *service_ip)
{
    for (size_t i = 0; i < t->n; i++) {
        if (IN6_ARE_ADDR_EQUAL(&t->targets[i].service, service_ip)) {
            return true;
        }
    }
    return false;
}

/* Returns room for 'n' more, to be filled in; NULL if there is no memory, or
 * 'n' is 0. */
static struct conntrack_target *
more_targets(struct conntrack_targets *t, size_t n)
{
    struct conntrack_target *all = (n ? realloc(t->targets, (t->n + n)
                                                * sizeof *all) : NULL);

    if (!all) {
        return NULL;
    }
    t->targets = all;
    t->n += n;
    return all + t->n - n;
}

/* (That one may be there twice is no harm.) */
static int
add_targets(struct conntrack_targets *t, const struct conntrack_target *added,
            size_t n)
{
    struct conntrack_target *more = more_targets(t, n);

    if (more) {
        memcpy(more, added, n * sizeof *more);
    }
    return more || !n ? 0 : ENOMEM;
}

/* Services, whatever their applications. */
static int
add_services(struct conntrack_targets *t, const struct in6_addr *service_ips,
             size_t n)
{
    struct conntrack_target *more = more_targets(t, n);

    for (size_t i = 0; more && i < n; i++) {
        more[i] = (struct conntrack_target) { .service = service_ips[i] };
    }
    return more || !n ? 0 : ENOMEM;
}

static void
clear(struct conntrack_wanted *w)
{
    free(w->unserved.targets);
    free(w->ended.targets);
    free(w->listed.targets);
    *w = (struct conntrack_wanted) { .mark_of = NULL };
}

static int
forget(const struct conntrack_target *target)
{
    return (has_target(&due.unserved, target) ? 0
            : add_targets(&due.unserved, target, 1));
}

int
nat_flows_forget(const struct in6_addr *service_ip)
{
    const struct conntrack_target target = { .service = *service_ip };

    return forget(&target);
}

int
nat_flows_end(const struct in6_addr *service_ips, size_t n)
{
    return add_services(&due.ended, service_ips, n);
}

int
nat_flows_forget_app(const struct in6_addr *service_ip,
                     const struct in6_addr *application_ip)
{
    const struct conntrack_target target = { *service_ip, *application_ip };

    return forget(&target);
}

int
nat_flows_end_app(const struct in6_addr *service_ip,
                  const struct in6_addr *application_ip)
{
    const struct conntrack_target target = { *service_ip, *application_ip };

    return add_targets(&due.ended, &target, 1);
}

void
nat_connections_listen(nat_connections_cb *cb)
{
    listener = cb;
}

uint64_t
nat_connections_list(const struct in6_addr *service_ips, size_t n)
{
    /* (What memory is missing for is not told.) */
    add_services(&due.listed, service_ips, n);
    return n_walked + (walking ? 2 : 1);
}

bool
nat_connections_listed(uint64_t walk)
{
    return n_walked >= walk;
}

static void
tell_found(void)
{
    if (n_found) {
        listener(found, n_found);
        n_found = 0;
    }
}

static void
note_found(const struct tcp_connection *c)
{
    found[n_found++] = *c;
    if (n_found >= FOUND_MAX) {
        tell_found();
    }
}

bool
nat_service_ready(const struct in6_addr *service_ip)
{
    return (!has_service(&due.unserved, service_ip)
            && !has_service(&current.unserved, service_ip));
}

void
nat_flows_reassign(uint32_t (*owner)(uint32_t bearer_id, uint16_t space))
{
    due.mark_of = owner;
}

/* What a walk has not come to is for another one. */
void
nat_flows_stop(void)
{
    add_targets(&due.unserved, current.unserved.targets, current.unserved.n);
    add_targets(&due.ended, current.ended.targets, current.ended.n);
    add_targets(&due.listed, current.listed.targets, current.listed.n);
    if (current.mark_of) {
        due.mark_of = current.mark_of;
    }
    clear(&current);
    walking = false;
}

bool
nat_flows_done(void)
{
    return (!walking && !due.mark_of && !due.unserved.n && !due.ended.n
            && !due.listed.n);
}

static int
begin(void)
{
    current = due;
    current.probe = nat_probe_ue;
    current.found = note_found;
    due = (struct conntrack_wanted) { .mark_of = NULL };
    walking = true;
    return conntrack_walk_begin(nat.ct, &current);
}

int
nat_flows_run(void)
{
    int error;

    if (!nat.open) {
        return ENOTCONN;
    }
    if (nat_flows_done()) {
        return 0;
    }
    error = walking ? 0 : begin();
    if (!error) {
        error = EINPROGRESS;
    }
    for (int i = 0; i < PARTS && error == EINPROGRESS; i++) {
        error = conntrack_walk_next(nat.ct, &current);
    }
    tell_found();
    if (!error) {
        clear(&current);
        walking = false;
        n_walked++;
        return nat_flows_done() ? 0 : EINPROGRESS;
    } else if (error != EINPROGRESS) {
        nat_flows_stop();
    }
    return error;
}
