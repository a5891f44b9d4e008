# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test has going on beside itself."""

import threading


class Background:
    """Calls _run() on a thread of its own, from "with" on until its end.
    _run() returns soon after self._end is set."""

    def __init__(self):
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        raise NotImplementedError

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
