# SPDX-License-Identifier: GPL-3.0-or-later
"""100 000 random events through the real data plane, and a judge: no packet of
one UE ever leaves in another's tunnel.  See tests/model/world.h for what the
network may do, and what of it nobody can know.

TOF_MODEL_SEED and TOF_MODEL_EVENTS choose another run."""

import os
import random
import re

import pytest

from tofnet.lab import TOP
from tofnet.netns import run_in
from tofnet.wait import PATIENCE

EVIDENCE = 1
EVENTS = int(os.environ.get("TOF_MODEL_EVENTS", 100000))
PER_SECOND = 1100
DECAPSULATED = ('tof_xdp_packets_total{program="enb",verdict="redirect",'
                'reason="decapsulated"}')

# What the model takes for granted, in ms.  SILENCE: an identifier that was
# given up in silence is not used again before; it is the evidence time and
# 2 s: Open vSwitch's leases count whole seconds and are expired once a second,
# and a proof counts from when the agent has read it, which on a busy machine
# is later than it came.  MARKER: the same after an End Marker, which the agent
# reads a copy of: 80 ms late has been seen with other labs on the machine
# (test_model.c, where it is read at once, has 0).  FLIGHT: how long what has
# left the TOF is under way.  SHOWS: packets in a tunnel by which the agent knows
# its UE; of one alone the copy may be lost in a queue that is full.  On a slow
# machine all of this, and the events too, take so much longer.
SLOW = int(PATIENCE)
SILENCE, MARKER, FLIGHT = 1000 * EVIDENCE + 2000 * SLOW, 500 * SLOW, 20 * SLOW
SHOWS = 2


QUICK = (("evidence_seconds: 10", f"evidence_seconds: {EVIDENCE}"),
         ("idle_seconds: 300", "idle_seconds: 30"),
         ("may_connect: true", "may_connect: false"))


@pytest.fixture
def quick(lab):
    with lab.configured(*QUICK):
        yield lab


def numbers(text):
    """'12 asked, 3 answered' -> {"asked": 12, "answered": 3}"""
    return {what: int(n) for n, what in re.findall(
        r"(\d+) ((?:X2 |S1 )?[a-z]+(?: [a-z]+)?)", text)}


@pytest.mark.usefixtures("quick")
def test_random_events(api, datapath):
    random_events(api, datapath, EVENTS)


def random_events(api, datapath, events, *where):
    """'where': what else model_driver wants to know."""
    api.register()
    seed = int(os.environ.get("TOF_MODEL_SEED", random.randrange(1 << 32)))
    before = api.metrics()
    p = run_in(None, os.path.join(TOP, "tests/model/model_driver"), seed,
               events, events // PER_SECOND * SLOW, SILENCE, MARKER, FLIGHT, SHOWS,
               *where,
               check=False, timeout=300)
    print(p.stdout, p.stderr)
    after = api.metrics()
    n = numbers(p.stdout)
    for name in ("tof_bearers_proved_total", "tof_hold_released_total",
                 "tof_filter_divert_total", "tof_hold_switched_total",
                 DECAPSULATED):
        n[name] = int(after.get(name, 0) - before.get(name, 0))
        print(f"# {name}: {n[name]}")
    assert p.returncode == 0 and "violations: 0" in p.stdout
    share = events / 100000
    assert n["asked"] >= 40000 * share
    assert n["answered"] >= n["asked"] / 3 / PATIENCE
    assert n["attaches"] >= 1000 * share and n["X2 handovers"] >= 500 * share
    assert n["downlink tunnels"] >= 2000 * share
    share /= PATIENCE
    assert n["tof_bearers_proved_total"] >= 5000 * share
    if datapath == "ovs":
        assert n["tof_filter_divert_total"] >= 3000 * share
    else:
        assert n[DECAPSULATED] >= 10000 * share
    assert n["tof_hold_released_total"] >= 5000 * share
