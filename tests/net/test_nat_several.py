# SPDX-License-Identifier: GPL-3.0-or-later
"""A service with several Apps in the NAT namespace (natdriver.py): who gets
whose packets, and what becomes of flows when an App goes."""

import pytest

# pylint: disable=unused-import,redefined-outer-name
from natdriver import (
    APP, APP4, APP4_B, APP6, NAT, SVC4, SVC4_B, SVC6, UE4, UE6, Driver, Udp,
    driver_path, flows, frame_up, nat, packet_to, port, topology)
from test_nat import listen
from test_nat_connections import dropped
from tofnet.netns import call_in, run_in
from tofnet.packet import ip_tcp, ip_udp
from tofnet.wait import wait_until

BOTH = f"{APP4},{APP4_B}"
APP6_B = "fd00:100::11"
UES4 = [f"10.45.7.{i}" for i in range(1, 41)]


@pytest.fixture(scope="module", autouse=True)
def second_ipv6(topology):
    run_in(APP, "ip", "addr", "add", f"{APP6_B}/64", "dev", "app0", "nodad")


MAPS = ("services4", "apps4", "buckets4", "members4", "lost4")


def held(name):
    """The elements of a map or a set."""
    kind = "set" if name == "lost4" else "map"
    text = run_in(NAT, "nft", "list", kind, "inet", "tof_nat", name).stdout
    return text.partition("elements")[2]


def served_by(port, ue, svc, servers, sport=4000):
    """Which of the Apps gets a packet of the UE."""
    port.send(frame_up(0x55, ip_udp(ue, svc, ue.encode(), sport, 7)))
    found = []

    def come():
        for name, server in servers.items():
            server.sock.settimeout(0.01)
            try:
                data, _ = server.receive()
            except TimeoutError:
                continue
            assert data == ue.encode()
            found.append(name)
        return found
    wait_until(come)
    return found[0]


@pytest.mark.parametrize("svc,a,b,ues", [
    (SVC4, APP4, APP4_B, UES4),
    (SVC6, APP6, APP6_B, [f"2001:db8:7:{i:x}::2" for i in range(1, 41)]),
], ids=["ipv4", "ipv6"])
def test_each_ue_has_one_of_them(nat, port, svc, a, b, ues):
    with Udp(a) as first, Udp(b) as second:
        servers = {a: first, b: second}
        nat.do("share", svc, f"{a},{b}", "01", 0)
        before = {ue: served_by(port, ue, svc, servers) for ue in ues}
        assert set(before.values()) == {a, b}
        # Another connection, the same App; then the other way round.
        for ue in ues[:10]:
            assert served_by(port, ue, svc, servers, 4001) == before[ue]
        nat.do("share", svc, f"{a},{b}", "10", 0)
        for ue in ues[:10]:
            assert served_by(port, ue, svc, servers, 4002) != before[ue]
            # What there is stays.
            assert served_by(port, ue, svc, servers) == before[ue]
        nat.do("share", svc, f"{b},{a}", "01", 0)
        for ue in ues[:10]:
            assert served_by(port, ue, svc, servers, 4003) != before[ue]


def test_answers_come_from_the_service(nat, port):
    nat.do("share", SVC4, BOTH, "1", 0)
    with Udp(APP4_B) as server:
        port.send(frame_up(0x66, ip_udp(UE4, SVC4, b"x", 4000, 7)))
        _, peer = server.receive()
        server.sock.sendto(b"answer", peer)
        packet_to(port, 0x66, src=SVC4, dst=UE4, payload=b"answer")


@pytest.mark.parametrize("app", [APP4, APP4_B])
def test_each_of_them_speaks_as_the_service(nat, port, app):
    nat.do("share", SVC4, BOTH, "0", 0)
    with Udp(app, 5000) as server:
        server.sock.sendto(b"hello", (UE4, 5000))
        packet_to(port, 0, src=SVC4, dst=UE4, payload=b"hello")


def test_one_that_has_left_speaks_as_another_service_or_not_at_all(nat, port):
    nat.do("share", SVC4, BOTH, "01", 0)
    nat.do("share", SVC4_B, BOTH, "01", 0)
    nat.do("clear", SVC4)
    with Udp(APP4_B, 5000) as server:
        server.sock.sendto(b"one", (UE4, 5000))
        packet_to(port, 0, src=SVC4_B, dst=UE4, payload=b"one")
        nat.do("set", SVC4_B, APP4)
        port.clear()
        server.sock.sendto(b"two", (UE4, 5001))
        wait_until(lambda: dropped("serves_no_service"))
        assert port.frames == []
    assert all(SVC4 not in held(name) for name in MAPS)


def test_flows_stay_while_their_app_does(nat, port):
    """From one App to two, to the other one alone."""
    nat.do("set", SVC4, APP4)
    with Udp(APP4) as first, Udp(APP4_B) as second:
        servers = {APP4: first, APP4_B: second}
        assert served_by(port, UE4, SVC4, servers) == APP4
        nat.do("share", SVC4, BOTH, "1", 0)
        assert served_by(port, UE4, SVC4, servers) == APP4
        assert served_by(port, UE4, SVC4, servers, 4001) == APP4_B
        nat.do("set", SVC4, APP4_B)
        assert served_by(port, UE4, SVC4, servers) == APP4_B
        assert served_by(port, UE4, SVC4, servers, 4001) == APP4_B
    assert all(APP4 + " " not in held(name) for name in MAPS)


class Connection:
    """A TCP connection of a UE, by hand."""

    def __init__(self, port, ends, sport):
        self.port, self.sport = port, sport
        self.ue, self.svc, app = ends
        self.server = call_in(APP, listen, app)
        since = len(port.frames)
        self.seq, self.ack = 999, 0
        self.send("S")
        answer = packet_to(port, 0x77, since=since, dport=sport, flags="SA")
        self.seq, self.ack = 1000, answer.seq + 1
        self.send("A")
        self.peer, _ = self.server.accept()
        self.peer.settimeout(2)

    def send(self, flags, payload=b""):
        self.port.send(frame_up(0x77, ip_tcp(
            self.ue, self.svc, self.sport, 80, flags, self.seq, self.ack,
            payload)))

    def works(self):
        self.send("PA", payload=b"x")
        self.seq += 1
        return self.peer.recv(1) == b"x"

    def close(self):
        self.peer.close()
        self.server.close()


FAMILIES = pytest.mark.parametrize("ue,svc,a,b", [
    (UE4, SVC4, APP4, APP4_B), (UE6, SVC6, APP6, APP6_B)], ids=["ipv4",
                                                                "ipv6"])


@FAMILIES
def test_connections_to_a_lost_app_are_reset_and_others_go_on(nat, port, ue,
                                                              svc, a, b):
    nat.do("share", svc, f"{a},{b}", "0", 0)
    lost = Connection(port, (ue, svc, a), 5000)
    nat.do("share", svc, f"{a},{b}", "1", 0)
    good = Connection(port, (ue, svc, b), 5001)
    assert lost.works() and good.works()
    since = len(port.frames)
    nat.do("share", svc, f"{a},{b}", "1", 1)
    # Its UE is made to send something,
    packet_to(port, 0x77, since=since, dport=5000, flags="A")
    since = len(port.frames)
    lost.send("A")
    # and gets a reset, in the service's name and with the right number.
    reset = packet_to(port, 0x77, since=since, src=svc, dport=5000, flags="R")
    assert reset.seq == lost.ack
    assert good.works()
    # Begun anew, it goes to the other one, once it is forgotten.
    nat.do("forget-app", svc, a)
    assert f"src={a} dst={ue}" not in flows()
    assert good.works()
    good.close()
    again = Connection(port, (ue, svc, b), 5000)
    assert again.works()
    again.close()
    lost.close()


@FAMILIES
def test_datagrams_to_a_lost_app_go_to_another(nat, port, ue, svc, a, b):
    nat.do("share", svc, f"{a},{b}", "0", 0)
    with Udp(a) as first, Udp(b) as second:
        servers = {a: first, b: second}
        assert served_by(port, ue, svc, servers) == a
        nat.do("share", svc, f"{a},{b}", "1", 1)
        assert served_by(port, ue, svc, servers) == b
        # It is back: new flows are its own.
        nat.do("share", svc, f"{a},{b}", "0", 0)
        assert served_by(port, ue, svc, servers) == b
        assert served_by(port, ue, svc, servers, 4001) == a


def test_it_is_adopted_and_mended(nat, port, driver_path):
    nat.do("share", SVC4, BOTH, "01", 2)
    nat.kill()
    before = run_in(NAT, "nft", "-s", "list", "ruleset").stdout
    with Driver(driver_path) as again:
        assert again.started == "ok"
        again.do("share", SVC4, BOTH, "01", 2)
        assert run_in(NAT, "nft", "-s", "list", "ruleset").stdout == before
        # Somebody takes a part of it out.
        for what in ("map buckets4", "map members4", "map services4"):
            kind, name = what.split()[0], what.split()[-1]
            run_in(NAT, "nft", "flush", kind, "inet", "tof_nat", name)
            again.do("share", SVC4, BOTH, "01", 2)
            assert run_in(NAT, "nft", "-s", "list",
                          "ruleset").stdout == before
        again.do("clear", SVC4)
        assert not any(held(name) for name in MAPS)
