# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual machine (scripts/vm.sh) as a host that the TOF is installed on,
seen from beside it: the other ends of its adapters are in namespaces here."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile

from tofnet import netns
from tofnet.service import echo, is_text
from tofnet.wait import PATIENCE, wait_until

TOP = os.path.normpath(os.path.join(os.path.dirname(__file__), "../.."))
CONFIG = """\
s1u: {{enb: {enb}, sgw: {sgw}}}
apps: {{interface: app0, address: [192.168.100.1/24]}}
datapath: {datapath}
pinger: {{targets: [203.0.113.10]}}
"""
SERVICE = {"name": "svc", "serviceIP": "198.51.100.10",
           "applicationIP": "192.168.100.10"}
UNITS = "tof-net tof-ovs tofd"


def vm(*args, timeout=120, stdin=subprocess.DEVNULL):
    p = subprocess.run([os.path.join(TOP, "scripts/vm.sh"), *args],
                       text=True, timeout=timeout * PATIENCE, check=False,
                       stdin=stdin, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
    assert p.returncode == 0, (args, p.stdout, p.stderr)
    return p.stdout


@contextlib.contextmanager
def running_app():
    server = subprocess.Popen(netns.command_in(
        "lab-app", sys.executable, os.path.join(TOP, "scripts/lab-server.py"),
        "--echo", "edge"))
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def _make_var(name):
    """As this checkout is configured."""
    return subprocess.run(
        ["make", "-s", "-C", TOP, f"--eval=tof-show: ; @echo $({name})",
         "tof-show"], check=True, text=True, stdout=subprocess.PIPE
        ).stdout.strip()


class Host:
    def __init__(self, sysconfdir=None):
        self.sysconfdir = sysconfdir or _make_var("sysconfdir")

    def run(self, command, **kw):
        return vm("run", command, **kw)

    def put(self, files, directory):
        self.run(f"mkdir -p {directory}")
        for file in files:
            with open(file, "rb") as f:
                self.run(f"cat >{directory}/{os.path.basename(file)}", stdin=f)

    def make(self, tree, target):
        """In a tree that has been built here: it is put at the same place
        there."""
        with tempfile.TemporaryFile() as f:
            subprocess.run(["tar", "-czf", "-", "-C", "/",
                            os.path.relpath(tree, "/")], check=True, stdout=f)
            f.seek(0)
            self.run(f"test -d {tree} || tar -xzf - -C /", stdin=f)
        self.run(f"make -s -C {tree} {target}", timeout=300)

    def install(self):
        self.run("make -s install && systemctl daemon-reload && "
                 f"systemctl enable {UNITS}")

    def uninstall(self):
        self.run(f"systemctl disable --now {UNITS}; tof-net down; "
                 "make -s uninstall && systemctl daemon-reload")

    def configure(self, datapath, enb="enb0", sgw="sgw0"):
        self.run(f"cat >{self.sysconfdir}/tof/tof.yaml <<'END'\n"
                 + CONFIG.format(datapath=datapath, enb=enb, sgw=sgw)
                 + "END\n")

    def restart(self):
        """What runs goes, the wire too."""
        self.run(f"systemctl stop {UNITS}; tof-net down || :; "
                 f"systemctl start {UNITS}")
        self.wait_up()

    def healthy(self):
        return self.run("curl -s -o /dev/null -w '%{http_code}' "
                        "http://127.0.0.1:8080/healthz || :") == "200"

    def wait_up(self):
        wait_until(self.healthy, 60, "tofd to be healthy")

    def register(self):
        """If it is not there yet: services outlive tofd."""
        self.run("curl -sf http://127.0.0.1:8080/service/svc || curl -sf "
                 f"-d '{json.dumps(SERVICE)}' http://127.0.0.1:8080/service")

    def status(self):
        return json.loads(self.run("curl -s http://127.0.0.1:8080/status"))

    def session(self, ue):
        """The identifier of its one session."""
        one, = json.loads(self.run("curl -s 'http://127.0.0.1:8080/session?"
                                   f"ue={ue}'"))
        return one["id"]

    def reboot(self):
        vm("reboot")


def first_packet(net, ue, **bearer):
    """A UE that nobody has seen gets its answer to its first packet."""
    b = net.bearer(ue, **bearer)
    b.uplink(echo(b.ue, b"the first packet"))
    b.wait_downlink(is_text(b"the first packet"), timeout=5)
    return b
