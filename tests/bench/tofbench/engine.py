# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/bench/engine.c as an object: live frames, and what arrives of them."""

import os
import subprocess
from dataclasses import dataclass

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class EngineError(RuntimeError):
    """What the engine answered instead of "ok"."""


@dataclass
class Count:
    packets: int
    bytes: int
    other: int
    first: int                  # ns, CLOCK_MONOTONIC
    last: int

    def __sub__(self, before):
        return Count(self.packets - before.packets, self.bytes - before.bytes,
                     self.other - before.other, self.first, self.last)


class Engine:
    """One process on one processor; with Engine() as engine: ..."""

    def __init__(self, cpu=0, build=None):
        build = build or os.environ.get("TOF_BENCH_BUILD", HERE)
        self._process = subprocess.Popen(
            [os.path.join(build, "engine"), build, str(cpu)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._asked = ""

    def start(self, *words, **keys):
        """Begins a command; nothing else may be asked before finish()."""
        line = " ".join([*map(str, words), *(
            f"{k}={int(v) if isinstance(v, bool) else v}"
            for k, v in keys.items() if v is not None)])
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        self._asked = line[:100]

    def finish(self):
        """Gives the words behind "ok"."""
        answer = self._process.stdout.readline().split()
        if not answer or answer[0] != "ok":
            raise EngineError(f"{self._asked}: {' '.join(answer)}")
        return answer[1:]

    def ask(self, *words, **keys):
        self.start(*words, **keys)
        return self.finish()

    def flow(self, name, frames, **conf):
        """A flow of 'frames' (bytes each; several take turns)."""
        self.ask("flow", name, mixed=len(frames) > 1, **conf)
        if len(frames) == 1:
            self.ask("slot", name, -1, frames[0].hex())
        for i, frame in enumerate(frames if len(frames) > 1 else ()):
            self.ask("slot", name, i, frame.hex())

    def frame(self, name, frame):
        """From now on the flow consists of this one."""
        self.ask("slot", name, -1, frame.hex())

    def set(self, name, **state):
        self.ask("set", name, **state)

    def send(self, name, packets, rate=0):
        """Gives how many were sent in how many seconds."""
        sent, ns = self.ask("send", name, packets=int(packets), rate=rate)
        return int(sent), int(ns) / 1e9

    def trickle(self, name, packets, rate, by=None, at=None):
        """The same by a packet socket, in a burst each millisecond.  Frame
        'at' and on leave where those of flow 'by' do."""
        sent, ns = self.ask("trickle", name, packets=int(packets), rate=rate,
                            by=by, at=at)
        return int(sent), int(ns) / 1e9

    def compare(self, name, subject, packets, rounds):
        """ns a packet: the bare redirect's of each round, the subject's."""
        ns = [int(v) / packets for v in self.ask(
            "compare", name, packets=packets, rounds=rounds,
            **{"with": subject})]
        return ns[0::2], ns[1::2]

    def trial(self, name, subject, packets, rounds):
        """As compare(), but with all that a system call of 'packets' frames
        takes: some 20 ms are for setting up and ending it."""
        ns = [int(v) / packets for v in self.ask(
            "compare", name, packets=packets, rounds=rounds, wall=1,
            **{"with": subject})]
        return ns[0::2], ns[1::2]

    def end(self, name, **conf):
        self.ask("end", name, **conf)

    def count(self, name):
        return Count(*map(int, self.ask("count", name)))

    def reset(self, name):
        self.ask("reset", name)

    def samples(self, name, first, last):
        """Latencies in ns by sequence number; 0: did not come."""
        return self._numbers("samples", name, first, last)

    def sent(self, name, first, last):
        """When, in ns of the same clock, by sequence number; of a flow with
        log=1."""
        return self._numbers("sent", name, first, last)

    def _numbers(self, what, name, first, last):
        out = []
        for start in range(first, last, 10000):
            out += map(int, self.ask(what, name, start,
                                     min(start + 10000, last)))
        return out

    def drop(self, name):
        self.ask("drop", name)

    def close(self):
        self._process.stdin.close()
        self._process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
