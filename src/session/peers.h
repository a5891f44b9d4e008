/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_PEERS_H
#define TOF_PEERS_H 1

/* Addresses of eNodeBs and SGWs: a few, which many bearers have.  Each is kept
 * once, so that a bearer needs a pointer for it.
 *
 * Place in the flow: table.c names them for its bearers, and says how many
 * bearers have them; api/walk.c lists them. */

#include <netinet/in.h>
#include <stdbool.h>

enum peer_role { PEER_ENB, PEER_SGW };
#define PEER_N_ROLES 2

void peers_init(void);
void peers_destroy(void);       /* When nobody has any. */

/* The one copy of an address, until the caller puts it back. */
const struct in6_addr *peers_get(const struct in6_addr *);
void peers_put(const struct in6_addr *);

/* '*peer' becomes that of 'addr', which may be its own. */
void peers_set(const struct in6_addr **peer, const struct in6_addr *addr);

/* A peer, which is the one copy of its address, has 'n' more bearers as what
 * it is there. */
void peers_count(const struct in6_addr *peer, enum peer_role, int n);

/* All of them, in no order: those that are there all the time exactly once,
 * unless their number changes much meanwhile.  '*pos' is all zero at first.
 * Fills in an address and how many bearers have it in either role, which may be
 * none; returns false if there are no more. */
struct peers_position {
    unsigned int bucket, offset;
};
bool peers_next(struct peers_position *pos, struct in6_addr *addr,
                unsigned int n_bearers[PEER_N_ROLES]);

#endif /* session/peers.h */
