# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets, from bytes up: small builders whose every length, flag and checksum
can be given wrong, and a parser of what was received."""

import ipaddress
import struct
from dataclasses import dataclass, field

GTPU_PORT = 2152
OUTER_ID = 0x7f0b               # The IP id of what the TOF builds.
ETH_IPV4, ETH_IPV6, ETH_ARP = 0x0800, 0x86dd, 0x0806
ETH_VLAN, ETH_QINQ = 0x8100, 0x88a8
ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132

ECHO_REQUEST, ECHO_RESPONSE, ERROR_INDICATION = 1, 2, 26
SUPPORTED_EXTENSIONS, END_MARKER, GPDU = 31, 254, 255

EXT_PDU_SESSION, EXT_PDCP, EXT_UDP_PORT = 0x85, 0xc0, 0x40


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def addr(text):
    return ipaddress.ip_address(str(text)).packed


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def _pseudo(src, dst, proto, length):
    src, dst = addr(src), addr(dst)
    if len(src) == 4:
        return src + dst + struct.pack("!BBH", 0, proto, length)
    return src + dst + struct.pack("!IHBB", length, 0, 0, proto)


# --- Ethernet ---------------------------------------------------------------

def eth(dst, src, payload, ethertype=None, vlan=()):
    """'vlan': a tag or several, outermost first: TCI, or (TPID, TCI)."""
    if ethertype is None:
        ethertype = ETH_IPV6 if payload[:1] and payload[0] >> 4 == 6 \
            else ETH_IPV4
    tags = b""
    if vlan is None:
        vlan = ()
    for tag in (vlan,) if isinstance(vlan, int) else vlan:
        tpid, tci = (ETH_VLAN, tag) if isinstance(tag, int) else tag
        tags += struct.pack("!HH", tpid, tci)
    return mac(dst) + mac(src) + tags + struct.pack("!H", ethertype) + payload


# --- IP ---------------------------------------------------------------------

def ipv4(src, dst, payload, proto=UDP, *, ttl=64, tos=0, ident=0, frag=0,
         options=b"", ihl=None, length=None, cksum=None):
    """'frag': the flags and offset field, as is."""
    if ihl is None:
        ihl = 5 + len(options) // 4
    if length is None:
        length = 20 + len(options) + len(payload)

    def header(c):
        return struct.pack("!BBHHHBBH4s4s", 0x40 | ihl, tos, length, ident,
                           frag, ttl, proto, c, addr(src), addr(dst)) + options
    return header(checksum(header(0)) if cksum is None else cksum) + payload


def ipv6(src, dst, payload, proto=UDP, *, hlim=64, tc=0, flow=0, length=None):
    if length is None:
        length = len(payload)
    return struct.pack("!IHBB16s16s", 6 << 28 | tc << 20 | flow, length, proto,
                       hlim, addr(src), addr(dst)) + payload


def ip(src, dst, payload, proto=UDP, tos=0, ttl=64):
    if ":" in str(dst):
        return ipv6(src, dst, payload, proto, tc=tos, hlim=ttl)
    return ipv4(src, dst, payload, proto, tos=tos, ttl=ttl)


def ipv4_fragments(packet, size, first=0x2000):
    """Cuts a packet without options into fragments of 'size' payload bytes (a
    multiple of 8)."""
    body, out = packet[20:], []
    ident, = struct.unpack_from("!H", packet, 4)
    for pos in range(0, len(body), size):
        more = first if pos + size < len(body) else 0
        out.append(ipv4(ipaddress.ip_address(packet[12:16]),
                        ipaddress.ip_address(packet[16:20]),
                        body[pos:pos + size], packet[9], ttl=packet[8],
                        tos=packet[1], ident=ident, frag=more | pos // 8))
    return out


def ipv6_fragments(packet, size, ident):
    """The same for IPv6 without extension headers."""
    body, out = packet[40:], []
    for pos in range(0, len(body), size):
        more = pos + size < len(body)
        out.append(packet[:4] + struct.pack("!HB", 8 + len(
            body[pos:pos + size]), 44) + packet[7:40] + struct.pack(
                "!BBHI", packet[6], 0, pos | more, ident)
            + body[pos:pos + size])
    return out


def fragments(packet, size, ident):
    """A packet of either family in fragments."""
    if packet[0] >> 4 == 6:
        return ipv6_fragments(packet, size, ident)
    return ipv4_fragments(packet[:4] + struct.pack("!H", ident) + packet[6:],
                          size)


def reassemble(packets):
    """The packet, of either family, that fragments in order are parts of; None
    if they are not all there."""
    six = bool(packets) and packets[0][0] >> 4 == 6
    head = 48 if six else 20
    body = b""
    more = True
    for f in packets:
        word, = struct.unpack_from("!H", f, 42 if six else 6)
        offset = word & 0xfff8 if six else (word & 0x1fff) * 8
        if offset != len(body) or not more:
            return None
        more = bool(word & (1 if six else 0x2000))
        body += f[head:]
    if more:
        return None
    first = packets[0]
    if six:
        return first[:4] + struct.pack("!HB", len(body), first[40]) \
            + first[7:40] + body
    return ipv4(ipaddress.ip_address(first[12:16]),
                ipaddress.ip_address(first[16:20]), body, first[9],
                ttl=first[8], tos=first[1],
                ident=struct.unpack_from("!H", first, 4)[0])


def forwarded(frame, src_mac, dst_mac):
    """The untagged frame as a router sends it on."""
    packet = bytearray(frame[14:])
    if packet[0] >> 4 == 4:
        hlen = (packet[0] & 15) * 4
        packet[8] -= 1
        packet[10:12] = b"\0\0"
        packet[10:12] = struct.pack("!H", checksum(bytes(packet[:hlen])))
    else:
        packet[7] -= 1
    return eth(dst_mac, src_mac, bytes(packet))


# --- Transport --------------------------------------------------------------

def udp(src, dst, payload, sport=40000, dport=40001, *, cksum=None,
        length=None):
    """'cksum': None computes it (0 stays for "none")."""
    if length is None:
        length = 8 + len(payload)

    def segment(c):
        return struct.pack("!HHHH", sport, dport, length, c) + payload
    if cksum is None:
        data = segment(0)
        cksum = checksum(_pseudo(src, dst, UDP, len(data)) + data) or 0xffff
    return segment(cksum)


def ip_udp(src, dst, payload=b"", sport=40000, dport=40001, **kw):
    return ip(src, dst, udp(src, dst, payload, sport, dport), UDP, **kw)


def ip_tcp(src, dst, sport, dport, flags="S", seq=0, ack=0, payload=b"",
           options=b"", window=65535, **kw):
    bits = sum(1 << "FSRPAU".index(f) for f in flags)

    def segment(c):
        return struct.pack("!HHIIBBHHH", sport, dport, seq, ack,
                           (5 + len(options) // 4) << 4, bits, window, c, 0) \
            + options + payload
    data = segment(0)
    return ip(src, dst, segment(checksum(_pseudo(src, dst, TCP, len(data))
                                         + data)), TCP, **kw)


def ip_icmp(src, dst, kind, code, rest, payload=b"", **kw):
    """An ICMP or ICMPv6 message, IP header and all; 'rest': the second word of
    its header."""
    v6 = ":" in str(dst)
    proto = ICMPV6 if v6 else ICMP

    def message(c):
        return struct.pack("!BBHI", kind, code, c, rest) + payload
    data = message(0)
    pseudo = _pseudo(src, dst, proto, len(data)) if v6 else b""
    return ip(src, dst, message(checksum(pseudo + data)), proto, **kw)


def ip_echo(src, dst, ident=1, seq=1, payload=b"ping", reply=False, **kw):
    """ICMP or ICMPv6 echo request or reply."""
    v6 = ":" in str(dst)
    kind = (129 if reply else 128) if v6 else (0 if reply else 8)
    return ip_icmp(src, dst, kind, 0, ident << 16 | seq, payload, **kw)


def echo_reply_to(packet):
    """The reply to an echo request, IP header included."""
    p = Inner.parse(packet)
    return ip_echo(p.dst, p.src, p.ident, p.seq, p.payload, reply=True)


# --- GTP-U ------------------------------------------------------------------

def gtpu(teid, payload=b"", kind=GPDU, *, flags=None, seq=None, npdu=None,
         exts=(), length=None, next_type=None):
    """A GTP-U message.  'exts': (type, content) each, the content padded to
    whole units here; or (type, bytes, True) to give the bytes of the extension
    as they are, without its own next-type byte computed.  'seq', 'npdu' and
    'exts' set their flags unless 'flags' is given."""
    if flags is None:
        flags = 0x30 | (4 if exts else 0) | (2 if seq is not None else 0) \
            | (1 if npdu is not None else 0)
    optional = b""
    if flags & 7:
        first = exts[0][0] if exts else 0
        if next_type is not None:
            first = next_type
        optional = struct.pack("!HBB", seq or 0, npdu or 0, first)
        for i, ext in enumerate(exts):
            if len(ext) > 2 and ext[2]:
                optional += ext[1]
                continue
            after = exts[i + 1][0] if i + 1 < len(exts) else 0
            units = (len(ext[1]) + 2 + 3) // 4
            optional += bytes([units]) + ext[1].ljust(units * 4 - 2, b"\0") \
                + bytes([after])
    if length is None:
        length = len(optional) + len(payload)
    return struct.pack("!BBHI", flags, kind, length, teid) + optional + payload


def pdu_session(qfi, uplink):
    """A PDU Session Container for 'exts' (3GPP TS 38.415)."""
    return (EXT_PDU_SESSION, bytes([0x10 if uplink else 0, qfi & 0x3f]))


def outer(src, dst, gtp, *, sport=GTPU_PORT, dport=GTPU_PORT, tos=0, ttl=64,
          cksum=None, ident=0):
    """IP and UDP around a GTP-U message: over IPv4 without checksum."""
    v6 = ":" in str(dst)
    if cksum is None and not v6:
        cksum = 0
    segment = udp(src, dst, gtp, sport, dport, cksum=cksum)
    if v6:
        return ipv6(src, dst, segment, UDP, hlim=ttl, tc=tos)
    return ipv4(src, dst, segment, UDP, ttl=ttl, tos=tos, ident=ident)


# --- Reading ----------------------------------------------------------------

@dataclass
class Inner:
    """An IP packet.  'ident' and 'seq' are of an echo message; 'kind' its
    ICMP type; the ports of UDP and TCP."""
    version: int = 0
    src: str = ""
    dst: str = ""
    tos: int = 0
    ttl: int = 0
    proto: int = 0
    frag: int = 0
    header_ok: bool = True
    raw: bytes = b""
    sport: int = 0
    dport: int = 0
    kind: int = -1
    ident: int = 0
    seq: int = 0
    flags: str = ""
    payload: bytes = b""
    l4: bytes = b""

    @classmethod
    def parse(cls, data):
        p = cls(raw=data)
        if len(data) >= 20 and data[0] >> 4 == 4:
            hlen = (data[0] & 15) * 4
            length, = struct.unpack_from("!H", data, 2)
            p.version, p.tos, p.ttl, p.proto = 4, data[1], data[8], data[9]
            p.frag = struct.unpack_from("!H", data, 6)[0] & 0x3fff
            p.src = str(ipaddress.ip_address(data[12:16]))
            p.dst = str(ipaddress.ip_address(data[16:20]))
            p.header_ok = checksum(data[:hlen]) == 0
            p.l4 = data[hlen:length]
        elif len(data) >= 40 and data[0] >> 4 == 6:
            length, = struct.unpack_from("!H", data, 4)
            p.version, p.proto, p.ttl = 6, data[6], data[7]
            p.tos = struct.unpack_from("!H", data)[0] >> 4 & 0xff
            p.src = str(ipaddress.ip_address(data[8:24]))
            p.dst = str(ipaddress.ip_address(data[24:40]))
            p.l4 = data[40:40 + length]
        else:
            return p
        if p.frag & 0x1fff == 0:
            p._parse_l4()
        return p

    def _parse_l4(self):
        d = self.l4
        if self.proto in (UDP, TCP) and len(d) >= 8:
            self.sport, self.dport = struct.unpack_from("!HH", d)
            self.payload = d[8:]
            if self.proto == TCP and len(d) >= 20:
                self.seq, self.ident = struct.unpack_from("!II", d, 4)
                self.flags = "".join(f for i, f in enumerate("FSRPAU")
                                     if d[13] >> i & 1)
                self.payload = d[(d[12] >> 4) * 4:]
        elif self.proto in (ICMP, ICMPV6) and len(d) >= 8:
            self.kind = d[0]
            self.ident, self.seq = struct.unpack_from("!HH", d, 4)
            self.payload = d[8:]

    @property
    def l4_ok(self):
        """The transport checksum is right (or, UDP over IPv4, absent)."""
        if self.proto == UDP and self.version == 4 and self.l4[6:8] == b"\0\0":
            return True
        pseudo = b"" if self.proto == ICMP else \
            _pseudo(self.src, self.dst, self.proto, len(self.l4))
        return checksum(pseudo + self.l4) == 0

    @property
    def is_echo_request(self):
        return (self.proto, self.kind) in ((ICMP, 8), (ICMPV6, 128))

    @property
    def is_echo_reply(self):
        return (self.proto, self.kind) in ((ICMP, 0), (ICMPV6, 129))


@dataclass
class GtpFrame:
    """A frame that carries GTP-U.  Where it does not, parse() gives None."""
    raw: bytes = b""
    dst_mac: str = ""
    src_mac: str = ""
    vlan: list = field(default_factory=list)
    ip: Inner = None
    udp_checksum: int = 0
    flags: int = 0
    kind: int = 0
    length: int = 0
    teid: int = 0
    seq: int = None
    npdu: int = None
    exts: list = field(default_factory=list)
    payload: bytes = b""

    @property
    def inner(self):
        return Inner.parse(self.payload)

    @property
    def qfi(self):
        for kind, content in self.exts:
            if kind == EXT_PDU_SESSION:
                return content[1] & 0x3f
        return None

    @classmethod
    def parse(cls, frame):
        data = bytes(frame)
        f = cls(raw=data, dst_mac=data[:6].hex(":"), src_mac=data[6:12].hex(":"))
        pos = 12
        while data[pos:pos + 2] in (b"\x81\x00", b"\x88\xa8"):
            f.vlan.append(struct.unpack_from("!H", data, pos + 2)[0])
            pos += 4
        if data[pos:pos + 2] not in (b"\x08\x00", b"\x86\xdd"):
            return None
        f.ip = Inner.parse(data[pos + 2:])
        if f.ip.proto != UDP or f.ip.dport != GTPU_PORT \
                or len(f.ip.payload) < 8:
            return None
        f.udp_checksum, = struct.unpack_from("!H", f.ip.l4, 6)
        f._parse_gtp(f.ip.payload)
        return f

    def _parse_gtp(self, g):
        self.flags, self.kind, self.length, self.teid = \
            struct.unpack_from("!BBHI", g)
        pos, end = 8, 8 + self.length
        if self.flags & 7 and len(g) >= 12:
            seq, npdu, kind = struct.unpack_from("!HBB", g, 8)
            self.seq = seq if self.flags & 2 else None
            self.npdu = npdu if self.flags & 1 else None
            pos = 12
            while self.flags & 4 and kind and pos < len(g) and g[pos]:
                after = pos + g[pos] * 4
                self.exts.append((kind, g[pos + 1:after - 1]))
                kind, pos = (g[after - 1] if after <= len(g) else 0), after
        self.payload = g[pos:end]
