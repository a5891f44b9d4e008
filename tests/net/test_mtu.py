# SPDX-License-Identifier: GPL-3.0-or-later
"""Path MTU: what goes down to a UE fits S1-U with all that may come in front
of it, no outer packet is ever a fragment, and whoever sends something larger
is told, or it is cut inside the tunnel.  A UE's own fragments are delivered.

With real stacks: TCP and UDP servers in lab-app, a UE with a kernel's stack.
LTE and 5G; the worst case has a VLAN tag, IPv6 outside and a PDU Session
Container."""

import hashlib
import os
import random
import socket
import struct
import threading

import pytest

from tofnet import packet as p
from tofnet.background import Stream
from tofnet.emulator import ENB6, SGW6
from tofnet.lab import APP, APP6, SERVICE_IP, SERVICE_IP6, datapath
from tofnet.netns import RawPort, call_in, run_in
from tofnet.service import echo, establish, syn
from tofnet.wait import wait_until

from test_reload import exchanged

S1U_MTU = 1500
ROOM = S1U_MTU - 68             # IPv6, UDP, GTP-U, a container, 4 bytes spare.
PORT = 8081

UE4, UE6 = "10.45.7.1", "2001:db8:7:1::1"
WORST = {"qfi": 9, "vlan": 100, "enb": ENB6, "sgw": SGW6}
CASES = {
    "4-lte": (UE4, {}), "4-5g": (UE4, {"qfi": 0}), "4-worst": (UE4, WORST),
    "6-lte": (UE6, {}), "6-worst": (UE6, WORST),
}

# <linux/in.h>, <linux/in6.h>: for each family, level, MTU_DISCOVER and MTU.
SOCKOPT = {4: (socket.IPPROTO_IP, 10, 14), 6: (socket.IPPROTO_IPV6, 23, 24)}
PMTUDISC_DONT, PMTUDISC_DO = 0, 2


class Case:
    """A UE's address and its bearer's peculiarities; what depends on it."""

    def __init__(self, ue, kw):
        self.ue, self.kw = ue, kw
        self.version = 6 if ":" in ue else 4
        self.service = SERVICE_IP6 if self.version == 6 else SERVICE_IP
        self.app = APP6 if self.version == 6 else APP
        self.header = 40 if self.version == 6 else 20

    def bearer(self, net):
        return net.bearer(self.ue, **self.kw)

    def app_socket(self, kind=socket.SOCK_DGRAM, discover=None):
        family = socket.AF_INET6 if self.version == 6 else socket.AF_INET
        s = call_in("lab-app", socket.socket, family, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        level, option, _ = SOCKOPT[self.version]
        if discover is not None:
            s.setsockopt(level, option, discover)
        s.bind(("", PORT))
        s.settimeout(5)
        return s

    def path_mtu(self, s):
        """Of a connected socket."""
        level, _, option = SOCKOPT[self.version]
        return s.getsockopt(level, option)

    def datagram(self, data, dport=PORT):
        return p.ip_udp(self.ue, self.service, data, 5000, dport)

    def contact(self, b, s):
        """The UE sends to the application's socket; gives its address."""
        b.uplink(self.datagram(b"hello"))
        return s.recvfrom(100)[1]


@pytest.fixture(autouse=True)
def forgetful_app():
    """The application's kernel has not heard of any path MTU."""
    yield
    for family in ("-4", "-6"):
        run_in("lab-app", "ip", family, "route", "flush", "cache")


@pytest.fixture(params=CASES)
def case(request, api):
    case = Case(*CASES[request.param])
    api.register(service=case.service, app=case.app)
    return case


def mss_of(f):
    """The MSS option of a TCP segment, or None."""
    options = f.l4[20:(f.l4[12] >> 4) * 4]
    while options and options[0]:
        if options[0] == 2:
            return int.from_bytes(options[2:4], "big")
        options = options[1:] if options[0] == 1 else options[options[1]:]
    return None


def is_tcp(flags):
    return lambda f: f.proto == p.TCP and f.flags == flags


def handshake(case, b, mss):
    """The MSS that the application is told, and the UE."""
    with RawPort("lab-app", "app0") as app:
        b.uplink(syn(case.ue, case.service,
                     options=b"\2\4" + mss.to_bytes(2, "big")))
        f = b.wait_downlink(lambda f: is_tcp("SA")(f.inner))
        raw = app.wait(lambda raw: is_tcp("S")(p.Inner.parse(raw[14:])))
        first = p.Inner.parse(raw[14:])
        assert f.inner.l4_ok and first.l4_ok
        return mss_of(first), mss_of(f.inner)


def check_frames(net, b, since=0):
    """No frame is larger than S1-U takes, no outer packet is a fragment, and
    all are in this bearer's tunnel.  Gives the inner packets."""
    inner = []
    for raw in net.enb.since(since):
        f = b.is_downlink(raw)
        assert f, f"not in the tunnel: {raw!r}"
        assert f.vlan == ([b.vlan] if b.vlan else []) and f.qfi == b.qfi
        assert len(raw) <= 14 + 4 * len(f.vlan) + S1U_MTU
        assert f.ip.frag & 0x3fff == 0 and f.ip.header_ok and f.ip.l4_ok
        assert len(f.payload) <= ROOM
        inner.append(f.inner)
    return inner


def fragment_of(f):
    """(identification, offset, more, data) of an inner packet, or None."""
    if f.frag & 0x3fff:
        return (f.raw[4:6], (f.frag & 0x1fff) * 8, bool(f.frag & 0x2000),
                f.l4)
    if f.version == 6 and f.proto == 44:
        offset, = struct.unpack_from("!H", f.l4, 2)
        return f.l4[4:8], offset & ~7, bool(offset & 1), f.l4[8:]
    return None


def reassembled(net, b, since):
    """The payload of the last UDP datagram that came in fragments, if all of
    them are there."""
    parts = [part for raw in net.enb.since(since)
             if (f := b.is_downlink(raw)) and (part := fragment_of(f.inner))]
    data = b""
    for _, offset, more, part in sorted(
            (part for part in parts if part[0] == parts[-1][0]),
            key=lambda part: part[1]):
        if offset != len(data):
            return None
        data += part
        if not more:
            return data[8:]
    return None


def test_mss_is_clamped_both_ways(net, case):
    mss = ROOM - case.header - 20
    assert handshake(case, case.bearer(net), 1460) == (mss, mss)


def test_small_mss_is_left_alone(net, case):
    told, _ = handshake(case, case.bearer(net), 1000)
    assert told == 1000


def megabyte_both_ways(ue, service, server):
    """Over TCP, between the UE and the application's socket."""
    data = random.Random(7).randbytes(1 << 20)
    server.listen()

    def serve():
        conn, _ = server.accept()
        with conn:
            received = b""
            while len(received) < len(data):
                received += conn.recv(65536)
            conn.sendall(hashlib.sha256(received).digest() + data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with ue.socket(socket.SOCK_STREAM) as s:
        s.settimeout(60)
        s.connect((service, PORT))
        s.sendall(data)
        answer = b""
        while len(answer) < 32 + len(data):
            part = s.recv(65536)
            assert part
            answer += part
    thread.join(5)
    assert answer == hashlib.sha256(data).digest() + data


def test_tcp_both_ways(net, case):
    """A megabyte there and back, by a UE whose own MTU is as large as
    S1-U's: it knows nothing of tunnels."""
    ue = net.ue(case.ue, **case.kw)
    ue.run("ip", "link", "set", "tun0", "mtu", S1U_MTU)
    with case.app_socket(socket.SOCK_STREAM) as server:
        megabyte_both_ways(ue, case.service, server)
    assert max(len(f.raw) for f in check_frames(net, ue.bearer)) == ROOM


def test_app_sends_what_fits(net, case):
    b = case.bearer(net)
    with case.app_socket(discover=PMTUDISC_DO) as s:
        peer = case.contact(b, s)
        mark = net.enb.mark()
        s.sendto(bytes(ROOM - case.header - 8), peer)
        f = b.wait_downlink(lambda f: f.inner.sport == PORT, since=mark)
        assert len(f.payload) == ROOM
        check_frames(net, b, mark)


@pytest.mark.parametrize("excess", [1, S1U_MTU - ROOM])
def test_app_with_df_is_told(net, case, excess):
    """What does not fit is refused, and the application's kernel learns how
    much would (ICMP fragmentation needed, ICMPv6 packet too big)."""
    b = case.bearer(net)
    fits = ROOM - case.header - 8
    with case.app_socket(discover=PMTUDISC_DO) as s:
        s.connect(case.contact(b, s))
        assert case.path_mtu(s) == S1U_MTU
        mark = net.enb.mark()
        s.send(bytes(fits + excess))
        wait_until(lambda: case.path_mtu(s) == ROOM,
                   what="the application's kernel to learn the path MTU")
        assert not [f for f in net.enb.since(mark) if b.is_downlink(f)]
        s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)    # It is reported.
        s.send(bytes(fits))
        b.wait_downlink(lambda f: f.inner.sport == PORT, since=mark)


@pytest.mark.parametrize("size", [ROOM - 27, 8000])
def test_app_without_df(net, case, size):
    """What is too large goes down in fragments inside the tunnel, never
    outside.  Over IPv6 the application has to learn that first."""
    b = case.bearer(net)
    data = os.urandom(size)
    with case.app_socket(discover=PMTUDISC_DONT) as s:
        peer = case.contact(b, s)
        mark = net.enb.mark()
        s.sendto(data, peer)
        if case.version == 6:
            with case.app_socket() as probe:
                probe.connect(peer)
                wait_until(lambda: case.path_mtu(probe) == ROOM,
                           what="the application to learn the path MTU")
                s.sendto(data, peer)
        wait_until(lambda: reassembled(net, b, mark) == data,
                   what="all fragments")
    fragments = check_frames(net, b, mark)
    assert len(fragments) > 1
    for f in fragments:
        assert (f.src, f.dst) == (case.service, case.ue) and f.header_ok


@pytest.mark.parametrize("order", [1, -1], ids=["in-order", "reversed"])
@pytest.mark.parametrize("known", [False, True], ids=["held", "diverted"])
def test_fragments_of_a_ue_are_delivered(net, case, known, order):
    """Each in a G-PDU of its own, in whatever order."""
    b = case.bearer(net)
    data = os.urandom(4000)
    with case.app_socket() as s:
        if known:
            case.contact(b, s)
        for fragment in p.fragments(case.datagram(data), 1280, 7)[::order]:
            b.uplink(fragment)
        assert s.recvfrom(65536)[0] == data


def test_large_datagram_there_and_back(net, case):
    """By the stacks of a UE and of the application, port echo."""
    ue = net.ue(case.ue, **case.kw)
    data = os.urandom(6000)
    with ue.socket() as s:
        s.settimeout(1)
        s.connect((case.service, 7))

        def echoed():
            s.send(data)        # Again: see test_app_without_df().
            try:
                return s.recv(65536) == data
            except TimeoutError:
                return False
        wait_until(echoed, timeout=10, what="the echo")
    assert len(check_frames(net, ue.bearer)) > 1


@pytest.fixture
def adapters(lab, api):
    """Changes the MTU of S1-U adapters, and puts it back."""
    def set_mtu(mtu, *names):
        for name in names:
            run_in(f"lab-{name[:3]}", "ip", "link", "set", "s1u0", "mtu", mtu)
            lab.run("lab-tof", "ip", "link", "set", name, "mtu", mtu)
    yield set_mtu
    set_mtu(S1U_MTU, "enb0", "sgw0")
    wait_until(lambda: mtu_of("tof-app", "ue0") == S1U_MTU, timeout=10)


def mtu_of(ns, name):
    link = run_in(ns, "ip", "-o", "link", "show", name).stdout
    return int(link.split(" mtu ")[1].split()[0])


def room_of_app():
    route = run_in("tof-app", "ip", "route", "show", "default").stdout
    return int(route.split(" mtu ")[1].split()[0])


def test_room_is_that_of_the_enodeb_side(net, api, adapters):
    """A larger MTU towards the SGW is no room for what goes down."""
    api.register()
    adapters(2000, "sgw0")
    wait_until(lambda: mtu_of("tof-app", "ue0") == 2000, timeout=10,
               what="our links to be as large")
    assert room_of_app() == ROOM
    adapters(1400, "enb0")
    wait_until(lambda: room_of_app() == 1400 - 68, timeout=10,
               what="the smaller MTU to be in force")
    adapters(S1U_MTU, "enb0")
    wait_until(lambda: room_of_app() == ROOM and api.healthy(), timeout=10,
               what="the old MTU to be in force")
    b = establish(net, "10.45.7.8", qfi=1)
    data = os.urandom(3000)
    mark = net.enb.mark()
    b.uplink(p.ip_udp(b.ue, SERVICE_IP, data[:1300], 5000, 7))
    b.wait_downlink(lambda f: f.inner.payload == data[:1300], since=mark)
    check_frames(net, b, mark)


def test_held_packets_are_not_lost_when_the_mtu_changes(net, api, adapters):
    """Neither those that wait nor those on their way to tofd, which takes its
    queues down for a moment."""
    api.register()
    b = net.bearer("10.45.7.10", silent=True)
    with Stream(b, lambda text: echo(b.ue, text)) as stream:
        for mtu in (2000, S1U_MTU, 2000):
            n = len(stream.sent)
            wait_until(lambda n=n: len(stream.sent) > n + 50, what="traffic")
            adapters(mtu, "enb0", "sgw0")
            wait_until(lambda mtu=mtu: mtu_of("tof-app", "ue0") == mtu,
                       timeout=10, what="the MTU to be followed")
    exchanged(net, b, stream)


def test_larger_mtu_is_followed(net, api, adapters):
    """A link of ours that is smaller than S1-U would lose what is diverted."""
    api.register()
    b = establish(net, "10.45.7.9")
    adapters(3000, "enb0", "sgw0")
    wait_until(lambda: mtu_of("tof-app", "ue0") == 3000
               and room_of_app() == 3000 - 68 and api.healthy(), timeout=10,
               what="the larger MTU to be in force")
    ours = ("tof-enb", "ovs-enb") if datapath() == "ovs" else ("tof-ue",)
    assert {mtu_of("lab-tof", link) for link in ours} == {3000}
    data = os.urandom(2500)
    with Case(UE4, {}).app_socket() as s:
        run_in("lab-app", "ip", "link", "set", "app0", "mtu", 3000)
        run_in("tof-app", "ip", "link", "set", "app0", "mtu", 3000)
        try:
            b.uplink(p.ip_udp(b.ue, SERVICE_IP, data, 5000, PORT))
            s.settimeout(3)
            assert s.recvfrom(65536)[0] == data
        finally:
            run_in("lab-app", "ip", "link", "set", "app0", "mtu", 1500)
            run_in("tof-app", "ip", "link", "set", "app0", "mtu", 1500)
