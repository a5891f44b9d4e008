/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which tunnel endpoints: see endpoint_choose.h. */

#include <config.h>

#include "endpoint_choose.h"

#include <stdlib.h>

#include "base/status.h"
#include "conf/conf.h"
#include "openvswitch/vlog.h"
#include "ovs/endpoint.h"
#include "util.h"
#include "xdp/endpoint.h"

VLOG_DEFINE_THIS_MODULE(endpoint_choose);

/* Sets '*endpoint' and says why. */
static char *
choose(const struct conf *conf, const struct endpoint_class **endpoint,
       int *error, char **what)
{
    *endpoint = &endpoint_ovs;
    if (conf->datapath == DATAPATH_OVS) {
        return xstrdup("ovs: configured");
    }
    *error = endpoint_xdp_load(conf, what);
    if (*error) {
        return xasprintf("ovs: auto, as xdp fails: %s: %s", *what,
                         ovs_strerror(*error));
    }
    *endpoint = &endpoint_xdp;
    return xasprintf("xdp: %s", (conf->datapath == DATAPATH_AUTO ? "auto"
                                 : "configured"));
}

int
endpoint_choose(const struct conf *conf,
                const struct endpoint_class **endpoint, char **what)
{
    int error = 0;
    char *fact;

    *what = NULL;
    fact = choose(conf, endpoint, &error, what);
    if (error && conf->datapath == DATAPATH_XDP) {
        free(fact);
        return error;
    }
    status_fact("datapath", fact);
    VLOG_INFO("%s", fact);
    free(fact);
    free(*what);
    *what = NULL;
    if (*endpoint != &endpoint_xdp) {
        endpoint_xdp_remove();
    }
    return 0;
}
