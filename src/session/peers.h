/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_PEERS_H
#define TOF_PEERS_H 1

/* Addresses of eNodeBs and SGWs: a few, which many bearers have.  Each is kept
 * once, so that a bearer needs a pointer for it.
 *
 * Place in the flow: table.c names them for its bearers. */

#include <netinet/in.h>

void peers_init(void);
void peers_destroy(void);       /* When nobody has any. */

/* The one copy of an address, until the caller puts it back. */
const struct in6_addr *peers_get(const struct in6_addr *);
void peers_put(const struct in6_addr *);

/* '*peer' becomes that of 'addr', which may be its own. */
void peers_set(const struct in6_addr **peer, const struct in6_addr *addr);

#endif /* session/peers.h */
