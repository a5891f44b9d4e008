/* SPDX-License-Identifier: GPL-3.0-or-later */

/* ovsdb.c against a real ovsdb-server and ovs-vswitchd: bridges and ports
 * appear, get numbers, and are not written again. */

#include <errno.h>
#include <signal.h>

#include "ovs/ovsdb.h"
#include "ovstest.h"

static char *remote;

static void
pump_run(void)
{
    vswitch_run();
}

static void
pump_wait(void)
{
    vswitch_wait();
}

static bool
synced(void)
{
    return WAIT_FOR(10000, vswitch_is_synced());
}

static const char *
get(const char *table, const char *record, const char *column)
{
    static char value[1024];

    ovs_strlcpy(value, sh("ovs-vsctl get %s %s %s", table, record, column),
                sizeof value);
    value[strcspn(value, "\n")] = '\0';
    return value;
}

/* Number of our transactions in the database's file. */
static int
n_transactions(void)
{
    return SH_NUMBER("ovsdb-tool show-log $TOF_STATE_DIR/conf.db"
                     " | grep -c '^record.*tofd'");
}

static void
desire(void)
{
    static const struct vswitch_port ports[] = {
        { "br-gtp", "enb-t", "", NULL, 0, false },
        { "br-gtp", "sgw-t", "", NULL, 100, false },
        { "br-tof", "gtp0", "gtpu",
          "remote_ip=flow local_ip=flow key=flow", 0, false },
        { "br-tof", "ue-t", "", "", 0, false },
    };

    vswitch_bridge_add("br-gtp");
    vswitch_bridge_add("br-tof");
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        vswitch_port_add(&ports[i]);
    }
}

static void
test_bridges_and_ports(void)
{
    const char *error = "?";
    unsigned int seqno = vswitch_seqno();

    tap_ok(!vswitch_is_connected() && !vswitch_is_synced(),
           "not connected at first");
    desire();
    tap_ok(vswitch_ofport("enb-t", &error) == 0 && !error,
           "no number, and no error, yet");
    tap_ok(synced(), "bridges and ports are made");
    tap_ok(vswitch_seqno() != seqno, "which can be noticed");
    tap_ok(!strcmp(get("bridge", "br-tof", "datapath_type"), "netdev")
           && !strcmp(get("bridge", "br-tof", "fail_mode"), "secure"),
           "userspace datapath, secure");
    tap_ok(strstr(get("bridge", "br-gtp", "protocols"), "OpenFlow15")
           && !strstr(get("bridge", "br-gtp", "protocols"), "OpenFlow10"),
           "OpenFlow %s", get("bridge", "br-gtp", "protocols"));
    tap_ok(strstr(get("bridge", "br-gtp", "other_config"), "disable-in-band")
           != NULL, "no in-band control");
    tap_ok(strstr(get("interface", "gtp0", "options"), "local_ip=flow")
           && strstr(get("interface", "gtp0", "options"), "key=flow")
           && !strcmp(get("interface", "gtp0", "type"), "gtpu"),
           "tunnel port with its options");
    tap_ok(!strcmp(get("interface", "sgw-t", "cfm_mpid"), "1")
           && strstr(get("interface", "sgw-t", "other_config"),
                     "cfm_interval=\"100\"")
           && !strcmp(get("interface", "enb-t", "cfm_mpid"), "[]"),
           "CFM where wanted");
    tap_ok((int) vswitch_ofport("sgw-t", NULL)
           == atoi(get("interface", "sgw-t", "ofport")),
           "the port number is the switch's");
    tap_ok(vswitch_ofport("nobody", &error) == 0 && !error,
           "an unknown port has none");
    tap_ok(SH_NUMBER("ovs-ofctl -O OpenFlow15 show br-tof"
                     " | grep -c 'gtp0\\|ue-t'") == 2,
           "the switch has the ports");
}

static void
test_second_start(void)
{
    int before = n_transactions();

    tap_ok(before > 0, "%d transactions made this", before);
    vswitch_destroy();
    vswitch_init(remote);
    desire();
    tap_ok(synced(), "a second start finds it all");
    pump_for(200);
    tap_ok(n_transactions() == before, "and writes nothing");
}

static void
test_changes(void)
{
    struct vswitch_port port = { "br-gtp", "sgw-t", "", NULL, 200, false };
    int number;

    vswitch_port_add(&port);
    tap_ok(!vswitch_is_synced(), "a change is not there at once");
    synced();
    tap_ok(strstr(get("interface", "sgw-t", "other_config"), "\"200\"")
           != NULL, "CFM interval changed");
    port.cfm_interval_ms = 0;
    vswitch_port_add(&port);
    synced();
    tap_ok(!strcmp(get("interface", "sgw-t", "cfm_mpid"), "[]")
           && !strcmp(get("interface", "sgw-t", "other_config"), "{}"),
           "CFM switched off");

    port = (struct vswitch_port) { "br-tof", "gtp0", "gtpu",
                                   "remote_ip=flow key=5", 0, false };
    vswitch_port_add(&port);
    synced();
    tap_ok(!strstr(get("interface", "gtp0", "options"), "local_ip")
           && strstr(get("interface", "gtp0", "options"), "key=\"5\""),
           "options replaced: %s", get("interface", "gtp0", "options"));

    port = (struct vswitch_port) { "br-gtp", "ue-t", "", NULL, 0, false };
    vswitch_port_add(&port);
    tap_ok(synced() && strstr(sh("ovs-vsctl list-ports br-gtp"), "ue-t")
           && !strstr(sh("ovs-vsctl list-ports br-tof"), "ue-t"),
           "port moved to another bridge");

    vswitch_port_delete("ue-t");
    number = n_transactions();
    tap_ok(synced() && !strstr(sh("ovs-vsctl list-ports br-gtp"), "ue-t")
           && vswitch_ofport("ue-t", NULL) == 0
           && n_transactions() > number, "port deleted");
}

/* Someone else's settings in the same rows stay; ours come back. */
static void
test_others(void)
{
    sh("ovs-vsctl set bridge br-tof other_config:mac-table-size=99"
       " fail_mode=standalone -- set interface enb-t other_config:mine=1"
       " -- add-port br-tof x0 -- set interface x0 type=internal");
    WAIT_FOR(3000, !vswitch_is_synced());
    synced();
    pump_for(100);
    tap_ok(!strcmp(get("bridge", "br-tof", "fail_mode"), "secure"),
           "what is changed behind our back is mended");
    tap_ok(strstr(get("bridge", "br-tof", "other_config"), "mac-table-size")
           && strstr(get("interface", "enb-t", "other_config"), "mine")
           && strstr(sh("ovs-vsctl list-ports br-tof"), "x0"),
           "what is not ours is left alone");
    sh("ovs-vsctl del-br br-gtp");
    tap_ok(WAIT_FOR(3000, !vswitch_is_synced()) && synced()
           && strstr(sh("ovs-vsctl list-ports br-gtp"), "enb-t"),
           "a bridge deleted behind our back comes back with its ports");
}

static void
test_error(void)
{
    struct vswitch_port port = { "br-gtp", "absent0", "", NULL, 0, false };
    const char *error = NULL;
    unsigned int seqno;

    vswitch_port_add(&port);
    WAIT_FOR(5000, (vswitch_ofport("absent0", &error), error != NULL));
    tap_ok(error && vswitch_ofport("absent0", NULL) == 0,
           "a device that is not there: %s", error);
    tap_ok(!vswitch_is_synced(), "not synchronised then");
    seqno = vswitch_seqno();
    sh("ip link add absent0 type veth peer name absent1 && "
       "ip link set absent0 up");
    tap_ok(WAIT_FOR(5000, vswitch_ofport("absent0", &error) != 0) && !error
           && vswitch_seqno() != seqno, "it appears: it gets a number");
}

/* A port that may come, go and come back, with all else as it was. */
static void
test_optional(void)
{
    struct vswitch_port port = { "br-tof", "opt0", "", NULL, 0, true };
    const char *error = NULL;
    unsigned int seqno;

    vswitch_port_add(&port);
    WAIT_FOR(5000, (vswitch_ofport("opt0", &error), error != NULL));
    tap_ok(error && vswitch_ofport("opt0", NULL) == 0,
           "an optional device that is not there: %s", error);
    tap_ok(synced(), "synchronised without it");
    seqno = vswitch_seqno();
    sh("ip link add opt0 type veth peer name opt1 && ip link set opt0 up");
    WAIT_FOR(5000, (vswitch_ofport("opt0", &error),
                    error && strstr(error, "link is down")));
    tap_ok(error && vswitch_ofport("opt0", NULL) == 0,
           "it appears, but nobody is at its other end: %s", error);
    sh("ip link set opt1 up");
    tap_ok(WAIT_FOR(5000, vswitch_ofport("opt0", &error) != 0) && !error
           && vswitch_seqno() != seqno && synced(),
           "somebody is: it gets a number");
    seqno = vswitch_seqno();
    sh("ip link del opt0");
    WAIT_FOR(5000, vswitch_ofport("opt0", &error) == 0);
    tap_ok(error && vswitch_ofport("opt0", NULL) == 0
           && vswitch_seqno() != seqno && synced(), "it goes: %s", error);
    port.optional = false;
    vswitch_port_add(&port);
    tap_ok(WAIT_FOR(3000, !vswitch_is_synced()), "it is waited for once it is not optional");
    vswitch_port_delete("opt0");
    tap_ok(synced(), "and not when it is not wanted");
}

/* Packets that flows of br-tof have seen.  (A port's statistics are those of
 * the device, heard by the switch or not.) */
static int
n_heard(void)
{
    return SH_NUMBER("ovs-ofctl -O OpenFlow15 dump-aggregate br-tof"
                     " | sed 's/.*packet_count=//'");
}

/* ovs-vswitchd alone would not hear the second device. */
static void
test_replaced(void)
{
    struct vswitch_port port = { "br-tof", "rep0", "", NULL, 0, true };
    ofp_port_t old = 0;
    int before;

    vswitch_port_add(&port);
    sh("ovs-ofctl -O OpenFlow15 add-flow br-tof actions=drop");
    for (int i = 0; i < 3; i++) {
        sh("ip link del rep0 2>/dev/null;"
           " ip link add rep0 type veth peer name rep1 &&"
           " ip link set rep0 up && ip link set rep1 up &&"
           " ip addr add 192.0.2.2/24 dev rep1");
        WAIT_FOR(5000, vswitch_ofport("rep0", NULL) != 0
                 && vswitch_ofport("rep0", NULL) != old);
        pump_for(200);
        old = vswitch_ofport("rep0", NULL);
        tap_ok(old != 0 && synced(), "device %d is port %"PRIu32, i, old);
        pump_for(1200);         /* OVS counts once in a second. */
        before = n_heard();
        sh("ping -q -c 1 -w 1 192.0.2.1 || :");     /* Sends ARP requests. */
        tap_ok(WAIT_FOR(3000, n_heard() > before),
               "and is heard");
    }
    vswitch_port_delete("rep0");
    synced();
    sh("ip link del rep0; ovs-ofctl -O OpenFlow15 del-flows br-tof");
}

static void
test_crash(void)
{
    ofp_port_t enb = vswitch_ofport("enb-t", NULL);
    unsigned int seqno;

    kill(SH_NUMBER("cat $OVS_RUNDIR/ovs-vswitchd.pid"), SIGKILL);
    sh("$TOF_OVS start");
    pump_for(500);
    tap_ok(synced() && vswitch_ofport("enb-t", NULL) == enb,
           "ovs-vswitchd dies and comes back: the same numbers");

    seqno = vswitch_seqno();
    kill(SH_NUMBER("cat $OVS_RUNDIR/ovsdb-server.pid"), SIGKILL);
    tap_ok(WAIT_FOR(5000, !vswitch_is_connected()) && !vswitch_is_synced()
           && vswitch_seqno() != seqno, "ovsdb-server dies: not connected");
    sh("$TOF_OVS start");
    tap_ok(synced() && vswitch_ofport("enb-t", NULL) == enb,
           "it comes back: connected again");
}

/* An empty database, as ovsdb-tool makes it: not even a root row. */
static void
test_empty_database(void)
{
    vswitch_destroy();
    sh("$TOF_OVS stop && rm $TOF_STATE_DIR/conf.db && $TOF_OVS start"
       " && ovs-vsctl --no-wait -- destroy Open_vSwitch .");
    vswitch_init(remote);
    desire();
    tap_ok(synced(), "an empty database is filled");
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    ovstest_init(argv[0]);
    remote = xasprintf("unix:%s/db.sock", getenv("OVS_RUNDIR"));
    sh("for i in enb sgw ue; do ip link add $i-t type veth peer name $i-p &&"
       " ip link set $i-t up && ip link set $i-p up || exit; done");

    vswitch_init(remote);
    test_bridges_and_ports();
    test_second_start();
    test_changes();
    test_others();
    test_error();
    test_optional();
    test_replaced();
    test_crash();
    test_empty_database();
    vswitch_destroy();
    free(remote);
    return tap_done();
}
