# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair of TOFs (tofnet.pair) and the network around both of them, for tests
of what one of them tells the other."""

from . import packet as p
from .lab import APP6, SERVICE_IP6
from .service import OTHER, answered
from .wait import wait_until

HELD = 'tof_filter_packets_total{side="enb",fate="held"}'
OTHER6 = "2001:db8:7::7"
HEARD, DIVERTED = "tof_standby_heard_total", "tof_standby_diverted_total"


class Both:
    """'a' and 'b': their REST APIs.  'net': S1-U by way of the first one;
    'there': by way of the second one."""

    def __init__(self, pair, net, there):
        self.pair, self.net, self.there = pair, net, there
        self.a, self.b = pair.a.api, pair.b.api

    def register(self):
        for api in (self.a, self.b):
            api.register()
            api.register("svc6", SERVICE_IP6, APP6)

    def is_connected(self):
        return self.b.part("standby")["ready"]

    def wait_connected(self, timeout=10):
        wait_until(self.is_connected, timeout, "the second TOF to follow")

    def learned(self, ue, **kw):
        """A bearer that the first TOF has proved, and the second has heard
        of.  It has not been used for a service."""
        b = self.net.bearer(ue, **kw)
        b.uplink(p.ip_udp(ue, OTHER6 if ":" in ue else OTHER, b"x"))
        self.a.wait_proved(ue)
        self.told(b)
        return b

    def diverted(self, ue, **kw):
        """The same of one that is diverted: by the second TOF in advance."""
        before = self.b.metrics()
        b = self.net.bearer(ue, **kw)
        answered(b)
        wait_until(lambda: self.b.metrics()[DIVERTED] > before[DIVERTED],
                   what=f"{ue} to be diverted in advance")
        self.told(b)
        return b

    def told(self, b):
        """Until the second TOF shows the tunnels of 'b'."""
        return wait_until(lambda: shows(self.b, b), what=f"{b.ue} to be told")

    def unproved(self, b):
        """Until the second TOF does not take its tunnel for good."""
        wait_until(lambda: not shows(self.b, b),
                   what=f"{b.ue} not to be proved there")

    def heard_more(self):
        """Until the second TOF has heard what the first one says last."""
        self.learned(next(_UES))

    def clean(self):
        """Nobody knows anything."""
        for api in (self.a, self.b):
            api.clean()
        self.net.clear()
        self.there.clear()


_UES = (f"10.45.{200 + i // 250}.{i % 250 + 1}" for i in range(10000))


def section(*keys):
    """A change for Lab.configured(): section "standby" with these keys and no
    others."""
    return (r"(?m)^(?:standby: .*\n)?run_dir:",
            f"standby: {{{', '.join(keys)}}}\nrun_dir:")


def shows(api, b):
    """Whether a session has bearer 'b', whose proof has not been ended, with
    both of its tunnels."""
    return any((bearer["uplink"]["enb"], bearer["uplink"]["sgw"],
                bearer["uplink"]["teid"]) == (b.enb, b.sgw, b.up_teid)
               and s["state"] == "established"
               and (bearer["downlink"]["enb"], bearer["downlink"]["teid"])
               == (b.enb, b.down_teid)
               for s in api.sessions(ue=b.ue) for bearer in s["bearers"])
