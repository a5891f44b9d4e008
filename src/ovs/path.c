/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Ethernet headers of built packets: see path.h.  endpoint.c asks for a
 * path before it uses it. */

#include <config.h>

#include "ovs/path.h"

#include <stdlib.h>
#include <string.h>

#include "filter/l2.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "ovs/flow_text.h"
#include "ovs/ofctl.h"
#include "packets.h"
#include "util.h"

#define COOKIE_PATH (UINT64_C(2) << 32)
#define SPARE_MAX 16384         /* More than are being asked along at once. */

struct path {
    struct hmap_node node;              /* In paths. */
    struct hmap_node number_node;       /* In by_number. */
    struct ovs_list spare_node;         /* In spare, if !n_keepers. */
    unsigned int n_keepers;
    struct in6_addr src, dst;
    enum filter_side from;
    struct l2_header l2;
    uint32_t number;            /* Low half of the cookie. */
    uint64_t seqno;             /* Of ofctl, with its flow. */
};

static struct hmap paths, by_number;
static struct ovs_list spare;           /* Longest unused first. */
static size_t n_spare;
static struct ofctl *ofctl;
static ofp_port_t out_ports[2];     /* By the side that they come from. */

void
path_init(struct ofctl *br_gtp)
{
    hmap_init(&paths);
    hmap_init(&by_number);
    ovs_list_init(&spare);
    n_spare = 0;
    ofctl = br_gtp;
}

void
path_destroy(void)
{
    struct path *p;

    HMAP_FOR_EACH_POP (p, node, &paths) {
        free(p);
    }
    hmap_destroy(&paths);
    hmap_destroy(&by_number);
}

static struct path *
find(const struct in6_addr *src, const struct in6_addr *dst)
{
    struct path *p;

    HMAP_FOR_EACH_WITH_HASH (p, node, l2_hash_pair(src, dst), &paths) {
        if (IN6_ARE_ADDR_EQUAL(&p->src, src)
            && IN6_ARE_ADDR_EQUAL(&p->dst, dst)) {
            return p;
        }
    }
    return NULL;
}

static bool
number_taken(uint32_t number)
{
    return hmap_first_with_hash(&by_number, number) != NULL;
}

static void
compile(struct path *p)
{
    const uint8_t *l2 = p->l2.bytes;
    struct ds ds = DS_EMPTY_INITIALIZER;

    if (!out_ports[p->from]) {
        return;
    }
    ds_put_cstr(&ds, "table=0,priority=100,in_port=LOCAL,");
    flow_match_pair(&ds, &p->src, &p->dst);
    ds_put_cstr(&ds, ",actions=");
    flow_dscp_from_mark(&ds);
    ds_put_format(&ds, ",set_field:"ETH_ADDR_FMT"->eth_dst,"
                  "set_field:"ETH_ADDR_FMT"->eth_src,",
                  l2[0], l2[1], l2[2], l2[3], l2[4], l2[5],
                  l2[6], l2[7], l2[8], l2[9], l2[10], l2[11]);
    if (p->l2.len == VLAN_ETH_HEADER_LEN) {
        unsigned int tci = l2[14] << 8 | l2[15];
        ds_put_format(&ds, "push_vlan:0x8100,set_field:%u->vlan_vid,"
                      "set_field:%u->vlan_pcp,",
                      (tci & VLAN_VID_MASK) | 0x1000, tci >> 13);
    }
    ds_put_format(&ds, "output:%"PRIu32"\n", out_ports[p->from]);
    ofctl_set(ofctl, COOKIE_PATH + p->number, ds_cstr(&ds));
    p->seqno = ofctl_seqno(ofctl);
    ds_destroy(&ds);
}

void
path_ports(ofp_port_t enb, ofp_port_t sgw)
{
    struct path *p;

    out_ports[SIDE_SGW] = enb;
    out_ports[SIDE_ENB] = sgw;
    HMAP_FOR_EACH (p, node, &paths) {
        compile(p);
    }
}

static void
put_spare(struct path *p)
{
    ovs_list_push_back(&spare, &p->spare_node);
    n_spare++;
}

static void
take_spare(struct path *p)
{
    ovs_list_remove(&p->spare_node);
    n_spare--;
}

static void
trim_spare(void)
{
    while (n_spare > SPARE_MAX) {
        struct path *p = CONTAINER_OF(ovs_list_front(&spare), struct path,
                                      spare_node);

        ofctl_set(ofctl, COOKIE_PATH + p->number, "");
        take_spare(p);
        hmap_remove(&paths, &p->node);
        hmap_remove(&by_number, &p->number_node);
        free(p);
    }
}

static struct path *
create(enum filter_side from, const struct in6_addr *src,
       const struct in6_addr *dst)
{
    /* A number that depends on the addresses alone, so that a restarted tofd
     * gives a path's flow the same cookie and finds it as it should be. */
    uint32_t hash = l2_hash_pair(src, dst);
    struct l2_header l2;

    if (!l2_get(from, src, dst, &l2)) {
        return NULL;
    }
    struct path *p = xmalloc(sizeof *p);
    *p = (struct path) { .src = *src, .dst = *dst, .from = from, .l2 = l2,
                         .number = hash };
    while (number_taken(p->number)) {
        p->number++;
    }
    hmap_insert(&paths, &p->node, hash);
    hmap_insert(&by_number, &p->number_node, p->number);
    put_spare(p);
    compile(p);
    trim_spare();
    return p;
}

/* The path, made if a header has been seen for it; else NULL. */
static struct path *
get(enum filter_side from, const struct in6_addr *src,
    const struct in6_addr *dst)
{
    struct path *p = find(src, dst);

    if (!p) {
        return create(from, src, dst);
    }
    if (!p->n_keepers) {
        take_spare(p);
        put_spare(p);
    }
    return p;
}

bool
path_use(enum filter_side from, const struct in6_addr *src,
         const struct in6_addr *dst)
{
    const struct path *p = get(from, src, dst);

    return p && path_is_acked(p) && !path_is_refused(p);
}

bool
path_is_acked(const struct path *p)
{
    return !p || ofctl_acked(ofctl, p->seqno);
}

bool
path_is_refused(const struct path *p)
{
    return p && ofctl_is_refused(ofctl, COOKIE_PATH + p->number);
}

struct path *
path_keep(enum filter_side from, const struct in6_addr *src,
          const struct in6_addr *dst)
{
    struct path *p = get(from, src, dst);

    if (p && !p->n_keepers++) {
        take_spare(p);
    }
    return p;
}

void
path_drop(struct path *p)
{
    if (p && !--p->n_keepers) {
        put_spare(p);
        trim_spare();
    }
}

void
path_changed(enum filter_side from, const struct in6_addr *src,
             const struct in6_addr *dst, const struct l2_header *l2)
{
    struct path *p = find(src, dst);

    if (p && p->from == from && !l2_header_equal(&p->l2, l2)) {
        p->l2 = *l2;
        compile(p);
    }
}
