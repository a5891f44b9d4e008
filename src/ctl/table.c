/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What tofctl prints: texts of JSON values, in a table.
 *
 * Place in the flow: a command of tofctl.c adds a row for each thing that the
 * API answered, its heading first; libsmartcols lays them out once all are
 * there.  It never cuts a cell to fit a terminal, and prints what is not
 * printable as escapes. */

#include <config.h>

#include "ctl/table.h"

#include <jansson.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool raw_json;

bool
print_raw(const json_t *json)
{
    if (raw_json) {
        json_dumpf(json, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    return raw_json;
}

char *
format_text_valist(const char *format, va_list args)
{
    char *text;

    if (vasprintf(&text, format, args) < 0) {
        abort();
    }
    return text;
}

char *
format_text(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = format_text_valist(format, args);
    va_end(args);
    return text;
}

/* The heading is a row like others: it is printed over a table without any,
 * too, and a table may do without it. */
static struct libscols_table *table;

static void
table_start(va_list cells)
{
    table = scols_new_table();
    if (!table || scols_table_enable_noheadings(table, true)
        || scols_table_set_column_separator(table, "  ")
        || scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER)) {
        abort();
    }
    do {
        if (!scols_table_new_column(table, NULL, 0, 0)) {
            abort();
        }
    } while (va_arg(cells, const char *));
}

void
table_row(const char *cell, ...)
{
    struct libscols_line *line;
    va_list args;

    if (!table) {
        va_start(args, cell);
        table_start(args);
        va_end(args);
    }
    line = scols_table_new_line(table, NULL);
    va_start(args, cell);
    for (size_t i = 0; cell; i++) {
        if (!line || scols_line_set_data(line, i, cell)) {
            abort();
        }
        cell = va_arg(args, const char *);
    }
    va_end(args);
}

void
table_print(void)
{
    scols_print_table(table);
    scols_unref_table(table);
    table = NULL;
}

const char *
text_of(const json_t *object, const char *member)
{
    static char *texts[8];
    static unsigned int next;
    json_t *value = json_object_get(object, member);
    char **text = &texts[next++ % 8];

    free(*text);
    if (json_is_string(value)) {
        *text = format_text("%s", json_string_value(value));
    } else if (json_is_integer(value)) {
        *text = format_text("%" JSON_INTEGER_FORMAT,
                            json_integer_value(value));
    } else if (json_is_real(value)) {
        *text = format_text("%.1f", json_real_value(value));
    } else if (json_is_boolean(value)) {
        *text = format_text("%s", json_is_true(value) ? "yes" : "no");
    } else {
        *text = format_text("-");
    }
    return *text;
}
