# SPDX-License-Identifier: GPL-3.0-or-later
"""Mobility: handovers, tunnels that end, paging.  What a UE sends to a service
is answered in its own tunnel, or goes to the SGW; nothing ever goes into
another's."""

import threading

import pytest

from tofnet import packet as p
from tofnet.emulator import ENB, SGW
from tofnet.lab import app_sends
from tofnet.service import (
    OTHER, answered, app_sends_until_held, asks, diverted, downlink, echo,
    is_proved, is_text, wait_stale)
from tofnet.wait import wait_until

ENB2, ENB2_MAC = "10.1.0.9", "0e:0e:0b:00:00:09"
SGW2, SGW2_MAC = "10.1.0.22", "0e:05:09:00:00:22"


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
    b = diverted(net)
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
    b = diverted(net)
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
    b = diverted(net)
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
    old = diverted(net)
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
    b = diverted(net)
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
    b = diverted(net)
    other = net.bearer("10.45.6.9")
    net.enb.wait(other.end_marker())
    same_teid = net.bearer("10.45.6.9", down_teid=b.down_teid, enb=ENB2)
    net.enb.wait(same_teid.end_marker())
    answered(b)
    assert is_proved(api, b.ue)


def test_own_error_indications_are_consumed(net, api):
    """Only the TOF has sent into that tunnel: the SGW hears of none."""
    api.register()
    b = diverted(net)
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
    b = diverted(net)
    net.enb.wait(b.downlink(p.ip_udp(OTHER, b.ue, b"natural")))
    net.sgw.wait(b.error_indication())
    wait_stale(api, b.ue)


def test_error_indications_pass_however_late_the_agent_is(lab, net, api):
    """It reads what is held before what is copied: the Error Indication
    before the packet that has drawn it."""
    api.register()
    b = diverted(net)
    with lab.stopped():             # For much less than the lease.
        net.enb.wait(b.downlink(p.ip_udp(OTHER, b.ue, b"natural")))
        frame = b.error_indication()
    net.sgw.wait(frame)
    wait_stale(api, b.ue)


def test_error_indications_of_unknown_tunnels_pass(net, api):
    api.register()
    b = diverted(net)
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
    b = diverted(net)
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
