# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock of the host is set, by a year or an hour, either way.  (Of tofd
alone: tests/faults/clock.c.)"""

import struct
import time

import pytest

from tofnet.lab import APP6, SERVICE_IP6, TOP, lab_sh
from tofnet.wait import wait_until
from tofnet.witness import Witness

PRELOAD = f"{TOP}/tests/faults/clock.so"
HOUR, YEAR = 3600, 365 * 86400


@pytest.fixture
def clock(lab, api, tmp_path):
    """set(seconds): how far the clock of tofd is off; and start() is for a
    tofd that has such a clock."""
    # pylint: disable=unused-argument
    file = tmp_path / "clock"
    file.write_bytes(bytes(8))

    class Clock:
        @staticmethod
        def set(seconds):
            with open(file, "r+b") as f:
                f.write(struct.pack("=q", seconds))

        @staticmethod
        def start():
            lab_sh("tofd", "start", env={"LD_PRELOAD": PRELOAD,
                                         "TOF_CLOCK_FILE": str(file)})
    lab.tofd("stop")
    Clock.start()
    yield Clock
    lab.tofd("restart")


@pytest.mark.parametrize("seconds, name", [
    (YEAR, "a year on"), (-YEAR, "a year back"), (HOUR, "an hour on"),
    (-HOUR, "an hour back")], ids=["clock-year-on", "clock-year-back",
                                   "clock-hour-on", "clock-hour-back"])
@pytest.mark.thorough
def test_clock_is_set(lab, net, api, clock, seconds, name, record, request):
    """And tofd is killed and started after that."""
    # pylint: disable=too-many-arguments
    api.register()
    api.register("six", SERVICE_IP6, APP6)
    with Witness(net, api) as w:
        w.goes_on(1.5)
        known = {s["id"] for s in api.sessions()}
        begun = time.monotonic()
        clock.set(seconds)
        w.wait_served(begun)
        assert known <= {s["id"] for s in api.sessions()}
        w.goes_on(1.5)
        lab.tofd("kill")
        clock.start()
        w.wait_served(time.monotonic())
        assert known <= {s["id"] for s in api.sessions()}
        lab.tofd("kill")
        clock.set(0)
        begun = time.monotonic()
        clock.start()
        w.wait_served(begun)
        wait_until(lambda: known <= {s["id"] for s in api.sessions()},
                   what="the sessions of before")
    o = w.outcome()
    record(request.node.callspec.id.split("-", 1)[1], what="the clock is set "
           f"{name}, tofd is killed and started, twice; the clock is right "
           "again before the last start", lost_up=o.lost_up,
           lost_down=o.lost_down, sent=len(w.up), known=vars(o.known),
           new=vars(o.new), back=o.back, ends=True, cuts=False)
    assert (o.lost_up, o.lost_down) == (0, 0), o
