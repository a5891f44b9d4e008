// SPDX-License-Identifier: GPL-3.0-or-later
/* The TOF's eBPF programs with tables full of sessions, to be compared with a
 * bare redirect.
 *
 * Place in the flow: a part of engine.c.
 *
 *   subject NAME ns= dev= work= sessions= service= [first=]
 *       loads the programs, which redirect to 'dev' whatever they redirect;
 *       'work': forward (sessions are known), decap or encap (diverted).
 *       Session i has uplink TEID i + 1, downlink TEID with the highest bit
 *       set, UE address first + i, slot i + 1, generation 1.
 *   unload NAME */

#include <config.h>

#include "engine_private.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/tunnel.h"
#include "xdp/load.h"
#include "xdp/table.h"
#include "xdp/table_path.h"
#include "xdp/table_services.h"

#define MAX_SESSIONS 1000000
#define DOWN_BIT 0x80000000u

static struct xdp *subject;
static char subject_name[32];
static enum xdp_dev subject_program;

static struct in6_addr
mapped(uint32_t ip)
{
    struct in6_addr a = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

    ip = htonl(ip);
    memcpy(&a.s6_addr[12], &ip, sizeof ip);
    return a;
}

static uint32_t
arg_ip(const struct args *args, const char *key)
{
    const char *text = arg(args, key);

    return text ? ntohl(inet_addr(text)) : 0;
}

static struct endpoint_bearer
bearer(uint32_t i, const struct args *args)
{
    struct in6_addr enb = mapped(arg_ip(args, "enb"));
    struct in6_addr sgw = mapped(arg_ip(args, "sgw"));

    return (struct endpoint_bearer) {
        .id = (i + 1) << 8 | 1,
        .ue = mapped(arg_number(args, "first", 1) + i),
        .up = { .src = enb, .dst = sgw, .teid = i + 1 },
        .down = { .src = sgw, .dst = enb, .teid = (i + 1) | DOWN_BIT },
    };
}

/* Session 'i' is known (forward), or diverted.  False if there is no room. */
static bool
add_session(struct xdp_table *t, uint32_t i, bool diverted, uint32_t path,
            const struct args *args)
{
    struct endpoint_bearer b = bearer(i, args);

    if (!diverted) {
        return xdp_table_learn(t, &b.up, XDP_UP, false, xdp_ue_key(&b.ue),
                               xdp_now() + xdp_ticks(3600));
    }
    uint32_t place = xdp_table_divert(t, &b, xdp_now());
    return place != XDP_NOWHERE
           && xdp_table_template_set(t, &b, path, place, 0, xdp_now());
}

static uint32_t
fill(struct xdp_table *t, uint32_t sessions, const struct args *args)
{
    static const uint8_t l2[14] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8 };
    bool diverted = strcmp(arg(args, "work"), "forward");
    struct in6_addr enb = mapped(arg_ip(args, "enb"));
    struct in6_addr sgw = mapped(arg_ip(args, "sgw"));
    struct in6_addr service = mapped(arg_ip(args, "service"));
    uint32_t path = xdp_table_path_set(t, &sgw, &enb, l2, sizeof l2);
    uint32_t added = 0;

    t->config->evidence = xdp_ticks(3600);
    xdp_table_service_set(t, &service, XDP_CHAIN_NONE);
    for (uint32_t i = 0; i < sessions; i++) {
        added += add_session(t, i, diverted, path, args);
    }
    return added;
}

void
subject_load(const struct args *args)
{
    const char *work = arg(args, "work");
    unsigned int index = device(arg(args, "ns"), arg(args, "dev"));
    char *what = NULL;

    if (!index) {
        return;
    }
    if (subject || !work) {
        fail("subject: one at a time, and of some 'work'");
        return;
    }
    int error = xdp_load(MAX_SESSIONS, false, NULL, &subject, &what);
    if (error) {
        fail("subject: %s: %s", what ? what : "xdp_load", strerror(error));
        free(what);
        subject = NULL;
        return;
    }
    for (int dev = 0; dev < XDP_N_DEVS; dev++) {
        xdp_set_dev(subject, dev, index);
    }
    strncpy(subject_name, args->words[1], sizeof subject_name - 1);
    subject_program = strcmp(work, "encap") ? XDP_DEV_ENB : XDP_DEV_UE;
    reply("ok %u", fill(xdp_table(subject), arg_number(args, "sessions", 1),
                        args));
}

void
subject_unload(const struct args *args)
{
    if (!subject || strcmp(args->words[1], subject_name)) {
        fail("no such subject");
        return;
    }
    xdp_unload(subject);
    subject = NULL;
    reply("ok");
}

int
subject_fd(const char *name)
{
    return subject && name && !strcmp(name, subject_name)
           ? xdp_prog_fd(subject, subject_program) : -1;
}
