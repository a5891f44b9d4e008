# SPDX-License-Identifier: GPL-3.0-or-later
"""A single adapter once more (see test_single.py), in the lab: eNodeBs, SGW
and the TOF's host are in one Ethernet, with routes by the latter.

Much of test_divert.py and test_ipv6.py is run here again.  Frames are compared
with what a router makes of them, so that each has been forwarded exactly
once."""

import json
import time

import pytest

from tofnet import packet as p
from tofnet.emulator import (
    ENB, ENB6, ENB_MAC, SGW, SGW6, SGW_MAC, Emulator)
from tofnet.lab import Lab, app_sends
from tofnet.netns import RawPort, run_in, set_sysctl
from tofnet.service import (
    answered, echo, establish, is_text, switched, wait_stale)
from tofnet.wait import wait_until

# pylint: disable=unused-import
from test_divert import (
    held_without_header,
    test_app_opens_a_connection,
    test_every_header_layout,
    test_first_packets_of_100_ues,
    test_held_in_vain_is_switched,
    test_other_traffic_of_a_diverted_ue_is_switched,
    test_own_ping_of_a_ue_passes,
    test_ping_is_sent_as_the_ue_and_its_reply_consumed,
    test_service_comes_and_goes,
    test_silent_sgw_gets_nothing_down_until_it_speaks,
    test_tunnel_is_learned_and_proved)
from test_model import EVENTS, QUICK, random_events
from test_stay import (
    test_a_syn_begins_anew,
    test_late_proof_tears_no_connection,
    test_late_proof_does_not_leak,
    test_switched_when_the_bearer_is_given_up)
from test_ipv6 import (
    test_held_then_diverted,
    test_other_traffic_is_switched,
    test_ping_is_right_and_its_reply_consumed,
    test_tcp_reaches_the_app_and_is_answered)
from test_unanswered import (
    test_it_is_asked_for_in_the_background,
    test_only_the_first_packet_waits)

OTHER = "203.0.113.77"
HELD = 'tof_queue_packets_total{queue="hold_enb"}'


@pytest.fixture(scope="module")
def lab(datapath):
    the_lab = Lab("--single", "--peers", "none", "--datapath", datapath)
    try:
        yield the_lab.up()
    finally:
        the_lab.down()


@pytest.fixture(scope="module")
def s1u(lab):
    link, = json.loads(run_in("lab-tof", "ip", "-j", "link", "show",
                              "s1u0").stdout)
    with Emulator(via=link["address"]) as emulator:
        yield emulator


def test_answer_is_forwarded_to_the_next_hop(net, api):
    api.register()
    b = establish(net)
    b.uplink(echo(b.ue, b"x"))
    f = b.wait_downlink(is_text(b"x"))
    assert (f.src_mac, f.dst_mac) == (net.via, ENB_MAC)
    assert f.ip.header_ok and f.ip.ttl == 63


def test_answer_waits_for_its_neighbour(net, api):
    api.register()
    b = establish(net)
    run_in("lab-tof", "ip", "neigh", "flush", "dev", "s1u0")
    b.uplink(echo(b.ue, b"x"))
    assert b.wait_downlink(is_text(b"x")).dst_mac == ENB_MAC


def test_answer_meets_the_hosts_firewall(net, api):
    api.register()
    b = establish(net)
    run_in("lab-tof", "nft", "add table inet fw; add chain inet fw c "
           "{ type filter hook forward priority 0; }; "
           "add rule inet fw c iifname tof-enb counter")
    try:
        b.uplink(echo(b.ue, b"x"))
        b.wait_downlink(is_text(b"x"))
        rules = run_in("lab-tof", "nft", "list", "table", "inet", "fw").stdout
        assert "counter packets 1 " in rules
    finally:
        run_in("lab-tof", "nft", "delete", "table", "inet", "fw")


@pytest.mark.parametrize("from_enb", [True, False], ids=["enb", "sgw"])
def test_error_indication_is_put_back(net, api, from_enb):
    b = net.bearer("10.45.2.1")
    b.uplink(p.ip_udp(b.ue, OTHER, b"x"))
    api.wait_proved(b.ue)
    b.downlink(p.ip_udp(OTHER, b.ue, b"x"))
    frame = b.error_indication(from_enb)
    (net.sgw if from_enb else net.enb).wait(net.forwarded(frame))


def test_killed_tofd_leaves_a_router(lab, net, api):
    """Who is diverted stays so; all others' packets, which would be held, are
    forwarded, and carry no mark into the host's rules."""
    api.register()
    b = establish(net)
    run_in("lab-tof", "nft", "add", "table", "inet", "marks")
    run_in("lab-tof", "nft", "add", "chain", "inet", "marks", "c",
           "{ type filter hook prerouting priority raw ; }")
    run_in("lab-tof", "nft", "add", "rule", "inet", "marks", "c",
           "mark", "!=", "0", "counter")
    lab.tofd("kill")
    try:
        other = net.bearer("10.45.2.2")
        for i in range(20):
            switched(net, other.uplink(echo(other.ue, b"%d" % i)))
        frame = other.downlink(p.ip_udp(OTHER, other.ue, b"down"))
        net.enb.wait(net.forwarded(frame))
        b.uplink(echo(b.ue, b"still"))
        b.wait_downlink(is_text(b"still"))
        marks = run_in("lab-tof", "nft", "list", "table", "inet",
                       "marks").stdout
        assert "packets 0 bytes 0" in marks
    finally:
        run_in("lab-tof", "nft", "delete", "table", "inet", "marks")
        lab.tofd("start")
    b.uplink(echo(b.ue, b"again"))
    b.wait_downlink(is_text(b"again"))
    other.uplink(echo(other.ue, b"at last"))
    other.wait_downlink(is_text(b"at last"))


def forwarded(net, b):
    frame = b.uplink(echo(b.ue, b"to nobody"))
    try:
        net.sgw.wait(net.forwarded(frame), timeout=0.2)
    except AssertionError:
        return False
    return True


@pytest.mark.datapath("ovs")       # eBPF programs need no process.
def test_all_processes_dead_leaves_a_router(lab, net, api):
    api.register()
    b = establish(net)
    lab.tofd("kill")
    lab.ovs("stop")
    try:
        wait_until(lambda: forwarded(net, b), what="its packets at the SGW")
        frame = b.downlink(p.ip_udp(OTHER, b.ue, b"down"))
        net.enb.wait(net.forwarded(frame))
    finally:
        lab.ovs("start")
        lab.tofd("start")


def test_between_two_enodebs_nothing_is_learned_or_held(net, api):
    """X2-U: a handover's forwarding tunnels are no bearers."""
    api.register()
    strangers = api.metrics()["tof_packets_strangers_total"]
    frame = p.eth(net.via, ENB_MAC, p.outer(
        "10.1.0.9", ENB, p.gtpu(77, echo("10.45.2.9", b"x2"))))
    net.enb.send(frame)
    net.enb.wait(p.forwarded(frame, net.via, ENB_MAC))
    b = establish(net)
    assert [s["ue"] for s in api.sessions()] == [b.ue]
    assert api.metrics()["tof_packets_strangers_total"] == strangers


def test_what_is_not_for_this_host_is_left_alone(net, api):
    """A switch that does not know where to send frames sends them everywhere;
    whoever is listening on the adapter, it is not the TOF's packet."""
    api.register()
    run_in("lab-tof", "ip", "link", "set", "s1u0", "promisc", "on")
    try:
        stray = p.eth("0e:99:99:99:99:99", ENB_MAC, p.outer(
            ENB, SGW, p.gtpu(78, echo("10.45.2.8", b"stray"))))
        net.enb.send(stray)
        net.sgw.wait(stray)
        b = establish(net)
        assert [s["ue"] for s in api.sessions()] == [b.ue]
        assert not [ping for ping in net.pings if ping[2].teid == 78]
    finally:
        run_in("lab-tof", "ip", "link", "set", "s1u0", "promisc", "off")


def test_frames_that_are_not_for_this_host_are_not_diverted(net, api):
    """Nor those of a VLAN, although the bearer is."""
    api.register()
    b = establish(net)
    run_in("lab-tof", "ip", "link", "set", "s1u0", "promisc", "on")
    try:
        for dst, text, vlan in (("0e:99:99:99:99:99", b"stray", None),
                                (net.via, b"tagged", 7)):
            net.enb.send(p.eth(dst, ENB_MAC, p.outer(
                ENB, SGW, p.gtpu(b.up_teid, echo(b.ue, text))), vlan=vlan))
        b.uplink(echo(b.ue, b"good"))
        b.wait_downlink(is_text(b"good"))
        assert not [f for raw in net.enb.frames if (f := b.is_downlink(raw))
                    and f.inner.payload in (b"stray", b"tagged")]
    finally:
        run_in("lab-tof", "ip", "link", "set", "s1u0", "promisc", "off")


def test_peers_that_are_configured_no_more_are_forwarded(lab, net, api):
    """A restarted tofd does not adopt a stranger's bearer."""
    api.register()
    b = establish(net)
    with lab.configured((r"enodebs: \[10.1.0.1/32, ", "enodebs: [")):
        switched(net, b.uplink(echo(b.ue, b"stranger")))
    b.uplink(echo(b.ue, b"known"))
    b.wait_downlink(is_text(b"known"))


@pytest.mark.parametrize("link", ["tof-enb", "tof-sgw"])
def test_link_deleted_behind_our_back(lab, net, api, link):
    def answered():
        fresh = net.bearer(f"10.45.3.{len(net.bearers)}")
        for one in (b, fresh):
            one.uplink(echo(one.ue, b"now"))
            one.wait_downlink(is_text(b"now"), timeout=1)
        return True

    api.register()
    b = establish(net)
    mended = lab.mended()
    run_in("lab-tof", "ip", "link", "del", link)
    wait_until(lambda: mended() and tries(answered), timeout=20,
               what="mended links")


def tries(check):
    try:
        return check()
    except AssertionError:
        return False


def test_adapters_address_changes(lab, net, api, datapath):
    """What does not know yet has packets held, which go on by way of tofd."""
    def is_diverted():
        held = api.metrics()[HELD]
        mark = net.enb.mark()
        b.uplink(echo(b.ue, b"new address"))
        b.wait_downlink(is_text(b"new address"), since=mark)
        return api.metrics()[HELD] == held

    api.register()
    b = establish(net)
    b.via = "0e:70:f0:00:00:99"
    run_in("lab-tof", "ip", "link", "set", "s1u0", "address", b.via)
    try:
        wait_until(is_diverted, timeout=10, what="packets to be diverted")
    finally:
        mended = lab.mended()
        run_in("lab-tof", "ip", "link", "set", "s1u0", "address", net.via)
    if datapath == "xdp":               # Open vSwitch goes by it nowhere.
        wait_until(mended, timeout=10, what="tofd to know it is as before")


def established_and_learned(net, api):
    """A bearer whose natural downlink packets are not copied to tofd."""
    b = establish(net)
    learned = api.metrics()["tof_filter_learned_total"]
    b.downlink(p.ip_udp(OTHER, b.ue, b"own"))
    wait_until(lambda: api.metrics()["tof_filter_learned_total"] > learned,
               what="the downlink tunnel to be learned")
    return b


def gets_the_tunnel(net, old):
    """Another UE, which is sent a packet in the downlink tunnel of 'old'."""
    b = net.bearer("10.45.2.11", down_teid=old.down_teid)
    net.enb.wait(net.forwarded(b.downlink(p.ip_udp(OTHER, b.ue, b"natural"))))
    return b


def app_reaches_nobody(net, api, old, b, dport=5000):
    """What the App sends to 'old' does not go to 'b' instead."""
    mark = net.enb.mark()
    app_sends(old.ue, b"not for you", dport)
    wait_stale(api, old.ue)
    assert not [f for raw in net.enb.since(mark) if (f := b.is_downlink(raw))
                and f.inner.payload == b"not for you"]


@pytest.mark.datapath("xdp")        # Open vSwitch needs the agent for that.
@pytest.mark.parametrize("dport", [5000, 5999], ids=["answer", "unclaimed"])
def test_not_one_packet_goes_where_another_ue_is(net, api, dport):
    """The SGW shows another UE's packet in a proved downlink tunnel: although
    that is learned, so that tofd gets no copy, nothing more goes down."""
    api.register()
    old = established_and_learned(net, api)
    old.silent = True
    app_reaches_nobody(net, api, old, gets_the_tunnel(net, old), dport)


@pytest.mark.datapath("xdp")
def test_reply_from_before_does_not_give_the_tunnel_back(lab, net, api):
    """tofd is late: it reads the Pinger's reply when the kernel has seen
    already that the tunnel is another UE's."""
    replies = []

    def replies_read():
        return api.metrics()["tof_pinger_replies_total"]

    with lab.configured(("evidence_seconds: 10", "evidence_seconds: 6")):
        api.register()
        old = established_and_learned(net, api)
        before = replies_read()
        old.page = replies.append
        wait_until(lambda: answered(old) and replies, 10, "another ping")
        with lab.stopped():
            old.downlink(replies[-1])
            b = gets_the_tunnel(net, old)
        wait_until(lambda: replies_read() > before, what="the reply")
        app_reaches_nobody(net, api, old, b)


@pytest.mark.datapath("xdp")
def test_other_datapath_and_back(lab, net, api):
    """Neither is left with what is the other's."""
    api.register()
    b = establish(net)
    with lab.configured(("datapath: xdp", "datapath: ovs")):
        for text in (b"held", b"diverted"):
            b.uplink(echo(b.ue, text))
            b.wait_downlink(is_text(text))
        assert "xdp" not in run_in("lab-tof", "ip", "link", "show",
                                   "s1u0").stdout
    for text in (b"held again", b"diverted again"):
        b.uplink(echo(b.ue, text))
        b.wait_downlink(is_text(text))
    assert "xdp" in run_in("lab-tof", "ip", "link", "show", "s1u0").stdout


def test_time_to_live_runs_out_as_without_the_tof(net, api):
    """A held packet is forwarded, not sent: its last hop is this one."""
    api.register()
    net.silent = True
    b = net.bearer("10.45.2.7")
    frames = [p.eth(net.via, ENB_MAC, p.outer(
        b.enb, b.sgw, p.gtpu(b.up_teid, echo(b.ue, b"%d" % ttl)), ttl=ttl))
        for ttl in (1, 2)]
    for frame in frames:
        net.enb.send(frame)
    switched(net, frames[1], timeout=4)
    assert not [f for f in net.sgw.frames if (g := b.is_uplink(f))
                and g.inner.payload == b"1"]


def test_held_packet_needs_no_ethernet_header(lab, net, api):
    """The kernel finds the way."""
    api.register()
    switched(net, held_without_header(
        lab, net, net.bearer("10.45.2.12", enb="10.1.0.9")), timeout=5)


@pytest.mark.parametrize("ends", [(ENB, SGW), (ENB6, SGW6)],
                         ids=["ipv4", "ipv6"])
def test_no_redirects_are_sent(net, api, ends):
    """Both sides are in one Ethernet: they must not learn that."""
    b = net.bearer("10.45.2.6", enb=ends[0], sgw=ends[1])
    with RawPort("lab-enb", "s1u0") as enb, RawPort("lab-sgw", "s1u0") as sgw:
        switched(net, b.uplink(p.ip_udp(b.ue, OTHER, b"x")))
        frame = b.downlink(p.ip_udp(OTHER, b.ue, b"x"))
        net.enb.wait(net.forwarded(frame))
        assert not [f for f in enb.frames + sgw.frames if is_redirect(f)]


def is_redirect(frame):
    """ICMP type 5, ICMPv6 type 137."""
    if frame[12:14] == b"\x08\x00":
        return frame[23] == p.ICMP and frame[34] == 5
    return frame[12:14] == b"\x86\xdd" and frame[20] == p.ICMPV6 \
        and frame[54] == 137


def test_fragments_held_in_vain_are_forwarded(net, api):
    api.register()
    net.silent = True
    b = net.bearer("10.45.2.5")
    whole = p.outer(b.enb, b.sgw, p.gtpu(b.up_teid, echo(
        b.ue, b"v" * 1800)), ident=0x777)
    with RawPort("lab-sgw", "s1u0") as sgw:
        for packet in p.fragments(whole, 800, 0x777):
            net.enb.send(p.eth(net.via, ENB_MAC, packet))

        def arrived():
            return p.reassemble([f[14:] for f in sgw.frames if f[18:20]
                                 == b"\x07\x77" and f[:6] == p.mac(SGW_MAC)])

        wait_until(arrived, 5, "the packet at the SGW")
        assert arrived() == p.forwarded(p.eth(net.via, ENB_MAC, whole),
                                        net.via, SGW_MAC)[14:]


def test_host_that_does_not_forward_is_a_wait(lab, net, api):
    """There would be no S1-U to intercept, and held packets would be lost."""
    key = "ipv4/conf/s1u0/forwarding"

    def complaint():
        part, = [part for part in api.get("/status").json["parts"]
                 if part["name"] == "interception"]
        return not part["ready"] and part["detail"]

    set_sysctl("lab-tof", key, 0)
    try:
        run_in("lab-tof", "nft", "delete", "table", "netdev", "tof")
        wait_until(complaint, 10, "the status to say so")
        assert "net.ipv4.conf.s1u0.forwarding" in complaint()
    finally:
        set_sysctl("lab-tof", key, 1)
    wait_until(lambda: api.healthy(), 20, "tofd to be healthy")


def test_host_that_ceases_to_forward_is_mended_once(lab, api):
    key = "ipv4/conf/s1u0/forwarding"

    def said():
        part = api.part("interception")
        return "net.ipv4.conf.s1u0.forwarding" in part["detail"] \
            and not part["ready"] and not api.healthy()

    lab.tofd("restart")
    wait_until(api.healthy, 15, "tofd")
    set_sysctl("lab-tof", key, 0)
    wait_until(said, what="tofd to say so")
    wait_until(api.healthy, 10, "tofd to mend it")
    assert api.metrics()["tof_s1u_mendings_total"] == 1
    set_sysctl("lab-tof", key, 0)
    try:
        wait_until(said, what="tofd to say so again")
        time.sleep(2)           # Mended it was sooner.
        assert said()
        assert api.metrics()["tof_s1u_mendings_total"] == 1
    finally:
        set_sysctl("lab-tof", key, 1)
    wait_until(api.healthy, what="tofd to be healthy")


def test_firewall_that_forwards_nothing_is_said(lab, api):
    """With rules it may accept S1-U, and nobody but its owner knows."""
    fw = ("ip", "fw", "forward")
    lab.run("lab-tof", "nft", "add table ip fw; add chain ip fw forward "
            "{ type filter hook forward priority 0; policy drop; }")
    try:
        wait_until(lambda: "firewall" in api.part("interception")["detail"]
                   and not api.healthy(), what="tofd to say so")
        lab.run("lab-tof", "nft", "add", "rule", *fw, "udp", "dport", "2152",
                "accept")
        wait_until(api.healthy, what="tofd to take it back")
    finally:
        lab.run("lab-tof", "nft", "delete", "table", "ip", "fw")
    wait_until(api.healthy, what="tofd to be healthy")


def test_random_events(lab, api, datapath):
    """As in test_model.py: eNodeBs from 10.1.0.101, SGWs from 10.1.0.201 on."""
    link, = json.loads(run_in("lab-tof", "ip", "-j", "link", "show",
                              "s1u0").stdout)
    for i in (*range(101, 105), *range(201, 204)):
        run_in("lab-tof", "ip", "neigh", "replace", f"10.1.0.{i}", "lladdr",
               ENB_MAC if i < 200 else SGW_MAC, "dev", "s1u0", "nud",
               "permanent")
    with lab.configured(
            (r"s1u:.*", "s1u: {interface: s1u0, enodebs: [10.1.0.96/27], "
             "sgws: [10.1.0.200/29]}"), *QUICK):
        random_events(api, datapath, EVENTS // 5, link["address"])
