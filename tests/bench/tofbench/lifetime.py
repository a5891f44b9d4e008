# SPDX-License-Identifier: GPL-3.0-or-later
"""memory, restart: many sessions, and what becomes of them."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time

from tofnet.lab import LAB, SERVICE_IP, lab_sh
from tofnet.wait import wait_until

from . import rig, tof
from .report import name
from .switch import alive

# As the lab's, but what is learned stays learned while a bench lasts.
CONFIG = """\
s1u: {{enb: enb0, sgw: sgw0}}
apps: {{interface: app0, address: 192.168.100.1/24}}
datapath: {datapath}
pinger: {{targets: 203.0.113.10}}
sessions: {{max: 1000000, idle_seconds: 3600}}
run_dir: /run/tof-lab/run
state_dir: {state}
"""


@contextlib.contextmanager
def config_file(datapath, state):
    path = f"/run/bench-{datapath}.yaml"
    with open(path, "w", encoding="ascii") as f:
        f.write(CONFIG.format(datapath=datapath, state=state))
    yield path
    os.unlink(path)


def each_datapath(run, bench, func, disk=False):
    """With its state on a disk, or in memory."""
    for datapath in run.datapaths:
        with tempfile.TemporaryDirectory(
                dir="/var/tmp" if disk else "/run") as state, \
                config_file(datapath, state) as config:
            try:
                with tof.Tof(run, datapath, config) as t:
                    func(t)
            except tof.NoDatapath as e:
                run.report.not_available(bench, str(e), datapath)


def learn(t, flow, sessions, rate):
    """Until so many sessions of 'flow' are proved: what is not yet is sent
    again."""
    done = 0
    while done < sessions:
        n = min(sessions - done, int(rate))
        t.engine.set(flow, sessions=n, first=done, next=0)
        t.engine.trickle(flow, n, rate)
        done += n
    for _ in range(20):
        if still_at(t.proved) >= sessions:
            return
        t.engine.set(flow, sessions=sessions, first=0, next=0)
        t.engine.trickle(flow, sessions, 3 * rate)
    raise AssertionError(f"{t.proved()} of {sessions} sessions are proved")


def still_at(count, still=0.5):
    last, since = count(), time.monotonic()
    while time.monotonic() - since < still:
        time.sleep(0.05)
        now = count()
        if now != last:
            last, since = now, time.monotonic()
    return last


# --- memory ------------------------------------------------------------------

class Cgroup:
    """A memory control group of the kernel's, version 1 or 2: what programs in
    it have, what the kernel has for them, and what their packets took.  Not
    what is cached of files on a disk."""

    def __init__(self):
        self.path = None
        for kind, options, used, self._cached in (
                ("cgroup2", [], "memory.current", "file"),
                ("cgroup", ["-o", "memory"], "memory.usage_in_bytes",
                 "cache")):
            at = f"/run/bench-{kind}"
            os.makedirs(at, exist_ok=True)
            subprocess.run(["mount", "-t", kind, *options, kind, at],
                           check=False, stderr=subprocess.DEVNULL)
            path = f"{at}/tof-bench-{os.getpid()}"
            if not self._make(kind, at, path):
                continue
            if os.path.exists(f"{path}/{used}"):
                self.path, self._used = path, f"{path}/{used}"
                return
            os.rmdir(path)

    @staticmethod
    def _make(kind, at, path):
        try:
            if kind == "cgroup2":
                with open(f"{at}/cgroup.subtree_control", "w",
                          encoding="ascii") as f:
                    f.write("+memory")
            os.mkdir(path)
        except OSError:
            return False
        return True

    def enter(self, path=None):
        """This process, and what it starts from now on."""
        with open(f"{path or self.path}/cgroup.procs", "w",
                  encoding="ascii") as f:
            f.write(str(os.getpid()))

    def used(self):
        with open(self._used, encoding="ascii") as f:
            used = int(f.read())
        with open(f"{self.path}/memory.stat", encoding="ascii") as f:
            stat = {k: int(v) for k, v in map(str.split, f)}
        return used - (stat[self._cached] - stat["shmem"])

    def close(self):
        self.enter(os.path.dirname(self.path))
        wait_until(self._remove, 10, "the control group to be empty")

    def _remove(self):
        os.rmdir(self.path)
        return True


def resident(pid):
    """Bytes of a process's own: not of its files."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no RssAnon")


def memory(run):
    group = Cgroup()
    if group.path:
        group.enter()
    sessions = run.pick(1000000, 20000)

    def measure(t):
        report, dp = run.report, t.datapath
        # A first few, so that what is allocated once is there.
        t.uplink("new", [rig.uplink(100)])
        learn(t, "new", 1000, 1000)
        own, all_of_it = resident(t.pid()), group.used() if group.path else 0
        learn(t, "new", sessions, 12000)
        n = sessions - 1000
        report.add("memory", "sessions", t.proved(), "sessions", datapath=dp)
        report.add("memory", "tofd-per-session",
                   (resident(t.pid()) - own) / n, "bytes", datapath=dp)
        if group.path:
            report.add("memory", "all-per-session",
                       (group.used() - all_of_it) / n, "bytes", datapath=dp)
            report.add("memory", "all", group.used() / 1e6, "MB", datapath=dp)

    try:
        each_datapath(run, "memory", measure, disk=True)
    finally:
        if group.path:
            group.close()


# --- restart -----------------------------------------------------------------

def adopted(t, sessions):
    try:
        return t.known() >= sessions
    except OSError:
        return False


def restart(run):
    sessions, active = run.pick(100000, 2000), run.pick(1000, 100)

    def measure(t):
        t.register()
        t.uplink("idle", [rig.uplink(100)])
        learn(t, "idle", sessions, 10000)
        t.uplink("load", [rig.uplink(100, SERVICE_IP)], active)
        for i in range(run.pick(5, 1)):
            t.establish("load", active)
            kill_once(t, i, sessions)

    def kill_once(t, i, sessions):
        seconds = run.pick(6, 3)
        before = t.engine.count("app").packets
        t.engine.start("trickle", "load", packets=tof.RATE * seconds,
                       rate=tof.RATE)
        time.sleep(1)
        pid = t.pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid), 5, "tofd to be dead")
        started = time.monotonic()
        starter = subprocess.Popen([LAB, "tofd", "start"],
                                   stdout=subprocess.DEVNULL)
        wait_until(lambda: adopted(t, sessions), 60, "all to be adopted",
                   interval=0.01)
        took = time.monotonic() - started
        starter.wait()
        sent = int(t.engine.finish()[0])
        arrived = still_at(lambda: t.engine.count("app").packets) - before
        where = {"try": i + 1}
        add = run.report.add
        add("restart", name("lost", **where), sent - arrived, "packets", sent,
            t.datapath)
        add("restart", name("adopted", **where), took, "s",
            datapath=t.datapath)
        lab_sh("tofd", "start")

    each_datapath(run, "restart", measure)
