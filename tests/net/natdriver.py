# SPDX-License-Identifier: GPL-3.0-or-later
"""For test_nat*.py: the NAT namespace alone.  Frames as the UE side of br-tof
has them go in at ue0's peer, applications answer, and the answers come out
there.

The module under test is nat/nat.c, by way of nat_driver.c; NAT_DRIVER may name
one that has been built already."""

import os
import shutil
import socket
import struct
import subprocess

import pytest

from tofnet import netns
from tofnet.netns import RawPort, call_in, run_in
from tofnet.packet import Inner, eth
from tofnet.wait import wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = ["nat/nat.c", "nat/ends.c", "nat/rules.c", "nat/services.c",
           "nat/paths.c", "nat/flows.c", "nat/probe.c", "nat/routes.c",
           "nat/socket.c", "nat/trace.c", "nat/usage.c", "nat/conntrack.c",
           "kernel/nflog.c", "kernel/nft.c", "kernel/nft_count.c",
           "kernel/nft_object.c", "kernel/nft_expr.c", "kernel/nft_query.c",
           "kernel/netlink.c", "kernel/netns.c", "kernel/rtnl.c",
           "kernel/ethtool.c"]

RUN = f"nt{os.getpid() % 100000}"
TOF, NAT, APP = f"{RUN}-tof", f"{RUN}-nat", f"{RUN}-app"
PORT = "ue-port"
MTU = 1500
ROUTE_MTU = MTU - 68
IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IP_PMTUDISC_DO = 10, 0, 2

APP4, APP4_B, APP6 = "192.168.100.10", "192.168.100.11", "fd00:100::10"
FAR = "192.168.77.1"            # On the application's host, by a route.
SVC4, SVC4_B, SVC6 = "198.51.100.10", "198.51.100.11", "2001:db8:51::10"
UE4, UE6 = "10.45.0.2", "2001:db8:45::2"
ADDRESSES = ("192.168.100.1/24", "fd00:100::1/64", "route:192.168.77.7/24")


@pytest.fixture(scope="module")
def driver_path(tmp_path_factory):
    path = os.environ.get("NAT_DRIVER")
    if path:
        return path
    if not shutil.which("cc"):
        pytest.skip("no C compiler, and NAT_DRIVER is not set")
    src = os.path.join(HERE, "../../src")
    path = str(tmp_path_factory.mktemp("nat") / "nat_driver")
    subprocess.run(["cc", "-std=gnu11", "-g", "-O1", "-Wall", "-Wextra",
                    f"-I{src}", "-o", path,
                    os.path.join(HERE, "nat_driver.c")]
                   + [os.path.join(src, s) for s in SOURCES]
                   + ["-lmnl", "-lnetfilter_conntrack", "-lnftnl"], check=True)
    return path


class Driver:
    def __init__(self, path, may_connect=True, mtu=MTU, app="app0",
                 addresses=ADDRESSES):
        self.process = subprocess.Popen(
            netns.command_in(TOF, path, NAT, app, PORT, mtu,
                             int(may_connect), *addresses),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.started = self.process.stdout.readline().strip()

    def __call__(self, *args):
        self.process.stdin.write(" ".join(map(str, args)) + "\n")
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline().strip()
            if line == "ok" or line.startswith("error") or not line:
                return line, lines
            lines.append(line)

    def do(self, *args):
        answer, lines = self(*args)
        assert answer == "ok", (args, answer)
        return lines

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


@pytest.fixture(scope="module")
def topology():
    try:
        for ns in (TOF, APP):
            netns.add(ns)
        netns.veth(TOF, "app0", APP, "app0", MTU, ipv6=True)
        for a in (APP4, APP4_B):
            run_in(APP, "ip", "addr", "add", f"{a}/24", "dev", "app0")
        run_in(APP, "ip", "addr", "add", f"{APP6}/64", "dev", "app0", "nodad")
        run_in(APP, "ip", "addr", "add", f"{FAR}/32", "dev", "lo")
        run_in(APP, "ip", "route", "add", "default", "via", "192.168.100.1")
        run_in(APP, "ip", "-6", "route", "add", "default", "via",
               "fd00:100::1")
        yield
    finally:
        # The application's end first, so that the other one does not fall
        # back into the host's namespace.
        for ns in (APP, NAT, TOF):
            netns.delete(ns)


@pytest.fixture
def nat(topology, driver_path):
    """The driver, with no service."""
    with Driver(driver_path) as d:
        assert d.started == "ok"
        for line in d.do("dump"):
            d.do("clear", line.split()[0])
        run_in(NAT, "conntrack", "-F")
        yield d


@pytest.fixture
def port(nat):
    for a in ("192.168.100.1", "fd00:100::1"):
        wait_until(lambda a=a: run_in(APP, "ping", "-c1", "-W1", a,
                                      check=False).returncode == 0)
    with RawPort(TOF, PORT) as p:
        yield p


class Udp:
    """A UDP socket of the application's host."""

    def __init__(self, address, port_number=7):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET

        def make():
            s = socket.socket(family, socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((address, port_number))
            s.settimeout(2)
            return s
        self.sock = call_in(APP, make)

    def receive(self):
        data, peer = self.sock.recvfrom(65536)
        return data, peer

    def expect_nothing(self):
        self.sock.settimeout(0.2)
        with pytest.raises(socket.timeout):
            self.sock.recvfrom(65536)
        self.sock.settimeout(2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


def frame_up(bearer, packet, space=1):
    return eth("02:00:00:00:" + struct.pack("!H", space).hex(":"),
               "02:00:" + struct.pack("!I", bearer).hex(":"), packet)


def mac_down(bearer):
    return b"\x02\x00" + struct.pack("!I", bearer)


def packet_to(port, bearer, since=0, **fields):
    """Waits for a packet that leaves for 'bearer' and has these fields."""
    def match(frame):
        p = Inner.parse(frame[14:])
        return frame[:6] == mac_down(bearer) and all(
            getattr(p, k) == v for k, v in fields.items())
    return Inner.parse(port.wait(match, since=since,
                                 what=f"{fields} to {bearer:#x}")[14:])


def flows():
    return run_in(NAT, "conntrack", "-L", check=False).stdout \
        + run_in(NAT, "conntrack", "-L", "-f", "ipv6", check=False).stdout
