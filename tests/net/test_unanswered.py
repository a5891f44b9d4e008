# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks in which the Pinger gets no replies.  A UE's first packets to a
service wait for a proof in vain; no others do until a reply comes, which is
asked for in the background."""

import time

import pytest

from tofnet import packet as p
from tofnet.lab import APP6, SERVICE_IP6, app_sends
from tofnet.service import (
    app_sends_until_held, answered, diverted, echo, is_proved, is_text,
    new_port, wait_stale)
from tofnet.wait import PATIENCE, wait_until

HOLD = 2                        # Seconds that a packet waits.
IPV4, IPV6 = ("10.45.9.1", "10.45.9.2"), ("2001:db8:45:9::1",
                                          "2001:db8:45:a::1")
both_families = pytest.mark.parametrize("ues", [IPV4, IPV6],
                                        ids=["ipv4", "ipv6"])


def register(api):
    api.register()
    api.register("six", SERVICE_IP6, APP6)


def late(net, b, text):
    """Seconds until a packet to the service, which is not diverted, is at the
    SGW, untouched.  It begins a connection."""
    mark, began = net.sgw.mark(), time.monotonic()
    frame = net.forwarded(b.uplink(echo(b.ue, text, sport=new_port())))
    return net.sgw.wait(frame, timeout=3 * HOLD, since=mark).time - began


def given_up(net, ue, **kw):
    """A bearer whose first packet has waited in vain."""
    b = net.bearer(ue, silent=True, **kw)
    assert late(net, b, b"first") > HOLD * 0.9
    return b


def at_sgw(net, text):
    return [f for raw in net.sgw.frames if (f := p.GtpFrame.parse(raw))
            and f.kind == p.GPDU and f.inner.payload == text]


@both_families
def test_only_the_first_packet_waits(net, api, ues):
    register(api)
    b = given_up(net, ues[0])
    for i in range(5):
        assert late(net, b, b"next %d" % i) < HOLD / 2


def test_only_the_first_packet_waits_in_a_vlan(net, api):
    register(api)
    b = given_up(net, IPV4[0], vlan=77)
    assert late(net, b, b"next") < HOLD / 2


def test_packets_that_wait_with_it_are_not_overtaken(net, api):
    register(api)
    b = net.bearer(IPV4[0], silent=True)
    texts = [b"%03d" % i for i in range(200)]
    for text in texts:
        b.uplink(echo(b.ue, text))
        time.sleep(0.015)       # Some of them when the first is given up.
    net.sgw.wait(lambda raw: texts[-1] in raw, timeout=3 * HOLD)
    got = [f.inner.payload for raw in net.sgw.frames
           if (f := b.is_uplink(raw)) and f.inner.proto == p.UDP]
    assert got == texts


@both_families
def test_it_is_asked_for_in_the_background(net, api, ues):
    """Nothing but replies is needed for it to be diverted."""
    register(api)
    b = given_up(net, ues[0])
    b.silent = False
    wait_until(lambda: is_proved(api, b.ue), timeout=8, what="a proof")
    answered(b)
    mark = net.sgw.mark()
    answered(b)
    assert not net.sgw.since(mark)


def test_it_is_asked_for_ever_less_often(net, api):
    """After 1 s, 2 s more and 4 s more."""
    register(api)
    b = given_up(net, IPV4[0])
    gave_up = time.monotonic()
    before = len(net.pings)
    wait_until(lambda: len(net.pings) >= before + 3, timeout=12,
               what="three pings")
    times = [t - gave_up for t, who, _ in net.pings[before:] if who is b]
    for at, expected in zip(times, (1, 3, 7)):
        assert expected - 0.3 < at < expected + 0.5 * PATIENCE


def test_others_are_waited_for(net, api):
    """Another UE behind the same eNodeB and SGW."""
    register(api)
    given_up(net, IPV4[0])
    answered(net.bearer(IPV4[1]))


@both_families
def test_new_ue_in_the_tunnel_is_waited_for(net, api, ues):
    register(api)
    b = given_up(net, ues[0])
    net.forget(b)
    new = net.bearer(ues[1], up_teid=b.up_teid)
    new.uplink(echo(new.ue, b"new"))
    new.wait_downlink(is_text(b"new"))
    assert not at_sgw(net, b"new")


def test_proved_once_more_it_is_waited_for(net, api):
    """That it was given up is forgotten with a reply."""
    register(api)
    b = given_up(net, IPV4[0])
    b.silent = False
    wait_until(lambda: is_proved(api, b.ue), timeout=8, what="a proof")
    answered(b)
    b.end_marker()
    wait_stale(api, b.ue)
    b.uplink(echo(b.ue, b"held"))
    b.wait_downlink(is_text(b"held"))
    assert not at_sgw(net, b"held")


def test_restarted_tofd_knows(lab, net, api):
    register(api)
    b = given_up(net, IPV4[0])
    lab.tofd("restart")
    wait_until(api.healthy, 15)
    assert late(net, b, b"after") < HOLD / 2
    b.silent = False
    wait_until(lambda: is_proved(api, b.ue), timeout=8, what="a proof")
    answered(b)


def test_answers_of_the_app_wait(net, api):
    """Though the UE's packets do not: they would be lost."""
    register(api)
    b = diverted(net, IPV4[0])
    b.silent = True
    b.end_marker()
    wait_stale(api, b.ue)
    assert late(net, b, b"in vain") > HOLD * 0.9
    app_sends_until_held(api, b, b"answer")
    assert late(net, b, b"switched") < HOLD / 2
    b.silent = False
    app_sends(b.ue, b"another")
    b.wait_downlink(is_text(b"another"))
    assert at_sgw(net, b"switched")
