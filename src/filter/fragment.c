/* SPDX-License-Identifier: GPL-3.0-or-later */

/* IP fragments: see fragment.h. */

#include <config.h>

#include "filter/fragment.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"

#define IP4_MIN_LEN 20
#define IP4_MAX_LEN 60
#define IP4_MORE 0x2000
#define IP4_FLAGS 0xc000                /* DF and the reserved one. */
#define IP6_LEN 40
#define IP6_FRAGMENT_LEN 8
#define IP6_MAX_HEADERS 512             /* In front of the fragment header. */
#define UNIT 8                          /* Offsets count these. */

static void
set_checksum(uint8_t *ip, size_t header_len)
{
    put16(ip + 10, 0);
    put16(ip + 10, sum_finish(sum_bytes(ip, header_len, 0)));
}

/* Bytes of data that fit behind headers of 'headers' bytes, whole units. */
static size_t
room(size_t mtu, size_t headers)
{
    return mtu > headers ? (mtu - headers) / UNIT * UNIT : 0;
}

static int
fragment_ip4(const uint8_t *ip, size_t len, size_t mtu, fragment_cb *cb,
             void *aux)
{
    const size_t header_len = (ip[0] & 0x0f) * 4;
    const size_t step = room(mtu, header_len);
    uint8_t header[IP4_MAX_LEN];

    if (header_len < IP4_MIN_LEN || header_len > len
        || get16(ip + 2) != len) {
        return EINVAL;
    } else if (!step) {
        return EMSGSIZE;
    }
    memcpy(header, ip, header_len);
    for (size_t pos = header_len; pos < len; pos += step) {
        const size_t n = len - pos < step ? len - pos : step;

        put16(header + 2, header_len + n);
        put16(header + 6, (get16(ip + 6) & IP4_FLAGS)
                | (pos + n < len ? IP4_MORE : 0) | (pos - header_len) / UNIT);
        set_checksum(header, header_len);
        cb(header, header_len, ip + pos, n, aux);
    }
    return 0;
}

/* Length of the headers that each fragment begins with: those that routers
 * look at.  '*next' gets the offset of the byte that names what follows. */
static size_t
ip6_unfragmentable(const uint8_t *ip, size_t len, size_t *next)
{
    size_t pos = IP6_LEN, kept = IP6_LEN;
    size_t type_at = 6;

    *next = type_at;
    while (pos + UNIT <= len) {
        const uint8_t type = ip[type_at];

        if (type != IPPROTO_HOPOPTS && type != IPPROTO_ROUTING
            && type != IPPROTO_DSTOPTS) {
            break;
        }
        type_at = pos;
        pos += (ip[pos + 1] + 1) * UNIT;
        if (type != IPPROTO_DSTOPTS) {
            /* Destination options ahead of a routing header are kept, too. */
            kept = pos;
            *next = type_at;
        }
    }
    return kept;
}

static int
fragment_ip6(const uint8_t *ip, size_t len, size_t mtu, uint32_t id,
             fragment_cb *cb, void *aux)
{
    uint8_t header[IP6_MAX_HEADERS + IP6_FRAGMENT_LEN];
    size_t next, kept, step;
    uint8_t *fragment;

    if (len < IP6_LEN || get16(ip + 4) + (size_t) IP6_LEN != len) {
        return EINVAL;
    }
    kept = ip6_unfragmentable(ip, len, &next);
    step = room(mtu, kept + IP6_FRAGMENT_LEN);
    if (kept > len || kept > IP6_MAX_HEADERS || !step) {
        return EMSGSIZE;
    }
    memcpy(header, ip, kept);
    header[next] = IPPROTO_FRAGMENT;
    fragment = header + kept;
    fragment[0] = ip[next];
    fragment[1] = 0;
    put16(fragment + 4, id >> 16);
    put16(fragment + 6, id);
    for (size_t pos = kept; pos < len; pos += step) {
        const size_t n = len - pos < step ? len - pos : step;

        put16(header + 4, kept - IP6_LEN + IP6_FRAGMENT_LEN + n);
        put16(fragment + 2, (pos - kept) | (pos + n < len));
        cb(header, kept + IP6_FRAGMENT_LEN, ip + pos, n, aux);
    }
    return 0;
}

int
ip_fragment(const void *ip, size_t len, size_t mtu, uint32_t id6,
            fragment_cb *cb, void *aux)
{
    const uint8_t version = len ? *(const uint8_t *) ip >> 4 : 0;

    return (version == 4 && len >= IP4_MIN_LEN
            ? fragment_ip4(ip, len, mtu, cb, aux)
            : version == 6 ? fragment_ip6(ip, len, mtu, id6, cb, aux)
            : EINVAL);
}
