# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets that wait for a proof, and proofs that end with time: UEs that fall
silent, identifiers that are reused."""

import itertools
import random
import time

import pytest

from tofnet import packet as p
from tofnet.lab import app_sends
from tofnet.service import (
    OTHER, answered, asks, diverted, downlink, echo, is_proved, is_text,
    new_port, wait_stale)
from tofnet.wait import wait_until

SGW2, SGW2_MAC = "10.1.0.22", "0e:05:09:00:00:22"
EVIDENCE = 1                    # Of the tofd of TestQuick, seconds.
IDLE = 4


# --- Waiting -----------------------------------------------------------------

def payloads(frames, ue):
    return [f.inner.payload for raw in frames
            if (f := p.GtpFrame.parse(raw)) and f.inner.src == ue]


def test_waiting_packets_of_a_bearer_are_bounded_and_in_order(net, api):
    """64 wait; the oldest make room, and nobody overtakes."""
    api.register()
    net.silent = True
    b = net.bearer("10.45.6.101")       # Which no other test has diverted.
    texts = [b"%03d" % i for i in range(100)]
    for i, text in enumerate(texts):    # Each of a connection of its own.
        b.uplink(echo(b.ue, text, sport=5000 + i))
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
    b = diverted(net)
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
        b = diverted(net)
        net.silent = True
        silent_for_long_enough(net, b)
        mark = net.enb.mark()
        app_sends(b.ue, b"late")
        pings = len(net.pings)
        wait_until(lambda: len(net.pings) > pings, what="a ping")
        assert not downlink(net.enb.since(mark), b.enb, b.down_teid)
        net.silent = False
        b.wait_downlink(is_text(b"late"))

    def test_proved_is_what_may_be_used_now(self, net, api):
        """A UE that has been silent stays established, as nothing has ended
        its proof; but that is not good any more before the next one."""
        api.register()
        b = net.bearer("10.45.6.1")
        wait_until(lambda: answered(b) and is_proved(api, b.ue),
                   what="a proof")
        wait_until(lambda: not is_proved(api, b.ue), timeout=3 * EVIDENCE,
                   what="the proof to be too old")
        assert api.session_of(b.ue)["state"] == "established"
        wait_until(lambda: answered(b) and is_proved(api, b.ue),
                   what="another proof")

    def test_reply_that_is_read_late_proves_nothing(self, lab, net, api):
        """The UE may have moved while tofd did not look."""
        api.register()
        net.silent = True
        b = net.bearer("10.45.6.1")
        b.uplink(echo(b.ue, b"x"))
        wait_until(lambda: net.pings, what="a ping")
        replies = api.metrics()["tof_pinger_replies_total"]
        with lab.stopped():
            b.downlink(p.echo_reply_to(net.pings[-1][2].payload))
            time.sleep(1.5 * EVIDENCE)
        wait_until(lambda: api.metrics()["tof_pinger_replies_total"]
                   > replies, what="the reply to be read")
        assert api.session_of(b.ue)["state"] == "embryonic"
        net.silent = False
        answered(b)

    def test_ue_is_held_after_silence(self, net, api):
        """The next packet up waits for a new proof; what is proved then may
        be another tunnel."""
        api.register()
        b = diverted(net)
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

    def test_ue_that_was_released_gets_nothing_in_its_old_tunnel(self, net,
                                                                 api):
        """It is back with the same uplink tunnel and another downlink tunnel.
        It goes on sending, but no reply to a ping shows where it is."""
        api.register()
        b = diverted(net)
        net.silent = True
        old = b.enb, b.down_teid
        end = time.monotonic() + 1.5 * EVIDENCE
        while time.monotonic() < end:
            asks(b)
            time.sleep(EVIDENCE / 20)
        mark, texts = net.enb.mark(), set()
        wait_until(lambda: texts.add(asks(b))
                   or texts.intersection(payloads(net.sgw.frames, b.ue)),
                   what="its packets to be switched", interval=EVIDENCE / 20)
        assert not downlink(net.enb.since(mark), *old)
        net.silent = False
        b.down_teid += 0x100

        def is_back():
            answered(b, sport=5001, timeout=0.5)
            return True

        wait_until(is_back, what="an answer in its new tunnel")

    def test_stream_goes_on_for_many_proofs(self, net, api):
        """Each is asked for in time."""
        api.register()
        b = diverted(net)
        expired = api.metrics()["tof_hold_expired_total"]
        end = time.monotonic() + 5 * EVIDENCE
        while time.monotonic() < end:
            answered(b, timeout=0.5)
        assert api.metrics()["tof_hold_expired_total"] == expired

    def test_uplink_teid_reused(self, net, api):
        """Another UE address: spoofed as long as the first UE may be there,
        then a new bearer, and nothing for the old one goes down."""
        api.register()
        old = diverted(net, "10.45.6.1")
        b = net.bearer("10.45.6.2", up_teid=old.up_teid)
        net.forget(old)
        net.sgw.wait(b.uplink(echo(b.ue, b"too early")))
        mark = net.enb.mark()

        def is_learned():
            answered(b, new_port(), timeout=0.5)
            return True

        wait_until(is_learned, timeout=5 * EVIDENCE)
        app_sends(old.ue, b"for the old one")
        answered(b, new_port())
        assert api.session_of(old.ue) is None
        assert not downlink(net.enb.since(mark), old.enb, old.down_teid)
        assert not [f for f in downlink(net.enb.since(mark), b.enb,
                                        b.down_teid)
                    if f.inner.dst != b.ue]

    def test_downlink_teid_seen_with_another_ue(self, net, api):
        """Natural downlink traffic for somebody else ends the proof."""
        api.register()
        old = diverted(net, "10.45.6.1")
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
        old = diverted(net, "10.45.6.1")
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
        old = diverted(net, "10.45.6.1")
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
        b = diverted(net)
        self.stream(net, b, lambda text: app_sends(b.ue, text))
        assert len(net.pings) >= 4, "proved again in the background"

    def test_uplink_stream_never_stalls(self, net, api):
        """The App says nothing (no conntrack entry would matter): here, it
        echoes, and that is how we see that each packet has arrived."""
        api.register()
        b = diverted(net)
        self.stream(net, b, lambda text: b.uplink(echo(b.ue, text)))

    def test_uplink_stream_in_fragments_never_stalls(self, net, api):
        """Of the same, but the endpoint sees none of its packets: tofd, which
        puts the G-PDUs together, delivers them."""
        def send(text):
            whole = p.outer(b.enb, b.sgw, p.gtpu(b.up_teid, echo(b.ue, text)))
            for f in p.fragments(whole, 68, next(ids)):
                net.enb.send(b._eth(True, f))   # pylint: disable=W0212

        api.register()
        b = diverted(net)
        ids = itertools.count(100)
        self.stream(net, b, send)
        assert len(net.pings) >= 4, "proved again in the background"
        assert not [f for f in net.sgw.frames if b"stream " in f]

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
        b = diverted(net)
        other = diverted(net, "10.45.6.2")
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
        real = [diverted(net, f"10.45.6.{i}") for i in range(1, 6)]
        rng = random.Random(1)
        for i in range(400):
            b = net.bearer("10.46.%d.%d" % divmod(i, 250),
                           rng.randrange(1, 1 << 32))
            b.silent = True
            b.uplink(p.ip_udp(b.ue, OTHER, b"x"))
            if i % 100 == 99:
                for r in real:
                    answered(r)
        wait_until(lambda: api.metrics()[
            "tof_bearers_evicted_total"] >= 300, what="evictions")
        assert len(api.sessions()) <= 25 + len(real)
        for r in real:
            answered(r)
        diverted(net, "10.45.6.77")


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
            answered(b, sport=5001)
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
