# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts, one after the other: whoever is told that all is well (/healthz)
may count on it.  TOF_RESTARTS says how many (6)."""

import itertools
import os
import time

from tofnet.background import Background
from tofnet.lab import APP
from tofnet.service import asks, echo, establish, is_text
from tofnet.wait import wait_until

RESTARTS = int(os.environ.get("TOF_RESTARTS", "6"))
QUIET = 0.5                 # Seconds of health before it is put to the test.


class Health(Background):
    """What /healthz says from now on, asked again and again."""

    def __init__(self, api):
        self.api = api
        self.changes = [(True, time.monotonic())]
        super().__init__()

    def _run(self):
        while not self._end.wait(0.005):
            healthy = self.api.healthy()
            if healthy != self.changes[-1][0]:
                self.changes.append((healthy, time.monotonic()))

    def is_back(self):
        """It has been bad, and good again for a while."""
        healthy, since = self.changes[-1]
        return len(self.changes) > 1 and healthy \
            and time.monotonic() - since >= QUIET


def restart_tofd(lab):
    lab.tofd("kill")
    lab.tofd("start")


def end_tofd(lab):
    lab.tofd("restart")


def restart_ovs(lab):
    lab.ovs("stop")
    lab.ovs("start")


def crash_ovs(lab):
    lab.ovs("kill")
    lab.ovs("start")


# With xdp there is a vswitchd to restart, but nothing depends on it.
ACTIONS = {"ovs": [restart_tofd, restart_ovs, end_tofd, crash_ovs],
           "xdp": [restart_tofd, end_tofd]}


def test_health_is_true_after_each_restart(lab, net, api, datapath):
    """A service that is registered then is in force, a UE that nobody has seen
    and one that everybody knows get their answers, and health stays."""
    api.register()
    known = establish(net)
    actions = itertools.cycle(ACTIONS[datapath])
    for i in range(RESTARTS):
        action = next(actions)
        with Health(api) as health:
            action(lab)
            wait_until(health.is_back, 20, f"health after {action.__name__}")
            service = f"198.51.100.{100 + i % 100}"
            api.register("late", service, APP)
            new = net.bearer(f"10.46.{i // 200}.{1 + i % 200}")
            for b in (known, new):
                text = asks(b)
                b.wait_downlink(is_text(text), what=f"{b.ue} after {i}: "
                                f"{action.__name__}")
                b.uplink(echo(b.ue, b"late", service))
                b.wait_downlink(is_text(b"late"), what=f"{b.ue}, to the late "
                                f"service, after {i}: {action.__name__}")
            api.unregister("late")
        states = [healthy for healthy, _ in health.changes]
        assert states == [True, False, True], (i, action, health.changes)
        net.enb.clear()
        net.sgw.clear()
        if new in net.bearers:
            net.forget(new)
