/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Flows in the NAT namespace that outlive what they were made by.
 *
 * Place in the flow: services.c notes here which services have gone or have
 * another application now, or one that is down; agent.c says when bearers are
 * gone, and has the table of connections walked, a part in each turn of its
 * loop.  What comes up during a walk waits for the next one.
 *
 * Until a service's old flows are gone it must not be diverted to its new
 * application (nat_service_ready()).  For a service that is just gone there is
 * no hurry: nothing is diverted to it, and what an application still sends in
 * its flows is nobody's answer (to_ue_rules()). */

#include "nat/nat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nat/conntrack.h"
#include "nat/private.h"

#define PARTS 8                 /* Of a walk, in a turn. */

/* For the next walk, and of the one that is under way. */
static struct conntrack_wanted due, current;
static bool walking;

static bool
has_addr(const struct conntrack_addrs *addrs, const struct in6_addr *addr)
{
    for (size_t i = 0; i < addrs->n; i++) {
        if (!memcmp(&addrs->addrs[i], addr, sizeof *addr)) {
            return true;
        }
    }
    return false;
}

static int
add_addr(struct conntrack_addrs *addrs, const struct in6_addr *addr)
{
    struct in6_addr *more;

    if (has_addr(addrs, addr)) {
        return 0;
    }
    more = realloc(addrs->addrs, (addrs->n + 1) * sizeof *more);
    if (!more) {
        return ENOMEM;
    }
    addrs->addrs = more;
    more[addrs->n++] = *addr;
    return 0;
}

static void
clear(struct conntrack_wanted *w)
{
    free(w->unserved.addrs);
    free(w->probed.addrs);
    *w = (struct conntrack_wanted) { .mark_of = NULL };
}

int
nat_flows_forget(const struct in6_addr *service_ip)
{
    return add_addr(&due.unserved, service_ip);
}

int
nat_flows_probe(const struct in6_addr *service_ip)
{
    return add_addr(&due.probed, service_ip);
}

bool
nat_service_ready(const struct in6_addr *service_ip)
{
    return (!has_addr(&due.unserved, service_ip)
            && !has_addr(&current.unserved, service_ip));
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
    for (size_t i = 0; i < current.unserved.n; i++) {
        nat_flows_forget(&current.unserved.addrs[i]);
    }
    for (size_t i = 0; i < current.probed.n; i++) {
        nat_flows_probe(&current.probed.addrs[i]);
    }
    if (current.mark_of) {
        due.mark_of = current.mark_of;
    }
    clear(&current);
    walking = false;
}

bool
nat_flows_done(void)
{
    return (!walking && !due.mark_of && !due.unserved.n && !due.probed.n);
}

static int
begin(void)
{
    current = due;
    current.probe = nat_probe_ue;
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
    if (!error) {
        clear(&current);
        walking = false;
        return nat_flows_done() ? 0 : EINPROGRESS;
    } else if (error != EINPROGRESS) {
        nat_flows_stop();
    }
    return error;
}
