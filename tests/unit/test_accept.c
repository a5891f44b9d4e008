/* SPDX-License-Identifier: GPL-3.0-or-later */

/* accept.h: media types and entity tags that a client names. */

#include "api/accept.h"

#include <stddef.h>

#include "tap.h"

#define JSON "application/json"

static void
test_types(void)
{
    static const struct {
        const char *accept;
        bool allowed;
    } cases[] = {
        { NULL, true }, { "", true }, { " ", true }, { ",", true },
        { JSON, true }, { "Application/JSON", true }, { "*/*", true },
        { "application/*", true }, { "text/*", false }, { "text/html", false },
        { "text/html, application/json", true },
        { "text/html,*/*;q=0.1", true },
        { "text/html , */* ; q=0", false },
        { "application/json;q=0", false },
        { "application/json;q=0.000", false },
        { "application/json;q=0.001", true },
        { "application/json; charset=utf-8; q=0.0, text/html", false },
        { "*/*, application/json;q=0", false },
        { "application/json;q=0, */*", false },
        { "application/*;q=0, application/json", true },
        { "application/json;q=1.0, */*;q=0", true },
        { "application/jsonx", false }, { "application/jso", false },
        { "application", false }, { "*", false }, { ";q=0", true },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tap_ok(accept_allows(cases[i].accept, JSON) == cases[i].allowed,
               "%s", cases[i].accept ? cases[i].accept : "none");
    }
}

static void
test_etags(void)
{
    static const char tag[] = "\"0a\"";

    tap_ok(!accept_has_etag(NULL, tag, true), "none");
    tap_ok(accept_has_etag("*", tag, false), "any");
    tap_ok(accept_has_etag("\"0a\"", tag, false), "one");
    tap_ok(accept_has_etag("\"x\" , \"0a\"", tag, false), "one of two");
    tap_ok(!accept_has_etag("\"x\",\"0\"", tag, false), "none of two");
    tap_ok(!accept_has_etag("\"0a\"x", tag, false), "not quite");
    tap_ok(!accept_has_etag("W/\"0a\"", tag, false), "a weak one");
    tap_ok(accept_has_etag("\"x\", W/\"0a\"", tag, true), "weak ones will do");
    tap_ok(!accept_has_etag("0a", tag, true), "without quotes");
}

int
main(void)
{
    test_types();
    test_etags();
    return tap_done();
}
