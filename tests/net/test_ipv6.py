# SPDX-License-Identifier: GPL-3.0-or-later
"""IPv6 inside the tunnels, outside, and both."""

import socket

import pytest

from tofnet import packet as p
from tofnet.emulator import ENB6, SGW6, TARGET, TARGET6
from tofnet.lab import APP6, SERVICE_IP, SERVICE_IP6
from tofnet.service import (
    app_socket, echo, is_syn_ack, is_text, service_of, switched, syn,
    wait_stale)
from tofnet.wait import wait_until

UE4, UE6 = "10.45.6.1", "2001:db8:1:1::1"
SAME_UE6 = "2001:db8:1:1:aaaa:bbbb:cccc:dddd"   # Another interface id.
OTHER_UE6 = "2001:db8:1:2::1"                   # Another /64.
OVER6 = {"enb": ENB6, "sgw": SGW6}


def register(api):
    api.register()
    api.register("svc6", SERVICE_IP6, APP6)


def says(b, text, source=None, **kw):
    """The UE sends 'text' to the echo service of its family."""
    source = source or b.ue
    return b.uplink(echo(source, text, dst=service_of(source)), **kw)


def establish(net, ue, **kw):
    b = net.bearer(ue, **kw)
    says(b, b"first")
    b.wait_downlink(is_text(b"first"))
    return b


families = pytest.mark.parametrize("ue,kw", [
    (UE6, {}), (UE4, OVER6), (UE6, OVER6)],
    ids=["6-over-4", "4-over-6", "6-over-6"])


@families
def test_tcp_reaches_the_app_and_is_answered(net, api, ue, kw):
    register(api)
    b = net.bearer(ue, **kw)
    b.uplink(syn(ue, dst=service_of(ue)))
    f = b.wait_downlink(is_syn_ack)
    assert (f.inner.src, f.inner.dst) == (service_of(ue), ue)
    assert f.inner.l4_ok and f.inner.header_ok
    assert f.flags == 0x30 and f.ip.sport == 2152 and f.ip.header_ok
    assert (f.src_mac, f.dst_mac) == b.macs_at_enb
    assert f.ip.l4_ok and (":" not in b.enb or f.udp_checksum)


@families
def test_held_then_diverted(net, api, ue, kw):
    register(api)
    b = net.bearer(ue, **kw)
    for text in (b"held", b"diverted", b"again"):
        says(b, text)
        b.wait_downlink(is_text(text))
    assert not [f for f in net.sgw.frames if (g := b.is_uplink(f))
                and g.inner.dst == service_of(ue)]


@families
def test_every_optional_field(net, api, ue, kw):
    register(api)
    b = establish(net, ue, **kw)
    for i, fields in enumerate((
            {"seq": 1}, {"npdu": 3}, {"exts": [(0xc0, b"\x12\x34")]},
            {"exts": [(0x85, b"\x10\x05")], "seq": 9})):
        text = b"fields %d" % i
        says(b, text, **fields)
        b.wait_downlink(is_text(text))


@families
def test_ping_is_right_and_its_reply_consumed(net, api, ue, kw):
    b = net.bearer(ue, **kw)
    frame = b.uplink(p.ip_udp(ue, "2001:db8:7::7" if ":" in ue
                              else "203.0.113.77", b"x"))
    api.wait_proved(ue)
    switched(net, frame)
    _, bearer, ping = net.pings[0]
    assert bearer is b
    assert (ping.inner.src, ping.inner.dst) == (
        ue, TARGET6 if ":" in ue else TARGET)
    assert ping.inner.l4_ok and ping.ip.l4_ok and ping.ip.header_ok
    assert not [f for f in net.enb.frames if (g := b.is_downlink(f))
                and g.inner.is_echo_reply]


@families
def test_other_traffic_is_switched(net, api, ue, kw):
    register(api)
    b = establish(net, ue, **kw)
    other = "2001:db8:7::7" if ":" in ue else "203.0.113.77"
    switched(net, b.uplink(p.ip_udp(ue, other, b"x"), seq=77))
    frame = b.downlink(p.ip_udp(other, ue, b"y"), seq=78)
    net.enb.wait(net.forwarded(frame))


@families
def test_first_packets_of_many(net, api, ue, kw):
    register(api)
    bearers = [net.bearer(f"2001:db8:2:{i:x}::1" if ":" in ue
                          else f"10.45.7.{i}", **kw) for i in range(1, 31)]
    for b in bearers:
        b.uplink(syn(b.ue, dst=service_of(b.ue)))
    for b in bearers:
        f = b.wait_downlink(is_syn_ack, what=f"a SYN-ACK for {b.ue}")
        assert f.inner.dst == b.ue


@families
def test_end_marker_and_new_enodeb(net, api, ue, kw):
    register(api)
    b = establish(net, ue, **kw)
    old = b.down_teid
    net.enb.wait(b.end_marker())
    wait_stale(api, ue)
    b.enb = "fd01::9" if ":" in b.enb else "10.1.0.9"
    b.enb_mac, b.down_teid = "0e:0e:0b:00:00:09", 0x7777
    mark = net.enb.mark()
    says(b, b"moved")
    f = b.wait_downlink(is_text(b"moved"))
    assert f.dst_mac == b.enb_mac
    assert not [f for f in net.enb.since(mark) if (g := p.GtpFrame.parse(f))
                and g.teid == old]


@families
def test_error_indication_ends_the_downlink(net, api, ue, kw):
    register(api)
    b = establish(net, ue, **kw)
    net.silent = True
    b.error_indication()
    wait_stale(api, ue)


def test_session_is_shown_as_prefix(net, api):
    b = net.bearer(UE6)
    b.uplink(p.ip_udp(UE6, "2001:db8:7::7", b"x"))
    s = api.wait_proved(UE6)
    assert s["ue"] == "2001:db8:1:1::/64"
    for query in (s["ue"], SAME_UE6):
        assert [t["id"] for t in api.sessions(ue=query)] == [s["id"]]
    assert api.sessions(ue=OTHER_UE6) == []


def test_another_interface_id_is_the_same_ue(net, api):
    register(api)
    b = establish(net, UE6)
    says(b, b"privacy", source=SAME_UE6)
    f = b.wait_downlink(is_text(b"privacy"))
    assert f.inner.dst == SAME_UE6
    assert len(api.sessions()) == 1


def test_ping_comes_from_the_last_address(net, api):
    """Proved again after an End Marker."""
    register(api)
    b = establish(net, UE6)
    b.end_marker()
    wait_stale(api, UE6)
    says(b, b"privacy", source=SAME_UE6)
    b.wait_downlink(is_text(b"privacy"))
    assert net.pings[-1][2].inner.src == SAME_UE6


def test_another_prefix_in_the_tunnel_is_switched(net, api):
    register(api)
    b = establish(net, UE6)
    mark = net.enb.mark()
    switched(net, says(b, b"foreign", source=OTHER_UE6))
    says(b, b"own")
    b.wait_downlink(is_text(b"own"))
    assert not [f for f in net.enb.since(mark) if (g := p.GtpFrame.parse(f))
                and g.inner.payload == b"foreign"]
    assert api.session_of(OTHER_UE6) is None


@pytest.mark.parametrize("source", [
    "fe80::1", "::", "ff02::1", "::1", "127.0.0.1", "0.0.0.0", "224.0.0.1",
    "169.254.3.4", "::ffff:10.45.6.6"])
def test_nothing_is_learned_from(net, api, source):
    register(api)
    b = net.bearer(UE6)
    switched(net, says(b, b"to the service", source=source))
    switched(net, b.uplink(p.ip_udp(source, "2001:db8:7::7" if ":" in source
                                    else "203.0.113.77", b"elsewhere")))
    b.uplink(p.ip_udp(UE6, "2001:db8:7::7", b"x"))
    api.wait_proved(UE6)
    assert [s["ue"] for s in api.sessions()] == ["2001:db8:1:1::/64"]


def test_router_advertisement_ends_nothing(net, api):
    """The SGW's own words to a UE's link-local address."""
    register(api)
    b = establish(net, UE6)
    frame = b.downlink(p.ip_udp("fe80::2", "fe80::1", b"advertisement"))
    net.enb.wait(frame)
    says(b, b"still here")
    b.wait_downlink(is_text(b"still here"))
    assert api.session_of(UE6)["bearers"][0]["proved"]


def test_app_opens_a_connection_to_an_ipv6_ue(net, api):
    register(api)
    b = establish(net, UE6)

    with app_socket(socket.AF_INET6) as app:
        app.sendto(b"hello", (SAME_UE6, 7777))
        f = b.wait_downlink(is_text(b"hello"))
        assert (f.inner.src, f.inner.dst) == (SERVICE_IP6, SAME_UE6)
        b.uplink(p.ip_udp(SAME_UE6, SERVICE_IP6, b"answer", 7777,
                          f.inner.sport))
        assert app.recv(100) == b"answer"
        mark = net.enb.mark()
        app.sendto(b"nobody", (OTHER_UE6, 7777))
        app.sendto(b"again", (UE6, 7777))
        b.wait_downlink(is_text(b"again"))
        assert not [f for f in net.enb.since(mark)
                    if p.GtpFrame.parse(f).inner.payload == b"nobody"]


def test_same_prefix_behind_two_sgws(net, api):
    register(api)
    one = net.bearer(UE6)
    two = net.bearer(UE6, sgw="10.1.0.22", sgw_mac="0e:05:09:00:00:22")
    for i in range(2):
        for b, text in ((one, b"one"), (two, b"two")):
            text += b" %d" % i
            says(b, text)
            b.wait_downlink(is_text(text))


def test_a_ue_with_a_stack(net, api):
    """TCP both ways, with what the kernel makes of it."""
    register(api)
    ue = net.ue(UE6, prefix="lab-ue")
    for _ in range(3):
        assert ue.get(f"http://[{SERVICE_IP6}]/") == "edge"


def test_traffic_is_counted(net, api):
    register(api)
    b = establish(net, UE6, **OVER6)
    for i in range(5):
        says(b, b"n%d" % i)
        b.wait_downlink(is_text(b"n%d" % i))

    def counted():
        c = api.session_of(UE6)["counters"]
        return c["packetsUp"] >= 6 and c["packetsDown"] >= 5

    wait_until(counted, timeout=10, what="the counters")


def test_ipv6_service_goes(net, api):
    register(api)
    b = establish(net, UE6)
    api.unregister("svc6")
    switched(net, says(b, b"after"))


@families
def test_kill_and_restart_keep_bearers(net, api, lab, ue, kw):
    """Diverted while tofd is dead, and adopted by the next."""
    # What the App's host still has for other tests' UEs, as a SYN-ACK that
    # nobody acknowledges, would have the bearer proved.
    ue = ue.replace("10.45.6.1", "10.45.66.1").replace(":1:1::1", ":66:1::1")
    register(api)
    b = establish(net, ue, **kw)
    # An answer of the API comes behind what was written to the journal.
    assert api.session_of(ue)["state"] == "established"
    lab.tofd("kill")
    says(b, b"dead")
    b.wait_downlink(is_text(b"dead"))
    pings = len(net.pings)
    lab.tofd("start")
    says(b, b"back")
    b.wait_downlink(is_text(b"back"))
    assert len(net.pings) == pings
    s = api.session_of(ue)
    assert s["state"] == "established"
