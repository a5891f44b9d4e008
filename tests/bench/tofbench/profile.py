# SPDX-License-Identifier: GPL-3.0-or-later
"""perf, while a bench runs: what the processors were busy with."""

import contextlib
import os
import subprocess


# Ours; all others on this machine are left out.
PROGRAMS = ("tofd,engine,ovs-vswitchd,ksoftirqd/0,ksoftirqd/1,"
            + ",".join(f"{kind}{n:02d}" for kind in ("pmd-c", "pmd-c0")
                       for n in range(4)) + ","
            + ",".join(f"{kind}{n}" for kind in ("handler", "revalidator")
                       for n in range(32)))


class Profile:
    """'directory': where reports go; None: nothing is recorded."""

    def __init__(self, directory):
        self._dir = os.path.abspath(directory) if directory else None
        if self._dir:
            os.makedirs(self._dir, exist_ok=True)

    @contextlib.contextmanager
    def of(self, name):
        if not self._dir:
            yield
            return
        data = os.path.join(self._dir, name + ".data")
        perf = subprocess.Popen(
            ["perf", "record", "-q", "-a", "-g", "-e", "cpu-clock", "-F",
             "499", "-o", data], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            perf.terminate()
            perf.wait()
            self._report(name, data)

    def _report(self, name, data):
        for suffix, options in (("", ["--no-children", "-g", "none"]),
                                ("-callers", ["--children", "-g", "caller"])):
            with open(os.path.join(self._dir, name + suffix + ".txt"), "w",
                      encoding="utf-8") as f:
                subprocess.run(
                    ["perf", "report", "--stdio", "-i", data,
                     "--comms", PROGRAMS, "--percentage", "relative",
                     "--percent-limit", "0.5", "--sort", "comm,dso,symbol",
                     *options], stdin=subprocess.DEVNULL, stdout=f,
                    stderr=subprocess.DEVNULL, check=False)
        os.remove(data)
