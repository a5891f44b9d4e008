# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that boots with the units enabled, as its users have it."""

import json
import time

import pytest

from host import UNITS, first_packet
from tofnet import packet as p
from tofnet.background import Background
from tofnet.service import OTHER
from tofnet.wait import wait_until


class Stream(Background):
    """Packets of a UE to an address that is no service's, one every 50 ms, and
    when they arrive at the SGW."""

    def __init__(self, net):
        self.bearer = net.bearer("10.45.0.2")
        self.times = []
        net.sgw.listen(self._arrived)
        super().__init__()

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


def started(host):
    """When tofd said that it is ready, by this side's clock."""
    text = host.run("cut -d ' ' -f 1 /proc/uptime; systemctl show tofd "
                    "--value -p ActiveEnterTimestampMonotonic")
    now = time.monotonic()
    uptime, entered = map(float, text.split())
    return now - uptime + entered / 1e6


@pytest.mark.parametrize("datapath", ["xdp", "ovs"])
def test_a_host_that_boots(host, net, datapath):
    """S1-U passes before tofd is up; then the first packet of a UE that
    nobody has seen is diverted.  No hand is needed."""
    host.configure(datapath)
    host.restart()
    host.register()
    with Stream(net) as stream:
        wait_until(lambda: stream.times, 20, "S1-U to pass")
        host.reboot()
        host.wait_up()
    assert stream.passes_again() < started(host)
    assert host.run(f"systemctl is-active {UNITS}").split() == ["active"] * 3
    assert host.status()["facts"]["datapath"].startswith(datapath)
    first_packet(net, "10.45.0.3")


def test_adapters_come_later_than_the_units(host, net):
    """A driver that is loaded late: the wire is made when both are there."""
    host.configure("xdp")
    host.run(f"systemctl stop {UNITS}; tof-net down")
    devices = host.run(
        "for d in enb0 sgw0; do basename $(readlink -f "
        "/sys/class/net/$d/device); done").split()
    driver = "/sys/bus/virtio/drivers/virtio_net"
    for device in devices:
        host.run(f"echo {device} >{driver}/unbind")
    try:
        host.run(f"systemctl start --no-block {UNITS}")
        wait_until(lambda: "waiting" in host.run(
            "systemctl is-active tofd; tofctl status || echo waiting"),
            20, "tofd to wait")
    finally:
        for device in devices:
            host.run(f"echo {device} >{driver}/bind")
    host.wait_up()
    first_packet(net, "10.45.0.4")


def test_started_by_the_init_script(host, net):
    """System V init, where there is no systemd."""
    init = (f"SYSTEMCTL_SKIP_REDIRECT=1 TOF_CONFIG={host.sysconfdir}/tof/"
            f"tof.yaml {host.sysconfdir}/init.d/tof")
    host.configure("xdp")
    host.run(f"systemctl stop {UNITS}")
    try:
        host.run(f"{init} start && {init} status")
        host.wait_up()
        host.register()
        first_packet(net, "10.45.0.5")
        host.run(f"{init} restart")
        host.wait_up()
        first_packet(net, "10.45.0.6")
    finally:
        host.run(f"{init} stop; systemctl start {UNITS}")


def test_the_journal_has_priorities_and_no_second_time(host):
    host.configure("xdp")
    host.restart()
    lines = [json.loads(line) for line in host.run(
        "journalctl -u tofd -o json --output-fields=PRIORITY,MESSAGE,_COMM "
        "--since=-5m").splitlines()]
    said = {line["MESSAGE"]: line["PRIORITY"] for line in lines
            if line.get("_COMM") == "tofd"}
    up = [message for message in said if message.endswith(": up")]
    assert up and all(message.startswith("tofd: ") for message in up)
    # What Open vSwitch calls INFO is a "notice" of syslog(3).
    assert {said[message] for message in up} == {"5"}


def test_a_tofd_that_hangs_is_restarted(host, net):
    """By systemd's watchdog; and it diverts again, without a hand."""
    host.configure("xdp")
    host.restart()
    host.register()
    hung = host.run("systemctl show tofd --value -p MainPID").strip()
    host.run(f"kill -STOP {hung}")
    wait_until(lambda: host.run("systemctl show tofd --value -p MainPID")
               .strip() not in ("0", hung), 60, "another tofd")
    host.wait_up()
    first_packet(net, "10.45.0.7")
