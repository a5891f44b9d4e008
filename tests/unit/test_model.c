/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A million random events in a mobile network, around the agent: the endpoint
 * is never told of, and never used with, a downlink tunnel that belongs to
 * another UE.  See tests/model/world.h for what the network may do, and
 * plane.h for what stands around the agent.
 *
 *   test_model [SEED [EVENTS]] */

#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "openvswitch/vlog.h"
#include "../model/plane.h"
#include "tap.h"
#include "util.h"
#include "../model/world.h"

#define EVIDENCE_US 1000000

static char dir[] = "/tmp/tof-model-XXXXXX";

static const char conf_format[] =
    "run_dir: %s\n"
    "s1u: {enb: enb0, sgw: sgw0}\n"
    "datapath: ovs\n"
    "pinger: {targets: 203.0.113.10, interval_ms: 200, attempts: 5}\n"
    "apps: {interface: app0, address: 192.168.100.1/24, may_connect: false}\n"
    "sessions: {evidence_seconds: 1, idle_seconds: 30, max: 4000}\n";

static void
run(uint64_t seed, uint64_t events)
{
    uint64_t rng = seed;
    char *conf = xasprintf(conf_format, dir);
    const struct world_config config = {
        .seed = seed,
        .silence_us = EVIDENCE_US + 30000,
        .marker_us = 0,
        .flight_us = 0,
        .n_shows = 1,
        .n_ues = 70,
        .service = 0xc633640a,
        .target = 0xcb00710a,
        .ports = { 7, 7007 },
        .judge_ways = true,
        .from_enb = plane_from_enb,
        .from_sgw = plane_from_sgw,
    };

    plane_now = 1000000;
    world_init(&config);
    plane_init(seed, conf);
    free(conf);
    while (world_stats.events < events) {
        rng = rng * 6364136223846793005ull + 1442695040888963407ull;
        plane_now += 1 + (rng >> 33) % 2500;
        world_step(plane_now);
        plane_run();
    }
    plane_destroy();
}

/* With the Pinger's key, which is all that the agent leaves there. */
static void
remove_dir(void)
{
    char *key = xasprintf("%s/pinger.key", dir);

    unlink(key);
    free(key);
    if (rmdir(dir)) {
        ovs_fatal(errno, "%s", dir);
    }
}

int
main(int argc, char *argv[])
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    uint64_t events = argc > 2 ? strtoull(argv[2], NULL, 0) : 1000000;

    vlog_set_levels(NULL, VLF_CONSOLE, VLL_WARN);
    if (!mkdtemp(dir)) {
        ovs_fatal(errno, "%s", dir);
    }
    run(seed, events);
    remove_dir();

    const struct world_stats *w = &world_stats;
    const struct plane_stats *p = &plane_stats;
    world_print_stats(stdout);
    tap_diag("to the agent: %"PRIu64" copies, %"PRIu64" held; endpoint: %"
             PRIu64" set, %"PRIu64" cleared", p->copies, p->held, p->sets,
             p->clears);
    tap_diag("to the App: %"PRIu64" diverted, %"PRIu64" released; back: %"
             PRIu64" by lease, %"PRIu64" held of which %"PRIu64" sent, %"
             PRIu64" orphaned", p->diverted, p->released, p->answered,
             p->held_down, p->sent_down, p->orphaned);
    tap_ok(!w->violations, "nobody's traffic in another UE's tunnel");
    tap_ok(w->reused_down > events / 100 && w->x2 > events / 100
           && w->s1 > events / 1000 && w->s1_releases > events / 500
           && w->pages > events / 5000 && w->spoofs > events / 200
           && w->namesakes > events / 500,
           "much has happened");
    tap_ok(w->answered > w->asked / 2, "most packets are answered");
    tap_ok(p->diverted > events / 10 && p->released > events / 100
           && p->sent_down > events / 200,
           "by every way: diverted, held, held on the way back");
    return tap_done();
}
