/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Addresses from and to text: see addr.h.  Used by whatever reads or shows
 * one: configuration, API, registry. */

#include "addr.h"

#include <arpa/inet.h>
#include <string.h>

bool
addr_parse(const char *text, struct in6_addr *addr)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (inet_pton(AF_INET, text, &addr->s6_addr[12]) == 1) {
        memcpy(addr->s6_addr, mapped, sizeof mapped);
        return true;
    }
    return inet_pton(AF_INET6, text, addr) == 1
           && !IN6_IS_ADDR_V4MAPPED(addr);
}

const char *
addr_format(const struct in6_addr *addr, char buf[INET6_ADDRSTRLEN])
{
    if (IN6_IS_ADDR_V4MAPPED(addr)) {
        return inet_ntop(AF_INET, &addr->s6_addr[12], buf, INET6_ADDRSTRLEN);
    }
    return inet_ntop(AF_INET6, addr, buf, INET6_ADDRSTRLEN);
}
