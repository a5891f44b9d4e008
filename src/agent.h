/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_AGENT_H
#define TOF_AGENT_H 1

/* The TOF Control Agent: events in, desired state out.
 *
 * tofd.c runs it; it drives everything below: filter, queues, Pinger,
 * endpoints, NAT, services, sessions, journal. */

struct conf;
struct session;

/* Reads the journal and prepares; the data plane is brought up by agent_run()
 * when what it needs is there.  Returns 0 or a positive errno value with
 * '*what' (malloc'd). */
int agent_init(const struct conf *, char **what);
void agent_destroy(void);       /* The data plane goes on. */
void agent_run(void);
void agent_wait(void);

/* Files that somebody has renamed are opened anew. */
void agent_reopen(void);

/* Withdraws every bearer of the session from the data plane and forgets it:
 * when this returns nothing is diverted or sent down for it any more, and the
 * next packet in its tunnels is learned anew. */
void agent_session_purge(struct session *);

#endif /* agent.h */
