# SPDX-License-Identifier: GPL-3.0-or-later
"""Two labs beside each other: the tests' own library (tofnet/site.py)."""

import os
import subprocess
import sys

import pytest

from tofnet import packet as p
from tofnet.emulator import Emulator
from tofnet.lab import Lab, TOP, lab_sh
from tofnet.netns import run_in
from tofnet.pair import ADDRESSES, Pair
from tofnet.site import Site
from tofnet.wait import wait_until

WIRE = ("--no-tof", "--peers", "none")


@pytest.fixture(scope="module")
def pair():
    a = Lab(*WIRE)
    try:
        a.up()
        with Site() as site, Pair(a, Lab(*WIRE, site=site).up()) as both:
            yield both
    finally:
        a.down()


def test_a_frame_stays_at_its_site(pair):
    with Emulator() as a, Emulator(*map(pair.b.site.ns, (
            "lab-enb", "lab-sgw"))) as b:
        frames = [net.bearer("10.45.0.1").uplink(p.ip_udp(
            "10.45.0.1", "203.0.113.77", text))
            for net, text in ((a, b"a"), (b, b"b"))]
        for net, frame in zip((a, b), frames):
            net.sgw.wait(frame)
            assert net.sgw.frames == [frame]


def test_both_tofs_reach_each_other(pair):
    pair.a.run("lab-tof", "ping", "-c", 1, "-W", 2, ADDRESSES[1])
    pair.b.run("lab-tof", "ping", "-c", 1, "-W", 2, ADDRESSES[0])


def test_each_has_files_of_its_own(pair):
    assert pair.a.state != pair.b.state
    assert os.path.isdir(pair.a.state) and os.path.isdir(pair.b.state)
    assert not os.path.samefile(pair.a.state, pair.b.state)


ALONE = """
import os, signal, sys
from tofnet.lab import Lab
from tofnet.site import Site
site = Site("lone")
lab = Lab("--no-tof", "--peers", "none", site=site).up()
print(os.stat("/run/netns/lone-lab-app").st_ino, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_outlives_a_maker_that_was_killed():
    """But for names that lead nowhere, which the next one takes."""
    maker = subprocess.run([sys.executable, "-c", ALONE], text=True,
                           cwd=os.path.join(TOP, "tests/net"), check=False,
                           stdout=subprocess.PIPE)
    inode = maker.stdout.strip()
    assert inode
    wait_until(lambda: inode not in namespaces_in_use(), 10, "its App to end")
    # The names lead there by way of its first process, which ends last.
    wait_until(lambda: not os.path.exists("/run/netns/lone-lab-app"), 10,
               "the names to lead nowhere")
    with Site("lone"):
        pass
    assert not [n for n in os.listdir("/run/netns") if n.startswith("lone")]


CONFIG = """
s1u: {enb: nic0, sgw: nic1}
apps: {interface: nic2, address: 192.168.100.1/24}
pinger: {targets: 203.0.113.10}
state_dir: %s
"""


def refused(site):
    """What "lab.sh up" says of it."""
    p = lab_sh("up", "--peers", "none", site=site, check=False)
    assert p.returncode == 1, p.stdout
    line = p.stdout.splitlines()[-1]
    assert line.endswith("first: service tof stop; tof-net clear")
    return line


def test_a_lab_does_not_share_names_with_a_tof_of_the_host(tmp_path):
    """One that runs, here in vain for want of adapters; and what one has left
    that was stopped."""
    config = tmp_path / "tof.yaml"
    config.write_text(CONFIG % tmp_path)
    with Site("host") as site:
        with subprocess.Popen(site.command(f"{TOP}/tofd", "-c", config),
                              stderr=subprocess.DEVNULL) as tofd:
            lock = site.path("/run/tof/tofd.lock")
            wait_until(lambda: os.path.getsize(lock), what="tofd")
            assert "a TOF of this host runs" in refused(site)
            assert tofd.poll() is None
            with open(lock, encoding="ascii") as f:
                run_in(None, *site.command("kill", int(f.read())))
        run_in(None, *site.command("ip", "netns", "add", "tof-app"))
        assert "has the namespace tof-app" in refused(site)
        assert os.path.exists(site.path("/run/netns/tof-app"))


def namespaces_in_use():
    return run_in(None, "lsns", "-t", "net", "-n", "-o", "NS").stdout.split()
