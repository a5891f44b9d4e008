# SPDX-License-Identifier: GPL-3.0-or-later
"""The NAT namespace alone (natdriver.py): who reaches whom, and how."""

import ipaddress
import json
import re
import socket
import struct

import pytest

# pylint: disable=unused-import,redefined-outer-name
from natdriver import (
    APP, APP4, APP4_B, APP6, FAR, IP_MTU_DISCOVER, IP_PMTUDISC_DO,
    IP_PMTUDISC_DONT, MTU, NAT, PORT, ROUTE_MTU, RUN, SVC4, SVC4_B, SVC6, TOF,
    UE4, UE6, Driver, Udp, driver_path, flows, frame_up, mac_down, nat,
    packet_to, port, topology)
from tofnet import netns
from tofnet.netns import RawPort, call_in, run_in
from tofnet.packet import (
    ICMP, ICMPV6, TCP, Inner, checksum, eth, ip, ip_echo, ip_tcp, ip_udp, ipv4)
from tofnet.wait import wait_until


def listen(address):
    s = socket.create_server(
        (address, 80),
        family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    s.settimeout(2)
    return s


@pytest.mark.parametrize("ue,svc,app", [(UE4, SVC4, APP4), (UE6, SVC6, APP6)])
def test_udp_there_and_back(nat, port, ue, svc, app):
    nat.do("set", svc, app)
    with Udp(app) as server:
        port.send(frame_up(0x12345678, ip_udp(ue, svc, b"hello", 4000, 7)))
        data, peer = server.receive()
        assert (data, peer[:2]) == (b"hello", (ue, 4000))
        server.sock.sendto(b"answer", peer)
        p = packet_to(port, 0x12345678, src=svc, dst=ue, sport=7, dport=4000,
                      payload=b"answer")
        assert p.header_ok or p.version == 6
        assert p.l4_ok
    # The mark is the id, as a number.
    assert f"mark={0x12345678}" in flows()
    assert "zone-orig=1" in flows()


def test_answer_follows_the_latest_bearer_of_the_flow(nat, port):
    nat.do("set", SVC4, APP4)
    with Udp(APP4) as server:
        for bearer in (0x101, 0x202):
            port.send(frame_up(bearer, ip_udp(UE4, SVC4, b"x", 4000, 7)))
            _, peer = server.receive()
            server.sock.sendto(b"to %x" % bearer, peer)
            packet_to(port, bearer, dst=UE4, payload=b"to %x" % bearer)


@pytest.mark.parametrize("ue,svc,app", [(UE4, SVC4, APP4), (UE6, SVC6, APP6)])
def test_same_ue_address_in_two_spaces(nat, port, ue, svc, app):
    nat.do("set", svc, app)
    with Udp(app) as server:
        peers = {}
        for bearer, space in ((0x1100, 1), (0x2200, 2)):
            port.send(frame_up(bearer, ip_udp(ue, svc, b"%x" % bearer, 4000,
                                              7), space))
            data, peers[bearer] = server.receive()
            assert data == b"%x" % bearer
        assert peers[0x1100] != peers[0x2200]
        for bearer, peer in peers.items():
            server.sock.sendto(b"for %x" % bearer, peer)
        for bearer in peers:
            packet_to(port, bearer, dst=ue, dport=4000,
                      payload=b"for %x" % bearer)
        assert len(port.frames) == 2


def test_tcp_mss_is_clamped_both_ways(nat, port):
    nat.do("set", SVC4, APP4)
    mss = struct.pack("!BBH", 2, 4, 1460)
    with call_in(APP, listen, APP4) as server, RawPort(APP, "app0") as app:
        port.send(frame_up(0x77, ip_tcp(UE4, SVC4, 5000, 80, "S", 1000,
                                        options=mss)))
        syn = app.wait(lambda f: f[23] == TCP and f[47] & 2)
        assert syn[54:58] == struct.pack("!BBH", 2, 4, ROUTE_MTU - 40)
        p = packet_to(port, 0x77, src=SVC4, flags="SA")
        assert p.l4[20:24] == struct.pack("!BBH", 2, 4, ROUTE_MTU - 40)
        assert p.l4_ok
        port.send(frame_up(0x77, ip_tcp(UE4, SVC4, 5000, 80, "A", 1001,
                                        p.seq + 1)))
        conn, _ = server.accept()
        with conn:
            # Many segments at once: each frame gets its address.
            conn.sendall(b"z" * 20000)
            got = set()

            def whole():
                for f in port.frames:
                    q = Inner.parse(f[14:])
                    assert f[:6] == mac_down(0x77) and len(f) <= 14 + ROUTE_MTU
                    assert q.l4_ok
                    if q.payload:
                        got.update(range(q.seq, q.seq + len(q.payload)))
                        port.send(frame_up(0x77, ip_tcp(
                            UE4, SVC4, 5000, 80, "A", 1001,
                            q.seq + len(q.payload))))
                return len(got) == 20000
            wait_until(whole)
            # Ends with a reset, so that nothing of it comes later.
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
        packet_to(port, 0x77, flags="RA")


def test_tcp_mss_is_clamped_ipv6(nat, port):
    nat.do("set", SVC6, APP6)
    with call_in(APP, listen, APP6), RawPort(APP, "app0") as app:
        port.send(frame_up(0x77, ip_tcp(
            UE6, SVC6, 5000, 80, "S", 1000,
            options=struct.pack("!BBH", 2, 4, 1440))))
        clamped = struct.pack("!BBH", 2, 4, ROUTE_MTU - 60)
        syn = app.wait(lambda f: Inner.parse(f[14:]).flags == "S")
        assert Inner.parse(syn[14:]).l4[20:24] == clamped
        p = packet_to(port, 0x77, src=SVC6, flags="SA")
        assert p.l4[20:24] == clamped and p.l4_ok


def test_too_large_an_answer(nat, port):
    """With DF it is refused with the routes' MTU; without, it is cut."""
    nat.do("set", SVC4, APP4)
    with Udp(APP4) as server:
        port.send(frame_up(0x88, ip_udp(UE4, SVC4, b"x", 4000, 7)))
        _, peer = server.receive()
        server.sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER,
                               IP_PMTUDISC_DO)
        with RawPort(APP, "app0") as app:
            server.sock.sendto(b"y" * 1472, peer)
            error = app.wait(lambda f: f[12:14] == b"\x08\0" and f[23] == ICMP
                             and f[34] == 3)
            assert error[35] == 4
            assert struct.unpack_from("!H", error, 40)[0] == ROUTE_MTU
        server.sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER,
                               IP_PMTUDISC_DONT)
        server.sock.sendto(b"y" * 1472, peer)
        wait_until(lambda: len(port.frames) >= 2)
        for f in port.frames:
            assert f[:6] == mac_down(0x88)
            assert len(f) <= 14 + ROUTE_MTU
        assert sum(len(f) - 34 for f in port.frames) == 1480


def test_too_large_an_answer_ipv6(nat, port):
    nat.do("set", SVC6, APP6)
    with Udp(APP6) as server:
        port.send(frame_up(0x89, ip_udp(UE6, SVC6, b"x", 4000, 7)))
        _, peer = server.receive()
        with RawPort(APP, "app0") as app:
            server.sock.sendto(b"y" * 1452, peer)
            error = app.wait(lambda f: f[12:14] == b"\x86\xdd"
                             and f[20] == ICMPV6 and f[54] == 2)
            assert struct.unpack_from("!I", error, 58)[0] == ROUTE_MTU
        assert port.frames == []


def test_icmp_error_of_the_application(nat, port):
    """A closed port: the error comes from the service, to that bearer."""
    nat.do("set", SVC4, APP4)
    port.send(frame_up(0x99, ip_udp(UE4, SVC4, b"x", 4000, 9)))
    p = packet_to(port, 0x99, src=SVC4, dst=UE4, proto=ICMP, kind=3)
    quoted = Inner.parse(p.l4[8:])
    assert (quoted.src, quoted.dst) == (UE4, SVC4)


def test_icmp_error_made_here_goes_to_its_own_bearer(nat, port):
    """Two UEs with one address and port: what their own packets cause comes
    back to each, although conntrack cannot tell."""
    nat.do("set", SVC4, APP4)
    with Udp(APP4) as server:
        for bearer, space in ((0x1111, 1), (0x2222, 2)):
            port.send(frame_up(bearer, ip_udp(UE4, SVC4, b"x", 4000, 7),
                               space))
            server.receive()
        for bearer, space in ((0x2222, 2), (0x1111, 1)):
            port.clear()
            port.send(frame_up(bearer, ip_udp(UE4, SVC4, b"x", 4000, 7,
                                              ttl=1), space))
            packet_to(port, bearer, proto=ICMP, kind=11, dst=UE4)
            assert len(port.frames) == 1


def test_forged_icmp_error_takes_no_flow_over(nat, port):
    nat.do("set", SVC4, APP4)
    with Udp(APP4) as server:
        port.send(frame_up(0xaa, ip_udp(UE4, SVC4, b"x", 4000, 7)))
        _, peer = server.receive()
        server.sock.sendto(b"one", peer)
        packet_to(port, 0xaa, payload=b"one")

        quoted = ip_udp(SVC4, UE4, b"one", 7, 4000)
        body = struct.pack("!BBHI", 3, 1, 0, 0) + quoted
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        with RawPort(APP, "app0") as app:
            port.send(frame_up(0xbb, ipv4("10.45.0.66", SVC4, body, ICMP)))
            app.wait(lambda f: f[12:14] == b"\x08\0" and f[23] == ICMP)
        assert f"mark={0xaa}" in flows()
        mark = port.mark()
        for _ in range(3):
            try:
                server.sock.sendto(b"two", peer)
                break
            except OSError:     # The error, which the socket has been told.
                continue
        packet_to(port, 0xaa, since=mark, payload=b"two")


def test_nothing_but_services_passes(nat, port):
    nat.do("set", SVC4, APP4)
    with Udp(APP4) as server:
        for dst in (SVC4_B, APP4, "192.168.100.1", "10.45.0.3",
                    "224.0.0.1", "255.255.255.255"):
            port.send(frame_up(0xcc, ip_udp(UE4, dst, b"no", 4000, 7)))
        port.send(frame_up(0xcc, ip_udp(UE6, APP6, b"no", 4000, 7)))
        port.send(eth("ff:ff:ff:ff:ff:ff", "02:00:00:00:00:cc",
                      bytes(28), 0x0806))
        port.send(frame_up(0xcc, ip_udp(UE4, SVC4, b"yes", 4000, 7)))
        assert server.receive()[0] == b"yes"
        server.expect_nothing()
    assert port.frames == []


def test_application_connects(nat, port):
    nat.do("set", SVC4, APP4)
    with Udp(APP4, 5555) as client:
        client.sock.sendto(b"push", (UE4, 6000))
        p = packet_to(port, 0, src=SVC4, dst=UE4, sport=5555, dport=6000,
                      payload=b"push")
        port.send(frame_up(0xdd, ip_udp(UE4, SVC4, b"pull", 6000, 5555)))
        assert client.receive() == (b"pull", (UE4, 6000))
        # It stays one to be looked up by address.
        client.sock.sendto(b"again", (UE4, 6000))
        packet_to(port, 0, payload=b"again")
    assert p.l4_ok


def test_application_with_several_services(nat, port):
    """It is seen as any one of those that it still has."""
    nat.do("set", SVC4, APP4)
    nat.do("set", SVC4_B, APP4)
    with Udp(APP4, 5555) as client:
        seen = set()
        for i in range(2):
            client.sock.sendto(b"push %d" % i, (UE4, 6000 + i))
            seen.add(packet_to(port, 0, payload=b"push %d" % i).src)
            nat.do("clear", SVC4)
        assert seen == {SVC4, SVC4_B}


@pytest.mark.parametrize("ue,svc,app", [(UE4, SVC4, APP4), (UE6, SVC6, APP6)])
def test_application_without_service_reaches_nobody(nat, port, ue, svc, app):
    """Nor when it answers somebody whose flow went with its service."""
    nat.do("set", svc, app)
    with Udp(app) as server, Udp(app, 5555) as client:
        port.send(frame_up(1, ip_udp(ue, svc, b"x", 4000, 7)))
        _, peer = server.receive()
        nat.do("clear", svc)
        server.sock.sendto(b"late", peer)
        client.sock.sendto(b"push", (ue, 6000))
        nat.do("set", svc, app)
        client.sock.sendto(b"now", (ue, 6001))
        packet_to(port, 0, src=svc, payload=b"now")
    assert len(port.frames) == 1


@pytest.mark.parametrize("ue,svc,app", [(UE4, SVC4, APP4), (UE6, SVC6, APP6)])
def test_segments_of_no_flow_reach_nobody(nat, port, ue, svc, app):
    """As of a server that repeats its SYN ACK when the entry has gone."""
    nat.do("set", svc, app)
    with call_in(APP, listen, app), RawPort(NAT, "app0") as wire:
        def is_syn_ack(frame):
            p = Inner.parse(frame[14:])
            return (p.src, p.flags) == (app, "SA")
        port.send(frame_up(1, ip_tcp(ue, svc, 5000, 80, "S", 1000)))
        packet_to(port, 1, src=svc, flags="SA")
        run_in(NAT, "conntrack", "-F")
        mark = wire.mark()
        wire.wait(is_syn_ack, 10, mark, "the SYN ACK's repetition")
        with Udp(app, 5555) as client:
            client.sock.sendto(b"now", (ue, 6001))
            packet_to(port, 0, src=svc, payload=b"now")
    assert len(port.frames) == 2


@pytest.mark.parametrize("ue,svc,app", [(UE4, SVC4, APP4), (UE6, SVC6, APP6)])
def test_connections_are_reset_where_they_are(nat, port, ue, svc, app):
    """When the App is down.  A UE that is silent is made to say how far its
    connection has come; a SYN is no part of one."""
    nat.do("set", svc, app)
    with call_in(APP, listen, app):
        port.send(frame_up(1, ip_tcp(ue, svc, 5000, 80, "S", 1000)))
        answer = packet_to(port, 1, src=svc, flags="SA")
        ack = frame_up(1, ip_tcp(ue, svc, 5000, 80, "A", 1001,
                                 answer.seq + 1))
        port.send(ack)
        wait_until(lambda: "ESTABLISHED" in flows())
        assert nat.do("list", svc) == [f"{ue} 5000 {svc} 80"]
        since = port.mark()
        nat.do("end", svc)
        packet_to(port, 1, since, src=svc, sport=80, flags="A", seq=0)

        port.send(ack)
        reset = packet_to(port, 1, since, src=svc, flags="R")
        assert (reset.dport, reset.seq) == (5000, answer.seq + 1)
        port.send(frame_up(1, ip_tcp(ue, svc, 5001, 80, "S", 2000)))
        begun = packet_to(port, 1, since, src=svc, dport=5001, flags="SA")
        nat.do("resume", svc)
        port.send(frame_up(1, ip_tcp(ue, svc, 5001, 80, "FA", 2001,
                                     begun.seq + 1)))
        packet_to(port, 1, since, src=svc, dport=5001, flags="A")


def drops(reason):
    rules = run_in(NAT, "nft", "list", "table", "inet", "tof_nat").stdout
    return int(re.search(rf'packets (\d+) bytes \d+ goto {reason} '
                         rf'comment "{reason}"', rules)[1])


@pytest.mark.parametrize("ue,svc,app,others,other_app", [
    (UE4, SVC4, APP4, SVC4_B, APP4_B),
    (UE6, SVC6, APP6, "2001:db8:51::11", "fd00:100::11")],
    ids=["IPv4", "IPv6"])
def test_nobody_speaks_as_the_service_of_another(nat, port, ue, svc, app,
                                                 others, other_app):
    """Raw packets of a host in the Apps' network: with the address of a
    service that another App serves, of its own one, of a UE, or its own though
    it serves none."""
    nat.do("set", svc, app)
    nat.do("set", others, other_app)
    macs = link(NAT, "app0")["address"], link(APP, "app0")["address"]
    stranger = str(ipaddress.ip_address(app) + 50)
    before = drops("serves_no_service")
    with RawPort(APP, "app0") as wire:
        forged = [others, svc, str(ipaddress.ip_address(ue) + 1), stranger]
        for src in forged:
            for packet in (ip_udp(src, ue, b"forged", 7, 6000),
                           ip_tcp(src, ue, 80, 6000, "S"),
                           ip_echo(src, ue)):
                wire.send(eth(*macs, packet))
        wire.send(eth(*macs, ip_udp(app, ue, b"true", 7, 6000)))
    packet_to(port, 0, src=svc, payload=b"true")
    assert len(port.frames) == 1
    assert drops("serves_no_service") - before == 3 * len(forged)


def test_an_app_whose_address_is_another_service_speaks_as_its_own(nat, port):
    """APP4_B serves SVC4, and UEs reach another App by APP4_B."""
    nat.do("set", SVC4, APP4_B)
    nat.do("set", APP4_B, APP4)
    with Udp(APP4_B, 5555) as client, Udp(APP4) as other:
        client.sock.sendto(b"push", (UE4, 6000))
        packet_to(port, 0, src=SVC4, payload=b"push")
        port.send(frame_up(0xdd, ip_udp(UE4, APP4_B, b"x", 6001, 7)))
        data, peer = other.receive()
        other.sock.sendto(data, peer)
        packet_to(port, 0xdd, src=APP4_B, payload=b"x")


def test_application_may_not_connect(topology, driver_path, nat, port):
    nat.do("set", SVC4, APP4)
    with Driver(driver_path, may_connect=False) as d, Udp(APP4) as server:
        assert d.started == "ok"
        assert d.do("dump") == [f"{SVC4} {APP4}"]
        server.sock.sendto(b"push", (UE4, 6000))
        port.send(frame_up(0xee, ip_udp(UE4, SVC4, b"x", 4000, 7)))
        _, peer = server.receive()
        server.sock.sendto(b"answer", peer)
        packet_to(port, 0xee, payload=b"answer")
        # An answer whose entry is gone.
        run_in(NAT, "conntrack", "-F")
        server.sock.sendto(b"late", peer)
        server.expect_nothing()
        assert len(port.frames) == 1


def test_replacing_moves_flows(nat, port):
    nat.do("set", SVC4, APP4)
    with Udp(APP4) as old, Udp(APP4_B) as new:
        port.send(frame_up(1, ip_udp(UE4, SVC4, b"one", 4000, 7)))
        assert old.receive()[0] == b"one"
        nat.do("set", SVC4, APP4)       # No change: flows stay.
        assert f"dst={SVC4}" in flows()
        nat.do("set", SVC4, APP4_B)
        assert nat.do("dump") == [f"{SVC4} {APP4_B}"]
        port.send(frame_up(1, ip_udp(UE4, SVC4, b"two", 4000, 7)))
        data, peer = new.receive()
        assert data == b"two"
        new.sock.sendto(b"back", peer)
        packet_to(port, 1, src=SVC4, payload=b"back")
        old.expect_nothing()


@pytest.mark.parametrize("ue,svc,app", [(UE4, SVC4, APP4), (UE6, SVC6, APP6)])
def test_clearing_flushes_flows(nat, port, ue, svc, app):
    nat.do("set", svc, app)
    nat.do("set", SVC4_B, APP4_B)
    with Udp(app) as server, Udp(APP4_B) as other:
        for space in (1, 2, 0):
            port.send(frame_up(1, ip_udp(ue, svc, b"one", 4000, 7), space))
            server.receive()
        port.send(frame_up(2, ip_udp(UE4, SVC4_B, b"one", 4000, 7)))
        other.receive()
        nat.do("clear", svc)
        assert f"dst={svc} " not in flows()
        assert f"dst={SVC4_B} " in flows()
        port.send(frame_up(1, ip_udp(ue, svc, b"two", 4000, 7)))
        server.expect_nothing()
        nat.do("clear", svc)            # Once more is no error.
        assert nat.do("dump") == [f"{SVC4_B} {APP4_B}"]


@pytest.mark.parametrize("ue,svc,app", [(UE4, SVC4, APP4), (UE6, SVC6, APP6)])
def test_flows_of_a_bearer_reassigned(nat, port, ue, svc, app):
    """Answers go to its address space, until the UE sends again."""
    gone, other = 0x01020304, 0x04030201
    nat.do("set", svc, app)
    with Udp(app) as server:
        def up(bearer, sport):
            port.send(frame_up(bearer, ip_udp(ue, svc, b"x", sport, 7), 5))
            return server.receive()

        (data, peer), _ = up(gone, 4000), up(other, 4001)
        nat.do("reassign", gone)
        assert f"mark={gone}" not in flows()
        assert f"mark={other}" in flows()
        server.sock.sendto(data, peer)
        packet_to(port, 0xff000500, src=svc, payload=data)
        up(0x01020305, 4000)
        server.sock.sendto(data, peer)
        packet_to(port, 0x01020305, src=svc, payload=data)
    nat.do("reassign", 0x0a0b0c0d)      # None is no error.


@pytest.mark.parametrize("ue,svc,app", [(UE4, SVC4, APP4), (UE6, SVC6, APP6)])
def test_flows_of_any_protocol(nat, port, ue, svc, app):
    """Reassigned and flushed like UDP's, in the UE's address space."""
    def seen():
        return {int(line.split()[1]) for line in flows().splitlines()
                if f"dst={svc} " in line and "zone-orig=1" in line
                and f"mark={owner} " in line}

    nat.do("set", svc, app)
    owner = 0x31
    packets = {17: ip_udp(ue, svc, b"x", 4000, 7),
               58 if ":" in svc else 1: ip_echo(ue, svc),
               50: ip(ue, svc, b"\0\0\0\1\0\0\0\1", 50),
               253: ip(ue, svc, b"x", 253)}
    for packet in packets.values():
        port.send(frame_up(owner, packet))
    wait_until(lambda: seen() == set(packets), what="all flows")
    nat.do("reassign", owner)
    assert not seen()
    owner = 0xff000100          # An orphan of that space.
    assert seen() == set(packets)
    nat.do("clear", svc)
    assert not seen()


def test_families_do_not_mix(nat):
    assert nat("set", SVC4, APP6)[0].startswith("error")
    assert nat.do("dump") == []


def test_configured_route(nat, port):
    nat.do("set", SVC4, FAR)
    with Udp(FAR) as server:
        port.send(frame_up(3, ip_udp(UE4, SVC4, b"far", 4000, 7)))
        data, peer = server.receive()
        server.sock.sendto(data, peer)
        packet_to(port, 3, src=SVC4, payload=b"far")


def link(ns, dev):
    out = run_in(ns, "ip", "-j", "-d", "link", "show", "dev", dev).stdout
    return json.loads(out)[0]


def test_restart_disturbs_nothing(nat, port, driver_path):
    nat.do("set", SVC4, APP4)
    with Udp(APP4) as server:
        port.send(frame_up(0xf0, ip_udp(UE4, SVC4, b"x", 4000, 7)))
        _, peer = server.receive()
        before = (link(TOF, PORT)["ifindex"], link(NAT, "ue0")["ifindex"])
        nat.kill()                      # Packets pass without it ...
        server.sock.sendto(b"one", peer)
        packet_to(port, 0xf0, payload=b"one")
        with Driver(driver_path) as d:  # ... and after another start.
            assert d.started == "ok"
            assert d.do("dump") == [f"{SVC4} {APP4}"]
            server.sock.sendto(b"two", peer)
            packet_to(port, 0xf0, payload=b"two")
            assert before == (link(TOF, PORT)["ifindex"],
                              link(NAT, "ue0")["ifindex"])


def passes(port, server, bearer):
    port.send(frame_up(bearer, ip_udp(UE4, SVC4, b"x", 4000, 7)))
    _, peer = server.receive()
    server.sock.sendto(b"y", peer)
    packet_to(port, bearer, payload=b"y")


@pytest.mark.parametrize("leftover", [
    ("mtu", NAT, "ip link set ue0 mtu 1400"),
    ("no pair", TOF, f"ip link del {PORT}"),
    ("another's half", TOF, f"ip link del {PORT}; ip link add {PORT} type "
     "veth peer name stray"),
    ("half inside", TOF, f"ip link del {PORT}; ip link add stray type veth "
     f"peer name ue0 netns {NAT}"),
    ("no table", NAT, "nft delete table inet tof_nat; "
     "nft delete table netdev tof_nat"),
    ("half a table", NAT, "nft delete table netdev tof_nat"),
    ("rules of old", NAT, "nft flush chain inet tof_nat to_app; nft add rule "
     "inet tof_nat forward drop"),
    ("chains of old", NAT, "nft delete table inet tof_nat; nft add table inet "
     "tof_nat; nft add chain inet tof_nat spaces '{ type filter hook "
     "prerouting priority 5; }'; nft add map inet tof_nat services4 "
     "'{ type ipv4_addr : ipv4_addr; }'; nft add element inet tof_nat "
     "services4 '{ 1.2.3.4 : 5.6.7.8 }'"),
    ("no route", NAT, "ip route del default; ip link set ue0 down; "
     "sysctl -q net.ipv4.ip_forward=0"),
    ("no address", NAT, "ip addr flush dev app0"),
], ids=lambda x: x[0])
def test_leftovers_are_mended(nat, driver_path, leftover):
    name, ns, script = leftover
    nat.kill()
    run_in(ns, "sh", "-ec", script)
    with Driver(driver_path) as d:
        assert d.started == "ok"
        if name == "chains of old":
            assert d.do("dump") == ["1.2.3.4 5.6.7.8"]
        d.do("set", SVC4, APP4)
        assert link(NAT, "ue0")["mtu"] == link(TOF, PORT)["mtu"] == MTU
        with RawPort(TOF, PORT) as port, Udp(APP4) as server:
            passes(port, server, 0x5a)


def test_quiet(nat, port):
    """Nothing comes out of ue0 by itself, and nothing can come out of its
    peer's own stack."""
    for ns, dev in ((NAT, "ue0"), (TOF, PORT)):
        assert run_in(ns, "ip", "-o", "addr", "show", "dev", dev).stdout == ""
    run_in(NAT, "ip", "link", "set", "ue0", "down")
    run_in(NAT, "ip", "link", "set", "ue0", "up")
    run_in(NAT, "ping", "-c1", "-W1", UE4, check=False)
    run_in(NAT, "ping", "-c1", "-W1", UE6, check=False)
    assert port.frames == []
    features = run_in(NAT, "ethtool", "-k", "ue0").stdout
    assert re.search(r"^tx-checksumming: off", features, re.M)


def test_missing_apps_interface(topology, driver_path):
    """It says so, and leaves nothing behind."""
    ns = f"{RUN}-x"
    p = run_in(TOF, driver_path, ns, "nosuch0", "ue-x", MTU, 1, check=False)
    assert p.stdout == "error: apps.interface nosuch0: no such interface\n"
    assert p.returncode == 1
    assert not netns.exists(ns)
    assert "ue-x" not in run_in(TOF, "ip", "-o", "link").stdout


def test_failure_takes_all_back(topology, driver_path):
    """A prefix that no kernel takes, found last: even the adapter is back."""
    ns = f"{RUN}-y"
    run_in(TOF, "ip", "link", "add", "app9", "type", "veth", "peer", "name",
           "app9p")
    try:
        p = run_in(TOF, driver_path, ns, "app9", "ue-y", MTU, 1,
                   "192.168.9.1/77", check=False)
        assert p.stdout.startswith("error: apps.address: ")
        assert not netns.exists(ns)
        links = run_in(TOF, "ip", "-o", "link").stdout
        assert "app9@" in links and "ue-y" not in links
    finally:
        run_in(TOF, "ip", "link", "del", "app9", check=False)
        netns.delete(ns)
