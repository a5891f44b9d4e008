/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The configuration.
 *
 * Place in the flow: tofd.c calls conf_read() once, at start.  The file's text
 * becomes a tree (conf_tree.c), which is checked for structure and loaded by
 * libcyaml (conf_schema.c).  Here the texts become values, one table row for
 * each key: path, check or range, default.  Last come the checks that need
 * several keys. */

#include "conf/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_schema.h"
#include "conf/conf_tree.h"
#include "conf/conf_value.h"

struct converter {
    struct conf_node *root;
    const struct conf_raw *raw;
    struct conf *conf;
    struct conf_errors *errors;
};

/* Pointer to the member of type TYPE at OFFSET in a structure. */
#define MEMBER(STRUCT, OFFSET, TYPE) ((TYPE *) ((char *) (STRUCT) + (OFFSET)))
#define RAW_MEMBER(STRUCT, OFFSET, TYPE) \
    ((const TYPE *) ((const char *) (STRUCT) + (OFFSET)))

#define ROW(PATH, RAW, CONF) \
    PATH, offsetof(struct conf_raw, RAW), offsetof(struct conf, CONF)

static const struct {
    const char *path;
    size_t raw, conf;
    conf_check *check;
    const char *def;
} strings[] = {
    { ROW("s1u.enb", s1u.enb, s1u.enb), conf_check_ifname, NULL },
    { ROW("s1u.sgw", s1u.sgw, s1u.sgw), conf_check_ifname, NULL },
    { ROW("s1u.interface", s1u.interface, s1u.interface),
      conf_check_ifname, NULL },
    { ROW("apps.interface", apps.interface, apps.interface),
      conf_check_ifname, NULL },
    { ROW("apps.namespace", apps.namespace, apps.namespace),
      conf_check_name, "tof-app" },
    { ROW("api.listen", api.listen, api.listen),
      conf_check_listen, "127.0.0.1:8080" },
    { ROW("api.interface", api.interface, api.interface),
      conf_check_ifname, NULL },
    { ROW("api.unix", api.unix_path, api.unix_path),
      conf_check_unix_path, NULL },
    { ROW("api.token_file", api.token_file, api.token_file),
      conf_check_path, NULL },
    { ROW("api.tls_cert", api.tls_cert, api.tls_cert),
      conf_check_path, NULL },
    { ROW("api.tls_key", api.tls_key, api.tls_key), conf_check_path, NULL },
    { ROW("usage.file", usage.file, usage.file),
      conf_check_path_or_none, NULL },
    { ROW("standby.listen", standby.listen, standby.listen),
      conf_check_endpoint, NULL },
    { ROW("tls.cert", tls.cert, tls.cert), conf_check_path, NULL },
    { ROW("tls.key", tls.key, tls.key), conf_check_path, NULL },
    { ROW("tls.ca", tls.ca, tls.ca), conf_check_path, NULL },
    { ROW("run_dir", run_dir, run_dir), conf_check_run_dir, "/run/tof" },
    { ROW("state_dir", state_dir, state_dir),
      conf_check_path, "/var/lib/tof" },
};

static const struct {
    const char *path;
    size_t raw, conf;
    unsigned int min, max, def;
} numbers[] = {
    { ROW("pinger.interval_ms", pinger.interval_ms, pinger.interval_ms),
      10, 60000, 200 },
    { ROW("pinger.attempts", pinger.attempts, pinger.attempts), 1, 100, 5 },
    { ROW("pinger.rate_per_second", pinger.rate_per_second,
          pinger.rate_per_second), 1, 1000000, 20000 },
    { ROW("sessions.max", sessions.max, sessions.max), 1, 16000000, 1000000 },
    { ROW("sessions.idle_seconds", sessions.idle_seconds,
          sessions.idle_seconds), 1, 86400, 300 },
    { ROW("sessions.evidence_seconds", sessions.evidence_seconds,
          sessions.evidence_seconds), 1, 3600, 10 },
    { ROW("usage.interval_seconds", usage.interval_seconds,
          usage.interval_seconds), 1, 86400, 300 },
};

static const struct {
    const char *path;
    size_t raw, conf;
    const char *(*parse)(const char *, struct ip_prefix *);
} prefix_lists[] = {
    { ROW("s1u.enodebs", s1u.enodebs, s1u.enodebs), conf_value_network },
    { ROW("s1u.sgws", s1u.sgws, s1u.sgws), conf_value_network },
    { ROW("apps.address", apps.address, apps.address), conf_value_interface },
    { ROW("apps.routes", apps.routes, apps.routes), conf_value_network },
};

static const struct {
    const char *path;
    size_t raw, conf;
    conf_check *check;
} text_lists[] = {
    { ROW("standby.follow", standby.follow, standby.follow),
      conf_check_endpoint },
    { ROW("registry", registry, registry), conf_check_registry },
};

static bool
fail(struct converter *c, const char *path, const char *message)
{
    return conf_error(c->errors, conf_tree_find(c->root, path), "%s",
                      message);
}

/* Reports that the value at 'node' is wrong, for the reason 'error'. */
static bool
fail_value(struct converter *c, const struct conf_node *node,
           const char *error)
{
    return conf_error(c->errors, node, "'%s' %s",
                      node && node->value ? node->value : "", error);
}

static struct conf_node *
first_child(struct converter *c, const char *path)
{
    struct conf_node *node = conf_tree_find(c->root, path);

    return node ? node->first : NULL;
}

static bool
convert_strings(struct converter *c)
{
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        const char *value = *RAW_MEMBER(c->raw, strings[i].raw, char *);
        const char *error = value ? strings[i].check(value) : NULL;

        if (error) {
            return fail_value(c, conf_tree_find(c->root, strings[i].path),
                              error);
        }
        value = value ? value : strings[i].def;
        if (value) {
            *MEMBER(c->conf, strings[i].conf, char *) =
                check_alloc(strdup(value));
        }
    }
    return true;
}

static bool
convert_numbers(struct converter *c)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const char *value = *RAW_MEMBER(c->raw, numbers[i].raw, char *);
        unsigned int *n = MEMBER(c->conf, numbers[i].conf, unsigned int);

        *n = numbers[i].def;
        const char *error = (value
                             ? conf_value_uint(value, numbers[i].min,
                                               numbers[i].max, n)
                             : NULL);
        if (error) {
            return conf_error(c->errors,
                              conf_tree_find(c->root, numbers[i].path),
                              "'%s' %s (%u to %u)", value, error,
                              numbers[i].min, numbers[i].max);
        }
    }
    return true;
}

static bool
convert_prefix_list(struct converter *c, size_t row)
{
    const struct conf_raw_list *raw = RAW_MEMBER(c->raw, prefix_lists[row].raw,
                                                 struct conf_raw_list);
    struct ip_prefix_list *list = MEMBER(c->conf, prefix_lists[row].conf,
                                         struct ip_prefix_list);

    if (!raw->n) {
        return true;
    }
    list->prefixes = check_alloc(calloc(raw->n, sizeof *list->prefixes));
    const struct conf_node *node = first_child(c, prefix_lists[row].path);
    for (; list->n < raw->n; list->n++, node = node->next) {
        struct ip_prefix *p = &list->prefixes[list->n];
        const char *error = prefix_lists[row].parse(raw->items[list->n], p);

        if (error) {
            return fail_value(c, node, error);
        }
        for (size_t i = 0; i < list->n; i++) {
            if (IN6_ARE_ADDR_EQUAL(&list->prefixes[i].addr, &p->addr)
                && list->prefixes[i].len == p->len) {
                return fail_value(c, node, "is there twice");
            }
        }
    }
    return true;
}

static bool
convert_prefix_lists(struct converter *c)
{
    for (size_t i = 0; i < sizeof prefix_lists / sizeof *prefix_lists; i++) {
        if (!convert_prefix_list(c, i)) {
            return false;
        }
    }
    return true;
}

static bool
convert_targets(struct converter *c)
{
    const struct conf_raw_list *raw = &c->raw->pinger.targets;

    if (!raw->n) {
        return true;
    }
    struct in6_addr *targets = check_alloc(calloc(raw->n, sizeof *targets));
    c->conf->pinger.targets = targets;
    const struct conf_node *node = first_child(c, "pinger.targets");
    for (size_t i = 0; i < raw->n; i++, node = node->next) {
        const char *error = conf_value_address(raw->items[i], &targets[i]);

        for (size_t j = 0; j < i && !error; j++) {
            if (IN6_ARE_ADDR_EQUAL(&targets[i], &targets[j])) {
                error = "is there twice";
            }
        }
        if (error) {
            return fail_value(c, node, error);
        }
        c->conf->pinger.n_targets = i + 1;
    }
    return true;
}

static bool
convert_text_list(struct converter *c, size_t row)
{
    const struct conf_raw_list *raw = RAW_MEMBER(c->raw, text_lists[row].raw,
                                                 struct conf_raw_list);
    struct text_list *list = MEMBER(c->conf, text_lists[row].conf,
                                    struct text_list);

    if (!raw->n) {
        return true;
    }
    list->items = check_alloc(calloc(raw->n, sizeof *list->items));
    const struct conf_node *node = first_child(c, text_lists[row].path);
    for (; list->n < raw->n; node = node->next) {
        const char *value = raw->items[list->n];
        const char *error = text_lists[row].check(value);

        if (error) {
            return fail_value(c, node, error);
        }
        list->items[list->n++] = check_alloc(strdup(value));
    }
    return true;
}

static bool
convert_text_lists(struct converter *c)
{
    for (size_t i = 0; i < sizeof text_lists / sizeof *text_lists; i++) {
        if (!convert_text_list(c, i)) {
            return false;
        }
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

static bool
convert_function(struct converter *c, const struct conf_raw_function *raw,
                 struct conf_node *node)
{
    struct conf *conf = c->conf;
    const char *error = conf_check_name(raw->name);

    if (error) {
        return conf_error(c->errors, node, "'%s' %s", raw->name, error);
    }
    for (size_t i = 0; i < conf->n_functions; i++) {
        if (same_key(conf->functions[i].name, raw->name)) {
            return conf_error(c->errors, node,
                              "too similar to the function '%s'",
                              conf->functions[i].name);
        }
    }
    if ((error = conf_check_ifname(raw->in)) != NULL) {
        return fail_value(c, conf_tree_find(node, "in"), error);
    }
    if ((error = conf_check_ifname(raw->out)) != NULL) {
        return fail_value(c, conf_tree_find(node, "out"), error);
    }
    conf->functions[conf->n_functions++] = (struct conf_function) {
        .name = check_alloc(strdup(raw->name)),
        .in = check_alloc(strdup(raw->in)),
        .out = check_alloc(strdup(raw->out)),
    };
    return true;
}

static bool
convert_functions(struct converter *c)
{
    size_t n = c->raw->n_functions;
    struct conf *conf = c->conf;

    if (!n) {
        return true;
    }
    conf->functions = check_alloc(calloc(n, sizeof *conf->functions));
    struct conf_node *node = first_child(c, "functions");
    for (size_t i = 0; i < n; i++, node = node->next) {
        if (!convert_function(c, &c->raw->functions[i], node)) {
            return false;
        }
    }
    return true;
}

/* Refuses an interface that has two roles. */
static bool
check_roles(struct converter *c)
{
    const struct conf *conf = c->conf;
    size_t n = 4 + 2 * conf->n_functions;
    bool ok = true;
    struct role {
        const char *ifname;
        const struct conf_node *node;
    } *roles = check_alloc(calloc(n, sizeof *roles));

    roles[0].ifname = conf->s1u.interface;
    roles[1] = (struct role) { conf->s1u.enb,
                               conf_tree_find(c->root, "s1u.enb") };
    roles[2] = (struct role) { conf->s1u.sgw,
                               conf_tree_find(c->root, "s1u.sgw") };
    roles[3] = (struct role) { conf->apps.interface,
                               conf_tree_find(c->root, "apps.interface") };
    struct conf_node *node = first_child(c, "functions");
    for (size_t i = 4; i < n; i += 2, node = node->next) {
        const struct conf_function *f = &conf->functions[(i - 4) / 2];

        roles[i] = (struct role) { f->in, conf_tree_find(node, "in") };
        roles[i + 1] = (struct role) { f->out, conf_tree_find(node, "out") };
    }
    for (size_t i = 1; i < n && ok; i++) {
        for (size_t j = 0; j < i && ok; j++) {
            ok = (!roles[i].ifname || !roles[j].ifname
                  || strcmp(roles[i].ifname, roles[j].ifname)
                  || fail_value(c, roles[i].node, "has another role already"));
        }
    }
    free(roles);
    return ok;
}

/* With a single adapter the prefixes tell a packet's direction, so none may
 * be on both sides. */
static bool
check_overlap(struct converter *c)
{
    const struct ip_prefix_list *enodebs = &c->conf->s1u.enodebs;
    const struct ip_prefix_list *sgws = &c->conf->s1u.sgws;
    const struct conf_node *node = first_child(c, "s1u.sgws");

    for (size_t i = 0; i < sgws->n; i++, node = node->next) {
        struct ip_prefix_list sgw = { &sgws->prefixes[i], 1 };

        for (size_t j = 0; j < enodebs->n; j++) {
            struct ip_prefix_list enb = { &enodebs->prefixes[j], 1 };

            if (ip_prefix_list_contains(&sgw, &enb.prefixes->addr)
                || ip_prefix_list_contains(&enb, &sgw.prefixes->addr)) {
                return fail_value(c, node, "overlaps s1u.enodebs: the "
                                  "direction of a packet would be unknown");
            }
        }
    }
    return true;
}

static bool
check_s1u(struct converter *c)
{
    const struct conf *conf = c->conf;
    struct conf_node *s1u = conf_tree_find(c->root, "s1u");

    if (conf->s1u.interface) {
        if (conf->s1u.enb || conf->s1u.sgw) {
            return fail(c, "s1u.interface", "excludes enb and sgw");
        }
        if (!conf->s1u.enodebs.n) {
            return conf_error_missing(c->errors, s1u, "enodebs");
        }
        if (!conf->s1u.sgws.n) {
            return conf_error_missing(c->errors, s1u, "sgws");
        }
        return check_overlap(c);
    }
    if (!conf->s1u.enb && !conf->s1u.sgw) {
        return fail(c, "s1u", "needs enb and sgw, or interface");
    }
    return ((conf->s1u.enb || conf_error_missing(c->errors, s1u, "enb"))
            && (conf->s1u.sgw || conf_error_missing(c->errors, s1u, "sgw")));
}

static bool
check_api(struct converter *c)
{
    struct conf *conf = c->conf;
    struct conf_node *api = conf_tree_find(c->root, "api");

    if (!strcmp(conf->api.listen, "none")) {
        if (!conf->api.unix_path) {
            return fail(c, "api.listen", "'none' needs api.unix");
        }
        free(conf->api.listen);
        conf->api.listen = NULL;
    }
    if (!conf->api.tls_cert != !conf->api.tls_key) {
        return conf_error_missing(c->errors, api, conf->api.tls_key
                                  ? "tls_cert" : "tls_key");
    }
    return true;
}

/* The default is a file in the directory of state; an empty name means
 * none. */
static void
convert_usage(struct converter *c)
{
    static const char name[] = "/usage.jsonl";
    struct conf *conf = c->conf;
    size_t len = strlen(conf->state_dir);

    if (!conf->usage.file) {
        conf->usage.file = check_alloc(malloc(len + sizeof name));
        memcpy(conf->usage.file, conf->state_dir, len);
        memcpy(conf->usage.file + len, name, sizeof name);
    } else if (!*conf->usage.file) {
        free(conf->usage.file);
        conf->usage.file = NULL;
    }
}

static bool
convert(struct converter *c)
{
    const struct conf_raw *raw = c->raw;

    c->conf->apps.may_connect = raw->apps.may_connect != RAW_BOOL_FALSE;
    c->conf->datapath = raw->datapath;
    c->conf->learn = raw->learn;
    c->conf->pinger.pairing = raw->pinger.pairing;
    if (!convert_strings(c)) {
        return false;
    }
    convert_usage(c);
    return (convert_numbers(c)
            && convert_prefix_lists(c) && convert_targets(c)
            && convert_text_lists(c) && convert_functions(c)
            && (c->conf->apps.address.n
                || conf_error_missing(c->errors,
                                      conf_tree_find(c->root, "apps"),
                                      "address"))
            && check_s1u(c) && check_roles(c) && check_api(c));
}

struct conf *
conf_parse(const char *text, size_t len, const char *file, char **error)
{
    struct conf_errors errors = { .file = file };
    struct conf *conf = NULL;
    struct conf_raw *raw = NULL;

    struct conf_node *root = conf_tree_parse(text, len, &errors);
    if (root) {
        raw = conf_raw_load(root, &errors);
    }
    if (raw) {
        conf = check_alloc(calloc(1, sizeof *conf));
        struct converter c = { root, raw, conf, &errors };
        if (!convert(&c)) {
            conf_free(conf);
            conf = NULL;
        }
        conf_raw_free(raw);
    }
    conf_tree_free(root);
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

void
conf_free(struct conf *conf)
{
    if (!conf) {
        return;
    }
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        free(*MEMBER(conf, strings[i].conf, char *));
    }
    for (size_t i = 0; i < sizeof prefix_lists / sizeof *prefix_lists; i++) {
        free(MEMBER(conf, prefix_lists[i].conf,
                    struct ip_prefix_list)->prefixes);
    }
    for (size_t i = 0; i < conf->n_functions; i++) {
        free(conf->functions[i].name);
        free(conf->functions[i].in);
        free(conf->functions[i].out);
    }
    free(conf->functions);
    free(conf->pinger.targets);
    for (size_t i = 0; i < sizeof text_lists / sizeof *text_lists; i++) {
        struct text_list *list = MEMBER(conf, text_lists[i].conf,
                                        struct text_list);

        while (list->n) {
            free(list->items[--list->n]);
        }
        free(list->items);
    }
    free(conf);
}
