/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_OVS_SEND_H
#define TOF_OVS_SEND_H 1

/* The agent's own packets into br-tof: send_up, send_app and send_down of
 * endpoint.h.  Used by endpoint.c. */

#include <stddef.h>

struct classifier_ports;
struct endpoint_bearer;
struct ofctl;

void ovs_send_init(struct ofctl *br_gtp, struct ofctl *br_tof);

/* NULL if they are not known; else good until the next call. */
void ovs_send_ports(const struct classifier_ports *);

int ovs_send_up(const struct endpoint_bearer *, const void *ip, size_t len);
int ovs_send_app(const struct endpoint_bearer *, const void *ip, size_t len);
int ovs_send_down(const struct endpoint_bearer *, const void *frame,
                  size_t len);

#endif /* ovs/send.h */
