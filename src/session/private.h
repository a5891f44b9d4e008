/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_SESSION_PRIVATE_H
#define TOF_SESSION_PRIVATE_H 1

/* Where bearers and sessions are kept: what table.c does for session.c.
 *
 * Place in the flow: session.c decides, by the rules of session.h; this keeps
 * the indexes true.  It decides nothing and tells nobody.  The look-ups of
 * session.h are there, too; and in describe.c what follows from them. */

#include "session/session.h"

void table_init(void);
void table_destroy(void);       /* When it is empty. */

/* Identifiers to be used if they are nonzero and free; else new ones. */
struct table_ids {
    uint32_t bearer, session;
    uint16_t space;
};

/* Adds an embryonic bearer, seen and heard 'now', with a session of its own;
 * but if an address space is wanted, to the session that its UE has there.
 * There must be none with this uplink tunnel and family.  Returns NULL if all
 * address spaces are taken. */
struct bearer *table_add(const struct in6_addr *enb, const struct fteid *up,
                         const struct in6_addr *ue_addr,
                         const struct table_ids *wanted, long long int now);

/* Makes a bearer one of 's', another session of the same UE address. */
void table_join(struct bearer *, struct session *s);

/* Frees a bearer, and its session with the last one. */
void table_remove(struct bearer *);

/* What the indexes depend on.  'down', and the SGW that sends into it, NULL: it
 * is not known any more. */
void table_set_sender(struct bearer *, const struct in6_addr *enb);
void table_set_down(struct bearer *, const struct in6_addr *sgw,
                    const struct fteid *down);
void table_set_state(struct bearer *, enum bearer_state);
void table_set_seen(struct bearer *, long long int seen);

/* The bearer that has not been seen for longest, among embryonic ones or among
 * all others; NULL if there is none. */
struct bearer *table_oldest(bool embryonic);

/* All bearers. */
size_t table_count(void);

static inline bool
fteid_equal(const struct fteid *a, const struct fteid *b)
{
    return a->teid == b->teid && IN6_ARE_ADDR_EQUAL(&a->addr, &b->addr);
}

#endif /* session/private.h */
