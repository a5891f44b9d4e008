# SPDX-License-Identifier: GPL-3.0-or-later
"""xdp-forward, xdp-decap, xdp-encap: what the TOF's eBPF programs cost over a
bare redirect, in the same run and turn by turn; by number of sessions, and by
frame size.

What goes in never meets an adapter: the programs are run on live frames, and
redirect them to a veth whose peer counts and drops them.  One processor does
all of this."""

import functools
import statistics

from . import ovs, rig
from .engine import Engine, EngineError

NS, FAR = "bench-xdp", "bench-far"
SESSIONS = (1, 1000, 100000, 1000000)
# Calls of this many frames, set-up and end of each included, is how the trials
# measured that the figures of the design come from.
TRIAL_FRAMES = 1 << 16


def flow_of(work):
    """Engine.flow()'s frame and places."""
    if work == "encap":
        return downlink, {
            "copy": 48, "id_at": 2, "addr_at": 30, "csum_at": 24,
            "id_step": 256}
    dst = rig.SERVICE if work == "decap" else rig.OTHER
    return functools.partial(rig.uplink, dst=dst), dict(rig.GTP)


def downlink(size):
    """An answer of an App that becomes a G-PDU of 'size' bytes."""
    return rig.plain(size - 36, rig.SERVICE, rig.UE_TEXT,
                     dst_mac="02:00:00:00:00:00")


class Bench:
    """A program of ours with its table, and the bare redirect beside it."""

    def __init__(self, work, sessions=1, size="100"):
        self.work, self.sessions = work, sessions
        make, conf = flow_of(work)
        self._rig = rig.namespaces(NS, FAR)
        self._rig.__enter__()
        rig.veth(NS, "x0", FAR, "x1")
        self.engine = Engine()
        e = self.engine
        e.end("far", ns=FAR, dev="x1", kind="sink")
        e.flow("f", rig.frames(make, size), ns=NS, dev="x0", random=1, **conf)
        e.set("f", sessions=sessions, addr_base=rig.UE_FIRST, random=12345,
              id_base=0x101 if work == "encap" else 1)

    def load(self):
        """Raises EngineError if the programs do not load."""
        added, = self.engine.ask(
            "subject", "tof", ns=NS, dev="x0", work=self.work,
            sessions=self.sessions, enb=rig.ENB, sgw=rig.SGW,
            service=rig.SERVICE, first=rig.UE_FIRST)
        return int(added)

    def compare(self, frames, rounds):
        """ns a frame: the bare redirect's, the program's; checks that all
        frames have arrived."""
        before = self.engine.count("far").packets
        result = self.engine.compare("f", "tof", frames, rounds)
        arrived = self.engine.count("far").packets - before
        wanted = 2 * rounds * frames
        assert arrived >= wanted * 0.999, \
            f"{self.work}: {arrived} of {wanted} frames arrived"
        return result

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.engine.close()
        self._rig.__exit__(None, None, None)


def rates(run, direction, size):
    """Frames a second of the program, for benches of others; None if there is
    none."""
    if "xdp" not in run.datapaths:
        return None
    try:
        with Bench(direction, 1, size) as b:
            b.load()
            _, ours = b.compare(run.pick(1 << 20, 1 << 16), run.pick(5, 1))
            return [1e9 / ns for ns in ours]
    except EngineError:
        return None


def bench(run, work):
    name = f"xdp-{work}"
    for sessions in run.pick(SESSIONS, (1, 1000)):
        with Bench(work, sessions) as b:
            try:
                added = b.load()
            except EngineError as e:
                run.report.not_available(name, str(e), "xdp")
                return
            assert added >= sessions * 0.999, \
                f"{added} of {sessions} sessions in the table"
            one(run, b, name, sessions)
    peers(run, name, work)


def one(run, b, name, sessions):
    report, where = run.report, {"sessions": sessions}
    b.compare(1 << 16, 1)                       # Caches and clocks are warm.
    bare, ours = b.compare(run.pick(1 << 20, 1 << 16), run.pick(9, 2))
    added = [o - r for o, r in zip(ours, bare)]
    report.spread(name, "added", added, "ns", datapath="xdp", **where)
    report.spread(name, "rate", [1e3 / o for o in ours], "Mpps",
                  [1e3 / r for r in bare], "xdp", **where)
    bare, ours = b.engine.trial("f", "tof", TRIAL_FRAMES, run.pick(15, 1))
    report.spread(name, "rate-with-setup", [1e3 / o for o in ours], "Mpps",
                  [1e3 / r for r in bare], "xdp", **where)


def peers(run, name, work):
    """A kernel bridge switches what xdp-forward switches."""
    if work == "forward":
        rate = ovs.measure(run, "decap", ovs.bridge, "100")
        run.report.spread(name, "rate", [r / 1e6 for r in rate], "Mpps",
                          datapath="bridge")


def forward(run):
    bench(run, "forward")


def decap(run):
    bench(run, "decap")


def encap(run):
    bench(run, "encap")
