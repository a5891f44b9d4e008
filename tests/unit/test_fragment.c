/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Fragments: put together again here, by their own headers. */

#include <config.h>

#include "filter/fragment.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "tap.h"

#define MTU 1500

static uint8_t whole[70000];            /* What is cut up. */
static uint8_t data[70000];             /* What the fragments carry. */
static size_t n_data;
static unsigned int n_fragments;
static bool last_seen, fits, in_order, headers_right;
static size_t header_size;              /* With IPv6, of all headers. */

static bool
checksum_right(const uint8_t *ip, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i += 2) {
        sum += ip[i] << 8 | ip[i + 1];
    }
    return sum % 0xffff == 0;
}

static void
take(const void *header_, size_t header_len, const void *data_, size_t len,
     void *aux)
{
    const size_t mtu = *(const size_t *) aux;
    const uint8_t *h = header_;
    const bool ip4 = h[0] >> 4 == 4;
    const uint8_t *at = ip4 ? h + 6 : h + header_len - 6;
    const uint16_t frag = at[0] << 8 | at[1];
    const size_t offset = ip4 ? (frag & 0x1fff) * 8 : frag & 0xfff8;
    const bool more = ip4 ? frag & 0x2000 : frag & 1;
    const size_t length = ip4 ? h[2] << 8 | h[3] : (h[4] << 8 | h[5]) + 40;

    n_fragments++;
    fits = fits && header_len + len <= mtu && length == header_len + len;
    in_order = in_order && !last_seen && offset == n_data && len
        && (!more || len % 8 == 0);
    headers_right = headers_right && header_len == header_size
        && (!ip4 || checksum_right(h, header_len));
    last_seen = !more;
    memcpy(data + n_data, data_, len);
    n_data += len;
}

static int
cut(size_t len, size_t mtu)
{
    n_data = n_fragments = 0;
    last_seen = false;
    fits = in_order = headers_right = true;
    return ip_fragment(whole, len, mtu, 0x12345678, take, &mtu);
}

static size_t
make_ip4(size_t header_len, size_t payload)
{
    const size_t len = header_len + payload;

    for (size_t i = 0; i < len; i++) {
        whole[i] = i * 7 + i / 256;
    }
    whole[0] = 0x40 | header_len / 4;
    whole[2] = len >> 8;
    whole[3] = len;
    whole[6] = whole[7] = 0;
    header_size = header_len;
    return len;
}

static size_t
make_ip6(size_t payload)
{
    const size_t len = 40 + payload;

    make_ip4(20, len - 20);
    whole[0] = 0x60;
    whole[4] = payload >> 8;
    whole[5] = payload;
    whole[6] = IPPROTO_UDP;
    header_size = 48;
    return len;
}

static void
check(const char *what, size_t len, size_t headers, size_t mtu,
      unsigned int expected)
{
    int error = cut(len, mtu);

    tap_ok(!error && n_fragments == expected && last_seen && fits && in_order
           && headers_right && n_data == len - headers
           && !memcmp(data, whole + headers, n_data),
           "%s: error %d, %u fragments", what, error, n_fragments);
}

static void
test_ip4(void)
{
    check("IPv4 of 1540 bytes", make_ip4(20, 1520), 20, MTU, 2);
    check("IPv4 that fits exactly", make_ip4(20, 1480), 20, MTU, 1);
    check("IPv4, one byte too long", make_ip4(20, 1481), 20, MTU, 2);
    check("IPv4 with options", make_ip4(60, 3000), 60, MTU, 3);
    check("IPv4 of 65535 bytes", make_ip4(20, 65515), 20, MTU, 45);
    check("IPv4 to an MTU that is no multiple of 8", make_ip4(20, 100), 20,
          67, 3);
    make_ip4(20, 100);
    whole[6] = 0x40;
    cut(120, 68);
    tap_ok(n_fragments == 3 && fits && in_order, "DF is no hindrance");
    tap_ok(cut(120, 27) == EMSGSIZE && !n_fragments, "no room for data");
    tap_ok(cut(119, MTU) == EINVAL && !n_fragments, "length that is wrong");
    whole[0] = 0x44;
    tap_ok(cut(120, MTU) == EINVAL && !n_fragments, "header length");
    tap_ok(cut(0, MTU) == EINVAL && cut(10, MTU) == EINVAL, "no header");
}

static void
test_ip6(void)
{
    size_t len = make_ip6(1500);

    check("IPv6 of 1540 bytes", len, 40, MTU, 2);
    check("IPv6 of 65575 bytes", make_ip6(65535), 40, MTU, 46);

    len = make_ip6(3000);
    whole[6] = IPPROTO_HOPOPTS;
    whole[40] = IPPROTO_UDP;
    whole[41] = 1;
    header_size = 64;
    check("IPv6 with hop-by-hop options", len, 56, MTU, 3);

    len = make_ip6(3000);
    whole[6] = IPPROTO_DSTOPTS;
    whole[40] = IPPROTO_ROUTING;
    whole[41] = 0;
    whole[48] = IPPROTO_UDP;
    whole[49] = 0;
    header_size = 64;
    check("IPv6, destination options ahead of a routing header", len, 56, MTU,
          3);

    len = make_ip6(3000);
    whole[6] = IPPROTO_DSTOPTS;
    whole[40] = IPPROTO_UDP;
    whole[41] = 0;
    check("IPv6, destination options for the receiver", len, 40, MTU, 3);

    len = make_ip6(3000);
    whole[6] = IPPROTO_HOPOPTS;
    whole[41] = 0xff;
    whole[40] = IPPROTO_HOPOPTS;
    tap_ok(cut(len, MTU) == EMSGSIZE && !n_fragments, "too many headers");
    make_ip6(100);
    tap_ok(cut(139, MTU) == EINVAL && cut(39, MTU) == EINVAL,
           "IPv6 length that is wrong");
}

int
main(void)
{
    test_ip4();
    test_ip6();
    return tap_done();
}
