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


class Stream(Background):
    """Numbered packets of a UE, one a few milliseconds, until stopped."""

    def __init__(self, bearer, make):
        self.bearer, self.make = bearer, make
        self.sent = []
        super().__init__()

    def _run(self):
        n = 0
        while not self._end.wait(0.002):
            text = b"%s-%06d" % (self.bearer.ue.encode(), n)
            self.sent.append((text, self.bearer.uplink(self.make(text))))
            n += 1
