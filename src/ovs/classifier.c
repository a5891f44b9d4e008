/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Flows of br-tof: see classifier.h for the tables. */

#include <config.h>

#include "ovs/classifier.h"

#include <string.h>

#include "base/service_spec.h"
#include "base/tunnel.h"
#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "ovs/flow_text.h"
#include "packets.h"

static void
format_id_mac(struct ds *ds, uint32_t id)
{
    ds_put_format(ds, "02:00:%02x:%02x:%02x:%02x", id >> 24, id >> 16 & 0xff,
                  id >> 8 & 0xff, id & 0xff);
}

void
classifier_static(const struct classifier_ports *ports, struct ds *ds)
{
    ds_put_format(ds, "table=%d,priority=50,in_port=%"PRIu32
                  ",actions=goto_table:%d\n",
                  TABLE_INPUT, ports->nat, TABLE_ANSWER);
    ds_put_format(ds, "table=%d,priority=50,in_port=%"PRIu32
                  ",actions=controller(max_len=65535)\n",
                  TABLE_INPUT, ports->gtp);
    ds_put_format(ds, "table=%d,priority=0,actions=goto_table:%d\n",
                  TABLE_ANSWER, TABLE_DOWNLINK);
    ds_put_format(ds, "table=%d,priority=0,actions=goto_table:%d\n",
                  TABLE_DOWNLINK, TABLE_TUNNEL);
    ds_put_format(ds, "table=%d,priority=100,reg0=0,"
                  "actions=controller(max_len=65535)\n", TABLE_TUNNEL);
    ds_put_format(ds, "table=%d,priority=0,actions=output:NXM_NX_REG0[]\n",
                  TABLE_TUNNEL);
}

void
classifier_static_chain(const struct classifier_ports *ports, struct ds *ds)
{
    ds_put_format(ds, "table=%d,priority=50,in_port=%"PRIu32
                  ",actions=goto_table:%d\n",
                  TABLE_INPUT, ports->gtp, TABLE_CLASSIFIER);
    ds_put_format(ds, "table=%d,priority=50,in_port=%"PRIu32
                  ",actions=goto_table:%d\n",
                  TABLE_INPUT, ports->nat, TABLE_ANSWER);
    ds_put_format(ds, "table=%d,priority=0,actions=output:%"PRIu32"\n",
                  TABLE_DOWNLINK, ports->gtp);
}

/* Stands for the pair of tunnels of 'b'; the same in every life of tofd. */
static uint32_t
hash_downlink(const struct endpoint_bearer *b)
{
    return hash_bytes(&b->down, sizeof b->down,
                      hash_bytes(&b->up, sizeof b->up, 0)) | 1;
}

/* "load" actions that put the downlink tunnel and the port to it in place;
 * the same for the learn action and the lease itself. */
static void
format_downlink(struct ds *ds, const struct classifier_ports *ports,
                const struct endpoint_bearer *b)
{
    flow_load_tunnel(ds, &b->down, b->down_dscp);
    flow_load_qfi(ds, b->down_qfi, false);
    ds_put_format(ds, ",load:%#"PRIx32"->NXM_NX_REG0[]", ports->gtp);
}

void
classifier_bearer(const struct classifier_ports *ports,
                  const struct endpoint_bearer *b,
                  unsigned int evidence_seconds, struct ds *ds)
{
    ds_put_format(ds, "table=%d,priority=100,in_port=%"PRIu32",",
                  TABLE_INPUT, ports->gtp);
    flow_match_tunnel(ds, &b->up);
    ds_put_char(ds, ',');
    flow_match_from_ue(ds, &b->ue);
    ds_put_cstr(ds, ",actions=set_field:");
    format_id_mac(ds, b->id);
    ds_put_format(ds, "->eth_src,set_field:02:00:00:00:%02x:%02x->eth_dst,",
                  b->space >> 8, b->space & 0xff);
    ds_put_format(ds, "learn(table=%d,priority=100,hard_timeout=%u,"
                  "cookie=%#"PRIx32",NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
                  "NXM_NX_REG1[]=%#"PRIx32",",
                  TABLE_LEASE, evidence_seconds, b->id, hash_downlink(b));
    format_downlink(ds, ports, b);
    ds_put_format(ds, "),goto_table:%d\n", TABLE_CLASSIFIER);

    ds_put_format(ds, "table=%d,priority=100,dl_dst=", TABLE_DOWNLINK);
    format_id_mac(ds, b->id);
    ds_put_format(ds, ",actions=load:%#"PRIx32"->NXM_NX_REG1[],"
                  "resubmit(,%d),goto_table:%d\n",
                  hash_downlink(b), TABLE_LEASE, TABLE_TUNNEL);
}

void
classifier_lease(const struct classifier_ports *ports,
                 const struct endpoint_bearer *b,
                 unsigned int evidence_seconds, struct ds *ds)
{
    ds_put_format(ds, "table=%d,priority=100,hard_timeout=%u,dl_dst=",
                  TABLE_LEASE, evidence_seconds);
    format_id_mac(ds, b->id);
    ds_put_format(ds, ",reg1=%#"PRIx32",actions=", hash_downlink(b));
    format_downlink(ds, ports, b);
}

void
classifier_service(const struct service_spec *spec, ofp_port_t first,
                   struct ds *ds)
{
    ds_put_format(ds, "table=%d,priority=100,", TABLE_CLASSIFIER);
    flow_match_ip(ds, FLOW_DST, &spec->service_ip);
    ds_put_format(ds, ",actions=output:%"PRIu32"\n", first);
}

void
classifier_macs(const struct endpoint_bearer *b, uint8_t dst_src[12])
{
    const uint8_t macs[12] = {
        0x02, 0, 0, 0, b->space >> 8, b->space,
        0x02, 0, b->id >> 24, b->id >> 16, b->id >> 8, b->id,
    };

    memcpy(dst_src, macs, sizeof macs);
}

void
classifier_send_app(struct ds *ds)
{
    ds_put_format(ds, "resubmit(,%d)", TABLE_CLASSIFIER);
}

void
classifier_send_up(const struct classifier_ports *ports,
                   const struct endpoint_bearer *b, struct ds *ds)
{
    const char *field = IN6_IS_ADDR_V4MAPPED(&b->ue_addr) ? "ip_src"
                        : "ipv6_src";

    ds_put_cstr(ds, "set_field:");
    ipv6_format_mapped(&b->ue_addr, ds);
    ds_put_format(ds, "->%s,", field);
    flow_set_tunnel(ds, &b->up, b->up_dscp);
    flow_set_qfi(ds, b->up_qfi, true);
    ds_put_format(ds, ",output:%"PRIu32, ports->gtp);
}

void
classifier_send_down(const struct classifier_ports *ports,
                     const struct endpoint_bearer *b, struct ds *ds)
{
    flow_set_tunnel(ds, &b->down, b->down_dscp);
    flow_set_qfi(ds, b->down_qfi, false);
    ds_put_format(ds, ",output:%"PRIu32, ports->gtp);
}
