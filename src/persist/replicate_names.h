/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_REPLICATE_NAMES_H
#define TOF_REPLICATE_NAMES_H 1

/* Which TOFs this one tells, and which it believes: those whose certificate
 * has one of the names in standby.names.
 *
 * Place in the flow: replicate_send.c and replicate_receive.c ask for each
 * stream as soon as its handshake is over. */

#include <stdbool.h>

struct conf;
struct stream;

/* Returns true if the other end of 'stream' may be; without standby.names that
 * is whoever has a certificate of the authority (or, without TLS, whoever is
 * there).  The handshake is over. */
bool replicate_is_allowed(const struct conf *, const struct stream *);

#endif /* persist/replicate_names.h */
