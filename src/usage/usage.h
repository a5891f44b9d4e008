/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_USAGE_H
#define TOF_USAGE_H 1

/* Usage: what each session has exchanged with each service, and the records
 * of it, since diverted traffic escapes the SGW's charging.
 *
 * Place in the flow: agent.c tells of bearers that are diverted and of those
 * that are gone; the kernel counts (nat/usage.c), and is read here about
 * once a second; the REST API shows the sums.  A session that has exchanged
 * anything leaves a record every 'usage.interval_seconds' in which it has
 * exchanged more, and one when it ends. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bearer;
struct counters;
struct conf;
struct in6_addr;

/* Takes up what an earlier tofd has left in the directory of state.
 * 'service_name' is the name of the service that has an address, or NULL. */
void usage_init(const struct conf *,
                const char *(*service_name)(const struct in6_addr *));

/* Writes what is still to be written, and leaves the sums to the next. */
void usage_destroy(void);

/* The data plane has come up, and nothing is learned yet: closes the books of
 * bearers that are gone, and forgets what the kernel has counted for those that
 * nobody knows, before their identifiers are used again. */
void usage_adopt(void);

/* 'up': the data plane is there to be read.  'final': conntrack entries of
 * all bearers that are gone have been deleted. */
void usage_run(bool up, bool final);
void usage_wait(bool up);

/* Opens the file of records anew: it has been renamed, or is to be. */
void usage_reopen(void);

/* The bearer is diverted: it may be counted from now on. */
void usage_bearer(const struct bearer *);

/* The bearer is going, for a 'reason' that is a word and constant; its
 * session is still whole. */
void usage_bearer_gone(const struct bearer *, const char *reason);

/* A packet of 'bytes' (IP) from 'service_ip' that tofd itself has sent to the
 * UE, and that the kernel has not counted. */
void usage_sent_down(const struct bearer *,
                     const struct in6_addr *service_ip, size_t bytes);

/* Calls 'cb' for each service that the session has exchanged packets with. */
void usage_of_session(uint32_t session_id,
                      void (*cb)(const char *name,
                                 const struct in6_addr *service_ip,
                                 const struct counters *, void *aux),
                      void *aux);

#endif /* usage/usage.h */
