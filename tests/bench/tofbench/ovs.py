# SPDX-License-Identifier: GPL-3.0-or-later
"""ovs-decap, ovs-encap: tunnel endpoints in Open vSwitch, and on the same
frames a bare XDP redirect, a kernel bridge, and Open vSwitch as Debian ships
it.  For each: the highest rate without loss, by frame size.

One veth goes in, another comes out; the generator is on processor 0, the
switch's polling thread on processor 1."""

import contextlib

from tofnet import netns

from . import rig, search, switch
from .engine import Engine

GEN, DUT = "bench-gen", "bench-dut"
SIZES = ("100", "512", "1400", "mix")
APP_MAC, UE_MAC = "02:00:00:00:00:01", "02:00:00:00:00:aa"
DOWN_TEID = 0x99


# What comes out at the far end of 'decap' is shorter by 36 bytes; what goes
# into 'encap' is, so that sizes are always those on S1-U.

def make_frame(direction):
    if direction == "decap":
        return rig.uplink
    return lambda size: rig.plain(size - 36, rig.SERVICE, rig.UE_TEXT)


def flow_conf(direction):
    return dict(rig.GTP, addr_at=0, csum_at=0) if direction == "decap" \
        else {"copy": 48}


@contextlib.contextmanager
def veths():
    """g0 - in, out - g1."""
    with rig.namespaces(GEN, DUT):
        rig.veth(GEN, "g0", DUT, "in")
        rig.veth(GEN, "g1", DUT, "out")
        yield


@contextlib.contextmanager
def bridge(_direction):
    netns.run_in(DUT, "ip", "link", "add", "br0", "type", "bridge",
                 "mcast_snooping", "0")
    netns.set_sysctl(DUT, "ipv6/conf/br0/disable_ipv6", 1)
    netns.bridge_nf(DUT, False)
    for dev in ("in", "out"):
        netns.run_in(DUT, "ip", "link", "set", dev, "master", "br0")
        netns.run_in(DUT, "bridge", "link", "set", "dev", dev, "learning",
                     "off")
    netns.run_in(DUT, "ip", "link", "set", "br0", "up")
    yield "g0", "g1"
    netns.run_in(DUT, "ip", "link", "del", "br0")


@contextlib.contextmanager
def redirect(_direction):
    """Straight to the sink at the far end of the veth."""
    yield "g0", "in"


def tunnel_port(s, direction, kind):
    """Bridges, tunnel port and flows, as tofd would have them (patched), or as
    they have to be (stock)."""
    s.bridge("br-gtp", f"other_config:hwaddr={rig.SGW_MAC}")
    s.bridge("br-tof")
    outer, inner = ("in", "out") if direction == "decap" else ("out", "in")
    s.port("br-gtp", outer, f"type={kind}")
    s.port("br-tof", inner, f"type={kind}")
    options = ["options:remote_ip=flow", "options:local_ip=flow",
               "options:key=flow"]
    if s.build.name == "ovs":
        options += ["options:intercept=true",
                    "options:intercept_bridge=br-gtp"]
    else:
        netns.run_in(s.ns, "ip", "addr", "add", f"{rig.SGW}/24", "dev",
                     "br-gtp")
        netns.run_in(s.ns, "ip", "link", "set", "br-gtp", "up")
        s.appctl("tnl/neigh/set", "br-gtp", rig.ENB, rig.ENB_MAC)
    s.port("br-tof", "gtp0", "type=gtpu", *options)
    s.flows("br-gtp", f"priority=10,in_port={outer},actions=LOCAL",
            f"priority=10,in_port=LOCAL,actions=set_field:{rig.SGW_MAC}->"
            f"eth_src,set_field:{rig.ENB_MAC}->eth_dst,output:{outer}")
    s.flows("br-tof", f"priority=10,in_port=gtp0,actions=set_field:{UE_MAC}->"
            f"eth_src,set_field:{APP_MAC}->eth_dst,output:{inner}",
            f"priority=10,in_port={inner},actions=load:{DOWN_TEID:#x}->"
            "NXM_NX_TUN_ID[0..31],"
            f"set_field:{rig.SGW}->tun_src,set_field:{rig.ENB}->tun_dst,"
            "output:gtp0")


def open_vswitch(build, kind):
    @contextlib.contextmanager
    def variant(direction):
        with switch.Switch(build, DUT) as s:
            tunnel_port(s, direction, kind)
            yield "g0", "g1"
    return variant


def measure(run, direction, variant, size):
    """The highest rates without loss of a variant, several times."""
    with veths(), variant(direction) as (dev, end), Engine() as engine:
        engine.flow("f", rig.frames(make_frame(direction), size), ns=GEN,
                    dev=dev, **flow_conf(direction))
        engine.end("e", ns=GEN if end.startswith("g") else DUT, dev=end,
                   kind="sink")
        # The first packets set up what is cached of flows.
        rig.offer(engine, "f", "e", 10000, 0.1, quiet=0.5)
        seconds = run.pick(0.4, 0.1)
        rate, lost = rig.flood(engine, "f", "e", run.pick(1 << 20, 1 << 16))
        if not lost:                # The sender is at its end before it is.
            return [rate] + [rig.flood(engine, "f", "e", 1 << 20)[0]
                             for _ in range(run.pick(4, 0))]
        return search.repeated(
            lambda r: rig.offer(engine, "f", "e", r, seconds),
            run.pick(800000, 200000), run.pick(3, 1))


def port_kinds(build):
    """AF_XDP if it works on a veth here, else packet sockets."""
    for kind in ("afxdp", "system"):
        try:
            with veths(), switch.Switch(build, DUT) as s:
                s.bridge("br0")
                s.port("br0", "in", f"type={kind}")
                return kind
        except AssertionError:
            continue
    raise AssertionError("Open vSwitch opens no port")


def compare(run, direction):
    from . import xdp                   # Which needs this module, too.
    bench, report = f"ovs-{direction}", run.report
    patched, stock = switch.patched(), switch.stock()
    kind = port_kinds(patched)
    run.say(f"{bench}: ports of type {kind}")
    if not stock:
        report.not_available(bench, "no openvswitch-switch of Debian's to "
                             "compare with", "ovs-stock")
    for size in run.pick(SIZES, ("100",)):
        bare = measure(run, direction, redirect, size)
        report.spread(bench, "rate", bare, "packets/s", datapath="redirect",
                      size=size)
        report.spread(bench, "rate", measure(run, direction, bridge, size),
                      "packets/s", datapath="bridge", size=size)
        fast = xdp.rates(run, direction, size)
        if fast:
            report.spread(bench, "rate", fast, "packets/s", datapath="xdp",
                          size=size)
        mine = measure(run, direction, open_vswitch(patched, kind), size)
        base = fast or bare
        report.spread(bench, "rate", mine, "packets/s",
                      datapath="ovs", size=size,
                      baseline=[sorted(base)[len(base) // 2]] * len(mine))
        if stock:
            report.spread(bench, "rate", measure(
                run, direction, open_vswitch(stock, kind), size),
                "packets/s", datapath="ovs-stock", size=size)


def decap(run):
    compare(run, "decap")


def encap(run):
    compare(run, "encap")
