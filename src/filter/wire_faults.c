/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Judges the wire: see wire_faults.h.
 *
 * A missing bridge is nothing to mend: `tof-net down` takes it away, and who
 * gives that command means it. */

#include <config.h>

#include "filter/wire_faults.h"

#include "openvswitch/dynamic-string.h"

static const struct {
    const char *name;
    bool cuts, mendable;
} faults[WIRE_N_FAULTS] = {
    [WIRE_NO_ADAPTER] = { "no_adapter", true, false },
    [WIRE_ADAPTER_DOWN] = { "adapter_down", true, true },
    [WIRE_NO_CARRIER] = { "no_carrier", true, false },
    [WIRE_NO_BRIDGE] = { "no_bridge", true, false },
    [WIRE_NOT_A_PORT] = { "not_a_port", true, true },
    [WIRE_BRIDGE_DOWN] = { "bridge_down", true, true },
    [WIRE_BLOCKED] = { "blocked", true, true },
    [WIRE_NETFILTER] = { "bridge_nf", true, true },
    [WIRE_NO_FORWARDING] = { "no_forwarding", true, true },
    [WIRE_FIREWALL] = { "firewall", true, false },
    [WIRE_OFFLOAD] = { "offload", false, true },
    [WIRE_LEARNING] = { "learning", false, true },
    [WIRE_REDIRECTS] = { "redirects", false, true },
    [WIRE_MTU] = { "mtu", false, false },
};

struct judge {
    uint32_t found;
    struct ds *text;
};

static void __attribute__((format(printf, 3, 4)))
fault(struct judge *j, enum wire_fault what, const char *format, ...)
{
    va_list args;

    ds_put_cstr(j->text, j->found ? ", " : "");
    va_start(args, format);
    ds_put_format_valist(j->text, format, args);
    va_end(args);
    j->found |= 1u << what;
}

static void
judge_adapter(struct judge *j, const struct wire_adapter *a)
{
    if (!a->there) {
        fault(j, WIRE_NO_ADAPTER, "there is no %s", a->name);
    } else if (!a->up) {
        fault(j, WIRE_ADAPTER_DOWN, "%s is down", a->name);
    } else if (!a->carrier) {
        fault(j, WIRE_NO_CARRIER, "%s has no carrier", a->name);
    }
    if (a->merges) {
        fault(j, WIRE_OFFLOAD, "%s changes packets (offload %s)", a->name,
              a->merges);
    }
}

static void
judge_port(struct judge *j, const struct wire_adapter *a)
{
    if (a->isolated || !a->flood) {
        fault(j, WIRE_BLOCKED, "%s is %s in its bridge", a->name,
              a->isolated ? "isolated" : "not flooded");
    } else if (a->up && a->carrier && !a->forwarding) {
        fault(j, WIRE_BLOCKED, "%s does not forward in its bridge", a->name);
    }
    if (a->learning) {
        fault(j, WIRE_LEARNING, "%s learns addresses", a->name);
    }
}

static void
judge_bridge(struct judge *j, const struct wire_seen *seen)
{
    const struct wire_adapter *a = &seen->adapter[0], *b = &seen->adapter[1];

    if (!a->port && !b->port) {
        fault(j, WIRE_NO_BRIDGE, "%s and %s are in no bridge", a->name,
              b->name);
        return;
    } else if (!a->port || !b->port) {
        fault(j, WIRE_NOT_A_PORT, "%s is in no bridge",
              a->port ? b->name : a->name);
        return;
    } else if (a->master != b->master) {
        fault(j, WIRE_NOT_A_PORT, "%s and %s are in two bridges", a->name,
              b->name);
        return;
    }
    if (!seen->bridge_up) {
        fault(j, WIRE_BRIDGE_DOWN, "the bridge is down");
    } else {
        judge_port(j, a);
        judge_port(j, b);
    }
    if (seen->vlan_filtering) {
        fault(j, WIRE_BLOCKED, "the bridge filters VLANs");
    }
    if (seen->netfilter) {
        fault(j, WIRE_NETFILTER, "firewall rules of this host meet S1-U"
              " (bridge-nf-call-*)");
    }
}

static void
judge_forwarding(struct judge *j, const struct wire_seen *seen)
{
    const char *name = seen->adapter[0].name;

    if (seen->adapter[0].port) {
        fault(j, WIRE_NOT_A_PORT, "%s is in a bridge", name);
    }
    if (!seen->forwards || !seen->forwards6) {
        fault(j, WIRE_NO_FORWARDING, "the kernel does not forward %s from %s"
              " (net.%s.conf.%s.forwarding)",
              seen->forwards ? "IPv6" : "IPv4", name,
              seen->forwards ? "ipv6" : "ipv4", name);
    }
    if (seen->refused) {
        fault(j, WIRE_FIREWALL, "a firewall of this host drops all that is"
              " forwarded");
    }
    if (seen->redirects) {
        fault(j, WIRE_REDIRECTS, "%s sends redirects", name);
    }
}

uint32_t
wire_judge(const struct wire_seen *seen, struct ds *text)
{
    const struct wire_adapter *a = &seen->adapter[0], *b = &seen->adapter[1];
    struct judge j = { .text = text };

    judge_adapter(&j, a);
    if (seen->single) {
        if (a->there) {
            judge_forwarding(&j, seen);
        }
        return j.found;
    }
    judge_adapter(&j, b);
    if (a->there && b->there) {
        judge_bridge(&j, seen);
        if (a->mtu != b->mtu) {
            fault(&j, WIRE_MTU, "%s has MTU %u and %s has %u", a->name,
                  a->mtu, b->name, b->mtu);
        }
    }
    return j.found;
}

static uint32_t
mask(bool mendable)
{
    uint32_t bits = 0;

    for (int i = 0; i < WIRE_N_FAULTS; i++) {
        if (mendable ? faults[i].mendable : faults[i].cuts) {
            bits |= 1u << i;
        }
    }
    return bits;
}

uint32_t
wire_cuts(uint32_t found)
{
    return found & mask(false);
}

uint32_t
wire_mendable(uint32_t found)
{
    return found & 1u << WIRE_NO_BRIDGE ? 0 : found & mask(true);
}

const char *
wire_fault_name(enum wire_fault what)
{
    return faults[what].name;
}
