/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_JSONTEXT_H
#define TOF_JSONTEXT_H 1

/* JSON that tofd writes: values of libjansson to text.
 *
 * Place in the flow: whoever shows something (api/view.c, usage/record.c)
 * makes a value of it, small enough for its memory not to matter, and has its
 * text appended to what goes out.  A file that includes <jansson.h> cannot
 * include OVS's openvswitch/json.h: both have a json_type. */

#include <jansson.h>
#include <netinet/in.h>
#include <stdint.h>

struct ds;

/* Appends the text of 'json' to 's', and frees it. */
void jsontext_put(struct ds *s, json_t *json);

/* The same for the next item of an array whose '[' is in 's' already. */
void jsontext_put_item(struct ds *s, json_t *json);

/* Values; the caller owns them.  A text may be anything: what is not ASCII in
 * it is '?' if it is not UTF-8.  A number is at most INT64_MAX. */
json_t *jsontext_string(const char *text);
json_t *jsontext_number(uint64_t);
json_t *jsontext_id(uint32_t id);               /* 8 hex digits. */
json_t *jsontext_address(const struct in6_addr *);
json_t *jsontext_time(long long int ms);        /* RFC 3339, UTC. */

#endif /* base/jsontext.h */
