/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CONF_KEYS_H
#define TOF_CONF_KEYS_H 1

/* All keys of the configuration: one row each says what may be in the file,
 * where it goes, what is the default, and what is in the manual.
 *
 * Place in the flow: conf.c checks, loads and prints by this table, and
 * man/keys.c writes the manual's part of it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct conf_kind;

struct conf_key {
    const char *path;           /* "pinger.interval_ms". */
    const struct conf_kind *kind;
    enum { CONF_SINGLE, CONF_MANY, CONF_ONE_OR_MANY } shape;
    bool of_function;           /* True if 'path' starts with CONF_FUNCTION:
                                 * offsets are in struct conf_function then,
                                 * else in struct conf. */
    size_t offset;              /* Of the value; of many, of the pointer to
                                 * their array. */
    size_t n_offset;            /* Of the number of many values, a size_t. */
    unsigned int min, max;      /* Of numbers, else 0. */
    const char *const *words;   /* Those that are allowed, up to a NULL. */
    const char *def;            /* The default's text (not of many), or NULL
                                 * for none, or CONF_REQUIRED. */
    const char *help;           /* One line of the manual, as roff(7) text. */
};

/* "NAME" stands for the name of any function. */
#define CONF_FUNCTION "functions.NAME."

/* The 'def' of keys that have no default and must be given. */
extern const char CONF_REQUIRED[];

/* The table: in the order of the manual and of conf_print(). */
extern const struct conf_key conf_keys[];
extern const size_t conf_n_keys;

/* Prints the range of 'key' as in "10 to 60000" or "auto, ovs, xdp", or
 * nothing if it has none. */
void conf_key_print_range(const struct conf_key *, FILE *);

#endif /* conf/conf_keys.h */
