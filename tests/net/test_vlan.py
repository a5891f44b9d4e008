# SPDX-License-Identifier: GPL-3.0-or-later
"""S1-U in a VLAN (IEEE 802.1Q): diverted as without, and what the TOF builds
carries the tag that the path's packets carry, priority included."""

import pytest

from tofnet import packet as p
from tofnet.emulator import ENB6, SGW6
from tofnet.lab import APP6, SERVICE_IP, SERVICE_IP6
from tofnet.service import echo, is_text, switched

# Priority 5, VLAN 108, which no other test uses between the same addresses:
# for a minute the priority seen first counts there.
TAG = 5 << 13 | 108

paths = pytest.mark.parametrize("ue,service,kw", [
    ("10.45.8.1", SERVICE_IP, {}),
    ("2001:db8:8:1::1", SERVICE_IP6, {"enb": ENB6, "sgw": SGW6})],
    ids=["ipv4", "ipv6"])


def register(api):
    api.register()
    api.register("svc6", SERVICE_IP6, APP6)


@paths
def test_answers_carry_the_tag(net, api, ue, service, kw):
    register(api)
    b = net.bearer(ue, vlan=TAG, **kw)
    for text in (b"held", b"diverted", b"again"):
        b.uplink(echo(ue, text, dst=service))
        f = b.wait_downlink(is_text(text))
        assert f.vlan == [TAG]
        assert (f.src_mac, f.dst_mac) == (b.sgw_mac, b.enb_mac)
    assert not [f for f in net.sgw.frames if (g := b.is_uplink(f))
                and g.inner.dst == service]


@paths
def test_pings_carry_the_tag(net, api, ue, service, kw):
    b = net.bearer(ue, vlan=TAG, **kw)
    other = "2001:db8:7::7" if ":" in ue else "203.0.113.77"
    frame = b.uplink(p.ip_udp(ue, other, b"x"))
    api.wait_proved(ue)
    switched(net, frame)
    assert net.pings[0][2].vlan == [TAG]


@paths
def test_given_up_packets_keep_the_tag(net, api, ue, service, kw):
    """Held in vain: put back as it was."""
    register(api)
    net.silent = True
    b = net.bearer(ue, vlan=TAG, **kw)
    switched(net, b.uplink(echo(ue, b"held", dst=service)), timeout=4)


def test_two_vlans_and_none(net, api):
    """Peers with and without a tag do not mix."""
    register(api)
    bearers = [
        net.bearer(f"10.45.8.{i + 1}", vlan=tag, enb=f"10.1.0.{i + 31}",
                   enb_mac=f"0e:0e:0b:00:00:{i + 31:02x}")
        for i, tag in enumerate((None, TAG, 3 << 13 | 200))]
    for i in range(2):
        for b in bearers:
            text = b"%s %d" % (b.ue.encode(), i)
            b.uplink(echo(b.ue, text))
            f = b.wait_downlink(is_text(text))
            assert f.vlan == ([b.vlan] if b.vlan else [])


def test_two_tags_are_switched(net, api):
    """QinQ: not looked into."""
    register(api)
    b = net.bearer("10.45.8.1")
    frame = b.uplink_frame(echo(b.ue, b"x"))
    frame = frame[:12] + b"\x88\xa8\0\x05\x81\0\0\x06" + frame[12:]
    net.enb.send(frame)
    switched(net, frame)
    assert api.sessions() == []
