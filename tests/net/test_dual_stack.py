# SPDX-License-Identifier: GPL-3.0-or-later
"""UEs with an IPv4 and an IPv6 address in one pair of tunnels (a PDN
connection of type IPv4v6)."""

import socket

import pytest

from test_ipv6 import UE4, UE6, register, says
from tofnet import packet as p
from tofnet.emulator import TARGET6
from tofnet.lab import APP6, STATE
from tofnet.netns import call_in
from tofnet.service import is_proved, is_text, switched, wait_stale
from tofnet.wait import wait_until

CONFIG = f"{STATE}/tof.yaml"
OTHER, OTHER6 = "203.0.113.77", "2001:db8:7::7"
DROPPED = 'tof_down_dropped_total{reason="no_bearer"}'


def dual_stack(net, **kw):
    """Both bearers of a UE: one pair of tunnels."""
    v4 = net.bearer(UE4, **kw)
    return v4, net.bearer(UE6, v4.up_teid, v4.down_teid, **kw)


def app_sends6(text, ue=UE6):
    """The echo server's host sends to the flow that is in conntrack."""
    def send():
        s = socket.socket(socket.AF_INET6, socket.SOCK_RAW,
                          socket.IPPROTO_UDP)
        s.sendto(p.udp(APP6, ue, text, 7, 5000), (ue, 0))
        s.close()
    call_in("lab-app", send)


def test_dual_stack_ue_uses_both(net, api):
    register(api)
    v4, v6 = dual_stack(net)
    for i in range(3):
        for b in (v4, v6):
            text = b"%s %d" % (b.ue.encode(), i)
            says(b, text)
            f = b.wait_downlink(is_text(text))
            assert f.inner.dst == b.ue
    for ue in (UE4, UE6):
        assert api.wait_proved(ue)["bearers"][0]["uplink"]["teid"] \
            == v4.up_teid


def test_end_marker_ends_both_of_a_dual_stack_ue(net, api):
    register(api)
    v4, v6 = dual_stack(net)
    for b in (v4, v6, v4):
        says(b, b"x")
        b.wait_downlink(is_text(b"x"))
        net.enb.clear()
    net.silent = True
    v4.end_marker()
    for ue in (UE4, UE6):
        wait_stale(api, ue)


def test_dual_stack_ue_moves_with_both(net, api):
    """The first packet of either family moves both bearers."""
    register(api)
    v4, v6 = dual_stack(net)
    for i, b in enumerate((v4, v6, v4)):
        says(b, b"before %d" % i)
        b.wait_downlink(is_text(b"before %d" % i))
    old = v4.down_teid
    for b in (v4, v6):
        b.enb, b.enb_mac, b.down_teid = "10.1.0.9", "0e:0e:0b:00:00:09", 0x777
    mark = net.enb.mark()
    says(v4, b"moved")
    v4.wait_downlink(is_text(b"moved"))
    app_sends6(b"late")
    f = v6.wait_downlink(is_text(b"late"))
    assert f.ip.dst == "10.1.0.9"
    assert not [f for f in net.enb.since(mark) if (g := p.GtpFrame.parse(f))
                and g.teid == old]


def test_reused_teid_takes_both_addresses(net, api):
    """Another UE's IPv4 address in the tunnel: the old UE's IPv6 is gone."""
    register(api)
    v4, v6 = dual_stack(net)
    for i, b in enumerate((v4, v6, v4)):
        says(b, b"old %d" % i)
        b.wait_downlink(is_text(b"old %d" % i))
    net.silent = True
    v4.end_marker()
    wait_stale(api, UE4)
    net.bearer("10.45.6.99", v4.up_teid).uplink(
        p.ip_udp("10.45.6.99", OTHER, b"x"))
    wait_until(lambda: api.session_of(UE6) is None, what="the UE to go")
    assert api.session_of(UE4) is None


@pytest.fixture
def v4_targets(lab, net, api):
    """tofd without an IPv6 target."""
    with open(CONFIG, encoding="utf-8") as f:
        whole = f.read()
    half = whole.replace(f', "{TARGET6}"', "")
    assert half != whole
    for text in (half, whole):
        with open(CONFIG, "w", encoding="utf-8") as f:
            f.write(text)
        lab.tofd("restart")
        if text is half:
            yield
            api.clean()


def heard_in_turn(net, api, v4, v6):
    """Each of both bearers has been seen after the other."""
    v4.uplink(p.ip_udp(v4.ue, OTHER, b"x"))
    api.wait_proved(v4.ue)
    v6.uplink(p.ip_udp(v6.ue, OTHER6, b"x"))
    wait_until(lambda: v6.up_teid in [
        b["uplink"]["teid"] for s in api.sessions(ue=v6.ue)
        for b in s["bearers"]],
        what="the IPv6 bearer")
    says(v4, b"v4")
    v4.wait_downlink(is_text(b"v4"))
    return v4, v6


def test_a_dual_stack_pair_vouches(net, api, v4_targets):
    register(api)
    _, v6 = heard_in_turn(net, api, *dual_stack(net))
    for text in (b"held", b"diverted"):
        says(v6, text)
        v6.wait_downlink(is_text(text))
    assert {f.inner.version for _, _, f in net.pings} == {4}
    pinger = next(part for part in api.get("/status").json["parts"]
                  if part["name"] == "pinger")
    assert pinger["ready"] and "no IPv6 target" in pinger["detail"]


def test_a_pair_does_not_vouch_for_another_ues_address(
        net, api, v4_targets):
    """One UE forges what another one uses."""
    register(api)
    _, owner = heard_in_turn(net, api, *dual_stack(net))
    says(owner, b"mine")
    owner.wait_downlink(is_text(b"mine"))
    v4 = net.bearer("10.45.6.66")
    forger = net.bearer(UE6, v4.up_teid, v4.down_teid)
    heard_in_turn(net, api, v4, forger)
    switched(net, says(forger, b"forged"))
    for _ in range(3):
        says(owner, b"still mine")
        owner.wait_downlink(is_text(b"still mine"))
        net.enb.clear()
    assert [b["proved"] for s in api.sessions(ue=UE6) for b in s["bearers"]
            if b["uplink"]["teid"] == forger.up_teid] == [False]


def test_another_family_alone_does_not(net, api, v4_targets):
    """The TEID may have changed hands."""
    register(api)
    v4, v6 = dual_stack(net)
    v4.uplink(p.ip_udp(UE4, OTHER, b"x"))
    api.wait_proved(UE4)
    switched(net, says(v6, b"first"))
    assert not is_proved(api, UE6)


def test_nobody_connects_to_an_address_that_is_only_vouched_for(
        net, api, v4_targets):
    register(api)
    _, v6 = heard_in_turn(net, api, *dual_stack(net))
    says(v6, b"held")
    v6.wait_downlink(is_text(b"held"))
    before = api.metrics()[DROPPED]

    def send():
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        s.sendto(b"hello", (UE6, 7777))
        s.close()
    call_in("lab-app", send)
    wait_until(lambda: api.metrics()[DROPPED] > before,
               what="the packet to be dropped")
    assert not [f for f in net.enb.frames if (g := p.GtpFrame.parse(f))
                and g.inner.payload == b"hello"]
