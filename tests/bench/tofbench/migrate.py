# SPDX-License-Identifier: GPL-3.0-or-later
"""migrate: from one moment on the network sends the packets to another TOF,
which has followed the first one.

Two labs (tofnet.site), the second TOF following the first.  The engine sends
service packets of the same sessions, first by one eNodeB's adapter, then by
the other's, in the rhythm that it has anyway (a burst a millisecond): what the
network needs to find the new way is not measured.  The same switch-over from
one socket of the first eNodeB's to another is the baseline: what is the
generator's and the machine's.  All clocks are this machine's."""

import contextlib
import glob
import os
import statistics
from dataclasses import dataclass

from tofnet.lab import SERVICE_IP
from tofnet.pair import Pair, follows, listens
from tofnet.site import HERE, Site
from tofnet.wait import wait_until

from . import lifetime, rig, tof
from .report import name, percentile

TICK = 1.0                      # ms from burst to burst of the engine's.
STATE = "/run/tof-lab/state"      # At either site; ends with its lab.
# What a TOF that knows nothing does, and one that has been told does not.
LEARNING = {"learned": "tof_bearers_learned_total",
            "held": 'tof_filter_packets_total{side="enb",fate="held"}'}
# To keep up proofs that grow old, whichever TOF it is.
PINGS = "tof_pinger_requests_total"


@dataclass
class Arrivals:
    """Packets of a switch-over at one kind of end: at the App, or, as answers,
    back at the eNodeB."""
    sent: list                  # When, in ns, by sequence number.
    latency: list               # Until they came, in ns; 0: never.
    at: int                     # The first one that went the other way.

    def outage(self):
        """ms; the longest time around the switch-over without an arrival, but
        for the pause that there is between any two bursts."""
        times = sorted(s + ns for s, ns in zip(self.sent, self.latency) if ns)
        times.append(self.sent[-1])     # If nothing came any more.
        moment = self.sent[self.at]
        gaps = [late - early for early, late in zip(times, times[1:])
                if late >= moment]
        return max(max(gaps, default=0) / 1e6 - TICK, 0)

    def jitter(self):
        """ms, sorted; by how much those after the switch-over took longer than
        the median of those before."""
        usual = statistics.median(ns for ns in self.latency[:self.at] if ns)
        return sorted((ns - usual) / 1e6 for ns in self.latency[self.at:]
                      if ns)

    def lost(self):
        return self.latency.count(0)


def merged(one, other):
    return [a or b for a, b in zip(one, other)]


@contextlib.contextmanager
def config_file(datapath, site):
    """As the site calls it."""
    path = "/run/bench.yaml"
    with open(site.path(path), "w", encoding="ascii") as f:
        f.write(lifetime.CONFIG.format(datapath=datapath, state=STATE))
    yield path


class Both:
    """Two TOFs; with what both know, and nobody but the first one has seen."""

    def __init__(self, first, second, sessions, active):
        self.first, self.second = first, second
        self.sessions, self.active = sessions, active
        self.engine = first.engine
        # Each session sends at least once before and after.
        self.half = int(max(2 * tof.RATE, 1.2 * active))

    def establish(self):
        """The first TOF diverts them; then the second is started, which knows
        nothing, and hears of them."""
        self.second.lab.tofd("stop")
        for path in glob.glob(self.second.lab.site.path(f"{STATE}/*.journal")):
            os.unlink(path)
        self.first.establish("load", self.active, timeout=120)
        self.second.lab.tofd("start")
        wait_until(self.is_told, 60, "the second TOF to be told", interval=0)

    def is_told(self):
        """They go on to send meanwhile."""
        self.engine.trickle("load", max(self.active, tof.RATE // 2), tof.RATE)
        told = self.second.api.metrics()
        diverted = [told["tof_standby_diverted_total"]]
        if self.second.datapath == "ovs":       # When the flows are there.
            diverted.append(told["tof_filter_divert_total"])
        return self.second.known() >= self.sessions \
            and min(diverted) >= self.active

    def switch_over(self, to, by):
        """The second half of the load leaves by flow 'by', which leads to the
        TOF 'to': gives Arrivals at Apps, and back at eNodeBs; and by how much
        the metrics of 'to' have grown."""
        ends = [[t.name(end) for t in (self.first, self.second)]
                for end in ("app", "enb")]
        for end in (e for pair in ends for e in pair):
            self.engine.reset(end)
        n = 2 * self.half
        before = to.api.metrics()
        self.engine.set("load", seq=0)
        self.engine.trickle("load", n, tof.RATE, by, self.half)
        lifetime.still_at(lambda: [self.engine.count(e).packets
                                  for pair in ends for e in pair])
        after = to.api.metrics()
        sent = self.engine.sent("load", 0, n)
        app, enb = (Arrivals(sent, merged(*(self.engine.samples(e, 0, n)
                                            for e in pair)), self.half)
                    for pair in ends)
        return app, enb, {k: v - before.get(k, 0) for k, v in after.items()}


@contextlib.contextmanager
def both(run, datapath, sessions, active):
    with contextlib.ExitStack() as stack:
        def enter(site, engine=None):
            config = stack.enter_context(config_file(datapath, site))
            return stack.enter_context(tof.Tof(run, datapath, config, site,
                                               engine))

        first = enter(HERE)
        second = enter(stack.enter_context(Site()), first.engine)
        stack.enter_context(Pair(first.lab, second.lab))
        for t, standby in ((first, listens(first.lab)),
                           (second, follows(first.lab))):
            t.lab.restart_with(f"{t.lab.config()}standby: {{{standby}}}\n")
            t.register()
        frames = [rig.uplink(100, SERVICE_IP)]
        first.uplink("idle", [rig.uplink(100)])
        first.uplink("load", frames, active, stamp_at=rig.GTP_STAMP, log=1)
        first.uplink("load-here", frames)
        second.uplink("load-there", frames)
        yield Both(first, second, sessions, active)


def migrate(run):
    sessions = run.pick(100000, 2000)
    for datapath in run.datapaths:
        few = [sessions // 100]
        try:
            for active in few + [sessions] if datapath == "xdp" else few:
                migrate_with(run, datapath, sessions, active)
        except tof.NoDatapath as e:
            run.report.not_available("migrate", str(e), datapath)


def migrate_with(run, datapath, sessions, active):
    with both(run, datapath, sessions, active) as b:
        lifetime.learn(b.first, "idle", sessions, 10000)
        for i in range(run.pick(3, 1)):
            b.establish()
            tell(run, b, {"active": active, "try": i + 1})


def tell(run, b, where):
    base_app, base_enb, base_grown = b.switch_over(b.first, "load-here")
    app, enb, grown = b.switch_over(b.second, "load-there")
    datapath = b.first.datapath

    def add(metric, value, unit, baseline=None):
        run.report.add("migrate", name(metric, **where), value, unit, baseline,
                       datapath)

    add("sessions", b.second.known(), "sessions")
    add("diverted", b.active, "sessions")
    add("outage", app.outage(), "ms", base_app.outage())
    add("outage-back", enb.outage(), "ms", base_enb.outage())
    add("jitter", app.jitter()[-1], "ms", base_app.jitter()[-1])
    add("jitter.p99", percentile(app.jitter(), 99), "ms")
    add("lost", app.lost(), "packets", len(app.sent))
    add("lost-back", enb.lost(), "packets", len(enb.sent))
    add("lost-without", base_enb.lost(), "packets", len(base_enb.sent))
    for metric, counter in LEARNING.items():
        add(metric, grown[counter], "")
    add("pings", grown[PINGS], "packets", base_grown[PINGS])
