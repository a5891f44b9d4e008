/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_OFCTL_VERSION_H
#define TOF_OFCTL_VERSION_H 1

/* What a flow does, and flows as text.
 *
 * Place in the flow: ofctl_flows.c keeps versions of flows, wanted and
 * installed, and asks here whether two do the same.  Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/ofp-flow.h"
#include "openvswitch/types.h"

struct ofpact;

/* What a slot can hold: all of a flow but where it is.  Immutable, shared. */
struct flow_version {
    unsigned int n_refs;
    ovs_be64 cookie;
    uint16_t idle_timeout;
    uint16_t hard_timeout;
    uint16_t importance;
    enum ofputil_flow_mod_flags flags;
    size_t ofpacts_len;
    uint64_t ofpacts[];         /* Of struct ofpact, aligned. */
};

struct flow_version *version_create(ovs_be64 cookie, uint16_t idle_timeout,
                                    uint16_t hard_timeout,
                                    uint16_t importance,
                                    enum ofputil_flow_mod_flags flags,
                                    const struct ofpact *ofpacts,
                                    size_t ofpacts_len);
/* Another reference; the last one to go frees it.  NULL is NULL. */
struct flow_version *version_ref(struct flow_version *);
void version_unref(struct flow_version *);

const struct ofpact *version_ofpacts(const struct flow_version *);

/* True if both do the same, or both are NULL.  Flags and importance are left
 * out: not every version of OpenFlow shows them.  Where actions differ they
 * are compared as text, which is slow, but overlooks differences in form
 * only. */
bool version_equal(const struct flow_version *, const struct flow_version *);

/* Parses one flow or one match as 'command' (OFPFC_ADD or OFPFC_DELETE) into
 * '*fm', in the form that a switch has it after it came by OpenFlow 1.5 (the
 * same whatever version is negotiated later).  On success returns NULL; the
 * caller frees fm->match and fm->ofpacts.  Otherwise returns a malloc'd
 * text. */
char *flow_parse(struct ofputil_flow_mod *fm, int command, const char *text);

#endif /* ovs/ofctl_version.h */
