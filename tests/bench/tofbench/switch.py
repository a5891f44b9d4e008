# SPDX-License-Identifier: GPL-3.0-or-later
"""An Open vSwitch with the userspace datapath, in a namespace of its own: the
patched one, or the one that Debian ships."""

import os
import shutil
import signal
import tempfile

from tofnet.netns import run_in
from tofnet.wait import wait_until


class Build:
    """Where programs and schema are."""

    def __init__(self, **where):
        self._where = where

    def __getattr__(self, name):
        return self._where[name]


def patched():
    """TOF_OVS_DIR, as ovs-gtp-patch/build.sh has made it."""
    top = os.environ["TOF_OVS_DIR"]
    tools = {t.replace("-", "_"): f"{top}/bin/{t}" for t in (
        "ovsdb-server", "ovsdb-tool", "ovs-vswitchd", "ovs-vsctl",
        "ovs-ofctl", "ovs-appctl")}
    return Build(name="ovs", schema=f"{top}/share/vswitch.ovsschema", **tools)


def stock():
    """TOF_STOCK_OVS, Debian's openvswitch-switch and -common unpacked; or
    None."""
    top = os.environ.get("TOF_STOCK_OVS")
    if not top or not os.path.isdir(top):
        return None
    tools = {t.replace("-", "_"): f"{top}/usr/bin/{t}" for t in (
        "ovsdb-tool", "ovs-vsctl", "ovs-ofctl", "ovs-appctl")}
    return Build(name="ovs-stock", ovsdb_server=f"{top}/usr/sbin/ovsdb-server",
                 ovs_vswitchd=f"{top}/usr/lib/openvswitch-switch/ovs-vswitchd",
                 schema=f"{top}/usr/share/openvswitch/vswitch.ovsschema",
                 **tools)


class Switch:
    """with Switch(build, ns) as s: s.vsctl(...); s.flows("br0", [...])"""

    def __init__(self, build, ns, cpu=1):
        self.build, self.ns, self.cpu = build, ns, cpu
        self.dir = tempfile.mkdtemp(prefix="bench-ovs-", dir="/run")
        self._env = {**os.environ, "OVS_RUNDIR": self.dir,
                     "OVS_LOGDIR": self.dir, "OVS_DBDIR": self.dir,
                     "OVS_SYSCONFDIR": self.dir,
                     "OVS_PKGDATADIR": os.path.dirname(build.schema)}

    def _run(self, *argv, **kw):
        return run_in(self.ns, *argv, env=self._env, **kw).stdout

    def _daemon(self, program, *argv):
        name = os.path.basename(program)
        self._run(program, *argv, "-vconsole:off", "-vsyslog:off",
                  f"--pidfile={self.dir}/{name}.pid",
                  f"--unixctl={self.dir}/{name}.ctl",
                  f"--log-file={self.dir}/{name}.log", "--no-chdir",
                  "--detach")

    def __enter__(self):
        b = self.build
        self._run(b.ovsdb_tool, "create", f"{self.dir}/conf.db", b.schema)
        self._daemon(b.ovsdb_server, f"{self.dir}/conf.db",
                     f"--remote=punix:{self.dir}/db.sock")
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".",
                   f"other_config:pmd-cpu-mask={1 << self.cpu:#x}")
        self._daemon(b.ovs_vswitchd, f"unix:{self.dir}/db.sock")
        return self

    def __exit__(self, *_):
        for name in ("ovs-vswitchd", "ovsdb-server"):
            try:
                with open(f"{self.dir}/{name}.pid", encoding="ascii") as f:
                    pid = int(f.read())
                os.kill(pid, signal.SIGTERM)
                wait_until(lambda pid=pid: not alive(pid), 10, f"{name} to "
                           "end")
            except (OSError, AssertionError):
                pass
        shutil.rmtree(self.dir, ignore_errors=True)

    def vsctl(self, *argv):
        return self._run(self.build.ovs_vsctl, "-t", 20,
                         f"--db=unix:{self.dir}/db.sock", *argv)

    def bridge(self, name, *options):
        self.vsctl("add-br", name, "--", "set", "bridge", name,
                   "datapath_type=netdev", "fail_mode=secure",
                   "protocols=OpenFlow10,OpenFlow13,OpenFlow15", *options)

    def port(self, bridge, name, *options):
        """Raises AssertionError if the switch cannot open it."""
        self.vsctl("add-port", bridge, name, "--", "set", "interface", name,
                   *options)
        number = wait_until(lambda: int(self.vsctl(
            "get", "interface", name, "ofport").strip("[]\n") or 0), 10,
            f"{name} to be opened")
        if number < 0:
            raise AssertionError(self.vsctl("get", "interface", name,
                                            "error").strip())
        return number

    def flows(self, bridge, *flows):
        for flow in flows:
            self._run(self.build.ovs_ofctl, "-O", "OpenFlow15", "add-flow",
                      f"unix:{self.dir}/{bridge}.mgmt", flow)

    def appctl(self, *argv, check=True):
        return self._run(self.build.ovs_appctl, "-t",
                         f"{self.dir}/ovs-vswitchd.ctl", *argv, check=check)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


