/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_TEST_ADDRESS_H
#define TOF_TEST_ADDRESS_H 1

/* Addresses in tests, as the code has them. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

/* An IPv4 address as an IPv4-mapped IPv6 one. */
static inline struct in6_addr
ip(const char *s)
{
    struct in6_addr a = { .s6_addr = { [10] = 0xff, 0xff } };

    if (inet_pton(AF_INET, s, &a.s6_addr[12]) != 1) {
        if (inet_pton(AF_INET6, s, &a) != 1) {
            abort();
        }
    }
    return a;
}

#endif /* address.h */
