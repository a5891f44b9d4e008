/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_ACCEPT_H
#define TOF_API_ACCEPT_H 1

/* What headers of a request say of the answer that its client wants (RFC
 * 9110).
 *
 * Place in the flow: routes.c asks before it does anything.  Pure. */

#include <stdbool.h>

/* Whether the field value 'accept' of an Accept header (12.5.1) has the media
 * type 'type', which has no parameters; those of ranges but "q" do not matter.
 * True if it is NULL or empty.  What is malformed in it is as if it were not
 * there. */
bool accept_allows(const char *accept, const char *type);

/* Whether the entity tag 'etag', with its quotes, is among those of a field
 * value of If-Match or If-None-Match (13.1.1 and 13.1.2), or that is "*".
 * 'weak': weak ones count, too.  False if 'list' is NULL. */
bool accept_has_etag(const char *list, const char *etag, bool weak);

#endif /* api/accept.h */
