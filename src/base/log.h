/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_LOG_H
#define TOF_LOG_H 1

/* Where tofd's log goes, and how much of it.
 *
 * Standard error, with the time in each line; but if that is the journal of
 * systemd, the log goes to it by syslog(3), which keeps each line's priority,
 * and the journal has the time.
 *
 * Place in the flow: tofd.c chooses at start; its option -v and the REST API
 * set levels. */

#include <netinet/in.h>
#include <stdbool.h>

/* Call this before anything is logged. */
void log_init(void);

/* Sets the level ("emer", "err", "warn", "info", "dbg" or "off") of a module,
 * such as "pinger", or of "any".  Returns NULL, or a constant text that says
 * what is wrong. */
const char *log_set_level(const char *module, const char *level);

/* Tells every module and its level, in the order of their names. */
void log_for_each(void (*cb)(const char *module, const char *level,
                             void *aux), void *aux);

/* A UE, in the log: its address or prefix as it is; shortened to the network
 * it is in (a /24, or a /48); or as a number that stands for it until tofd
 * ends. */
enum log_privacy { LOG_AS_IT_IS, LOG_SHORTENED, LOG_HASHED };
void log_set_privacy(enum log_privacy);

/* 'ue': addr_ue_key().  Good until the next call. */
const char *log_ue(const struct in6_addr *ue);

#endif /* base/log.h */
