# SPDX-License-Identifier: GPL-3.0-or-later
"""What is so only with eBPF programs as tunnel endpoints."""

import os
import threading
import time

import pytest

from tofnet import packet as p
from tofnet.lab import app_sends
from tofnet.netns import run_in
from tofnet.programs import pins
from tofnet.service import OTHER, echo, establish, is_text
from tofnet.wait import wait_until

pytestmark = pytest.mark.datapath("xdp")


def how(api):
    return api.get("/status").json["facts"]["datapath"]


def packets(api, program, reason):
    return sum(n for name, n in api.metrics().items()
               if name.startswith("tof_xdp_packets_total")
               and f'program="{program}"' in name
               and f'reason="{reason}"' in name)


def test_status_says_how(net, api):
    assert how(api) == "xdp: configured: native on enb0, sgw0"


def test_auto_takes_xdp_with_functions_too(lab, net, api):
    with lab.configured((r"functions: \{\}",
                         "functions: {fw: {in: fw0, out: fw1}}"),
                        ("datapath: xdp", "datapath: auto")):
        assert how(api) == "xdp: auto: native on enb0, sgw0"
        api.register()
        establish(net, "10.45.6.4")
    api.clean()
    api.register()
    establish(net, "10.45.6.5")
    links = lab.run("lab-tof", "ip", "-br", "link").stdout
    assert "tof-tun" not in links and "tof-nat" not in links


def test_what_is_known_is_switched_by_the_programs(net, api):
    b = net.bearer("10.45.6.1")
    b.uplink(p.ip_udp(b.ue, OTHER, b"first"))
    api.wait_proved(b.ue)
    net.enb.wait(b.downlink(p.ip_udp(OTHER, b.ue, b"first")))
    # Once both directions are learned, nobody copies them any more.
    wait_until(lambda: counted_up(api, b, net), what="the programs to switch")


def counted_up(api, b, net):
    def counts():
        return packets(api, "enb", "switched"), packets(api, "sgw",
                                                        "switched")

    before = counts()
    for i in range(10):
        net.sgw.wait(b.uplink(p.ip_udp(b.ue, OTHER, b"%d" % i), seq=i))
        net.enb.wait(b.downlink(p.ip_udp(OTHER, b.ue, b"%d" % i), seq=i))
    wait_until(lambda: counts() != before, timeout=3, what="the counters")
    return all(now >= old + 10 for now, old in zip(counts(), before))


def test_vswitchd_is_not_needed(lab, net, api):
    api.register()
    b = establish(net)
    lab.ovs("kill")
    try:
        b.uplink(echo(b.ue, b"without"))
        b.wait_downlink(is_text(b"without"))
        establish(net, "10.45.6.2")
    finally:
        lab.ovs("start")


def test_reused_teid_gets_nothing_from_that_moment_on(net, api):
    """The SGW has given the downlink TEID to another UE, which gets one
    packet; the app's next one for the old UE is not sent there, even if tofd
    has not heard of it."""
    api.register()
    b = establish(net)
    net.silent = True
    frame = b.downlink(p.ip_udp(OTHER, "10.45.6.99", b"not yours"))
    net.enb.wait(frame)
    mark = net.enb.mark()
    app_sends(b.ue, b"late")
    wait_until(lambda: net.pings[-1][1] is b, what="a ping")
    assert not [f for f in net.enb.since(mark) if b.is_downlink(f)]
    net.silent = False
    b.wait_downlink(is_text(b"late"))


def test_uplink_traffic_keeps_a_session_that_nobody_copies(net, api):
    """A diverted UE that talks to others only is seen to be there."""
    api.register()
    b = establish(net)

    def age():
        return api.session_of(b.ue)["evidenceAge"]

    def talks():
        net.sgw.wait(b.uplink(p.ip_udp(b.ue, OTHER, b"x")))
        time.sleep(0.1)
        return age() < 2

    wait_until(lambda: age() >= 2, timeout=8, what="silence")
    wait_until(talks, timeout=5, what="the session to be seen")


def test_detached_program_is_attached_again(lab, net, api):
    api.register()
    b = establish(net)
    for link in ("link_enb", "link_ue"):
        lab.run("lab-tof", "bpftool", "link", "detach", "pinned",
                f"{pins()}/{link}")

    def answers():
        text = b"try %f" % time.monotonic()
        b.uplink(echo(b.ue, text))
        b.wait_downlink(is_text(text), timeout=0.5)
        return packets(api, "enb", "decapsulated")

    wait_until(answers, timeout=10, what="the mended data plane")
    wait_until(api.healthy, timeout=5, what="tofd to say so")


def test_generic_where_a_driver_cannot_send(lab, net, api):
    """A veth whose peer has GRO off loses what is redirected to it by its
    driver: found out, said, and done another way."""
    api.register()
    lab.run("lab-sgw", "ethtool", "-K", "s1u0", "gro", "off")
    try:
        wait_until(lambda: "generic" in how(api), timeout=5,
                   what="the generic way")
        assert "sgw0 cannot send" in how(api)
        wait_until(api.healthy, what="tofd")
        b = establish(net)
        for i in range(5):
            net.sgw.wait(b.uplink(p.ip_udp(b.ue, OTHER, b"%d" % i), seq=i))
            net.enb.wait(b.downlink(p.ip_udp(OTHER, b.ue, b"%d" % i), seq=i))
            b.uplink(echo(b.ue, b"e%d" % i))
            b.wait_downlink(is_text(b"e%d" % i))
    finally:
        lab.run("lab-sgw", "ethtool", "-K", "s1u0", "gro", "on")
        lab.tofd("restart")
    wait_until(api.healthy, what="tofd")
    assert "native" in how(api)


def test_tables_of_another_shape_are_replaced(lab, net, api):
    """Another version's, say; the wire and services go on."""
    api.register()
    establish(net)
    lab.tofd("stop")
    os.unlink(f"{pins()}/paths")
    lab.tofd("start")
    wait_until(api.healthy, what="tofd")
    establish(net, "10.45.6.3")


def test_what_was_carried_before_a_restart_is_no_sign_of_the_ue(
        lab, net, api):
    """Nobody is pinged who has sent nothing since, however long the restart
    takes: here, until its adapter is there."""
    with lab.configured(("evidence_seconds: 10", "evidence_seconds: 1")):
        api.register()
        b = establish(net)
        b.uplink(echo(b.ue, b"counted"))
        b.wait_downlink(is_text(b"counted"))
        lab.tofd("kill")
        pings = len(net.pings)
        run_in("lab-tof", "ip", "link", "set", "enb0", "down")
        start = threading.Thread(target=lab.tofd, args=("start",))
        start.start()
        # It looks again after a second, half of which is what a proof is good
        # for without another one.
        wait_until(lambda: "S1-U adapter" in api.get("/status").text,
                   what="tofd to miss its adapter")
        run_in("lab-tof", "ip", "link", "set", "enb0", "up")
        start.join()
        wait_until(lambda: api.session_of(b.ue)["counters"]["packetsUp"],
                   what="what it had counted")
        other = net.bearer("10.45.6.9")
        other.uplink(p.ip_udp(other.ue, OTHER, b"x"))
        wait_until(lambda: api.session_of(other.ue)["state"] == "established",
                   what="a proof")
        assert not [ping for ping in net.pings[pings:] if ping[1] is b]
