/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_STRANGER_H
#define TOF_STRANGER_H 1

/* Strangers: packets in a UE's uplink tunnel whose source is another address.
 * Has the TEID been given to another UE, or does the UE send so: with its
 * address in another network, for a host behind it (framed routes, TS 23.501
 * clause 5.6.14; delegated prefixes), or whatever it likes?
 *
 * Place in the flow: detect.c asks here before it lets a packet make the tunnel
 * another UE's.  If the tunnel's UE has been proved, it is pinged once more,
 * and the stranger's packets wait.  If it is answered the tunnel is its own,
 * and they go on; if not, they are taken up again, as the next UE's. */

#include <stdbool.h>

struct bearer;
struct gtpu_packet;
struct nfq_packet;

enum stranger_verdict {
    STRANGER_TAKES,             /* The tunnel is his now. */
    STRANGER_WAITS,             /* The packet will be given to a callback. */
    STRANGER_REFUSED,           /* Nothing is learned of it. */
};

typedef void stranger_cb(const struct nfq_packet *);

/* 'interval_ms': of the Pinger.  A packet that has waited is given to 'takes'
 * if its source is the tunnel's UE now, to 'again' if that is not known, or to
 * 'refused'. */
void stranger_init(long long int interval_ms, stranger_cb *takes,
                   stranger_cb *again, stranger_cb *refused);
void stranger_destroy(void);

/* Gives all packets that wait to 'refused'. */
void stranger_give_up(void);

/* 'np', which says '*p', is in the tunnel of 'b', but of another UE. */
enum stranger_verdict stranger_seen(const struct bearer *b,
                                    const struct nfq_packet *np,
                                    const struct gtpu_packet *p);

void stranger_run(void);
void stranger_wait(void);

#endif /* learn/stranger.h */
