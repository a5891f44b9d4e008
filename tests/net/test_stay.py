# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection stays where it began.

What a UE sends to a service by a bearer that is diverted does not get to the
SGW, whatever becomes of the bearer meanwhile, before the TOF gives it up: the
real host of the service's address would reset the connection.  And what was
switched goes on that way, though the bearer is proved later."""

import dataclasses
import struct
import time

import pytest

from tofnet import packet as p
from tofnet.background import Background
from tofnet.emulator import ENB6, SGW6
from tofnet.lab import APP6, SERVICE_IP, SERVICE_IP6
from tofnet.service import (
    answered, asks, diverted, echo, is_syn_ack, is_text, service_of, switched,
    syn, wait_stale)
from tofnet.wait import PATIENCE, wait_until
from test_mobility import moves

RATE = 1000                     # Packets a second: more than can wait.
GIVEN_UP = 2                    # Seconds without a proof.


def register_for(api, ue):
    if ":" in ue:
        api.register("svc6", SERVICE_IP6, APP6)
    else:
        api.register()


class Upload(Background):
    """A stream of a UE's packets to the echo service, numbered."""

    def __init__(self, b, rate=RATE):
        self.b, self.rate, self.sent = b, rate, 0
        super().__init__()

    def _run(self):
        begin = time.monotonic()
        while not self._end.is_set():
            self.b.uplink(echo(self.b.ue, b"#%d" % self.sent, sport=6000))
            self.sent += 1
            time.sleep(max(0, begin + self.sent / self.rate
                           - time.monotonic()))

    def wait_sent(self, more):
        n = self.sent + more
        wait_until(lambda: self.sent >= n, what=f"{more} packets more")


def leaked(net, b, since):
    """Those of the UE's packets to the service that got to the SGW."""
    return [raw for raw in net.sgw.since(since)
            if (f := p.GtpFrame.parse(raw)) and f.kind == p.GPDU
            and f.inner and f.inner.src == b.ue
            and f.inner.dst == service_of(b.ue)]


# --- What happens to the bearer ----------------------------------------------

def x2_handover(_api, b):
    """The End Marker comes when the new path is used already."""
    old = dataclasses.replace(b)
    moves(b, enb="fd01::9" if ":" in b.enb else "10.1.0.9")
    time.sleep(0.01)
    old.end_marker()


def end_marker(_api, b):
    """The tunnel is proved again as it was."""
    b.end_marker()


def purge(api, b):
    assert api.delete(f"/session/{api.session_of(b.ue)['id']}").status == 200


happens = pytest.mark.parametrize("event", [x2_handover, end_marker, purge])


def upload_through(net, api, b, event):
    since = net.sgw.mark()
    with Upload(b) as upload:
        upload.wait_sent(100)
        event(api, b)
        upload.wait_sent(RATE)
    answered(b)
    assert not leaked(net, b, since)


@happens
def test_an_upload_does_not_leak(net, api, event):
    api.register()
    upload_through(net, api, diverted(net, "10.45.98.1"), event)


@happens
def test_an_upload_over_ipv6_does_not_leak(net, api, event):
    api.register("svc6", SERVICE_IP6, APP6)
    b = diverted(net, "2001:db8:98:1::1", enb=ENB6, sgw=SGW6)
    upload_through(net, api, b, event)


@happens
def test_an_upload_in_a_vlan_does_not_leak(net, api, event):
    api.register()
    upload_through(net, api, diverted(net, "10.45.98.2", vlan=98), event)


@happens
def test_an_upload_on_n3_does_not_leak(net, api, event):
    api.register()
    upload_through(net, api, diverted(net, "10.45.98.3", qfi=9), event)


def test_late_proof_does_not_leak(net, api):
    """More packets than can wait are lost, and counted."""
    lost = 'tof_hold_lost_total{reason="no_room"}'
    api.register()
    b = diverted(net, "10.45.98.4")
    before = api.metrics()[lost]
    net.delay = 0.3
    upload_through(net, api, b, end_marker)
    assert api.metrics()[lost] > before


@pytest.mark.parametrize("ue,kw", [
    ("10.45.98.6", {}), ("2001:db8:98:6::1", {"enb": ENB6, "sgw": SGW6})])
def test_an_upload_that_moves_to_a_new_bearer_does_not_leak(net, api, ue, kw):
    """More than can wait comes before it is known whose bearer that is."""
    register_for(api, ue)
    default = diverted(net, ue, **kw)
    dedicated = net.bearer(ue, **kw)
    dedicated.answered_by = default
    net.delay = 0.3
    since = net.sgw.mark()
    with Upload(default) as upload:
        upload.wait_sent(100)
        upload.b = dedicated
        upload.wait_sent(RATE)
    default.wait_downlink(is_text(asks(dedicated)))
    assert not leaked(net, default, since)


# --- What began at the SGW ---------------------------------------------------

def begins_at_the_sgw(net, api, b, *packets):
    """The TOF cannot prove the bearer in time, but later."""
    net.silent = True
    for packet in packets:
        switched(net, b.uplink(packet), timeout=GIVEN_UP + 2)
    net.silent = False
    api.wait_proved(b.ue, timeout=10)


def stays_at_the_sgw(net, api, b):
    """After a late proof: what comes by the same ports is switched, also when
    other connections take the short way."""
    begins_at_the_sgw(net, api, b, echo(b.ue, b"late", sport=7001))
    switched(net, b.uplink(echo(b.ue, b"stays", sport=7001)))
    for _ in range(3):
        answered(b, sport=7002)
        switched(net, b.uplink(echo(b.ue, b"still", sport=7001)))


def test_late_proof_tears_no_connection(net, api):
    api.register()
    stays_at_the_sgw(net, api, net.bearer("10.45.97.1"))


def test_late_proof_tears_no_connection_over_ipv6(net, api):
    api.register("svc6", SERVICE_IP6, APP6)
    b = net.bearer("2001:db8:97:1::1", enb=ENB6, sgw=SGW6)
    stays_at_the_sgw(net, api, b)


def test_late_proof_tears_no_connection_in_a_vlan(net, api):
    api.register()
    stays_at_the_sgw(net, api, net.bearer("10.45.97.2", vlan=98))


def test_late_proof_tears_no_connection_on_n3(net, api):
    api.register()
    stays_at_the_sgw(net, api, net.bearer("10.45.97.3", qfi=9))


def test_a_syn_begins_anew(net, api):
    api.register()
    b = net.bearer("10.45.97.4")
    first = syn(b.ue)
    begins_at_the_sgw(net, api, b, first)
    answered(b)
    sport = struct.unpack_from("!H", first, 20)[0]
    data = p.ip_tcp(b.ue, SERVICE_IP, sport, 80, "PA", seq=1001, ack=1,
                    payload=b"GET")
    switched(net, b.uplink(data))
    b.uplink(p.ip_tcp(b.ue, SERVICE_IP, sport, 80, "S", seq=9000))
    f = b.wait_downlink(is_syn_ack)
    assert f.inner.dport == sport


def test_what_has_begun_anew_is_not_torn_back(net, api):
    """A packet of it waits for a proof, soon after its first SYN was
    switched."""
    api.register()
    b = net.bearer("10.45.97.12")
    first = syn(b.ue)
    begins_at_the_sgw(net, api, b, first)
    answered(b)
    sport = struct.unpack_from("!H", first, 20)[0]
    b.uplink(p.ip_tcp(b.ue, SERVICE_IP, sport, 80, "S", seq=9000))
    b.wait_downlink(is_syn_ack)
    since = net.sgw.mark()
    b.end_marker()
    wait_stale(api, b.ue)
    b.uplink(p.ip_tcp(b.ue, SERVICE_IP, sport, 80, "A", seq=9001,
                      ack=1))
    answered(b)
    assert not leaked(net, b, since)


@pytest.mark.parametrize("event,ue", [(end_marker, "10.45.97.5"),
                                      (purge, "10.45.97.6")])
def test_it_stays_through_what_happens_to_the_bearer(net, api, event, ue):
    api.register()
    b = net.bearer(ue)
    begins_at_the_sgw(net, api, b, echo(b.ue, b"late", sport=7001))
    answered(b, sport=7002)
    event(api, b)
    switched(net, b.uplink(echo(b.ue, b"stays", sport=7001)))
    answered(b, sport=7002)
    switched(net, b.uplink(echo(b.ue, b"stays", sport=7001)))


def test_what_has_no_ports_is_a_connection_of_its_own(net, api):
    api.register()
    b = net.bearer("10.45.97.9")
    begins_at_the_sgw(net, api, b, p.ip_echo(b.ue, SERVICE_IP, seq=1))
    answered(b)
    switched(net, b.uplink(p.ip_echo(b.ue, SERVICE_IP, seq=2)))
    answered(b)


def test_what_waits_keeps_its_order(net, api):
    """More of one connection than can wait: with the first that is switched
    the others are, and those that come later do not overtake them."""
    api.register()
    net.silent = True
    b = net.bearer("10.45.97.8")
    texts = [b"%03d" % i for i in range(100)]
    for text in texts:
        b.uplink(echo(b.ue, text, sport=7001))
    wait_until(lambda: len(leaked(net, b, 0)) == 100, timeout=GIVEN_UP + 1,
               what="all of them at the SGW")
    assert [p.GtpFrame.parse(raw).inner.payload
            for raw in leaked(net, b, 0)] == texts


def test_it_stays_without_tofd_and_with_the_next(lab, net, api):
    api.register()
    b = net.bearer("10.45.97.7")
    begins_at_the_sgw(net, api, b, echo(b.ue, b"late", sport=7001))
    answered(b, sport=7002)
    answered(b, sport=7002)
    lab.tofd("kill")
    try:
        switched(net, b.uplink(echo(b.ue, b"stays", sport=7001)))
        answered(b, sport=7002)
    finally:
        lab.tofd("start")
    answered(b, sport=7002)
    switched(net, b.uplink(echo(b.ue, b"still", sport=7001)))


@pytest.mark.parametrize("ue,kw,size", [
    ("10.45.97.13", {}, 200),
    ("2001:db8:97:d::1", {"enb": ENB6, "sgw": SGW6}, 200),
    ("2001:db8:97:e::1", {"enb": ENB6, "sgw": SGW6}, 56)])
def test_what_comes_in_fragments_stays_too(lab, net, api, ue, kw, size):
    """The last ones have no ports in the first fragment, so that the filter
    cannot tell; and this tofd has switched none of it."""
    register_for(api, ue)
    b = net.bearer(ue, **kw)
    begins_at_the_sgw(net, api, b, echo(ue, b"late", sport=7001))
    lab.tofd("restart")
    answered(b, sport=7002)
    for ident in (0x345, 0x346):
        since = net.sgw.mark()
        whole = p.outer(b.enb, b.sgw, p.gtpu(b.up_teid, echo(
            ue, b"%d" % ident * 99, sport=7001)), ident=ident)
        for packet in p.fragments(whole, size, ident):
            net.enb.send(p.eth(b.sgw_mac, b.enb_mac, packet))
        wait_until(lambda: arrived(net, whole, since),
                   what="the packet at the SGW")
        answered(b, sport=7002)


def arrived(net, whole, since):
    """Whether the packet did at the SGW, in fragments or not."""
    packets = [raw[14:] for raw in net.sgw.since(since)
               if not ((f := p.GtpFrame.parse(raw)) and f.inner
                       and f.inner.is_echo_request)]
    return whole in packets or p.reassemble(packets) == whole


def test_one_tunnel_does_not_take_the_room_of_others(net, api):
    api.register()
    greedy = net.bearer("10.45.97.15")
    net.silent = True
    before = api.metrics()["tof_stay_full_total"]
    for sport in range(10000, 10600):
        greedy.uplink(echo(greedy.ue, b"port", sport=sport))
    wait_until(lambda: len(leaked(net, greedy, 0)) == 600,
               timeout=GIVEN_UP + 1, what="all of them at the SGW")
    assert api.metrics()["tof_stay_full_total"] == before + 600 - 512
    stays_at_the_sgw(net, api, net.bearer("10.45.97.16"))


def test_a_storm_of_syns_harms_nobody(lab, net, api):
    """The filter forgets the connection with each of them, and is told that it
    stays, until its set is busy."""
    api.register()
    b = net.bearer("10.45.97.17")
    net.silent = True
    first = syn(b.ue)
    switched(net, b.uplink(first), timeout=GIVEN_UP + 2)
    seen = len(lab.log())
    for _ in range(300):
        b.uplink(first)
        time.sleep(0.002)
    wait_until(lambda: len(leaked(net, b, 0)) == 301, what="all at the SGW")
    assert "not ready" not in lab.log()[seen:]


def test_room_for_as_many_tunnels_as_may_have_such_connections(
        lab, net, api, tmp_path):
    """16384 in 30 s, each for 300 s: a set that is full would refuse tofd's
    next change of anything."""
    script = tmp_path / "tunnels"
    script.write_text("".join(
        "add element netdev tof stay_tunnels { %s }\n" % ", ".join(
            f"::{i:x}:{j:x} . 0.0.{j >> 8}.{j & 255} timeout 60s"
            for j in range(16384)) for i in range(1, 12)))
    api.register()
    lab.run("lab-tof", "nft", "-f", str(script))
    try:
        before = api.metrics()["tof_filter_errors_total"]
        stays_at_the_sgw(net, api, net.bearer("10.45.97.14"))
        assert api.metrics()["tof_filter_errors_total"] == before
    finally:
        lab.run("lab-tof", "nft", "flush set netdev tof stay_tunnels")


@pytest.mark.parametrize("ue,kw", [
    ("10.45.97.10", {}), ("2001:db8:97:a::1", {"enb": ENB6, "sgw": SGW6}),
    ("10.45.97.11", {"vlan": 98})])
def test_it_stays_in_a_new_bearer_of_its_ue(net, api, ue, kw):
    """The network gives the UE a dedicated bearer, which takes over two of its
    connections, the second one when it is diverted already."""
    register_for(api, ue)
    default, dedicated = (net.bearer(ue, **kw) for _ in range(2))
    dedicated.answered_by = default
    begins_at_the_sgw(net, api, default, echo(ue, b"late", sport=7001),
                      echo(ue, b"late", sport=7003))
    answered(default, sport=7002)
    switched(net, dedicated.uplink(echo(ue, b"moves", sport=7001)))
    for _ in range(2):
        default.wait_downlink(is_text(asks(dedicated, sport=7002)))
    switched(net, dedicated.uplink(echo(ue, b"moves", sport=7003)))
    switched(net, dedicated.uplink(echo(ue, b"stays", sport=7001)))
    assert len(api.session_of(ue)["bearers"]) == 2


# --- Until it is given up ----------------------------------------------------

def test_switched_when_the_bearer_is_given_up(net, api):
    """Not before, and all of it then, though packets make room for each other
    all the time."""
    api.register()
    b = diverted(net, "10.45.98.5")
    net.silent = True
    since = net.sgw.mark()
    with Upload(b) as upload:
        began = time.monotonic()
        b.end_marker()
        wait_stale(api, b.ue)
        frames = wait_until(lambda: leaked(net, b, since),
                            timeout=GIVEN_UP + 2, what="switched packets")
        assert frames[0].time - began >= GIVEN_UP - 0.1
        wait_until(lambda: len(leaked(net, b, since)) > RATE / PATIENCE,
                   what="the stream at the SGW")
    assert upload.sent
