/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_ADDR_H
#define TOF_ADDR_H 1

/* Addresses of both families in one form, IPv4 as IPv4-mapped IPv6, from and
 * to text.  Pure; libc only. */

#include <netinet/in.h>
#include <stdbool.h>

/* Parses "10.45.0.2" or "2001:db8::1".  Refuses anything else, IPv4-mapped
 * IPv6 as text ("::ffff:10.45.0.2") included: an address has one spelling of
 * its family.  On failure returns false and leaves '*addr' unspecified. */
bool addr_parse(const char *text, struct in6_addr *addr);

/* Writes 'addr' as text to 'buf' and returns it. */
const char *addr_format(const struct in6_addr *addr,
                        char buf[INET6_ADDRSTRLEN]);

#endif /* addr.h */
