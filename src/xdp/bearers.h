/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDP_BEARERS_H
#define TOF_XDP_BEARERS_H 1

/* Diverted bearers in the eBPF programs' tables.
 *
 * Place in the flow: endpoint.c passes on what the agent wants;
 * table.c writes it. */

#include <stdbool.h>

#include "filter/filter.h"

struct endpoint_bearer;
struct endpoint_events;
struct endpoint_look;
struct l2_header;
struct xdp_table;

void xdp_bearers_init(const struct endpoint_events *);
void xdp_bearers_destroy(void);
/* The table to be used from now on. */
void xdp_bearers_use(struct xdp_table *);

/* As struct endpoint_class has them. */
void xdp_bearers_set(const struct endpoint_bearer *, bool adopted);
void xdp_bearers_pause(const struct endpoint_bearer *);
void xdp_bearers_clear(const struct endpoint_bearer *);
void xdp_bearers_look(const struct endpoint_bearer *, struct endpoint_look *);
const char *xdp_bearers_left(const struct endpoint_bearer *);
bool xdp_bearers_adopt(bool (*cb)(const struct endpoint_bearer *));
void xdp_bearers_path_changed(enum filter_side from,
                              const struct in6_addr *src,
                              const struct in6_addr *dst,
                              const struct l2_header *);

/* False if bearer 'id' has been taken out of use by a program. */
bool xdp_bearers_may_send(uint32_t id);
/* If bearer 'id' has been taken out of use by a program, says so. */
void xdp_bearers_check(uint32_t id);

/* Says which bearers have become ready, and what the polled ones say. */
void xdp_bearers_run(void);
void xdp_bearers_wait(void);
/* Reports counters of all bearers, as xdp_bearers_run() gets to them.  Many
 * take longer than the caller's interval: then it is left out. */
void xdp_bearers_poll(void);

#endif /* xdp/bearers.h */
