/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_XDP_TABLE_H
#define TOF_XDP_TABLE_H 1

/* The eBPF programs' tables, written through memory maps.
 *
 * Place in the flow: load.c maps them; endpoint.c fills them;
 * tof.bpf.c reads them at the same time, so every change is made in an order
 * in which a reader finds the old state, the new one, or nothing (see
 * layout.h). There is one writer.  Needs nothing of the rest of tofd, so
 * that tests and benches link it alone:
 *
 *     xdp_load(1000000, false, NULL, &xdp, &what);
 *     struct xdp_table *t = xdp_table(xdp);
 *     t->config->evidence = xdp_ticks(10);
 *     xdp_table_learn(t, &uplink, XDP_UP, false, 0,
 *                     xdp_now() + xdp_ticks(60));
 *     place = xdp_table_divert(t, &bearer, xdp_now());
 *     path = xdp_table_path_set(t, &down->src, &down->dst, header, 14);
 *     xdp_table_template_set(t, &bearer, path, place, 0, xdp_now());
 *     xdp_table_service_set(t, &service_ip, XDP_CHAIN_NONE);
 *
 * TEIDs in host byte order, addresses of both families in one form. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tunnel.h"
#include "xdp/table_maps.h"

/* Time as the programs count it. */
uint32_t xdp_now(void);
uint32_t xdp_ticks(unsigned int seconds);       /* Rounded down. */

/* A UE's address as it is in the tables. */
uint64_t xdp_ue_key(const struct in6_addr *ue);

/* A single adapter's address: frames to others are not looked at. */
void xdp_table_set_mac(struct xdp_table *, const uint8_t mac[6]);

enum xdp_direction { XDP_UP, XDP_DOWN };

/* --- Sessions.  Places are bucket * 8 + place in the bucket, and good until
 * the tunnel is forgotten. --- */

/* The tunnel's packets with 'inner6' inside are switched by the programs until
 * tick 'until'.  A tunnel of a diverted bearer with this very sender stays as
 * it is, but for 'until' downlink.  Returns false if there is no room. */
bool xdp_table_learn(struct xdp_table *, const struct tunnel *,
                     enum xdp_direction, bool inner6, uint64_t ue,
                     uint32_t until);

/* The tunnels of 'b', if they are only switched, are not known any more. */
void xdp_table_unlearn(struct xdp_table *, const struct endpoint_bearer *b);

/* Diverts 'b', whose UE has been seen at tick 'seen'; 0 to leave that as it
 * is, if 'b' has been diverted before.  Returns its place, or XDP_NOWHERE. */
uint32_t xdp_table_divert(struct xdp_table *, const struct endpoint_bearer *b,
                          uint32_t seen);
/* Binds the downlink tunnel of 'b' to its UE: a packet to another one ends its
 * use.  A tunnel that was not bound has to be learned (again) to be switched.
 * Returns XDP_NOWHERE if there is no room. */
uint32_t xdp_table_bind(struct xdp_table *, const struct endpoint_bearer *b);
/* The tunnel at 'place', if it is bearer 'id''s, is nobody's any more, and
 * unknown. */
void xdp_table_release(struct xdp_table *, uint32_t place, uint32_t id);

/* Is the uplink tunnel of 'b' there, and diverted for that bearer? */
bool xdp_table_diverts(const struct xdp_table *,
                       const struct endpoint_bearer *b);

/* What is diverted, in no order.  'cb' must not change the table.  */
void xdp_table_dump(const struct xdp_table *,
                    void (*cb)(const struct endpoint_bearer *, uint32_t place,
                               void *aux), void *aux);
/* Tick of the last packet of the UE, and whether any has been switched since
 * this was asked last. */
uint32_t xdp_table_seen(struct xdp_table *, uint32_t place, bool *forwarded);
struct xdp_entry *xdp_table_entry(const struct xdp_table *, uint32_t place);

/* --- Templates. --- */

/* How to reach the UE of 'b': by 'path' (0: not at all, packets are passed
 * up); 'place' of its uplink tunnel; 'seen' as in xdp_table_divert(). Returns
 * NULL if the table has no place for this id. */
struct xdp_template *xdp_table_template_set(struct xdp_table *,
                                            const struct endpoint_bearer *b,
                                            uint32_t path, uint32_t place,
                                            uint8_t tos, uint32_t seen);
/* The same for a template that is that bearer's already: if a program has
 * taken it out of use, or does so meanwhile, it stays so. */
struct xdp_template *xdp_table_template_change(struct xdp_table *,
                                               const struct endpoint_bearer *b,
                                               uint32_t path, uint32_t place,
                                               uint8_t tos, uint32_t seen);
/* Returns whether it was in use until now: if not, a program may have taken
 * it out of use. */
bool xdp_table_template_clear(struct xdp_table *, uint32_t id);
/* What its bearer has been sent; see XDP_COUNT. */
uint64_t xdp_template_count(const struct xdp_template *);

/* --- Counters. --- */

/* Adds to '*packets' and '*bytes' what has come since '*last' until 'now'. */
void xdp_count_read(uint64_t now, uint64_t *last, uint64_t *packets,
                    uint64_t *bytes);

#endif /* xdp/table.h */
