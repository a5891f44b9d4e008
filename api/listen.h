/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_LISTEN_H
#define TOF_API_LISTEN_H 1

#include <stdbool.h>

/* Listening sockets of the REST API.
 *
 * Place in the flow: rest.c opens them at start and gives them to the HTTP
 * server.  They return 0 with a nonblocking listening socket in '*fdp', or a
 * positive errno value with '*error' set to a malloc'd sentence. */

/* 'target' is "ADDRESS:PORT" ("[ADDRESS]:PORT" for IPv6).  Only what arrives
 * by 'interface' is heard, unless that is NULL. */
int listen_tcp(const char *target, const char *interface, int *fdp,
               char **error);

/* Whether other hosts may reach 'target'. */
bool listen_is_reachable(const char *target);

/* The socket file is removed at exit. */
int listen_unix(const char *path, int *fdp, char **error);

#endif /* api/listen.h */
