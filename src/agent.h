/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_AGENT_H
#define TOF_AGENT_H 1

/* The TOF Control Agent: events in, desired state out.
 *
 * tofd.c runs it; it drives everything below: filter, queues, Pinger,
 * endpoints, NAT, services, sessions, journal. */

struct conf;
struct endpoint_class;
struct session;

/* Reads the journal and prepares; the data plane is brought up by agent_run()
 * when what it needs is there.  Returns 0 or a positive errno value with
 * '*what' (malloc'd). */
int agent_init(const struct conf *, char **what);
/* Held packets go on along the normal way first.  The data plane goes on. */
void agent_destroy(void);
void agent_run(void);
void agent_wait(void);

/* Opens the file of usage records anew, as it may have been renamed, and reads
 * the keys and certificates that other TOFs and databases know this one by:
 * connections from now on are made with those. */
void agent_reload(void);

/* Withdraws every bearer of the session from the data plane and forgets it:
 * when this returns nothing is diverted or sent down for it any more, and the
 * next packet in its tunnels is learned anew. */
void agent_session_purge(struct session *);

/* The tunnel endpoints that were chosen. */
const struct endpoint_class *agent_endpoint(void);

#endif /* agent.h */
