/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_OFCTL_FLOWS_H
#define TOF_OFCTL_FLOWS_H 1

/* Flow tables in two versions: what is wanted, and what the switch has.
 *
 * Place in the flow: ofctl.c puts in what its owner wants (groups of flows)
 * and what the switch says it has (a dump), and takes out the difference as
 * flow modifications.  No I/O here.
 *
 * A slot is a place in the switch: table, priority and match, where only one
 * flow can be.  Several groups may want a flow in the same slot: the one set
 * last has it, and if it goes the one before has it again.  A slot goes
 * through
 *
 *   wanted == installed    nothing to do
 *   dirty                  may differ: on one of the two lists below
 *   in flight              'sent' is on its way; becomes 'installed' when
 *                          confirmed
 *   refused                the switch does not take what is wanted; tried again
 *                          by flow_tables_retry(), and stays refused until it
 *                          is taken, or something else is wanted, or a
 *                          reconnect. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-protocol.h"
#include "ovs/ofctl_version.h"

struct flow_slot {
    struct hmap_node hmap_node;     /* In flow_tables->slots. */
    struct ovs_list dirty_node;     /* In flow_tables->dirty, if 'dirty'. */
    struct ovs_list refused_node;   /* In flow_tables->refused, if 'refused'. */
    struct ovs_list wants;          /* Of struct flow_want, latest first. */

    struct minimatch match;
    uint16_t priority;
    uint8_t table_id;

    bool dirty;
    bool in_flight;
    bool refused;
    struct flow_version *installed; /* NULL: nothing, as far as we know. */
    struct flow_version *sent;      /* If 'in_flight'; NULL: a deletion. */
};

struct flow_tables {
    struct hmap slots;          /* Of struct flow_slot. */
    struct hmap groups;         /* Of struct flow_group, by cookie. */
    struct ovs_list dirty;      /* Of struct flow_slot. */
    struct ovs_list refused;    /* The same, longest untried first. */
    size_t n_refused;
};

void flow_tables_init(struct flow_tables *);
void flow_tables_destroy(struct flow_tables *);

/* Sets the group 'cookie' to 'text', one flow a line.  Returns 0 and sets
 * '*changed', or EINVAL and sets '*error' to a malloc'd text, with nothing
 * changed. */
int flow_tables_set(struct flow_tables *, uint64_t cookie, const char *text,
                    bool *changed, char **error);

/* Is a flow of the group 'cookie' refused? */
bool flow_tables_is_refused(const struct flow_tables *, uint64_t cookie);
/* Has up to 'n' refused slots tried again. */
void flow_tables_retry(struct flow_tables *, size_t n);

/* Nothing is known of what is installed, until flow_tables_end_dump(). */
void flow_tables_forget_installed(struct flow_tables *);
/* A flow of the switch's dump. */
void flow_tables_put_installed(struct flow_tables *,
                               const struct ofputil_flow_stats *);
/* The dump is complete: what it did not have is not installed. */
void flow_tables_end_dump(struct flow_tables *);

/* Puts every slot that differs in flight and calls 'cb' with it. */
void flow_tables_collect(struct flow_tables *,
                         void (*cb)(struct flow_slot *, void *aux),
                         void *aux);

/* What makes a slot in flight so: an ADD or a strict DELETE. */
struct ofpbuf *flow_slot_encode(const struct flow_slot *,
                                enum ofputil_protocol);
/* A slot in flight has been done, refused, or nobody knows. */
void flow_slot_confirm(struct flow_tables *, struct flow_slot *);
void flow_slot_refuse(struct flow_tables *, struct flow_slot *);
void flow_slot_abandon(struct flow_tables *, struct flow_slot *);

/* For messages: what is in flight, as text.  The caller frees it. */
char *flow_slot_to_string(const struct flow_slot *);

#endif /* ovs/ofctl_flows.h */
