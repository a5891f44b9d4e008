/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_SIGNALLING_H
#define TOF_SIGNALLING_H 1

/* GTP-U messages other than G-PDUs that say that a tunnel has ended.
 *
 * Place in the flow: detect_packet() calls for each; the session table
 * hears of it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tunnel.h"

struct gtpu_packet;
struct nfq_packet;

/* A held packet, which came in on 'from', goes on as if nothing had happened.
 * 'ip' is the outer packet. */
typedef void packet_pass_cb(enum filter_side from, const void *ip, size_t len);

/* 'idle_ms': sessions end after that long without traffic.  As copies are
 * samples, no natural traffic seen for as long means that there is none. */
void signalling_init(long long int idle_ms, packet_pass_cb *);

/* End Marker (TS 29.281 clause 7.3.2): the downlink tunnel that it came in is
 * not used any more. */
void signalling_end_marker(const struct gtpu_packet *);

/* Error Indication (clause 7.3.1): its sender has no such tunnel.  It was
 * held, and goes on unless nobody but the TOF can have drawn it; at once, or
 * from signalling_run(). */
void signalling_error_indication(const struct nfq_packet *,
                                 const struct gtpu_packet *);
/* The queues have been read: copies of what has drawn an Error Indication are
 * known now, or if 'behind', some may not be yet. */
void signalling_run(bool behind);
void signalling_destroy(void);

/* The downlink tunnel of bearer 'id' has been given to another UE. */
void signalling_reused(uint32_t id);

#endif /* learn/signalling.h */
