# SPDX-License-Identifier: GPL-3.0-or-later
"""Mobility: handovers, tunnels that end, identifiers that are reused, UEs that
fall silent, many of everything.  What a UE sends to a service is answered in
its own tunnel, or goes to the SGW; nothing ever goes into another's."""

import itertools
import os
import random
import signal
import threading
import time

import pytest

from tofnet import packet as p
from tofnet.emulator import ENB, SGW
from tofnet.lab import SERVICE_IP, app_sends
from tofnet.wait import wait_until

OTHER = "203.0.113.77"          # An address that no service has.
ENB2, ENB2_MAC = "10.1.0.9", "0e:0e:0b:00:00:09"
SGW2, SGW2_MAC = "10.1.0.22", "0e:05:09:00:00:22"

EVIDENCE = 1                    # Of the tofd of TestQuick, seconds.
IDLE = 4

_texts = itertools.count()


def echo(ue, text, sport=5000):
    return p.ip_udp(ue, SERVICE_IP, text, sport, 7)


def is_text(text):
    return lambda f: f.inner.payload == text


def asks(b, sport=5000):
    """Sends a packet to the echo service; gives its text."""
    text = b"%s %d" % (b.ue.encode(), next(_texts))
    b.uplink(echo(b.ue, text, sport))
    return text


def answered(b, sport=5000, **kw):
    """Asks, and gives the answer."""
    return b.wait_downlink(is_text(asks(b, sport)), **kw)


def establish(net, ue="10.45.6.1", **kw):
    """A bearer that has been diverted."""
    b = net.bearer(ue, **kw)
    answered(b)
    answered(b)
    return b


def downlink(frames, enb, teid):
    """G-PDUs among 'frames' in that downlink tunnel."""
    return [f for raw in frames if (f := p.GtpFrame.parse(raw))
            and f.kind == p.GPDU and (f.ip.dst, f.teid) == (enb, teid)]


def is_proved(api, ue):
    s = api.session_of(ue)
    return s and all(b["proved"] for b in s["bearers"])


def wait_stale(api, ue):
    wait_until(lambda: not is_proved(api, ue), what=f"{ue} to be stale")


def app_sends_until_held(api, b, text):
    """Answers that meet Open vSwitch's cache as it was before the tunnel ended
    are dropped, for some 100 ms."""
    before = api.metrics()["tof_hold_packets"]

    def held():
        app_sends(b.ue, text)
        return api.metrics()["tof_hold_packets"] > before

    wait_until(held, what="the App's packet to be held", interval=0.05)


def moves(b, enb=ENB2, enb_mac=ENB2_MAC, down_teid=None):
    """An X2 handover: gives address and TEID of the old downlink tunnel."""
    old = b.enb, b.down_teid
    b.enb, b.enb_mac = enb, enb_mac
    b.down_teid = down_teid or b.down_teid + 0x100
    return old


# --- Handover ----------------------------------------------------------------

def test_x2_handover(net, api):
    """Same uplink F-TEID, new sender, new downlink TEID."""
    api.register()
    b = establish(net)
    old = moves(b)
    mark = net.enb.mark()
    for _ in range(3):
        f = answered(b)
        assert f.ip.dst == ENB2 and f.dst_mac == ENB2_MAC
    assert not downlink(net.enb.since(mark), *old)
    bearer, = api.session_of(b.ue)["bearers"]
    assert bearer["uplink"]["enb"] == ENB2
    assert (bearer["downlink"]["enb"], bearer["downlink"]["teid"]) \
        == (ENB2, b.down_teid)


def test_x2_handover_before_the_path_switch(net, api):
    """For a moment the SGW answers the Pinger by the old eNodeB: that proves
    nothing, and what waits goes down the new path only."""
    api.register()
    b = establish(net)
    before = net.bearer(b.ue, b.up_teid, b.down_teid)
    old = moves(b)
    b.answered_by = before
    mark, pings = net.enb.mark(), len(net.pings)
    text = asks(b)
    wait_until(lambda: len(net.pings) >= pings + 2, what="pings")
    assert not [f for f in net.enb.since(mark) if p.GtpFrame.parse(f)]
    b.answered_by = None        # The SGW has switched.
    f = b.wait_downlink(is_text(text))
    assert f.ip.dst == ENB2
    assert not downlink(net.enb.since(mark), *old)


def test_x2_handover_with_answers_under_way(net, api):
    """What the App sends between handover and proof waits, too."""
    api.register()
    b = establish(net)
    old = moves(b)
    b.silent = True
    mark = net.enb.mark()
    text = asks(b)
    wait_stale(api, b.ue)
    app_sends_until_held(api, b, b"from the app")
    b.silent = False
    b.wait_downlink(is_text(text))
    b.wait_downlink(is_text(b"from the app"))
    assert not downlink(net.enb.since(mark), *old)


def test_s1_handover(net, api):
    """Another SGW: new uplink F-TEID, and the UE keeps its address."""
    api.register()
    old = establish(net)
    b = net.bearer(old.ue, sgw=SGW2, sgw_mac=SGW2_MAC, enb=ENB2,
                   enb_mac=ENB2_MAC)
    frame = old.end_marker()
    net.enb.wait(frame)
    net.forget(old)
    mark = net.enb.mark()
    for _ in range(3):
        f = answered(b, sport=5001)
        assert (f.ip.src, f.ip.dst) == (SGW2, ENB2)
        assert f.src_mac == SGW2_MAC
    assert not downlink(net.enb.since(mark), ENB, old.down_teid)
    sessions = {s["bearers"][0]["uplink"]["sgw"]: s
                for s in api.sessions(ue=b.ue)}
    assert sessions[SGW]["state"] == "stale"
    assert sessions[SGW2]["state"] == "established"


# --- Tunnels that end --------------------------------------------------------

@pytest.mark.parametrize("exts", [(), [p.pdu_session(5, False)]],
                         ids=["plain", "pdu-session-container"])
def test_end_marker(net, api, exts):
    """Repeated, as SGWs do: nothing goes down until it is proved again, and
    what waits in vain is switched."""
    api.register()
    b = establish(net)
    b.silent = True
    for _ in range(3):
        frame = b.end_marker(exts)
    wait_until(lambda: net.enb.frames.count(frame) == 3,
               what="the End Markers")
    wait_stale(api, b.ue)
    mark = net.enb.mark()
    held = b.uplink(echo(b.ue, b"x"))
    app_sends(b.ue, b"y")
    net.sgw.wait(held, timeout=4)
    assert not downlink(net.enb.since(mark), b.enb, b.down_teid)


def test_end_marker_of_an_unknown_tunnel(net, api):
    """Switched untouched, and it ends nothing."""
    api.register()
    b = establish(net)
    other = net.bearer("10.45.6.9")
    net.enb.wait(other.end_marker())
    same_teid = net.bearer("10.45.6.9", down_teid=b.down_teid, enb=ENB2)
    net.enb.wait(same_teid.end_marker())
    answered(b)
    assert is_proved(api, b.ue)


def test_own_error_indications_are_consumed(net, api):
    """Only the TOF has sent into that tunnel: the SGW hears of none."""
    api.register()
    b = establish(net)
    mark = net.sgw.mark()
    for _ in range(3):
        b.error_indication()
    wait_stale(api, b.ue)
    b.down_teid += 0x100        # Proved anew, and answered there.
    answered(b)
    assert not [f for f in net.sgw.since(mark) if (g := p.GtpFrame.parse(f))
                and g.kind == p.ERROR_INDICATION]


def test_error_indications_drawn_by_the_sgw_pass(net, api):
    """The SGW has sent there too, so it is its business."""
    api.register()
    b = establish(net)
    net.enb.wait(b.downlink(p.ip_udp(OTHER, b.ue, b"natural")))
    net.sgw.wait(b.error_indication())
    wait_stale(api, b.ue)


def test_error_indications_pass_however_late_the_agent_is(lab, net, api):
    """It reads what is held before what is copied: the Error Indication
    before the packet that has drawn it."""
    api.register()
    b = establish(net)
    pid = lab.pid()
    os.kill(pid, signal.SIGSTOP)    # For much less than the lease.
    try:
        net.enb.wait(b.downlink(p.ip_udp(OTHER, b.ue, b"natural")))
        frame = b.error_indication()
    finally:
        os.kill(pid, signal.SIGCONT)
    net.sgw.wait(frame)
    wait_stale(api, b.ue)


def test_error_indications_of_unknown_tunnels_pass(net, api):
    api.register()
    b = establish(net)
    other = net.bearer("10.45.6.9")
    net.sgw.wait(other.error_indication(from_enb=True))
    net.enb.wait(other.error_indication(from_enb=False))
    # Somebody's with the same TEID elsewhere.
    other = net.bearer("10.45.6.9", b.up_teid, b.down_teid, enb=ENB2,
                       enb_mac=ENB2_MAC, sgw=SGW2, sgw_mac=SGW2_MAC)
    net.sgw.wait(other.error_indication(from_enb=True))
    net.enb.wait(other.error_indication(from_enb=False))
    assert is_proved(api, b.ue)


def test_error_indication_from_an_sgw_to_the_pinger_is_consumed(net, api):
    """Nothing but the Pinger's request has come up there."""
    api.register()
    b = net.bearer("10.45.6.1", silent=True)
    frame = b.uplink(echo(b.ue, b"x"))
    wait_until(lambda: net.pings, what="a ping")
    mark, pings = net.enb.mark(), len(net.pings)
    b.error_indication(from_enb=False)
    net.sgw.wait(frame, timeout=4)      # In the end it is the UE's own.
    assert len(net.pings) <= pings + 1, "no use in asking on"
    assert not net.enb.since(mark)
    net.enb.wait(b.error_indication(from_enb=False))


def test_error_indication_from_an_sgw_to_the_ue_passes(net, api):
    b = net.bearer("10.45.6.1")
    b.uplink(p.ip_udp(b.ue, OTHER, b"x"))
    api.wait_proved(b.ue)
    net.enb.wait(b.error_indication(from_enb=False))
    wait_stale(api, b.ue)


# --- Paging ------------------------------------------------------------------

@pytest.mark.parametrize("enb", [ENB, ENB2], ids=["same-enb", "other-enb"])
def test_idle_ue_is_paged_by_the_pinger(net, api, enb):
    """S1 release; then the SGW answers only when the UE has been paged, in
    another tunnel: what the App has sent meanwhile arrives there, once, and
    the UE sees none of the Pinger's replies."""
    api.register()
    b = establish(net)
    old, waiting = (b.enb, b.down_teid), []

    def paged():
        moves(b, enb, ENB2_MAC if enb == ENB2 else b.enb_mac)
        b.page = None
        for reply in waiting:
            b.downlink(reply)

    def page(reply):
        waiting.append(reply)
        if len(waiting) == 1:
            threading.Timer(0.9, paged).start()

    b.page = page
    b.end_marker()              # So that we need not wait for the silence.
    wait_stale(api, b.ue)
    mark = net.enb.mark()
    app_sends_until_held(api, b, b"wake up")
    assert b.wait_downlink(is_text(b"wake up")).ip.dst == enb
    assert len(waiting) > 1
    answered(b)
    assert not [f for raw in net.enb.since(mark)
                if (f := p.GtpFrame.parse(raw)) and f.inner.is_echo_reply]
    assert not downlink(net.enb.since(mark), *old)


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

    dropped = api.metrics()["tof_down_dropped_total"]
    app_sends(one.ue, b"late")
    wait_until(lambda: api.metrics()["tof_down_dropped_total"] > dropped,
               what="the App's packet to be dropped")
    answered(two, sport=5001)
    assert not any(is_text(b"late")(f) for f in downlink(
        net.enb.frames, two.enb, two.down_teid))

    answered(one, sport=5002)   # It is back, and so is what the App sends.
    app_sends(one.ue, b"in time")
    one.wait_downlink(is_text(b"in time"))


def test_default_and_dedicated_bearer(net, api):
    """Answers return on the bearer that the flow came from."""
    api.register()
    default, dedicated = (net.bearer("10.45.6.1") for _ in range(2))
    for _ in range(3):
        answered(default, sport=6001)
        answered(dedicated, sport=6002)
    assert len(api.session_of("10.45.6.1")["bearers"]) == 2


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
    victim = establish(net, "10.45.6.1")
    b = establish(net, "10.45.6.2")
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
    inside = p.ip_udp(b.ue, SERVICE_IP, p.gtpu(0x98, echo(
        "10.45.6.3", b"nested")), 2152, 2152)
    for inner in (nested, inside):
        net.sgw.wait(b.uplink(inner), timeout=4)
        net.enb.wait(b.downlink(inner), timeout=4)
    answered(b)
    assert [s["ue"] for s in api.sessions()] == [b.ue]
    assert len(api.session_of(b.ue)["bearers"]) == 1


@pytest.mark.parametrize("kind", [0, 1, 2, 26, 31, 254, 255])
def test_other_messages_and_teid_0_teach_nothing(net, api, kind):
    """254, 26, 1, 2, 31; and a G-PDU to TEID 0."""
    api.register()
    b = net.bearer("10.45.6.1", up_teid=0 if kind == 255 else None)
    for text in (echo(b.ue, b"x"), p.ip_udp(b.ue, OTHER, b"x")):
        net.sgw.wait(b.uplink(text, kind=kind), timeout=4)
        net.enb.wait(b.downlink(text, kind=kind), timeout=4)
    good = establish(net, "10.45.6.2")
    assert [s["ue"] for s in api.sessions()] == [good.ue]


# --- Waiting -----------------------------------------------------------------

def payloads(frames, ue):
    return [f.inner.payload for raw in frames
            if (f := p.GtpFrame.parse(raw)) and f.inner.src == ue]


def test_waiting_packets_of_a_bearer_are_bounded_and_in_order(net, api):
    """64 wait; the oldest make room, and nobody overtakes."""
    api.register()
    net.silent = True
    b = net.bearer("10.45.6.1")
    texts = [b"%03d" % i for i in range(100)]
    for text in texts:
        b.uplink(echo(b.ue, text))
    wait_until(lambda: len(payloads(net.sgw.frames, b.ue)) >= 36
               and api.metrics()["tof_hold_packets"] == 64,
               what="36 that overflow, 64 that wait")
    assert [t for t in payloads(net.sgw.frames, b.ue) if t in texts] \
        == texts[:36]
    net.silent = False
    for text in texts[36:]:
        b.wait_downlink(is_text(text))
    got = [f.inner.payload for f in downlink(net.enb.frames, b.enb,
                                             b.down_teid)]
    assert got == texts[36:]


def test_waiting_packets_are_bounded_in_total_and_in_time(net, api):
    """4096 wait; all of them are switched in the end, each UE's in order."""
    api.register()
    net.silent = True
    bearers = [net.bearer(f"10.45.8.{i + 1}") for i in range(110)]
    texts = [b"%03d" % i for i in range(40)]
    for text in texts:
        for b in bearers:
            b.uplink(echo(b.ue, text))
    most = max(wait_until(lambda: [api.metrics()["tof_hold_packets"]]))
    assert most <= 4096

    def all_there():
        seen = {}
        for raw in net.sgw.frames:
            f = p.GtpFrame.parse(raw)
            if f and f.inner.proto == p.UDP:
                seen.setdefault(f.inner.src, []).append(f.inner.payload)
        return seen if sum(map(len, seen.values())) == 40 * 110 else None

    seen = wait_until(all_there, timeout=8, what="every packet at the SGW",
                      interval=0.3)
    for b in bearers:
        assert seen[b.ue] == texts
    assert not net.enb.frames


def test_deleted_session_is_learned_again(net, api):
    """DELETE /session/{id}: nothing goes down its tunnel any more."""
    api.register()
    b = establish(net)
    net.silent = True
    assert api.delete(f"/session/{api.session_of(b.ue)['id']}").status == 200
    assert api.session_of(b.ue) is None
    mark = net.enb.mark()
    text = asks(b)
    app_sends(b.ue, b"too late")
    wait_until(lambda: len(net.pings) >= 2, what="pings")
    assert not downlink(net.enb.since(mark), b.enb, b.down_teid)
    net.silent = False
    b.wait_downlink(is_text(text))


def test_deleted_session_is_learned_again_without_a_service(net, api):
    """By the very next packet, whatever its destination."""
    b = net.bearer("10.45.6.1")
    for _ in range(2):
        b.uplink(p.ip_udp(b.ue, OTHER, b"x"))
        api.wait_proved(b.ue)
        assert api.delete("/session/" + api.session_of(b.ue)["id"]).status \
            == 200


# --- Time --------------------------------------------------------------------

@pytest.fixture(scope="class")
def quick(lab):
    """A tofd with short times and a small table."""
    with lab.configured(
            ("idle_seconds: 300", f"idle_seconds: {IDLE}"),
            ("evidence_seconds: 10", f"evidence_seconds: {EVIDENCE}"),
            ("max: 1000000", "max: 100")):
        yield lab


def silent_for_long_enough(net, b):
    """Until nothing goes down the tunnel of 'b' without a new proof."""
    def held():
        mark, pings = net.enb.mark(), len(net.pings)
        app_sends(b.ue, b"anybody?")
        wait_until(lambda: len(net.pings) > pings
                   or downlink(net.enb.since(mark), b.enb, b.down_teid),
                   what="a ping or the packet")
        return len(net.pings) > pings

    time.sleep(EVIDENCE)        # The one thing that is waited for is time.
    wait_until(held, timeout=5 * EVIDENCE, interval=EVIDENCE,
               what="the evidence to end")


@pytest.mark.usefixtures("quick")
class TestQuick:
    def test_app_is_held_after_silence(self, net, api):
        """The next packet down waits for a new proof."""
        api.register()
        b = establish(net)
        net.silent = True
        silent_for_long_enough(net, b)
        mark = net.enb.mark()
        app_sends(b.ue, b"late")
        pings = len(net.pings)
        wait_until(lambda: len(net.pings) > pings, what="a ping")
        assert not downlink(net.enb.since(mark), b.enb, b.down_teid)
        net.silent = False
        b.wait_downlink(is_text(b"late"))

    def test_ue_is_held_after_silence(self, net, api):
        """The next packet up waits for a new proof; what is proved then may
        be another tunnel."""
        api.register()
        b = establish(net)
        net.silent = True
        silent_for_long_enough(net, b)
        old = b.enb, b.down_teid
        b.down_teid += 0x100
        mark, pings = net.enb.mark(), len(net.pings)
        text = asks(b)
        wait_until(lambda: len(net.pings) > pings, what="a ping")
        net.silent = False
        b.wait_downlink(is_text(text))
        assert not downlink(net.enb.since(mark), *old)

    def test_uplink_teid_reused(self, net, api):
        """Another UE address: spoofed as long as the first UE may be there,
        then a new bearer, and nothing for the old one goes down."""
        api.register()
        old = establish(net, "10.45.6.1")
        b = net.bearer("10.45.6.2", up_teid=old.up_teid)
        net.forget(old)
        net.sgw.wait(b.uplink(echo(b.ue, b"too early")))
        mark = net.enb.mark()

        def is_learned():
            answered(b, timeout=0.5)
            return True

        wait_until(is_learned, timeout=5 * EVIDENCE)
        app_sends(old.ue, b"for the old one")
        answered(b)
        assert api.session_of(old.ue) is None
        assert not downlink(net.enb.since(mark), old.enb, old.down_teid)
        assert not [f for f in downlink(net.enb.since(mark), b.enb,
                                        b.down_teid)
                    if f.inner.dst != b.ue]

    def test_downlink_teid_seen_with_another_ue(self, net, api):
        """Natural downlink traffic for somebody else ends the proof."""
        api.register()
        old = establish(net, "10.45.6.1")
        old.silent = True
        b = net.bearer("10.45.6.2", down_teid=old.down_teid)
        net.enb.wait(b.downlink(p.ip_udp(OTHER, b.ue, b"natural")))
        wait_stale(api, old.ue)
        mark = net.enb.mark()
        app_sends(old.ue, b"not for you")
        old.uplink(echo(old.ue, b"x"))
        answered(b)
        assert all(f.inner.dst == b.ue for f in downlink(
            net.enb.since(mark), b.enb, b.down_teid))

    def test_downlink_teid_seen_from_another_sgw(self, net, api):
        """The same for another UE that has the same address."""
        def is_stale():
            return [not b["proved"] for s in api.sessions(ue=old.ue)
                    for b in s["bearers"]
                    if b["uplink"]["sgw"] == old.sgw] == [True]

        api.register()
        old = establish(net, "10.45.6.1")
        b = net.bearer(old.ue, down_teid=old.down_teid, sgw=SGW2,
                       sgw_mac=SGW2_MAC)
        old.silent = b.silent = True
        b.uplink(p.ip_udp(b.ue, OTHER, b"x"))
        wait_until(lambda: len(api.sessions(ue=old.ue)) == 2,
                   what="the other UE's session")
        assert not is_stale()
        net.enb.wait(b.downlink(p.ip_udp(OTHER, b.ue, b"natural")))
        wait_until(is_stale, timeout=0.5, interval=0.02,
                   what="the first UE's bearer to be stale")
        mark = net.enb.mark()
        app_sends(old.ue, b"not for you")
        b.silent = False
        answered(b, sport=5001)
        assert not [f for f in downlink(net.enb.since(mark), b.enb,
                                        b.down_teid)
                    if f.inner.payload == b"not for you"]

    def test_downlink_teid_proved_for_another_ue(self, net, api):
        api.register()
        old = establish(net, "10.45.6.1")
        old.silent = True
        b = net.bearer("10.45.6.2", down_teid=old.down_teid)
        mark = net.enb.mark()
        answered(b)
        wait_stale(api, old.ue)
        app_sends(old.ue, b"not for you")
        old.uplink(echo(old.ue, b"x"))
        answered(b)
        assert all(f.inner.dst == b.ue for f in downlink(
            net.enb.since(mark), b.enb, b.down_teid))

    def test_downlink_stream_never_stalls(self, net, api):
        """The UE says nothing for several times the evidence time, and each
        packet arrives without having waited for a proof."""
        api.register()
        b = establish(net)
        self.stream(net, b, lambda text: app_sends(b.ue, text))
        assert len(net.pings) >= 4, "proved again in the background"

    def test_uplink_stream_never_stalls(self, net, api):
        """The App says nothing (no conntrack entry would matter): here, it
        echoes, and that is how we see that each packet has arrived."""
        api.register()
        b = establish(net)
        self.stream(net, b, lambda text: b.uplink(echo(b.ue, text)))

    def stream(self, net, b, send):
        net.delay = 0.25        # A packet that waits is late.
        slow, end, n = 0, time.monotonic() + 4 * EVIDENCE, 0
        while time.monotonic() < end:
            text = b"stream %d" % n
            start = time.monotonic()
            mark = net.enb.mark()
            send(text)
            b.wait_downlink(is_text(text), since=mark)
            slow += time.monotonic() - start > 0.25
            n += 1
            time.sleep(0.02)
        assert slow <= n // 20, f"{slow} of {n} have waited"

    def test_idle_session_is_purged(self, net, api):
        """The Pinger's traffic keeps none alive."""
        api.register()
        b = establish(net)
        other = establish(net, "10.45.6.2")
        purged = time.monotonic() + 3 * IDLE

        def gone():
            answered(other)
            return api.session_of(b.ue) is None

        wait_until(gone, timeout=purged - time.monotonic(), interval=0.2,
                   what="the session to be purged")
        assert api.session_of(other.ue)
        answered(b)

    def test_random_teids_fill_nothing(self, net, api):
        """A quarter of the table, the oldest go first; who is real gets in
        and stays in."""
        api.register()
        real = [establish(net, f"10.45.6.{i}") for i in range(1, 6)]
        net.silent = True
        rng = random.Random(1)
        for i in range(400):
            b = net.bearer("10.46.%d.%d" % divmod(i, 250),
                           rng.randrange(1, 1 << 32))
            b.uplink(p.ip_udp(b.ue, OTHER, b"x"))
            if i % 100 == 99:
                for r in real:
                    answered(r)
        wait_until(lambda: api.metrics()[
            "tof_bearers_evicted_total"] >= 300, what="evictions")
        assert len(api.sessions()) <= 25 + len(real)
        net.silent = False
        for r in real:
            answered(r)
        establish(net, "10.45.6.77")


# --- Pairing by observation --------------------------------------------------

@pytest.fixture(scope="class")
def observing(lab):
    """A tofd that has nothing to ping."""
    with lab.configured((r"targets: \[[^]]*\]", "targets: []"),
                        ("pairing: proved", "pairing: observed")):
        yield lab


@pytest.mark.usefixtures("observing")
class TestObserved:
    def seen(self, api, b):
        def proved():
            b.uplink(p.ip_udp(b.ue, OTHER, b"x"))
            b.downlink(p.ip_udp(OTHER, b.ue, b"y"))
            return is_proved(api, b.ue)
        wait_until(proved, what="the pair to be seen", interval=0.1)

    def test_natural_downlink_proves(self, net, api):
        api.register()
        b = net.bearer("10.45.6.1")
        net.sgw.wait(b.uplink(echo(b.ue, b"nothing is known yet")))
        self.seen(api, b)
        for _ in range(3):
            answered(b)
        assert not net.pings

    def test_downlink_seen_before_uplink(self, net, api):
        """Copies of both sides may overtake each other."""
        b = net.bearer("10.45.6.1")
        net.enb.wait(b.downlink(p.ip_udp(OTHER, b.ue, b"early")))
        b.uplink(p.ip_udp(b.ue, OTHER, b"x"))
        wait_until(lambda: api.session_of(b.ue), what="the session")
        b.downlink(p.ip_udp(OTHER, b.ue, b"again"))
        api.wait_proved(b.ue)

    def test_not_where_addresses_overlap(self, net, api):
        """Two UEs have the address: a packet for it proves nothing."""
        api.register()
        one = net.bearer("10.45.6.1")
        two = net.bearer("10.45.6.1", sgw=SGW2, sgw_mac=SGW2_MAC)
        one.uplink(p.ip_udp(one.ue, OTHER, b"x"))
        # Only one of them has been seen yet; this is the other's.
        net.enb.wait(two.downlink(p.ip_udp(OTHER, two.ue, b"y")))
        two.uplink(p.ip_udp(two.ue, OTHER, b"x"))
        wait_until(lambda: len(api.sessions(ue=one.ue)) == 2,
                   what="both sessions")
        for b in (one, two):
            net.enb.wait(b.downlink(p.ip_udp(OTHER, b.ue, b"z")))
            net.sgw.wait(b.uplink(echo(b.ue, b"not known")))
        assert not any(b["proved"] for s in api.sessions()
                       for b in s["bearers"])
