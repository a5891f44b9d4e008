/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_PROVE_H
#define TOF_PROVE_H 1

/* Proofs: which bearers can be proved, how, and for how long that is good.
 *
 * Place in the flow: detect.c asks for a bearer to be proved; the Pinger does
 * it, or does it to the other bearer of a dual-stack pair, which then vouches
 * for it. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct bearer;
struct conf;
struct endpoint_class;

/* 'read_ms': how often the endpoint says what it has counted, so how late it is
 * known that a UE has sent something. */
void prove_init(const struct conf *, const struct endpoint_class *,
                long long int read_ms);
void prove_destroy(void);

/* Says how the Pinger is (status.h): also that targets answer nobody.  To be
 * called from time to time. */
void prove_report(long long int now);

/* When 'b', which is used, was proved, or, if that is not known, when this tofd
 * came to know it; ms. */
long long int prove_since(const struct bearer *b);

/* When that is too long ago: so early that what the UE sends until the evidence
 * time is over is known by then. */
long long int prove_end(const struct bearer *b);

/* Proved, and not so long ago that the UE may have gone since. */
bool prove_is_fresh(const struct bearer *, long long int now);

/* So it is, or its diversion, which an earlier tofd has begun, was adopted not
 * so long ago: its downlink tunnel may be used now. */
bool prove_is_good(const struct bearer *, long long int now);

/* Whether it can be proved: there is a target of its family, or the other one
 * of its dual-stack pair has targets. */
bool prove_is_possible(const struct bearer *);

/* Has it proved; does nothing if that is not possible.  'urgent': packets are
 * waiting for it. */
void prove_ask(const struct bearer *, bool urgent);

/* Nothing waits for its proof any more, which did not come in time: it is asked
 * for in the background, again and again, until it comes. */
void prove_ask_on(const struct bearer *);

/* It is in use: if half of the evidence time is over, it is proved again in the
 * background. */
void prove_again(const struct bearer *, long long int now);

/* The other one of its dual-stack pair if a proof of the bearer proves that,
 * too, or NULL: it has no targets of its own family, and nobody else has its
 * address. */
struct bearer *prove_vouched(const struct bearer *);

/* Whether UEs of that family are proved by themselves, so that nobody has a
 * bearer under another UE's address. */
bool prove_is_direct(sa_family_t);

#endif /* learn/prove.h */
