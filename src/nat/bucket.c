/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which bucket a UE is in, as nat_x_bucket() (rules.c) has the kernel find it.
 *
 * Place in the flow: whoever wants to tell which of a service's applications a
 * UE's next connection goes to, without a packet.
 *
 * The kernel scales its hash (lookup3, of Bob Jenkins) to the number of
 * buckets, so it is the hash's highest bits that count. */

#include <config.h>

#include "nat/nat.h"

#include "jhash.h"
#include "nat/private.h"

/* Bytes as the hash takes them, on any machine. */
static uint32_t
word(const uint8_t *bytes)
{
    return (bytes[0] | bytes[1] << 8 | bytes[2] << 16
            | (uint32_t) bytes[3] << 24);
}

unsigned int
nat_bucket(const struct in6_addr *ue)
{
    const bool ipv4 = IN6_IS_ADDR_V4MAPPED(ue);
    const uint8_t *bytes = ue->s6_addr + (ipv4 ? 12 : 0);
    const uint32_t words[NAT_BUCKET_IPV6_LEN / 4] = {
        word(bytes), ipv4 ? 0 : word(bytes + 4),
    };
    uint64_t hash = jhash_words(words, ipv4 ? 1 : 2, NAT_BUCKET_SEED);

    return hash * NAT_BUCKETS >> 32;
}
