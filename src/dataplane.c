/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Bringing the data plane up: see dataplane.h.
 *
 * Order: NAT namespace, links of the endpoint, learn namespace and queues,
 * filter, sockets for re-injection.  The filter, which takes packets off the
 * wire, comes when all that it leads to is there.  If a step fails, those
 * before it are undone and all is tried again. */

#include <config.h>

#include "dataplane.h"

#include <errno.h>
#include <stdlib.h>

#include "base/metrics.h"
#include "base/status.h"
#include "conf/conf.h"
#include "filter/filter.h"
#include "filter/reinject.h"
#include "filter/wire.h"
#include "nat/nat.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(dataplane);

METRIC_COUNTER(n_mended, "tof_mended_total", "what=\"tables\"",
               "What somebody else had taken out of the kernel, and was put "
               "back.");

#define RETRY_MS 1000
#define CHECK_MS 1000
#define IN_FLIGHT_MS 20         /* Between the wire and the queues. */

static const struct conf *conf;
static const struct endpoint_class *endpoint;
static struct dataplane_events events;
static bool up;
static long long int retry_at, check_at;

static struct wire_mtus mtus;   /* In force. */

void
dataplane_init(const struct conf *conf_,
               const struct endpoint_class *endpoint_,
               const struct dataplane_events *events_)
{
    conf = conf_;
    endpoint = endpoint_;
    events = *events_;
    up = false;
    retry_at = 0;
    wire_init(conf);
    status_set(STATUS_INTERCEPTION, false, "starting");
    status_set(STATUS_FILTER, false, "starting");
    status_set(STATUS_NAT, false, "starting");
    status_set(STATUS_ENDPOINT, false, "starting");
    endpoint->init(conf, &events.endpoint);
}

static void
take_down(void)
{
    reinject_close();
    filter_close();
    queues_close();
    nat_close();
    up = false;
}

void
dataplane_destroy(void)
{
    take_down();
    endpoint->close();
    wire_destroy();
}

static int
step(enum status_part part, int error, char **what)
{
    if (error) {
        status_set(part, false, "%s: %s", *what ? *what : status_name(part),
                   ovs_strerror(error));
        free(*what);
        *what = NULL;
    } else if (part != STATUS_ENDPOINT) {       /* Which reports itself. */
        status_set(part, true, "in force");
    }
    return error;
}

static int
bring_up(void)
{
    char *what = NULL;

    if (step(STATUS_INTERCEPTION, wire_find(&mtus, &what), &what)) {
        return ENODEV;
    }
    if (step(STATUS_NAT, nat_init(conf, endpoint->ue_port, mtus.links,
                                  mtus.down, &what), &what)
        || step(STATUS_ENDPOINT, endpoint->plumb(mtus.links, &what), &what)
        || step(STATUS_FILTER, queues_init(mtus.links, events.packet, &what),
                &what)
        || step(STATUS_FILTER, filter_init(conf, endpoint->fed_by_links,
                                           queues_take_tagged(), &what), &what)
        || step(STATUS_INTERCEPTION, reinject_init(conf, &what), &what)) {
        return EIO;
    }
    return 0;
}

void
dataplane_hold_nothing(void)
{
    filter_hold_nothing();
    for (int i = 0; i < IN_FLIGHT_MS; i++) {
        queues_run();
        xnanosleep(1000 * 1000);
    }
}

/* Links and tables may go away behind our back. */
static void
check(void)
{
    if (filter_run()) {
        status_set(STATUS_FILTER, false, "nftables refused a change");
    } else if (wire_run(&mtus)) {
        status_set(STATUS_FILTER, false, "the MTU of S1-U has changed");
    } else if (time_msec() < check_at) {
        return;
    } else if (!nat_in_force()) {
        metric_inc(&n_mended);
        status_set(STATUS_NAT, false, "interfaces or tables have changed");
    } else if (!filter_in_force() || !queues_in_force()
               || !endpoint->plumbed()) {
        metric_inc(&n_mended);
        status_set(STATUS_FILTER, false, "interfaces or tables have changed");
    } else {
        check_at = time_msec() + CHECK_MS;
        return;
    }
    /* Nobody reads the queues until all is there again. */
    dataplane_hold_nothing();
    take_down();
    retry_at = time_msec();
}

void
dataplane_run(void)
{
    if (!up && time_msec() >= retry_at) {
        if (bring_up()) {
            take_down();
            retry_at = time_msec() + RETRY_MS;
        } else {
            up = true;
            events.up();
        }
    }
    if (up) {
        queues_run();
        /* Withdrawn from the filter before it is from the endpoint. */
        check();
    }
    endpoint->run();
    if (up) {
        check();
    }
}

void
dataplane_wait(void)
{
    if (up) {
        wire_wait();
        queues_wait();
        filter_wait();
    }
    poll_timer_wait_until(up ? check_at : retry_at);
    endpoint->wait();
}

bool
dataplane_is_up(void)
{
    return up;
}
