/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Addresses, and which part of them is a UE. */

#include "base/addr.h"

#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "tap.h"

static bool
ue_is(const char *text, const char *shown)
{
    char buf[ADDR_UE_STRLEN];
    struct in6_addr key;

    return addr_parse_ue(text, &key) && !strcmp(addr_format_ue(&key, buf),
                                                shown);
}

static bool
key_is(const char *addr, const char *expected)
{
    struct in6_addr a = ip(addr), e = ip(expected), key = addr_ue_key(&a);

    return !memcmp(&key, &e, sizeof key);
}

int
main(void)
{
    static const char *const bad_ues[] = {
        "", "/", "/64", "10.45.0.2/64", "10.45.0.2/32", "2001:db8::/63",
        "2001:db8::/064", "2001:db8:1:2::5/64", "2001:db8::/64/64", "x/64",
        "::ffff:10.45.0.2", "::ffff:10.45.0.2/64",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/64",
    };
    static const char *const no_hosts[] = {
        "0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "255.255.255.255",
        "169.254.1.1", "::", "::1", "ff02::1", "fe80::1", "::10.1.2.3",
    };
    static const char *const hosts[] = {
        "10.45.0.2", "198.51.100.10", "2001:db8::1", "fd00::1",
    };

    tap_ok(key_is("10.45.0.2", "10.45.0.2"), "IPv4: the address is the key");
    tap_ok(key_is("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
           "IPv6: the /64 is the key");
    tap_ok(ue_is("10.45.0.2", "10.45.0.2")
           && ue_is("2001:db8:1:2::", "2001:db8:1:2::/64")
           && ue_is("2001:db8:1:2::5", "2001:db8:1:2::/64")
           && ue_is("2001:db8:1:2::/64", "2001:db8:1:2::/64")
           && ue_is("2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
           "UEs from and to text");
    for (size_t i = 0; i < sizeof bad_ues / sizeof *bad_ues; i++) {
        struct in6_addr key;
        tap_ok(!addr_parse_ue(bad_ues[i], &key), "no UE: '%s'", bad_ues[i]);
    }
    for (size_t i = 0; i < sizeof no_hosts / sizeof *no_hosts; i++) {
        struct in6_addr addr = ip(no_hosts[i]);
        tap_ok(addr_problem(&addr) != NULL, "no host: %s", no_hosts[i]);
    }
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct in6_addr addr = ip(hosts[i]);
        tap_ok(!addr_problem(&addr), "a host: %s", hosts[i]);
    }
    return tap_done();
}
