/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What people read: numbers and ages. */

#include <config.h>

#include <jansson.h>
#include <string.h>

#include "ctl/human.h"
#include "tests/unit/tap.h"

static void
is(const char *function, const char *said, const char *wanted)
{
    tap_ok_in(function, !strcmp(said, wanted), "%s (is %s)", wanted, said);
}

static void
numbers(void)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        { 0, "0" }, { 0.4, "0.4" }, { 7, "7" }, { 99.96, "100" },
        { 950, "950" }, { 999.4, "999" }, { 999.6, "1.0k" }, { 1000, "1k" },
        { 12345, "12.3k" }, { 123456, "123k" }, { 4.5e6, "4.5M" },
        { 2e9, "2G" }, { 7.5e12, "7.5T" }, { 3e18, "3000P" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        is(__func__, human_number(cases[i].value), cases[i].text);
    }
}

static void
age_is(json_t *seconds, const char *text)
{
    json_t *object = json_pack("{so}", "age", seconds);

    is(__func__, human_age(object, "age"), text);
    json_decref(object);
}

static void
ages(void)
{
    age_is(json_real(0), "0.0s");
    age_is(json_real(9.94), "9.9s");
    age_is(json_real(12.5), "12s");
    age_is(json_integer(59), "59s");
    age_is(json_integer(60), "1m00s");
    age_is(json_integer(3599), "59m59s");
    age_is(json_integer(7500), "2h05m");
    age_is(json_integer(3 * 86400 + 4 * 3600), "3d04h");
    age_is(json_null(), "-");
}

int
main(void)
{
    numbers();
    ages();
    return tap_done();
}
