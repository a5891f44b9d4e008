# SPDX-License-Identifier: GPL-3.0-or-later
"""perf, while a bench runs: what our programs were busy with, each for
itself."""

import contextlib
import os
import re
import subprocess
from collections import defaultdict

# By the names of their threads; all others on this machine are left out.
# Kernel work for a packet shows in whoever sent it.
PROGRAMS = {"engine": r"engine", "tofd": r"tofd",
            "ovs-vswitchd": r"ovs-vswitchd", "pmd": r"pmd-c\d+.*",
            "handler": r"handler\d+", "revalidator": r"revalidator\d+",
            "ksoftirqd": r"ksoftirqd/\d+"}
# The generator's waiting for its next frame.
IDLE = ("read_tsc", "ktime_get_mono_fast_ns", "bpf_ktime_get_ns",
        "still_early", "pv_native_safe_halt")
TOP = 15


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
        with subprocess.Popen(
                ["perf", "record", "-q", "-a", "-e", "cpu-clock", "-F", "499",
                 "-o", data], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as perf:
            try:
                yield
            finally:
                perf.terminate()
        with open(os.path.join(self._dir, name + ".txt"), "w",
                  encoding="utf-8") as f:
            f.write(summary(samples(data)))
        os.remove(data)


def samples(data):
    """(samples, thread, place) of each symbol."""
    p = subprocess.run(
        ["perf", "report", "--stdio", "-i", data, "-g", "none", "-n", "-t",
         "|", "--sort", "comm,symbol"], text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)
    for line in p.stdout.splitlines():
        fields = [f.strip() for f in line.split("|")]
        if len(fields) >= 4 and not line.startswith("#"):
            yield int(fields[1]), fields[2], fields[3]


def summary(rows):
    """For each program its share of what they all did, and what of."""
    total = defaultdict(int)
    places = defaultdict(lambda: defaultdict(int))
    for n, thread, place in rows:
        for program, pattern in PROGRAMS.items():
            if re.fullmatch(pattern, thread) \
                    and not place.endswith(IDLE):
                total[program] += n
                places[program][place] += n
    everything = sum(total.values()) or 1
    out = []
    for program in sorted(total, key=total.get, reverse=True):
        out.append(f"{program}: {100 * total[program] / everything:.1f} % of "
                   f"{everything} samples")
        top = sorted(places[program].items(), key=lambda i: -i[1])[:TOP]
        out += [f"    {100 * n / total[program]:5.1f} %  {place}"
                for place, n in top]
    return "\n".join(out) + "\n"
