# SPDX-License-Identifier: GPL-3.0-or-later
"""Adapters and modules that Debian's kernel has: VLAN devices, bonds, netem,
and the kernel's own Open vSwitch."""

import contextlib

import pytest

from host import first_packet
from tofnet import packet as p
from tofnet.service import OTHER, echo, is_text
from tofnet.wait import wait_until

both = pytest.mark.parametrize("datapath", ["xdp", "ovs"])


@contextlib.contextmanager
def devices(host, make, remove, datapath, enb, sgw):
    """With S1-U adapters that 'make' makes; then again as it was."""
    host.run("systemctl stop tofd tof-ovs tof-net; tof-net down; " + make)
    try:
        host.configure(datapath, enb, sgw)
        host.restart()
        host.register()
        yield
    finally:
        host.run("systemctl stop tofd tof-ovs tof-net; tof-net down; "
                 + remove)
        host.configure("xdp")
        host.restart()


def switched(net, b):
    up = b.uplink(p.ip_udp(b.ue, OTHER, b"up"))
    net.sgw.wait(up, timeout=5, what="what is not diverted, uplink")
    down = b.downlink(p.ip_udp(OTHER, b.ue, b"down"))
    net.enb.wait(down, timeout=5, what="what is not diverted, downlink")


@both
def test_vlan_devices(host, net, datapath):
    """S1-U is a VLAN of two trunks."""
    make = "".join(
        f"ip link add link {d} name {d}.100 type vlan id 100; "
        f"ip link set {d} up; ip link set {d}.100 up; "
        for d in ("enb0", "sgw0"))
    with devices(host, make, "ip link del enb0.100; ip link del sgw0.100",
                 datapath, "enb0.100", "sgw0.100"):
        b = first_packet(net, "10.45.1.1", vlan=100)
        switched(net, b)


@both
@pytest.mark.parametrize("mode", ["active-backup", "802.3ad"])
def test_bonds(host, net, datapath, mode):
    """S1-U is a bond on either side, LACP or not."""
    make = "".join(
        f"ip link add b{d} type bond mode {mode} miimon 100; "
        f"ip link set {d} down; ip link set {d} master b{d}; "
        f"ip link set b{d} up; " for d in ("enb0", "sgw0"))
    with devices(host, make, "ip link del benb0; ip link del bsgw0; "
                 "ip link set enb0 up; ip link set sgw0 up",
                 datapath, "benb0", "bsgw0"):
        b = first_packet(net, "10.45.1.2")
        switched(net, b)


@both
def test_a_bad_network(host, net, datapath):
    """Loss, delay and reordering on S1-U: whoever asks often enough is
    answered, and never by anybody else's tunnel."""
    host.configure(datapath)
    host.restart()
    host.register()
    host.run("for d in enb0 sgw0; do tc qdisc add dev $d root netem "
             "loss 10% delay 20ms 10ms reorder 25%; done")
    try:
        ues = [net.bearer(f"10.45.2.{i}") for i in range(1, 31)]
        answered = set()

        def all_answered():
            for b in ues:
                if b.ue in answered:
                    continue
                b.uplink(echo(b.ue, b.ue.encode()))
                with contextlib.suppress(AssertionError):
                    b.wait_downlink(is_text(b.ue.encode()), timeout=0.1)
                    answered.add(b.ue)
            return len(answered) == len(ues)

        wait_until(all_answered, 60, "all UEs to be answered")
        for raw in net.enb.frames:
            f = p.GtpFrame.parse(raw)
            if f and f.inner and f.inner.sport == 7:
                owner = [b for b in ues if b.is_downlink(raw)]
                assert [b.ue for b in owner] == [f.inner.dst]
                assert f.inner.payload == f.inner.dst.encode()
    finally:
        host.run("for d in enb0 sgw0; do tc qdisc del dev $d root; done")


def test_the_kernels_own_open_vswitch(host, net):
    """Its module is loaded, and somebody uses it: ours is another one."""
    host.run("modprobe openvswitch")
    host.configure("ovs")
    host.restart()
    host.register()
    b = first_packet(net, "10.45.1.3")
    switched(net, b)
    assert host.status()["facts"]["datapath"].startswith("ovs")
