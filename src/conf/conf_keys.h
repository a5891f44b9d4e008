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

#include "conf/conf_value.h"

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
