/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Syntax of single values: see conf_value.h for the place in the flow. */

#include "base/addr.h"
#include "conf/conf_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define NAME_MAX_LEN 63

/* Room that the names of sockets in the run directory need. */
#define RUN_DIR_MAX_LEN 80

const char *
conf_check_ifname(const char *value)
{
    if (strlen(value) >= IFNAMSIZ) {
        return "is not an interface name: longer than 15 characters";
    }
    if (!*value || !strcmp(value, ".") || !strcmp(value, "..")
        || strpbrk(value, "/: \t\r\n\v\f")) {
        return "is not an interface name";
    }
    return NULL;
}

const char *
conf_check_name(const char *value)
{
    size_t len = strlen(value);

    for (const char *p = value; *p; p++) {
        if (!isalnum((unsigned char) *p) && !strchr("-_.", *p)) {
            return "is not a name: only letters, digits, '-', '_' and '.'";
        }
    }
    if (!len || len > NAME_MAX_LEN) {
        return "is not a name: 1 to 63 characters";
    }
    return (!strcmp(value, ".") || !strcmp(value, "..")
            ? "is not a name" : NULL);
}

const char *
conf_check_path(const char *value)
{
    return *value == '/' ? NULL : "is not an absolute path";
}

const char *
conf_check_path_or_none(const char *value)
{
    return *value ? conf_check_path(value) : NULL;
}

const char *
conf_check_run_dir(const char *value)
{
    return (strlen(value) > RUN_DIR_MAX_LEN
            ? "is too long: no room for the names of sockets"
            : conf_check_path(value));
}

const char *
conf_check_unix_path(const char *value)
{
    return (strlen(value) >= sizeof ((struct sockaddr_un *) NULL)->sun_path
            ? "is too long for a socket's name"
            : conf_check_path(value));
}

const char *
conf_check_listen(const char *value)
{
    return strcmp(value, "none") ? conf_check_endpoint(value) : NULL;
}

const char *
conf_check_endpoint(const char *value)
{
    char host[INET6_ADDRSTRLEN];
    struct in6_addr addr;
    unsigned int port;

    const char *colon = strrchr(value, ':');
    if (!colon) {
        return "is not ADDRESS:PORT";
    }
    bool bracketed = colon > value + 1 && *value == '[' && colon[-1] == ']';
    const char *start = value + bracketed;
    size_t len = colon - start - bracketed;
    if (len >= sizeof host) {
        return "is not ADDRESS:PORT";
    }
    memcpy(host, start, len);
    host[len] = '\0';
    if (!addr_parse(host, &addr)
        || bracketed == IN6_IS_ADDR_V4MAPPED(&addr)) {
        return "is not ADDRESS:PORT (an IPv6 address goes in brackets)";
    }
    return conf_value_uint(colon + 1, 1, 65535, &port) ? "has no valid port"
                                                       : NULL;
}

const char *
conf_check_registry(const char *value)
{
    static const char *const methods[] = { "tcp:", "ssl:", "unix:" };

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        size_t len = strlen(methods[i]);

        if (!strncmp(value, methods[i], len) && value[len]
            && !strpbrk(value, " ,")) {
            return NULL;
        }
    }
    return "is not tcp:ADDRESS:PORT, ssl:ADDRESS:PORT or unix:PATH";
}

const char *
conf_value_uint(const char *value, unsigned int min, unsigned int max,
                unsigned int *result)
{
    size_t len = strlen(value);

    if (!len || strspn(value, "0123456789") != len
        || (*value == '0' && len > 1)) {
        return "is not a whole number";
    }
    errno = 0;
    unsigned long long int n = strtoull(value, NULL, 10);
    if (errno || n < min || n > max) {
        return "is out of range";
    }
    *result = n;
    return NULL;
}

const char *
conf_value_address(const char *value, struct in6_addr *addr)
{
    if (!addr_parse(value, addr)) {
        return "is not an IP address";
    }
    if (IN6_IS_ADDR_V4MAPPED(addr)) {
        uint8_t first = addr->s6_addr[12];

        return (first == 0 || first == 127 || first >= 224
                ? "is not an address that a host can have" : NULL);
    }
    return (IN6_IS_ADDR_UNSPECIFIED(addr) || IN6_IS_ADDR_LOOPBACK(addr)
            || IN6_IS_ADDR_MULTICAST(addr)
            ? "is not an address that a host can have" : NULL);
}

/* Parses "ADDRESS/LENGTH", or "ADDRESS" with the length of a host. */
static const char *
parse_prefix(const char *value, struct ip_prefix *prefix)
{
    const char *slash = strchr(value, '/');
    size_t addr_len = slash ? (size_t) (slash - value) : strlen(value);
    char host[INET6_ADDRSTRLEN];
    unsigned int len;

    if (addr_len >= sizeof host) {
        return "is not an IP address";
    }
    memcpy(host, value, addr_len);
    host[addr_len] = '\0';
    if (!addr_parse(host, &prefix->addr)) {
        return "is not an IP address";
    }
    unsigned int max = IN6_IS_ADDR_V4MAPPED(&prefix->addr) ? 32 : 128;
    if (!slash) {
        len = max;
    } else if (conf_value_uint(slash + 1, 0, max, &len)) {
        return "has no valid prefix length";
    }
    prefix->len = len;
    return NULL;
}

const char *
conf_value_network(const char *value, struct ip_prefix *prefix)
{
    const char *error = parse_prefix(value, prefix);

    if (!error) {
        bool v4 = IN6_IS_ADDR_V4MAPPED(&prefix->addr);

        for (size_t bit = prefix->len + (v4 ? 96 : 0); bit < 128; bit++) {
            prefix->addr.s6_addr[bit / 8] &= ~(0x80 >> bit % 8);
        }
    }
    return error;
}

const char *
conf_value_interface(const char *value, struct ip_prefix *prefix)
{
    char host[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    const char *error = parse_prefix(value, prefix);
    if (error) {
        return error;
    }
    if (!strchr(value, '/') || !prefix->len) {
        return "has no prefix length, as in 192.0.2.1/24";
    }
    addr_format(&prefix->addr, host);
    return conf_value_address(host, &addr);
}

void
ip_prefix_format(const struct ip_prefix *prefix, char s[IP_PREFIX_STRLEN])
{
    addr_format(&prefix->addr, s);
    snprintf(s + strlen(s), IP_PREFIX_STRLEN - strlen(s), "/%u", prefix->len);
}

const char *
conf_adapter(const struct conf *conf, bool enb)
{
    return (conf->s1u.interface ? conf->s1u.interface
            : enb ? conf->s1u.enb : conf->s1u.sgw);
}

bool
conf_are_peers(const struct conf *conf, const struct in6_addr *enb,
               const struct in6_addr *sgw)
{
    return ((!conf->s1u.enodebs.n
             || ip_prefix_list_contains(&conf->s1u.enodebs, enb))
            && (!conf->s1u.sgws.n
                || ip_prefix_list_contains(&conf->s1u.sgws, sgw)));
}

bool
ip_prefix_list_contains(const struct ip_prefix_list *list,
                        const struct in6_addr *addr)
{
    bool v4 = IN6_IS_ADDR_V4MAPPED(addr);

    for (size_t i = 0; i < list->n; i++) {
        const struct ip_prefix *p = &list->prefixes[i];

        if (v4 != !!IN6_IS_ADDR_V4MAPPED(&p->addr)) {
            continue;
        }
        unsigned int len = p->len + (v4 ? 96 : 0);
        unsigned int bytes = len / 8;
        unsigned int mask = 0xff00 >> len % 8 & 0xff;
        if (!memcmp(addr, &p->addr, bytes)
            && (!mask || !((addr->s6_addr[bytes] ^ p->addr.s6_addr[bytes])
                           & mask))) {
            return true;
        }
    }
    return false;
}
