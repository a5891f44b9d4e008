/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The configuration.
 *
 * Place in the flow: tofd.c calls conf_read() once, at start.  The file's text
 * becomes a tree (conf_yaml.c).  The table in conf_keys.c says what may be in
 * it, and where that goes in struct conf.  Last come the checks that need
 * several keys. */

#define _GNU_SOURCE 1           /* asprintf() */

#include "conf/conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_keys.h"
#include "conf/conf_value.h"
#include "conf/conf_yaml.h"

#define FOR_EACH_KEY(KEY) \
    for (const struct conf_key *KEY = conf_keys; \
         KEY < conf_keys + conf_n_keys; KEY++)

/* The path of 'key' within what it is a key of: the file or a function. */
static const char *
local_path(const struct conf_key *key)
{
    return key->path + (key->of_function ? strlen(CONF_FUNCTION) : 0);
}

/* The values of 'key' in 'base', a struct conf or struct conf_function: where
 * the single one is, or else the first of '*n'. */
static void *
values_of(const struct conf_key *key, const void *base, size_t *n)
{
    char *member = (char *) base + key->offset;
    void *items;

    if (key->shape == CONF_SINGLE) {
        *n = 1;
        return member;
    }
    memcpy(&items, member, sizeof items);
    memcpy(n, (char *) base + key->n_offset, sizeof *n);
    return items;
}

static bool
is_set(const struct conf_key *key, const void *base)
{
    size_t n;
    void *values = values_of(key, base, &n);

    return n && !(key->kind->check && !*(char **) values);
}

/* --- Printing --- */

static void
print_name(FILE *stream, const char *name)
{
    for (; *name; name++) {
        putc(isalnum((unsigned char) *name) ? *name : '_', stream);
    }
}

static void
print_values(FILE *stream, const struct conf_key *key, const void *base)
{
    size_t n;
    const char *values = values_of(key, base, &n);

    fputs("='", stream);
    for (size_t i = 0; i < n; i++) {
        fputs(i ? " " : "", stream);
        key->kind->print(key, values + i * key->kind->size, stream);
    }
    fputs("'\n", stream);
}

static void
print_function(FILE *stream, const struct conf_function *f)
{
    FOR_EACH_KEY (key) {
        if (key->of_function) {
            fputs("functions_", stream);
            print_name(stream, f->name);
            putc('_', stream);
            print_name(stream, local_path(key));
            print_values(stream, key, f);
        }
    }
}

static void
print_functions(FILE *stream, const struct conf *conf)
{
    fputs("functions='", stream);
    for (size_t i = 0; i < conf->n_functions; i++) {
        fprintf(stream, "%s%s", i ? " " : "", conf->functions[i].name);
    }
    fputs("'\n", stream);
    for (size_t i = 0; i < conf->n_functions; i++) {
        print_function(stream, &conf->functions[i]);
    }
}

void
conf_print(const struct conf *conf, FILE *stream)
{
    FOR_EACH_KEY (key) {
        if (!key->of_function) {
            print_name(stream, key->path);
            print_values(stream, key, conf);
        } else if (!key[-1].of_function) {
            print_functions(stream, conf);
        }
    }
}

static char *
print_to_text(const struct conf *conf)
{
    char *text;
    size_t size;
    FILE *stream = check_alloc(open_memstream(&text, &size));

    conf_print(conf, stream);
    fclose(stream);
    return check_alloc(text);
}

bool
conf_differs(const struct conf *a, const struct conf *b)
{
    char *a_text = print_to_text(a), *b_text = print_to_text(b);
    bool differ = strcmp(a_text, b_text);

    free(a_text);
    free(b_text);
    return differ;
}

/* --- Loading --- */

struct loader {
    struct conf *conf;
    struct conf_node *root;
    struct conf_errors *errors;
};

static bool
fail(struct loader *l, const char *path, const char *message)
{
    return conf_error(l->errors, conf_yaml_find(l->root, path), "%s",
                      message);
}

static bool
missing(struct loader *l, const char *path)
{
    return conf_error_missing(l->errors, l->root, path);
}

static struct conf_node *
first_child(struct loader *l, const char *path)
{
    struct conf_node *node = conf_yaml_find(l->root, path);

    return node ? node->first : NULL;
}

/* Reads 'text', which is at 'node' (or a default, if that is NULL), into
 * '*value'. */
static bool
load_text(struct loader *l, const struct conf_key *key,
          const struct conf_node *node, const char *text, void *value)
{
    const char *error = key->kind->read(key, text, value);
    char range[128] = "";

    if (!error) {
        return true;
    }
    FILE *stream = check_alloc(fmemopen(range, sizeof range, "w"));
    conf_key_print_range(key, stream);
    fclose(stream);
    return conf_error(l->errors, node, "'%s' %s%s%s%s", text, error,
                      key->max ? " (" : key->words ? " " : "", range,
                      key->max ? ")" : "");
}

static bool
load_single(struct loader *l, const struct conf_key *key,
            const struct conf_node *node, void *value)
{
    bool may_be_empty = key->kind->none && !*key->kind->none;

    if (node->kind != CONF_SCALAR) {
        return conf_error(l->errors, node, "must be a single value");
    }
    if (node->null || (!*node->value && !may_be_empty)) {
        return conf_error(l->errors, node, "has no value");
    }
    return load_text(l, key, node, node->value, value);
}

/* Requires 'node' to be a list or mapping, whichever 'kind' says.  A key with
 * nothing after it is an empty one. */
static bool
require_kind(struct loader *l, const struct conf_node *node,
             enum conf_node_kind kind)
{
    return (node->kind == kind || node->null
            || conf_error(l->errors, node, kind == CONF_MAP
                          ? "must be a mapping" : "must be a list"));
}

static bool
load_many(struct loader *l, const struct conf_key *key,
          const struct conf_node *node, void *base)
{
    bool one = (key->shape == CONF_ONE_OR_MANY && node->kind == CONF_SCALAR
                && !node->null);
    size_t *n = (size_t *) ((char *) base + key->n_offset);
    size_t size = key->kind->size;

    if (!one && !require_kind(l, node, CONF_LIST)) {
        return false;
    }
    size_t max = one;
    for (const struct conf_node *c = node->first; c; c = c->next) {
        max++;
    }
    char *values = max ? check_alloc(calloc(max, size)) : NULL;
    memcpy((char *) base + key->offset, &values, sizeof values);
    for (node = one ? node : node->first; *n < max; node = node->next) {
        char *value = values + *n * size;

        if (!load_single(l, key, node, value)) {
            return false;
        }
        for (size_t i = 0; i < *n; i++) {
            /* Texts are pointers here, which differ. */
            if (!memcmp(values + i * size, value, size)) {
                return conf_error(l->errors, node, "'%s' is there twice",
                                  node->value);
            }
        }
        ++*n;
    }
    return true;
}

/* True if conf_print() would give both functions the same key. */
static bool
same_key(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        if (*a != *b && (!strchr("-_.", *a) || !strchr("-_.", *b))) {
            return false;
        }
    }
    return *a == *b;
}

/* Adds the function that 'node' is the key of.  Returns it, or NULL. */
static struct conf_function *
add_function(struct loader *l, const struct conf_node *node)
{
    const char *error = conf_kind_name.check(node->key);
    struct conf *conf = l->conf;

    if (error) {
        conf_error(l->errors, node, "'%s' %s", node->key, error);
        return NULL;
    }
    for (size_t i = 0; i < conf->n_functions; i++) {
        if (same_key(conf->functions[i].name, node->key)) {
            conf_error(l->errors, node, "too similar to the function '%s'",
                       conf->functions[i].name);
            return NULL;
        }
    }
    conf->functions = check_alloc(realloc(conf->functions,
                                          (conf->n_functions + 1)
                                          * sizeof *conf->functions));
    struct conf_function *f = &conf->functions[conf->n_functions++];
    *f = (struct conf_function) { .name = check_alloc(strdup(node->key)) };
    return f;
}

/* Loads 'key' into 'base' from the mapping 'map', or else its default. */
static bool
load_key(struct loader *l, const struct conf_key *key, struct conf_node *map,
         void *base)
{
    const char *path = local_path(key);
    const struct conf_node *node = conf_yaml_descend(map, &path);
    void *member = (char *) base + key->offset;

    if (*path) {
        return (require_kind(l, node, CONF_MAP)
                && (!key->def || key->def == CONF_REQUIRED
                    || load_text(l, key, NULL, key->def, member)));
    }
    return (key->shape == CONF_SINGLE ? load_single(l, key, node, member)
            : load_many(l, key, node, base));
}

static bool
load_keys(struct loader *l, bool of_function, struct conf_node *map,
          void *base)
{
    FOR_EACH_KEY (key) {
        if (key->of_function == of_function && !load_key(l, key, map, base)) {
            return false;
        }
    }
    return true;
}

/* Refuses keys in the mapping 'map', or below, that nobody has looked for. */
static bool
check_known(struct loader *l, const struct conf_node *map)
{
    for (const struct conf_node *n = map->first; n; n = n->next) {
        if (!n->known) {
            return conf_error(l->errors, n, "unknown key");
        }
        if (n->kind == CONF_MAP && !check_known(l, n)) {
            return false;
        }
    }
    return true;
}

/* Requires what has no default in 'base', which was loaded from 'map'. */
static bool
check_required(struct loader *l, bool of_function, struct conf_node *map,
               const void *base)
{
    FOR_EACH_KEY (key) {
        if (key->of_function == of_function && key->def == CONF_REQUIRED
            && !is_set(key, base)) {
            return conf_error_missing(l->errors, map, local_path(key));
        }
    }
    return true;
}

static bool
load_functions(struct loader *l)
{
    struct conf_node *functions = conf_yaml_find(l->root, "functions");

    if (!functions) {
        return true;
    }
    if (!require_kind(l, functions, CONF_MAP)) {
        return false;
    }
    for (struct conf_node *n = functions->first; n; n = n->next) {
        struct conf_function *f = add_function(l, n);

        if (!f || !load_keys(l, true, n, f) || !check_known(l, n)
            || !check_required(l, true, n, f)) {
            return false;
        }
    }
    return true;
}

/* --- Checks that need several keys --- */

/* Refuses an interface that has two roles. */
static bool
check_roles(struct loader *l)
{
    static const char *const paths[] = { "s1u.interface", "s1u.enb", "s1u.sgw",
                                         "apps.interface" };
    const struct conf_node **roles;
    bool ok = true;
    size_t n = 0;

    roles = check_alloc(calloc(sizeof paths / sizeof *paths
                               + 2 * l->conf->n_functions, sizeof *roles));
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const struct conf_node *node = conf_yaml_find(l->root, paths[i]);

        if (node) {
            roles[n++] = node;
        }
    }
    for (struct conf_node *f = first_child(l, "functions"); f; f = f->next) {
        roles[n++] = conf_yaml_find(f, "in");
        roles[n++] = conf_yaml_find(f, "out");
    }
    for (size_t i = 1; i < n && ok; i++) {
        for (size_t j = 0; j < i && ok; j++) {
            ok = (strcmp(roles[i]->value, roles[j]->value)
                  || conf_error(l->errors, roles[i],
                                "'%s' has another role already",
                                roles[i]->value));
        }
    }
    free(roles);
    return ok;
}

/* With a single adapter the prefixes tell a packet's direction, so none may
 * be on both sides. */
static bool
check_overlap(struct loader *l)
{
    const struct ip_prefix_list *enodebs = &l->conf->s1u.enodebs;
    const struct ip_prefix_list *sgws = &l->conf->s1u.sgws;
    const struct conf_node *node = first_child(l, "s1u.sgws");

    for (size_t i = 0; i < sgws->n; i++, node = node->next) {
        struct ip_prefix_list sgw = { &sgws->prefixes[i], 1 };

        for (size_t j = 0; j < enodebs->n; j++) {
            struct ip_prefix_list enb = { &enodebs->prefixes[j], 1 };

            if (ip_prefix_list_contains(&sgw, &enb.prefixes->addr)
                || ip_prefix_list_contains(&enb, &sgw.prefixes->addr)) {
                return conf_error(l->errors, node, "'%s' overlaps "
                                  "s1u.enodebs: the direction of a packet "
                                  "would be unknown", node->value);
            }
        }
    }
    return true;
}

static bool
check_s1u(struct loader *l)
{
    const struct conf *conf = l->conf;

    if (conf->s1u.interface) {
        if (conf->s1u.enb || conf->s1u.sgw) {
            return fail(l, "s1u.interface", "excludes enb and sgw");
        }
        return (conf->s1u.enodebs.n ? conf->s1u.sgws.n ? check_overlap(l)
                : missing(l, "s1u.sgws") : missing(l, "s1u.enodebs"));
    }
    if (!conf->s1u.enb && !conf->s1u.sgw) {
        return (conf_yaml_find(l->root, "s1u")
                ? fail(l, "s1u", "needs enb and sgw, or interface")
                : missing(l, "s1u"));
    }
    return ((conf->s1u.enb || missing(l, "s1u.enb"))
            && (conf->s1u.sgw || missing(l, "s1u.sgw")));
}

static bool
check_api(struct loader *l)
{
    const struct conf *conf = l->conf;

    if (!conf->api.listen && !conf->api.unix_path) {
        return fail(l, "api.listen", "'none' needs api.unix");
    }
    if (!conf->api.tls_cert != !conf->api.tls_key) {
        return missing(l, conf->api.tls_key ? "api.tls_cert" : "api.tls_key");
    }
    return true;
}

static bool
check_tls(struct loader *l)
{
    const struct conf *conf = l->conf;

    if (conf->standby.names.n && !conf_yaml_find(l->root, "tls")) {
        return fail(l, "standby.names", "needs section tls");
    }
    return (!conf_yaml_find(l->root, "tls")
            || ((conf->tls.cert || missing(l, "tls.cert"))
                && (conf->tls.key || missing(l, "tls.key"))
                && (conf->tls.ca || missing(l, "tls.ca"))));
}

/* --- The whole file --- */

/* The default is a file in the directory of state. */
static void
set_usage_file(struct loader *l)
{
    struct conf *conf = l->conf;

    if (!conf_yaml_find(l->root, "usage.file")
        && asprintf(&conf->usage.file, "%s/usage.jsonl",
                    conf->state_dir) < 0) {
        abort();
    }
}

static bool
load(struct loader *l)
{
    if (!load_keys(l, false, l->root, l->conf) || !load_functions(l)
        || !check_known(l, l->root)) {
        return false;
    }
    set_usage_file(l);
    return (check_s1u(l) && check_required(l, false, l->root, l->conf)
            && check_roles(l) && check_api(l) && check_tls(l));
}

struct conf *
conf_parse(const char *text, size_t len, const char *file, char **error)
{
    struct conf_errors errors = { .file = file };
    struct conf *conf = NULL;

    struct conf_node *root = conf_yaml_parse(text, len, &errors);
    if (root) {
        conf = check_alloc(calloc(1, sizeof *conf));
        if (!load(&(struct loader) { conf, root, &errors })) {
            conf_free(conf);
            conf = NULL;
        }
    }
    conf_yaml_free(root);
    *error = errors.text;
    return conf;
}

struct conf *
conf_read(const char *file, char **error)
{
    struct conf_errors errors = { .file = file };
    struct conf *conf = NULL;
    char *text = check_alloc(malloc(CONF_FILE_MAX + 1));
    FILE *stream = fopen(file, "re");

    size_t len = stream ? fread(text, 1, CONF_FILE_MAX + 1, stream) : 0;
    if (!stream || ferror(stream)) {
        conf_error(&errors, NULL, "%s", strerror(errno));
    } else if (len > CONF_FILE_MAX) {
        conf_error(&errors, NULL, "larger than %d bytes", CONF_FILE_MAX);
    } else {
        conf = conf_parse(text, len, file, &errors.text);
    }
    if (stream) {
        fclose(stream);
    }
    free(text);
    *error = errors.text;
    return conf;
}

static void
free_values(bool of_function, void *base)
{
    FOR_EACH_KEY (key) {
        if (key->of_function == of_function) {
            size_t n;
            char *values = values_of(key, base, &n);

            for (size_t i = 0; key->kind->check && i < n; i++) {
                free(((char **) values)[i]);
            }
            if (key->shape != CONF_SINGLE) {
                free(values);
            }
        }
    }
}

void
conf_free(struct conf *conf)
{
    if (!conf) {
        return;
    }
    for (size_t i = 0; i < conf->n_functions; i++) {
        free(conf->functions[i].name);
        free_values(true, &conf->functions[i]);
    }
    free(conf->functions);
    free_values(false, conf);
    free(conf);
}

/* --- What others ask of it --- */

const char *
conf_adapter(const struct conf *conf, bool enb)
{
    return (conf->s1u.interface ? conf->s1u.interface
            : enb ? conf->s1u.enb : conf->s1u.sgw);
}

bool
conf_are_peers(const struct conf *conf, const struct in6_addr *enb,
               const struct in6_addr *sgw)
{
    return ((!conf->s1u.enodebs.n
             || ip_prefix_list_contains(&conf->s1u.enodebs, enb))
            && (!conf->s1u.sgws.n
                || ip_prefix_list_contains(&conf->s1u.sgws, sgw)));
}

unsigned int
conf_path_mtu(const struct conf *conf, const struct in6_addr *enb)
{
    const struct ip_prefix_mtu *best = NULL;

    for (size_t i = 0; i < conf->s1u.n_path_mtus; i++) {
        struct ip_prefix_mtu *p = &conf->s1u.path_mtus[i];
        const struct ip_prefix_list one = { &p->prefix, 1 };

        if (ip_prefix_list_contains(&one, enb)
            && (!best || p->prefix.len > best->prefix.len)) {
            best = p;
        }
    }
    return best ? best->mtu : conf->s1u.mtu;
}

bool
ip_prefix_list_contains(const struct ip_prefix_list *list,
                        const struct in6_addr *addr)
{
    bool v4 = IN6_IS_ADDR_V4MAPPED(addr);

    for (size_t i = 0; i < list->n; i++) {
        const struct ip_prefix *p = &list->prefixes[i];

        if (v4 != !!IN6_IS_ADDR_V4MAPPED(&p->addr)) {
            continue;
        }
        unsigned int len = p->len + (v4 ? 96 : 0);
        unsigned int bytes = len / 8;
        unsigned int mask = 0xff00 >> len % 8 & 0xff;
        if (!memcmp(addr, &p->addr, bytes)
            && (!mask || !((addr->s6_addr[bytes] ^ p->addr.s6_addr[bytes])
                           & mask))) {
            return true;
        }
    }
    return false;
}
