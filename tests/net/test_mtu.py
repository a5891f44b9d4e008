# SPDX-License-Identifier: GPL-3.0-or-later
"""Path MTU: what goes down to a UE fits S1-U with all that may come in front
of it, no outer packet is ever a fragment, and whoever sends something larger
is told, or it is cut inside the tunnel.  A UE's own fragments are delivered.

With real stacks: TCP and UDP servers in lab-app, a UE with a kernel's stack.
Every bearer is there three times: LTE, 5G, 5G in a VLAN."""

import hashlib
import os
import random
import socket
import threading

import pytest

from test_divert import establish
from tofnet import packet as p
from tofnet.lab import SERVICE_IP
from tofnet.netns import RawPort, call_in, run_in
from tofnet.wait import wait_until

S1U_MTU = 1500
ROOM = S1U_MTU - 68             # IPv6, UDP, GTP-U, a container, 4 bytes spare.
MSS = ROOM - 40
PORT = 8081
IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IP_PMTUDISC_DO, IP_MTU = 10, 0, 2, 14

KINDS = {"lte": {}, "5g": {"qfi": 0}, "5g-vlan": {"qfi": 9, "vlan": 100}}


@pytest.fixture(autouse=True)
def forgetful_app():
    """The application's kernel has not heard of any path MTU."""
    yield
    run_in("lab-app", "ip", "route", "flush", "cache")


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def mss_of(f):
    """The MSS option of a TCP segment, or None."""
    options = f.l4[20:(f.l4[12] >> 4) * 4]
    while options and options[0]:
        if options[0] == 2:
            return int.from_bytes(options[2:4], "big")
        options = options[1:] if options[0] == 1 else options[options[1]:]
    return None


def syn(ue, mss, sport):
    raw = bytearray(p.ip_tcp(ue, SERVICE_IP, sport, 80, "S", seq=1000,
                             options=b"\2\4" + mss.to_bytes(2, "big")))
    return bytes(raw)


def app_socket(kind=socket.SOCK_DGRAM):
    return call_in("lab-app", socket.socket, socket.AF_INET, kind)


def check_frames(net, b, since=0):
    """No frame is larger than S1-U takes, no outer packet is a fragment or
    could become one, and all are in this bearer's tunnel.  Gives the inner
    packets."""
    inner = []
    for raw in net.enb.since(since):
        f = b.is_downlink(raw)
        assert f, f"not in the tunnel: {raw!r}"
        tags = 4 * len(f.vlan)
        assert len(raw) <= 14 + tags + S1U_MTU
        assert f.ip.frag & 0x1fff == 0 and not f.ip.frag & 0x2000
        assert f.ip.header_ok and f.qfi == b.qfi
        assert f.vlan == ([b.vlan] if b.vlan else [])
        assert len(f.payload) <= ROOM
        inner.append(f.inner)
    return inner


def reassembled(fragments):
    """The datagram of all fragments of the same packet."""
    data = bytearray()
    for f in sorted(fragments, key=lambda f: f.frag & 0x1fff):
        assert len(data) == (f.frag & 0x1fff) * 8
        data += f.l4
    assert not sorted(fragments,
                      key=lambda f: f.frag & 0x1fff)[-1].frag & 0x2000
    return bytes(data)


def test_mss_is_clamped_both_ways(net, api, kind):
    api.register()
    b = establish(net, api, "10.45.7.1", **kind)
    with RawPort("lab-app", "app0") as app:
        b.uplink(syn(b.ue, 1460, 40001))
        f = b.wait_downlink(lambda f: f.inner.proto == p.TCP)
        assert f.inner.flags == "SA" and mss_of(f.inner) == MSS
        assert f.inner.l4_ok
        seen = app.wait(lambda raw: (f := p.Inner.parse(raw[14:])).proto
                        == p.TCP and f.flags == "S")
        seen = p.Inner.parse(seen[14:])
        assert mss_of(seen) == MSS and seen.l4_ok


def test_small_mss_is_left_alone(net, api):
    api.register()
    b = establish(net, api, "10.45.7.1")
    with RawPort("lab-app", "app0") as app:
        b.uplink(syn(b.ue, 1000, 40001))
        b.wait_downlink(lambda f: f.inner.proto == p.TCP)
        seen = app.wait(lambda raw: (f := p.Inner.parse(raw[14:])).proto
                        == p.TCP and f.flags == "S")
        assert mss_of(p.Inner.parse(seen[14:])) == 1000


def test_tcp_both_ways(net, api, kind):
    """A megabyte there and back, by a UE whose own MTU is as large as
    S1-U's: it knows nothing of tunnels."""
    api.register()
    ue = net.ue("10.45.7.2", **kind)
    ue.run("ip", "link", "set", "tun0", "mtu", S1U_MTU)
    data = random.Random(7).randbytes(1 << 20)

    server = app_socket(socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", PORT))
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
    with server, ue.socket(socket.SOCK_STREAM) as s:
        s.settimeout(60)
        s.connect((SERVICE_IP, PORT))
        s.sendall(data)
        answer = b""
        while len(answer) < 32 + len(data):
            part = s.recv(65536)
            assert part
            answer += part
    thread.join(5)
    assert answer == hashlib.sha256(data).digest() + data
    inner = check_frames(net, ue.bearer)
    assert max(len(f.raw) for f in inner) == ROOM


@pytest.mark.parametrize("size", [ROOM - 28, ROOM - 27, S1U_MTU - 28])
def test_app_with_df(net, api, kind, size):
    """What fits is sent as it is; what does not is refused, and the
    application's kernel learns how much would."""
    api.register()
    b = establish(net, api, "10.45.7.3", **kind)
    with app_socket() as s:
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        s.bind(("0.0.0.0", PORT))
        b.uplink(p.ip_udp(b.ue, SERVICE_IP, b"hello", 5000, PORT))
        s.settimeout(3)
        _, peer = s.recvfrom(100)
        s.connect(peer)
        mark = net.enb.mark()
        s.send(bytes(size))
        if size <= ROOM - 28:
            f = b.wait_downlink(lambda f: f.inner.sport == PORT, since=mark)
            assert len(f.payload) == size + 28
            check_frames(net, b, mark)
            return
        wait_until(lambda: s.getsockopt(socket.IPPROTO_IP, IP_MTU) == ROOM,
                   what="the application's kernel to learn the path MTU")
        assert not [f for f in net.enb.since(mark) if b.is_downlink(f)]
        # The error has been reported; the next packet fits.
        wait_until(lambda: not s.getsockopt(socket.SOL_SOCKET,
                                            socket.SO_ERROR))
        s.send(bytes(ROOM - 28))
        b.wait_downlink(lambda f: f.inner.sport == PORT, since=mark)


@pytest.mark.parametrize("size", [ROOM - 27, 3000, 8000])
def test_app_without_df(net, api, kind, size):
    """What is too large is cut inside the tunnel, never outside."""
    api.register()
    b = establish(net, api, "10.45.7.4", **kind)
    data = os.urandom(size)
    with app_socket() as s:
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
        s.bind(("0.0.0.0", PORT))
        b.uplink(p.ip_udp(b.ue, SERVICE_IP, b"hello", 5000, PORT))
        s.settimeout(3)
        _, peer = s.recvfrom(100)
        mark = net.enb.mark()
        s.sendto(data, peer)
        wait_until(lambda: sum(
            len(f.inner.l4) for raw in net.enb.since(mark)
            if (f := b.is_downlink(raw))) == 8 + size,
            what="all fragments")
    fragments = check_frames(net, b, mark)
    assert len(fragments) > 1
    for f in fragments:
        assert (f.src, f.dst) == (SERVICE_IP, b.ue) and f.header_ok
    assert len({f.raw[4:6] for f in fragments}) == 1
    assert reassembled(fragments)[8:] == data


@pytest.mark.parametrize("order", [1, -1])
def test_fragments_of_a_ue_are_delivered(net, api, kind, order):
    """Each in a G-PDU of its own; the last one first, too; of a bearer that
    is diverted already."""
    api.register()
    b = establish(net, api, "10.45.7.5", **kind)
    data = os.urandom(4000)
    whole = p.ip_udp(b.ue, SERVICE_IP, data, 5000, PORT)
    with app_socket() as s:
        s.bind(("0.0.0.0", PORT))
        for fragment in p.ipv4_fragments(whole, 1400)[::order]:
            b.uplink(fragment)
        s.settimeout(3)
        assert s.recvfrom(65536)[0] == data


def test_first_packet_of_a_ue_in_fragments(net, api, kind):
    """They are held, all of them, until the bearer is proved."""
    api.register()
    b = net.bearer("10.45.7.6", **kind)
    data = os.urandom(4000)
    with app_socket() as s:
        s.bind(("0.0.0.0", PORT))
        for fragment in p.ipv4_fragments(
                p.ip_udp(b.ue, SERVICE_IP, data, 5000, PORT), 1400):
            b.uplink(fragment)
        s.settimeout(3)
        assert s.recvfrom(65536)[0] == data


def test_large_datagram_there_and_back(net, api, kind):
    """By the stacks of a UE and of the application, port echo."""
    api.register()
    ue = net.ue("10.45.7.7", **kind)
    data = os.urandom(6000)
    with ue.socket() as s:
        s.settimeout(5)
        s.connect((SERVICE_IP, 7))
        s.send(data)
        assert s.recv(65536) == data
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
    b = establish(net, api, "10.45.7.8", qfi=1)
    data = os.urandom(3000)
    mark = net.enb.mark()
    b.uplink(p.ip_udp(b.ue, SERVICE_IP, data[:1300], 5000, 7))
    b.wait_downlink(lambda f: f.inner.payload == data[:1300], since=mark)
    check_frames(net, b, mark)


def test_larger_mtu_is_followed(net, api, adapters):
    """A link of ours that is smaller than S1-U would lose what is diverted."""
    api.register()
    b = establish(net, api, "10.45.7.9")
    adapters(3000, "enb0", "sgw0")
    wait_until(lambda: mtu_of("tof-app", "ue0") == 3000
               and room_of_app() == 3000 - 68 and api.healthy(), timeout=10,
               what="the larger MTU to be in force")
    assert mtu_of("lab-tof", "tof-enb") == mtu_of("lab-tof", "ovs-enb") == 3000
    data = os.urandom(2500)
    with app_socket() as s:
        s.bind(("0.0.0.0", PORT))
        run_in("lab-app", "ip", "link", "set", "app0", "mtu", 3000)
        run_in("tof-app", "ip", "link", "set", "app0", "mtu", 3000)
        try:
            b.uplink(p.ip_udp(b.ue, SERVICE_IP, data, 5000, PORT))
            s.settimeout(3)
            assert s.recvfrom(65536)[0] == data
        finally:
            run_in("lab-app", "ip", "link", "set", "app0", "mtu", 1500)
            run_in("tof-app", "ip", "link", "set", "app0", "mtu", 1500)
