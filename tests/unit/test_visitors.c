/* SPDX-License-Identifier: GPL-3.0-or-later */

/* base/visitors.h: who gives up a connection for whom. */

#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/visitors.h"
#include "tap.h"

#define MAX 6
#define MAX_EACH 3

static struct in6_addr
address(const char *text)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    struct sockaddr_in in = { .sin_family = AF_INET };

    return (inet_pton(AF_INET, text, &in.sin_addr)
            ? visitors_address((struct sockaddr *) &in)
            : inet_pton(AF_INET6, text, &in6.sin6_addr)
            ? visitors_address((struct sockaddr *) &in6) : in6addr_any);
}

static bool
count_as_one(const char *a, const char *b)
{
    const struct in6_addr x = address(a), y = address(b);

    return IN6_ARE_ADDR_EQUAL(&x, &y);
}

static void
test_addresses(void)
{
    const struct sockaddr local = { .sa_family = AF_UNIX };
    const struct in6_addr none = visitors_address(&local);

    tap_ok(!count_as_one("192.0.2.1", "192.0.2.2"), "IPv4 addresses differ");
    tap_ok(count_as_one("2001:db8::1", "2001:db8::2"),
           "a host may have all of an IPv6 /64");
    tap_ok(!count_as_one("2001:db8::1", "2001:db8:0:1::1"),
           "networks differ");
    tap_ok(IN6_IS_ADDR_UNSPECIFIED(&none), "a local one has no address");
}

static struct visitors visitors;
static struct visitor v[MAX];

/* As many as may be: v[0] to v[2] come from one address, the others from one
 * each. */
static void
fill(void)
{
    static const char *const from[MAX] = {
        "192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.4", "192.0.2.5",
        "2001:db8::1",
    };

    visitors_init(&visitors, MAX, MAX_EACH);
    for (int i = 0; i < MAX; i++) {
        const struct in6_addr addr = address(from[i]);

        visitors_add(&visitors, &v[i], &addr);
    }
}

static enum visitors_limit
limit(const char *from)
{
    const struct in6_addr addr = address(from);

    return visitors_limit(&visitors, &addr);
}

static struct visitor *
first(const char *from)
{
    const struct in6_addr addr = address(from);

    return visitors_first(&visitors, &addr);
}

static void
test_limits(void)
{
    fill();
    tap_ok(limit("192.0.2.1") == VISITORS_OF_ADDRESS,
           "an address that has many gives up its own");
    tap_ok(limit("192.0.2.9") == VISITORS_IN_ALL, "another one does not");
    visitors_remove(&v[4]);
    tap_ok(limit("192.0.2.9") == VISITORS_ROOM, "there is room for it");
    tap_ok(limit("192.0.2.1") == VISITORS_OF_ADDRESS, "not for the first one");
    v[1].leaves = true;
    tap_ok(limit("192.0.2.1") == VISITORS_ROOM,
           "one that is given up has no place");
}

static void
test_who_is_given_up(void)
{
    fill();
    tap_ok(visitors_first(&visitors, NULL) == &v[0],
           "the one that has not moved for longest");
    visitors_moved(&visitors, &v[0]);
    tap_ok(visitors_first(&visitors, NULL) == &v[1], "v[0] has moved");
    v[1].stays = true;
    tap_ok(visitors_first(&visitors, NULL) == &v[2], "v[1] waits for us");
    v[2].leaves = true;
    tap_ok(visitors_first(&visitors, NULL) == &v[3],
           "v[2] is given up already");
    tap_ok(first("192.0.2.1") == &v[0], "of the same address");
    v[0].stays = true;
    tap_ok(!first("192.0.2.1"), "nobody of them");
    tap_ok(first("2001:db8::ff") == &v[5], "of the same network");
}

int
main(void)
{
    test_addresses();
    test_limits();
    test_who_is_given_up();
    return tap_done();
}
