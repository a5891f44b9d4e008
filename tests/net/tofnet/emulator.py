# SPDX-License-Identifier: GPL-3.0-or-later
"""An eNodeB and an SGW, by raw frames at both ends of S1-U (lab.sh up
--peers none), and UEs with a TCP/IP stack behind that eNodeB.

    with Emulator() as net:
        b = net.bearer("10.45.1.1")
        b.uplink(packet.ip_udp(b.ue, "198.51.100.10", b"x", dport=7))
        net.enb.wait(lambda f: ...)     # net.enb, net.sgw: RawPort each

The SGW answers the Pinger: an echo request to one of 'targets' that arrives in
a bearer's uplink tunnel comes back as a reply in its downlink tunnel."""

import dataclasses
import fcntl
import ipaddress
import itertools
import os
import socket
import struct
import threading
import time

from . import netns
from .netns import RawPort, run_in
from .packet import (
    END_MARKER, ERROR_INDICATION, GPDU, GtpFrame, addr, echo_reply_to, eth,
    forwarded, gtpu, ip_icmp, mac, outer, pdu_session)

ENB, SGW = "10.1.0.1", "10.1.0.2"
ENB6, SGW6 = "fd01::1", "fd01::2"
ENB_MAC, SGW_MAC = "0e:0e:0b:00:00:01", "0e:05:09:00:00:02"
ROUTER, ROUTER6 = "10.1.0.254", "fd01::fe"       # Towards the eNodeB.
TARGET, TARGET6 = "203.0.113.10", "2001:db8:9::10"


@dataclasses.dataclass
class Bearer:
    """A bearer of a UE.  The fields may be changed at any time: a path switch
    is another 'enb' and 'down_teid'."""
    net: "Emulator"
    ue: str
    up_teid: int
    down_teid: int
    enb: str = ENB
    sgw: str = SGW
    enb_mac: str = ENB_MAC
    sgw_mac: str = SGW_MAC
    qfi: int = None
    vlan: object = None
    up_tos: int = 0
    down_tos: int = 0
    silent: bool = False        # The SGW does not answer pings of this one.
    routes: tuple = ()          # Networks behind the UE (framed routes).
    answered_by: "Bearer" = None        # Whose downlink answers its pings.
    page: object = None         # page(reply), called instead of answering a
                                # ping: the UE is idle.
    via: str = None             # MAC address of a router between both.

    def _eth(self, up, packet):
        ends = (self.sgw_mac, self.enb_mac)
        dst, src = ends if up else ends[::-1]
        return eth(self.via or dst, src, packet, vlan=self.vlan)

    @property
    def macs_at_enb(self):
        """Source and destination of what arrives at the eNodeB."""
        if self.via:
            return self.via, ENB_MAC            # It asks by ARP.
        return self.sgw_mac, self.enb_mac

    def uplink_frame(self, inner, **kw):
        if self.qfi is not None:
            kw.setdefault("exts", [pdu_session(self.qfi, True)])
        return self._eth(True, outer(
            self.enb, self.sgw, gtpu(self.up_teid, inner, **kw),
            tos=self.up_tos))

    def downlink_frame(self, inner, **kw):
        if self.qfi is not None:
            kw.setdefault("exts", [pdu_session(self.qfi, False)])
        return self._eth(False, outer(
            self.sgw, self.enb, gtpu(self.down_teid, inner, **kw),
            tos=self.down_tos))

    def uplink(self, inner, **kw):
        """The UE sends 'inner'; the frame that the eNodeB sent is given."""
        frame = self.uplink_frame(inner, **kw)
        self.net.enb.send(frame)
        return frame

    def downlink(self, inner, **kw):
        frame = self.downlink_frame(inner, **kw)
        self.net.sgw.send(frame)
        return frame

    def end_marker(self, exts=()):
        frame = self.downlink_frame(b"", kind=END_MARKER, exts=exts)
        self.net.sgw.send(frame)
        return frame

    def error_indication(self, from_enb=True):
        """The receiver of this bearer's downlink (or uplink) tunnel does not
        know it."""
        teid, at = (self.down_teid, self.enb) if from_enb else \
            (self.up_teid, self.sgw)
        body = b"\x10" + struct.pack("!I", teid) + b"\x85" \
            + struct.pack("!H", len(addr(at))) + addr(at)
        message = gtpu(0, body, ERROR_INDICATION, seq=0)
        if from_enb:
            frame = self._eth(True, outer(self.enb, self.sgw, message))
            self.net.enb.send(frame)
        else:
            frame = self._eth(False, outer(self.sgw, self.enb, message))
            self.net.sgw.send(frame)
        return frame

    def has(self, address):
        """The gateway takes packets from that address in this bearer."""
        own = f"{self.ue}/{64 if ':' in self.ue else 32}"
        return any(ipaddress.ip_address(address)
                   in ipaddress.ip_network(network, strict=False)
                   for network in (own, *self.routes))

    def is_downlink(self, frame):
        """'frame' is a G-PDU to this bearer's UE: gives it parsed, or None."""
        f = GtpFrame.parse(frame)
        return f if f and f.kind == GPDU and f.teid == self.down_teid \
            and f.ip.dst == self.enb else None

    def is_uplink(self, frame):
        f = GtpFrame.parse(frame)
        return f if f and f.kind == GPDU and f.teid == self.up_teid \
            and f.ip.dst == self.sgw else None

    def wait_downlink(self, match=lambda f: True, timeout=3, since=0,
                      what="a downlink G-PDU"):
        """The first G-PDU, parsed, that the eNodeB gets for this UE and for
        which match(GtpFrame) is true."""
        frame = self.net.enb.wait(
            lambda raw: (f := self.is_downlink(raw)) and match(f), timeout,
            since, what)
        return GtpFrame.parse(frame)

    def wait_uplink(self, match=lambda f: True, timeout=3, since=0,
                    what="an uplink G-PDU"):
        frame = self.net.sgw.wait(
            lambda raw: (f := self.is_uplink(raw)) and match(f), timeout,
            since, what)
        return GtpFrame.parse(frame)


class Emulator:
    """Both ends of S1-U."""

    _teids = itertools.count(0x1000)

    def __init__(self, enb_ns="lab-enb", sgw_ns="lab-sgw", dev="s1u0",
                 targets=(TARGET, TARGET6), via=None):
        self.via = via          # Of all bearers, if not None.
        self.enb = RawPort(enb_ns, dev)
        self.sgw = RawPort(sgw_ns, dev)
        self.targets = frozenset(targets)
        self.silent = False     # The SGW answers no ping at all.
        self.delay = 0          # Seconds until it answers.
        self.mtu = None         # Of the path to the eNodeB.  A router there
                                # says what is too big for it.
        self.router = ROUTER, ROUTER6
        self.too_big = []       # That, parsed.
        self.pings = []         # (time, Bearer or None, GtpFrame) it got.
        self.bearers = []
        self.ues = []
        if via:
            # It looks for its neighbours.
            self.enb.ignore = self.sgw.ignore = lambda f: not GtpFrame.parse(f)
        self.sgw.listen(self._at_sgw)
        self.enb.listen(self._at_enb)

    def bearer(self, ue, up_teid=None, down_teid=None, **kw):
        """A new bearer; TEIDs are never used twice unless given."""
        if up_teid is None:
            up_teid = next(self._teids)
        if down_teid is None:
            down_teid = next(self._teids) | 0x80000000
        kw.setdefault("via", self.via)
        b = Bearer(self, ue, up_teid, down_teid, **kw)
        self.bearers.append(b)
        return b

    def forwarded(self, frame):
        """What one end has sent, as it arrives at the other one if it is
        switched (or forwarded)."""
        if not self.via:
            return frame
        to_sgw = frame[6:12] != mac(SGW_MAC)
        return forwarded(frame, self.via, SGW_MAC if to_sgw else ENB_MAC)

    def forget(self, bearer):
        self.bearers.remove(bearer)

    def take_over(self, bearer):
        """The network sends packets of another emulator's bearer by way of
        here: gives it as it is then."""
        here = dataclasses.replace(bearer, net=self)
        self.bearers.append(here)
        return here

    def take_over_ue(self, ue):
        """The same with a UE that has a stack; nothing arrives there by
        another way any more."""
        ue.bearer.net.ues.remove(ue)
        self.ues.append(ue)
        ue.bearer = self.take_over(ue.bearer)

    def ue(self, address, prefix="lab-ue", **kw):
        """A UE with a stack of its own, in a namespace: see Ue."""
        ue = Ue(self, f"{prefix}{len(self.ues)}", self.bearer(address, **kw))
        self.ues.append(ue)
        return ue

    def _at_sgw(self, raw):
        f = GtpFrame.parse(raw)
        if not f or f.kind != GPDU:
            return
        inner = f.inner
        if not inner.is_echo_request or inner.dst not in self.targets:
            return
        bearer = next((b for b in self.bearers if b.up_teid == f.teid
                       and b.sgw == f.ip.dst and b.has(inner.src)), None)
        self.pings.append((raw.time, bearer, f))
        if self.silent or not bearer or bearer.silent:
            return
        reply = echo_reply_to(f.payload)
        answer = bearer.page or (bearer.answered_by or bearer).downlink
        if self.delay:
            threading.Timer(self.delay, answer, (reply,)).start()
        else:
            answer(reply)

    def router_says(self, raw, mtu, ident=None):
        """A router on the way to the eNodeB tells the SGW that the frame is
        too big (with another IP id or flow label in it): gives what it
        sends."""
        f = GtpFrame.parse(raw)
        v6 = f.ip.version == 6
        quoted = f.ip.raw[:1200 if v6 else 548]
        if ident is not None:
            quoted = (struct.pack("!I", 6 << 28 | ident) + quoted[4:] if v6
                      else quoted[:4] + struct.pack("!H", ident) + quoted[6:])
        icmp = ip_icmp(self.router[v6], f.ip.src, *((2, 0) if v6 else (3, 4)),
                       mtu, quoted)
        frame = eth(f.src_mac, f.dst_mac, icmp, vlan=f.vlan)
        self.enb.send(frame)
        return frame

    def _at_enb(self, raw):
        f = GtpFrame.parse(raw)
        if self.mtu and f and len(f.ip.raw) > self.mtu:
            self.too_big.append(f)
            self.router_says(raw, self.mtu)
            return
        if f and f.kind == GPDU:
            for ue in self.ues:
                if ue.bearer.is_downlink(raw):
                    ue.write(f.payload)

    def clear(self):
        """Forgets all bearers and frames, between tests."""
        while self.ues:
            self.ues.pop().close()
        self.bearers.clear()
        self.pings.clear()
        self.silent, self.delay = False, 0
        self.mtu = None
        self.too_big.clear()
        self.enb.clear()
        self.sgw.clear()

    def close(self):
        self.clear()
        self.enb.close()
        self.sgw.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Ue:
    """A UE with the kernel's stack, in a namespace: what it sends to its tun
    device leaves as G-PDUs of its bearer, and the other way round.  Commands
    run in it by run(); it has IPv4 or IPv6, as its address."""

    TUNSETIFF = 0x400454ca
    IFF_TUN, IFF_NO_PI = 1, 0x1000

    def __init__(self, net, ns, bearer, mtu=1400):
        self.ns, self.bearer = ns, bearer
        self._closing = False
        netns.add(ns)
        self._fd = netns.call_in(ns, self._open)
        v6 = ":" in bearer.ue
        run_in(ns, "ip", "link", "set", "tun0", "mtu", mtu, "addrgenmode",
               "none", "up")
        run_in(ns, "ip", "addr", "add",
               bearer.ue + ("/128" if v6 else "/32"), "dev", "tun0",
               *(["nodad"] if v6 else []))
        run_in(ns, "ip", "-6" if v6 else "-4", "route", "add", "default",
               "dev", "tun0", "src", bearer.ue)
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def _open(self):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, self.TUNSETIFF, struct.pack(
            "16sH22x", b"tun0", self.IFF_TUN | self.IFF_NO_PI))
        return fd

    def _pump(self):
        while not self._closing:
            try:
                packet = os.read(self._fd, 65536)
            except BlockingIOError:
                time.sleep(0.001)
                continue
            except OSError:
                return
            self.bearer.uplink(packet)

    def write(self, packet):
        try:
            os.write(self._fd, packet)
        except OSError:
            pass                # Not a packet of this device, or it is full.

    def run(self, *argv, **kw):
        return run_in(self.ns, *argv, **kw)

    def get(self, url, timeout=5):
        """The body of an HTTP answer, or None."""
        p = self.run("curl", "-g", "-s", "-m", timeout, url, check=False)
        return p.stdout.strip() if p.returncode == 0 else None

    def socket(self, kind=socket.SOCK_DGRAM):
        family = socket.AF_INET6 if ":" in self.bearer.ue else socket.AF_INET
        return netns.call_in(self.ns, socket.socket, family, kind)

    def close(self):
        self._closing = True
        self._thread.join()
        os.close(self._fd)
        netns.delete(self.ns)
