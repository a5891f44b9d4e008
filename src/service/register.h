/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_REGISTER_H
#define TOF_REGISTER_H 1

/* Application registration: what a service is made of in the data plane.
 *
 * Place in the flow: service.c, which follows the registry, calls these. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf;
struct endpoint_class;
struct service_spec;

/* 'plane_is_up': is everything of the data plane set up?  'resuming' is called
 * before the endpoint diverts services whose Apps were down, when the filter
 * does so already. */
void register_init(const struct conf *, const struct endpoint_class *,
                   bool (*plane_is_up)(void), void (*resuming)(void));

/* To be called in each turn, after the calls below. */
void register_run(void);

/* Whether services can be applied now; if not, '*why' says what is missing. */
bool register_ready(const char **why);

/* Whether the service can be served at all; if not, '*why' says why not. */
bool register_supports(const struct service_spec *, const char **why);

/* Whether what the service needs is there now; if not, '*why' says what is
 * missing.  It may go and come back at any time. */
bool register_possible(const struct service_spec *, const char **why);

/* Whether there are routes to all of its applications, or to one of them; if
 * not, '*why' becomes a constant sentence.  That may change when
 * register_routes_changed() gives true. */
bool register_reaches_all(const struct service_spec *, const char **why);
bool register_reaches(const struct service_spec *, const char **why);
bool register_routes_changed(void);

/* First half: everything but diversion.  Of several Apps, those whose bits are
 * in 'there' share the new connections, of which one at least has a weight; the
 * others are down, and connections that they have are reset.  Returns 0 or a
 * positive errno value. */
int register_apply(const struct service_spec *, uint32_t there);

/* The same for one that is in force: 'there' has become another one. */
int register_share(const struct service_spec *, uint32_t there);

/* What connections there still are to the Apps that are not 'there', which will
 * have been reset, are forgotten.  Whether an earlier tofd has told that one is
 * not. */
void register_forget_lost(const struct service_spec *, uint32_t there);
bool register_is_lost(const struct service_spec *, size_t app);

/* Whether the first half is confirmed. */
bool register_applied(const struct service_spec *);

/* Second half.  Returns 0 or a positive errno value. */
int register_divert(const struct service_spec *);

/* Whether the NAT has it, as far as can be told. */
bool register_has_nat(const struct service_spec *);

/* False if somebody else has taken part of it out of the kernel since. */
bool register_in_force(const struct service_spec *);

/* Whether the first half is in force and the second is not: so an earlier tofd
 * left what it had bypassed. */
bool register_is_bypassed(const struct service_spec *);

/* 'n' services whose Apps are down.  register_end() has it found out which TCP
 * connections UEs have with them, which register_ended() says of what it has
 * returned.  register_bypass() then undoes the second half: from now on these
 * connections are reset, and all else is switched.  Until register_divert() or
 * register_withdraw().  It returns 0 or a positive errno value; it may be called
 * again then. */
uint64_t register_end(const struct in6_addr *service_ips, size_t n);
bool register_ended(uint64_t walk);
int register_bypass(const struct in6_addr *service_ips, size_t n);

/* Undoes the second half, if it was done; by this process or another. */
void register_undivert(const struct service_spec *);

/* Undoes both, in reverse. */
void register_withdraw(const struct service_spec *);

#endif /* service/register.h */
