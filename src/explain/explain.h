/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_EXPLAIN_H
#define TOF_EXPLAIN_H 1

/* Why a UE is diverted, or why not.
 *
 * Walks from the outside in what has to hold so that a UE's packets to a
 * service reach its App, in the order in which packets meet it, and tells for
 * each what was found and, if that is wrong, what to do.  The first that is
 * wrong is the reason.
 *
 * Place in the flow: api/routes.c asks, for GET /explain.  Reads all that the
 * other rooms show; changes nothing. */

#include <netinet/in.h>

struct endpoint_class;

enum explain_verdict {
    EXPLAIN_OK,
    EXPLAIN_WRONG,              /* It keeps the UE from being diverted; or it
                                 * is there, and should not be. */
    EXPLAIN_OPEN,               /* Not known yet, or not asked for. */
};

struct explain_step {
    const char *name;           /* A word: "seen", "proved". */
    char subject[24];           /* "bearer 0000a101", or "". */
    enum explain_verdict verdict;
    char found[240];            /* A sentence. */
    const char *advice;         /* What to do about it; or NULL. */
};

typedef void explain_cb(const struct explain_step *, void *aux);

/* What to ask about diverted bearers; before the first explain(). */
void explain_init(const struct endpoint_class *);

/* Calls 'cb' for each step.  'ue': the UE's key (addr_ue_key()); 'service': a
 * service IP or the name of a service, or NULL for none in particular.
 * The first step that is wrong is the reason. */
void explain(const struct in6_addr *ue, const char *service,
             explain_cb *cb, void *aux);

#endif /* explain/explain.h */
