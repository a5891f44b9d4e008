# SPDX-License-Identifier: GPL-3.0-or-later
"""UEs of several address spaces may have one address: what one of them has
sent never reaches another one, in fragments neither.  First the NAT namespace
alone (natdriver.py), then the whole TOF: which UE is in which space."""

import json
import re
import socket
import time

import pytest

# pylint: disable=unused-import,redefined-outer-name
from natdriver import (
    APP, APP4, APP6, NAT, ROUTE_MTU, SVC4, SVC6, UE4, UE6, Udp, driver_path,
    frame_up, nat, packet_to, port, topology)
from tofnet import lab as labs
from tofnet import packet as p
from tofnet.netns import RawPort, run_in
from tofnet.packet import Inner
from tofnet.service import (
    answered, app_socket, asks, diverted, downlink, is_text, service_of)
from tofnet.wait import wait_until

# Two texts whose parts have the same sum: a datagram that is made of both
# would have a good checksum.
ONE, TWO = b"ABCD" * 375, b"CDAB" * 375

families = pytest.mark.parametrize("ue,svc,app", [
    (UE4, SVC4, APP4), (UE6, SVC6, APP6)], ids=["IPv4", "IPv6"])


def in_fragments(ue, service, text, ident=4242):
    return p.fragments(p.ip_udp(ue, service, text, 4000, 7), 800, ident)


def from_app(packet):
    """'packet' as the Apps' host sends it."""
    return p.eth(*(json.loads(run_in(ns, "ip", "-j", "link", "show", "app0")
                              .stdout)[0]["address"] for ns in (NAT, APP)),
                 packet)


def fragment_id(packet):
    """Of the first fragment of a datagram; else None."""
    if packet[0] >> 4 == 6:
        return packet[44:48] if packet[6] == 44 and packet[42:44] == b"\0\1" \
            else None
    return packet[4:6] if packet[6:8] == b"\x20\0" else None


@families
def test_fragments_of_two_ues_are_not_mixed(nat, port, ue, svc, app):
    nat.do("set", svc, app)
    one, two = (in_fragments(ue, svc, text) for text in (ONE, TWO))
    with Udp(app) as server:
        # The first part of one and the second part of the other come first.
        for bearer, space, part in ((0x1100, 1, one[0]), (0x2200, 2, two[1]),
                                    (0x2200, 2, two[0]), (0x1100, 1, one[1])):
            port.send(frame_up(bearer, part, space))
        peers = dict(server.receive() for _ in range(2))
        assert set(peers) == {ONE, TWO}
        for text, peer in peers.items():
            server.sock.sendto(text[:1000], peer)
        for bearer, text in ((0x1100, ONE), (0x2200, TWO)):
            packet_to(port, bearer, dst=ue, payload=text[:1000])
    assert len(port.frames) == 2


@families
def test_application_gets_fragments_with_ids_that_no_ue_has_chosen(
        nat, port, ue, svc, app):
    """To the App both are one host: parts of one id would be one datagram if
    others of it are lost on the way."""
    nat.do("set", svc, app)
    with Udp(app) as server, RawPort(APP, "app0") as wire:
        for i, text in enumerate((ONE, TWO, ONE)):
            for part in in_fragments(ue, svc, text):
                port.send(frame_up(0x1100 + i, part, 1 + i))
            assert server.receive()[0] == text

        def ids():
            return [i for f in wire.frames if Inner.parse(f[14:]).dst == app
                    and (i := fragment_id(f[14:]))]
        wait_until(lambda: len(ids()) == 3, what="fragments of all three")
        # One of 2^32 runs may find them alike.
        assert len(set(ids())) > 1
        assert all(f.header_ok for f in map(Inner.parse, (
            f[14:] for f in wire.frames)) if f.version == 4)


def kept_fragments():
    """Datagrams of IPv4 that the NAT namespace has parts of."""
    text = run_in(NAT, "cat", "/proc/net/sockstat").stdout
    return int(re.search(r"FRAG: inuse (\d+)", text)[1])


@families
def test_what_is_left_of_a_datagram_is_forgotten_soon(nat, port, ue, svc, app):
    """Before another UE of the same SGW gets the address.  For IPv6 the kernel
    does not tell what it has, so a part of IPv4 that comes later stands for
    it."""
    nat.do("set", svc, app)
    one, two = (in_fragments(ue, svc, text, 77) for text in (ONE, TWO))
    with Udp(app) as server:
        port.send(frame_up(0x1100, one[0]))
        port.send(frame_up(0x1100, in_fragments(UE4, SVC4, ONE, 78)[0]))
        wait_until(kept_fragments, what="a fragment to be kept")
        wait_until(lambda: not kept_fragments(), timeout=10,
                   what="the fragments to be forgotten")
        for part in two[::-1]:
            port.send(frame_up(0x1101, part))
        assert server.receive()[0] == TWO


@families
def test_one_of_them_has_a_protocol_without_ports(nat, port, ue, svc, app):
    """An answer can be told to be that one's by nothing: so the other one is
    not served."""
    nat.do("set", svc, app)
    with RawPort(APP, "app0") as wire, Udp(app) as server:
        for bearer, space in ((0x1100, 1), (0x2200, 2)):
            port.send(frame_up(bearer, p.ip(ue, svc, b"%x" % bearer, 253),
                               space))
            port.send(frame_up(bearer, p.ip_udp(ue, svc, b"y", 4000, 7),
                               space))
            server.receive()
        wire.send(from_app(p.ip(app, ue, b"answer", 253)))
        packet_to(port, 0x1100, src=svc, dst=ue, proto=253)
        came = [q.l4 for f in wire.frames if (q := Inner.parse(f[14:]))
                and q.proto == 253]
        assert came == [b"1100"]


@families
def test_an_error_is_about_flows_of_its_own_space(nat, port, ue, svc, app):
    """The same error of either UE, about an answer that only one of them has
    got: the App is told by that one alone."""
    nat.do("set", svc, app)
    kind = (1, 4) if ":" in ue else (3, 3)
    with Udp(app) as server, RawPort(APP, "app0") as wire:
        port.send(frame_up(0x1100, p.ip_udp(ue, svc, b"x", 4000, 7), 1))
        _, peer = server.receive()
        server.sock.sendto(b"answer", peer)
        quoted = packet_to(port, 0x1100, payload=b"answer").raw

        def is_error(frame):
            q = Inner.parse(frame[14:])
            return q.proto in (p.ICMP, p.ICMPV6) and q.kind == kind[0]

        for bearer, space in ((0x2200, 2), (0x1100, 1)):
            port.send(frame_up(bearer, p.ip_icmp(
                ue, svc, *kind, space, quoted), space))
        error = wire.wait(is_error)
        assert error[-len(quoted) - 4:-len(quoted)] == b"\0\0\0\1"
        assert len([f for f in wire.frames if is_error(f)]) == 1


def error_to_the_host(wire, ue):
    """A host of the Apps' network tells the NAT namespace itself that the path
    to a UE has become narrow."""
    six = ":" in ue
    src, dst = (APP6, "fd00:100::1") if six else (APP4, "192.168.100.1")
    quoted = p.ip_echo(dst, ue, payload=bytes(1300), reply=not six)[:600]
    head = (2, 0, 1280) if six else (3, 4, 300)
    wire.send(from_app(p.ip_icmp(src, dst, *head, quoted)))


@families
def test_nothing_is_remembered_of_the_path_to_an_address(
        nat, port, ue, svc, app):
    """It would be true of one UE at most of those that have the address."""
    nat.do("set", svc, app)
    size = ROUTE_MTU - (48 if ":" in ue else 28)
    with Udp(app) as server, RawPort(APP, "app0") as wire:
        error_to_the_host(wire, ue)
        port.send(frame_up(0x88, p.ip_udp(ue, svc, b"x", 4000, 7)))
        _, peer = server.receive()
        server.sock.sendto(bytes(size), peer)
        packet_to(port, 0x88, dst=ue, payload=bytes(size))
    assert "error_to_host" in run_in(
        NAT, "nft", "list", "chain", "inet", "tof_nat", "input").stdout


# --- The whole TOF ------------------------------------------------------------

BEHIND_ANOTHER = {"sgw": "10.1.0.22", "sgw_mac": "0e:05:09:00:00:22",
                  "enb": "10.1.0.12", "enb_mac": "0e:0e:0b:00:00:12"}


def datagrams(net, b):
    """The payloads of UDP datagrams that have come for a bearer, whether they
    came in fragments or not."""
    packets = [f.payload for raw in net.enb.frames if (f := b.is_downlink(raw))]
    gathered = {}
    for packet in packets:
        key = packet[44:48] if packet[0] >> 4 == 6 else packet[4:6]
        gathered.setdefault(key, []).append(packet)
    wholes = (p.reassemble(parts) for parts in gathered.values())
    return [Inner.parse(whole).payload for whole in wholes if whole]


def learn_path_mtu(b):
    """The App's kernel is refused its first large answer, and cuts the others
    as it is told then."""
    for part in in_fragments(b.ue, service_of(b.ue), ONE, 4241):
        b.uplink(part)
    wait_until(lambda: " mtu " in run_in("lab-app", "ip", "route", "get",
                                         b.ue).stdout,
               what="the App to know the path's MTU")


ues = pytest.mark.parametrize("ue", ["10.45.8.1", "2001:db8:8:1::1"],
                              ids=["IPv4", "IPv6"])


@ues
def test_fragments_and_answers_of_two_ues_with_one_address(net, api, ue):
    api.register()
    api.register("svc6", labs.SERVICE_IP6, labs.APP6)
    one = diverted(net, ue)
    two = diverted(net, ue, **BEHIND_ANOTHER)
    if ":" in ue:
        learn_path_mtu(one)
    net.enb.clear()
    for ident, order in ((4242, 1), (4243, -1)):
        (a, a_parts), (b, b_parts) = [
            (bearer, in_fragments(ue, service_of(ue), text, ident))
            for bearer, text in ((one, ONE), (two, TWO))][::order]
        a.uplink(a_parts[0])
        b.uplink(b_parts[1])
        b.uplink(b_parts[0])
        a.uplink(a_parts[1])
    for b, text in ((one, ONE), (two, TWO)):
        wait_until(lambda b=b: len(datagrams(net, b)) >= 2,
                   what="both answers")
        assert datagrams(net, b) == [text, text]


def have_own_answers(net, *bearers):
    """UEs that use the same ports at the same time."""
    net.enb.clear()
    texts = [[asks(b) for b in bearers] for _ in range(5)]
    for b, own in zip(bearers, zip(*texts)):
        for text in own:
            b.wait_downlink(is_text(text))
        assert {f.inner.payload for f in downlink(
            net.enb.frames, b.enb, b.down_teid)} == set(own)


def register(api):
    api.register()
    api.register("svc6", labs.SERVICE_IP6, labs.APP6)


def app_says_more(net, b, text):
    """The App sends to the port that only the flow of 'b' has: the UE that was
    first."""
    labs.app_sends(b.ue, text, app=labs.APP6 if ":" in b.ue else labs.APP)
    b.wait_downlink(is_text(text))
    assert len([f for raw in net.enb.frames if (f := p.GtpFrame.parse(raw))
                and f.kind == p.GPDU and is_text(text)(f)]) == 1


@ues
@pytest.mark.parametrize("peers", [{}, {
    "enb": BEHIND_ANOTHER["enb"], "enb_mac": BEHIND_ANOTHER["enb_mac"]}],
    ids=["one eNodeB", "two eNodeBs"])
def test_two_ues_with_one_address_behind_one_sgw(lab, net, api, ue, peers):
    """In networks with overlapping pools of addresses; also after a restart
    of tofd."""
    register(api)
    one = diverted(net, ue)
    two = diverted(net, ue, **peers)
    have_own_answers(net, one, two)
    app_says_more(net, one, b"to one of them")
    sessions = api.sessions(ue=ue)
    assert [len(s["bearers"]) for s in sessions] == [1, 1]
    lab.tofd("restart")
    app_says_more(net, one, b"after the restart")
    have_own_answers(net, one, two)
    assert len(api.sessions(ue=ue)) == 2


def test_many_ues_with_one_address_behind_one_sgw(net, api):
    """They come at once."""
    api.register()
    bearers = [net.bearer("10.45.8.1") for _ in range(6)]
    have_own_answers(net, *bearers)


@ues
def test_a_flow_moves_to_a_dedicated_bearer(net, api, ue):
    """The App sees the port that it has seen before."""
    register(api)
    default, dedicated = (net.bearer(ue) for _ in range(2))
    dedicated.answered_by = default
    family = socket.AF_INET6 if ":" in ue else socket.AF_INET
    with app_socket(family) as server:
        server.bind((labs.APP6 if ":" in ue else labs.APP, 7008))
        peers = []
        for b in (default, dedicated, default, dedicated):
            b.uplink(p.ip_udp(ue, service_of(ue), b"flow", 6001, 7008))
            _, peer = server.recvfrom(100)
            peers.append(peer[:2])
            server.sendto(b"answer %d" % len(peers), peer)
            default.wait_downlink(is_text(b"answer %d" % len(peers)))
    assert len(set(peers)) == 1
    assert len(api.session_of(ue)["bearers"]) == 2


def test_a_dedicated_bearer_whose_ue_was_silent(lab, net, api):
    """The proof of its default bearer is old: both are pinged, at the same
    target."""
    with lab.configured(("evidence_seconds: 10", "evidence_seconds: 1")):
        api.register()
        default, dedicated = (net.bearer("10.45.8.1") for _ in range(2))
        dedicated.answered_by = default
        answered(default, sport=6001)
        time.sleep(2)           # The one thing that is waited for is time.
        net.pings.clear()
        text = asks(dedicated, sport=6001)
        default.wait_downlink(is_text(text))
        asked = {(b.up_teid, f.inner.dst) for _, b, f in net.pings if b}
        assert len(asked) == 2 and len({dst for _, dst in asked}) == 1
        assert len(api.session_of(default.ue)["bearers"]) == 2


def test_a_new_ue_does_not_wait_for_one_that_has_gone(net, api):
    """It has the address of a UE that nobody answers for any more."""
    api.register()
    gone = diverted(net, "10.45.8.1")
    gone.silent = True
    new = net.bearer(gone.ue)
    answered(new)
    assert len(api.sessions(ue=gone.ue)) == 2
    net.enb.clear()
    answered(new)
    assert not downlink(net.enb.frames, gone.enb, gone.down_teid)
