/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_STAY_H
#define TOF_STAY_H 1

/* A connection stays where it began.
 *
 * One that began at an App is not switched while its UE's bearer may come
 * back: the service's real host would reset it.  Its packets wait for the
 * bearer; what cannot wait is lost, as it may be in any network, until the TOF
 * gives the bearer up.
 *
 * One of which a packet has been switched is at the service's real host, and
 * stays there, though its bearer is proved later.  The filter keeps these
 * (filter_stay()), and switches them without asking, tofd or not, until they
 * are silent or begin anew; so this module has to know for those that are on
 * their way, or that the filter cannot read, which there are.  What is to a
 * service whose App is down is switched by the filter alone, which notes it.
 *
 * A connection is a UE's: it may move to a new bearer that the network gives
 * the UE (TS 23.401 clause 5.4.1).  But the filter knows tunnels only, and
 * whose a bearer is shows when it is proved.  Before that nothing of it goes
 * to an App, and then it gets what stays in the UE's other bearers.
 *
 * Place in the flow: divert.c tells which bearers were, and will be, diverted;
 * forward.c tells which packets are switched, and detect.c does for those that
 * the filter switches by itself.  divert.c and forward.c ask before a packet
 * waits, or is sent to an App, or is switched though it could have waited. */

#include <stdbool.h>

struct bearer;
struct endpoint_class;
struct gtpu_packet;

void stay_init(const struct endpoint_class *);
void stay_destroy(void);

/* What the filter has of these connections, by an earlier tofd maybe, is all
 * that there is, and the endpoint is told so: before it is told of bearers. */
void stay_adopt(void);
/* The same now and then, as the filter forgets. */
void stay_run(void);

/* What the filter has noted by itself, of services that it bypassed, is known
 * from now on: before one of them is diverted again. */
void stay_take_up(void);

/* 'b' was diverted until now, and is not any more. */
void stay_diverted(const struct bearer *b);

/* 'b', proved, will be diverted: what stays in other bearers of its UE does so
 * in this one, unless it may have connections that began at an App. */
void stay_joined(const struct bearer *b);

/* Whether the UE of 'b' may have connections that are diverted, behind the SGW
 * of 'b': one of its bearers is, or was in the last five minutes, whatever has
 * become of it; and 'b' has not been given up.  As long as it is not known
 * whose 'b' is (namesake.h), it may be that of any UE with its address. */
bool stay_is_diverted(const struct bearer *b);

/* 'p', an uplink packet to a service, is switched: so will be what comes after
 * it in its connection.  Not if that may have begun at an App.  Returns true
 * if that is new: what waits of it goes now, before others come. */
bool stay_switched(const struct gtpu_packet *p);

/* The same with any uplink G-PDU, which may be to a service, by whoever it is
 * switched. */
void stay_seen(const struct gtpu_packet *p);

/* 'p', an uplink packet to a service, has come: if it begins a connection,
 * that is not switched any more. */
void stay_begin(const struct gtpu_packet *p);

/* Whether 'p', an uplink packet to a service, is of a connection that stays:
 * others of it were switched since it came, or its ports are not in its first
 * outer fragment, so that the filter could not tell. */
bool stay_is_switched(const struct gtpu_packet *p);

#endif /* divert/stay.h */
