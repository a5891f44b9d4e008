# SPDX-License-Identifier: GPL-3.0-or-later
"""The TOF as a whole, in the lab (scripts/lab.sh), under the engine's load.

    with Tof(run, "ovs") as tof:
        tof.uplink("up", 100)                   # a flow from the eNodeB
        tof.engine.trickle("up", 1000, rate=500)

At S1-U's SGW side is an SGW that answers the Pinger (end "sgw"), at the App
an echo (end "app"); what comes down to the eNodeB ends in "enb", counted.  At
another site (tofnet.site) these are called "b-sgw" and so on."""

import contextlib
import time

from tofnet import netns
from tofnet.lab import APP, SERVICE_IP, Lab
from tofnet.site import HERE
from tofnet.wait import wait_until

from . import rig
from .engine import Engine

TARGET = 0xcb00710a             # 203.0.113.10
DOWN = 0x80000000               # Downlink TEID: the uplink one with this bit.
# A downlink G-PDU: message type and flags, outer UDP port 2152.
GPDU_AT, GPDU_MASK, GPDU = 42, 0xf8ff0000, 0x30ff0000


RATE = 20000                    # Of a load that all shall be able to carry.


class NoDatapath(RuntimeError):
    """The lab does not come up with this data path."""


def swapped(value):
    return int.from_bytes(value.to_bytes(4, "little"), "big")


class Tof:
    """'config': a file, at its site.  'engine': another one's, or None for one
    of its own."""

    def __init__(self, run, datapath, config=None, site=HERE, engine=None):
        self.run, self.datapath = run, datapath
        options = ["--peers", "none"]
        options += ["--config", config] if config else \
            ["--datapath", datapath]
        self.lab = Lab(*options, site=site)
        self.name = site.ns     # Of namespaces and of ends.
        self.api = self.lab.api
        self.engine = engine
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            self.lab.up()
        except AssertionError as e:
            raise NoDatapath(f"the lab is not up: {reason(e)}") from e
        self._stack.callback(self.lab.down)
        try:
            if not self.engine:
                self.engine = self._stack.enter_context(Engine())
            for ns, dev in (("lab-tof", "enb0"), ("lab-tof", "sgw0"),
                            ("tof-app", "app0")):
                rig.open_for_xdp(self.name(ns), dev)
            self.ends()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_):
        self._stack.close()

    def ends(self):
        self.end("sgw", "lab-sgw", "s1u0", "sgw", teid_xor=DOWN,
                 target=swapped(TARGET))
        self.end("enb", "lab-enb", "s1u0", "sink", match_at=GPDU_AT,
                 match_mask=GPDU_MASK, match_value=GPDU,
                 stamp_at=rig.GTP_STAMP)
        self.end("app", "lab-app", "app0", "echo", port=7,
                 stamp_at=rig.PLAIN_STAMP)

    def end(self, name, ns, dev, kind, **conf):
        self.engine.end(self.name(name), ns=self.name(ns), dev=dev, kind=kind,
                        **conf)

    def count(self, end):
        return self.engine.count(self.name(end))

    def uplink(self, name, frames, sessions=1, first=0, **conf):
        """A flow from UEs 'first' and on, each with a tunnel of its own."""
        self.engine.flow(name, frames, ns=self.name("lab-enb"), dev="s1u0",
                         **{**rig.GTP, **conf})
        self.engine.set(name, sessions=sessions, first=first, id_base=1,
                        addr_base=rig.UE_FIRST)

    def set_apart(self):
        """tofd and Open vSwitch to processor 1: a paced sender (which waits in
        a loop) has processor 0 for itself, and what the kernel does with its
        packets."""
        pids = [self.pid()]
        with contextlib.suppress(OSError):
            with open(f"{self.lab.state}/run/ovs/ovs-vswitchd.pid",
                      encoding="ascii") as f:
                pids.append(int(f.read()))
        for pid in pids:
            netns.run_in(None, *self.lab.site.command(
                "taskset", "-a", "-c", "-p", 1, pid))

    def register(self):
        self.api.register("bench", SERVICE_IP, APP)

    def metric(self, name):
        return self.api.metrics()[name]

    def filtered(self, fate, side="enb"):
        return self.metric(
            f'tof_filter_packets_total{{side="{side}",fate="{fate}"}}')

    def known(self):
        return int(sum(v for k, v in self.api.metrics().items()
                       if k.startswith("tof_bearers{")))

    def proved(self):
        return int(self.metric("tof_bearers_proved_total"))

    def learned(self):
        return int(self.metric("tof_bearers_learned_total"))

    def establish(self, flow, sessions, rate=500, timeout=60):
        """Until all sessions of 'flow' are diverted: what is sent of them
        comes back, every packet.  'rate': so many packets a second, or a
        second for all sessions: nobody shall fall silent meanwhile."""
        end = time.monotonic() + timeout
        rate = max(rate, min(sessions, RATE))
        while True:
            before = self.count("enb")
            sent, _ = self.engine.trickle(flow, max(sessions, 20), rate)
            arrived = self.came_back(before, sent)
            if arrived >= sent and self.all_short(flow, sessions, rate):
                return
            if time.monotonic() > end:
                raise AssertionError(
                    f"{sessions} sessions are not diverted in {timeout} s")

    def all_short(self, flow, sessions, rate):
        """A packet of each session, and none of them was held."""
        held = self.filtered("held")
        before = self.count("enb")
        sent, _ = self.engine.trickle(flow, max(sessions, 20), rate)
        self.came_back(before, sent)
        time.sleep(0.1)
        return self.filtered("held") == held

    def came_back(self, before, sent):
        return rig.arrived_at(self.engine, self.name("enb"), before, sent, 0.3)

    def pid(self):
        return self.lab.pid()


def reason(error):
    """The line of lab.sh's output, or of tofd's log in it, that says why."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for word in ("not supported", "datapath", "error", "cannot", "failed"):
        for line in reversed(lines):
            if word in line and "lab.sh" not in line:
                return line[:200]
    return lines[-1][:200] if lines else "no reason given"


def each_datapath(run, bench, func, config=None):
    """func(tof) with each data path that was asked for."""
    for datapath in run.datapaths:
        try:
            with Tof(run, datapath, config) as tof:
                func(tof)
        except NoDatapath as e:
            run.report.not_available(bench, str(e), datapath)


def wait_metric(tof, name, value, timeout):
    return wait_until(lambda: tof.metric(name) >= value, timeout, name,
                      interval=0.05)
