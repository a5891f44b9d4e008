# SPDX-License-Identifier: GPL-3.0-or-later
"""The NAT namespace alone (natdriver.py): what it counts."""

import socket
import struct

import pytest

# pylint: disable=unused-import,redefined-outer-name
from natdriver import (
    APP4, APP6, NAT, SVC4, SVC4_B, SVC6, UE4, UE6, Driver, Udp, driver_path,
    frame_up, nat, packet_to, port, topology)
from tofnet.netns import call_in
from tofnet.packet import ip_udp


def usage(nat):
    """(bearer, service, direction) -> (packets, bytes)"""
    return {(int(w[0], 0), w[1], w[2]): (int(w[3]), int(w[4]))
            for w in map(str.split, nat.do("usage"))}


def exchange(port, server, bearer, ue, svc, up, down):
    port.send(frame_up(bearer, ip_udp(ue, svc, up, 4000, 7)))
    _, peer = server.receive()
    server.sock.sendto(down, peer)
    packet_to(port, bearer, src=svc, dst=ue, payload=down)


@pytest.mark.parametrize("ue,svc,app,header", [(UE4, SVC4, APP4, 28),
                                               (UE6, SVC6, APP6, 48)])
def test_traffic_is_counted_by_bearer_and_service(nat, port, ue, svc, app,
                                                  header):
    nat.do("set", svc, app)
    with Udp(app) as server:
        for i in range(3):
            exchange(port, server, 0xc001, ue, svc, b"up%d" % i,
                     b"down-%d" % i)
        exchange(port, server, 0xc002, ue, svc, b"x", b"yz")
    counts = usage(nat)
    assert counts[0xc001, svc, "up"] == (3, 3 * (header + 3))
    assert counts[0xc001, svc, "down"] == (3, 3 * (header + 6))
    assert counts[0xc002, svc, "up"] == (1, header + 1)
    assert counts[0xc002, svc, "down"] == (1, header + 2)


def test_counts_outlive_flows_and_process_until_forgotten(
        nat, port, driver_path):
    nat.do("set", SVC4, APP4)
    with Udp(APP4) as server:
        exchange(port, server, 0xc003, UE4, SVC4, b"a", b"b")
    nat.do("reassign", 0xc003)
    nat.do("clear", SVC4)
    assert usage(nat)[0xc003, SVC4, "up"] == (1, 29)
    with Driver(driver_path) as d:
        assert d.started == "ok"
        assert usage(d)[0xc003, SVC4, "down"] == (1, 29)
        d.do("forget", 0xc003, SVC4, "up")
        d.do("forget", 0xc003, SVC4, "up")      # Not there: no error.
        assert (0xc003, SVC4, "up") not in usage(d)
        assert (0xc003, SVC4, "down") in usage(d)


def generation(ns):
    """Grows by one with each transaction of nftables in 'ns'."""
    def ask():
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as s:
            s.send(struct.pack("=IHHIIBBH", 20, 10 << 8 | 16, 1, 1, 0,
                               0, 0, 0))
            return struct.unpack("!I", s.recv(4096)[24:28])[0]
    return call_in(ns, ask)


def test_many_counts_are_forgotten_at_once(nat, port):
    """In one transaction, though most of them are not there."""
    nat.do("set", SVC4, APP4)
    with Udp(APP4) as server:
        for bearer in (0xc010, 0xc050):
            exchange(port, server, bearer, UE4, SVC4, b"a", b"b")
    before = generation(NAT)
    nat.do("forget", 0xc055, SVC4, "up")
    assert generation(NAT) == before + 1
    left = usage(nat)
    for bearer in (0xc010, 0xc050):
        assert (bearer, SVC4, "up") not in left
        assert (bearer, SVC4, "down") in left


def test_counts_of_many_bearers_are_read_whole(nat, port):
    """More than one part of an answer holds."""
    nat.do("set", SVC4, APP4)
    with Udp(APP4) as server:
        for i in range(1500):
            port.send(frame_up(0xd0000000 + i,
                               ip_udp(UE4, SVC4, b"%04d" % i, 4000, 7)))
            server.receive()
    counts = usage(nat)
    assert all(counts[0xd0000000 + i, SVC4, "up"] == (1, 32)
               for i in range(1500))


def test_what_does_not_pass_is_not_counted(nat, port):
    nat.do("set", SVC4, APP4)
    with Udp(APP4) as server:
        port.send(frame_up(0xc004, ip_udp(UE4, SVC4_B, b"no", 4000, 7)))
        exchange(port, server, 0xc005, UE4, SVC4, b"a", b"b")
        server.sock.sendto(b"push", (UE4, 6000))        # Its own: id 0.
        packet_to(port, 0, payload=b"push")
    counts = usage(nat)
    assert not [k for k in counts if k[0] in (0, 0xc004)]
