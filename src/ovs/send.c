/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The agent's own packets, by packet-out: see send.h. */

#include <config.h>

#include "ovs/send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter/filter.h"
#include "gtp/gtpu.h"
#include "openvswitch/dynamic-string.h"
#include "ovs/classifier.h"
#include "ovs/ofctl.h"
#include "ovs/path.h"
#include "ovs/services.h"
#include "packets.h"
#include "util.h"

static const struct classifier_ports *ports;    /* NULL: not known. */
static struct ofctl *gtp, *tof;

void
ovs_send_init(struct ofctl *br_gtp, struct ofctl *br_tof)
{
    gtp = br_gtp;
    tof = br_tof;
    ports = NULL;
}

void
ovs_send_ports(const struct classifier_ports *ports_)
{
    ports = ports_;
}

/* The Ethernet type of an IP packet. */
static void
put_eth_type(uint8_t *frame, const void *ip)
{
    const uint8_t *version = ip;
    ovs_be16 type = htons(*version >> 4 == 6 ? ETH_TYPE_IPV6 : ETH_TYPE_IP);

    memcpy(frame + 2 * ETH_ADDR_LEN, &type, sizeof type);
}

static int
packet_out(const void *frame, size_t len, struct ds *actions)
{
    int error = ofctl_packet_out(tof, frame, len, ds_cstr(actions));

    ds_destroy(actions);
    return error;
}

int
ovs_send_up(const struct endpoint_bearer *b, const void *ip, size_t len)
{
    uint8_t frame[ETH_HEADER_LEN + 256] = { 0 };
    struct ds actions = DS_EMPTY_INITIALIZER;

    if (len > sizeof frame - ETH_HEADER_LEN) {
        return EMSGSIZE;
    } else if (!ports || !ofctl_is_synced(gtp)) {
        return ENOTCONN;
    }
    put_eth_type(frame, ip);
    memcpy(frame + ETH_HEADER_LEN, ip, len);
    if (!path_use(SIDE_ENB, &b->up.src, &b->up.dst)) {
        return EAGAIN;
    }
    classifier_send_up(ports, b, &actions);
    return packet_out(frame, ETH_HEADER_LEN + len, &actions);
}

/* By the flow tables, not by the datapath's cache of them: see
 * cache_guard.h. */
int
ovs_send_app(const struct endpoint_bearer *b, const void *ip, size_t len)
{
    struct ds actions = DS_EMPTY_INITIALIZER;
    struct gtpu_inner inner;
    uint8_t *frame;
    int error;

    if (gtpu_parse_inner(ip, len, &inner) != GTPU_OK
        || !ovs_services_has_way(&inner.dst)) {
        return ENOENT;
    }
    frame = xmalloc(ETH_HEADER_LEN + len);
    classifier_macs(b, frame);
    put_eth_type(frame, ip);
    memcpy(frame + ETH_HEADER_LEN, ip, len);
    classifier_send_app(&actions);
    error = packet_out(frame, ETH_HEADER_LEN + len, &actions);
    free(frame);
    return error == EAGAIN ? ENOBUFS : error;
}

int
ovs_send_down(const struct endpoint_bearer *b, const void *frame, size_t len)
{
    struct ds actions = DS_EMPTY_INITIALIZER;

    if (!ports) {
        return ENOTCONN;
    }
    if (!path_use(SIDE_SGW, &b->down.src, &b->down.dst)) {
        return EAGAIN;
    }
    classifier_send_down(ports, b, &actions);
    return packet_out(frame, len, &actions);
}
