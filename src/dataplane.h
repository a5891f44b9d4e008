/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_DATAPLANE_H
#define TOF_DATAPLANE_H 1

/* Brings the parts of the data plane up in order and takes them down again.
 *
 * Place in the flow: agent.c calls dataplane_run() in each round; what is
 * missing (an interface, Open vSwitch) is waited for, and status says for
 * what.  Adopting what an earlier tofd left is part of bringing up. */

#include <stdbool.h>

#include "filter/nfq.h"
#include "gtp/endpoint.h"

struct conf;

struct dataplane_events {
    nfq_cb *packet;
    struct endpoint_events endpoint;
    /* Everything is set up and nothing has been programmed yet: tell it what
     * to adopt. */
    void (*up)(void);
};

void dataplane_init(const struct conf *, const struct endpoint_class *,
                    const struct dataplane_events *);
void dataplane_destroy(void);
void dataplane_run(void);
void dataplane_wait(void);

/* Nothing more is held, and what was on its way here to be held has come to
 * events.packet.  Until dataplane_destroy(). */
void dataplane_hold_nothing(void);

/* Is everything set up (though maybe not yet programmed)? */
bool dataplane_is_up(void);

#endif /* dataplane.h */
