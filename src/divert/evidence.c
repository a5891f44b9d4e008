/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Evidence that bearers live: see evidence.h. */

#include <config.h>

#include "divert/evidence.h"

#include "learn/prove.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

/* Notes what the endpoint has counted.  True if some of it has been carried
 * since it was last asked: what it had counted before the bearer was adopted
 * may be long ago. */
static bool
advance(struct bearer *b, enum endpoint_direction direction,
        uint64_t packets, uint64_t bytes)
{
    const bool first = b->unread & 1 << direction;
    struct bearer_use *use = bearer_use(b);

    b->unread &= ~(1 << direction);
    return (counters_advance(&use->counters, &use->last,
                             direction == ENDPOINT_DOWN, packets, bytes)
            && !first);
}

void
evidence_counted(uint32_t id, enum endpoint_direction direction,
                 uint64_t packets, uint64_t bytes, long long int read)
{
    struct bearer *b = session_bearer_by_id(id);
    long long int now = time_msec(), read_before;
    bool carried;

    if (!b) {
        return;
    }
    carried = advance(b, direction, packets, bytes);
    read_before = b->use->read_up;
    if (direction == ENDPOINT_UP) {
        b->use->read_up = read;
    }
    if (!carried) {
        return;
    }
    if (direction == ENDPOINT_UP) {
        session_heard(b, read_before, now);
    } else {
        session_touch(b, now);
    }
    if (bearer_is_ready(b)) {
        prove_again(b, now);
    }
}

void
evidence_alive(uint32_t id, bool forwarded, long long int since)
{
    struct bearer *b = session_bearer_by_id(id);
    long long int now = time_msec();

    if (b) {
        session_heard(b, since, now);
        if (forwarded) {
            b->forwarded = now;
        }
    }
}
