# SPDX-License-Identifier: GPL-3.0-or-later
"""service-path and register-latency: the way from a UE to the App and back,
and how soon it is there once it has been asked for."""

import contextlib
import time

from tofnet import netns
from tofnet.lab import APP, SERVICE_IP

from . import rig, search, tof
from .engine import Engine

SIZES = ("100", "512", "1400", "mix")
UE_NS, NAT_NS, APP_NS = "bench-ue", "bench-nat", "bench-app"
NAT_MAC, UE_MAC, APP_MAC = ("02:00:00:00:00:01", "02:00:00:00:00:02",
                            "02:00:00:00:00:03")
SESSIONS = 100

NAT_RULES = f"""
table ip bench {{
    chain prerouting {{
        type nat hook prerouting priority -100
        iifname "ue0" dnat to ip daddr map {{ {SERVICE_IP} : {APP} }}
    }}
}}
"""


@contextlib.contextmanager
def plain_forwarding():
    """ue0 - kernel forwarding with the same DNAT - app0, and an App that sends
    back.  No tunnels, no bearers."""
    with rig.namespaces(UE_NS, NAT_NS, APP_NS), Engine() as engine:
        rig.veth(UE_NS, "u0", NAT_NS, "ue0")
        rig.veth(APP_NS, "app0", NAT_NS, "app0")

        def in_nat(*argv):
            netns.run_in(NAT_NS, *argv)
        in_nat("ip", "link", "set", "ue0", "address", NAT_MAC)
        in_nat("ip", "addr", "add", "192.168.100.1/24", "dev", "app0")
        in_nat("ip", "route", "add", "default", "via", "169.254.1.2", "dev",
               "ue0", "onlink")
        in_nat("ip", "neigh", "add", "169.254.1.2", "lladdr", UE_MAC, "dev",
               "ue0", "nud", "permanent")
        in_nat("ip", "neigh", "add", APP, "lladdr", APP_MAC, "dev", "app0",
               "nud", "permanent")
        netns.set_sysctl(NAT_NS, "ipv4/ip_forward", 1)
        netns.set_sysctl(NAT_NS, "ipv4/conf/all/rp_filter", 0)
        netns.set_sysctl(NAT_NS, "ipv4/conf/ue0/rp_filter", 0)
        netns.run_in(APP_NS, "ip", "link", "set", "app0", "address", APP_MAC)
        in_nat("nft", NAT_RULES)
        engine.end("app", ns=APP_NS, dev="app0", kind="echo", port=7)
        engine.end("ue", ns=UE_NS, dev="u0", kind="sink")
        yield engine


def ue_frame(size):
    """What is in the tunnel of a frame of 'size' bytes, untunnelled."""
    return rig.plain(size - 36, rig.UE_TEXT, SERVICE_IP, dport=7, sport=40000,
                     dst_mac=NAT_MAC, src_mac=UE_MAC)


def highest(run, engine, flow, end):
    rate, lost = rig.flood(engine, flow, end, run.pick(1 << 18, 1 << 15))
    if not lost:                    # It keeps up with whatever is sent.
        return [rate] + [rig.flood(engine, flow, end, 1 << 18)[0]
                         for _ in range(run.pick(4, 0))]
    return search.repeated(
        lambda r: rig.offer(engine, flow, end, r, run.pick(0.5, 0.1)),
        run.pick(200000, 50000), run.pick(3, 1))


def plain_rates(run):
    """Kernel forwarding alone, by frame size."""
    rates = {}
    with plain_forwarding() as engine:
        for size in run.pick(SIZES, ("100",)):
            engine.flow(size, rig.frames(ue_frame, size), ns=UE_NS, dev="u0",
                        copy=42, addr_at=26, csum_at=24)
            engine.set(size, sessions=SESSIONS, addr_base=rig.UE_FIRST)
            rig.offer(engine, size, "ue", 5000, 0.1)
            rates[size] = highest(run, engine, size, "ue")
            run.report.spread("service-path", "rate", rates[size],
                              "packets/s", datapath="kernel", size=size)
            engine.drop(size)
    return rates


def service_path(run):
    plain = plain_rates(run)

    def measure(t):
        t.register()
        t.set_apart()
        for size in run.pick(SIZES, ("100",)):
            t.uplink(size, rig.frames(
                lambda s: rig.uplink(s, SERVICE_IP), size), SESSIONS)
            t.establish(size, SESSIONS)
            rates = highest(run, t.engine, size, "enb")
            middle = sorted(plain[size])[len(plain[size]) // 2]
            run.report.spread("service-path", "rate", rates, "packets/s",
                              [middle] * len(rates), t.datapath, size=size)
            t.engine.drop(size)

    tof.each_datapath(run, "service-path", measure)


BEFORE = 0.05                   # Seconds that a UE has sent when the POST is.


def one_registration(t, i):
    """ms from POST sent to answered, and to the first packet at the App, while
    a UE that has been proved just now sends 20 packets a millisecond to the
    address.  UE and address are new each time."""
    service = f"198.51.{100 + i // 200}.{10 + i % 200}"
    e = t.engine
    e.frame("up", rig.uplink(100, service))
    e.set("up", first=i)
    e.reset("app")
    e.start("trickle", "up", packets=int(20000 * (BEFORE + 0.15)), rate=20000)
    time.sleep(BEFORE)
    sent = time.monotonic_ns()
    t.api.register(f"bench{i}", service, APP)
    answered = time.monotonic_ns()
    e.finish()
    first = e.count("app").first
    assert first, f"nothing came to {service} within 150 ms"
    return (answered - sent) / 1e6, (first - sent) / 1e6


def register_latency(run):
    def measure(t):
        t.uplink("up", [rig.uplink(100, SERVICE_IP)])
        both = [one_registration(t, i) for i in range(run.pick(200, 5))]
        for metric, column in (("post-to-answer", 0), ("post-to-app", 1)):
            run.report.percentiles(
                "register-latency", metric, [b[column] for b in both], "ms",
                t.datapath, (50, 90, 99, 100))

    tof.each_datapath(run, "register-latency", measure)
