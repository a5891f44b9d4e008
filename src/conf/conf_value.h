/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CONF_VALUE_H
#define TOF_CONF_VALUE_H 1

/* What a single value of the configuration may look like.  Pure; used by the
 * tables of conf.c.
 *
 * Each function returns NULL if 'value' is good, otherwise what is wrong with
 * it, to be printed after the key and the value. */

#include "conf/conf.h"

typedef const char *conf_check(const char *value);

conf_check conf_check_ifname;
conf_check conf_check_name;             /* A function or a namespace. */
conf_check conf_check_path;
conf_check conf_check_path_or_none;     /* "" included. */
conf_check conf_check_run_dir;
conf_check conf_check_unix_path;
conf_check conf_check_endpoint;         /* ADDRESS:PORT. */
conf_check conf_check_listen;           /* "none" included. */
conf_check conf_check_registry;

const char *conf_value_uint(const char *value, unsigned int min,
                            unsigned int max, unsigned int *);

/* An address that a host can have: not unspecified, loopback or multicast. */
const char *conf_value_address(const char *value, struct in6_addr *);

/* A network, "ADDRESS/LENGTH" or "ADDRESS"; bits beyond the length are
 * cleared. */
const char *conf_value_network(const char *value, struct ip_prefix *);

/* A host's address with the length of its network, "ADDRESS/LENGTH". */
const char *conf_value_interface(const char *value, struct ip_prefix *);

/* "ADDRESS/LENGTH", and "ADDRESS". */
#define IP_PREFIX_STRLEN (INET6_ADDRSTRLEN + 4)
void ip_prefix_format(const struct ip_prefix *, char[IP_PREFIX_STRLEN]);

#endif /* conf/conf_value.h */
