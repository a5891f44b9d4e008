# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 at each place where something is written down: the next one finds
what was there before, or what was to be there, and all are served."""

import itertools
import os
import signal
import subprocess
import time

import pytest

from test_faults import ovs_pid
from tofnet.lab import APP6, SERVICE_IP6, STATE, TOP
from tofnet.netns import command_in, run_in
from tofnet.wait import PATIENCE, wait_until
from tofnet.witness import Witness

DIE_AT = f"{TOP}/tests/faults/die_at"
DIR = f"{STATE}/state"
MAX = 200                       # More places than there are.

pytestmark = pytest.mark.thorough


class Doomed:
    """A process that is killed at the n-th place, if it comes to it."""

    def __init__(self, *argv):
        self._p = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.DEVNULL)

    def wait_ready(self):
        assert self._p.stdout.readline() == "ready\n"

    def is_dead(self):
        return self._p.poll() is not None

    def ask_to_end(self):
        """SIGTERM to the command that it has started."""
        pid = self._p.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            for child in f.read().split():
                os.kill(int(child), signal.SIGTERM)

    def last_words(self):
        return self._p.communicate(timeout=20 * PATIENCE)[0].strip()

    def end(self):
        """What it looks at ends, too."""
        if not self.is_dead():
            self._p.kill()
        self._p.communicate()


def attempts(doomed, *acts):
    """Does what makes a process write; it may be dead before."""
    for act in acts:
        if doomed.is_dead():
            return
        try:
            act()
        except (OSError, AssertionError, ValueError):
            pass


def names(api):
    return {s["name"] for s in api.services()}


def note(record, name, what, w, n):
    o = w.outcome()
    record(name, what=f"{what} ({n} places)", lost_up=o.lost_up,
           lost_down=o.lost_down, sent=len(w.up), known=vars(o.known),
           new=vars(o.new), back=o.back, ends=True, cuts=False)
    assert (o.lost_up, o.lost_down) == (0, 0), o


def start_doomed(lab, n):
    with open(f"{STATE}/config-path", encoding="utf-8") as f:
        config = f.read().strip()
    return Doomed(*command_in("lab-tof", DIE_AT, n, DIR, f"{TOP}/tofd", "-c",
                              config))


def test_tofd_at_every_write(lab, net, api, record):
    """From its start to its end: journal, usage, and what else it writes."""
    api.register()
    api.register("six", SERVICE_IP6, APP6)
    with lab.configured(("(?m)^registry:", "usage: {interval_seconds: 1}\n"
                         "registry:")), Witness(net, api) as w:
        w.goes_on(1.5)
        known = {s["id"] for s in api.sessions()}
        for n in range(1, MAX):
            lab.tofd("kill")
            doomed = start_doomed(lab, n)
            try:
                wait_until(lambda: doomed.is_dead() or api.healthy(), 20,
                           "tofd, or its end")
                attempts(doomed, w.new_ues,
                         lambda: api.register("more", "198.51.100.50"),
                         lambda: api.unregister("more"),
                         lambda: w.goes_on(2.5))
                attempts(doomed, doomed.ask_to_end)
                words = doomed.last_words()
            finally:
                doomed.end()
            begun = time.monotonic()
            lab.tofd("start")
            w.wait_served(begun)
            assert known <= {s["id"] for s in api.sessions()}, words
            assert {"svc", "six"} <= names(api) <= {"svc", "six", "more"}
            if "more" in names(api):
                api.unregister("more")
            if words.startswith("ended"):
                break
        else:
            pytest.fail("there is no end")
    note(record, "tofd-at-every-write",
         "tofd is killed just before each write to a file", w, n - 1)


def test_database_at_every_write(lab, net, api, record):
    """The registry of services: a change is there, or it is not."""
    api.register()
    api.register("six", SERVICE_IP6, APP6)
    appctl = os.path.join(os.environ.get("TOF_OVS_DIR", ""), "bin/ovs-appctl")
    with Witness(net, api) as w:
        for n in itertools.count(1):
            assert n < MAX
            pid = ovs_pid("ovsdb-server")
            doomed = Doomed(DIE_AT, "-p", str(pid), str(n), DIR)
            done = []

            def change(call, *args, done=done):
                done.append((call, call(*args)))
            try:
                doomed.wait_ready()
                attempts(
                    doomed,
                    lambda: change(api.register, "more", "198.51.100.50"),
                    lambda: run_in(None, appctl, "-t",
                                   f"{STATE}/run/ovs/ovsdb-server.ctl",
                                   "ovsdb-server/compact"),
                    lambda: change(api.unregister, "more"))
                alive = not doomed.is_dead()
            finally:
                doomed.end()
            begun = time.monotonic()
            lab.ovs("start")
            w.wait_served(begun)
            assert {"svc", "six"} <= names(api) <= {"svc", "six", "more"}, n
            assert ("more" in names(api)) or len(done) != 1, n
            if "more" in names(api):
                api.unregister("more")
            if alive:
                break
    note(record, "database-at-every-write",
         "ovsdb-server is killed just before each write to a file", w, n - 1)
