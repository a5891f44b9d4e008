# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that boots with the units enabled, as its users have it.

Run by "scripts/vm.sh boot" beside the machine, where the other ends of its
adapters are: lab-enb, lab-sgw and lab-app are namespaces here."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

TOP = os.path.normpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(TOP, "tests/net"))

# pylint: disable=wrong-import-position
from tofnet import netns, packet as p               # noqa: E402
from tofnet.emulator import Emulator                # noqa: E402
from tofnet.service import OTHER, echo, is_text     # noqa: E402
from tofnet.wait import wait_until                  # noqa: E402

CONFIG = """\
s1u: {{enb: enb0, sgw: sgw0}}
apps: {{interface: app0, address: [192.168.100.1/24]}}
datapath: {datapath}
pinger: {{targets: [203.0.113.10]}}
"""
SERVICE = {"name": "svc", "serviceIP": "198.51.100.10",
           "applicationIP": "192.168.100.10"}


def vm(*args, timeout=600):
    return subprocess.run([os.path.join(TOP, "scripts/vm.sh"), *args],
                          check=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
                          ).stdout


def sysconfdir():
    """As this checkout is configured."""
    return subprocess.run(
        ["make", "-s", "-C", TOP, "--eval=tof-show: ; @echo $(sysconfdir)",
         "tof-show"], check=True, text=True, stdout=subprocess.PIPE
        ).stdout.strip()


def healthy():
    return vm("run", "curl -s -o /dev/null -w '%{http_code}' "
              "http://127.0.0.1:8080/healthz") == "200"


@pytest.fixture(scope="module")
def installed():
    vm("run", "make -s install && systemctl daemon-reload && "
       "systemctl enable tof-net tof-ovs tofd")


@pytest.fixture(scope="module")
def app():
    server = subprocess.Popen(netns.command_in(
        "lab-app", sys.executable, os.path.join(TOP, "scripts/lab-server.py"),
        "--echo", "edge"))
    yield server
    server.terminate()
    server.wait()


class Stream:
    """Packets of a UE to an address that is no service's, one every 50 ms, and
    when they arrive at the SGW."""

    def __init__(self, net):
        self.bearer = net.bearer("10.45.0.2")
        self.times = []
        net.sgw.listen(self._arrived)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._end.wait(0.05):
            self.bearer.uplink(p.ip_udp(self.bearer.ue, OTHER, b"stream"))

    def _arrived(self, frame):
        if b"stream" in frame:
            self.times.append(frame.time)

    def passes_again(self):
        """When the first one arrived after the longest silence."""
        gaps = [(b - a, b) for a, b in zip(self.times, self.times[1:])]
        return max(gaps)[1]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


def started():
    """When tofd said that it is ready, by this host's clock."""
    text = vm("run", "cut -d ' ' -f 1 /proc/uptime; systemctl show tofd "
              "--value -p ActiveEnterTimestampMonotonic")
    now = time.monotonic()
    uptime, entered = map(float, text.split())
    return now - uptime + entered / 1e6


@pytest.mark.parametrize("datapath", ["xdp", "ovs"])
def test_a_host_that_boots(installed, app, datapath):
    """S1-U passes before tofd is up; then the first packet of a UE that
    nobody has seen is diverted.  No hand is needed."""
    # pylint: disable=unused-argument,redefined-outer-name
    vm("run", f"cat >{sysconfdir()}/tof/tof.yaml <<'END'\n"
       f"{CONFIG.format(datapath=datapath)}END\n"
       "systemctl restart tof-net tof-ovs tofd")
    wait_until(healthy, 60, "tofd")
    vm("run", "curl -sf http://127.0.0.1:8080/service/svc || "
       f"curl -sf -d '{json.dumps(SERVICE)}' http://127.0.0.1:8080/service")
    with Emulator() as net:
        with Stream(net) as stream:
            wait_until(lambda: stream.times, 20, "S1-U to pass")
            vm("reboot")
            wait_until(healthy, 120, "tofd")
        assert stream.passes_again() < started()
        assert vm("run", "systemctl is-active tof-net tof-ovs tofd"
                  ).split() == ["active"] * 3
        assert datapath in vm("run", "tofctl status")
        b = net.bearer("10.45.0.3")
        b.uplink(echo(b.ue, b"the first packet"))
        b.wait_downlink(is_text(b"the first packet"), timeout=5)
