/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_REGISTRY_H
#define TOF_REGISTRY_H 1

/* The services' database: OVSDB database "TOF", table "Service" (schema
 * src/service/tof.ovsschema), read by IDL, changed by transactions.
 *
 * Place in the flow: service.c asks for changes and reads what is there. */

#include <netinet/in.h>
#include <stdbool.h>

struct service_spec;

/* 'remotes': one or several OVSDB endpoints separated by commas. */
void registry_init(const char *remotes);
void registry_destroy(void);
void registry_run(void);
void registry_wait(void);

bool registry_is_connected(void);
/* Grows with each change of the contents that the IDL shows. */
unsigned int registry_seqno(void);

/* Calls 'gone' for each service IP that the IDL has shown no more since the
 * last call, then 'there' for each service that is new or that is not as it
 * was; so what is to be done grows with what has changed. */
void registry_follow(void (*gone)(const struct in6_addr *service_ip),
                     void (*there)(const struct service_spec *));

/* Returns a sentence about the row, other than that of the service 'name'
 * (NULL: any), that has the name or service IP of 'spec', for the caller to
 * free; NULL if there is none.  The database's indexes have the last word. */
char *registry_conflict(const struct service_spec *spec, const char *name);

enum registry_result {
    REGISTRY_PENDING,           /* Not yet known. */
    REGISTRY_OK,
    REGISTRY_NOT_FOUND,
    REGISTRY_CONFLICT,          /* Name or service IP taken. */
    REGISTRY_ERROR,             /* 'detail' says more. */
    REGISTRY_UNAVAILABLE,       /* Not connected, or given up. */
};

/* Begins a change: the service 'name' (NULL: a new one) becomes 'spec' (NULL:
 * is deleted).  There is one change at a time, and both are used until its
 * end. */
void registry_begin(const char *name, const struct service_spec *spec);

/* Goes on with the change.  Any result but REGISTRY_PENDING is its end, OK
 * only if the IDL shows it; for an error the caller frees '*detail', a
 * sentence. */
enum registry_result registry_continue(char **detail);

/* Ends a change that has taken too long.  If the result is UNAVAILABLE it may
 * still be made: what the IDL shows then is what holds. */
enum registry_result registry_give_up(void);

#endif /* service/registry.h */
