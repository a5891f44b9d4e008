/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_OVS_ENDPOINT_H
#define TOF_OVS_ENDPOINT_H 1

/* GTP Tunnel Endpoints in the GTP-patched Open vSwitch: see gtp/endpoint.h. */

#include "gtp/endpoint.h"

extern const struct endpoint_class endpoint_ovs;

#endif /* ovs/endpoint.h */
