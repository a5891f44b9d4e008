/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_RECENT_H
#define TOF_RECENT_H 1

/* What has been noted lately: keys of one length that are forgotten after some
 * time, or when there are too many, the one that was noted first before the
 * others.
 *
 * Place in the flow: ovs/cache_guard.c keeps tunnels that were cleared by it,
 * divert/stay.c which UEs were diverted. */

#include <stdbool.h>
#include <stddef.h>

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"

struct recent {
    struct hmap all;
    struct ovs_list by_age;
    size_t key_len;             /* Bytes; keys have no padding. */
    size_t max;
    long long int life_ms;
};

void recent_init(struct recent *, size_t key_len, size_t max,
                 long long int life_ms);
void recent_destroy(struct recent *);

/* Notes 'key' at 'now', in ms of time_msec(): once more if it was there. */
void recent_note(struct recent *, const void *key, long long int now);

/* When 'key' was last noted; LLONG_MIN if that was not in the last
 * 'life_ms'. */
long long int recent_when(const struct recent *, const void *key,
                          long long int now);

#endif /* base/recent.h */
