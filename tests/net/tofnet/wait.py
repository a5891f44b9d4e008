# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a condition, never for a time."""

import os
import time

# How much slower than usual this machine is (scripts/vm.sh measures it): so
# much longer is waited for what has to come.
PATIENCE = float(os.environ.get("TOF_TEST_PATIENCE", "1"))


class Timeout(AssertionError):
    """A condition that did not come true in time."""


def wait_until(cond, timeout=5, what=None, interval=0.01):
    """Calls cond() until it gives something true, and returns that.  An
    exception of cond() counts as false; the last one is shown."""
    timeout *= PATIENCE
    end = time.monotonic() + timeout
    while True:
        last = None
        try:
            value = cond()
            if value:
                return value
        except Exception as e:  # pylint: disable=broad-except
            last = e
        if time.monotonic() >= end:
            what = what or getattr(cond, "__name__", "condition")
            raise Timeout(f"waited {timeout} s for {what}"
                          + (f": {last!r}" if last else ""))
        time.sleep(interval)
