# SPDX-License-Identifier: GPL-3.0-or-later
"""The path to an eNodeB is narrower than S1-U: by configuration, or because a
router there says so of what the TOF has built.  The SGW hears nothing of that;
what routers say of its own packets it gets."""

import contextlib
import os
import socket

import pytest

from test_mtu import (
    CASES, PMTUDISC_DO, PMTUDISC_DONT, S1U_MTU, Case, forgetful_app, handshake,
    megabyte_both_ways, reassembled)
from tofnet import packet as p
from tofnet.emulator import ENB, ENB6, SGW, SGW_MAC
from tofnet.lab import SERVICE_IP
from tofnet.service import answered, diverted, echo, is_text
from tofnet.wait import wait_until

__all__ = ["forgetful_app"]

MTU = 1408                      # A multiple of 16, as what is learned is.
HEADERS = 68
SUCH = {name: CASES[name] for name in ("4-lte", "4-worst", "6-lte",
                                       "6-worst")}
UES = {"ipv4": {}, "ipv6-vlan": {"enb": ENB6, "sgw": "fd01::2", "vlan": 100}}


@pytest.fixture(params=SUCH)
def case(request, api):
    case = Case(*SUCH[request.param])
    api.register(service=case.service, app=case.app)
    return case


@pytest.fixture(params=UES)
def peers(request):
    return UES[request.param]


@pytest.fixture(autouse=True)
def forgetful_tof(lab, datapath):
    """What is learned is gone with tofd."""
    yield
    if learned(lab.api):
        lab.tofd("restart")
        wait_until(lab.api.healthy, 15, "tofd")


def learned(api):
    return api.metrics()["tof_path_mtu_learned"]


def errors(api, result):
    return api.metrics()[f'tof_path_mtu_errors_total{{result="{result}"}}']


@contextlib.contextmanager
def path_mtus(lab, *paths):
    text = ", ".join(f'"{path}"' for path in paths)
    with lab.configured((r"(?m)^s1u: *\{", f"s1u: {{path_mtus: [{text}], ")):
        yield


def large_answer(net, b, size=1380):
    """An answer that fits S1-U: the frame, as the eNodeB gets it."""
    text = os.urandom(size)
    mark = net.enb.mark()
    b.uplink(echo(b.ue, text))
    return b.wait_downlink(is_text(text), since=mark)


def answered_in_fragments(net, b, size=1300):
    """The application's kernel does not let a first answer be cut: it is told,
    and cuts the next ones itself."""
    data = os.urandom(size)
    mark = net.enb.mark()

    def answer_is_whole():
        if (reassembled(net, b, mark) or b"")[-size:] == data:
            return True
        b.uplink(echo(b.ue, data))
        return False
    wait_until(answer_is_whole, what="the answer in fragments", interval=0.1)


def is_icmp_error(raw):
    tagged = bytes(raw)[12:14] == b"\x81\x00"
    ip = p.Inner.parse(bytes(raw)[18 if tagged else 14:])
    return (ip.proto, ip.kind) in ((p.ICMP, 3), (p.ICMPV6, 2))


def icmp_at_sgw(net, since=0):
    """ICMP errors that the SGW gets."""
    return [raw for raw in net.sgw.since(since) if is_icmp_error(raw)]


def test_tcp_gets_through_a_narrow_path(net, api, case):
    """A megabyte both ways, by a UE and an application that know nothing of
    it."""
    ue = net.ue(case.ue, **case.kw)
    ue.run("ip", "link", "set", "tun0", "mtu", S1U_MTU)
    net.mtu = MTU
    with case.app_socket(socket.SOCK_STREAM) as server:
        megabyte_both_ways(ue, case.service, server)
    assert net.too_big and learned(api) == 1
    assert not icmp_at_sgw(net)


def test_application_is_told(net, case):
    """With "don't fragment" its kernel learns how much fits this UE's path;
    without, what it sends is cut inside the tunnel."""
    b = case.bearer(net)
    data = os.urandom(1300)
    room = max(MTU - HEADERS, 1280 if case.version == 6 else 0)
    with case.app_socket(discover=PMTUDISC_DO) as s:
        s.connect(case.contact(b, s))
        net.mtu = MTU

        def told():
            with contextlib.suppress(OSError):
                s.send(data + bytes(S1U_MTU - HEADERS - case.header - 8
                                    - len(data)))
            return case.path_mtu(s) == room
        wait_until(told, what="the application's kernel to learn the MTU")
    if case.version == 6:
        return
    with case.app_socket(discover=PMTUDISC_DONT) as s:
        peer = case.contact(b, s)
        mark = net.enb.mark()
        s.sendto(data + data, peer)
        wait_until(lambda: reassembled(net, b, mark) == data + data,
                   what="all fragments")
        assert all(len(f.ip.raw) <= MTU for raw in net.enb.since(mark)
                   if (f := b.is_downlink(raw)))


def test_what_is_built_has_one_ip_id(net, api, peers):
    """Or flow label; and "don't fragment"."""
    api.register()
    b = diverted(net, **peers)
    heads = {bytes(f.ip.raw[4:8] if f.ip.version == 4 else f.ip.raw[:4])
             for raw in net.enb.frames if (f := b.is_downlink(raw))
             and f.inner.proto == p.UDP}
    assert heads == {b"\x7f\x0b\x40\x00" if not peers
                     else b"\x60\x09\x7f\x0b"}


def test_error_about_ours_is_consumed(net, api, peers):
    """It holds for the bearers behind that eNodeB, not below 1280, and for
    others nothing changes."""
    api.register()
    b = diverted(net, **peers)
    other = diverted(net, "10.45.6.2", **{**peers, "enb": (
        "fd01::9" if peers else "10.1.0.9")})
    built = large_answer(net, b)
    mark = net.sgw.mark()
    net.router_says(built.raw, 576)
    wait_until(lambda: learned(api) == 1, what="the MTU to be learned")
    net.router_says(built.raw, 9000)
    wait_until(lambda: errors(api, "ignored") >= 1, what="the second error")
    assert not icmp_at_sgw(net, mark)

    since = net.enb.mark()
    answered_in_fragments(net, b)
    assert all(len(f.ip.raw) <= 1280 for raw in net.enb.since(since)
               if (f := b.is_downlink(raw)))
    assert len(large_answer(net, other).payload) == 1380 + 28


@pytest.mark.parametrize("what", ["other-id", "other-tunnel", "other-code"])
def test_error_about_others_passes(net, api, peers, what):
    """The SGW gets it as it was."""
    api.register()
    b = diverted(net, **peers)
    built = large_answer(net, b)
    if what == "other-code":
        quoted = built.ip.raw[:548]
        v6 = built.ip.version == 6
        icmp = p.ip_icmp("fd01::fe" if v6 else "10.1.0.254", built.ip.src,
                         *((1, 4) if v6 else (3, 3)), 0, quoted)
        frame = p.eth(built.src_mac, built.dst_mac, icmp, vlan=built.vlan)
        net.enb.send(frame)
    elif what == "other-id":
        frame = net.router_says(built.raw, 1400, ident=0)
    else:
        stranger = net.bearer("10.45.6.9", **peers)
        raw = bytearray(built.raw)
        at = raw.index(built.teid.to_bytes(4, "big"))
        raw[at:at + 4] = stranger.down_teid.to_bytes(4, "big")
        frame = net.router_says(bytes(raw), 1400)
    net.sgw.wait(frame, what="the error at the SGW")
    assert not learned(api)


def test_error_about_a_ping_is_consumed(net, api, peers):
    """A ping has the mark, too.  The eNodeB has sent none."""
    api.register()
    b = diverted(net, **peers)
    ping, mark = net.pings[0][2], net.enb.mark()
    before = errors(api, "ignored")
    v6 = ping.ip.version == 6
    head = ping.ip.raw
    assert head[:4] == b"\x60\x09\x7f\x0b" if v6 else \
        head[4:8] == b"\x7f\x0b\x40\x00"
    net.sgw.send(p.eth(ping.src_mac, ping.dst_mac, p.ip_icmp(
        "fd01::fe" if v6 else "10.1.0.254", b.enb,
        *((2, 0) if v6 else (3, 4)), 576, head), vlan=ping.vlan))
    wait_until(lambda: errors(api, "ignored") > before, what="the error")
    assert not learned(api) and not any(
        is_icmp_error(raw) for raw in net.enb.since(mark))


def test_unknown_peers_error_passes(net, api):
    """It quotes our mark, but no tunnel, and peers that nothing is sent to."""
    api.register()
    b = diverted(net)
    built = large_answer(net, b)
    quoted = bytearray(built.ip.raw[:28])
    quoted[16:20] = p.addr("10.1.0.77")
    frame = p.eth(SGW_MAC, built.dst_mac, p.ip_icmp(
        "10.1.0.254", SGW, 3, 4, 1400, bytes(quoted)))
    net.enb.send(frame)
    net.sgw.wait(frame, what="the error at the SGW")
    quoted[16:20] = p.addr(ENB)
    mark = net.sgw.mark()
    net.enb.send(p.eth(SGW_MAC, built.dst_mac, p.ip_icmp(
        "10.1.0.254", SGW, 3, 4, 1400, bytes(quoted))))
    wait_until(lambda: learned(api) == 1, what="the MTU to be learned")
    assert not icmp_at_sgw(net, mark)


def test_error_of_a_flood_passes(net, api):
    """tofd looks at some; the others are switched."""
    api.register()
    b = diverted(net)
    built = large_answer(net, b)
    mark = net.sgw.mark()
    for _ in range(500):
        net.router_says(built.raw, 1400, ident=p.OUTER_ID)
    wait_until(lambda: icmp_at_sgw(net, mark), what="errors at the SGW")
    assert answered(b)


def test_configured_path_is_narrow_from_the_first_packet(lab, net):
    """The MSS is clamped, and an answer cut; for a path that is not named the
    adapter's MTU counts."""
    with path_mtus(lab, f"{ENB}/32 {MTU}", f"{ENB6}/128 {MTU}",
                   "10.1.0.0/24 1280"):
        for name in SUCH:
            case = Case(*SUCH[name])
            if name.endswith("lte"):
                lab.api.register(f"svc-{case.version}", case.service,
                                 case.app)
            b = case.bearer(net)
            room = max(MTU - HEADERS, 1280 if case.version == 6 else 0)
            mss = room - case.header - 20
            assert handshake(case, b, 1460) == (mss, mss)
        assert not learned(lab.api)
        b = diverted(net, "10.45.8.1", enb="10.1.0.9")
        answered_in_fragments(net, b)


def test_mtu_of_all_paths(lab, net):
    with lab.configured((r"(?m)^s1u: *\{", f"s1u: {{mtu: {MTU}, ")):
        lab.api.register()
        case = Case(*CASES["4-lte"])
        mss = MTU - HEADERS - 40
        assert handshake(case, case.bearer(net), 1460) == (mss, mss)


def test_push_fits_the_path(lab, net, api):
    """What an App sends of its own accord tofd finds the bearer for; it is cut
    there, or dropped, and the App is told."""
    key = 'tof_down_dropped_total{reason="too_big"}'
    dropped = api.metrics()[key]
    api.register()
    case = Case("10.45.6.1", {})
    b = diverted(net, case.ue)
    built = large_answer(net, b)
    net.router_says(built.raw, MTU)
    wait_until(lambda: learned(api) == 1, what="the MTU to be learned")
    data = os.urandom(1400)
    with case.app_socket(discover=PMTUDISC_DONT) as s:
        mark = net.enb.mark()
        s.sendto(data, (b.ue, 6000))
        wait_until(lambda: reassembled(net, b, mark) == data,
                   what="the push in fragments")
        assert all(len(f.ip.raw) <= MTU for raw in net.enb.since(mark)
                   if (f := b.is_downlink(raw)))
    with case.app_socket(discover=PMTUDISC_DO) as s:
        s.connect((b.ue, 6001))
        s.send(data)
        wait_until(lambda: case.path_mtu(s) == MTU - HEADERS,
                   what="the App's kernel to learn the path MTU")
    assert api.metrics()[key] == dropped + 1


def test_restarted_tofd_knows_configured_paths(lab, net):
    """Also of the bearers that it adopts."""
    with path_mtus(lab, f"{ENB}/32 {MTU}"):
        lab.api.register()
        b = diverted(net, "10.45.8.1")
        lab.tofd("restart")
        wait_until(lab.api.healthy, 15, "tofd")
        answered_in_fragments(net, b, 1350)


def test_service_is_reached_by_the_known_path(net, api):
    """A handover to an eNodeB with a wide path: what fits there is not cut."""
    api.register()
    b = diverted(net)
    net.router_says(large_answer(net, b).raw, MTU)
    wait_until(lambda: learned(api) == 1, what="the MTU to be learned")
    b.enb = "10.1.0.9"
    b.down_teid += 1
    data = os.urandom(1390)
    b.uplink(p.ip_udp(b.ue, SERVICE_IP, data, 5000, 7))
    f = b.wait_downlink(is_text(data))
    assert len(f.payload) == 1390 + 28
