/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_REPLICATE_RECEIVE_H
#define TOF_REPLICATE_RECEIVE_H 1

/* Follows other TOFs: what they know is replicated here, and what they divert
 * is diverted here in advance, so that this TOF can go on when packets come to
 * it instead.
 *
 * Place in the flow: replicate_send.c of another TOF sends;
 * session_replicated() takes what is not known better here. */

#include <stdbool.h>

struct bearer;
struct conf;

/* The other TOF diverts 'b'.  Returns true if it is diverted here, too. */
typedef bool replicate_diverted_cb(struct bearer *b, long long int now);

void replicate_receive_init(const struct conf *, replicate_diverted_cb *);
void replicate_receive_destroy(void);
void replicate_receive_run(void);
void replicate_receive_wait(void);

#endif /* persist/replicate_receive.h */
