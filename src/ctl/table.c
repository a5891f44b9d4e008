/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What tofctl prints: texts of JSON values, in a table.
 *
 * Place in the flow: a command of tofctl.c adds a row for each thing that the
 * API answered, its heading first; table_print() knows how wide each column
 * has to be once all rows are there. */

#include <config.h>

#include "ctl/table.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_COLUMNS 10

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

static struct {
    char *(*rows)[TABLE_COLUMNS];
    size_t n, allocated;
} table;

void
table_row(const char *cell, ...)
{
    va_list args;
    size_t i;

    if (table.n == table.allocated) {
        table.allocated = table.allocated * 2 + 16;
        table.rows = realloc(table.rows,
                             table.allocated * sizeof *table.rows);
        if (!table.rows) {
            abort();
        }
    }
    memset(table.rows[table.n], 0, sizeof *table.rows);
    va_start(args, cell);
    for (i = 0; cell && i < TABLE_COLUMNS; i++) {
        table.rows[table.n][i] = format_text("%s", cell);
        cell = va_arg(args, const char *);
    }
    va_end(args);
    table.n++;
}

void
table_print(void)
{
    int width[TABLE_COLUMNS] = { 0 };

    for (size_t i = 0; i < table.n; i++) {
        for (int c = 0; c < TABLE_COLUMNS && table.rows[i][c]; c++) {
            int len = strlen(table.rows[i][c]);
            width[c] = len > width[c] ? len : width[c];
        }
    }
    for (size_t i = 0; i < table.n; i++) {
        char **row = table.rows[i];

        for (int c = 0; c < TABLE_COLUMNS && row[c]; c++) {
            bool last = c + 1 == TABLE_COLUMNS || !row[c + 1];

            printf("%-*s%s", last ? 0 : width[c], row[c],
                   last ? "\n" : "  ");
            free(row[c]);
        }
    }
    free(table.rows);
    memset(&table, 0, sizeof table);
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
