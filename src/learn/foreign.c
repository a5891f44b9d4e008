/* SPDX-License-Identifier: GPL-3.0-or-later */

/* UEs of peers that are not configured: see foreign.h. */

#include <config.h>

#include "learn/foreign.h"

#include "base/addr.h"
#include "gtp/gtpu.h"
#include "hash.h"

#define PLACES 1024

static struct foreign places[PLACES];

static struct foreign *
place_of(const struct in6_addr *ue)
{
    return &places[hash_bytes(ue, sizeof *ue, 0) % PLACES];
}

void
foreign_note(const struct gtpu_packet *p, long long int now)
{
    if (p->msg.type == GTPU_GPDU) {
        const struct in6_addr ue = addr_ue_key(&p->inner.src);

        *place_of(&ue) = (struct foreign) {
            .ue = ue, .enb = p->src, .sgw = p->dst, .seen = now,
        };
    }
}

const struct foreign *
foreign_find(const struct in6_addr *ue)
{
    const struct foreign *f = place_of(ue);

    return f->seen && IN6_ARE_ADDR_EQUAL(&f->ue, ue) ? f : NULL;
}
