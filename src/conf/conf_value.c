/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Kinds of values: see conf_value.h for the place in the flow. */

#include "conf/conf_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/addr.h"
#include "conf/conf_types.h"
#include "conf/conf_yaml.h"

#define UNUSED __attribute__((unused))

#define NAME_MAX_LEN 63

/* Room that the names of sockets in the run directory need. */
#define RUN_DIR_MAX_LEN 80

static const char *
read_uint(const char *value, unsigned int min, unsigned int max,
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

/* --- Checks of texts --- */

static const char *
check_ifname(const char *value)
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

static const char *
check_name(const char *value)
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

static const char *
check_path(const char *value)
{
    return *value == '/' ? NULL : "is not an absolute path";
}

static const char *
check_run_dir(const char *value)
{
    return (strlen(value) > RUN_DIR_MAX_LEN
            ? "is too long: no room for the names of sockets"
            : check_path(value));
}

static const char *
check_unix_path(const char *value)
{
    return (strlen(value) >= sizeof ((struct sockaddr_un *) NULL)->sun_path
            ? "is too long for a socket's name"
            : check_path(value));
}

static const char *
check_endpoint(const char *value)
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
    return read_uint(colon + 1, 1, 65535, &port) ? "has no valid port"
                                                       : NULL;
}

static const char *
check_registry(const char *value)
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

/* --- Reading and printing --- */

/* Refuses what no host can have as its address. */
static const char *
check_host(const struct in6_addr *addr)
{
    uint8_t first = addr->s6_addr[12];
    bool bad = (IN6_IS_ADDR_V4MAPPED(addr)
                ? first == 0 || first == 127 || first >= 224
                : IN6_IS_ADDR_UNSPECIFIED(addr) || IN6_IS_ADDR_LOOPBACK(addr)
                  || IN6_IS_ADDR_MULTICAST(addr));

    return bad ? "is not an address that a host can have" : NULL;
}

static const char *
read_address(const struct conf_key *key UNUSED, const char *text, void *value)
{
    return addr_parse(text, value) ? check_host(value)
                                   : "is not an IP address";
}

static void
print_address(const struct conf_key *key UNUSED, const void *value,
              FILE *stream)
{
    char s[INET6_ADDRSTRLEN];

    fputs(addr_format(value, s), stream);
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
    } else if (read_uint(slash + 1, 0, max, &len)) {
        return "has no valid prefix length";
    }
    prefix->len = len;
    return NULL;
}

static const char *
read_network(const struct conf_key *key UNUSED, const char *text, void *value)
{
    struct ip_prefix *prefix = value;
    const char *error = parse_prefix(text, prefix);

    if (!error) {
        bool v4 = IN6_IS_ADDR_V4MAPPED(&prefix->addr);

        for (size_t bit = prefix->len + (v4 ? 96 : 0); bit < 128; bit++) {
            prefix->addr.s6_addr[bit / 8] &= ~(0x80 >> bit % 8);
        }
    }
    return error;
}

/* Parses "NETWORK MTU". */
static const char *
read_network_mtu(const struct conf_key *key, const char *text, void *value)
{
    struct ip_prefix_mtu *path = value;
    const char *space = strrchr(text, ' ');
    char network[64];

    if (!space || (size_t) (space - text) >= sizeof network
        || read_uint(space + 1, CONF_MTU_MIN, CONF_MTU_MAX, &path->mtu)) {
        return "is not NETWORK MTU, as in 10.1.0.0/28 1400 (MTU 1280 to "
               "65535)";
    }
    memcpy(network, text, space - text);
    network[space - text] = '\0';
    return read_network(key, network, &path->prefix);
}

static const char *
read_host_prefix(const struct conf_key *key UNUSED, const char *text,
                 void *value)
{
    struct ip_prefix *prefix = value;
    const char *error = parse_prefix(text, prefix);

    if (!error && (!strchr(text, '/') || !prefix->len)) {
        error = "has no prefix length, as in 192.0.2.1/24";
    }
    return error ? error : check_host(&prefix->addr);
}

static void
print_prefix(const struct conf_key *key, const void *value, FILE *stream)
{
    const struct ip_prefix *prefix = value;

    print_address(key, &prefix->addr, stream);
    fprintf(stream, "/%u", prefix->len);
}

static void
print_network_mtu(const struct conf_key *key, const void *value,
                  FILE *stream)
{
    const struct ip_prefix_mtu *path = value;

    print_prefix(key, &path->prefix, stream);
    fprintf(stream, "=%u", path->mtu);
}

static const char *
read_number(const struct conf_key *key, const char *text, void *value)
{
    return read_uint(text, key->min, key->max, value);
}

static void
print_number(const struct conf_key *key UNUSED, const void *value,
             FILE *stream)
{
    fprintf(stream, "%u", *(const unsigned int *) value);
}

static const char *
read_word(const struct conf_key *key, const char *text, void *value)
{
    unsigned int *index = value;

    for (*index = 0; key->words[*index]; ++*index) {
        if (!strcmp(key->words[*index], text)) {
            return NULL;
        }
    }
    return "is not one of";
}

static void
print_word(const struct conf_key *key, const void *value, FILE *stream)
{
    fputs(key->words[*(const unsigned int *) value], stream);
}

/* The words of booleans are pairs, of which the first means true. */
static const char *
read_boolean(const struct conf_key *key, const char *text, void *value)
{
    unsigned int index;
    const char *error = read_word(key, text, &index);

    *(bool *) value = index % 2 == 0;
    return error;
}

static void
print_boolean(const struct conf_key *key, const void *value, FILE *stream)
{
    fputs(key->words[!*(const bool *) value], stream);
}

static const char *
read_text(const struct conf_key *key, const char *text, void *value)
{
    const char *none = key->kind->none;
    bool is_none = none && !strcmp(text, none);
    const char *error = is_none ? NULL : key->kind->check(text);
    char **copy = value;

    if (!error) {
        *copy = is_none ? NULL : check_alloc(strdup(text));
    }
    return error;
}

static void
print_text(const struct conf_key *key, const void *value, FILE *stream)
{
    const char *text = *(char *const *) value;

    text = text ? text : key->kind->none;
    for (; text && *text; text++) {
        if (*text == '\'') {
            fputs("'\\''", stream);
        } else {
            putc(*text, stream);
        }
    }
}

#define VALUE(NAME, TYPE, READ, PRINT) \
    { NAME, sizeof(TYPE), READ, PRINT, NULL, NULL }
#define TEXT(NAME, CHECK, NONE) \
    { NAME, sizeof(char *), read_text, print_text, CHECK, NONE }

const struct conf_kind
    conf_kind_address = VALUE("address", struct in6_addr, read_address,
                              print_address),
    conf_kind_boolean = VALUE("boolean", bool, read_boolean, print_boolean),
    conf_kind_endpoint = TEXT("ADDRESS:PORT", check_endpoint, NULL),
    conf_kind_endpoint_or_none = TEXT("ADDRESS:PORT or none", check_endpoint,
                                      "none"),
    conf_kind_host_prefix = VALUE("address/length", struct ip_prefix,
                                  read_host_prefix, print_prefix),
    conf_kind_interface = TEXT("interface", check_ifname, NULL),
    conf_kind_name = TEXT("name", check_name, NULL),
    conf_kind_network = VALUE("network", struct ip_prefix, read_network,
                              print_prefix),
    conf_kind_network_mtu = VALUE("network and MTU", struct ip_prefix_mtu,
                                  read_network_mtu, print_network_mtu),
    conf_kind_number = VALUE(NULL, unsigned int, read_number, print_number),
    conf_kind_path = TEXT("path", check_path, NULL),
    conf_kind_path_or_none = TEXT("path or \\(dq\\(dq", check_path, ""),
    conf_kind_registry = TEXT("OVSDB server", check_registry, NULL),
    conf_kind_run_dir = TEXT("path", check_run_dir, NULL),
    conf_kind_unix_path = TEXT("path", check_unix_path, NULL),
    conf_kind_word = VALUE(NULL, unsigned int, read_word, print_word);
