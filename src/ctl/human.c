/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What people read: see human.h. */

#include <config.h>

#include "ctl/human.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_TEXTS 16

static const char * __attribute__((format(printf, 1, 2)))
text(const char *format, ...)
{
    static char texts[N_TEXTS][32];
    static unsigned int next;
    char *s = texts[next++ % N_TEXTS];
    va_list args;

    va_start(args, format);
    vsnprintf(s, sizeof *texts, format, args);
    va_end(args);
    return s;
}

const char *
human_number(double value)
{
    static const char units[] = "\0kMGTP";
    size_t unit = 0;

    while (value >= 999.5 && unit < sizeof units - 2) {
        value /= 1000;
        unit++;
    }
    return text("%.*f%.1s",
                value >= 99.95 || value == (unsigned int) value ? 0 : 1,
                value, &units[unit]);
}

const char *
human_age(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    const double seconds = json_number_value(value);
    const unsigned long s = seconds;

    return (!json_is_number(value) ? "-"
            : seconds < 10 ? text("%.1fs", seconds)
            : s < 60 ? text("%lus", s)
            : s < 3600 ? text("%lum%02lus", s / 60, s % 60)
            : s < 86400 ? text("%luh%02lum", s / 3600, s / 60 % 60)
            : text("%lud%02luh", s / 86400, s / 3600 % 24));
}

static bool
is_colourful(void)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

    return (isatty(STDOUT_FILENO) && !(no && *no)
            && term && strcmp(term, "dumb"));
}

const char *
human_colour(const char *verdict)
{
    return (!is_colourful() ? ""
            : !strcmp(verdict, "ok") ? "\033[32m"
            : !strcmp(verdict, "wrong") || !strcmp(verdict, "failed")
            ? "\033[1;31m" : "\033[33m");
}

const char *
human_colour_end(void)
{
    return is_colourful() ? "\033[m" : "";
}

void
human_clear(void)
{
    if (isatty(STDOUT_FILENO)) {
        fputs("\033[H\033[J", stdout);
    }
}
