/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A UE's connection in a packet: see flow.h. */

#include <config.h>

#include "gtp/flow.h"

#include <string.h>

#include "gtp/gtpu.h"

#define TCP_FLAGS 13
#define TCP_SYN 0x02
#define TCP_ACK 0x10

/* The transport header with the ports, if it is where flow.h says. */
static const uint8_t *
find_l4(const uint8_t *ip, size_t len, uint8_t *proto)
{
    const bool v4 = ip[0] >> 4 == 4;
    const size_t min = v4 ? 20 : 40;

    *proto = v4 ? ip[9] : ip[6];
    return ((*proto == IPPROTO_TCP || *proto == IPPROTO_UDP)
            && (!v4 || (ip[0] == 0x45 && !(ip[6] & 0x3f) && !ip[7]))
            && len >= min + 4 ? ip + min : NULL);
}

bool
flow_read(struct flow *f, const void *ip_, size_t len, bool *begins)
{
    const uint8_t *ip = ip_, *l4;
    struct gtpu_inner inner;
    uint8_t proto;

    *begins = false;
    if (gtpu_parse_inner(ip, len, &inner) != GTPU_OK) {
        return false;
    }
    memset(f, 0, sizeof *f);
    f->src = inner.src;
    f->dst = inner.dst;
    l4 = find_l4(ip, len, &proto);
    if (l4) {
        memcpy(f->ports, l4, sizeof f->ports);
        f->is_tcp = proto == IPPROTO_TCP;
        *begins = (f->is_tcp && l4 + TCP_FLAGS < ip + len
                   && (l4[TCP_FLAGS] & (TCP_SYN | TCP_ACK)) == TCP_SYN);
    }
    return true;
}
