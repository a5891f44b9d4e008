# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with state_dir when all start: tofd and Open vSwitch start all
the same, say so, and keep what they can."""

import contextlib
import os
import random
import shutil
import time

import pytest

from tofnet import packet as p
from tofnet.lab import APP6, SERVICE_IP6, STATE, lab_sh
from tofnet.netns import run_in
from tofnet.service import OTHER, answered
from tofnet.wait import wait_until
from tofnet.witness import Witness, is_answered

DIR = f"{STATE}/state"
JOURNAL = f"{DIR}/sessions.journal"
RECORD = 128                    # Bytes of a statelet.
MANY = 100                      # New sessions: more than end a page.


@contextlib.contextmanager
def read_only():
    run_in(None, "mount", "--bind", DIR, DIR)
    run_in(None, "mount", "-o", "remount,ro,bind", DIR)
    try:
        yield
    finally:
        run_in(None, "umount", "-l", DIR)


@contextlib.contextmanager
def full():
    """The same files, on a file system that has room for no more."""
    aside = f"{STATE}/state.aside"
    shutil.copytree(DIR, aside)
    used = sum(f.stat().st_size + 4096 for f in os.scandir(aside)) + (64 << 10)
    run_in(None, "mount", "-t", "tmpfs", "-o", f"size={used}", "full", DIR)
    shutil.copytree(aside, DIR, dirs_exist_ok=True)
    with contextlib.suppress(OSError), open(f"{DIR}/filler", "wb",
                                            buffering=0) as f:
        while True:
            f.write(bytes(4096))
    try:
        yield
    finally:
        run_in(None, "umount", "-l", DIR)
        shutil.rmtree(aside)


def end_all(lab):
    lab.tofd("kill")
    lab.ovs("stop")


def start_all(lab):
    lab.ovs("start")
    lab.tofd("start")


def register(api):
    api.register()
    api.register("six", SERVICE_IP6, APP6)


def identity(api):
    return sorted((s["id"], s["ue"], [b["id"] for b in s["bearers"]])
                  for s in api.sessions())


@pytest.mark.parametrize("broken, says", [
    (read_only, "Read-only file system"), (full, "No space left on device")],
    ids=["state-read-only", "state-full"])
def test_state_dir_cannot_be_written(lab, net, api, broken, says, record,
                                     request):
    """Sessions and services are those of before; what changes meanwhile is in
    force, and is in the files when they can be written again."""
    # pylint: disable=too-many-arguments
    register(api)
    with Witness(net, api) as w:
        w.goes_on(1.5)          # The journal is written once a second.
        before = identity(api)
        end_all(lab)
        begun = time.monotonic()
        try:
            with broken():
                start_all(lab)
                wait_until(lambda: identity(api) == before,
                           what="the sessions of before")
                w.wait_served(begun)
                assert {s["name"] for s in api.services()} == {"svc", "six"}
                for i in range(MANY):
                    ue = f"10.45.8.{i + 1}"
                    net.bearer(ue).uplink(p.ip_udp(ue, OTHER, b"hello"))
                part = wait_until(lambda: (q := api.part("journal"))
                                  and not q["ready"] and q,
                                  what="tofd to say so")
                assert says in part["detail"], part
                health = api.get("/status").json["health"]
                assert health["status"] == "degraded", health
                api.register("late", "198.51.100.99")
                lab.tofd("kill")
                lab.ovs("stop")
        finally:
            lab_sh("ovs", "start", check=False)
            lab_sh("tofd", "start", check=False)
        wait_until(lambda: api.part("journal")["ready"], 10, "a journal")
        w.wait_served(time.monotonic())
    o = w.outcome()
    record(request.node.callspec.id.split("-", 1)[1], what="state_dir is "
           + says.lower() + " when all starts", lost_up=o.lost_up,
           lost_down=o.lost_down, sent=len(w.up), known=vars(o.known),
           new=vars(o.new), back=o.back, ends=True, cuts=False)
    assert (o.lost_up, o.lost_down) == (0, 0), o
    assert "late" in {s["name"] for s in api.services()}


def test_state_dir_can_be_written_again(lab, net, api):
    """Then the same tofd keeps everything, what it learned before, too."""
    register(api)
    lab.tofd("kill")
    with read_only():
        lab.tofd("start")
        b = net.bearer("10.45.7.1")
        wait_until(lambda: is_answered(b), what="an answer")
        known = identity(api)
        assert not api.part("journal")["ready"]
    wait_until(lambda: api.part("journal")["ready"], 10, "the journal")
    lab.tofd("kill")
    lab.tofd("start")
    assert identity(api) == known
    answered(b)


# --- Journals that are damaged ------------------------------------------------

def damaged(data, rnd):
    """One way or another."""
    data = bytearray(data)
    at = rnd.randrange(max(1, len(data)))
    how = rnd.randrange(6)
    if how == 0:                # Bits.
        for _ in range(rnd.randrange(1, 200)):
            data[rnd.randrange(len(data))] ^= 1 << rnd.randrange(8)
    elif how == 1:              # The end is missing.
        del data[at:]
    elif how == 2:              # A block that was never written.
        n = rnd.choice((RECORD, 512, 4096))
        data[at // n * n:at // n * n + n] = bytes(n)
    elif how == 3:              # All behind it is not where it was.
        data[at:at] = rnd.randbytes(rnd.randrange(1, 300))
    elif how == 4:              # Another file's contents.
        data[at:] = b"not a journal\n" * rnd.randrange(1, 1000)
    else:
        data = bytearray(rnd.randbytes(rnd.randrange(100000)))
    return bytes(data)


def misdelivered(net, mark):
    """G-PDUs that the eNodeB got in a tunnel that is not their UE's."""
    tunnels = {(b.enb, b.down_teid): b.ue for b in net.bearers}
    return [f for raw in net.enb.since(mark)
            if (f := p.GtpFrame.parse(raw)) and f.kind == p.GPDU
            and tunnels.get((f.ip.dst, f.teid)) != f.inner.dst]


@pytest.mark.parametrize("n", [
    2, pytest.param(100, marks=pytest.mark.thorough)])
def test_damaged_journals(lab, net, api, n, record):
    """Whatever is in it: tofd starts, everybody is served, and nobody gets
    another's packets.  The seed is in the name of what fails."""
    register(api)
    with Witness(net, api) as w:
        w.goes_on(1.5)
        lab.tofd("kill")
        with open(JOURNAL, "rb") as f:
            good = f.read()
        assert len(good) >= 4 * RECORD
        for seed in range(n):
            begun, mark = time.monotonic(), net.enb.mark()
            with open(JOURNAL, "wb") as f:
                f.write(damaged(good, random.Random(seed)))
            lab.tofd("start")
            w.wait_served(begun)
            assert not misdelivered(net, mark), f"seed {seed}"
            lab.tofd("kill")
        lab.tofd("start")
        w.wait_served(time.monotonic())
    o = w.outcome()
    record("damaged-journals", what=f"{n} journals that are damaged at random "
           "(seeds 0 and up), each before a start of tofd",
           lost_up=o.lost_up, lost_down=o.lost_down, sent=len(w.up),
           known=vars(o.known), new=vars(o.new), back=o.back, ends=True,
           cuts=False)
    assert (o.lost_up, o.lost_down) == (0, 0), o
