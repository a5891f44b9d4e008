# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/tof-ovs: the private Open vSwitch starts, stops and comes back.

What talks to it is tested by test_ofctl, test_ovsdb and test_registry."""

import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

from tofnet import netns
from tofnet.netns import command_in, run_in
from tofnet.wait import wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]
TOF_OVS = TOP / "scripts/tof-ovs"
NS = f"to{os.getpid() % 100000}"
DAEMONS = ("ovsdb-server", "ovs-vswitchd")


class Ovs:
    """tof-ovs with directories of its own."""

    def __init__(self, path):
        build = os.environ.get("TOF_OVS_DIR") or run_in(
            None, TOP / "ovs-gtp-patch/build.sh", "--print").stdout.strip()
        if not os.path.isdir(build):
            pytest.skip("no Open vSwitch build")
        self.build, self.state = pathlib.Path(build), path / "state"
        self.run = path / "run"
        self.env = {**os.environ, "TOF_OVS_DIR": build,
                    "TOF_RUN_DIR": str(self.run),
                    "TOF_STATE_DIR": str(self.state)}

    def __call__(self, *args, check=True, **env):
        return run_in(NS, TOF_OVS, *args, check=check, timeout=60,
                      env={**self.env, **env})

    def pid(self, daemon):
        return int((self.run / f"ovs/{daemon}.pid").read_text())

    def pids(self):
        return [self.pid(d) for d in DAEMONS]

    def client(self, *args):
        return run_in(NS, self.build / "bin/ovsdb-client", *args).stdout

    def vsctl(self, *args):
        return run_in(NS, self.build / "bin/ovs-vsctl", f"--db={self.db}",
                      *args, timeout=60).stdout

    @property
    def db(self):
        return f"unix:{self.run}/ovs/db.sock"


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def ovs(tmp_path):
    netns.add(NS)
    the_ovs = Ovs(tmp_path)
    try:
        yield the_ovs
    finally:
        the_ovs("stop", check=False)
        netns.delete(NS)


def test_start_status_stop(ovs):
    assert ovs("status", check=False).returncode == 3
    ovs("start")
    assert ovs("status").returncode == 0
    pids = ovs.pids()
    assert all(map(alive, pids))
    assert set(ovs.client("list-dbs", ovs.db).split()) >= {"Open_vSwitch",
                                                           "TOF"}
    ovs("start")
    assert ovs.pids() == pids
    ovs("stop")
    assert not any(map(alive, pids))
    assert ovs("status", check=False).returncode == 3
    ovs("stop")


def test_both_run_in_the_namespace(ovs):
    ovs("start")
    inode = os.stat(f"/run/netns/{NS}").st_ino
    assert [os.stat(f"/proc/{p}/ns/net").st_ino for p in ovs.pids()] \
        == [inode, inode]


@pytest.mark.parametrize("victim", DAEMONS)
def test_start_brings_back_what_died(ovs, victim):
    ovs("start")
    before = dict(zip(DAEMONS, ovs.pids()))
    os.kill(before[victim], signal.SIGKILL)
    wait_until(lambda: not alive(before[victim]))
    assert ovs("status", check=False).returncode == 3
    ovs("start")
    assert ovs("status").returncode == 0
    for daemon, pid in zip(DAEMONS, ovs.pids()):
        assert (pid != before[daemon]) == (daemon == victim)


@pytest.mark.parametrize("how", ("SEGV", "KILL"))
@pytest.mark.parametrize("victim", DAEMONS)
def test_monitor_brings_back_what_died(ovs, victim, how):
    """By a fault of its own, or because the kernel wanted its memory."""
    ovs("start", "--monitor")
    pid = ovs.pid(victim)
    os.kill(pid, signal.Signals[f"SIG{how}"])
    wait_until(lambda: ovs.pid(victim) != pid
               and ovs("status", check=False).returncode == 0, timeout=15)
    pids = ovs.pids()
    ovs("stop")
    wait_until(lambda: not any(map(alive, pids)))


def test_stop_ends_what_does_not_listen(ovs):
    """It is killed, and its monitor does not bring it back."""
    ovs("start", "--monitor")
    pid = ovs.pid("ovsdb-server")
    os.kill(pid, signal.SIGSTOP)
    ovs("stop")
    wait_until(lambda: not alive(pid))
    assert "ovsdb-server is not running" in ovs("status", check=False).stdout
    ovs("start")
    assert ovs.pid("ovsdb-server") != pid


def test_stop_ends_only_its_own(ovs):
    """A stale pid file names a process that is somebody else's by now."""
    ovs("start")
    other = subprocess.Popen(command_in(NS, "sleep", "60"))
    try:
        victim = ovs.pid("ovs-vswitchd")
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: not alive(victim))
        (ovs.run / "ovs/ovs-vswitchd.pid").write_text(f"{other.pid}\n")
        assert "ovs-vswitchd is not running" in ovs("status",
                                                    check=False).stdout
        ovs("stop")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_services_survive_restart(ovs):
    ovs("start")
    ovs.client("transact", ovs.db, json.dumps(
        ["TOF", {"op": "insert", "table": "Service",
                 "row": {"name": "edge", "service_ip": "198.51.100.10",
                         "application_ip": "192.168.100.10"}}]))
    ovs("restart")
    assert "edge" in ovs.client("dump", ovs.db, "TOF", "Service")


@pytest.mark.parametrize("version,column", [
    ("0.9.0", "chain"), ("1.0.0", "options")])
def test_schema_upgrade(ovs, tmp_path, version, column):
    """The database of an older version is converted, and a copy kept."""
    schema = json.loads((TOP / "src/service/tof.ovsschema").read_text())
    old = json.loads(json.dumps(schema))
    old["version"] = version
    del old["tables"]["Service"]["columns"][column]
    old_file = tmp_path / "old.ovsschema"
    old_file.write_text(json.dumps(old))
    ovs("start", TOF_SCHEMA=str(old_file))
    ovs.client("transact", ovs.db, json.dumps(
        ["TOF", {"op": "insert", "table": "Service",
                 "row": {"name": "edge", "service_ip": "198.51.100.10",
                         "application_ip": "192.168.100.10"}}]))
    ovs("restart")
    assert ovs.client("get-schema-version", ovs.db,
                      "TOF").strip() == schema["version"]
    assert "edge" in ovs.client("dump", ovs.db, "TOF", "Service")
    assert (ovs.state / f"tof.db.backup-{version}").exists()


def add_service(ovs, name, last):
    ovs.client("transact", ovs.db, json.dumps(
        ["TOF", {"op": "insert", "table": "Service", "row": {
            "name": name, "service_ip": f"198.51.100.{last}",
            "application_ip": "192.168.100.10"}}]))


def services(ovs):
    return {name for name in ("old", "new") if re.search(
        rf"\b{name}\b", ovs.client("dump", ovs.db, "TOF", "Service", "name"))}


def make_read_only(state):
    run_in(None, "mount", "--bind", state, state)
    run_in(None, "mount", "-o", "remount,ro,bind", state)


def make_full(state):
    """The same files, on a file system that has room for no more."""
    files = {f.name: f.read_bytes() for f in state.iterdir()}
    pages = sum(len(data) // 4096 + 1 for data in files.values()) + 1
    run_in(None, "mount", "-t", "tmpfs", "-o", f"size={pages * 4096}", "full",
           state)
    for name, data in files.items():
        (state / name).write_bytes(data)


@pytest.mark.parametrize("spoil", [make_read_only, make_full])
def test_databases_are_copies_while_their_directory_cannot_be_written(
        ovs, spoil):
    """What is said, and taken back by the next start that can."""
    ovs("start")
    add_service(ovs, "old", 1)
    ovs("stop")
    spoil(ovs.state)
    try:
        assert "cannot be written" in ovs("start").stderr
        assert services(ovs) == {"old"}
        add_service(ovs, "new", 2)
        ovs("restart")
        assert services(ovs) == {"old", "new"}
        ovs("stop")
    finally:
        run_in(None, "umount", "-l", ovs.state)
    assert "cannot" not in ovs("start").stderr
    assert services(ovs) == {"old", "new"}
    assert not (ovs.run / "ovs/tof.db").exists()


def test_failure_is_told(ovs):
    ovs.state.mkdir()
    (ovs.state / "conf.db").write_text("this is no database\n")
    p = ovs("start", check=False)
    assert p.returncode == 1 and p.stderr
    p = ovs("fly", check=False)
    assert p.returncode == 2


def test_directories_from_the_configuration(ovs, tmp_path):
    """As tofd prints it."""
    tofd = tmp_path / "tofd"
    tofd.write_text("#!/bin/sh\n[ \"$*\" = '-c X.yaml -T' ] || exit 1\n"
                    f"echo \"s1u_enb='enb0'\nrun_dir='{tmp_path}/other run'\n"
                    f"state_dir='{tmp_path}/other state'\"\n")
    tofd.chmod(0o755)
    env = {"TOFD": str(tofd), "TOF_RUN_DIR": "", "TOF_STATE_DIR": ""}
    try:
        ovs("start", "-c", "X.yaml", **env)
        assert (tmp_path / "other run/ovs/db.sock").is_socket()
        assert (tmp_path / "other state/tof.db").exists()
    finally:
        ovs("stop", "-c", "X.yaml", **env)


def flags_of(link):
    shown, = json.loads(run_in(NS, "ip", "-j", "link", "show", "dev",
                               link).stdout)
    return shown["flags"]


def test_link_that_is_set_up_meanwhile_stays_up(ovs):
    """ovs-vswitchd makes devices promiscuous, or no longer so; what somebody
    else has changed since it looked at a device stays."""
    ovs("start")
    netns.veth(NS, "p0", NS, "p1")
    ovs.vsctl("add-br", "br0", "--", "set", "bridge", "br0",
              "datapath_type=netdev", "--", "add-port", "br0", "p0")
    run_in(NS, "ip", "link", "set", "p0", "down")
    ovs.vsctl("wait-until", "interface", "p0", "admin_state=down")
    pid = ovs.pid("ovs-vswitchd")
    os.kill(pid, signal.SIGSTOP)
    try:
        run_in(NS, "ip", "link", "set", "p0", "up")
        ovs.vsctl("--no-wait", "del-port", "br0", "p0")
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: "PROMISC" not in flags_of("p0"), what="it to let go")
    assert "UP" in flags_of("p0")


@pytest.mark.datapath("ovs", "auto")
def test_packet_sockets_have_room_for_a_burst(lab):
    """In the kernel's default, 208 kB, there is room for 50 packets."""
    shown = lab.run("lab-tof", "ss", "-0", "-a", "-m", "-p").stdout
    rooms = [int(m[1]) for m in re.finditer(
        r" \*:\S.*\"ovs-vswitchd\".*\brb(\d+)", shown)]
    assert rooms, shown
    assert min(rooms) >= 4 << 20, shown
