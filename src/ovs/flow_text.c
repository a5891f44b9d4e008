/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Flows as text: see flow_text.h. */

#include <config.h>

#include "ovs/flow_text.h"

#include "base/tunnel.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"

static const char *const ends[] = { "src", "dst" };

static bool
is_ipv4(const struct in6_addr *addr)
{
    return IN6_IS_ADDR_V4MAPPED(addr);
}

void
flow_match_ip(struct ds *ds, enum flow_end end, const struct in6_addr *addr)
{
    ds_put_format(ds, is_ipv4(addr) ? "ip,nw_%s=" : "ipv6,ipv6_%s=",
                  ends[end]);
    ipv6_format_mapped(addr, ds);
}

void
flow_match_pair(struct ds *ds, const struct in6_addr *src,
                const struct in6_addr *dst)
{
    flow_match_ip(ds, FLOW_SRC, src);
    ds_put_format(ds, is_ipv4(dst) ? ",nw_%s=" : ",ipv6_%s=", ends[FLOW_DST]);
    ipv6_format_mapped(dst, ds);
}

void
flow_match_from_ue(struct ds *ds, const struct in6_addr *ue)
{
    flow_match_ip(ds, FLOW_SRC, ue);
    if (!is_ipv4(ue)) {
        ds_put_cstr(ds, "/64");
    }
}

/* "tun_src" or "tun_ipv6_src". */
static void
put_tunnel_field(struct ds *ds, enum flow_end end,
                 const struct in6_addr *addr)
{
    ds_put_format(ds, "tun_%s%s", is_ipv4(addr) ? "" : "ipv6_", ends[end]);
}

void
flow_match_tunnel(struct ds *ds, const struct tunnel *t)
{
    const struct in6_addr *addrs[] = { &t->src, &t->dst };

    ds_put_format(ds, "tun_id=%#"PRIx32, t->teid);
    for (int end = FLOW_SRC; end <= FLOW_DST; end++) {
        ds_put_char(ds, ',');
        put_tunnel_field(ds, end, addrs[end]);
        ds_put_char(ds, '=');
        ipv6_format_mapped(addrs[end], ds);
    }
}

void
flow_set_tunnel(struct ds *ds, const struct tunnel *t, uint8_t dscp)
{
    const struct in6_addr *addrs[] = { &t->src, &t->dst };

    ds_put_format(ds, "set_field:%#"PRIx32"->tun_id", t->teid);
    for (int end = FLOW_SRC; end <= FLOW_DST; end++) {
        ds_put_cstr(ds, ",set_field:");
        ipv6_format_mapped(addrs[end], ds);
        ds_put_cstr(ds, "->");
        put_tunnel_field(ds, end, addrs[end]);
    }
    ds_put_format(ds, ",set_field:%#"PRIx8"->pkt_mark", dscp);
}

/* A whole address as one number. */
static void
put_load_addr(struct ds *ds, enum flow_end end, const struct in6_addr *addr)
{
    const char *name = end == FLOW_SRC ? "SRC" : "DST";

    if (is_ipv4(addr)) {
        ds_put_format(ds, "load:%#"PRIx32"->NXM_NX_TUN_IPV4_%s[]",
                      ntohl(in6_addr_get_mapped_ipv4(addr)), name);
    } else {
        ds_put_cstr(ds, "load:0x");
        for (size_t i = 0; i < sizeof addr->s6_addr; i++) {
            ds_put_format(ds, "%02x", addr->s6_addr[i]);
        }
        ds_put_format(ds, "->NXM_NX_TUN_IPV6_%s[]", name);
    }
}

void
flow_load_tunnel(struct ds *ds, const struct tunnel *t, uint8_t dscp)
{
    ds_put_format(ds, "load:%#"PRIx32"->NXM_NX_TUN_ID[0..31],", t->teid);
    put_load_addr(ds, FLOW_SRC, &t->src);
    ds_put_char(ds, ',');
    put_load_addr(ds, FLOW_DST, &t->dst);
    ds_put_format(ds, ",load:%#"PRIx8"->NXM_NX_PKT_MARK[]", dscp);
}

/* What the field tun_gtpu_qfi must say to have a container built. */
static int
field_qfi(uint8_t qfi, bool uplink)
{
    return GTPU_QFI_SEND | (uplink ? GTPU_QFI_UL : 0) | (qfi & QFI_MASK);
}

void
flow_set_qfi(struct ds *ds, uint8_t qfi, bool uplink)
{
    if (qfi & QFI_PRESENT) {
        ds_put_format(ds, ",set_field:%#x->tun_gtpu_qfi",
                      field_qfi(qfi, uplink));
    }
}

void
flow_load_qfi(struct ds *ds, uint8_t qfi, bool uplink)
{
    if (qfi & QFI_PRESENT) {
        ds_put_format(ds, ",load:%#x->NXM_NX_TUN_GTPU_QFI[]",
                      field_qfi(qfi, uplink));
    }
}

void
flow_dscp_from_mark(struct ds *ds)
{
    ds_put_cstr(ds, "move:NXM_NX_PKT_MARK[0..5]->OXM_OF_IP_DSCP[]");
}
