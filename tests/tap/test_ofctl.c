/* SPDX-License-Identifier: GPL-3.0-or-later */

/* ofctl.c against a real ovs-vswitchd: what is wanted is there, what is there
 * is not sent again, and nothing else remains. */

#include <errno.h>
#include <net/if.h>
#include <net/ethernet.h>
#include <netpacket/packet.h>
#include <signal.h>
#include <sys/socket.h>

#include "openvswitch/dynamic-string.h"
#include "ovs/ofctl.h"
#include "ovstest.h"

#define BRIDGE "br-test"
#define LEASED 20
#define MANY 5000

static struct ofctl *ofctl;

/* What the callbacks have seen. */
static struct {
    int n_packet_ins;
    struct ofctl_packet_in packet_in;
    uint8_t frame[65536];
    int n_stats;
    struct ofctl_flow_stats stats[64];
} seen;

static void
pump_run(void)
{
    if (ofctl) {
        ofctl_run(ofctl);
    }
}

static void
pump_wait(void)
{
    if (ofctl) {
        ofctl_wait(ofctl);
    }
}

static void
on_packet_in(const struct ofctl_packet_in *pin, void *aux OVS_UNUSED)
{
    seen.n_packet_ins++;
    seen.packet_in = *pin;
    memcpy(seen.frame, pin->frame, pin->len);
}

static void
on_flow_stats(const struct ofctl_flow_stats *stats, void *aux OVS_UNUSED)
{
    if (seen.n_stats < (int) ARRAY_SIZE(seen.stats)) {
        seen.stats[seen.n_stats] = *stats;
    }
    seen.n_stats++;
}

static void
create(void)
{
    static const struct ofctl_callbacks cbs = {
        .packet_in = on_packet_in,
        .flow_stats = on_flow_stats,
    };
    char *target = xasprintf("unix:%s/%s.mgmt", getenv("OVS_RUNDIR"), BRIDGE);

    ofctl = ofctl_create(BRIDGE, target, UINT64_C(1) << LEASED, &cbs);
    free(target);
}

static void
destroy(void)
{
    ofctl_destroy(ofctl);
    ofctl = NULL;
}

/* Waits until the switch has confirmed everything. */
static bool
synced(void)
{
    return WAIT_FOR(15000, ofctl_acked(ofctl, ofctl_seqno(ofctl)));
}

/* Number of the switch's flows that match. */
static int
n_flows(const char *match)
{
    return SH_NUMBER("ovs-ofctl -O OpenFlow15 dump-flows " BRIDGE
                     " '%s' | grep -c cookie= || :", match);
}

/* Flow modifications that 'ACTION' makes. */
#define MODS(ACTION)                                            \
    ({                                                          \
        uint64_t before__ = ofctl_flow_mods(ofctl);             \
        ACTION;                                                 \
        synced();                                               \
        (int) (ofctl_flow_mods(ofctl) - before__);              \
    })

static void
test_set(void)
{
    uint64_t seqno;

    tap_ok(!ofctl_is_synced(ofctl), "not synchronised before it starts");
    tap_ok(!ofctl_acked(ofctl, 0), "nothing acknowledged before it starts");
    ofctl_start(ofctl);
    tap_ok(synced() && ofctl_is_synced(ofctl), "connects and synchronises");
    tap_ok(ofctl_flow_mods(ofctl) == 0, "nothing wanted: nothing sent");

    ofctl_set(ofctl, 1, "table=0,priority=10,ip,nw_dst=198.51.100.10,"
              "actions=output:3\n"
              "table=0,priority=5,in_port=3,actions=output:1\n"
              "table=1,priority=1,actions=drop\n");
    seqno = ofctl_seqno(ofctl);
    tap_ok(!ofctl_acked(ofctl, seqno), "a change is not acknowledged at once");
    synced();
    tap_ok(n_flows("cookie=1/-1") == 3, "three flows set are there");
    tap_ok(ofctl_acked(ofctl, seqno), "and acknowledged");
    tap_ok(ofctl_flow_mods(ofctl) == 3, "by three modifications");
}

static void
test_difference(void)
{
    static const char *flows = "priority=5,in_port=3,actions=output:1\n"
        "table=1,priority=1,actions=drop\n";

    ofctl_set(ofctl, 1, flows);
    synced();
    tap_ok(n_flows("cookie=1/-1") == 2, "a flow taken out is gone");
    tap_ok(MODS(ofctl_set(ofctl, 1, flows)) == 0, "the same again: nothing");
    tap_ok(MODS(ofctl_set(ofctl, 1, "table=1, priority=1, actions=drop\n"
                          "in_port=3,priority=5,table=0,actions=1")) == 0,
           "the same in other words: nothing");
    tap_ok(MODS(ofctl_set(ofctl, 1, "priority=5,in_port=3,actions=output:2\n"
                          "table=1,priority=1,actions=drop")) == 1,
           "one action changed: one modification");
    tap_ok(strstr(sh("ovs-ofctl -O OpenFlow15 dump-flows " BRIDGE
                     " in_port=3"), "actions=output:2") != NULL,
           "and the switch has it");
    tap_ok(MODS((ofctl_set(ofctl, 1, ""), ofctl_set(ofctl, 1, flows))) == 1,
           "changes between two runs: only their sum is sent");
    tap_ok(MODS(ofctl_set(ofctl, 1, "")) == 2 && n_flows("") == 0,
           "a group cleared is gone");
    tap_ok(MODS(ofctl_set(ofctl, 9, "")) == 0, "clearing no group: nothing");
}

static void
test_same_slot(void)
{
    ofctl_set(ofctl, 1, "priority=5,in_port=3,actions=output:1");
    synced();
    ofctl_set(ofctl, 2, "priority=5,in_port=3,actions=output:2");
    synced();
    tap_ok(n_flows("cookie=2/-1") == 1 && n_flows("cookie=1/-1") == 0,
           "two groups, one place: the last has it");
    ofctl_set(ofctl, 1, "");
    synced();
    tap_ok(n_flows("cookie=2/-1") == 1, "the first goes: no change");
    ofctl_set(ofctl, 1, "priority=5,in_port=3,actions=output:1");
    ofctl_set(ofctl, 1, "priority=5,in_port=3,actions=output:4");
    ofctl_set(ofctl, 2, "priority=6,in_port=3,actions=output:2");
    synced();
    tap_ok(n_flows("cookie=1/-1") == 1 && n_flows("cookie=2/-1") == 1,
           "the other moves: both are there");
    ofctl_set(ofctl, 1, "");
    ofctl_set(ofctl, 2, "");
    synced();
    tap_ok(n_flows("") == 0, "both cleared: nothing left");
}

static void
test_bad_text(void)
{
    static const char *bad[] = {
        "table=0,priority=10,nonsense=1,actions=drop",
        "table=0,priority=10,ip,nw_dst=198.51.100,actions=drop",
        "table=0,priority=10,ip",
        "priority=10,tp_dst=80,tcp,actions=set_field:1->nonsense",
        "actions=drop\nactions=fly",
        "in_port=eth0,actions=drop",
    };

    ofctl_set(ofctl, 1, "priority=5,in_port=3,actions=output:1");
    synced();
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        uint64_t seqno = ofctl_seqno(ofctl);

        tap_ok(ofctl_set(ofctl, 1, bad[i]) == EINVAL
               && ofctl_seqno(ofctl) == seqno, "bad flow %zu: EINVAL", i);
    }
    synced();
    tap_ok(n_flows("cookie=1/-1") == 1, "and nothing changed");
    tap_ok(ofctl_set(ofctl, 0, "actions=drop") == EINVAL, "cookie 0: EINVAL");
    ofctl_set(ofctl, 1, "");
    synced();
}

/* Group 99 does not exist: only the switch knows. */
static void
test_refused(void)
{
    tap_ok(ofctl_last_error(ofctl) == NULL, "no error so far");
    ofctl_set(ofctl, 1, "priority=5,in_port=1,actions=output:2\n"
              "priority=5,in_port=2,actions=group:99");
    ofctl_set(ofctl, 2, "priority=5,in_port=3,actions=output:2");
    tap_ok(synced(), "a refused flow does not hold up the rest");
    tap_ok(n_flows("") == 2, "which is there");
    tap_ok(ofctl_is_refused(ofctl, 1) && !ofctl_is_refused(ofctl, 2),
           "its group is refused, the other one is not");
    tap_ok(ofctl_last_error(ofctl)
           && strstr(ofctl_last_error(ofctl), "OFPBAC_BAD_OUT_GROUP")
           && strstr(ofctl_last_error(ofctl), "in_port=2"),
           "the error is told: %s", ofctl_last_error(ofctl));
    ofctl_set(ofctl, 2, "priority=5,in_port=3,actions=output:1");
    synced();
    tap_ok(ofctl_last_error(ofctl) != NULL, "as long as it is wanted");
    tap_ok(MODS(ofctl_set(ofctl, 1, "priority=5,in_port=1,actions=output:2\n"
                          "priority=5,in_port=2,actions=output:3")) == 1,
           "another action is tried");
    tap_ok(n_flows("") == 3 && !ofctl_last_error(ofctl),
           "and taken: no error any more");
    ofctl_set(ofctl, 1, "");
    ofctl_set(ofctl, 2, "");
    synced();
}

/* Flows as the compilers make them, and then some: each must look the same to
 * the switch and to us. */
static const char *rich =
    "table=0,priority=100,ip,nw_dst=198.51.100.10,actions=output:3\n"
    "priority=100,ip,nw_src=10.45.0.0/16,actions=mod_dl_dst:02:00:00:00:00:01"
    ",output:2\n"
    "priority=100,ipv6,ipv6_dst=2001:db8::/64,actions=set_field:"
    "02:00:00:00:00:0a->eth_dst,resubmit(,5)\n"
    "priority=99,in_port=LOCAL,udp,tp_dst=2152,actions=LOCAL\n"
    "priority=99,tcp,tp_dst=80,actions=ct(commit,zone=5,table=7,"
    "exec(set_field:0x7->ct_mark))\n"
    "priority=98,ct_state=+trk+est,ip,actions=IN_PORT\n"
    "priority=98,vlan_tci=0x1005/0x1fff,actions=pop_vlan,output:2\n"
    "priority=98,dl_vlan=7,actions=push_vlan:0x8100,set_field:4103->vlan_vid,"
    "output:1\n"
    "priority=97,icmp,nw_tos=184,actions=controller(max_len=65535,id=0)\n"
    "priority=97,arp,arp_tpa=10.0.0.1,actions=CONTROLLER:65535\n"
    "table=5,priority=3,tun_id=0x5,tun_src=10.1.0.1,tun_dst=10.1.0.2,"
    "actions=load:0x5->NXM_NX_REG0[],move:NXM_OF_ETH_SRC[0..31]->"
    "NXM_NX_REG1[],resubmit(,6)\n"
    "table=5,priority=3,reg0=0x5/0xff,actions=set_field:10.1.0.2->tun_src,"
    "set_field:10.1.0.1->tun_dst,set_field:0x99->tun_id,output:4\n"
    "table=5,priority=2,dl_src=02:00:00:00:00:00/ff:ff:00:00:00:00,"
    "metadata=0x1234,actions=write_metadata:0x1/0xf,goto_table:6\n"
    "table=6,priority=1,actions=output:NXM_NX_REG0[0..15]\n"
    "table=6,priority=2,ip_frag=later,ip,actions=drop\n"
    "table=6,priority=2,icmp6,icmp_type=135,nd_target=fe80::1,actions="
    "set_field:64->nw_ttl,dec_ttl,output:1,output:2\n"
    "table=6,priority=4,ip,nw_ecn=1,actions=clone(set_field:1.2.3.4->ip_dst,"
    "output:1),output:2\n"
    "table=7,priority=7,pkt_mark=0x1,actions=learn(table=8,hard_timeout=3,"
    "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),ct_clear\n"
    "table=7,priority=1,importance=5,actions=note:01.02.03.04.05.06,"
    "write_actions(output:1)\n";

static const int n_rich = 19;

static void
test_second_start(const char *protocols)
{
    sh("ovs-vsctl set bridge " BRIDGE " protocols=%s", protocols);
    WAIT_FOR(3000, !ofctl_is_connected(ofctl));
    WAIT_FOR(5000, ofctl_is_connected(ofctl));
    ofctl_set(ofctl, 7, rich);
    synced();
    tap_ok(!ofctl_last_error(ofctl), "%s: no error (%s)", protocols,
           ofctl_last_error(ofctl));

    for (int i = 0; i < 2; i++) {
        destroy();
        create();
        ofctl_set(ofctl, 7, rich);
        ofctl_start(ofctl);
        synced();
        tap_ok(ofctl_is_synced(ofctl) && ofctl_flow_mods(ofctl) == 0,
               "%s: second start sends nothing (sent %d)", protocols,
               (int) ofctl_flow_mods(ofctl));
    }
    tap_ok(SH_NUMBER("ovs-ofctl -O %s dump-flows " BRIDGE
                     " | grep -c cookie=0x7", strrchr(protocols, ',')
                     ? "OpenFlow15" : protocols) == n_rich,
           "%s: and all %d flows are there", protocols, n_rich);
    ofctl_set(ofctl, 7, "");
    synced();
}

static void
test_strays(void)
{
    ofctl_set(ofctl, 1, "priority=5,in_port=3,actions=output:1");
    synced();
    destroy();

    sh("ovs-ofctl -O OpenFlow15 add-flow " BRIDGE
       " cookie=5,table=3,ip,nw_src=1.2.3.4,actions=drop");
    sh("ovs-ofctl -O OpenFlow15 add-flow " BRIDGE
       " cookie=1,priority=6,in_port=3,actions=output:1");
    sh("ovs-ofctl -O OpenFlow15 add-flow " BRIDGE
       " cookie=5,table=%d,ip,nw_src=1.2.3.4,actions=drop", LEASED);
    create();
    ofctl_set(ofctl, 1, "priority=5,in_port=3,actions=output:1");
    pump_for(200);
    tap_ok(n_flows("") == 4, "nothing is removed before it is started");
    ofctl_start(ofctl);
    synced();
    tap_ok(ofctl_flow_mods(ofctl) == 2, "strays: two deletions");
    tap_ok(n_flows("table=3") == 0 && n_flows("table=0") == 1,
           "they are gone, ours is there");
    char *leased = xasprintf("table=%d", LEASED);
    tap_ok(n_flows(leased) == 1, "a leased table is not touched");

    tap_ok(!ofctl_unlease(ofctl, leased) && synced()
           && n_flows(leased) == 0, "unless asked to");
    free(leased);
    ofctl_set(ofctl, 1, "");
    synced();
}

static void
test_lease(void)
{
    const char *lease = "table=20,ip,nw_src=10.45.0.1,hard_timeout=2,"
        "actions=output:2";
    long long int start = time_msec();
    bool always = true;

    tap_ok(ofctl_lease(ofctl, 5, "table=3,hard_timeout=2,actions=drop")
           == EINVAL, "a lease belongs in a leased table");
    tap_ok(ofctl_unlease(ofctl, "cookie=5/-1") == EINVAL,
           "likewise its end");
    while (time_msec() < start + 4500) {
        tap_n_failed += ofctl_lease(ofctl, 5, lease) != 0;
        synced();
        always = always && n_flows("table=20,cookie=5/-1") == 1;
        pump_for(800);
    }
    tap_ok(always, "renewing a lease prolongs it");
    tap_ok(WAIT_FOR(4000, n_flows("table=20") == 0), "it ends by itself");

    ofctl_lease(ofctl, 5, lease);
    ofctl_lease(ofctl, 6, "table=20,ip,nw_src=10.45.0.2,hard_timeout=60,"
                "actions=output:2");
    ofctl_unlease(ofctl, "table=20,cookie=0x5/-1");
    synced();
    tap_ok(n_flows("table=20,cookie=5/-1") == 0
           && n_flows("table=20,cookie=6/-1") == 1,
           "in order, and only what matches ends");
    ofctl_lease(ofctl, 8, "table=20,ip,nw_src=10.45.0.3,hard_timeout=60,"
                "actions=group:99");
    synced();
    tap_ok(ofctl_last_error(ofctl) != NULL, "a refused lease is told: %s",
           ofctl_last_error(ofctl));
    ofctl_unlease(ofctl, "table=20");
    synced();
}

static int
raw_socket(const char *dev)
{
    struct sockaddr_ll sll = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = if_nametoindex(dev),
    };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));

    if (fd < 0 || bind(fd, (struct sockaddr *) &sll, sizeof sll)) {
        tap_diag("%s: %s", dev, strerror(errno));
        exit(1);
    }
    return fd;
}

/* Makes a frame of our own EtherType, to be known among others. */
static void
make_frame(uint8_t *frame, size_t len)
{
    static const uint8_t header[] = {
        0x02, 0, 0, 0, 0, 0x0b, 0x02, 0, 0, 0, 0, 0x0a, 0x88, 0xb5,
    };

    memcpy(frame, header, sizeof header);
    for (size_t i = sizeof header; i < len; i++) {
        frame[i] = i * 7;
    }
}

static bool
received(int fd, const uint8_t *frame, size_t len)
{
    uint8_t buf[65536];
    ssize_t n;

    while ((n = recv(fd, buf, sizeof buf, MSG_TRUNC)) > 0) {
        if ((size_t) n == len && !memcmp(buf, frame, len)) {
            return true;
        }
    }
    return false;
}

static void
test_packets(void)
{
    static const size_t sizes[] = { 60, 1514, 9014 };
    int fd = raw_socket("vt-peer");
    uint8_t frame[9014];
    char flow[128];

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        make_frame(frame, sizes[i]);
        tap_ok(!ofctl_packet_out(ofctl, frame, sizes[i],
                                 "set_field:02:00:00:00:00:99->eth_dst,"
                                 "output:7"),
               "packet-out of %zu bytes", sizes[i]);
        frame[5] = 0x99;
        tap_ok(WAIT_FOR(3000, received(fd, frame, sizes[i])),
               "reaches the port, changed by its actions");
    }
    tap_ok(ofctl_packet_out(ofctl, frame, 60, "output:nowhere") == EINVAL,
           "packet-out with bad actions: EINVAL");
    tap_ok(ofctl_packet_out(ofctl, frame, 5, "output:7") == EINVAL,
           "packet-out of half a header: EINVAL");

    snprintf(flow, sizeof flow, "table=0,priority=1,in_port=7,actions="
             "resubmit(,4)\ntable=4,dl_type=0x88b5,actions="
             "controller(max_len=65535)");
    ofctl_set(ofctl, 0x1234567890, flow);
    synced();
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        make_frame(frame, sizes[i]);
        seen.n_packet_ins = 0;
        if (send(fd, frame, sizes[i], 0) < 0) {
            tap_diag("send: %s", strerror(errno));
        }
        tap_ok(WAIT_FOR(3000, seen.n_packet_ins)
               && seen.packet_in.len == sizes[i]
               && !memcmp(seen.frame, frame, sizes[i])
               && seen.packet_in.cookie == 0x1234567890
               && seen.packet_in.table_id == 4,
               "packet-in of %zu bytes is whole", sizes[i]);
    }
    close(fd);
}

/* Asks until the flow in table 4 has counted 'n' packets: the switch collects
 * its counters about once a second. */
static bool
counted(unsigned int n)
{
    seen.n_stats = 0;
    return (WAIT_FOR(3000, !ofctl_poll_stats(ofctl, 4, 0, 0))
            && WAIT_FOR(3000, seen.n_stats == 1)
            && seen.stats[0].packets == n);
}

static void
test_stats(void)
{
    seen.n_stats = 0;
    tap_ok(!ofctl_poll_stats(ofctl, 0xff, 0x1234567890, UINT64_MAX),
           "statistics asked for");
    tap_ok(ofctl_poll_stats(ofctl, 0xff, 0, 0) == EBUSY,
           "a second time: EBUSY");
    tap_ok(WAIT_FOR(3000, seen.n_stats == 2), "two flows have that cookie");
    tap_ok(WAIT_FOR(5000, counted(3)) && seen.stats[0].table_id == 4
           && seen.stats[0].bytes == 60 + 1514 + 9014
           && seen.stats[0].cookie == 0x1234567890
           && seen.stats[0].idle_age < 10,
           "packets and bytes are counted (idle %u s)",
           seen.stats[0].idle_age);
    ofctl_set(ofctl, 0x1234567890, "");
    synced();
}

static void
set_many(int first, int n, int port)
{
    for (int i = first; i < first + n; i++) {
        char flows[256];

        snprintf(flows, sizeof flows,
                 "table=1,priority=10,ip,nw_src=10.%d.%d.%d,actions="
                 "set_field:0x%x->reg0,resubmit(,2)\n"
                 "table=2,priority=10,dl_dst=02:00:00:%02x:%02x:%02x,actions="
                 "set_field:0x%x->tun_id,output:%d",
                 i >> 16, i >> 8 & 255, i & 255, i, i >> 16, i >> 8 & 255,
                 i & 255, i, port);
        ofctl_set(ofctl, i, flows);
    }
}

static void
test_many(void)
{
    long long int start = time_msec();

    set_many(1, MANY, 1);
    tap_diag("%d groups parsed in %lld ms", MANY, time_msec() - start);
    tap_ok(synced() && n_flows("") == 2 * MANY, "%d groups in one go", MANY);
    tap_diag("and in the switch after %lld ms", time_msec() - start);

    start = time_msec();
    tap_ok(MODS(set_many(1000, 1000, 2)) == 1000,
           "1000 of them changed: 1000 modifications");
    tap_diag("in %lld ms", time_msec() - start);

    destroy();
    create();
    set_many(1, MANY, 1);
    set_many(1000, 1000, 2);
    start = time_msec();
    ofctl_start(ofctl);
    tap_ok(synced() && ofctl_flow_mods(ofctl) == 0,
           "started again: nothing sent");
    tap_diag("compared in %lld ms", time_msec() - start);
}

static void
test_crash(void)
{
    pid_t pid = SH_NUMBER("cat $OVS_RUNDIR/ovs-vswitchd.pid");
    uint64_t seqno = ofctl_seqno(ofctl);

    kill(pid, SIGKILL);
    tap_ok(WAIT_FOR(3000, !ofctl_is_connected(ofctl))
           && !ofctl_is_synced(ofctl) && !ofctl_acked(ofctl, seqno),
           "the switch dies: not connected, nothing acknowledged");
    tap_ok(ofctl_packet_out(ofctl, "0123456789012345", 16, "output:1")
           == ENOTCONN, "no packet-out then");
    tap_ok(ofctl_lease(ofctl, 5, "table=20,hard_timeout=2,actions=drop")
           == ENOTCONN, "no lease");
    tap_ok(ofctl_poll_stats(ofctl, 0, 0, 0) == ENOTCONN, "no statistics");
    ofctl_set(ofctl, 1, "");
    sh("$TOF_OVS start");
    tap_ok(WAIT_FOR(10000, ofctl_is_synced(ofctl)) && synced(),
           "it is started again: connected and synchronised");
    tap_ok(n_flows("") == 2 * (MANY - 1), "and everything is back");
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    ovstest_init(argv[0]);
    sh("ip link add vt type veth peer name vt-peer && "
       "ip link set vt mtu 9000 up && ip link set vt-peer mtu 9000 up && "
       "sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
    sh("ovs-vsctl add-br " BRIDGE " -- set bridge " BRIDGE
       " datapath_type=netdev fail_mode=secure"
       " protocols=OpenFlow13,OpenFlow14,OpenFlow15"
       " -- add-port " BRIDGE " vt -- set interface vt ofport_request=7");

    create();
    test_set();
    test_difference();
    test_same_slot();
    test_bad_text();
    test_refused();
    test_strays();
    test_lease();
    test_second_start("OpenFlow13");
    test_second_start("OpenFlow14");
    test_second_start("OpenFlow13,OpenFlow14,OpenFlow15");
    test_packets();
    test_stats();
    test_many();
    test_crash();
    destroy();
    return tap_done();
}
