/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_REGISTER_H
#define TOF_REGISTER_H 1

/* Application registration: what a service is made of in the data plane.
 *
 * Place in the flow: service.c, which follows the registry, calls the
 * functions of register_plane. */

#include <stdbool.h>

#include "service/service_table.h"

struct conf;
struct endpoint_class;

/* 'plane_is_up': is everything of the data plane set up? */
void register_init(const struct conf *, const struct endpoint_class *,
                   bool (*plane_is_up)(void));

extern const struct service_plane register_plane;

#endif /* service/register.h */
