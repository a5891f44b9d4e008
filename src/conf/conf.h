/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CONF_H
#define TOF_CONF_H 1

/* The configuration, /etc/tof/tof.yaml: read once at start by tofd.c and
 * handed down by const pointer. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct ip_prefix {
    struct in6_addr addr;       /* IPv4 as IPv4-mapped IPv6. */
    uint8_t len;                /* Of the family's own length: 0..32 for IPv4,
                                 * 0..128 for IPv6. */
};

struct ip_prefix_list {
    struct ip_prefix *prefixes;
    size_t n;
};

struct text_list {
    char **items;
    size_t n;
};

enum conf_datapath { DATAPATH_AUTO, DATAPATH_OVS, DATAPATH_XDP };
enum conf_learn { LEARN_ALL, LEARN_SERVICES };
enum conf_pairing { PAIRING_PROVED, PAIRING_OBSERVED };

struct conf_function {
    char *name;
    char *in, *out;             /* Network interfaces. */
};

struct conf {
    struct {
        char *enb, *sgw;        /* Inline: both set. */
        char *interface;        /* Single adapter: set, and the two above
                                 * NULL. */
        struct ip_prefix_list enodebs, sgws;
    } s1u;
    struct {
        char *interface;
        struct ip_prefix_list address;
        struct ip_prefix_list routes;
        char *namespace;
        bool may_connect;
    } apps;
    struct conf_function *functions;
    size_t n_functions;
    enum conf_datapath datapath;
    enum conf_learn learn;
    struct {
        struct in6_addr *targets;
        size_t n_targets;
        unsigned int interval_ms;
        unsigned int attempts;
        unsigned int rate_per_second;
        enum conf_pairing pairing;
    } pinger;
    struct {
        unsigned int max;
        unsigned int idle_seconds;
        unsigned int evidence_seconds;
    } sessions;
    struct {
        char *listen;           /* "ADDRESS:PORT", or NULL if "none". */
        char *interface;        /* Bind to this device, or NULL. */
        char *unix_path;        /* Key "unix", or NULL. */
        char *token_file;
        char *tls_cert, *tls_key;
    } api;
    struct {
        char *file;             /* Records go there; NULL: none are made. */
        unsigned int interval_seconds;
    } usage;
    struct {
        char *listen;           /* "ADDRESS:PORT", or NULL: nobody follows. */
        struct text_list follow;        /* The same, of others. */
    } standby;
    struct {
        char *cert, *key, *ca;  /* Files: all of them, or all NULL. */
    } tls;                      /* Between this TOF, others and databases. */
    struct text_list registry;
    char *run_dir;
    char *state_dir;
};

/* Reads and checks 'file'.  Returns the configuration, which the caller frees
 * with conf_free(), or NULL with '*error' set to a malloc'd text that names
 * file, line and key ("tof.yaml:3: s1u.enb: ..."). */
struct conf *conf_read(const char *file, char **error);

/* The same for 'len' bytes of text, which 'file' names in errors. */
struct conf *conf_parse(const char *text, size_t len, const char *file,
                        char **error);
void conf_free(struct conf *);

/* Writes every value in effect as "key='value'" lines, with what is not a
 * letter or digit in a key replaced by '_' ("s1u_enb='enb0'"): what the shell
 * scripts source.  Lists are separated by spaces; 'functions' lists names, and
 * each has functions_NAME_in and functions_NAME_out; what is not set is
 * empty. */
void conf_print(const struct conf *, FILE *);

/* The adapter towards the eNodeBs, or else the SGWs: one and the same in
 * single-adapter mode. */
const char *conf_adapter(const struct conf *, bool enb);

/* True if both may be peers: of the configured prefixes, where there are
 * any. */
bool conf_are_peers(const struct conf *, const struct in6_addr *enb,
                    const struct in6_addr *sgw);

/* True if 'addr' is in one of the prefixes of 'list'. */
bool ip_prefix_list_contains(const struct ip_prefix_list *list,
                             const struct in6_addr *addr);

#endif /* conf/conf.h */
