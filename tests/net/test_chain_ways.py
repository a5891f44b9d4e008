# SPDX-License-Identifier: GPL-3.0-or-later
"""Service chains: every way that a packet can take leads through the chain
once, and nothing is lost for long when Open vSwitch is dead.  The functions
are those of test_chain.py."""

import contextlib
import os
import signal
import socket
import subprocess
import time

import pytest

from test_chain import (  # noqa: F401  (fixtures)
    FW_TOS, PLAIN_IP, answered, app, arrived, echo, fw, is_text, made, mon,
    post, switched_until_answered, with_text)
from test_mtu import Case, megabyte_both_ways
from test_survive import Stream
from tofnet.lab import SERVICE_IP, STATE, app_sends, lab_sh
from tofnet.netns import call_in
from tofnet.service import wait_stale
from tofnet.wait import wait_until

# pylint: disable=redefined-outer-name,unused-argument


def once(port, text):
    """It has come to the port, and no second time."""
    one, = arrived(port, text)
    return one


def test_first_packet_of_a_ue_runs_the_chain(net, fw, app, api):
    """It is held until the bearer is proved, and those behind it with it."""
    api.register(chain=["fw"])
    net.silent = True
    b = net.bearer("10.45.8.1")
    texts = [b"first %d" % i for i in range(5)]
    for text in texts:
        b.uplink(echo(b.ue, text))
    wait_until(lambda: net.pings, what="a ping")
    assert not with_text(app, texts[0])
    net.silent = False
    for text in texts:
        f = b.wait_downlink(is_text(text))
        assert f.inner.tos == FW_TOS
        assert once(fw.ins, text).tos == 0
        assert once(app, text).tos == FW_TOS
        once(fw.outs, text)


def test_what_an_app_opens_runs_the_chain(net, fw, api):
    api.register(chain=["fw"])
    b = net.bearer("10.45.8.2")
    answered(b, b"known")
    with call_in("lab-app", socket.socket, socket.AF_INET,
                 socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        s.sendto(b"hello", (b.ue, 7777))
        f = b.wait_downlink(is_text(b"hello"))
        assert (f.inner.src, f.inner.dst) == (SERVICE_IP, b.ue)
        assert f.inner.tos == FW_TOS
        once(fw.outs, b"hello")
        b.uplink(echo(b.ue, b"to the app", SERVICE_IP, f.inner.sport,
                      sport=7777))
        assert s.recv(100) == b"to the app"
        once(fw.ins, b"to the app")


def test_answer_that_waits_for_a_proof_runs_the_chain_once(net, fw, api):
    api.register(chain=["fw"])
    b = net.bearer("10.45.8.3")
    answered(b, b"known")
    net.silent = True
    b.end_marker()
    wait_stale(api, b.ue)
    held = api.metrics()["tof_hold_packets"]

    def waits():
        app_sends(b.ue, b"late")
        return api.metrics()["tof_hold_packets"] > held

    wait_until(waits, what="an answer to be held", interval=0.05)
    mark = net.enb.mark()
    net.silent = False
    f = b.wait_downlink(is_text(b"late"), since=mark)
    assert f.inner.tos == FW_TOS
    assert {one.tos for one in arrived(fw.outs, b"late")} == {0}
    assert not with_text(fw.ins, b"late")


def test_megabyte_both_ways_through_the_function(net, fw, api):
    """Packet by packet: none is too large for the switch or a tunnel."""
    api.register(chain=["fw"])
    ue = net.ue("10.45.8.4")
    ue.run("ip", "link", "set", "tun0", "mtu", 1500)
    case = Case(ue.bearer.ue, {})
    up, down = fw.counter("up"), fw.counter("down")
    with case.app_socket(socket.SOCK_STREAM) as server:
        megabyte_both_ways(ue, SERVICE_IP, server)
    assert fw.counter("up") > up + 700 and fw.counter("down") > down + 700


def test_chained_packets_are_counted_once(net, fw, api):
    api.register("edge", chain=["fw", "mon"])
    b = net.bearer("10.45.8.5")
    for i in range(5):
        answered(b, b"number %d" % i)
    numbers = {f"{what}{way}": n for way in ("Up", "Down")
               for what, n in (("packets", 5), ("bytes", 5 * (28 + 8)))}

    def counted():
        session = api.session_of(b.ue)
        service, = session["services"] or [None]
        return service and service["packetsDown"] == 5 and (service, session)

    service, session = wait_until(counted, 10, "the counts")
    assert numbers.items() <= service.items()
    c = wait_until(lambda: (c := api.session_of(b.ue)["counters"])
                   and min(c["packetsUp"], c["packetsDown"]) >= 5 and c,
                   10, "the counters")
    assert (c["packetsUp"], c["packetsDown"]) == (5, 5)


def ovs_pid():
    with open(f"{STATE}/run/ovs/ovs-vswitchd.pid", encoding="ascii") as f:
        return int(f.read())


@contextlib.contextmanager
def dead(lab):
    lab.ovs("kill")
    yield
    lab.ovs("start")


@contextlib.contextmanager
def hung(_):
    pid = ovs_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def all_switched(net, stream):
    """From now on every packet of the stream is switched."""
    n = len(stream.sent)
    wait_until(lambda: len(stream.sent) > n + 100, what="traffic")
    for _, frame in stream.sent[n:n + 100]:
        net.sgw.wait(frame, what="a switched service packet")


@pytest.mark.parametrize("state", [dead, hung])
@pytest.mark.parametrize("tofd", ["alive", "dead"])
def test_switch_is_gone(lab, net, fw, app, api, state, tofd):
    """Packets of a service with a chain are switched, never past the chain,
    and nothing but the kernel has to notice; afterwards all is as before."""
    api.register(chain=["fw"])
    b = net.bearer("10.45.8.6")
    answered(b, b"before")
    with Stream(b, lambda t: echo(b.ue, t)) as stream:
        wait_until(lambda: len(stream.sent) > 50, what="traffic")
        if tofd == "dead":
            lab.tofd("kill")
        with state(lab):
            gone, mark = time.monotonic(), len(stream.sent)

            def first_switched():
                sent = {frame for _, frame in stream.sent[mark:]}
                return next((f.time for f in net.sgw.frames if f in sent),
                            None)

            first = wait_until(first_switched, what="a switched packet")
            assert first - gone <= 1.0, "the bound that the TOF promises"
            all_switched(net, stream)
            last = stream.sent[-1][0]
            app_sends(b.ue, b"past the chain")
        if tofd == "dead":
            lab.tofd("start")
        wait_until(api.healthy, timeout=15, what="all of it")
        n = len(stream.sent)

        def is_answered():
            return any((f := b.is_downlink(raw)) and f.inner.payload
                       in {t for t, _ in stream.sent[n:]}
                       for raw in net.enb.frames)

        wait_until(is_answered, timeout=10, what="an answer")
    assert answered(b, b"after").inner.tos == FW_TOS
    assert arrived(fw.ins, b"after") and arrived(fw.outs, b"after")
    assert not with_text(app, last)
    assert not [f for raw in net.enb.frames if (f := b.is_downlink(raw))
                and f.inner.tos != FW_TOS]


def test_new_ue_while_the_switch_is_gone(lab, net, fw, app, api):
    """Nothing is held for a chain that is not there."""
    api.register(chain=["fw"])
    answered(net.bearer("10.45.8.7"), b"before")
    with hung(lab):
        wait_until(lambda: not api.healthy(), what="tofd to notice")

        def is_switched():
            b = net.bearer("10.45.8.8")
            frame = b.uplink(echo(b.ue, b"anyone?"))
            try:
                return net.sgw.wait(frame, timeout=0.2)
            except AssertionError:
                return None

        wait_until(is_switched, timeout=3, what="a switched packet")
        assert not with_text(app, b"anyone?")


@pytest.mark.datapath("xdp")
@pytest.mark.parametrize("state", [dead, hung])
def test_service_without_a_chain_needs_no_switch(lab, net, fw, api, state):
    """It goes on without a gap, can be registered, and takes new UEs; one
    with a chain cannot."""
    api.register(chain=["fw"])
    api.register("plain", PLAIN_IP)
    b = net.bearer("10.45.8.9")
    answered(b, b"before", PLAIN_IP)
    with Stream(b, lambda t: echo(b.ue, t, PLAIN_IP)) as stream:
        wait_until(lambda: len(stream.sent) > 50, what="traffic")
        with state(lab):
            wait_until(lambda: not api.healthy(), what="tofd to notice")
            api.unregister("plain")
            api.register("plain", PLAIN_IP)
            new = net.bearer("10.45.8.10")
            answered(new, b"new", PLAIN_IP)
            n = len(stream.sent)
            wait_until(lambda: len(stream.sent) > n + 100, what="traffic")
            for text, _ in stream.sent[n:n + 100]:
                b.wait_downlink(is_text(text))
            api.unregister()
            answer = post(api, ["fw"])
            assert answer.status == 503, answer
            assert "heartbeats" in answer.json["detail"]
        wait_until(api.healthy, timeout=15, what="all of it")
    for text, _ in stream.sent[:50]:
        b.wait_downlink(is_text(text))
    api.register(chain=["fw"])
    assert answered(new, b"chained").inner.tos == FW_TOS


@pytest.mark.datapath("xdp")
def test_tofd_starts_without_the_switch(lab, net, fw, app, api):
    """Services without a chain are there, others come with the switch."""
    api.register(chain=["fw"])
    api.register("plain", PLAIN_IP)
    b = net.bearer("10.45.8.14")
    answered(b, b"before")
    lab.ovs("kill")
    lab.tofd("stop")
    with contextlib.suppress(subprocess.TimeoutExpired):
        lab_sh("tofd", "start", timeout=2)      # It never gets healthy.
    wait_until(lambda: api.get("/status"), what="the API")
    switched_until_answered(net, b, b"plain", dst=PLAIN_IP)
    answered(net.bearer("10.45.8.15"), b"new", PLAIN_IP)
    net.sgw.wait(b.uplink(echo(b.ue, b"switched")))
    assert not with_text(app, b"switched")
    lab.ovs("start")
    wait_until(api.healthy, timeout=15, what="all of it")
    switched_until_answered(net, b, b"after")
    assert arrived(fw.ins, b"after") and arrived(fw.outs, b"after")


@pytest.mark.datapath("xdp")
@pytest.mark.parametrize("what", [
    "del tof-tun", "del ovs-tun", "del tof-nat", "del tof-hb0",
    "set ovs-tun down", "set tof-nat down", "set tof-hb1 down"])
def test_link_to_the_switch_is_lost(lab, net, fw, app, api, what):
    """Packets of services with a chain are switched until it is mended;
    never is one past the chain."""
    api.register(chain=["fw"])
    b = net.bearer("10.45.8.11")
    answered(b, b"before")
    mended = lab.mended()
    lab.run("lab-tof", "ip", "link", *what.split())
    switched_until_answered(net, b, b"after", timeout=20, until=mended)
    assert arrived(fw.ins, b"after") and arrived(fw.outs, b"after")
    assert all(one.tos == FW_TOS for one in with_text(app, b"after"))


@pytest.mark.datapath("xdp")
def test_nat_is_cut_off_while_tofd_is_dead(lab, net, fw, app, api):
    """Heartbeats of the switch go by ue0, as packets do."""
    api.register(chain=["fw"])
    b = net.bearer("10.45.8.16")
    answered(b, b"before")
    lab.tofd("kill")
    lab.run("tof-app", "ip", "link", "set", "ue0", "down")

    def is_switched():
        frame = b.uplink(echo(b.ue, b"switched"))
        with contextlib.suppress(AssertionError):
            return net.sgw.wait(frame, timeout=0.05)

    wait_until(is_switched, 0.6, "its packets to be switched")
    lab.tofd("start")
    wait_until(api.healthy, 15, "tofd")
    switched_until_answered(net, b, b"after")


@pytest.mark.datapath("xdp")
def test_chain_where_drivers_are_not_used(lab, net, fw, api):
    """Generic XDP."""
    api.register(chain=["fw"])
    lab.run("lab-sgw", "ethtool", "-K", "s1u0", "gro", "off")
    try:
        wait_until(lambda: "generic" in api.get("/status").json["facts"][
            "datapath"], timeout=5, what="the generic way")
        wait_until(api.healthy, what="tofd")
        b = net.bearer("10.45.8.12")
        for i in range(5):
            text = b"generic %d" % i
            assert answered(b, text).inner.tos == FW_TOS
            once(fw.ins, text)
            once(fw.outs, text)
    finally:
        lab.run("lab-sgw", "ethtool", "-K", "s1u0", "gro", "on")
        lab.tofd("restart")


@pytest.mark.datapath("xdp")
def test_another_data_path_takes_over_and_gives_back(lab, net, fw, api):
    api.register(chain=["fw", "mon"])
    b = net.bearer("10.45.8.13")
    answered(b, b"xdp")
    with lab.configured(("datapath: xdp", "datapath: ovs")):
        switched_until_answered(net, b, b"ovs")
        assert arrived(fw.ins, b"ovs") and arrived(fw.outs, b"ovs")
        links = lab.run("lab-tof", "ip", "-br", "link").stdout
        assert "tof-tun" not in links and "tof-nat" not in links
    switched_until_answered(net, b, b"xdp again")
    assert arrived(fw.ins, b"xdp again") and arrived(fw.outs, b"xdp again")


@pytest.mark.datapath("xdp")
def test_functions_are_configured_again(lab, net, fw, api):
    """Without functions tofd takes the links to the switch away, and with
    them makes new ones, which a switch that has been started meanwhile opens
    at the same moment."""
    api.register(chain=["fw"])
    b = net.bearer("10.45.8.16")
    for i in range(4):
        with lab.configured((r"functions: \{.*\}", "functions: {}")):
            lab.ovs("kill")
            lab.ovs("start")
        switched_until_answered(net, b, b"again %d" % i, timeout=15)
