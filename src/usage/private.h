/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_USAGE_PRIVATE_H
#define TOF_USAGE_PRIVATE_H 1

/* What usage.c (readings, records), account.c (the sums), record.c (records as
 * text), log.c (the file of records) and state.c (the sums over a restart)
 * share. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "session/session.h"

struct ds;

/* A session's exchange with one service.  A service that has been given
 * another name is another one. */
struct usage_service {
    struct ovs_list node;       /* In account->services. */
    struct in6_addr ip;
    char *name;                 /* "" if it was never known. */
    struct counters counters;
};

/* What the kernel has last said of a bearer and a service. */
struct usage_pair {
    struct ovs_list node;       /* In bearer->pairs. */
    struct in6_addr service_ip;
    struct counters last;
    bool up, down;              /* Does it count this direction? */
};

/* A bearer that is or was diverted. */
enum usage_bearer_state {
    USAGE_ALIVE,
    USAGE_GONE,                 /* But packets may still be on their way. */
    USAGE_FINAL,              /* And nothing moves any more. */
    USAGE_CLOSED,               /* The kernel's counts are deleted. */
};
struct usage_bearer {
    struct hmap_node node;      /* By 'id', until it is closed. */
    struct ovs_list account_node;       /* In account->bearers. */
    struct ovs_list gone_node;  /* Among those that are USAGE_GONE. */
    struct usage_account *account;
    enum usage_bearer_state state;
    uint32_t id;
    struct fteid up;
    struct ovs_list pairs;      /* None if it is closed. */
    unsigned int gone_in;       /* Number of the reading at that time. */
    unsigned int still;         /* Readings since, in which nothing moved. */
};

struct usage_account {
    struct hmap_node session_node;      /* By 'session', until it ends. */
    struct ovs_list node;       /* In usage_alive or usage_ended. */
    uint32_t session;
    struct in6_addr ue;         /* Key: addr_ue_key(). */
    long long int since;        /* Wall clock, ms. */
    struct ovs_list bearers, services;
    unsigned int n_closed;      /* Of 'bearers'. */
    bool changed;               /* Since the last record. */
    const char *reason;         /* Why it has ended; NULL: it has not. */
    bool stale;                 /* Restored, and its last record may have been
                                 * made since. */
    bool seen;                  /* The kernel counts for it. */
};

/* Accounts: those whose session lives, oldest first, and those whose session
 * has ended. */
extern struct ovs_list usage_alive, usage_ended;
void usage_accounts_init(const char *(*service_name)(const struct in6_addr *));
void usage_accounts_destroy(void);
struct usage_account *usage_account_create(uint32_t session,
                                           const struct in6_addr *ue,
                                           long long int since);
struct usage_account *usage_account_find(uint32_t session);
/* The one behind 'a' among those that live; NULL: there is none. */
struct usage_account *usage_account_next(const struct usage_account *a);
void usage_account_end(struct usage_account *, const char *reason);
void usage_account_free(struct usage_account *);        /* Has ended. */
bool usage_account_is_final(const struct usage_account *);

/* Their bearers.  usage_bearer_get() makes bearer and account if they are
 * missing.  usage_bearer_close() forgets the pairs, and maybe the bearer; of
 * those that are closed an account keeps the latest. */
struct usage_bearer *usage_bearer_create(struct usage_account *, uint32_t id,
                                         const struct fteid *up,
                                         enum usage_bearer_state);
struct usage_bearer *usage_bearer_find(uint32_t id);
struct usage_bearer *usage_bearer_get(const struct bearer *);
void usage_bearer_close(struct usage_bearer *);
struct usage_pair *usage_pair_get(struct usage_bearer *,
                                  const struct in6_addr *service_ip);

/* Their services: by address and name; and the one that has 'ip' now, or was
 * the last one that had. */
struct usage_service *usage_service_get(struct usage_account *,
                                        const struct in6_addr *ip,
                                        const char *name);
struct usage_service *usage_service_now(struct usage_account *,
                                        const struct in6_addr *ip);

/* A record, one line of JSON without its end, appended to 's'.  'reason' NULL
 * makes it an interim one.  Pure. */
void usage_record(struct ds *s, const struct usage_account *, uint64_t seq,
                  long long int now, const char *reason);

/* The file of records; 'file' NULL: there is none, and lines go nowhere.
 * Lines wait in memory, bounded, until they can be written. */
void usage_log_init(const char *file);
void usage_log_add(const struct ds *line);
void usage_log_reopen(void);
void usage_log_run(void);
void usage_log_wait(void);
void usage_log_destroy(void);
/* The sequence number of the last record in the file; 0 if there is none. */
uint64_t usage_log_last_seq(void);

/* Sums in the directory of state: begun, account by account, ended.  The file
 * is the old one until the new one is on the disk, which run() sees to in the
 * background; begin() waits for that if it is still busy, and destroy() does.
 * 'final': nothing has come after it. */
void usage_state_init(const char *dir);     /* Which stays the caller's. */
void usage_state_destroy(void);
void usage_state_run(void);
void usage_state_wait(void);
bool usage_state_is_busy(void);
void usage_state_begin(void);
void usage_state_put(const struct usage_account *);
void usage_state_end(uint64_t seq, bool final);
/* Puts all back, by the functions above. */
void usage_state_restore(uint64_t *seq, bool *final);

#endif /* usage/private.h */
