# SPDX-License-Identifier: GPL-3.0-or-later
"""A single adapter: the network routes S1-U through the host, whose kernel
forwards it.  A network of its own:

    single-enb [s1u0] --- [enb] single-net (bridge) [tof] --- [s1u0] single-tof
    single-sgw [s1u0] --- [sgw]                        [app0] --- single-app
"""

import os
import signal
import subprocess

import pytest

from test_chain import FW_TOS, Function, arrived
from test_trace import ended, fates, starts, tracing
from tofnet import netns
from tofnet import packet as p
from tofnet.emulator import ENB_MAC, SGW_MAC, Emulator
from tofnet.lab import SERVICE_IP, SERVICE_IP6, TOP, Api, lab_sh
from tofnet.netns import run_in
from tofnet.service import echo, is_text
from tofnet.wait import wait_until

OTHER4, OTHER6 = "203.0.113.77", "2001:db8:77::77"
OVER4 = {"enb": "10.1.1.1", "sgw": "10.1.2.1"}
OVER6 = {"enb": "fd01:1::1", "sgw": "fd01:2::1"}
HOST_MAC = "0e:70:f0:00:00:01"
CHAINED_IP = "198.51.100.30"

CONF = """
datapath: {1}
s1u: {{interface: s1u0, enodebs: [10.1.1.0/24, "fd01:1::/64"],
      sgws: [10.1.2.0/24, "fd01:2::/64"]}}
apps: {{interface: app0, address: [192.168.100.1/24, "fd00:100::1/64"]}}
pinger: {{targets: [203.0.113.10, "2001:db8:9::10"]}}
functions: {{fw: {{in: fw0, out: fw1}}}}
api: {{unix: {0}/api.sock}}
trace: {{allow: yes}}
run_dir: {0}/run
state_dir: {0}/state
"""


class Host:
    """The host with the TOF, and what is around it."""

    namespaces = ("single-enb", "single-sgw", "single-net", "single-tof",
                  "single-app")

    def __init__(self, directory, datapath):
        self.dir = directory
        self.conf = directory / "tof.yaml"
        self.conf.write_text(CONF.format(directory, datapath))
        self.env = {**os.environ, "TOF_CONFIG": str(self.conf),
                    "TOFD": f"{TOP}/tofd"}
        self.log = open(directory / "tofd.log", "ab")
        self.api = Api("single-tof")
        self.tofd = self.app = None

    def make_links(self):
        for ns in self.namespaces:
            netns.add(ns)
        run_in("single-net", "ip", "link", "add", "br0", "type", "bridge")
        netns.bridge_nf("single-net", False)
        run_in("single-net", "ip", "link", "set", "br0", "up")
        for ns, dev in (("single-enb", "enb"), ("single-sgw", "sgw"),
                        ("single-tof", "tof")):
            netns.veth(ns, "s1u0", "single-net", dev, ipv6=True)
            run_in("single-net", "ip", "link", "set", dev, "master", "br0")
        netns.veth("single-tof", "app0", "single-app", "app0", ipv6=True)

    def make_addresses(self):
        tof = ("single-tof", "ip")
        run_in(*tof, "link", "set", "s1u0", "address", HOST_MAC)
        for net, mac, peers in ((1, ENB_MAC, OVER4["enb"] + " "
                                 + OVER6["enb"]),
                                (2, SGW_MAC, OVER4["sgw"] + " "
                                 + OVER6["sgw"])):
            run_in(*tof, "addr", "add", f"10.1.{net}.254/24", "dev", "s1u0")
            run_in(*tof, "addr", "add", f"fd01:{net}::fe/64", "dev", "s1u0",
                   "nodad")
            for peer in peers.split():
                run_in(*tof, "neigh", "add", peer, "lladdr", mac, "dev",
                       "s1u0", "nud", "permanent")
        run_in(*tof, "route", "add", "10.9.9.0/24", "via", OVER4["enb"])
        app = ("single-app", "ip")
        for address, gateway in (("192.168.100.10/24", "192.168.100.1"),
                                 ("fd00:100::10/64", "fd00:100::1")):
            extra = ("nodad",) if ":" in address else ()
            run_in(*app, "addr", "add", address, "dev", "app0", *extra)
            run_in(*app, "route", "add", "default", "via", gateway)

    def script(self, name, *args):
        run_in("single-tof", f"{TOP}/scripts/{name}", *args, env=self.env,
               timeout=90)

    def start_tofd(self):
        self.tofd = subprocess.Popen(
            netns.command_in("single-tof", f"{TOP}/tofd", "-c", self.conf),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_until(self.api.healthy, 20, "tofd to be healthy")

    def stop_tofd(self, kill=False):
        if self.tofd:
            (self.tofd.kill if kill else self.tofd.terminate)()
            self.tofd.wait(10)
            self.tofd = None

    def up(self):
        self.make_links()
        self.make_addresses()
        netns.set_sysctl("single-tof", "ipv4/conf/all/rp_filter", 1)
        self.script("tof-net", "up")
        self.app = subprocess.Popen(
            netns.command_in("single-app", f"{TOP}/scripts/lab-server.py",
                             "--echo", "edge"),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.script("tof-ovs", "start")
        self.start_tofd()
        self.api.register()
        self.api.register("six", SERVICE_IP6, "fd00:100::10")

    def down(self):
        self.stop_tofd()
        if self.app:
            self.app.kill()
            self.app.wait()
        try:
            self.script("tof-ovs", "stop")
        finally:
            for ns in (*self.namespaces, "tof-app", "tof-learn"):
                netns.delete(ns)
            self.log.close()


@pytest.fixture(scope="module")
def host(tmp_path_factory, datapath):
    lab_sh("down")
    h = Host(tmp_path_factory.mktemp("single"), datapath)
    try:
        h.up()
        yield h
    except BaseException:
        print((h.dir / "tofd.log").read_text())
        raise
    finally:
        h.down()


@pytest.fixture(scope="module")
def ends(host):
    with Emulator("single-enb", "single-sgw",
                  targets=("203.0.113.10", "2001:db8:9::10")) as emulator:
        yield emulator


@pytest.fixture
def net(ends, host):
    for session in host.api.sessions():
        host.api.delete(f"/session/{session['id']}")
    ends.clear()
    yield ends
    ends.clear()


paths = pytest.mark.parametrize("ue,kw", [
    ("10.45.9.1", OVER4), ("2001:db8:9:1::1", OVER6),
    ("2001:db8:9:2::1", OVER4)], ids=["4-in-4", "6-in-6", "6-in-4"])


def bearer(net, ue, kw):
    return net.bearer(ue, via=HOST_MAC, **kw)


def to_service(b, text):
    return echo(b.ue, text, dst=SERVICE_IP6 if ":" in b.ue else SERVICE_IP)


def to_other(b, text):
    return p.ip_udp(b.ue, OTHER6 if ":" in b.ue else OTHER4, text)


def forwarded(f):
    """As routers send it on: one hop less, and all else untouched."""
    return f.ip.ttl == 63 and f.ip.header_ok and f.src_mac == HOST_MAC


@paths
def test_service_packets_reach_the_app(net, ue, kw):
    b = bearer(net, ue, kw)
    for text in (b"held", b"diverted", b"again"):
        b.uplink(to_service(b, text))
        f = b.wait_downlink(is_text(text))
        assert forwarded(f) and f.dst_mac == ENB_MAC and f.ip.sport == 2152
        assert (f.ip.src, f.ip.dst) == (b.sgw, b.enb)
    assert not [f for raw in net.sgw.frames if (f := b.is_uplink(raw))
                and not f.inner.is_echo_request]
    _, pinged, ping = net.pings[0]
    assert pinged is b and forwarded(ping) and ping.dst_mac == SGW_MAC


@paths
def test_other_packets_are_forwarded_both_ways(net, ue, kw):
    b = bearer(net, ue, kw)
    b.uplink(to_other(b, b"up"), seq=7)
    f = b.wait_uplink(is_text(b"up"))
    assert forwarded(f) and f.seq == 7 and f.dst_mac == SGW_MAC
    b.downlink(p.ip_udp(OTHER6 if ":" in ue else OTHER4, b.ue, b"down"))
    assert forwarded(b.wait_downlink(is_text(b"down")))


@paths
def test_held_in_vain_is_forwarded(net, ue, kw):
    net.silent = True
    b = bearer(net, ue, kw)
    b.uplink(to_service(b, b"in vain"), seq=9)
    f = b.wait_uplink(is_text(b"in vain"), timeout=4)
    assert f.seq == 9 and f.src_mac == HOST_MAC and f.ip.header_ok


@paths
def test_held_at_the_end_of_tofd_is_forwarded(host, net, ue, kw):
    b = bearer(net, ue, kw)
    b.silent = True
    b.uplink(to_service(b, b"at the end"), seq=9)
    wait_until(lambda: host.api.metrics()["tof_hold_packets"] == 1,
               what="a packet to be held")
    host.stop_tofd()
    try:
        f = b.wait_uplink(is_text(b"at the end"))
        assert f.seq == 9 and f.src_mac == HOST_MAC and f.ip.header_ok
    finally:
        host.start_tofd()


@paths
def test_what_is_held_from_an_sgw_is_forwarded(net, ue, kw):
    b = bearer(net, ue, kw)
    target = "2001:db8:9::10" if ":" in ue else "203.0.113.10"
    b.downlink(p.ip_echo(target, b.ue, 5, 6, b"its own", reply=True))
    b.wait_downlink(lambda f: f.inner.is_echo_reply)


def is_too_big(raw):
    ip = p.Inner.parse(bytes(raw)[14:])
    return (ip.proto, ip.kind) in ((p.ICMP, 3), (p.ICMPV6, 2))


@paths
def test_narrow_path_is_learned(host, net, ue, kw):
    """A router's error about what the TOF has built is consumed, another one
    is forwarded."""
    b = bearer(net, ue, kw)
    data = os.urandom(1220)
    b.uplink(to_service(b, data))
    built = b.wait_downlink(is_text(data))
    net.router = "10.1.1.253", "fd01:1::fd"
    mark = net.sgw.mark()
    net.router_says(built.raw, 1280)
    net.router_says(built.raw, 1280, ident=0)
    first = p.Inner.parse(net.sgw.wait(is_too_big, since=mark)[14:])
    assert first.payload[:8] != built.ip.raw[:8]
    wait_until(lambda: host.api.metrics()["tof_path_mtu_learned"],
               what="the path's MTU to be learned")


def test_strangers_are_forwarded(net):
    """A sender that is in none of the prefixes has no direction."""
    b = bearer(net, "10.45.9.7", {**OVER4, "enb": "10.9.9.9"})
    b.uplink(to_service(b, b"stranger"))
    b.wait_uplink(is_text(b"stranger"))
    assert not net.pings


def test_forwarding_goes_on_without_tofd(host, net):
    """What is diverted stays so; what is not is forwarded."""
    b, fresh = (bearer(net, f"10.45.9.{i}", OVER4) for i in (1, 2))
    b.uplink(to_service(b, b"first"))
    b.wait_downlink(is_text(b"first"))
    host.stop_tofd(kill=True)
    try:
        fresh.uplink(to_service(fresh, b"fresh"))
        fresh.wait_uplink(is_text(b"fresh"))
        for i in range(3):
            b.uplink(to_service(b, b"alone %d" % i))
            b.wait_downlink(is_text(b"alone %d" % i))
    finally:
        host.start_tofd()
    b.uplink(to_service(b, b"back"))
    b.wait_downlink(is_text(b"back"))


@paths
def test_its_packets_are_traced(host, net, ue, kw):
    """Both ways by the same adapter."""
    b = bearer(net, ue, kw)
    for text in (b"held", b"diverted from now on"):
        b.uplink(to_service(b, text))
        b.wait_downlink(is_text(text))
    at = "single-tof", f"{host.dir}/api.sock"
    with tracing(ue, "60", "--json", at=at) as traced:
        starts(at)
        for text in (b"one", b"two"):
            b.uplink(to_service(b, text))
            b.wait_downlink(is_text(text))
        b.uplink(to_other(b, b"up"))
        b.wait_uplink(is_text(b"up"))
        out, _ = ended(traced)
    assert fates(out) == {("up", "app"): 2, ("down", "enb"): 2,
                          ("up", "sgw"): 1}


@pytest.fixture
def fw(host):
    """A function, and a service that has it as its chain."""
    function = Function("fw", "", FW_TOS, "single-tof")
    try:
        wait_until(lambda: host.api.register("chained", CHAINED_IP,
                                             chain=["fw"]), what="fw0, fw1")
        yield function
        host.api.unregister("chained")
    finally:
        function.close()


def test_chain_of_functions(net, host, fw):
    b = bearer(net, "10.45.9.21", OVER4)
    for text in (b"held", b"diverted", b"again"):
        b.uplink(echo(b.ue, text, dst=CHAINED_IP))
        assert b.wait_downlink(is_text(text)).inner.tos == FW_TOS
        assert arrived(fw.ins, text) and arrived(fw.outs, text)


def test_chain_without_its_switch(net, host, fw):
    """Its packets are forwarded, and pass it again when the switch is back."""
    b = bearer(net, "10.45.9.22", OVER4)
    b.uplink(echo(b.ue, b"before", dst=CHAINED_IP))
    b.wait_downlink(is_text(b"before"))
    pid = int((host.dir / "run/ovs/ovs-vswitchd.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        def is_forwarded():
            b.uplink(echo(b.ue, b"meanwhile", dst=CHAINED_IP))
            return b.wait_uplink(is_text(b"meanwhile"), timeout=0.1)

        assert forwarded(wait_until(is_forwarded, what="a packet"))
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(host.api.healthy, 15, "the switch")

    def is_answered():
        b.uplink(echo(b.ue, b"after", dst=CHAINED_IP))
        return b.wait_downlink(is_text(b"after"), timeout=0.2)

    assert wait_until(is_answered, what="an answer").inner.tos == FW_TOS
    assert arrived(fw.ins, b"after")
