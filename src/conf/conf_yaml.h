/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CONF_YAML_H
#define TOF_CONF_YAML_H 1

/* A YAML file as a tree whose nodes know their line and key.
 *
 * Place in the flow: conf.c has the file's text made into a tree here, goes
 * through it beside its table of keys, and reports errors at its nodes.
 *
 * Refused here: what is not one YAML document with a mapping at its root,
 * aliases, keys that are not plain words, duplicate keys, values with
 * characters that are not printable ASCII, and unreasonable sizes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define CONF_FILE_MAX (1024 * 1024)

enum conf_node_kind { CONF_SCALAR, CONF_LIST, CONF_MAP };

struct conf_node {
    enum conf_node_kind kind;
    char *key;                  /* In a mapping, else NULL. */
    char *value;                /* Of a scalar, else NULL. */
    bool null;                  /* A scalar left empty, or "null". */
    bool known;                 /* conf_yaml_descend() has been here. */
    int line;                   /* Of the key if there is one. */
    struct conf_node *parent;
    struct conf_node *first, *last;     /* Children. */
    struct conf_node *next;             /* Sibling. */
};

/* Where errors go: the first one reported stays. */
struct conf_errors {
    const char *file;
    char *text;                 /* malloc'd, or NULL. */
};

/* Reports an error at 'node', or, if that is NULL, in the file as a whole.
 * Returns false, for the caller to return in turn. */
bool conf_error(struct conf_errors *, const struct conf_node *,
                const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reports that 'map' has no key with the dotted path 'path', or that nothing
 * is there: names the first part of the path that is not there. */
bool conf_error_missing(struct conf_errors *, struct conf_node *map,
                        const char *path);

/* Parses 'len' bytes of YAML.  Returns the root, which the caller frees with
 * conf_yaml_free(), or NULL with an error reported. */
struct conf_node *conf_yaml_parse(const char *text, size_t len,
                                  struct conf_errors *);
void conf_yaml_free(struct conf_node *);

/* Goes down from 'node' along the dotted path '*path' as far as there are
 * nodes.  Returns the last one, with what is left of the path in '*path'. */
struct conf_node *conf_yaml_descend(struct conf_node *, const char **path);

/* The node below a mapping with a dotted path like "pinger.interval_ms", or
 * NULL. */
struct conf_node *conf_yaml_find(struct conf_node *, const char *path);

/* What malloc() and the like have returned; without memory there is no
 * configuration. */
static inline void *
check_alloc(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

#endif /* conf/conf_yaml.h */
