/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What bearers and services have exchanged, as the kernel counts it.
 *
 * Place in the flow: rules.c counts each packet at an element (bearer id,
 * service IP) of one of four sets, by direction and family; usage.c has them
 * read part by part, and forgets those of bearers that are gone.  The sets
 * survive tofd, and so no count is ever lost or read twice. */

#include "nat/nat.h"

#include <errno.h>
#include <string.h>

#include "nat/private.h"

/* The reading under way: set 'at' of nat_counts, if 'begun'. */
static struct {
    int at;
    bool begun;
    struct nft_counting counting;
    nat_usage_cb *cb;
    void *aux;
} reading;

/* How a key is laid out: the id in host byte order, as marks are. */
static void
put_key(const struct nat_usage *u, uint8_t key[20])
{
    bool ipv4 = IN6_IS_ADDR_V4MAPPED(&u->service_ip);

    memcpy(key, &u->bearer, 4);
    memcpy(key + 4, u->service_ip.s6_addr + (ipv4 ? 12 : 0), ipv4 ? 4 : 16);
}

static void
counted(const void *key_, uint64_t packets, uint64_t bytes,
        void *aux __attribute__((unused)))
{
    const uint8_t *key = key_;
    bool ipv4 = nat_counts[reading.at].key_len == 8;
    struct nat_usage u = {
        .service_ip = { .s6_addr = { [10] = 0xff, 0xff } },
        .down = reading.at & NAT_COUNT_DOWN,
        .packets = packets,
        .bytes = bytes,
    };

    memcpy(&u.bearer, key, 4);
    memcpy(u.service_ip.s6_addr + (ipv4 ? 12 : 0), key + 4, ipv4 ? 4 : 16);
    reading.cb(&u, reading.aux);
}

int
nat_usage_begin(void)
{
    if (!nat.open) {
        return ENOTCONN;
    }
    reading.at = 0;
    reading.begun = false;
    return 0;
}

int
nat_usage_next(nat_usage_cb *cb, void *aux)
{
    int error = nat.open ? 0 : ENOTCONN;

    if (!error && !reading.begun) {
        reading.counting = (struct nft_counting) {
            .set = &nat_counts[reading.at], .cb = counted,
        };
        error = nft_count_begin(nat.reader, &nat_inet, &reading.counting);
        reading.begun = !error;
    }
    if (!error) {
        reading.cb = cb;
        reading.aux = aux;
        error = nft_count_next(nat.reader, &reading.counting);
        if (!error && ++reading.at < NAT_N_COUNTS) {
            reading.begun = false;
            error = EINPROGRESS;
        }
    }
    return error;
}

static const struct nft_set *
set_of(const struct nat_usage *u)
{
    return &nat_counts[(u->down ? NAT_COUNT_DOWN : 0)
                       + (IN6_IS_ADDR_V4MAPPED(&u->service_ip)
                          ? 0 : NAT_COUNT_IPV6)];
}

int
nat_usage_get(struct nat_usage *u)
{
    uint8_t key[20];
    int error;

    put_key(u, key);
    error = (nat.open ? nft_count_get(nat.nft, &nat_inet, set_of(u), key,
                                      &u->packets, &u->bytes) : ENOTCONN);
    return error == ENOENT ? 0 : error;
}

int
nat_usage_forget(const struct nat_usage *usages, size_t n)
{
    struct nft_batch *b;
    uint8_t key[20];
    int error = ENOTCONN;

    if (nat.open) {
        b = nft_begin(nat.nft);
        for (size_t i = 0; i < n; i++) {
            /* One that is not there would make it fail for all. */
            put_key(&usages[i], key);
            nft_elem_add(b, &nat_inet, set_of(&usages[i]), key, NULL, 0);
            nft_elem_delete(b, &nat_inet, set_of(&usages[i]), key);
        }
        error = nft_commit(b, NULL);
    }
    /* No room for one that is not there. */
    for (size_t i = 0; i < n && error == ENFILE; i++) {
        put_key(&usages[i], key);
        nft_elem_forget(nat.nft, &nat_inet, set_of(&usages[i]), key);
    }
    return error == ENFILE ? 0 : error;
}
