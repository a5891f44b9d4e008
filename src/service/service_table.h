/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_SERVICE_TABLE_H
#define TOF_SERVICE_TABLE_H 1

/* The other side of service.h: how agent.c runs services.
 *
 * The registry says which services there should be; service.c compares that
 * with what is in force and has register.c make good the difference. */

#include <stdbool.h>
#include <stdint.h>

#include "gtp/endpoint.h"

void service_init(void);
void service_destroy(void);
void service_run(void);
void service_wait(void);

/* The registry has been seen: it is known which services there should be. */
bool service_is_synced(void);

/* So it is, and each of them has been handed to register_apply() at least once
 * since the data plane last came up. */
bool service_is_applied(void);

/* The data plane has been rebuilt: every service is applied again. */
void service_reapply(void);

/* Adds to what a service's packets are counted by: 'packets' and 'bytes' are
 * the data plane's own counts, which may start again from 0. */
void service_count(const struct in6_addr *service_ip, enum endpoint_direction,
                   uint64_t packets, uint64_t bytes);

/* True if 'ip' belongs to a service in the table. */
bool service_ip_exists(const struct in6_addr *ip);

#endif /* service/service_table.h */
