/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_WIRE_H
#define TOF_WIRE_H 1

/* Watches the wire that S1-U passes by: both adapters and their bridge, or a
 * single adapter and the kernel's forwarding, which `tof-net up` has set up
 * before tofd has come.
 *
 * Place in the flow: dataplane.c asks at start whether the adapters are there
 * (wire_find()), and lets it look from then on (wire_run()).  What is wrong is
 * said in the part "interception" of the status, in the log and in metrics.
 * What tof-net can mend, it is asked to mend, once: whoever breaks it again,
 * as container platforms do with bridge-nf, means it, and is not fought. */

#include <stdbool.h>

struct conf;

/* S1-U's: links of ours must take all that either adapter does, but what goes
 * down to a UE must fit the one towards the eNodeBs. */
struct wire_mtus {
    unsigned int links, down;
};

void wire_init(const struct conf *);
void wire_destroy(void);

/* Are the adapters there and up?  Does the host forward, if it is to?  Returns
 * 0 and fills in '*mtus', or a positive errno value with '*what'
 * (malloc'd). */
int wire_find(struct wire_mtus *mtus, char **what);

/* Looks if anything may have changed, and once a second, and reports.  Returns
 * true if the adapters are there with other MTUs than '*mtus'. */
bool wire_run(const struct wire_mtus *mtus);
void wire_wait(void);

#endif /* filter/wire.h */
