# SPDX-License-Identifier: GPL-3.0-or-later
"""Equal TEIDs and equal UE addresses, many of everything, and what is made up:
nothing ever goes into another's tunnel."""

import pytest

from tofnet import packet as p
from tofnet.emulator import ENB, SGW
from tofnet.lab import APP, APP6, app_sends
from tofnet.netns import RawPort
from tofnet.service import (
    OTHER, answered, asks, diverted, downlink, echo, is_text, service_of)
from tofnet.wait import wait_until

ENB2, ENB2_MAC = "10.1.0.9", "0e:0e:0b:00:00:09"
SGW2, SGW2_MAC = "10.1.0.22", "0e:05:09:00:00:22"
DROPPED = 'tof_down_dropped_total{reason="no_bearer"}'


# --- Many of everything ------------------------------------------------------

def test_many_enodebs_and_sgws_with_equal_teids(net, api):
    """A TEID means something only together with its receiver."""
    api.register()
    enbs = [(f"10.1.0.{100 + i}", f"0e:0e:0b:00:01:{i:02x}")
            for i in range(8)]
    sgws = [(f"10.1.0.{200 + i}", f"0e:05:09:00:01:{i:02x}")
            for i in range(4)]
    bearers = []
    for e, (enb, enb_mac) in enumerate(enbs):
        for s, (sgw, sgw_mac) in enumerate(sgws):
            bearers.append(net.bearer(
                f"10.45.7.{len(bearers) + 1}", up_teid=1 + e,
                down_teid=1 + s, enb=enb, enb_mac=enb_mac, sgw=sgw,
                sgw_mac=sgw_mac))
    texts = [asks(b) for b in bearers]
    for b, text in zip(bearers, texts):
        f = b.wait_downlink(is_text(text), what=f"the answer for {b.ue}")
        assert (f.ip.src, f.inner.dst) == (b.sgw, b.ue)
        assert (f.src_mac, f.dst_mac) == (b.sgw_mac, b.enb_mac)
    for b in bearers:
        assert answered(b).inner.dst == b.ue
    by_role = {}
    for peer in api.get("/peer").json:
        by_role.setdefault(peer["role"], set()).add(peer["address"])
    assert by_role == {"enb": {a for a, _ in enbs},
                       "sgw": {a for a, _ in sgws}}


def test_same_ue_address_behind_two_sgws(net, api):
    """At the same time, with the same service and the same ports."""
    api.register()
    one = net.bearer("10.45.6.1", up_teid=5, down_teid=6)
    two = net.bearer("10.45.6.1", up_teid=5, down_teid=6, sgw=SGW2,
                     sgw_mac=SGW2_MAC, enb=ENB2, enb_mac=ENB2_MAC)
    for _ in range(5):
        texts = [asks(one), asks(two)]
        for b, text in zip((one, two), texts):
            f = b.wait_downlink(is_text(text))
            assert (f.ip.src, f.inner.dport) == (b.sgw, 5000)
    for b, other in ((one, two), (two, one)):
        mine = {f.inner.payload for f in downlink(net.enb.frames, b.enb,
                                                  b.down_teid)}
        theirs = {f.inner.payload for f in downlink(
            net.enb.frames, other.enb, other.down_teid)}
        assert len(mine) == 5 and not mine & theirs
    assert len(api.sessions(ue="10.45.6.1")) == 2


def test_late_answer_is_not_for_another_ue_with_that_address(lab, net, api):
    """The App goes on when the flow's bearer is gone.  It knows a UE address
    only, which is still somebody's, behind another SGW."""
    api.register()
    two = net.bearer("10.45.6.1", sgw=SGW2, sgw_mac=SGW2_MAC, enb=ENB2,
                     enb_mac=ENB2_MAC)
    answered(two, sport=5001)
    theirs = api.session_of(two.ue)["id"]
    one = net.bearer("10.45.6.1")
    answered(one)
    gone = next(s for s in api.sessions(ue=one.ue) if s["id"] != theirs)
    assert api.delete(f"/session/{gone['id']}").status == 200
    mark = int(gone["bearers"][0]["id"], 16)
    wait_until(lambda: f"mark={mark} " not in lab.run(
        "tof-app", "conntrack", "-L").stdout, what="its flows to be nobody's")

    dropped = api.metrics()[DROPPED]
    app_sends(one.ue, b"late")
    wait_until(lambda: api.metrics()[DROPPED] > dropped,
               what="the App's packet to be dropped")
    answered(two, sport=5001)
    assert not any(is_text(b"late")(f) for f in downlink(
        net.enb.frames, two.enb, two.down_teid))

    answered(one, sport=5002)   # It is back, and so is what the App sends.
    app_sends(one.ue, b"in time")
    one.wait_downlink(is_text(b"in time"))


def test_dedicated_bearer_answered_by_the_default_one(net, api):
    """An SGW sends the Pinger's reply down the default bearer, as no filter
    says otherwise: both are proved by that, and stay so."""
    api.register()
    default, dedicated = (net.bearer("10.45.6.1") for _ in range(2))
    dedicated.answered_by = default
    answered(default, sport=6001)
    for _ in range(3):
        default.wait_downlink(is_text(asks(dedicated, sport=6002)))
        answered(default, sport=6001)
    bearers = api.session_of("10.45.6.1")["bearers"]
    assert [b["proved"] for b in bearers] == [True, True]
    assert {b["downlink"]["teid"] for b in bearers} == {default.down_teid}


def test_shared_downlink_outlives_one_of_its_bearers(net, api):
    """The guard of a tunnel that two bearers share stays for the other."""
    api.register()
    default, dedicated = (net.bearer("10.45.6.1") for _ in range(2))
    dedicated.answered_by = default
    answered(default, sport=6001)
    default.wait_downlink(is_text(asks(dedicated, sport=6002)))
    net.silent = True           # Nothing is proved anew.
    dedicated.error_indication(from_enb=False)
    wait_until(lambda: {b["uplink"]["teid"]: b["proved"] for b
                        in api.session_of("10.45.6.1")["bearers"]}
               == {default.up_teid: True, dedicated.up_teid: False},
               what="one of them to be stale")
    for _ in range(3):
        answered(default, sport=6001)


def test_several_pdns_of_a_ue(net, api):
    """One address and one pair of tunnels for each, through the same peers."""
    api.register()
    pdns = [net.bearer(ue) for ue in ("10.45.6.1", "10.46.6.1", "172.16.0.9")]
    for _ in range(3):
        for b in pdns:
            assert answered(b).inner.dst == b.ue
    assert sorted(s["ue"] for s in api.sessions()) == sorted(
        b.ue for b in pdns)


# --- What earns nothing ------------------------------------------------------

def test_spoofed_source_earns_nothing(net, api):
    """Neither the tunnel's own bearer nor the victim's is harmed."""
    api.register()
    victim = diverted(net, "10.45.6.1")
    b = diverted(net, "10.45.6.2")
    before = sorted(str(s["bearers"]) for s in api.sessions())
    mark = net.enb.mark()
    for _ in range(20):
        net.sgw.wait(b.uplink(echo(victim.ue, b"spoofed")))
    answered(b)
    answered(victim)
    assert not [f for f in net.enb.since(mark) if (g := p.GtpFrame.parse(f))
                and g.inner.payload == b"spoofed"]
    assert sorted(str(s["bearers"]) for s in api.sessions()) == before


def test_gtp_inside_gtp_teaches_nothing(net, api):
    api.register()
    b = net.bearer("10.45.6.1")
    nested = p.outer(ENB, SGW, p.gtpu(0x99, echo("10.45.6.2", b"nested")))
    inside = p.ip_udp(b.ue, OTHER, p.gtpu(0x98, echo(
        "10.45.6.3", b"nested")), 2152, 2152)
    for inner in (nested, inside):
        net.sgw.wait(b.uplink(inner), timeout=4)
        net.enb.wait(b.downlink(inner), timeout=4)
    answered(b)
    assert [s["ue"] for s in api.sessions()] == [b.ue]
    assert len(api.session_of(b.ue)["bearers"]) == 1


@pytest.mark.parametrize("ue", ["10.45.6.1", "2001:db8:6:1::1"])
def test_a_service_on_the_port_of_gtp_has_its_first_packet(net, api, ue):
    """What is in it, GTP-U or not, is the service's."""
    api.register(service=service_of(ue), app=APP6 if ":" in ue else APP)
    b = net.bearer(ue)
    with RawPort("lab-app", "app0") as app:
        for text in (b"plain", p.gtpu(0x98, echo("10.45.6.3", b"nested"))):
            b.uplink(p.ip_udp(ue, service_of(ue), text, 2152, 2152))
            app.wait(lambda f: text in f)       # pylint: disable=W0640
            assert not [f for f in net.sgw.frames if text in f]
    answered(b)
    assert len(api.sessions()) == 1


@pytest.mark.parametrize("kind", [0, 1, 2, 26, 31, 254, 255])
def test_other_messages_and_teid_0_teach_nothing(net, api, kind):
    """254, 26, 1, 2, 31; and a G-PDU to TEID 0."""
    api.register()
    b = net.bearer("10.45.6.1", up_teid=0 if kind == 255 else None)
    for text in (echo(b.ue, b"x"), p.ip_udp(b.ue, OTHER, b"x")):
        net.sgw.wait(b.uplink(text, kind=kind), timeout=4)
        net.enb.wait(b.downlink(text, kind=kind), timeout=4)
    good = diverted(net, "10.45.6.2")
    assert [s["ue"] for s in api.sessions()] == [good.ue]
