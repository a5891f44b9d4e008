/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Paths to UEs that are not as wide as most: see nat.h.
 *
 * The kernel's routes do all the work, as they do for S1-U itself: they tell
 * applications (ICMP), cut what may be cut, and clamp the TCP MSS.  So there
 * is a routing table with default routes for each width, which is asked by a
 * mark; maps say which mark an answer gets, and what MSS, by its flow's
 * bearer.
 *
 * Tables are made when they are first needed, and stay: there are as many as
 * there are different widths, and at most MAX_ROOMS. */

#include "nat/nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/conf_value.h"
#include "kernel/rtnl.h"
#include "nat/private.h"

#define MAX_ROOMS 32            /* Each is a rule that packets walk past. */
#define MIN_ROOM (CONF_MTU_MIN - NAT_OUTER_HEADERS)
#define IP4_TCP_HEADERS 40
#define IP6_TCP_HEADERS 60

static unsigned int rooms[MAX_ROOMS];   /* With a table. */
static size_t n_rooms;
static struct nft_batch *batch;         /* What is to be done, or NULL. */
static int failed;                      /* The first error in making it. */

unsigned int
nat_path_room(bool ipv6, unsigned int mtu)
{
    unsigned int room = mtu - NAT_OUTER_HEADERS;

    return ipv6 && room < NAT_IPV6_MTU_MIN ? NAT_IPV6_MTU_MIN : room;
}

/* A table, its routes, and the rules that lead there. */
static int
make_table(unsigned int room)
{
    static const sa_family_t families[2] = { AF_INET, AF_INET6 };
    const uint32_t table = NAT_PATH_MARK + room;
    int error = 0;

    for (int i = 0; !error && i < 2; i++) {
        error = nat_route_ues(i, room, table);
        if (!error) {
            error = rtnl_rule_ensure(nat.inside, families[i],
                                     nat.conf->apps.interface, table, table);
        }
        if (i && (error == EAFNOSUPPORT || error == EOPNOTSUPP)) {
            error = 0;          /* A kernel without IPv6. */
        }
    }
    return error;
}

/* '*room' becomes that of a table: its own, or the next smaller one if there
 * are too many; the last place is for the smallest of all. */
static int
find_table(unsigned int *room)
{
    unsigned int best = 0;
    int error;

    for (size_t i = 0; i < n_rooms; i++) {
        if (rooms[i] <= *room && rooms[i] > best) {
            best = rooms[i];
        }
    }
    if (best == *room) {
        return 0;
    } else if (n_rooms >= MAX_ROOMS - 1 && *room != MIN_ROOM) {
        *room = best ? best : MIN_ROOM;
        return best ? 0 : find_table(room);
    }
    error = make_table(*room);
    if (!error) {
        rooms[n_rooms++] = *room;
    }
    return error;
}

static unsigned int
width(unsigned int mtu)
{
    return (!mtu || mtu == nat.path_mtu ? 0
            : mtu < nat.adapter_mtu ? mtu
            : nat.adapter_mtu == nat.path_mtu ? 0 : nat.adapter_mtu);
}

void
nat_path_set(uint32_t id, bool ipv6, unsigned int was, unsigned int mtu)
{
    unsigned int room;

    if (!nat.open || width(was) == width(mtu)) {
        return;
    }
    if (!batch) {
        batch = nft_begin(nat.nft);
    }
    if (width(was)) {
        nft_elem_delete(batch, &nat_inet, &nat_paths, &id);
        nft_elem_delete(batch, &nat_inet, &nat_path_mss, &id);
    }
    if (width(mtu)) {
        room = width(mtu) - NAT_OUTER_HEADERS;
        failed = failed ? failed : find_table(&room);
        const uint32_t mark = NAT_PATH_MARK + room;
        const uint16_t mss = htons(
            nat_path_room(ipv6, room + NAT_OUTER_HEADERS)
            - (ipv6 ? IP6_TCP_HEADERS : IP4_TCP_HEADERS));
        nft_elem_add(batch, &nat_inet, &nat_paths, &id, &mark, 0);
        nft_elem_add(batch, &nat_inet, &nat_path_mss, &id, &mss, 0);
    }
}

int
nat_path_run(void)
{
    struct nft_batch *b = batch;
    int error = failed;

    if (!b) {
        return 0;
    } else if (error) {
        nat_path_abort();
        return error;
    }
    batch = NULL;
    return nft_commit(b, NULL);
}

int
nat_path_flush(void)
{
    struct nft_batch *b;

    nat_path_abort();
    if (!nat.open) {
        return ENOTCONN;
    }
    n_rooms = 0;                /* They may be gone, too. */
    b = nft_begin(nat.nft);
    nft_set_flush(b, &nat_inet, nat_paths.name);
    nft_set_flush(b, &nat_inet, nat_path_mss.name);
    return nft_commit(b, NULL);
}

void
nat_path_abort(void)
{
    if (batch) {
        nft_abort(batch);
    }
    batch = NULL;
    failed = 0;
}
