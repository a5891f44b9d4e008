/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CONF_SCHEMA_H
#define TOF_CONF_SCHEMA_H 1

/* The configuration as it stands in the file, and its libcyaml schema.
 *
 * Place in the flow: conf.c hands over the tree of conf_tree.c and gets
 * 'struct conf_raw', whose structure is right but whose values are still the
 * file's texts: NULL where the file has nothing. */

#include <stddef.h>

#include "conf/conf_tree.h"

struct conf_raw_list {
    char **items;
    unsigned int n;
};

struct conf_raw_function {
    char *name, *in, *out;
};

/* An optional boolean. */
enum conf_raw_bool { RAW_BOOL_NONE, RAW_BOOL_TRUE, RAW_BOOL_FALSE };

struct conf_raw {
    struct conf_raw_s1u {
        char *enb, *sgw, *interface;
        struct conf_raw_list enodebs, sgws;
    } s1u;
    struct conf_raw_apps {
        char *interface, *namespace;
        struct conf_raw_list address, routes;
        enum conf_raw_bool may_connect;
    } apps;
    struct conf_raw_function *functions;
    unsigned int n_functions;
    int datapath;               /* enum conf_datapath. */
    int learn;                  /* enum conf_learn. */
    struct conf_raw_pinger {
        struct conf_raw_list targets;
        char *interval_ms, *attempts, *rate_per_second;
        int pairing;            /* enum conf_pairing. */
    } pinger;
    struct conf_raw_sessions {
        char *max, *idle_seconds, *evidence_seconds;
    } sessions;
    struct conf_raw_api {
        char *listen, *interface, *unix_path;
        char *token_file, *tls_cert, *tls_key;
    } api;
    struct conf_raw_usage {
        char *file, *interval_seconds;
    } usage;
    struct conf_raw_standby {
        char *listen;
        struct conf_raw_list follow;
    } standby;
    struct conf_raw_tls {
        char *cert, *key, *ca;
    } tls;
    struct conf_raw_list registry;
    char *run_dir, *state_dir;
};

/* Checks the tree against the schema, after bringing it into the form that a
 * schema can express: 'apps.address', 'pinger.targets' and
 * 'standby.follow' to lists, 'functions' to a list of mappings.  Returns what libcyaml loads from it,
 * which the caller frees with conf_raw_free(), or NULL with an error
 * reported. */
struct conf_raw *conf_raw_load(struct conf_node *root, struct conf_errors *);
void conf_raw_free(struct conf_raw *);

#endif /* conf/conf_schema.h */
