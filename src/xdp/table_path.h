/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDP_TABLE_PATH_H
#define TOF_XDP_TABLE_PATH_H 1

/* The eBPF programs' table of paths: see table.h. */

#include <stddef.h>
#include <stdint.h>

#include "xdp/table_maps.h"

/* The path from 'src' to 'dst', maybe without headers yet; that of UEs in
 * 'space', or, if that is 0, the one whose headers are used.  Returns its index,
 * 0 if there is no room. */
uint32_t xdp_table_path_get(struct xdp_table *, const struct in6_addr *src,
                            const struct in6_addr *dst, uint16_t space);
/* Packets from 'src' to 'dst' get this Ethernet header of 14 bytes, or 18 with
 * a VLAN tag.  Returns the path's index, 0 if there is no room. */
uint32_t xdp_table_path_set(struct xdp_table *, const struct in6_addr *src,
                            const struct in6_addr *dst, const uint8_t *l2,
                            size_t l2_len);
/* 0 if there is none, or it has no headers. */
uint32_t xdp_table_path_find(const struct xdp_table *,
                             const struct in6_addr *src,
                             const struct in6_addr *dst);

#endif /* xdp/table_path.h */
