/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_STATUS_H
#define TOF_STATUS_H 1

/* What each part of the TOF says of itself: /status and /healthz show it.
 * A part that waits for something (an interface, OVS) says for what. */

#include <stdbool.h>

enum status_part {
    STATUS_INTERCEPTION,        /* S1-U adapters and the wire. */
    STATUS_FILTER,              /* nftables at S1-U. */
    STATUS_OVSDB,
    STATUS_OPENFLOW,
    STATUS_ENDPOINT,            /* Tunnel endpoints alive. */
    STATUS_NAT,
    STATUS_REGISTRY,            /* Services' database. */
    STATUS_PINGER,
    STATUS_JOURNAL,
    STATUS_USAGE,               /* Usage records. */
    STATUS_FOLLOWERS,           /* TOFs that follow this one. */
    STATUS_STANDBY,             /* TOFs that this one follows. */
    STATUS_N_PARTS
};

/* Sets whether 'part' is ready, with a sentence; a change is logged. */
void status_set(enum status_part part, bool ready, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* 'part' is not ready, as it waits for what comes by itself: no warning in the
 * log, unless it had been ready before. */
void status_wait(enum status_part part, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

const char *status_name(enum status_part part);
bool status_ready(enum status_part part);
const char *status_detail(enum status_part part);

/* True if every part that diverting depends on (all but the Pinger, the
 * journal, usage records and other TOFs) is ready. */
bool status_all_ready(void);

/* The first part that status_all_ready() misses; STATUS_N_PARTS if none. */
enum status_part status_first_missing(void);

/* Down: nothing is diverted any more, or nothing new.  Degraded: what diverting
 * does not depend on (a part that status_all_ready() leaves out) is not
 * ready. */
enum health { HEALTH_OK, HEALTH_DEGRADED, HEALTH_DOWN };

/* '*why': the part that says so, unless it is HEALTH_OK. */
enum health status_health(enum status_part *why);
const char *health_name(enum health);

/* Facts that status shows beside the parts: "datapath" -> "ovs: ...". */
void status_fact(const char *key, const char *value);
void status_facts(void (*cb)(const char *key, const char *value, void *aux),
                  void *aux);

#endif /* base/status.h */
