# SPDX-License-Identifier: GPL-3.0-or-later
"""A TOF that follows another one knows what that knows, and serves whoever's
packets come to it; what ends at one ends at the other."""

import time

import pytest

from tofnet import packet as p
from tofnet.emulator import ENB6, SGW6
from tofnet.lab import app_sends
from tofnet.service import (
    OTHER, answered, asks, downlink, echo, is_text, new_port, wait_stale)
from tofnet.standby import HELD, shows
from tofnet.wait import wait_until

UE4, UE6 = "10.45.9.1", "2001:db8:9:1::1"
OVER6 = {"enb": ENB6, "sgw": SGW6}
EVIDENCE = 2                    # Of the TOFs of TestSilence, seconds.

families = pytest.mark.parametrize("ue,kw", [
    (UE4, {}), (UE6, {}), (UE4, OVER6), (UE6, OVER6)],
    ids=["4-over-4", "6-over-4", "4-over-6", "6-over-6"])


# --- Told --------------------------------------------------------------------

@families
def test_what_one_has_learned_the_other_shows(both, ue, kw):
    b = both.learned(ue, **kw)
    theirs, ours = both.a.session_of(ue), both.b.session_of(ue)
    for session in theirs, ours:
        for bearer in session["bearers"]:
            del bearer["id"]
    assert theirs["bearers"] == ours["bearers"]
    assert (ours["ue"], ours["state"]) == (theirs["ue"], "established")
    assert not [ping for ping in both.there.pings if ping[1] is b]


@families
def test_first_packet_there_reaches_the_app_at_once(both, ue, kw):
    """Without a ping, without waiting; and what the eNodeB gets looks as what
    it has got from the first TOF."""
    b = both.diverted(ue, **kw)
    held = both.b.metrics()[HELD]
    here = both.there.take_over(b)
    f = answered(here)
    assert (f.src_mac, f.dst_mac) == here.macs_at_enb
    assert (f.ip.src, f.ip.dst, f.ip.sport) == (b.sgw, b.enb, 2152)
    assert not both.there.pings
    assert both.b.metrics()[HELD] == held


def test_first_service_packet_of_all_needs_no_ping_there(both):
    """The first TOF has proved the UE's tunnel, and diverted nothing."""
    b = both.learned(UE4)
    answered(both.there.take_over(b))
    assert not both.there.pings


def test_each_is_answered_in_its_own_tunnel(both):
    bearers = [both.diverted(f"10.45.9.{i}") for i in range(1, 6)]
    here = [both.there.take_over(b) for b in bearers]
    for _ in range(3):
        texts = [asks(b) for b in here]
        for b, text in zip(here, texts):
            assert b.wait_downlink(is_text(text)).inner.dst == b.ue
    for b in here:
        assert {f.inner.dst for f in downlink(
            both.there.enb.frames, b.enb, b.down_teid)} == {b.ue}


def test_same_ue_address_behind_two_sgws(both):
    one = both.diverted(UE4)
    two = both.diverted(UE4, sgw="10.1.0.22", sgw_mac="0e:05:09:00:00:22")
    for b in map(both.there.take_over, (one, two)):
        answered(b)
    assert not both.there.pings


def test_qfi_and_dscp_are_told(both):
    """An answer is marked as the tunnel's packets have been."""
    b = both.net.bearer(UE4, qfi=5, down_tos=0x28)
    b.downlink(p.ip_udp(OTHER, UE4, b"x"))
    answered(b)
    b.downlink(p.ip_udp(OTHER, UE4, b"x"))
    f = wait_until(lambda: marked(answered(b), 0x28), what="a marked answer")
    both.told(b)
    both.heard_more()
    here = both.there.take_over(b)
    g = answered(here)
    assert (g.ip.tos, g.exts) == (f.ip.tos, f.exts)


def marked(f, tos):
    return f if f.ip.tos == tos else None


# --- Ended -------------------------------------------------------------------

def goes_on_there_by_another_tunnel(both, b):
    """The next packet of 'b' waits at the second TOF for a proof; what is
    proved is another tunnel, and the old one is not used."""
    old = b.enb, b.down_teid
    b.down_teid += 0x100
    here = both.there.take_over(b)
    both.there.silent = True
    text = asks(here)
    wait_until(lambda: both.there.pings, what="a ping")
    assert not downlink(both.there.enb.frames, *old)
    both.there.silent = False
    here.wait_downlink(is_text(text))
    assert not downlink(both.there.enb.frames, *old)


def test_end_marker_ends_the_tunnel_there(both):
    b = both.diverted(UE4)
    both.net.silent = True
    b.end_marker()
    both.unproved(b)
    goes_on_there_by_another_tunnel(both, b)


def test_handover_is_told(both):
    """The same uplink tunnel, another eNodeB."""
    b = both.diverted(UE4)
    old = b.enb, b.down_teid
    b.enb, b.enb_mac = "10.1.0.9", "0e:0e:0b:00:00:09"
    b.down_teid += 0x100
    answered(b)
    both.told(b)
    here = both.there.take_over(b)
    f = answered(here)
    assert (f.ip.dst, f.dst_mac) == (b.enb, b.enb_mac)
    assert not downlink(both.there.enb.frames, *old)


def test_teid_given_to_another_ue(both):
    """What is for the first one never goes into it."""
    old = both.diverted("10.45.9.1")
    shared = old.enb, old.down_teid
    old.down_teid += 0x100
    new = both.net.bearer("10.45.9.2", down_teid=shared[1])
    answered(new)
    both.told(new)
    both.there.silent = True
    here = both.there.take_over(old)
    asks(here)
    wait_until(lambda: both.there.pings, what="a ping")
    app_sends(old.ue, b"for the old one", ns=both.pair.b.site.ns("lab-app"))
    answered(both.there.take_over(new))
    assert not [f for f in downlink(both.there.enb.frames, *shared)
                if f.inner.dst == old.ue]


def test_purge_is_a_purge_there(both):
    b = both.diverted(UE4)
    session = both.a.session_of(UE4)
    assert both.a.delete(f"/session/{session['id']}").status == 200
    wait_until(lambda: both.b.session_of(UE4) is None, what="the purge")
    here = both.there.take_over(b)
    both.there.silent = True
    text = asks(here)
    wait_until(lambda: both.there.pings, what="a ping")
    assert not downlink(both.there.enb.frames, b.enb, b.down_teid)
    both.there.silent = False
    here.wait_downlink(is_text(text))


# --- First-hand --------------------------------------------------------------

def moved(both):
    """A UE of which the second TOF knows more: it came there, and was given
    another downlink tunnel.  Gives it as it is there, and as the first TOF
    still has it."""
    b = both.diverted(UE4)
    here = both.there.take_over(b)
    answered(here)
    here.end_marker()
    wait_stale(both.b, UE4)
    here.down_teid += 0x100
    answered(here)
    return here, b


def keeps_the_new_tunnel(both, here, old):
    both.heard_more()
    mark = both.there.enb.mark()
    answered(here)
    assert shows(both.b, here)
    assert not downlink(both.there.enb.since(mark), old.enb, old.down_teid)


def test_first_hand_is_not_overwritten(both):
    """The first TOF gets a last packet of the UE by the old way, and says so
    again."""
    here, old = moved(both)
    old.uplink(echo(UE4, b"late"))
    keeps_the_new_tunnel(both, here, old)


def test_first_hand_outlives_a_purge(both):
    here, old = moved(both)
    session = both.a.session_of(UE4)
    assert both.a.delete(f"/session/{session['id']}").status == 200
    keeps_the_new_tunnel(both, here, old)


def test_first_hand_outlives_a_late_end_marker(both):
    here, old = moved(both)
    old.end_marker()
    keeps_the_new_tunnel(both, here, old)


# --- Somebody dies -----------------------------------------------------------

def test_goes_on_when_the_first_is_dead(both):
    b = both.diverted(UE4)
    both.pair.a.tofd("kill")
    try:
        wait_until(lambda: not both.is_connected(), what="status to say so")
        answered(both.there.take_over(b))
        assert not both.there.pings
    finally:
        both.pair.a.tofd("start")
    both.wait_connected()


def test_who_comes_late_is_told_everything(both):
    both.pair.b.tofd("stop")
    try:
        bearers = [both.net.bearer(f"10.45.9.{i}") for i in range(1, 51)]
        for b in bearers:
            answered(b)
    finally:
        both.pair.b.tofd("start")
    for b in bearers:
        both.told(b)
    for b in bearers:
        answered(both.there.take_over(b))
    assert not both.there.pings


def test_who_was_cut_off_for_a_while_is_told_what_he_missed(both):
    kept = both.diverted("10.45.9.1")
    both.pair.cut()
    try:
        wait_until(lambda: not both.is_connected(), 15, "the silence")
        new = both.net.bearer("10.45.9.2")
        answered(new)
        answered(kept)
    finally:
        both.pair.mend()
    both.wait_connected()
    for b in (new, kept):
        both.told(b)
        answered(both.there.take_over(b))
    assert not both.there.pings


# --- Silence -----------------------------------------------------------------

@pytest.fixture(scope="class")
def quick(following):
    change = "evidence_seconds: 10", f"evidence_seconds: {EVIDENCE}"
    with following.a.configured(change), following.b.configured(change):
        yield


@pytest.mark.usefixtures("quick")
class TestSilence:
    def test_silence_at_both_ends_the_proof(self, both):
        """The next packet waits for a new one; what is proved then may be
        another tunnel."""
        b = both.diverted(UE4)
        time.sleep(EVIDENCE + 2)    # The one thing that is waited for is time.
        goes_on_there_by_another_tunnel(both, b)

    def test_evidence_there_lasts_as_long_as_here(self, both):
        """A UE that goes on by way of the first TOF."""
        b = both.diverted(UE4)
        end = time.monotonic() + 3 * EVIDENCE
        while time.monotonic() < end:
            answered(b)
            time.sleep(EVIDENCE / 4)
        answered(both.there.take_over(b))
        assert not both.there.pings

    def test_uplink_tunnel_given_to_another_ue(self, both):
        old = both.diverted("10.45.9.1")
        new = both.net.bearer("10.45.9.2", up_teid=old.up_teid)
        both.net.forget(old)

        def is_learned():
            answered(new, new_port(), timeout=0.5)
            return True

        wait_until(is_learned, timeout=5 * EVIDENCE)
        both.told(new)
        assert both.b.session_of(old.ue) is None
        here = both.there.take_over(new)
        app_sends(old.ue, b"for the old one",
                  ns=both.pair.b.site.ns("lab-app"))
        answered(here)
        assert not downlink(both.there.enb.frames, old.enb, old.down_teid)
        assert {f.inner.dst for f in downlink(
            both.there.enb.frames, new.enb, new.down_teid)} == {new.ue}
