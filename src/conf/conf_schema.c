/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The libcyaml schema: see conf_schema.h for the place in the flow.
 *
 * Two things read the schema.  check_value() goes through tree and schema
 * side by side, to find what is unknown, missing or of a wrong type and to
 * name its line.  libcyaml then loads the values, which cannot fail any more
 * but for lack of memory.
 *
 * Numbers are strings here, because libcyaml 1.3 reads "1.5" as 1, and
 * booleans are an enumeration, because it reads "maybe" as true. */

#include "conf/conf_schema.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

#define OPTIONAL_STRUCT CYAML_FLAG_OPTIONAL
#define OPTIONAL_POINTER (CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER)
#define OPTIONAL_ENUM (CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT)

#define STRING(KEY, FLAGS, STRUCT, MEMBER)                                  \
    CYAML_FIELD_STRING_PTR(KEY, FLAGS, struct STRUCT, MEMBER, 1,            \
                           CYAML_UNLIMITED)
#define ENUM(KEY, STRUCT, MEMBER, STRINGS)                                  \
    CYAML_FIELD_ENUM(KEY, OPTIONAL_ENUM, struct STRUCT, MEMBER, STRINGS,    \
                     CYAML_ARRAY_LEN(STRINGS))
#define LIST(KEY, STRUCT, MEMBER)                                           \
    CYAML_FIELD_SEQUENCE_COUNT(KEY, OPTIONAL_POINTER, struct STRUCT,        \
                               MEMBER.items, MEMBER.n, &list_entry, 0,      \
                               CYAML_UNLIMITED)
#define MAPPING(KEY, FLAGS, MEMBER, FIELDS)                                 \
    CYAML_FIELD_MAPPING(KEY, FLAGS, struct conf_raw, MEMBER, FIELDS)

static const cyaml_schema_value_t list_entry = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, CYAML_UNLIMITED),
};

static const cyaml_strval_t booleans[] = {
    { "true", RAW_BOOL_TRUE },
    { "false", RAW_BOOL_FALSE },
    { "yes", RAW_BOOL_TRUE },
    { "no", RAW_BOOL_FALSE },
    { "on", RAW_BOOL_TRUE },
    { "off", RAW_BOOL_FALSE },
};

static const cyaml_strval_t datapaths[] = {
    { "auto", DATAPATH_AUTO },
    { "ovs", DATAPATH_OVS },
    { "xdp", DATAPATH_XDP },
};

static const cyaml_strval_t learns[] = {
    { "all", LEARN_ALL },
    { "services", LEARN_SERVICES },
};

static const cyaml_strval_t pairings[] = {
    { "proved", PAIRING_PROVED },
    { "observed", PAIRING_OBSERVED },
};

static const cyaml_schema_field_t s1u_fields[] = {
    STRING("enb", OPTIONAL_POINTER, conf_raw_s1u, enb),
    STRING("sgw", OPTIONAL_POINTER, conf_raw_s1u, sgw),
    STRING("interface", OPTIONAL_POINTER, conf_raw_s1u, interface),
    LIST("enodebs", conf_raw_s1u, enodebs),
    LIST("sgws", conf_raw_s1u, sgws),
    CYAML_FIELD_END
};

static const cyaml_schema_field_t apps_fields[] = {
    STRING("interface", CYAML_FLAG_POINTER, conf_raw_apps, interface),
    LIST("address", conf_raw_apps, address),
    LIST("routes", conf_raw_apps, routes),
    STRING("namespace", OPTIONAL_POINTER, conf_raw_apps, namespace),
    ENUM("may_connect", conf_raw_apps, may_connect, booleans),
    CYAML_FIELD_END
};

/* The function's name, its key in the file.  A key cannot be empty there, so
 * this one cannot be given as one. */
#define NAME_KEY ""

static const cyaml_schema_field_t function_fields[] = {
    STRING(NAME_KEY, CYAML_FLAG_POINTER, conf_raw_function, name),
    STRING("in", CYAML_FLAG_POINTER, conf_raw_function, in),
    STRING("out", CYAML_FLAG_POINTER, conf_raw_function, out),
    CYAML_FIELD_END
};

static const cyaml_schema_value_t function_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_function,
                        function_fields),
};

static const cyaml_schema_field_t pinger_fields[] = {
    LIST("targets", conf_raw_pinger, targets),
    STRING("interval_ms", OPTIONAL_POINTER, conf_raw_pinger, interval_ms),
    STRING("attempts", OPTIONAL_POINTER, conf_raw_pinger, attempts),
    STRING("rate_per_second", OPTIONAL_POINTER, conf_raw_pinger,
           rate_per_second),
    ENUM("pairing", conf_raw_pinger, pairing, pairings),
    CYAML_FIELD_END
};

static const cyaml_schema_field_t sessions_fields[] = {
    STRING("max", OPTIONAL_POINTER, conf_raw_sessions, max),
    STRING("idle_seconds", OPTIONAL_POINTER, conf_raw_sessions, idle_seconds),
    STRING("evidence_seconds", OPTIONAL_POINTER, conf_raw_sessions,
           evidence_seconds),
    CYAML_FIELD_END
};

static const cyaml_schema_field_t api_fields[] = {
    STRING("listen", OPTIONAL_POINTER, conf_raw_api, listen),
    STRING("interface", OPTIONAL_POINTER, conf_raw_api, interface),
    STRING("unix", OPTIONAL_POINTER, conf_raw_api, unix_path),
    STRING("token_file", OPTIONAL_POINTER, conf_raw_api, token_file),
    STRING("tls_cert", OPTIONAL_POINTER, conf_raw_api, tls_cert),
    STRING("tls_key", OPTIONAL_POINTER, conf_raw_api, tls_key),
    CYAML_FIELD_END
};

static const cyaml_schema_field_t usage_fields[] = {
    /* It may be empty. */
    CYAML_FIELD_STRING_PTR("file", OPTIONAL_POINTER, struct conf_raw_usage,
                           file, 0, CYAML_UNLIMITED),
    STRING("interval_seconds", OPTIONAL_POINTER, conf_raw_usage,
           interval_seconds),
    CYAML_FIELD_END
};

static const cyaml_schema_field_t standby_fields[] = {
    STRING("listen", OPTIONAL_POINTER, conf_raw_standby, listen),
    LIST("follow", conf_raw_standby, follow),
    CYAML_FIELD_END
};

static const cyaml_schema_field_t tls_fields[] = {
    STRING("cert", CYAML_FLAG_POINTER, conf_raw_tls, cert),
    STRING("key", CYAML_FLAG_POINTER, conf_raw_tls, key),
    STRING("ca", CYAML_FLAG_POINTER, conf_raw_tls, ca),
    CYAML_FIELD_END
};

static const cyaml_schema_field_t top_fields[] = {
    MAPPING("s1u", CYAML_FLAG_DEFAULT, s1u, s1u_fields),
    MAPPING("apps", CYAML_FLAG_DEFAULT, apps, apps_fields),
    CYAML_FIELD_SEQUENCE_COUNT("functions", OPTIONAL_POINTER, struct conf_raw,
                               functions, n_functions, &function_entry, 0,
                               CYAML_UNLIMITED),
    ENUM("datapath", conf_raw, datapath, datapaths),
    ENUM("learn", conf_raw, learn, learns),
    MAPPING("pinger", OPTIONAL_STRUCT, pinger, pinger_fields),
    MAPPING("sessions", OPTIONAL_STRUCT, sessions, sessions_fields),
    MAPPING("api", OPTIONAL_STRUCT, api, api_fields),
    MAPPING("usage", OPTIONAL_STRUCT, usage, usage_fields),
    MAPPING("standby", OPTIONAL_STRUCT, standby, standby_fields),
    MAPPING("tls", OPTIONAL_STRUCT, tls, tls_fields),
    LIST("registry", conf_raw, registry),
    STRING("run_dir", OPTIONAL_POINTER, conf_raw, run_dir),
    STRING("state_dir", OPTIONAL_POINTER, conf_raw, state_dir),
    CYAML_FIELD_END
};

static const cyaml_schema_value_t top = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct conf_raw, top_fields),
};

static bool check_value(struct conf_node *, const cyaml_schema_value_t *,
                        struct conf_errors *);

static bool
check_mapping(struct conf_node *node, const cyaml_schema_field_t *fields,
              struct conf_errors *errors)
{
    for (struct conf_node *n = node->first; n; n = n->next) {
        const cyaml_schema_field_t *f = fields;

        while (f->key && strcmp(f->key, n->key)) {
            f++;
        }
        if (!f->key) {
            return conf_error(errors, n, "unknown key");
        }
        if (!check_value(n, &f->value, errors)) {
            return false;
        }
    }
    for (const cyaml_schema_field_t *f = fields; f->key; f++) {
        const struct conf_node *n = node->first;

        while (n && strcmp(f->key, n->key)) {
            n = n->next;
        }
        if (!n && !(f->value.flags & CYAML_FLAG_OPTIONAL)) {
            return conf_error_missing(errors, node, f->key);
        }
    }
    return true;
}

static bool
check_enum(const struct conf_node *node, const cyaml_schema_value_t *schema,
           struct conf_errors *errors)
{
    char expected[128] = "";
    size_t len = 0;

    for (uint32_t i = 0; i < schema->enumeration.count; i++) {
        const char *s = schema->enumeration.strings[i].str;

        if (!strcmp(node->value, s)) {
            return true;
        }
        if (len < sizeof expected) {
            len += snprintf(expected + len, sizeof expected - len, "%s%s",
                            i ? ", " : "", s);
        }
    }
    return conf_error(errors, node, "'%s' is not one of %s", node->value,
                      expected);
}

/* Checks that 'node' is of 'kind'.  A key with nothing after it is an empty
 * list or mapping where one of these belongs. */
static bool
check_kind(struct conf_node *node, enum conf_node_kind kind,
           struct conf_errors *errors)
{
    static const char *const names[] = {
        [CONF_SCALAR] = "a single value",
        [CONF_LIST] = "a list",
        [CONF_MAP] = "a mapping",
    };

    if (node->kind == CONF_SCALAR && node->null && kind != CONF_SCALAR) {
        node->kind = kind;
    }
    if (node->kind != kind) {
        return conf_error(errors, node, "must be %s", names[kind]);
    }
    if (kind == CONF_SCALAR && (node->null || !*node->value)) {
        return conf_error(errors, node, "has no value");
    }
    return true;
}

/* Is it "", where the schema allows that? */
static bool
is_allowed_empty(const struct conf_node *node,
                 const cyaml_schema_value_t *schema)
{
    return (node->kind == CONF_SCALAR && !node->null && !*node->value
            && schema->type == CYAML_STRING && !schema->string.min);
}

static bool
check_value(struct conf_node *node, const cyaml_schema_value_t *schema,
            struct conf_errors *errors)
{
    switch (schema->type) {
    case CYAML_MAPPING:
        return (check_kind(node, CONF_MAP, errors)
                && check_mapping(node, schema->mapping.fields, errors));

    case CYAML_SEQUENCE:
        if (!check_kind(node, CONF_LIST, errors)) {
            return false;
        }
        for (struct conf_node *n = node->first; n; n = n->next) {
            if (!check_value(n, schema->sequence.entry, errors)) {
                return false;
            }
        }
        return true;

    case CYAML_ENUM:
        return (check_kind(node, CONF_SCALAR, errors)
                && check_enum(node, schema, errors));

    default:
        return (is_allowed_empty(node, schema)
                || check_kind(node, CONF_SCALAR, errors));
    }
}

/* Brings the tree into a form that the schema can express. */
static bool
normalize(struct conf_node *root, struct conf_errors *errors)
{
    static const char *const one_or_many[] = { "apps.address",
                                               "pinger.targets",
                                               "standby.follow" };

    for (size_t i = 0; i < CYAML_ARRAY_LEN(one_or_many); i++) {
        struct conf_node *node = conf_tree_find(root, one_or_many[i]);

        if (node && node->kind == CONF_SCALAR && !node->null) {
            conf_node_wrap(node);
        }
    }

    struct conf_node *functions = conf_tree_find(root, "functions");
    if (!functions) {
        return true;
    }
    if (!check_kind(functions, CONF_MAP, errors)) {
        return false;
    }
    for (struct conf_node *n = functions->first; n; n = n->next) {
        if (!check_kind(n, CONF_MAP, errors)) {
            return false;
        }
    }
    conf_node_unname(functions, NAME_KEY);
    return true;
}

static void __attribute__((format(printf, 3, 0)))
log_cb(cyaml_log_t level, void *errors, const char *format, va_list args)
{
    char message[256];

    vsnprintf(message, sizeof message, format, args);
    message[strcspn(message, "\n")] = '\0';
    if (level >= CYAML_LOG_ERROR) {
        conf_error(errors, NULL, "%s", message);
    }
}

static cyaml_config_t
cyaml_config(struct conf_errors *errors)
{
    return (cyaml_config_t) {
        .log_fn = log_cb,
        .log_ctx = errors,
        .log_level = CYAML_LOG_ERROR,
        .mem_fn = cyaml_mem,
        .flags = CYAML_CFG_NO_ALIAS,
    };
}

struct conf_raw *
conf_raw_load(struct conf_node *root, struct conf_errors *errors)
{
    cyaml_config_t config = cyaml_config(errors);
    struct conf_raw *raw = NULL;

    if (!normalize(root, errors) || !check_value(root, &top, errors)) {
        return NULL;
    }
    char *text = conf_tree_text(root);
    cyaml_err_t error = cyaml_load_data((uint8_t *) text, strlen(text),
                                        &config, &top, (cyaml_data_t **) &raw,
                                        NULL);
    free(text);
    if (error || !raw) {
        conf_error(errors, NULL, "%s", cyaml_strerror(error));
        return NULL;
    }
    return raw;
}

void
conf_raw_free(struct conf_raw *raw)
{
    struct conf_errors errors = { .file = "" };
    cyaml_config_t config = cyaml_config(&errors);

    cyaml_free(&config, &top, raw, 0);
    free(errors.text);
}
