# SPDX-License-Identifier: GPL-3.0-or-later
"""The NAT namespace alone (natdriver.py): how many connections there are."""

import pytest

# pylint: disable=unused-import,redefined-outer-name
from natdriver import (
    ADDRESSES, APP4, APP6, NAT, SVC4, SVC6, UE4, UE6, Driver, Udp,
    driver_path, flows, frame_up, nat, packet_to, port, topology)
from tofnet import conntrack
from tofnet.netns import run_in
from tofnet.packet import ip_udp
from tofnet.wait import wait_until

MAX = 5                         # Connections of a bearer, in some tests.
TURN = 2000                     # Connections, at most, in a turn of a walk.


@pytest.fixture
def bounded(nat, driver_path):
    nat.kill()
    with Driver(driver_path,
                addresses=(*ADDRESSES, f"connections:{MAX}")) as d:
        assert d.started == "ok"
        yield d


def asks(port, bearer, ue, svc, source, text):
    port.send(frame_up(bearer, ip_udp(ue, svc, text, source, 7)))


def dropped(reason):
    """Packets that a rule with this comment has dropped."""
    rules = run_in(NAT, "nft", "list", "table", "inet", "tof_nat").stdout
    line = next(line for line in rules.splitlines()
                if f'"{reason}"' in line)
    return int(line.split("counter packets ")[1].split()[0])


@pytest.mark.parametrize("ue,svc,app", [(UE4, SVC4, APP4), (UE6, SVC6, APP6)])
def test_ue_at_its_bound_opens_no_more(bounded, port, ue, svc, app):
    """What it has goes on, and another UE is not concerned; when its
    connections are gone it may open others."""
    bounded.do("set", svc, app)
    with Udp(app) as server:
        for i in range(MAX):
            asks(port, 0xd001, ue, svc, 4000 + i, b"%d" % i)
            assert server.receive()[0] == b"%d" % i
        asks(port, 0xd001, ue, svc, 4900, b"one too many")
        asks(port, 0xd002, ue, svc, 5000, b"another UE")
        assert server.receive()[0] == b"another UE"
        for i in range(MAX):
            asks(port, 0xd001, ue, svc, 4000 + i, b"again")
            _, peer = server.receive()
            server.sock.sendto(b"answer", peer)
            packet_to(port, 0xd001, dport=4000 + i, payload=b"answer")
        assert dropped("too_many_connections") >= 1
        conntrack.empty(NAT)

        def opens():
            asks(port, 0xd001, ue, svc, 4901, b"one more")
            server.sock.settimeout(0.1)
            return server.receive()[0] == b"one more"

        wait_until(opens, what="the kernel to forget what is gone")


def test_bound_is_that_of_the_latest_start(bounded, port, driver_path):
    bounded.do("set", SVC4, APP4)
    with Udp(APP4) as server:
        for i in range(MAX):
            asks(port, 0xd003, UE4, SVC4, 4000 + i, b"first")
            server.receive()
        bounded.kill()
        with Driver(driver_path) as d:
            assert d.started == "ok"
            asks(port, 0xd003, UE4, SVC4, 4900, b"more")
            assert server.receive()[0] == b"more"


def test_ue_that_opens_connections_too_fast_is_slowed(nat, port):
    nat.do("set", SVC4, APP4)
    before = dropped("too_many_new_connections")
    sent = 0
    while dropped("too_many_new_connections") == before:
        assert sent < 20000
        for i in range(500):
            asks(port, 0xd004, UE4, SVC4, 10000 + sent + i, b"x")
        sent += 500
    assert sent >= 1000         # So many may come at once.
    with Udp(APP4) as server:
        asks(port, 0xd005, UE4, SVC4, 4000, b"another UE")
        assert server.receive()[0] == b"another UE"


def test_packets_of_one_connection_are_no_new_ones(bounded, port):
    """Though nobody answers, so that the kernel calls each of them new."""
    bounded.do("set", SVC4, APP4)
    before = dropped("too_many_new_connections")
    with Udp(APP4) as server:
        for i in range(3000):
            asks(port, 0xd006, UE4, SVC4, 4000, b"%d" % i)
            server.receive()
    assert dropped("too_many_new_connections") == before


@pytest.mark.parametrize("svc,ue,app", [(SVC4, UE4, APP4), (SVC6, UE6, APP6)])
def test_full_table_is_walked_in_small_parts(nat, port, svc, ue, app):
    """A service goes, and a bearer, while there are very many connections:
    tofd has other things to do in between.  (How long a part takes says
    nothing: within it the kernel steps over all other namespaces'
    connections, too.)"""
    nat.do("set", svc, app)
    try:
        conntrack.fill(NAT, conntrack.maximum(NAT) * 9 // 10, mark=0xd008)
        with Udp(app) as server:
            asks(port, 0xd007, ue, svc, 4000, b"x")
            server.receive()
        turns = conntrack.count(NAT) // TURN
        assert f"mark={0xd007}" in flows()
        nat.do("clear", svc)
        assert f"mark={0xd007}" not in flows()
        assert int(nat.do("turns")[0]) > turns
        nat.do("reassign", 0xd008)
        assert f"mark={0xd008} " not in flows()
        assert int(nat.do("turns")[0]) > turns
    finally:
        conntrack.empty(NAT)
