# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a condition, never for a time."""

import time


class Timeout(AssertionError):
    """A condition that did not come true in time."""


def wait_until(cond, timeout=5, what=None, interval=0.01):
    """Calls cond() until it gives something true, and returns that.  An
    exception of cond() counts as false; the last one is shown."""
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
