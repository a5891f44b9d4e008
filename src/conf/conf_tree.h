/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CONF_TREE_H
#define TOF_CONF_TREE_H 1

/* A YAML file as a tree whose nodes know their line and key.
 *
 * Place in the flow: conf.c makes the tree from the file with libyaml,
 * conf_schema.c checks it against the libcyaml schema and has libcyaml load
 * the text that conf_tree_text() makes of it.  The tree is what lets each
 * error name line and key, which libcyaml's own messages do not do reliably.
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
    bool bare;                  /* A list that the file has as one value, or
                                 * as a mapping: entries have no index. */
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

/* The same for the key 'key' that 'node', a mapping, has not got. */
bool conf_error_missing(struct conf_errors *, const struct conf_node *,
                        const char *key);

/* Parses 'len' bytes of YAML.  Returns the root, which the caller frees with
 * conf_tree_free(), or NULL with an error reported. */
struct conf_node *conf_tree_parse(const char *text, size_t len,
                                  struct conf_errors *);
void conf_tree_free(struct conf_node *);

/* The node with a dotted path like "pinger.interval_ms", or NULL. */
struct conf_node *conf_tree_find(struct conf_node *root, const char *path);

/* Makes a scalar a list of that one value. */
void conf_node_wrap(struct conf_node *);

/* Makes a mapping of names to mappings a list of mappings, each with its
 * former key as one more member 'key'. */
void conf_node_unname(struct conf_node *, const char *key);

/* The tree as a malloc'd text of YAML in flow style. */
char *conf_tree_text(const struct conf_node *root);

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

#endif /* conf/conf_tree.h */
