/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Chain flows: see sff.h. */

#include <config.h>

#include "ovs/sff.h"

#include <inttypes.h>

#include "base/service_spec.h"
#include "openvswitch/dynamic-string.h"
#include "ovs/classifier.h"
#include "ovs/flow_text.h"

static void
start_flow(struct ds *ds, int table, enum flow_end end,
           const struct service_spec *spec)
{
    ds_put_format(ds, "table=%d,priority=100,", table);
    flow_match_ip(ds, end, &spec->service_ip);
}

void
sff_service(const struct service_spec *spec, const struct sff_hop hops[],
            size_t n, ofp_port_t nat, struct ds *ds)
{
    for (size_t i = 0; i < n; i++) {
        /* Towards the app. */
        start_flow(ds, TABLE_INPUT, FLOW_DST, spec);
        ds_put_format(ds, ",in_port=%"PRIu32",actions=output:%"PRIu32"\n",
                      hops[i].out, i + 1 < n ? hops[i + 1].in : nat);

        /* Towards the UE. */
        start_flow(ds, TABLE_INPUT, FLOW_SRC, spec);
        ds_put_format(ds, ",in_port=%"PRIu32",actions=", hops[i].in);
        if (i > 0) {
            ds_put_format(ds, "output:%"PRIu32"\n", hops[i - 1].out);
        } else {
            ds_put_format(ds, "goto_table:%d\n", TABLE_DOWNLINK);
        }
    }
    /* Without a chain too, so that answers are counted by service. */
    start_flow(ds, TABLE_ANSWER, FLOW_SRC, spec);
    if (n) {
        ds_put_format(ds, ",actions=output:%"PRIu32"\n", hops[n - 1].out);
    } else {
        ds_put_format(ds, ",actions=goto_table:%d\n", TABLE_DOWNLINK);
    }
}

void
sff_broken(const struct service_spec *spec, struct ds *ds)
{
    start_flow(ds, TABLE_ANSWER, FLOW_SRC, spec);
    ds_put_cstr(ds, ",actions=drop\n");
}
