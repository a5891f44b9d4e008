# SPDX-License-Identifier: GPL-3.0-or-later
"""Other sources in a UE's tunnel: a phone's address in another network, hosts
behind a UE, another UE that has been given the TEID, packets to a UE that an
eNodeB sends back, and whoever changes his address with each packet."""

import time

import pytest

from tofnet import lab as labs
from tofnet import packet as p
from tofnet.lab import app_sends
from tofnet.service import (
    OTHER, answered, asks, diverted, echo, establish, is_text, service_of,
    switched)
from tofnet.wait import wait_until

OTHER6 = "2001:db8:77::77"
EVIDENCE = 1


@pytest.fixture(name="forgetful", scope="module")
def _forgetful(lab):
    """A UE that has been silent for a second has to be proved again."""
    with lab.configured(("evidence_seconds: 10",
                         f"evidence_seconds: {EVIDENCE}")):
        yield lab


def be_silent():
    time.sleep(2 * EVIDENCE)    # The one thing that is waited for is time.


def register(api):
    api.register()
    api.register("svc6", labs.SERVICE_IP6, labs.APP6)


def is_pushed(b, text):
    """What the App sends to a UE of its own accord reaches it."""
    app_sends(b.ue, text, app=labs.APP6 if ":" in b.ue else labs.APP)
    b.wait_downlink(is_text(text))


def other_of(ue):
    return OTHER6 if ":" in ue else OTHER


strays = pytest.mark.parametrize("ue,stray", [
    ("10.45.8.1", "192.168.1.23"), ("10.45.8.1", "224.0.0.251"),
    ("2001:db8:8:1::1", "2001:db8:ffff::1"), ("2001:db8:8:1::1", "fe80::1"),
    ("2001:db8:8:1::1", "ff02::fb")])


@strays
@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("service", [False, True], ids=["elsewhere", "service"])
def test_a_stray_packet_ends_no_session(net, api, ue, stray, service):
    """As phones send it when they change networks: with the address that they
    had in the other one."""
    register(api)
    b = diverted(net, ue)
    session = api.session_of(ue)["id"]
    be_silent()
    switched(net, b.uplink(p.ip_udp(
        stray, service_of(ue) if service else other_of(ue), b"stray")))
    for i in range(3):
        is_pushed(b, b"push %d" % i)
    assert [s["id"] for s in api.sessions()] == [session]
    answered(b)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("ue,network,host", [
    ("10.45.8.1", "192.168.7.0/24", "192.168.7.9"),
    ("2001:db8:8:1::1", "2001:db8:70::/56", "2001:db8:70:5::9")],
    ids=["framed route", "delegated prefix"])
def test_hosts_behind_a_ue(net, api, ue, network, host):
    """The gateway takes their packets for the UE's: they are left alone, and
    the UE is served all the time."""
    register(api)
    b = diverted(net, ue, routes=(network,))
    for i in range(3):
        be_silent()
        switched(net, b.uplink(p.ip_udp(host, other_of(ue), b"%d" % i)))
        switched(net, b.uplink(echo(host, b"host %d" % i)))
        answered(b)
        is_pushed(b, b"push %d" % i)
    assert len(api.sessions()) == 1


@pytest.mark.usefixtures("forgetful")
def test_a_teid_is_given_to_another_ue(net, api):
    """The UE that had it is not answered any more: the other one's first packet
    has waited for that, and is answered."""
    api.register()
    old = diverted(net, "10.45.8.1")
    be_silent()
    net.forget(old)
    new = net.bearer("10.45.8.2", up_teid=old.up_teid)
    new.wait_downlink(is_text(asks(new)))
    assert [s["ue"] for s in api.sessions()] == [new.ue]


@pytest.mark.parametrize("source", [OTHER, labs.SERVICE_IP])
def test_what_an_enodeb_sends_back_teaches_nothing(net, api, source):
    """Indirect forwarding at a handover: packets to the UE, in a tunnel towards
    the SGW."""
    api.register()
    b = establish(net)
    back = net.bearer(source)
    for i in range(3):
        switched(net, back.uplink(p.ip_udp(source, b.ue, b"%d" % i)))
    establish(net, "10.45.8.9")         # What came before has been read.
    assert sorted(s["ue"] for s in api.sessions()) == sorted(
        [b.ue, "10.45.8.9"])
    assert source not in [f.inner.src for _, _, f in net.pings]


def test_what_a_gnb_sends_back_teaches_nothing(net, api):
    """In 5G the container says so, whether the UE is known or not."""
    api.register()
    back = net.bearer(OTHER)
    switched(net, back.uplink(p.ip_udp(OTHER, "10.45.8.1", b"x"),
                              exts=[p.pdu_session(9, False)]))
    establish(net, "10.45.8.9")
    assert [s["ue"] for s in api.sessions()] == ["10.45.8.9"]
    assert OTHER not in [f.inner.src for _, _, f in net.pings]


@pytest.mark.parametrize("answers", [False, True],
                         ids=["not answered", "answered"])
def test_who_changes_his_address_harms_nobody(net, api, answers):
    """What one tunnel makes tofd learn, ping and write is bounded."""
    api.register()
    b = net.bearer("10.99.0.1", routes=("10.99.0.0/16",) if answers else ())
    before, start = api.metrics(), time.monotonic()
    for i in range(1000):
        frame = b.uplink(echo(f"10.99.{1 + i // 250}.{1 + i % 250}", b"flip"))
    switched(net, frame, timeout=5)
    establish(net, "10.45.8.9")
    took = time.monotonic() - start
    after = api.metrics()

    def grown(name):
        return after[name] - before[name]
    assert grown("tof_bearers_learned_total") <= 10 + took
    assert grown("tof_pinger_requests_total") <= 5 * (10 + took)


@pytest.mark.usefixtures("forgetful")
def test_a_ue_that_has_sent_so_is_served_in_its_own_name(net, api):
    """Its first packet of all was a stray one."""
    api.register()
    b = net.bearer("10.45.8.1")
    switched(net, b.uplink(p.ip_udp("192.168.1.23", OTHER, b"stray")))
    wait_until(lambda: api.session_of("192.168.1.23"), what="its session")
    answered(b)
    assert [s["ue"] for s in api.sessions()] == [b.ue]
