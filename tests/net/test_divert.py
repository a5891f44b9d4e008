# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job: what goes to a service reaches the ME App and is answered,
everything else is switched, and nothing goes down a tunnel not proved."""

import socket

import pytest

from tofnet import packet as p
from tofnet.emulator import TARGET
from tofnet.frames import FRAMES, turned
from tofnet.lab import APP, APP6, SERVICE_IP, SERVICE_IP6
from tofnet.netns import call_in
from tofnet.service import (
    OTHER, app_socket, echo, establish, is_syn_ack, is_text, switched, syn)
from tofnet.wait import wait_until

def test_tunnel_is_learned_and_proved(net, api):
    b = net.bearer("10.45.2.1")
    frame = b.uplink(p.ip_udp(b.ue, OTHER, b"x"))
    s = api.wait_proved(b.ue)
    switched(net, frame)
    assert s["state"] == "established"
    bearer, = s["bearers"]
    assert bearer["uplink"] == {"enb": b.enb, "sgw": b.sgw,
                                "teid": b.up_teid}
    assert bearer["downlink"] == {"sgw": b.sgw, "enb": b.enb,
                                  "teid": b.down_teid, "qfi": 0}


def test_ping_is_sent_as_the_ue_and_its_reply_consumed(net, api):
    b = net.bearer("10.45.2.1")
    b.uplink(p.ip_udp(b.ue, OTHER, b"x"))
    api.wait_proved(b.ue)
    _, bearer, ping = net.pings[0]
    assert bearer is b
    assert (ping.inner.src, ping.inner.dst) == (b.ue, TARGET)
    assert ping.inner.header_ok and ping.inner.l4_ok
    assert ping.flags == 0x30 and ping.ip.sport == 2152
    assert (ping.src_mac, ping.dst_mac) == (net.via or b.enb_mac, b.sgw_mac)
    assert not [f for f in net.enb.frames if b.is_downlink(f)]


def test_ping_waits_for_the_way_to_be_prepared(net, api):
    """Each of these eNodeBs is new, so nothing knows yet how to send in its
    name."""
    before = api.metrics()["tof_pinger_requests_total"]
    for i in range(10):
        b = net.bearer(f"10.45.2.{10 + i}", enb=f"10.1.0.{20 + i}")
        b.uplink(p.ip_udp(b.ue, OTHER, b"x"))
        api.wait_proved(b.ue)
    requests = api.metrics()["tof_pinger_requests_total"] - before
    assert len(net.pings) == requests


def test_own_ping_of_a_ue_passes(net, api):
    b = net.bearer("10.45.2.1")
    b.uplink(p.ip_udp(b.ue, OTHER, b"x"))
    api.wait_proved(b.ue)
    b.uplink(p.ip_echo(b.ue, TARGET, 5, 6, b"mine"))
    f = b.wait_downlink(lambda f: f.inner.is_echo_reply)
    assert (f.inner.ident, f.inner.seq, f.inner.payload) == (5, 6, b"mine")


@pytest.mark.hurried("a packet waits for 2 s at most, and Open vSwitch is not "
                     "programmed for 100 UEs by then")
def test_first_packets_of_100_ues(net, api):
    """Each sends one SYN, once, and gets its SYN-ACK."""
    api.register()
    bearers = [net.bearer(f"10.45.3.{i}") for i in range(1, 101)]
    for b in bearers:
        b.uplink(syn(b.ue))
    for b in bearers:
        f = b.wait_downlink(is_syn_ack, what=f"a SYN-ACK for {b.ue}")
        assert (f.inner.src, f.inner.dst) == (SERVICE_IP, b.ue)
        assert f.inner.l4_ok and f.inner.header_ok
        assert f.flags == 0x30 and f.ip.sport == 2152
        assert (f.src_mac, f.dst_mac) == b.macs_at_enb
    # Nobody got what another one was sent.
    for raw in net.enb.frames:
        owner = [b for b in bearers if b.is_downlink(raw)]
        assert len(owner) == 1
        assert p.GtpFrame.parse(raw).inner.dst == owner[0].ue
    assert not [f for f in net.sgw.frames if (g := p.GtpFrame.parse(f))
                and g.inner.dst == SERVICE_IP]


def held_without_header(lab, net, b):
    """A packet to a service that is held while nobody knows the Ethernet
    header between its outer addresses: gives its frame."""
    def noted():
        return "elements" in lab.run("lab-tof", "nft", "list", "map", "netdev",
                                     "tof", "l2").stdout

    forget = ("lab-tof", "nft", "flush", "map", "netdev", "tof", "l2")
    with lab.stopped():
        lab.run(*forget)
        frame = b.uplink(echo(b.ue, b"no header"))
        wait_until(noted, what="the packet to be held")
        lab.run(*forget)
    return frame


def test_held_packet_without_ethernet_header_is_counted(lab, net, api):
    lost = 'tof_hold_lost_total{reason="no_ethernet_header"}'
    api.register()
    before = api.metrics()[lost]
    held_without_header(lab, net, net.bearer("10.45.1.77", enb="10.1.0.77"))
    wait_until(lambda: api.metrics()[lost] == before + 1,
               what="the packet to be counted")


def test_service_comes_and_goes(net, api):
    b = net.bearer("10.45.2.1")
    frame = b.uplink(echo(b.ue, b"before"))
    switched(net, frame)
    api.register()
    mark = net.sgw.mark()
    b.uplink(echo(b.ue, b"while"))
    b.wait_downlink(is_text(b"while"))
    assert not [f for f in net.sgw.since(mark) if (g := b.is_uplink(f))
                and g.inner.dst == SERVICE_IP]
    api.unregister()
    frame = b.uplink(echo(b.ue, b"after"))
    switched(net, frame)
    api.register()
    assert api.delete(f"/service/{SERVICE_IP}").status == 200
    frame = b.uplink(echo(b.ue, b"after that"))
    switched(net, frame)


@pytest.mark.parametrize("kw", [
    {"seq": 1}, {"npdu": 3}, {"seq": 1, "npdu": 3},
    {"exts": [(0xc0, b"\x12\x34")]},
    {"exts": [(0xc0, b"\x12\x34"), (0x40, b"\x08\x68")], "seq": 9},
    {"exts": [(0x85, b"\x10\x05")]},
    {"exts": [(0xc0, bytes(10)), (0xc0, bytes(2))]},
], ids=["S", "PN", "S-PN", "ext", "two-exts-S", "pdu-session", "long-ext"])
def test_every_header_layout(net, api, kw):
    """First held, then diverted by the kernel."""
    api.register()
    b = net.bearer("10.45.2.1")
    for text in (b"held", b"diverted", b"again"):
        b.uplink(echo(b.ue, text), **kw)
        f = b.wait_downlink(is_text(text))
        assert f.flags == 0x30 and f.exts == []


def test_other_traffic_of_a_diverted_ue_is_switched(net, api):
    api.register()
    b = establish(net)
    frame = b.uplink(p.ip_udp(b.ue, OTHER, b"x"), seq=77)
    switched(net, frame)
    frame = b.downlink(p.ip_udp(OTHER, b.ue, b"y"), seq=78)
    net.enb.wait(net.forwarded(frame))


def test_frames_of_all_kinds_with_tofd(net, api):
    """The wire's table again, with tofd and a service: bit for bit."""
    api.register()
    establish(net)
    for name, frame in FRAMES:
        for source, sink, f in ((net.enb, net.sgw, frame),
                                (net.sgw, net.enb, turned(frame))):
            mark = sink.mark()
            source.send(f)
            sink.wait(f, since=mark, what=name)
    assert len(FRAMES) >= 30


def test_silent_sgw_gets_nothing_down_until_it_speaks(net, api):
    api.register()
    net.silent = True
    b = net.bearer("10.45.2.1")
    for i in range(3):
        b.uplink(echo(b.ue, b"held %d" % i))
    wait_until(lambda: len(net.pings) >= 2, what="pings")
    assert net.enb.frames == []
    net.silent = False
    for i in range(3):
        b.wait_downlink(is_text(b"held %d" % i))


def test_held_in_vain_is_switched(net, api):
    """The SGW never answers: the packets arrive there, untouched."""
    api.register()
    net.silent = True
    b = net.bearer("10.45.2.1")
    frames = [b.uplink(echo(b.ue, b"held %d" % i), seq=i) for i in range(3)]
    for frame in frames:
        switched(net, frame, timeout=4)
    assert net.enb.frames == []


def test_app_opens_a_connection(net, api):
    """It goes to the UE's only bearer, from the service's address, and the
    UE's answer finds its way back."""
    api.register()
    b = establish(net)

    with app_socket() as app:
        app.sendto(b"hello", (b.ue, 7777))
        f = b.wait_downlink(is_text(b"hello"))
        assert (f.inner.src, f.inner.dst) == (SERVICE_IP, b.ue)
        b.uplink(p.ip_udp(b.ue, SERVICE_IP, b"answer", 7777, f.inner.sport))
        assert app.recv(100) == b"answer"
        mark = net.enb.mark()
        app.sendto(b"nobody", ("10.45.99.99", 7777))
        app.sendto(b"again", (b.ue, 7777))
        b.wait_downlink(is_text(b"again"))
        assert not [f for f in net.enb.since(mark)
                    if p.GtpFrame.parse(f).inner.payload == b"nobody"]


@pytest.mark.parametrize("ue,service,app,others,other_app", [
    ("10.45.4.1", SERVICE_IP, APP, "198.51.100.20", "192.168.100.20"),
    ("2001:db8:4:1::1", SERVICE_IP6, APP6, "2001:db8:5::20",
     "fd00:100::20")], ids=["IPv4", "IPv6"])
def test_app_speaks_only_as_its_own_service(net, api, ue, service, app,
                                            others, other_app):
    """What a host in the Apps' network sends with a service's address is
    dropped, whichever service it is, and counted."""
    api.register(service=service, app=app)
    api.register("others", others, other_app)
    b = establish(net, ue)
    key = 'tof_nat_dropped_packets_total{reason="serves_no_service"}'
    wait_until(lambda: key in api.metrics(), what="the metric")
    before = api.metrics()[key]

    def send_raw(*packets):
        family = socket.AF_INET6 if ":" in ue else socket.AF_INET
        with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
            for packet in packets:
                s.sendto(packet, (ue, 0))

    call_in("lab-app", send_raw, *(
        p.ip_udp(src, ue, text, 443, 5001) for src, text in (
            (others, b"forged"), (service, b"forged"), (app, b"true"))))
    f = b.wait_downlink(is_text(b"true"))
    assert f.inner.src == service
    assert not [f for raw in net.enb.frames if (f := b.is_downlink(raw))
                and f.inner.payload == b"forged"]
    wait_until(lambda: api.metrics()[key] == before + 2, what="both counted")


def test_traffic_is_counted(net, api):
    api.register()
    b = establish(net)
    for i in range(5):
        b.uplink(echo(b.ue, b"n%d" % i))
        b.wait_downlink(is_text(b"n%d" % i))

    def counted():
        c = api.session_of(b.ue)["counters"]
        return c["packetsUp"] >= 6 and c["packetsDown"] >= 5

    wait_until(counted, timeout=10, what="the counters")
