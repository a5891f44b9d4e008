/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_SERVICE_TABLE_H
#define TOF_SERVICE_TABLE_H 1

/* The other side of service.h: how agent.c runs services.
 *
 * The registry says which services there should be; service.c compares that
 * with what is in force and calls register.c's functions for the
 * difference. */

#include <stdbool.h>
#include <stdint.h>

#include "gtp/endpoint.h"

struct service_spec;

struct service_plane {
    /* Able to apply services now; if not, '*why' says what is missing. */
    bool (*ready)(const char **why);
    /* Whether 'spec' can be served at all; if not, '*why' says why not. */
    bool (*supports)(const struct service_spec *spec, const char **why);
    /* Whether what 'spec' needs is there now; if not, '*why' says what is
     * missing.  It may go and come back at any time. */
    bool (*possible)(const struct service_spec *spec, const char **why);
    /* First half: everything but diversion.  Returns 0 or a positive errno
     * value. */
    int (*apply)(const struct service_spec *spec);
    /* The first half is confirmed. */
    bool (*applied)(const struct service_spec *spec);
    /* Second half: diverts.  Returns 0 or a positive errno value. */
    int (*activate)(const struct service_spec *spec);
    /* Undoes the second half, if it was done; by this process or another. */
    void (*deactivate)(const struct service_spec *spec);
    /* Undoes both, in reverse. */
    void (*withdraw)(const struct service_spec *spec);
};

void service_init(const struct service_plane *);
void service_destroy(void);
void service_run(void);
void service_wait(void);

/* All services that the registry shows have been handed to apply() at least
 * once since the registry was first seen. */
bool service_is_synced(void);

/* The data plane has been rebuilt: every service is applied again. */
void service_reapply(void);

/* Adds to what a service's packets are counted by: 'packets' and 'bytes' are
 * the data plane's own counts, which may start again from 0. */
void service_count(const struct in6_addr *service_ip, enum endpoint_direction,
                   uint64_t packets, uint64_t bytes);

/* True if 'ip' belongs to a service in the table. */
bool service_ip_exists(const struct in6_addr *ip);

#endif /* service/service_table.h */
