/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDP_LOAD_H
#define TOF_XDP_LOAD_H 1

/* The eBPF programs of tof.bpf.c: loaded, pinned, attached.
 *
 * Place in the flow: endpoint.c calls this; what is pinned goes on without
 * tofd and is found again by the next one.  As table.c, this needs nothing
 * of the rest of tofd. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xdp/layout.h"

struct xdp;
struct xdp_table;

/* Loads the programs, with tables for 'max_bearers'; traces tell of packets
 * with XDP_TRACE_WHOLE bytes, or only headers.  'pin_dir' (NULL: none),
 * below a bpffs, which is mounted if it is missing, is where maps and links
 * are kept: maps that are there and have the right shape are adopted with what
 * is in them.  Returns 0 or a positive errno value with '*what' (malloc'd). */
int xdp_load(uint32_t max_bearers, bool trace_whole, const char *pin_dir,
             struct xdp **, char **what);
/* Programs that are pinned stay attached. */
void xdp_unload(struct xdp *);

/* Pins anew what somebody else has removed from there.  Returns true if there
 * was anything, and it could be done. */
bool xdp_pin_again(struct xdp *);

/* Takes away all that is pinned in 'pin_dir': programs are detached. */
void xdp_unpin(const char *pin_dir);

/* Is a link for 'dev' pinned there? */
bool xdp_was_attached(const char *pin_dir, enum xdp_dev dev);

/* The directory for this network namespace, of which there is one TOF. */
char *xdp_pin_dir(void);

bool xdp_is_adopted(const struct xdp *);
struct xdp_table *xdp_table(struct xdp *);

/* Attaches 'dev''s program to interface 'ifindex', in the driver or the
 * 'generic' way, or puts it in the place of an earlier one of ours without a
 * moment between; packets may be redirected there from then on.  Returns 0 or
 * a positive errno value. */
int xdp_attach(struct xdp *, enum xdp_dev dev, int ifindex, bool generic);
/* Is that still so? */
bool xdp_is_attached(struct xdp *, enum xdp_dev dev, int ifindex);
/* For tests and benches. */
int xdp_prog_fd(const struct xdp *, enum xdp_dev);
int xdp_map_fd(const struct xdp *, const char *name);
/* Redirects to 'ifindex' without attaching anything to it. */
int xdp_set_dev(struct xdp *, enum xdp_dev, int ifindex);

/* Sums over all CPUs. */
int xdp_read_stats(struct xdp *, struct xdp_stats *);
int xdp_read_service_stats(struct xdp *, uint32_t index,
                           struct xdp_service_stats *);
/* A new service starts at 0. */
int xdp_clear_service_stats(struct xdp *, uint32_t index);

#endif /* xdp/load.h */
