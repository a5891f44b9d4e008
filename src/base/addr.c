/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Addresses: see addr.h.  Used by whatever reads or shows one (configuration,
 * API, registry), or asks whose it is (session table, data plane). */

#include "base/addr.h"

#include <arpa/inet.h>
#include <stdint.h>
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

sa_family_t
addr_family(const struct in6_addr *addr)
{
    return IN6_IS_ADDR_V4MAPPED(addr) ? AF_INET : AF_INET6;
}

/* 'addr' is in host byte order. */
static const char *
ipv4_problem(uint32_t addr)
{
    if (!(addr >> 24)) {
        return "is an unspecified address";     /* 0.0.0.0/8: this network. */
    } else if (addr >> 24 == 127) {
        return "is a loopback address";
    } else if (addr == UINT32_MAX) {
        return "is the broadcast address";
    } else if (addr >> 28 == 0xe) {
        return "is a multicast address";
    } else if (addr >> 16 == 0xa9fe) {
        return "is a link-local address, which no router forwards";
    }
    return NULL;
}

static const char *
ipv6_problem(const struct in6_addr *addr)
{
    if (IN6_IS_ADDR_UNSPECIFIED(addr)) {
        return "is an unspecified address";
    } else if (IN6_IS_ADDR_LOOPBACK(addr)) {
        return "is a loopback address";
    } else if (IN6_IS_ADDR_MULTICAST(addr)) {
        return "is a multicast address";
    } else if (IN6_IS_ADDR_LINKLOCAL(addr)) {
        return "is a link-local address, which no router forwards";
    } else if (IN6_IS_ADDR_V4COMPAT(addr)) {
        return "is an IPv4-compatible address (RFC 4291, 2.5.5.1)";
    }
    return NULL;
}

const char *
addr_problem(const struct in6_addr *addr)
{
    uint32_t ipv4;

    if (addr_family(addr) == AF_INET6) {
        return ipv6_problem(addr);
    }
    memcpy(&ipv4, &addr->s6_addr[12], sizeof ipv4);
    return ipv4_problem(ntohl(ipv4));
}

struct in6_addr
addr_ue_key(const struct in6_addr *addr)
{
    struct in6_addr key = *addr;

    if (addr_family(addr) == AF_INET6) {
        memset(&key.s6_addr[8], 0, 8);
    }
    return key;
}

const char *
addr_format_ue(const struct in6_addr *key, char buf[ADDR_UE_STRLEN])
{
    addr_format(key, buf);
    if (addr_family(key) == AF_INET6) {
        strcat(buf, "/64");
    }
    return buf;
}

bool
addr_parse_ue(const char *text, struct in6_addr *key)
{
    const char *slash = strchr(text, '/');
    char prefix[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    if (!slash) {
        if (!addr_parse(text, &addr)) {
            return false;
        }
        *key = addr_ue_key(&addr);
        return true;
    }
    if (strcmp(slash, "/64") || slash - text >= (int) sizeof prefix) {
        return false;
    }
    memcpy(prefix, text, slash - text);
    prefix[slash - text] = '\0';
    if (!addr_parse(prefix, &addr) || addr_family(&addr) != AF_INET6) {
        return false;
    }
    *key = addr_ue_key(&addr);
    return !memcmp(key, &addr, sizeof addr);
}
