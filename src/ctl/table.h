/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_TOFCTL_TABLE_H
#define TOF_TOFCTL_TABLE_H 1

/* What tofctl prints: texts of JSON values, in a table.
 *
 * Place in the flow: a command of tofctl.c adds a row for each thing that the
 * API answered, then prints the table. */

#include <stdarg.h>
#include <stdbool.h>

struct json_t;

/* With -j: the answer as it is instead. */
extern bool raw_json;

/* If so prints 'json' and returns true. */
bool print_raw(const struct json_t *json);

/* Adds a row of the texts given, up to a NULL.  All rows of a table have as
 * many. */
void table_row(const char *cell, ...) __attribute__((sentinel));

/* Prints all rows, in columns as wide as need be, and forgets them. */
void table_print(void);

/* Returns a text for the value of 'member': "-" if there is none.  It stays
 * good for the next seven calls. */
const char *text_of(const struct json_t *object, const char *member);

/* Returns a text that the caller frees. */
char *format_text(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
char *format_text_valist(const char *format, va_list)
    __attribute__((format(printf, 1, 0)));

#endif /* ctl/table.h */
