/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CONF_H
#define TOF_CONF_H 1

/* The configuration, /etc/tof/tof.yaml: read once at start by tofd.c and
 * handed down by const pointer. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "conf/conf_types.h"

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

/* True if conf_print() tells them apart. */
bool conf_differs(const struct conf *, const struct conf *);

/* The adapter towards the eNodeBs, or else the SGWs: one and the same in
 * single-adapter mode. */
const char *conf_adapter(const struct conf *, bool enb);

/* True if both may be peers: of the configured prefixes, where there are
 * any. */
bool conf_are_peers(const struct conf *, const struct in6_addr *enb,
                    const struct in6_addr *sgw);

/* What is configured for paths to 'enb', by the longest prefix if there are
 * several: an MTU, or 0 for the adapter's. */
unsigned int conf_path_mtu(const struct conf *, const struct in6_addr *enb);

/* True if 'addr' is in one of the prefixes of 'list'. */
bool ip_prefix_list_contains(const struct ip_prefix_list *list,
                             const struct in6_addr *addr);

#endif /* conf/conf.h */
