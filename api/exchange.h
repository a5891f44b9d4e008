/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_EXCHANGE_H
#define TOF_API_EXCHANGE_H 1

/* One HTTP request and its answer: what rest.c and routes.c hand each other.
 *
 * Place in the flow: rest.c makes an exchange when a request's first line is
 * there, fills in the request and calls routes_begin() after its headers and
 * routes_handle() after its body.  Routes answer with exchange_ok() or
 * exchange_problem(), at once or later:
 *
 *   - a route that walks a large table sets 'step', which is then called from
 *     rest_run() until there is an answer;
 *   - if that may be larger than should be kept in memory, it sets 'more' and
 *     answers at once; 'step' then makes part after part;
 *   - a route that waits for the data plane sets 'owed' and calls
 *     exchange_resume() once there is an answer.
 *
 * An exchange whose client has gone lives on until it is no longer owed. */

#include <stdbool.h>
#include <stddef.h>

#include "openvswitch/dynamic-string.h"
#include "smap.h"

struct route;

#define EXCHANGE_BODY_MAX (64 * 1024)

struct exchange {
    /* The request. */
    char *method;
    char *path;                 /* As sent: still percent-encoded. */
    char *query;                /* As sent, without '?'; NULL if none. */
    char *content_type;         /* NULL if none; so the next ones. */
    char *accept, *if_match, *if_none_match;
    struct ds body;
    bool too_large;             /* Body was longer than EXCHANGE_BODY_MAX. */
    bool known;                 /* Came by the Unix socket, or with the
                                 * token. */

    /* What routes.c makes of it. */
    const struct route *route;  /* NULL if there is none. */
    char *key;                  /* Decoded last segment; NULL if none. */
    char *change;               /* What the body asks for, in words; NULL if
                                 * the path says all. */

    /* The answer. */
    unsigned int status;        /* 0: there is none yet. */
    const char *type;           /* Constant; NULL without a body. */
    struct ds answer;
    bool more;                  /* It is but a part: when that has been sent
                                 * and cleared, 'step' is called until there is
                                 * another one, or no more. */
    size_t sent;                /* Bytes of that part. */
    struct smap headers;        /* Beside Content-Type. */

    /* An answer that takes longer. */
    void (*step)(struct exchange *);
    void (*step_free)(void *step_aux);
    void *step_aux;
    bool owed;                  /* Will exchange_resume() be called? */
    void (*resume)(struct exchange *);  /* rest.c's. */
};

/* 'target' is the request's: "/path?query", or "http://host/path?query". */
void exchange_init(struct exchange *, const char *target);
void exchange_uninit(struct exchange *);

/* Finds 'name' in the query.  Returns 0 with '*valuep' set to its decoded
 * value, which the caller frees, or to NULL if it is not there or empty; or
 * EINVAL if it is there twice or badly encoded. */
int exchange_query(const struct exchange *, const char *name, char **valuep);

/* Returns the 'len' bytes at 's' percent-decoded, or NULL if badly encoded or
 * if a NUL byte comes out.  The caller frees it. */
char *exchange_decode(const char *s, size_t len);

/* Answers 200 with what the caller has put into x->answer, which is of media
 * type 'type', a constant; NULL if there is nothing. */
void exchange_ok(struct exchange *, const char *type);
#define EXCHANGE_JSON "application/json"
#define EXCHANGE_STATELETS "application/octet-stream"

/* Tells the client the entity tag of what it gets, with its quotes.  Answers
 * 304 instead, and returns true, if it has that already. */
bool exchange_etag(struct exchange *, const char *etag);

/* Answers with a problem, in place of any answer before. */
void exchange_problem(struct exchange *, unsigned int status,
                      const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Moves up to 'max' bytes of an answer that is made part by part to 'buf'.
 * Returns how many; 0 if there are none now. */
size_t exchange_send(struct exchange *, char *buf, size_t max);

/* The answer that was owed is there. */
void exchange_resume(struct exchange *);

#endif /* api/exchange.h */
