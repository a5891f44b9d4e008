/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Services in br-tof: see services.h. */

#include <config.h>

#include "ovs/services.h"

#include <errno.h>
#include <stdlib.h>

#include "base/service_spec.h"
#include "conf/conf.h"
#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "ovs/cache_guard.h"
#include "ovs/classifier.h"
#include "ovs/ofctl.h"
#include "ovs/ovsdb.h"
#include "ovs/ports.h"
#include "ovs/sff.h"
#include "timeval.h"
#include "util.h"

struct ovs_service {
    struct hmap_node node;              /* In services, by service IP. */
    struct hmap_node number_node;       /* In by_number. */
    struct service_spec spec;
    uint32_t number;                    /* Low half of the cookie. */
    uint64_t seqno;
    long long int guarded_until;        /* Not diverted before this. */
    struct ovs_list guarded_node;       /* In 'guarded', or alone. */
    bool compiled;                      /* All ports are known. */
};

static struct hmap services, by_number;
static struct ovs_list guarded; /* Whose time, in 'guarded_until', may come. */
static const struct conf *conf;
static struct ofctl *tof;
static ofp_port_t nat_port;

void
ovs_services_init(const struct conf *conf_, struct ofctl *br_tof)
{
    hmap_init(&services);
    hmap_init(&by_number);
    ovs_list_init(&guarded);
    conf = conf_;
    tof = br_tof;
    nat_port = 0;
}

void
ovs_services_destroy(void)
{
    struct ovs_service *os;

    HMAP_FOR_EACH_POP (os, node, &services) {
        free(os);
    }
    hmap_destroy(&services);
    hmap_destroy(&by_number);
}

void
ovs_services_wait(void)
{
    struct ovs_service *os;

    LIST_FOR_EACH_SAFE (os, guarded_node, &guarded) {
        if (time_msec() < os->guarded_until) {
            poll_timer_wait_until(os->guarded_until);
        } else {
            ovs_list_remove(&os->guarded_node);
            ovs_list_init(&os->guarded_node);
        }
    }
}

static uint32_t
hash_ip(const struct in6_addr *ip)
{
    return hash_bytes(ip, sizeof *ip, 0);
}

static struct ovs_service *
find(const struct in6_addr *ip)
{
    struct ovs_service *os;

    HMAP_FOR_EACH_WITH_HASH (os, node, hash_ip(ip), &services) {
        if (IN6_ARE_ADDR_EQUAL(&os->spec.service_ip, ip)) {
            return os;
        }
    }
    return NULL;
}

static struct ovs_service *
find_by_number(uint32_t number)
{
    struct hmap_node *node = hmap_first_with_hash(&by_number, number);

    return node ? CONTAINER_OF(node, struct ovs_service, number_node) : NULL;
}

const struct in6_addr *
ovs_services_by_cookie(uint64_t cookie)
{
    const struct ovs_service *os = find_by_number(cookie);

    return os && cookie - os->number == COOKIE_SERVICE ? &os->spec.service_ip
           : NULL;
}

/* 'flows', or 'broken' while its chain cannot be run: with a cookie of their
 * own, since what they drop does not count as the service's.  Takes both
 * over. */
static void
set_flows(const struct ovs_service *os, struct ds *flows, struct ds *broken)
{
    ofctl_set(tof, COOKIE_SERVICE + os->number, ds_cstr(flows));
    ofctl_set(tof, COOKIE_BROKEN + os->number, ds_cstr(broken));
    ds_destroy(flows);
    ds_destroy(broken);
}

static void
compile(struct ovs_service *os)
{
    bool was_compiled = os->compiled;
    struct sff_hop hops[SERVICE_CHAIN_MAX];
    struct ds flows = DS_EMPTY_INITIALIZER, broken = DS_EMPTY_INITIALIZER;
    size_t n = os->spec.n_chain;

    os->compiled = true;
    for (size_t i = 0; i < n; i++) {
        const struct conf_function *f =
            ovs_ports_function(conf, os->spec.chain[i]);
        hops[i].in = f ? vswitch_ofport(f->in, NULL) : 0;
        hops[i].out = f ? vswitch_ofport(f->out, NULL) : 0;
        os->compiled = os->compiled && hops[i].in && hops[i].out;
    }
    if (os->compiled) {
        classifier_service(&os->spec, n ? hops[0].in : nat_port, &flows);
        sff_service(&os->spec, hops, n, nat_port, &flows);
    } else {
        sff_broken(&os->spec, &broken);
    }
    if (was_compiled && !os->compiled) {
        cache_guard_note(&os->spec.service_ip, 0);
    }
    set_flows(os, &flows, &broken);
    os->seqno = ofctl_seqno(tof);
}

void
ovs_services_ports(ofp_port_t nat)
{
    struct ovs_service *os;

    nat_port = nat;
    if (nat_port) {
        HMAP_FOR_EACH (os, node, &services) {
            compile(os);
        }
    }
}

/* Its number depends on its address alone, so that a restarted tofd finds the
 * flows as they should be; but for two services whose hashes are the same. */
static struct ovs_service *
create(const struct in6_addr *ip)
{
    struct ovs_service *os = xzalloc(sizeof *os);

    os->number = hash_ip(ip);
    ovs_list_init(&os->guarded_node);
    hmap_insert(&services, &os->node, os->number);
    while (find_by_number(os->number)) {
        os->number++;
    }
    hmap_insert(&by_number, &os->number_node, os->number);
    return os;
}

int
ovs_services_set(const struct service_spec *spec)
{
    struct ovs_service *os = find(&spec->service_ip);

    for (size_t i = 0; i < spec->n_chain; i++) {
        if (!ovs_ports_function(conf, spec->chain[i])) {
            return ENOENT;
        }
    }
    if (!os) {
        os = create(&spec->service_ip);
    } else if (!service_spec_same_chain(&os->spec, spec)) {
        /* By the cache, packets go the old way for a while. */
        cache_guard_note(&spec->service_ip, 0);
    }
    os->spec = *spec;
    os->compiled = false;
    os->guarded_until = cache_guard_until(&spec->service_ip, 0);
    ovs_list_remove(&os->guarded_node);
    ovs_list_push_back(&guarded, &os->guarded_node);
    if (nat_port) {
        compile(os);
    }
    return 0;
}

void
ovs_services_clear(const struct in6_addr *ip)
{
    struct ovs_service *os = find(ip);

    if (os) {
        ofctl_set(tof, COOKIE_SERVICE + os->number, "");
        ofctl_set(tof, COOKIE_BROKEN + os->number, "");
        cache_guard_note(ip, 0);
        hmap_remove(&services, &os->node);
        hmap_remove(&by_number, &os->number_node);
        ovs_list_remove(&os->guarded_node);
        free(os);
    }
}

static bool
is_refused(const struct ovs_service *os)
{
    return (ofctl_is_refused(tof, COOKIE_SERVICE + os->number)
            || ofctl_is_refused(tof, COOKIE_BROKEN + os->number));
}

bool
ovs_services_possible(const struct service_spec *spec, const char **why)
{
    const struct ovs_service *os = find(&spec->service_ip);

    *why = (os && is_refused(os) ? "Open vSwitch refuses its flows" : NULL);
    for (size_t i = 0; nat_port && !*why && i < spec->n_chain; i++) {
        const struct conf_function *f =
            ovs_ports_function(conf, spec->chain[i]);
        *why = f ? ovs_ports_missing(f) : NULL;
    }
    return !*why;
}

bool
ovs_services_has_way(const struct in6_addr *ip)
{
    const struct ovs_service *os = find(ip);

    return os && os->compiled && !is_refused(os);
}

bool
ovs_services_ready(const struct in6_addr *ip)
{
    const struct ovs_service *os = find(ip);

    return (os && os->compiled && ofctl_acked(tof, os->seqno)
            && !is_refused(os) && time_msec() >= os->guarded_until);
}
