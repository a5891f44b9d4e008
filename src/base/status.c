/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What each part of the TOF says of itself.
 *
 * Place in the flow: every module tells status_set() when what it waits for
 * comes or goes; nothing polls.  The REST API reads: /status shows all of it,
 * /healthz whether the parts that diverting depends on are there.
 *
 * The log has one line for each change, so it tells the same story as /status
 * at any time before.  A text that changes while the readiness stays (counts
 * of retries and the like) is rate limited. */

#include <config.h>

#include "base/status.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/util.h"
#include "openvswitch/vlog.h"
#include "smap.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(status);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 20);

static struct {
    const char *name;
    bool vital;                 /* Does diverting depend on it? */
    bool ready;
    bool was_ready;             /* Now, or at any time before. */
    char *detail;               /* NULL: it has said nothing yet. */
} parts[STATUS_N_PARTS] = {
    [STATUS_INTERCEPTION] = { .name = "interception", .vital = true },
    [STATUS_FILTER] = { .name = "filter", .vital = true },
    [STATUS_OVSDB] = { .name = "ovsdb", .vital = true },
    [STATUS_OPENFLOW] = { .name = "openflow", .vital = true },
    [STATUS_ENDPOINT] = { .name = "endpoint", .vital = true },
    [STATUS_NAT] = { .name = "nat", .vital = true },
    [STATUS_REGISTRY] = { .name = "registry", .vital = true },
    [STATUS_PINGER] = { .name = "pinger" },
    [STATUS_JOURNAL] = { .name = "journal" },
    [STATUS_USAGE] = { .name = "usage" },
    [STATUS_FOLLOWERS] = { .name = "followers" },
    [STATUS_STANDBY] = { .name = "standby" },
};

static struct smap facts = SMAP_INITIALIZER(&facts);

/* Takes over 'detail'. */
static void
set(enum status_part part, bool ready, enum vlog_level level, char *detail)
{
    bool first = !parts[part].detail;

    if (first || parts[part].ready != ready) {
        VLOG(level, "%s: %s: %s", parts[part].name,
             ready ? "ready" : "not ready", detail);
    } else if (strcmp(parts[part].detail, detail)) {
        VLOG_RL(&rl, level, "%s: %s", parts[part].name, detail);
    }
    free(parts[part].detail);
    parts[part].detail = detail;
    parts[part].ready = ready;
    parts[part].was_ready = parts[part].was_ready || ready;
}

void
status_set(enum status_part part, bool ready, const char *format, ...)
{
    va_list args;

    /* Whatever is needed starts by not being there. */
    bool starts = !parts[part].detail && parts[part].vital;

    va_start(args, format);
    set(part, ready, ready || starts ? VLL_INFO : VLL_WARN,
        xvasprintf(format, args));
    va_end(args);
}

void
status_wait(enum status_part part, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    set(part, false, parts[part].was_ready ? VLL_WARN : VLL_INFO,
        xvasprintf(format, args));
    va_end(args);
}

const char *
status_name(enum status_part part)
{
    return parts[part].name;
}

bool
status_ready(enum status_part part)
{
    return parts[part].ready;
}

const char *
status_detail(enum status_part part)
{
    return parts[part].detail ? parts[part].detail : "not started";
}

enum status_part
status_first_missing(void)
{
    enum status_part part;

    for (part = 0; part < STATUS_N_PARTS; part++) {
        if (parts[part].vital && !parts[part].ready) {
            break;
        }
    }
    return part;
}

bool
status_all_ready(void)
{
    return status_first_missing() == STATUS_N_PARTS;
}

enum health
status_health(enum status_part *why)
{
    enum status_part part;

    *why = status_first_missing();
    if (*why != STATUS_N_PARTS) {
        return HEALTH_DOWN;
    }
    for (part = 0; part < STATUS_N_PARTS; part++) {
        if (!parts[part].ready) {
            *why = part;
            return HEALTH_DEGRADED;
        }
    }
    return HEALTH_OK;
}

const char *
health_name(enum health health)
{
    switch (health) {
    case HEALTH_OK: return "ok";
    case HEALTH_DEGRADED: return "degraded";
    case HEALTH_DOWN: return "down";
    default: OVS_NOT_REACHED();
    }
}

void
status_fact(const char *key, const char *value)
{
    const char *old = smap_get(&facts, key);

    if (!old || strcmp(old, value)) {
        VLOG_INFO("%s: %s", key, value);
        smap_replace(&facts, key, value);
    }
}

void
status_facts(void (*cb)(const char *key, const char *value, void *aux),
             void *aux)
{
    const struct smap_node **sorted = smap_sort(&facts);

    for (size_t i = 0; i < smap_count(&facts); i++) {
        cb(sorted[i]->key, sorted[i]->value, aux);
    }
    free(sorted);
}
