/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which bucket a UE is in, as nat_x_bucket() (rules.c) has the kernel find it.
 *
 * Place in the flow: explain.c asks which of a service's applications a UE's next
 * connection goes to.
 *
 * The kernel scales its hash (lookup3, of Bob Jenkins) to the number of
 * buckets, so it is the hash's highest bits that count. */

#include <config.h>

#include "nat/nat.h"

#include <string.h>

#include "base/addr.h"
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

bool
nat_app_of(const struct in6_addr *service_ip, const struct in6_addr *ue,
           struct in6_addr *application_ip)
{
    const bool ipv4 = IN6_IS_ADDR_V4MAPPED(service_ip);
    const struct nft_set *buckets = &nat_buckets[!ipv4];
    const uint32_t bucket = nat_bucket(ue);
    uint8_t key[20], app[16];

    memcpy(key, service_ip->s6_addr + (ipv4 ? 12 : 0), buckets->data_len);
    memcpy(key + buckets->data_len, &bucket, sizeof bucket);
    if (!nat.open
        || nft_elem_get(nat.nft, &nat_inet, buckets, key, app, NULL)) {
        return false;
    }
    if (ipv4) {
        *application_ip = addr_of_ipv4(app);
    } else {
        memcpy(application_ip, app, sizeof app);
    }
    return true;
}
