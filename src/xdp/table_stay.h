/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDP_TABLE_STAY_H
#define TOF_XDP_TABLE_STAY_H 1

/* Connections that the eBPF programs leave alone: bits of hashes.
 *
 * Place in the flow: a part of table.h; endpoint.c calls this. */

#include <stddef.h>

struct flow;
struct xdp_table;

/* 'f' is left alone. */
void xdp_table_stay(struct xdp_table *, const struct flow *f);
/* These are all that are. */
void xdp_table_stay_all(struct xdp_table *, const struct flow *, size_t n);

#endif /* xdp/table_stay.h */
