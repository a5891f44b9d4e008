/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CONF_TYPES_H
#define TOF_CONF_TYPES_H 1

/* What is configured, in memory: see conf.h. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ip_prefix {
    struct in6_addr addr;       /* IPv4 as IPv4-mapped IPv6. */
    uint8_t len;                /* Of the family's own length: 0..32 for IPv4,
                                 * 0..128 for IPv6. */
};

struct ip_prefix_list {
    struct ip_prefix *prefixes;
    size_t n;
};

/* The MTU of the paths to those peers. */
struct ip_prefix_mtu {
    struct ip_prefix prefix;
    unsigned int mtu;
};

struct text_list {
    char **items;
    size_t n;
};

enum conf_datapath { DATAPATH_AUTO, DATAPATH_OVS, DATAPATH_XDP };
enum conf_privacy { PRIVACY_NONE, PRIVACY_SHORTEN, PRIVACY_HASH };
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
        unsigned int mtu;       /* Of paths to eNodeBs; 0: the adapter's. */
        struct ip_prefix_mtu *path_mtus;        /* Of some of them. */
        size_t n_path_mtus;
    } s1u;
    struct {
        char *interface;
        struct ip_prefix_list address;
        struct ip_prefix_list routes;
        char *namespace;
        bool may_connect;
        unsigned int connections_per_ue;
    } apps;
    struct conf_function *functions;
    size_t n_functions;
    enum conf_datapath datapath;
    enum conf_learn learn;
    enum conf_privacy privacy;
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
        bool allow_without_token;   /* On addresses that others reach. */
        struct text_list hosts;   /* More names of this host. */
        char *tls_cert, *tls_key;
    } api;
    struct {
        bool allow;
        bool payload;           /* All of a packet, not its headers alone. */
    } trace;
    struct {
        char *file;             /* Records go there; NULL: none are made. */
        unsigned int interval_seconds;
    } usage;
    struct {
        char *listen;           /* "ADDRESS:PORT", or NULL: nobody follows. */
        struct text_list follow;        /* The same, of others. */
        struct text_list names; /* In their certificates; empty: any. */
    } standby;
    struct {
        char *cert, *key, *ca;  /* Files: all of them, or all NULL. */
    } tls;                      /* Between this TOF, others and databases. */
    struct text_list registry;
    char *run_dir;
    char *state_dir;
};

#endif /* conf/conf_types.h */
