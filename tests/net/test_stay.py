# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection stays where it began.

What a UE sends to a service by a bearer that is diverted does not get to the
SGW, whatever becomes of the bearer meanwhile, before the TOF gives it up: the
real host of the service's address would reset the connection."""

import dataclasses
import time

import pytest

from tofnet import packet as p
from tofnet.background import Background
from tofnet.emulator import ENB6, SGW6
from tofnet.lab import APP6, SERVICE_IP6
from tofnet.service import answered, diverted, echo, service_of, wait_stale
from tofnet.wait import PATIENCE, wait_until
from test_mobility import moves

RATE = 1000                     # Packets a second: more than can wait.
GIVEN_UP = 2                    # Seconds without a proof.


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
