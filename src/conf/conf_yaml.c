/* SPDX-License-Identifier: GPL-3.0-or-later */

/* YAML to tree: see conf_yaml.h for the place in the flow.
 *
 * libyaml's events are read by recursive descent.  Recursion is bounded by
 * MAX_DEPTH and aliases are refused, so that neither cycles nor expansions of
 * a small file into a large tree are possible; MAX_NODES bounds what the
 * linear searches cost. */

#include "conf/conf_yaml.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MAX_DEPTH 8
#define MAX_KEY_LEN 64
#define MAX_VALUE_LEN 255
#define MAX_NODES 10000

struct reader {
    yaml_parser_t parser;
    const char *text;
    size_t len;
    struct conf_errors *errors;
    int depth;
    int n_nodes;
};

/* Writes the path of 'node': keys joined by dots, list entries as "[0]". */
static void
print_path(FILE *stream, const struct conf_node *node)
{
    const struct conf_node *parent = node->parent;

    if (!parent) {
        return;
    }
    print_path(stream, parent);
    if (node->key) {
        fprintf(stream, "%s%s", parent->parent ? "." : "", node->key);
    } else {
        size_t i = 0;

        for (const struct conf_node *n = parent->first; n != node;
             n = n->next) {
            i++;
        }
        fprintf(stream, "[%zu]", i);
    }
}

bool
conf_error(struct conf_errors *errors, const struct conf_node *node,
           const char *format, ...)
{
    va_list args;
    size_t size;

    if (errors->text) {
        return false;
    }
    FILE *stream = check_alloc(open_memstream(&errors->text, &size));
    fprintf(stream, "%s:", errors->file);
    if (node) {
        fprintf(stream, "%d:", node->line);
        if (node->parent) {
            putc(' ', stream);
            print_path(stream, node);
            putc(':', stream);
        }
    }
    putc(' ', stream);
    va_start(args, format);
    vfprintf(stream, format, args);
    va_end(args);
    fclose(stream);
    return false;
}

/* The child of 'node' whose key is the 'len' bytes at 'key', or NULL. */
static struct conf_node *
find_child(const struct conf_node *node, const char *key, size_t len)
{
    struct conf_node *child = node->first;

    while (child && (!child->key || strlen(child->key) != len
                     || memcmp(child->key, key, len))) {
        child = child->next;
    }
    return child;
}

struct conf_node *
conf_yaml_descend(struct conf_node *node, const char **path)
{
    node->known = true;
    while (**path) {
        size_t len = strcspn(*path, ".");
        struct conf_node *child = find_child(node, *path, len);

        if (!child) {
            break;
        }
        node = child;
        node->known = true;
        *path += len + ((*path)[len] == '.');
    }
    return node;
}

struct conf_node *
conf_yaml_find(struct conf_node *node, const char *path)
{
    node = conf_yaml_descend(node, &path);
    return *path ? NULL : node;
}

bool
conf_error_missing(struct conf_errors *errors, struct conf_node *map,
                   const char *path)
{
    struct conf_node *node = conf_yaml_descend(map, &path);

    if (!*path) {
        return conf_error(errors, node, "missing");
    }
    /* Report it as if it were there. */
    struct conf_node missing = {
        .key = check_alloc(strndup(path, strcspn(path, "."))),
        .line = node->line,
        .parent = node,
    };
    conf_error(errors, &missing, "missing");
    free(missing.key);
    return false;
}

/* Reports an error at a line that has no node. */
static bool
error_at(struct reader *r, size_t line, const char *message)
{
    struct conf_node node = { .line = line + 1 };

    return conf_error(r->errors, &node, "%s", message);
}

static struct conf_node *
node_create(struct conf_node *parent, size_t line)
{
    struct conf_node *node = check_alloc(calloc(1, sizeof *node));

    node->line = line + 1;
    node->parent = parent;
    if (parent) {
        *(parent->last ? &parent->last->next : &parent->first) = node;
        parent->last = node;
    }
    return node;
}

void
conf_yaml_free(struct conf_node *node)
{
    while (node) {
        struct conf_node *next = node->next;

        conf_yaml_free(node->first);
        free(node->key);
        free(node->value);
        free(node);
        node = next;
    }
}

static bool
is_printable(const yaml_event_t *event)
{
    const unsigned char *s = event->data.scalar.value;

    for (size_t i = 0; i < event->data.scalar.length; i++) {
        if (s[i] < 0x20 || s[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

/* Gets the next event, which the caller must delete if this returns true. */
static bool
next_event(struct reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event)) {
        return true;
    }
    const yaml_parser_t *p = &r->parser;
    size_t line = p->problem_mark.line;
    if (p->error == YAML_READER_ERROR) {
        line = 0;
        for (size_t i = 0; i < r->len && i < p->problem_offset; i++) {
            line += r->text[i] == '\n';
        }
    }
    return error_at(r, line, p->problem ? p->problem : "not valid YAML");
}

static bool
read_scalar(struct reader *r, const yaml_event_t *event,
            struct conf_node *node)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
    const char *value = (const char *) event->data.scalar.value;

    if (!is_printable(event)) {
        return conf_error(r->errors, node,
                          "has characters that are not printable ASCII");
    }
    if (event->data.scalar.length > MAX_VALUE_LEN) {
        return conf_error(r->errors, node, "longer than %d characters",
                          MAX_VALUE_LEN);
    }
    node->kind = CONF_SCALAR;
    node->value = check_alloc(strdup(value));
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++) {
            node->null |= !strcmp(value, nulls[i]);
        }
    }
    return true;
}

/* Makes a node for the key in 'event', as a member of 'map'. */
static struct conf_node *
read_key(struct reader *r, const yaml_event_t *event, struct conf_node *map)
{
    size_t line = event->start_mark.line;
    const char *key = (const char *) event->data.scalar.value;

    if (event->type != YAML_SCALAR_EVENT || !event->data.scalar.length
        || event->data.scalar.length > MAX_KEY_LEN || !is_printable(event)) {
        error_at(r, line, "a key must be a word");
        return NULL;
    }
    const struct conf_node *old = find_child(map, key, strlen(key));
    struct conf_node *node = node_create(map, line);
    node->key = check_alloc(strdup(key));
    if (old) {
        conf_error(r->errors, node, "already given on line %d", old->line);
        return NULL;
    }
    return node;
}

static bool read_node(struct reader *, const yaml_event_t *,
                      struct conf_node *);

/* Reads what is left of the list or mapping 'node', up to its end. */
static bool
read_children(struct reader *r, struct conf_node *node)
{
    yaml_event_type_t end = (node->kind == CONF_MAP ? YAML_MAPPING_END_EVENT
                             : YAML_SEQUENCE_END_EVENT);

    for (;;) {
        struct conf_node *child;
        yaml_event_t event;

        if (!next_event(r, &event)) {
            return false;
        }
        if (event.type == end) {
            yaml_event_delete(&event);
            return true;
        }
        if (node->kind == CONF_MAP) {
            child = read_key(r, &event, node);
            yaml_event_delete(&event);
            if (!child || !next_event(r, &event)) {
                return false;
            }
        } else {
            child = node_create(node, event.start_mark.line);
        }
        bool ok = read_node(r, &event, child);
        yaml_event_delete(&event);
        if (!ok) {
            return false;
        }
    }
}

/* Reads into 'node' the value that starts with 'event'. */
static bool
read_node(struct reader *r, const yaml_event_t *event, struct conf_node *node)
{
    if (++r->n_nodes > MAX_NODES) {
        return conf_error(r->errors, node, "too many values in the file");
    }
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(r, event, node);

    case YAML_SEQUENCE_START_EVENT:
        node->kind = CONF_LIST;
        break;

    case YAML_MAPPING_START_EVENT:
        node->kind = CONF_MAP;
        break;

    default:
        return conf_error(r->errors, node, "aliases are not supported");
    }
    if (r->depth >= MAX_DEPTH) {
        return conf_error(r->errors, node, "nested too deeply");
    }
    r->depth++;
    bool ok = read_children(r, node);
    r->depth--;
    return ok;
}

/* Gets the next event, deletes it, and requires it to be of 'type'. */
static bool
expect_event(struct reader *r, yaml_event_type_t type, const char *message)
{
    yaml_event_t event;

    if (!next_event(r, &event)) {
        return false;
    }
    bool ok = event.type == type;
    size_t line = event.start_mark.line;
    yaml_event_delete(&event);
    return ok || error_at(r, line, message);
}

static bool
read_document(struct reader *r, struct conf_node **root)
{
    yaml_event_t event;

    if (!expect_event(r, YAML_STREAM_START_EVENT, "not valid YAML")
        || !expect_event(r, YAML_DOCUMENT_START_EVENT, "file is empty")
        || !next_event(r, &event)) {
        return false;
    }
    *root = node_create(NULL, event.start_mark.line);
    bool ok = (event.type == YAML_MAPPING_START_EVENT
               ? read_node(r, &event, *root)
               : conf_error(r->errors, *root,
                            "the file must be a mapping of keys to values"));
    yaml_event_delete(&event);
    return (ok
            && expect_event(r, YAML_DOCUMENT_END_EVENT, "not valid YAML")
            && expect_event(r, YAML_STREAM_END_EVENT,
                            "more than one document"));
}

struct conf_node *
conf_yaml_parse(const char *text, size_t len, struct conf_errors *errors)
{
    struct reader r = { .text = text, .len = len, .errors = errors };
    struct conf_node *root = NULL;

    if (!yaml_parser_initialize(&r.parser)) {
        abort();
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *) text, len);
    if (!read_document(&r, &root)) {
        conf_yaml_free(root);
        root = NULL;
    }
    yaml_parser_delete(&r.parser);
    return root;
}
