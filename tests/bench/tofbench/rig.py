# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces, veths and frames that several benches use."""

import contextlib
import time

from tofnet import netns, packet as p

ENB, SGW, ENB_MAC, SGW_MAC = ("10.1.0.1", "10.1.0.2", "0e:0e:0b:00:00:01",
                              "0e:05:09:00:00:02")
UE_FIRST = 0x0a2d0001           # 10.45.0.1 and on: 2^20 and more addresses.
UE_TEXT = "10.45.0.1"
SERVICE = "198.51.100.10"
OTHER = "203.0.113.77"          # No service.
SIZES = {"100": 100, "512": 512, "1400": 1400}
# Of twelve frames seven are short, four medium, one long (as "simple IMIX").
MIX = [100, 512, 100, 100, 512, 100, 100, 1400, 512, 100, 512, 100]

# Places in a G-PDU over IPv4 without options, and in a plain packet.
GTP = {"copy": 96, "id_at": 46, "addr_at": 62, "csum_at": 60, "stamp_at": 0}
GTP_STAMP = 78                  # Behind the inner UDP header.
PLAIN_STAMP = 42


def uplink(size, dst=OTHER, dport=7, sport=40000):
    """A G-PDU of 'size' bytes, with everything around it: UDP of a UE.  No
    UDP checksum: what is inside changes."""
    body = size - 14 - 36 - 28
    inner = p.ip(UE_TEXT, dst, p.udp(UE_TEXT, dst, bytes(body), sport, dport,
                                     cksum=0))
    return p.eth(SGW_MAC, ENB_MAC, p.outer(ENB, SGW, p.gtpu(1, inner)))


def plain(size, src, dst, dst_mac="02:00:00:00:00:01",
          src_mac="02:00:00:00:00:aa", dport=40000, sport=7):
    """A UDP packet of 'size' bytes with its Ethernet header."""
    return p.eth(dst_mac, src_mac, p.ip(src, dst, p.udp(
        src, dst, bytes(size - 14 - 28), sport, dport, cksum=0)))


def frames(make, size):
    """For Engine.flow(): one frame, or those of the mix."""
    return [make(s) for s in MIX] if size == "mix" else [make(SIZES[size])]


@contextlib.contextmanager
def namespaces(*names):
    """Made, and deleted whatever happens."""
    try:
        for name in names:
            netns.add(name)
        yield
    finally:
        for name in names:
            netns.delete(name)


def veth(ns_a, dev_a, ns_b, dev_b):
    """A pair by whose 'dev_a' XDP frames can leave: a veth takes them only if
    its peer already received by NAPI when it came up."""
    netns.veth(ns_b, dev_b, ns_a, dev_a)


def open_for_xdp(ns, dev):
    """The same for the peer of a veth that is up."""
    for value in ("off", "on"):
        netns.run_in(ns, "ethtool", "-K", dev, "gro", value)


def offer(engine, flow, end, rate, seconds, quiet=0.1):
    """A trial: gives frames a second offered, and how many were lost.  They
    have arrived when the count stands still."""
    before = engine.count(end)
    sent, took = engine.send(flow, max(rate * seconds, 2048), rate)
    arrived = arrived_at(engine, end, before, sent, quiet)
    return sent / took, sent - arrived


def arrived_at(engine, end, before, sent, quiet=0.1, timeout=3):
    """How many have arrived, once nothing more does for 'quiet' seconds."""
    last, since = -1, time.monotonic()
    start = since
    while True:
        arrived = (engine.count(end) - before).packets
        now = time.monotonic()
        if arrived != last:
            last, since = arrived, now
        if arrived >= sent or now - since > quiet or now - start > timeout:
            return arrived
        time.sleep(0.01)


def flood(engine, flow, end, packets):
    """As fast as they go: gives frames a second, and how many were lost."""
    before = engine.count(end)
    sent, took = engine.send(flow, packets)
    return sent / took, sent - arrived_at(engine, end, before, sent)
