/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Links and ports: see ports.h. */

#include <config.h>

#include "ovs/ports.h"

#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "conf/conf.h"
#include "filter/filter.h"
#include "kernel/rtnl.h"
#include "ovs/ovsdb.h"
#include "packets.h"
#include "util.h"

#define HB_INTERVAL_MS 100

static bool routed;             /* Single adapter. */

/* --- Links. --- */

struct link {
    const char *name, *peer;    /* NULL: in another namespace. */
};

static const struct link endpoint_links[] = {
    { FILTER_ENB_LINK, ENB_PORT },
    { FILTER_SGW_LINK, SGW_PORT },
    { HB_SEND_PORT, HB_RECV_PORT },
    { UE_PORT, NULL },
};

static const struct link chain_links[] = {
    { TUN_LINK, TUN_PORT },
    { NAT_LINK, NAT_PORT },
    { HB_SEND_PORT, HB_RECV_PORT },
};

static int
make_links(struct rtnl *rtnl, const struct link *links, size_t n,
           unsigned int mtu, char **what)
{
    int error = 0;

    for (size_t i = 0; !error && i < n; i++) {
        error = links_make(rtnl, links[i].name, links[i].peer, mtu, what);
    }
    return error;
}

static bool
is_up(struct rtnl *rtnl, const char *name)
{
    struct rtnl_link link;

    return !rtnl_link_get(rtnl, name, &link) && link.up;
}

/* Are they there, with both ends up? */
static bool
are_up(const struct link *links, size_t n)
{
    struct rtnl *rtnl;
    bool up = !rtnl_open(-1, &rtnl);

    if (!up) {
        return false;
    }
    for (size_t i = 0; up && i < n; i++) {
        up = (is_up(rtnl, links[i].name)
              && (!links[i].peer || is_up(rtnl, links[i].peer)));
    }
    rtnl_close(rtnl);
    return up;
}

int
ovs_ports_plumb(unsigned int mtu, char **what)
{
    struct rtnl *rtnl;
    int error = rtnl_open(-1, &rtnl);

    if (error) {
        *what = xstrdup("rtnetlink socket");
        return error;
    }
    error = links_make_both(rtnl, routed, mtu, what);
    if (!error) {
        error = links_make(rtnl, HB_SEND_PORT, HB_RECV_PORT, mtu, what);
    }
    rtnl_close(rtnl);
    return error;
}

bool
ovs_ports_plumbed(void)
{
    return are_up(endpoint_links, ARRAY_SIZE(endpoint_links));
}

int
ovs_ports_plumb_chain(unsigned int mtu, char **what)
{
    struct rtnl *rtnl;
    int error = rtnl_open(-1, &rtnl);

    if (error) {
        *what = xstrdup("rtnetlink socket");
        return error;
    }
    error = make_links(rtnl, chain_links, ARRAY_SIZE(chain_links), mtu, what);
    rtnl_close(rtnl);
    return error;
}

bool
ovs_ports_chain_plumbed(void)
{
    return are_up(chain_links, ARRAY_SIZE(chain_links));
}

void
ovs_ports_remove_chain(void)
{
    struct rtnl *rtnl;

    if (!rtnl_open(-1, &rtnl)) {
        rtnl_link_delete(rtnl, TUN_LINK);
        rtnl_link_delete(rtnl, NAT_LINK);
        rtnl_close(rtnl);
    }
}

/* --- Ports. --- */

/* They may come later or never. */
static void
declare_functions(const struct conf *conf)
{
    for (size_t i = 0; i < conf->n_functions; i++) {
        const struct conf_function *f = &conf->functions[i];
        struct vswitch_port port = { .bridge = BR_TOF, .type = "",
                                     .optional = true };
        port.name = f->in;
        vswitch_port_add(&port);
        port.name = f->out;
        vswitch_port_add(&port);
    }
}

void
ovs_ports_declare(const struct conf *conf)
{
    const struct vswitch_port fixed[] = {
        { .bridge = BR_GTP, .name = ENB_PORT, .type = "" },
        { .bridge = BR_GTP, .name = SGW_PORT, .type = "" },
        { .bridge = BR_GTP, .name = HB_SEND_PORT, .type = "",
          .cfm_interval_ms = HB_INTERVAL_MS },
        { .bridge = BR_GTP, .name = HB_RECV_PORT, .type = "" },
        { .bridge = BR_GTP, .name = HB_GTP_PORT, .type = "patch",
          .options = "peer=" HB_TOF_PORT },
        { .bridge = BR_TOF, .name = HB_TOF_PORT, .type = "patch",
          .options = "peer=" HB_GTP_PORT },
        { .bridge = BR_TOF, .name = UE_PORT, .type = "" },
        { .bridge = BR_TOF, .name = GTP_PORT, .type = "gtpu",
          .options = "intercept=true intercept_bridge=" BR_GTP
                     " local_ip=flow remote_ip=flow key=flow"
                     " src_port=2152" },
    };

    routed = conf->s1u.interface;
    vswitch_bridge_add(BR_GTP);
    vswitch_bridge_add(BR_TOF);
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        vswitch_port_add(&fixed[i]);
    }
    declare_functions(conf);
}

void
ovs_ports_declare_chain(const struct conf *conf)
{
    static const struct vswitch_port fixed[] = {
        { .bridge = BR_TOF, .name = TUN_PORT, .type = "" },
        { .bridge = BR_TOF, .name = NAT_PORT, .type = "" },
        { .bridge = BR_TOF, .name = HB_SEND_PORT, .type = "",
          .cfm_interval_ms = HB_INTERVAL_MS },
        { .bridge = BR_TOF, .name = HB_RECV_PORT, .type = "" },
    };

    vswitch_bridge_add(BR_TOF);
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        vswitch_port_add(&fixed[i]);
    }
    declare_functions(conf);
}

const struct conf_function *
ovs_ports_function(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->n_functions; i++) {
        if (!strcmp(conf->functions[i].name, name)) {
            return &conf->functions[i];
        }
    }
    return NULL;
}

const char *
ovs_ports_missing(const struct conf_function *f)
{
    static char text[256];
    const char *port = !vswitch_ofport(f->in, NULL) ? f->in
        : !vswitch_ofport(f->out, NULL) ? f->out : NULL;
    const char *error;

    if (!port) {
        return NULL;
    }
    vswitch_ofport(port, &error);
    snprintf(text, sizeof text, "waiting for port %s of function %s%s%s",
             port, f->name, error ? ": " : "", error ? error : "");
    return text;
}

void
ovs_ports_report(const struct conf *conf, const char *port)
{
    const char *why = NULL;
    bool synced = vswitch_is_synced();

    if (!synced && vswitch_is_connected()) {
        vswitch_ofport(port, &why);
    }
    for (size_t i = 0; synced && !why && i < conf->n_functions; i++) {
        why = ovs_ports_missing(&conf->functions[i]);
    }
    if (synced) {
        status_set(STATUS_OVSDB, true, "%s",
                   why ? why : "bridges and ports are there");
    } else if (why) {
        status_set(STATUS_OVSDB, false, "%s", why);
    } else {
        status_wait(STATUS_OVSDB, "%s", vswitch_is_connected()
                    ? "waiting for ports" : "not connected");
    }
}
