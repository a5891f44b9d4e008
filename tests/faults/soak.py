# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/soak.sh: the random network of tests/model, with faults and REST at
once, hour after hour; and between rounds everything is back at its level.

    soak.py HOURS DATAPATH [SEED]"""

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import time

TOP = os.path.normpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path[:0] = [os.path.join(TOP, "tests/net"), os.path.dirname(__file__)]

# pylint: disable=wrong-import-position
import test_faults                                      # noqa: E402
from tofnet.background import Background                # noqa: E402
from tofnet.lab import Lab, changed, ofctl              # noqa: E402
from tofnet.netns import run_in                         # noqa: E402
from tofnet.wait import PATIENCE, wait_until            # noqa: E402

EVENTS, PER_SECOND = 60000, 1000
EVIDENCE, IDLE = 1, 10
CONFIG = (("evidence_seconds: 10", f"evidence_seconds: {EVIDENCE}"),
          ("idle_seconds: 300", f"idle_seconds: {IDLE}"),
          ("may_connect: true", "may_connect: false"))

# While tofd is dead it misses End Markers, and what is diverted goes on as
# long as the evidence lasts: so identifiers are not used again before that.
SLOW = int(PATIENCE)
TIMES = 1000 * EVIDENCE + 4000 * SLOW, 1000 * EVIDENCE + 4000 * SLOW, \
    100 * SLOW
# Nor does a tofd know of UEs that its predecessor, or nobody, has seen: in whose
# tunnel it pings is not judged.
SHOWS = 0

# A quarter above, and a little, which caches may keep.
SLACK = {"rss_kb": 20000, "fds": 4, "ovs_rss_kb": 30000, "ovs_fds": 8}


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def elements(ns):
    """Of all sets and maps, but for what counts the time."""
    tables = json.loads(run_in(ns, "nft", "-j", "list", "ruleset").stdout)
    return sum(len(s.get("elem", [])) for item in tables["nftables"]
               for s in [item.get("set") or item.get("map") or {}])


def levels(lab, datapath):
    """What may grow."""
    pid, switch = lab.pid(), test_faults.ovs_pid("ovs-vswitchd")
    out = {"rss_kb": memory(pid), "fds": descriptors(pid),
           "ovs_rss_kb": memory(switch), "ovs_fds": descriptors(switch),
           "conntrack": int(run_in("tof-app", "sysctl", "-n",
                                   "net.netfilter.nf_conntrack_count").stdout)}
    for ns in ("lab-tof", "tof-learn", "tof-app"):
        out[f"elements in {ns}"] = elements(ns)
    if datapath == "ovs":
        for bridge in ("br-gtp", "br-tof"):
            out[f"flows of {bridge}"] = ofctl(
                bridge, "dump-flows").count("cookie")
    for name, value in lab.api.metrics().items():
        if re.match(r"tof_(sessions|bearers|hold_packets)\b(?!.*_total)",
                    name):
            out[name] = int(value)
    return out


class Clients(Background):
    """REST, all the time: services come and go, and everything is read."""

    def __init__(self, api, rnd):
        self.api, self.rnd, self.n, self.failed = api, rnd, 0, {}
        super().__init__()

    def _once(self):
        name = f"s{self.rnd.randrange(20)}"
        spec = {"name": name, "serviceIP": f"198.51.100.{100 + int(name[1:])}",
                "applicationIP": "192.168.100.10"}
        what = self.rnd.randrange(6)
        answer = (self.api.post("/service", spec) if what < 2
                  else self.api.delete(f"/service/{name}") if what < 4
                  else self.api.get(self.rnd.choice((
                      "/session?limit=50", "/status", "/metrics", "/peer",
                      "/service", "/healthz"))))
        self.n += 1
        # 400: the way to the App is down.
        if answer.status not in (200, 404, 409, 503) and not (
                answer.status == 400 and "route" in answer.text):
            self.failed[answer.status] = answer.text

    def _run(self):
        while not self._end.wait(0.02):
            with contextlib.suppress(OSError, ValueError):
                self._once()


class Faults(Background):
    """One after the other, each ended before the next."""

    def __init__(self, lab, rnd, datapath):
        self.lab, self.rnd, self.done = lab, rnd, []
        self.faults = [f for f in test_faults.FAULTS
                       if f.datapath in (None, datapath) and not f.cuts
                       and not f.name.endswith("unmounted")]
        super().__init__()

    def _run(self):
        while not self._end.wait(self.rnd.uniform(2, 8)):
            fault = self.rnd.choice(self.faults)
            with contextlib.suppress(AssertionError, OSError):
                fault.act(self.lab)
                self._end.wait(fault.lasts)
            if fault.undo:
                fault.undo(self.lab)
            self.done.append(fault.name)
            wait_until(self.lab.api.healthy, 60, f"health after {fault.name}")


def one_round(lab, rnd, datapath):
    """Random events, faults and REST at once; gives the driver's report."""
    lab.api.register()
    seed = rnd.randrange(1 << 32)
    with Clients(lab.api, rnd) as clients, \
            Faults(lab, random.Random(seed), datapath) as faults:
        p = subprocess.run(
            [f"{TOP}/tests/model/model_driver", *map(str, (
                seed, EVENTS, EVENTS // PER_SECOND * SLOW, *TIMES,
                SHOWS))],
            capture_output=True, text=True, check=False, timeout=3600)
    if p.returncode or "violations: 0" not in p.stdout:
        sys.exit(f"soak: seed {seed}, faults {faults.done}:\n"
                 f"{p.stdout}{p.stderr}")
    if clients.failed:
        sys.exit(f"soak: REST answered {clients.failed}")
    return faults.done, clients.n


def back_at_level(lab, datapath, level):
    """Waits until nothing is above it; gives what still is."""
    above = {}

    def is_back():
        above.clear()
        for name, now in levels(lab, datapath).items():
            limit = level.get(name, 0) * 1.25 + SLACK.get(name, 20)
            if now > limit:
                above[name] = now, level.get(name)
        return not above

    with contextlib.suppress(AssertionError):
        wait_until(is_back, IDLE + 150, "levels", interval=1)
    return above


def main(hours, datapath, seed):
    rnd = random.Random(seed)
    print(f"soak: {hours} h, {datapath}, seed {seed}", flush=True)
    lab = Lab("--peers", "none", "--datapath", datapath)
    lab.up()
    try:
        lab.restart_with(changed(lab.config(), CONFIG))
        one_round(lab, rnd, datapath)           # Caches fill.
        lab.api.clean()
        wait_until(lambda: not lab.api.sessions(), IDLE + 60, "no sessions")
        level = levels(lab, datapath)
        print(f"soak: level {level}", flush=True)
        end, n = time.monotonic() + hours * 3600, 0
        while time.monotonic() < end:
            done, calls = one_round(lab, rnd, datapath)
            lab.api.clean()
            n += 1
            above = back_at_level(lab, datapath, level)
            print(f"soak: round {n}: {len(done)} faults, {calls} REST calls, "
                  f"above its level: {above or 'nothing'}; "
                  f"{levels(lab, datapath)}", flush=True)
            if above:
                sys.exit(1)
    finally:
        lab.down()
    print(f"soak: {n} rounds, all back at their level")


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2],
         int(sys.argv[3]) if len(sys.argv) > 3 else int(time.time()))
