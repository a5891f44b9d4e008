/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_CLIENTS_H
#define TOF_API_CLIENTS_H 1

/* Connections to the REST API, and what bounds them: how many there are, how
 * long a request may take, and how much memory answers take that nobody has
 * read yet.
 *
 * Place in the flow: rest.c has a 'struct clients' for each of its sockets,
 * asks clients_admit() before it accepts another one, and tells what happens to
 * each.  Whoever is given up is shut down here; rest.c's server then sees it
 * end. */

#include <stdbool.h>
#include <stddef.h>

#include "base/visitors.h"
#include "openvswitch/list.h"

#define CLIENTS_MAX 256         /* Of a socket. */

struct request;
struct sockaddr;

struct clients {
    struct ovs_list node;       /* In the list of all. */
    struct visitors visitors;
};

struct client {
    struct visitor visitor;
    struct clients *clients;
    int fd;
    long long int deadline;     /* For the request under way. */
    size_t kept;                /* Bytes of its answer in memory. */
    struct request *request;    /* NULL between requests. */
};

/* 'local': they all have no address, and all of the places.  'given_up' is
 * called for a client that has just been given up; of its request nothing is
 * wanted any more. */
void clients_init(struct clients *, bool local,
                  void (*given_up)(struct client *));
void clients_destroy(struct clients *);

/* Returns true if one more from 'sa' may come; others may be given up for
 * it. */
bool clients_admit(struct clients *, const struct sockaddr *sa);

struct client *client_create(struct clients *, int fd,
                             const struct sockaddr *sa);
void client_destroy(struct client *);

/* It has time from now on for its next request, or to take the answer. */
void client_extend(struct client *);

/* It waits for us, for as long as that takes.  'owed': what it has asked for
 * is under way, so that it should hear of it. */
void client_waits(struct client *, bool owed);

/* Its answer takes 'n' bytes of memory now.  Others may be given up for it. */
void client_keeps(struct client *, size_t n);

/* Gives up those whose time is over. */
void clients_run(void);
void clients_wait(void);

#endif /* api/clients.h */
