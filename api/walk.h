/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_WALK_H
#define TOF_API_WALK_H 1

/* Answers that walk the whole session table, a slice at a time.
 *
 * Place in the flow: routes.c starts a walk for GET /session and GET /peer;
 * rest.c goes on with it, by the exchange's 'step', from rest_run(). */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct exchange;

struct walk_filter {
    bool by_ue, by_enb, by_sgw;
    struct in6_addr ue, enb, sgw;
    int state;                  /* enum bearer_state, or -1: any. */
    unsigned int limit;
    uint32_t cursor;            /* Start after this session; 0: first. */
    char *query;                /* The filter as a query, for the link to the
                                 * next page ("ue=...&"); owned. */
};

void walk_sessions(struct exchange *, const struct walk_filter *);
/* At most 'limit' peers behind 'cursor', which X-Next-Cursor has said; NULL:
 * from the first on.  False if it is none. */
bool walk_peers(struct exchange *, unsigned int limit, const char *cursor);

#endif /* api/walk.h */
