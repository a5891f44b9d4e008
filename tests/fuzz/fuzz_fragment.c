/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer target: cutting a packet into fragments.  Each fits, and together
 * they are the packet. */

#include "filter/fragment.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

struct whole {
    uint8_t data[70000];
    size_t len, mtu, n;
    bool v6, more;
};

static void
check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void
put_together(const void *header_, size_t header_len, const void *data,
             size_t len, void *whole_)
{
    const uint8_t *h = header_;
    struct whole *w = whole_;
    size_t offset;

    check(header_len + len <= w->mtu);
    check(!w->n || w->more);
    if (w->v6) {
        offset = get16(h + header_len - 6) & 0xfff8;
        w->more = h[header_len - 5] & 1;
        check(get16(h + 4) + 40u == header_len + len);
    } else {
        offset = (get16(h + 6) & 0x1fff) * 8;
        w->more = h[6] & 0x20;
        check(get16(h + 2) == header_len + len);
    }
    check(offset == w->len && w->len + len <= sizeof w->data);
    check(!w->more || len % 8 == 0);
    memcpy(w->data + w->len, data, len);
    w->len += len;
    w->n++;
}

/* Most inputs get a length field that is right. */
static void
mend(uint8_t *ip, size_t size)
{
    if (ip[0] >> 4 == 6) {
        put16(ip + 4, size - 40);
    } else {
        ip[0] = 0x40 | (ip[0] & 15);
        put16(ip + 2, size);
        ip[6] &= 0xc0;
        ip[7] = 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct whole whole;

    if (size < 43 || size > 65535) {
        return 0;
    }
    const size_t mtu = get16(data), len = size - 3;
    uint8_t *ip = malloc(len);

    memcpy(ip, data + 3, len);
    if (data[2] & 1) {
        mend(ip, len);
    }
    whole.len = whole.n = 0;
    whole.mtu = mtu;
    whole.v6 = ip[0] >> 4 == 6;
    whole.more = false;
    int error = ip_fragment(ip, len, mtu, 7, put_together, &whole);
    check(!error || !whole.n);
    if (whole.n) {
        check(!whole.more && whole.len <= len
              && !memcmp(whole.data, ip + len - whole.len, whole.len));
    }
    free(ip);
    return 0;
}
