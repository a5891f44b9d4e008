/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_REGISTRY_H
#define TOF_REGISTRY_H 1

/* The services' database: OVSDB database "TOF", table "Service" (schema
 * src/service/tof.ovsschema), read by IDL, changed by transactions.
 *
 * Place in the flow: service.c asks for changes and reads what is there. */

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
void registry_for_each(void (*cb)(const struct service_spec *, void *aux),
                       void *aux);

enum registry_result {
    REGISTRY_OK,
    REGISTRY_NOT_FOUND,
    REGISTRY_CONFLICT,          /* Name or service IP taken. */
    REGISTRY_ERROR,             /* 'detail' says more. */
    REGISTRY_UNAVAILABLE,       /* Not connected, or no answer in 3 s. */
};
typedef void registry_cb(enum registry_result, const char *detail,
                         void *aux);

/* Transactions, done in the order asked for.  The callback is called once,
 * from registry_run() (or registry_destroy()), with OK only after the IDL
 * shows the change.  After UNAVAILABLE for want of an answer the change may
 * still have been made: what the IDL shows then is what holds. */
void registry_insert(const struct service_spec *, registry_cb *, void *aux);
void registry_update(const char *name, const struct service_spec *,
                     registry_cb *, void *aux);
void registry_delete(const char *name, registry_cb *, void *aux);

#endif /* service/registry.h */
