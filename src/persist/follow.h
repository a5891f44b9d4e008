/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FOLLOW_H
#define TOF_FOLLOW_H 1

/* Follows other TOFs: what they know is hearsay here, and what they divert is
 * diverted here in advance, so that this TOF can go on when packets come to it
 * instead.
 *
 * Place in the flow: feed.c of another TOF sends; session_hearsay() takes what
 * is not known better here. */

#include <stdbool.h>

struct bearer;
struct conf;

/* The other TOF diverts 'b'.  Returns true if it is diverted here, too. */
typedef bool follow_diverted_cb(struct bearer *b, long long int now);

void follow_init(const struct conf *, follow_diverted_cb *);
void follow_destroy(void);
void follow_run(void);
void follow_wait(void);

#endif /* persist/follow.h */
