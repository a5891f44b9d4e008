# SPDX-License-Identifier: GPL-3.0-or-later
"""What a UE says to a service, and what comes back."""

import itertools
import socket

from . import packet as p
from .lab import SERVICE_IP, SERVICE_IP6, app_sends
from .netns import call_in
from .wait import wait_until

OTHER = "203.0.113.77"          # An address that no service has.

_texts = itertools.count()
_ports = itertools.count(20000)


def service_of(ue):
    """The service's address of a UE's family."""
    return SERVICE_IP6 if ":" in ue else SERVICE_IP


def new_port():
    """A UE's port that no other connection has: what began at the SGW stays
    there."""
    return next(_ports)


def syn(ue, dst=SERVICE_IP, **kw):
    """From a port of its own: to another SYN of the same connection the App's
    kernel may say nothing."""
    return p.ip_tcp(ue, dst, new_port(), 80, "S", seq=1000, **kw)


def is_syn_ack(f):
    return f.inner.proto == p.TCP and f.inner.flags == "SA"


def echo(ue, text, dst=None, sport=5000):
    """For the App's echo server."""
    return p.ip_udp(ue, dst or service_of(ue), text, sport, 7)


def is_text(text):
    return lambda f: f.inner.payload == text


def establish(net, ue="10.45.4.1", **kw):
    """A bearer that has been diverted."""
    b = net.bearer(ue, **kw)
    b.uplink(echo(ue, b"first"))
    b.wait_downlink(is_text(b"first"))
    return b


def switched(net, frame, timeout=3):
    """'frame', sent by the eNodeB, arrives at the SGW untouched."""
    net.sgw.wait(net.forwarded(frame), timeout, what="the frame at the SGW")


def asks(b, sport=5000):
    """Sends a packet to the echo service; gives its text."""
    text = b"%s %d" % (b.ue.encode(), next(_texts))
    b.uplink(echo(b.ue, text, sport=sport))
    return text


def answered(b, sport=5000, **kw):
    """Asks, and gives the answer."""
    return b.wait_downlink(is_text(asks(b, sport)), **kw)


def diverted(net, ue="10.45.6.1", **kw):
    """A bearer whose packets take the short way."""
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
    """Until its proof has been ended: not only that time has passed."""
    wait_until(lambda: api.session_of(ue)["state"] == "stale",
               what=f"{ue} to be stale")


def app_sends_until_held(api, b, text):
    """Answers that meet Open vSwitch's cache as it was before the tunnel ended
    are dropped, for some 100 ms."""
    before = api.metrics()["tof_hold_packets"]

    def held():
        app_sends(b.ue, text)
        return api.metrics()["tof_hold_packets"] > before

    wait_until(held, what="the App's packet to be held", interval=0.05)


def app_socket(family=socket.AF_INET):
    """A UDP socket of the App's host."""
    def make():
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.settimeout(3)
        return s
    return call_in("lab-app", make)
