/* SPDX-License-Identifier: GPL-3.0-or-later */

/* api/guard.h: which requests are answered, by their headers. */

#include "api/guard.h"

#include <string.h>

#include "tap.h"

static char *names[] = { "tof1", "tof1.example.net" };

static const struct {
    struct guard_request request;
    const char *refused;        /* By this header; NULL: it is answered. */
    bool any_host;
} requests[] = {
    /* Clients that are no browsers. */
    { { NULL, NULL, NULL }, NULL, false },
    { { "127.0.0.1:8080", NULL, NULL }, NULL, false },
    { { "192.0.2.1", NULL, NULL }, NULL, false },
    { { "[::1]:8080", NULL, NULL }, NULL, false },
    { { "[2001:db8::1]", NULL, NULL }, NULL, false },
    { { "localhost", NULL, NULL }, NULL, false },
    { { "LocalHost:8080", NULL, NULL }, NULL, false },
    { { "tof1:8080", NULL, NULL }, NULL, false },
    { { "TOF1.example.net", NULL, NULL }, NULL, false },
    { { "anything", NULL, NULL }, NULL, true },

    /* Names that somebody else has pointed here. */
    { { "attacker.example", NULL, NULL }, "Host", false },
    { { "attacker.example:8080", NULL, NULL }, "Host", false },
    { { "tof1.attacker.example", NULL, NULL }, "Host", false },
    { { "localhost.attacker.example", NULL, NULL }, "Host", false },
    { { "127.0.0.1.attacker.example", NULL, NULL }, "Host", false },
    { { "", NULL, NULL }, "Host", false },
    { { ":8080", NULL, NULL }, "Host", false },
    { { "[::1", NULL, NULL }, "Host", false },
    { { "[::1]x", NULL, NULL }, "Host", false },
    { { "127.0.0.1:80x", NULL, NULL }, "Host", false },
    { { "127.0.0.1:8080@attacker.example", NULL, NULL }, "Host", false },

    /* A page of this host's, and others. */
    { { "127.0.0.1:8080", "http://127.0.0.1:8080", "same-origin" }, NULL,
      false },
    { { "tof1", "https://TOF1", NULL }, NULL, false },
    { { "127.0.0.1:8080", NULL, "none" }, NULL, false },
    { { "127.0.0.1:8080", "http://127.0.0.1:9090", NULL }, "Origin", false },
    { { "127.0.0.1:8080", "http://attacker.example", NULL }, "Origin",
      false },
    { { "127.0.0.1:8080", "null", NULL }, "Origin", false },
    { { "127.0.0.1:8080", "", NULL }, "Origin", false },
    { { NULL, "http://attacker.example", NULL }, "Origin", true },
    { { "127.0.0.1:8080", NULL, "cross-site" }, "Sec-Fetch-Site", false },
    { { "127.0.0.1:8080", NULL, "same-site" }, "Sec-Fetch-Site", false },
};

static const char *
shown(const char *text)
{
    return text ? text : "-";
}

static void
test_requests(void)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const struct guard_request *r = &requests[i].request;
        const char *refused = guard_refuses(r, names, 2,
                                            requests[i].any_host);

        tap_ok(refused == requests[i].refused
               || (refused && requests[i].refused
                   && !strcmp(refused, requests[i].refused)),
               "Host %s, Origin %s, Sec-Fetch-Site %s: %s", shown(r->host),
               shown(r->origin), shown(r->fetch_site),
               shown(requests[i].refused));
    }
}

static void
test_a_long_name(void)
{
    char host[400];

    memset(host, 'a', sizeof host);
    host[sizeof host - 1] = '\0';
    tap_ok(guard_refuses(&(struct guard_request) { .host = host }, NULL, 0,
                         false) != NULL, "a name of 399 characters");
}

int
main(void)
{
    test_requests();
    test_a_long_name();
    return tap_done();
}
