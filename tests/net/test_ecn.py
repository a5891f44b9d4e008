# SPDX-License-Identifier: GPL-3.0-or-later
"""ECN at the tunnel's end (RFC 6040): what the outer header says of congestion
reaches the application, and an answer's outer header says what the inner one
does."""

import itertools
import socket

import pytest

from tofnet import packet as p
from tofnet.emulator import ENB6, SGW6
from tofnet.lab import APP, APP6, SERVICE_IP, SERVICE_IP6
from tofnet.netns import RawPort, call_in
from tofnet.service import diverted, echo, is_text
from tofnet.wait import wait_until

NOT_ECT, ECT1, ECT0, CE = range(4)
DSCP = 10 << 2
DROPPED = None

PEERS = {"ipv4": {}, "ipv6": {"enb": ENB6, "sgw": SGW6}}
UES = {"4-in-4": ("10.45.2.1", "ipv4"), "4-in-6": ("10.45.2.1", "ipv6"),
       "6-in-4": ("2001:db8:2:1::1", "ipv4"),
       "6-in-6": ("2001:db8:2:1::1", "ipv6")}

# <linux/in.h>, <linux/in6.h>: the option for TOS or traffic class.
TOS = {False: (socket.IPPROTO_IP, socket.IP_TOS),
       True: (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)}


def behind(outer, inner):
    """The table of RFC 6040, figure 4."""
    if outer == CE:
        return DROPPED if inner == NOT_ECT else CE
    return ECT1 if (outer, inner) == (ECT1, ECT0) else inner


@pytest.fixture(params=UES)
def way(request, api):
    ue, peers = UES[request.param]
    api.register()
    api.register("six", SERVICE_IP6, APP6)
    return ue, PEERS[peers]


@pytest.fixture
def app():
    with RawPort("lab-app", "app0") as port:
        yield port


def to_service(b, text, tos):
    return p.ip_udp(b.ue, SERVICE_IP6 if ":" in b.ue else SERVICE_IP, text,
                    5000, 7, tos=tos)


def arrived(app, text):
    """The packet with that text at the application, parsed."""
    raw = app.wait(lambda raw: p.Inner.parse(bytes(raw)[14:]).payload == text
                   and p.Inner.parse(bytes(raw)[14:]).dport == 7,
                   what=f"{text!r} at the application")
    return p.Inner.parse(bytes(raw)[14:])


def n_dropped(api):
    """Packets dropped as they had to be, wherever that was."""
    return sum(value for key, value in api.metrics().items()
               if "congestion" in key)


def check(app, b, text, outer, inner):
    b.up_tos = DSCP | outer
    b.uplink(to_service(b, text, DSCP | inner))
    if behind(outer, inner) is DROPPED:
        return
    f = arrived(app, text)
    assert f.tos == DSCP | behind(outer, inner), (outer, inner)
    assert f.header_ok and f.l4_ok


@pytest.mark.parametrize("known", [False, True], ids=["held", "diverted"])
def test_outer_field_reaches_the_application(net, api, app, way, known):
    """All pairs; what must be dropped is, and is counted."""
    ue, peers = way
    before = n_dropped(api)
    bearer = diverted(net, ue, **peers) if known else None
    for outer, inner in itertools.product(range(4), range(4)):
        b = bearer or net.bearer(ue, **peers)
        check(app, b, b"%d over %d" % (outer, inner), outer, inner)
        if not known:
            wait_until(lambda: api.session_of(ue), what="the UE's session")
            if behind(outer, inner) is DROPPED:
                wait_until(lambda: n_dropped(api) > before, what="the drop")
            api.delete(f"/session/{api.session_of(ue)['id']}")
            net.forget(b)
    wait_until(lambda: n_dropped(api) == before + 1,
               what="the drop to be counted")
    assert not [raw for raw in app.frames
                if p.Inner.parse(bytes(raw)[14:]).payload == b"3 over 0"]
    assert not [f for raw in net.sgw.frames if (f := p.GtpFrame.parse(raw))
                and f.inner.payload == b"3 over 0"]


def test_answer_says_so_outside(net, way):
    """All four values, with the DSCP of the tunnel."""
    ue, peers = way
    b = diverted(net, ue, down_tos=DSCP, **peers)
    six = ":" in ue

    def make():
        s = socket.socket(socket.AF_INET6 if six else socket.AF_INET,
                          socket.SOCK_DGRAM)
        s.bind((APP6 if six else APP, 8081))
        s.settimeout(5)
        return s
    with call_in("lab-app", make) as s:
        b.uplink(p.ip_udp(ue, SERVICE_IP6 if six else SERVICE_IP, b"hello",
                          5000, 8081))
        peer = s.recvfrom(100)[1]
        for ecn in range(4):
            s.setsockopt(*TOS[six], 0x20 | ecn)
            s.sendto(b"answer %d" % ecn, peer)
            f = b.wait_downlink(is_text(b"answer %d" % ecn))
            assert f.inner.tos == 0x20 | ecn and f.inner.header_ok
            assert f.ip.tos == DSCP | ecn and f.ip.header_ok and f.ip.l4_ok


def test_pings_are_not_ect(net, api):
    """Whatever the UE's packets say."""
    api.register()
    b = net.bearer("10.45.2.2", up_tos=DSCP | ECT0)
    b.uplink(echo(b.ue, b"x", dst=SERVICE_IP))
    b.wait_downlink(is_text(b"x"))
    assert net.pings[0][2].ip.tos == DSCP
