/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_ADDR_H
#define TOF_ADDR_H 1

/* Addresses of both families in one form, IPv4 as IPv4-mapped IPv6, from and
 * to text; and which part of it is a UE.  Pure; libc only. */

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

/* That form of the IPv4 address whose 4 bytes, as in a packet, are at 'ip4'. */
static inline struct in6_addr
addr_of_ipv4(const void *ip4)
{
    struct in6_addr addr = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

    memcpy(&addr.s6_addr[12], ip4, 4);
    return addr;
}

/* Parses "10.45.0.2" or "2001:db8::1".  Refuses anything else, IPv4-mapped
 * IPv6 as text ("::ffff:10.45.0.2") included: an address has one spelling of
 * its family.  On failure returns false and leaves '*addr' unspecified. */
bool addr_parse(const char *text, struct in6_addr *addr);

/* Writes 'addr' as text to 'buf' and returns it. */
const char *addr_format(const struct in6_addr *addr,
                        char buf[INET6_ADDRSTRLEN]);

/* AF_INET or AF_INET6. */
sa_family_t addr_family(const struct in6_addr *addr);

/* Returns what keeps 'addr' from being the address of one host that routers
 * forward to ("is a multicast address"), or NULL if nothing does. */
const char *addr_problem(const struct in6_addr *addr);

/* A UE has one IPv4 address, or all of an IPv6 /64, of which it chooses the
 * interface identifiers itself (3GPP TS 23.401 clause 5.3.1.2.2).  Returns the
 * key of the UE that has 'addr': that IPv4 address, or the prefix with zeros
 * behind it. */
struct in6_addr addr_ue_key(const struct in6_addr *addr);

#define ADDR_UE_STRLEN (INET6_ADDRSTRLEN + 3)

/* Writes a UE's key as text to 'buf' and returns it: "10.45.0.2" or
 * "2001:db8:1:2::/64". */
const char *addr_format_ue(const struct in6_addr *key,
                           char buf[ADDR_UE_STRLEN]);

/* Parses that, or any address of the UE's, into its key.  On failure returns
 * false and leaves '*key' unspecified. */
bool addr_parse_ue(const char *text, struct in6_addr *key);

#endif /* base/addr.h */
