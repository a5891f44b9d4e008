# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/tof.init, in the lab's namespace and with the lab's configuration:
the lab's own tofd and OVS are stopped meanwhile."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from tofnet import netns
from tofnet.frames import FRAMES
from tofnet.lab import STATE, TOP, lab_sh
from tofnet.netns import RawPort
from tofnet.wait import PATIENCE, wait_until

INIT = os.path.join(TOP, "scripts/tof.init")


class Init:
    def __init__(self, directory):
        with open(f"{STATE}/config-path", encoding="utf-8") as f:
            config = f.read().strip()
        with open(f"{STATE}/ovs-dir", encoding="utf-8") as f:
            ovs_dir = f.read().strip()
        self.pidfile = directory / "tofd.pid"
        self.log = directory / "tofd.log"
        self.env = {
            **os.environ, "TOF_DEFAULTS": "/dev/null", "TOF_CONFIG": config,
            "TOF_OVS_DIR": ovs_dir, "TOFD": f"{TOP}/tofd",
            "TOF_NET": f"{TOP}/scripts/tof-net",
            "TOF_OVS": f"{TOP}/scripts/tof-ovs",
            "TOF_PIDFILE": str(self.pidfile), "TOF_LOGFILE": str(self.log)}
        self.configs = {config}

    def __call__(self, verb, **env):
        self.configs.update(env.get("TOF_CONFIG", "").split())
        # Through pipes: what it starts must not hold them open.
        return subprocess.run(
            netns.command_in("lab-tof", INIT, verb), text=True, timeout=90,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={**self.env, **env}, check=False)

    def ok(self, verb, **env):
        p = self(verb, **env)
        assert p.returncode == 0, (verb, p.returncode, p.stdout)
        return p.stdout

    def stop_everything(self):
        """What was started with any configuration."""
        for config in self.configs:
            self("stop", TOF_CONFIG=config)

    @property
    def pid(self):
        return int(self.pidfile.read_text())


@pytest.fixture
def init(lab, api, tmp_path):
    lab.tofd("stop")
    lab.ovs("stop")
    script = Init(tmp_path)
    try:
        yield script
    finally:
        script.stop_everything()
        netns.run_in("lab-tof", f"{TOP}/scripts/tof-net", "up",
                     env={**os.environ, "S1U_ENB": "enb0", "S1U_SGW": "sgw0"})
        lab_sh("ovs", "start")
        lab.tofd("start")


def healthy(lab):
    wait_until(lab.api.healthy, 30, "tofd to be healthy")


def passes(frame=FRAMES[0][1]):
    with RawPort("lab-enb", "s1u0") as enb, RawPort("lab-sgw", "s1u0") as sgw:
        enb.send(frame)
        try:
            sgw.wait(frame, 1)
        except AssertionError:
            return False
        return True


def test_life(lab, init):
    assert init("status").returncode == 3
    init.ok("start")
    healthy(lab)
    assert "running" in init.ok("status")

    pid = init.pid
    init.ok("start")                    # Again: nothing happens.
    assert init.pid == pid

    # A service survives reload and restart.
    lab.api.register("init", "198.51.100.77")
    for verb in ("reload", "force-reload", "restart"):
        init.ok(verb)
        healthy(lab)
        assert (init.pid == pid) == (verb == "reload")
        pid = init.pid
        wait_until(lambda: [s["name"] for s in lab.api.services()] == ["init"],
                   what=f"the service after {verb}")
    lab.api.unregister("init")

    # A crash is told apart from a stop.
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: init("status").returncode == 1, what="status 1")
    assert passes()
    init.ok("start")
    healthy(lab)

    # Stopped, S1-U passes; the link is cut only when that is asked for.
    init.ok("stop")
    assert init("status").returncode == 3
    assert not init.pidfile.exists()
    assert passes()
    init.ok("stop")
    init.ok("stop", TOF_NET_DOWN="yes")
    assert not passes()
    init.ok("start")
    healthy(lab)
    assert passes()


def test_a_healthy_start_logs_no_warning(lab, init):
    """Neither the first one, nor one that adopts what it finds."""
    init.ok("start")
    healthy(lab)
    lab.api.register("init", "198.51.100.77")
    init.ok("force-reload")
    healthy(lab)
    lab.api.unregister("init")
    said = init.log.read_text()
    assert said.count(": up") == 2
    assert not re.findall(r".*\|(?:WARN|ERR|EMER)\|.*", said)


def test_wrong_configuration_leaves_the_running_one(lab, init, tmp_path):
    init.ok("start")
    healthy(lab)
    pid = init.pid
    wrong = tmp_path / "wrong.yaml"
    with open(init.env["TOF_CONFIG"], encoding="utf-8") as f:
        wrong.write_text(f.read() + "nonsense: 1\n")
    for verb in ("reload", "restart"):
        p = init(verb, TOF_CONFIG=str(wrong))
        assert p.returncode == 6 and "nonsense" in p.stdout
    assert init.pid == pid and lab.api.healthy()


@pytest.mark.parametrize("verb", ["start", "reload", "force-reload"])
def test_tofd_that_ends_at_once_has_not_started(lab, init, verb, tmp_path):
    """The configuration is right, but its directory is somebody else's."""
    taken = tmp_path / "run"
    other = tmp_path / "other.yaml"
    with open(init.env["TOF_CONFIG"], encoding="utf-8") as f:
        text = f.read()
    other.write_text(text)
    init.ok("start", TOF_CONFIG=str(other))
    healthy(lab)
    other.write_text(re.sub("^run_dir:.*", f"run_dir: {taken}", text,
                            flags=re.M))
    (taken / "tofd.lock").mkdir(parents=True)
    if verb == "start":
        init.ok("stop")
    before = time.monotonic()
    p = init(verb, TOF_CONFIG=str(other))
    assert p.returncode == 1 and "tofd.lock" in p.stdout, p.stdout
    assert "tofd started" not in p.stdout
    assert time.monotonic() - before < 20 * PATIENCE
    assert init("status").returncode == 3


def test_clear_leaves_the_wire_alone(lab, init):
    """All that tofd has made is gone; the Apps' adapter is where it was."""
    init.ok("start")
    healthy(lab)
    init.ok("stop")
    netns.run_in("lab-tof", init.env["TOF_NET"], "clear", env=init.env)
    assert passes()
    links = {link["ifname"] for link in json.loads(
        netns.run_in("lab-tof", "ip", "-j", "link").stdout)}
    assert {"br-s1u", "enb0", "sgw0", "app0"} <= links
    assert not [name for name in links
                if name.startswith(("tof-", "ovs-", "br-gtp", "br-tof", "gtp"))]
    assert not netns.exists("tof-app") and not netns.exists("tof-learn")
    assert "tof" not in netns.run_in("lab-tof", "nft", "list", "tables").stdout
    inode = os.stat("/run/netns/lab-tof").st_ino
    assert not os.path.exists(f"/sys/fs/bpf/tof/{inode}")


def test_clear_leaves_what_is_somebody_elses(lab, init):
    """There is more in the Apps' namespace than tofd has put there."""
    init.ok("start")
    healthy(lab)
    init.ok("stop")
    netns.run_in("tof-app", "ip", "link", "add", "mine", "type", "veth",
                 "peer", "name", "other")
    try:
        p = netns.run_in("lab-tof", init.env["TOF_NET"], "clear",
                         env=init.env)
        assert "mine" in p.stderr
        netns.run_in("tof-app", "ip", "link", "show", "mine")
        netns.run_in("lab-tof", "ip", "link", "show", "app0")
    finally:
        netns.run_in("tof-app", "ip", "link", "del", "mine")


def test_wrong_usage(init):
    assert init("dance").returncode == 2
