/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Chain flows: see sff.h. */

#include <config.h>

#include "sff.h"

#include "classifier.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "service.h"

static void
start_flow(struct ds *ds, int table, const char *field,
           const struct service_spec *spec)
{
    ds_put_format(ds, "table=%d,priority=100,ip,%s=", table, field);
    ipv6_format_mapped(&spec->service_ip, ds);
}

void
sff_service(const struct service_spec *spec, const struct sff_hop hops[],
            size_t n, ofp_port_t nat, struct ds *ds)
{
    for (size_t i = 0; i < n; i++) {
        /* Towards the app. */
        start_flow(ds, TABLE_INPUT, "nw_dst", spec);
        ds_put_format(ds, ",in_port=%"PRIu32",actions=output:%"PRIu32"\n",
                      hops[i].out, i + 1 < n ? hops[i + 1].in : nat);

        /* Towards the UE. */
        start_flow(ds, TABLE_INPUT, "nw_src", spec);
        ds_put_format(ds, ",in_port=%"PRIu32",actions=", hops[i].in);
        if (i > 0) {
            ds_put_format(ds, "output:%"PRIu32"\n", hops[i - 1].out);
        } else {
            ds_put_format(ds, "goto_table:%d\n", TABLE_DOWNLINK);
        }
    }
    /* Without a chain too, so that answers are counted by service. */
    start_flow(ds, TABLE_ANSWER, "nw_src", spec);
    if (n) {
        ds_put_format(ds, ",actions=output:%"PRIu32"\n", hops[n - 1].out);
    } else {
        ds_put_format(ds, ",actions=goto_table:%d\n", TABLE_DOWNLINK);
    }
}
