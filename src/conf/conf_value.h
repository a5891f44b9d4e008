/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CONF_VALUE_H
#define TOF_CONF_VALUE_H 1

/* The kinds of values that keys of the configuration can have: the text in the
 * file, the value in memory, and what is printed.
 *
 * Place in the flow: each row of conf_keys.c names one, conf.c calls it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CONF_MTU_MIN 1280        /* RFC 8200: no path has less. */
#define CONF_MTU_MAX 65535

struct conf_kind;

/* A row of the table in conf_keys.c. */
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

struct conf_kind {
    const char *name;           /* In the manual; NULL: the key's range. */
    size_t size;                /* Of one value in memory. */

    /* Reads 'text' into '*value'.  Returns NULL, or what is wrong with the
     * text, to be printed after it. */
    const char *(*read)(const struct conf_key *, const char *text,
                        void *value);
    /* Prints '*value' as it may stand between a shell's single quotes. */
    void (*print)(const struct conf_key *, const void *value, FILE *);

    /* Only for kinds whose values are malloc'd texts, 'char *'. */
    const char *(*check)(const char *text);     /* Returns as 'read' does. */
    const char *none;           /* The text that is NULL in memory, if any. */
};

extern const struct conf_kind
    conf_kind_address,          /* struct in6_addr, one that a host can have:
                                 * not unspecified, loopback or multicast. */
    conf_kind_boolean,          /* bool. */
    conf_kind_endpoint,         /* "ADDRESS:PORT". */
    conf_kind_endpoint_or_none,
    conf_kind_host_prefix,      /* struct ip_prefix: a host's address with the
                                 * length of its network. */
    conf_kind_interface,
    conf_kind_name,             /* Of a function or a network namespace. */
    conf_kind_network,          /* struct ip_prefix: "ADDRESS/LENGTH", or
                                 * "ADDRESS" for one host; bits beyond the
                                 * length are cleared. */
    conf_kind_network_mtu,      /* struct ip_prefix_mtu: "NETWORK MTU". */
    conf_kind_number,           /* unsigned int. */
    conf_kind_path,
    conf_kind_path_or_none,
    conf_kind_registry,         /* OVSDB's "METHOD:...". */
    conf_kind_run_dir,
    conf_kind_unix_path,
    conf_kind_word;             /* An enum: the word's index. */

#endif /* conf/conf_value.h */
