# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames that a wire must carry bit for bit, good and bad.

None of them is for a service, so the table holds with tofd running as well.
Three kinds are not here, as no kernel bridge passes them: pause frames
(01:80:c2:00:00:01), a source address that is zero or a group, and what is
addressed to the bridge's own adapters."""

import struct

from .packet import (
    END_MARKER, ECHO_REQUEST, ECHO_RESPONSE, ERROR_INDICATION, ETH_ARP,
    ETH_IPV4, ETH_IPV6, ETH_QINQ, ETH_VLAN, EXT_PDCP, EXT_UDP_PORT, ICMPV6,
    SCTP, SUPPORTED_EXTENSIONS, UDP, addr, eth, gtpu, ip_echo, ip_tcp, ip_udp,
    ipv4, ipv4_fragments, ipv6, mac, outer, pdu_session, udp)

ENB, SGW = "10.1.0.1", "10.1.0.2"
ENB6, SGW6 = "fd01::1", "fd01::2"
ENB_MAC, SGW_MAC = "0e:0e:0b:00:00:01", "0e:05:09:00:00:02"
UE, UE6, HOST, HOST6 = "10.45.7.7", "fd45::7:7", "203.0.113.99", "fd03::99"

UP = (SGW_MAC, ENB_MAC)         # Destination and source address.


def _arp(op, sender_mac, sender, target_mac, target):
    return struct.pack("!HHBBH", 1, ETH_IPV4, 6, 4, op) + mac(sender_mac) \
        + addr(sender) + mac(target_mac) + addr(target)


def _icmpv6(kind, body, src, dst, hlim=255):
    from .packet import _pseudo, checksum

    def message(c):
        return struct.pack("!BBH", kind, 0, c) + body
    data = message(0)
    return ipv6(src, dst, message(checksum(
        _pseudo(src, dst, ICMPV6, len(data)) + data)), ICMPV6, hlim=hlim)


def _inner(size=64, dst=HOST):
    return ip_udp(UE, dst, bytes(i & 0xff for i in range(size)))


def _gtp(message, **kw):
    return eth(*UP, outer(ENB, SGW, message, **kw))


def _gtp6(message, **kw):
    return eth(*UP, outer(ENB6, SGW6, message, **kw))


def _fragments6(payload, size=1232):
    """Two IPv6 fragments of a UDP datagram."""
    out = []
    for pos in range(0, len(payload), size):
        more = pos + size < len(payload)
        out.append(ipv6(ENB6, SGW6, struct.pack(
            "!BBHI", UDP, 0, pos | more, 0x1234) + payload[pos:pos + size],
            proto=44))
    return out


def _link_layer():
    bcast = "ff:ff:ff:ff:ff:ff"
    solicited = "33:33:ff:00:00:02"
    yield "arp-request", eth(bcast, ENB_MAC, _arp(
        1, ENB_MAC, ENB, "00:00:00:00:00:00", SGW), ETH_ARP)
    yield "arp-reply", eth(*UP, _arp(2, ENB_MAC, ENB, SGW_MAC, SGW), ETH_ARP)
    yield "arp-padded", eth(*UP, _arp(
        2, ENB_MAC, ENB, SGW_MAC, SGW) + b"\xaa" * 18, ETH_ARP)
    yield "arp-gratuitous", eth(bcast, ENB_MAC, _arp(
        1, ENB_MAC, ENB, bcast, ENB), ETH_ARP)
    yield "nd-solicitation", eth(solicited, ENB_MAC, _icmpv6(
        135, b"\0" * 4 + addr(SGW6) + b"\1\1" + mac(ENB_MAC), ENB6,
        "ff02::1:ff00:2"), ETH_IPV6)
    yield "nd-advertisement", eth(*UP, _icmpv6(
        136, b"\x60\0\0\0" + addr(ENB6) + b"\2\1" + mac(ENB_MAC), ENB6, SGW6))
    yield "router-advertisement", eth("33:33:00:00:00:01", ENB_MAC, _icmpv6(
        134, b"\x40\0\x07\x08" + b"\0" * 8, "fe80::1", "ff02::1"))
    yield "mld-report", eth("33:33:00:00:00:16", ENB_MAC, ipv6(
        "fe80::1", "ff02::16", bytes.fromhex(
            "3a0005020000010000000000") + b"\x8f\0\0\0\0\0\0\1\4\0\0\0"
        + addr("ff02::1:ff00:2"), proto=0, hlim=1))
    yield "igmp-report", eth("01:00:5e:00:00:16", ENB_MAC, ipv4(
        ENB, "224.0.0.22", bytes.fromhex("2200f9fc0000000104000000e00000fb"),
        2, ttl=1, options=b"\x94\4\0\0"))
    yield "stp-bpdu", eth("01:80:c2:00:00:00", ENB_MAC, bytes.fromhex(
        "424203000000000080000e0e0b00000100000000"
        "80000e0e0b00000180010000140002000f00") + b"\0" * 8, 0x26)
    yield "lacp", eth("01:80:c2:00:00:02", ENB_MAC, bytes.fromhex(
        "0101011480000e0e0b000001000180000001 3d000000".replace(" ", ""))
        + b"\0" * 88, 0x8809)
    yield "eapol-start", eth("01:80:c2:00:00:03", ENB_MAC,
                             b"\1\1\0\0" + b"\0" * 42, 0x888e)
    yield "mvrp", eth("01:80:c2:00:00:21", ENB_MAC, b"\0" * 46, 0x88f5)
    yield "provider-bpdu", eth("01:80:c2:00:00:08", ENB_MAC,
                               b"\x42\x42\3" + b"\0" * 43, 0x26)
    yield "lldp", eth("01:80:c2:00:00:0e", ENB_MAC, bytes.fromhex(
        "0207040e0e0b000001040403302f31060200780000") + b"\0" * 25, 0x88cc)
    yield "ptp-peer-delay", eth("01:80:c2:00:00:0e", ENB_MAC,
                                b"\2\2\0\x36" + b"\0" * 50, 0x88f7)
    yield "cfm", eth("01:80:c2:00:00:30", ENB_MAC,
                     b"\0\1\0\x46" + b"\0" * 71, 0x8902)
    yield "cisco-snap", eth("01:00:0c:cc:cc:cc", ENB_MAC,
                            b"\xaa\xaa\3\0\0\x0c\x20\0" + b"\1" * 60, 68)
    yield "broadcast-unknown", eth(bcast, ENB_MAC, b"x" * 60, 0x88b5)
    yield "ethertype-ffff", eth(*UP, b"y" * 60, 0xffff)
    yield "ethertype-0", eth(*UP, b"z" * 60, 0)
    yield "llc-length-wrong", eth(*UP, b"\xaa\xaa\3" + b"q" * 20, 1200)
    yield "pppoe", eth(*UP, b"\x11\0\0\1\0\x16\0\x21" + _inner(2)[:20], 0x8864)
    yield "mpls", eth(*UP, b"\0\1\1\xff" + _inner(), 0x8847)
    yield "macsec", eth(*UP, b"\x2c\0\0\0\0\1" + b"\x5a" * 64, 0x88e5)
    yield "runt-14", eth(*UP, b"", 0x88b5)
    yield "runt-ip", eth(*UP, b"\x45", ETH_IPV4)
    yield "runt-ip6", eth(*UP, b"\x60\0\0", ETH_IPV6)
    yield "to-itself", eth(ENB_MAC, ENB_MAC, b"s" * 60, 0x88b5)


def _vlan():
    # A pair of outer addresses is in one VLAN: what is put back on the wire
    # takes the tag that was noted for it.
    packet = outer("10.1.0.51", "10.1.0.52", gtpu(0x77, _inner()))
    yield "vlan", eth(*UP, packet, vlan=100)
    yield "vlan-priority", eth(*UP, packet, vlan=5 << 13 | 0x1000 | 7)
    yield "vlan-0", eth(*UP, packet, vlan=3 << 13)
    yield "vlan-4095", eth(*UP, packet, vlan=4095)
    yield "vlan-ipv6", eth(*UP, outer(ENB6, SGW6, gtpu(1, _inner())), vlan=9)
    yield "vlan-arp", eth("ff:ff:ff:ff:ff:ff", ENB_MAC, _arp(
        1, ENB_MAC, ENB, "00:00:00:00:00:00", SGW), ETH_ARP, vlan=100)
    yield "vlan-stp", eth("01:80:c2:00:00:00", ENB_MAC,
                          b"\x42\x42\3" + b"\0" * 43, 0x26, vlan=1)
    yield "vlan-bad-ip", eth(*UP, ipv4(ENB, SGW, b"v" * 40, cksum=1), vlan=2)
    yield "qinq", eth(*UP, packet, vlan=[(ETH_QINQ, 10), (ETH_VLAN, 20)])
    yield "qinq-8100", eth(*UP, packet, vlan=[10, 20])
    yield "triple-tag", eth(*UP, packet, vlan=[10, 20, 30])
    yield "s-tag", eth(*UP, packet, vlan=[(ETH_QINQ, 33)])


def _ip():
    data = b"d" * 64
    segment = udp(ENB, SGW, data)
    yield "udp", eth(*UP, ipv4(ENB, SGW, segment))
    yield "ip-checksum-bad", eth(*UP, ipv4(ENB, SGW, segment, cksum=0xbad1))
    yield "ip-checksum-zero", eth(*UP, ipv4(ENB, SGW, segment, cksum=0))
    yield "udp-checksum-bad", eth(*UP, ipv4(
        ENB, SGW, udp(ENB, SGW, data, cksum=0xbad2)))
    yield "udp-checksum-none", eth(*UP, ipv4(
        ENB, SGW, udp(ENB, SGW, data, cksum=0)))
    yield "udp-length-wrong", eth(*UP, ipv4(
        ENB, SGW, udp(ENB, SGW, data, length=20)))
    yield "udp-length-0", eth(*UP, ipv4(
        ENB, SGW, udp(ENB, SGW, data, length=0)))
    yield "ihl-short", eth(*UP, ipv4(ENB, SGW, segment, ihl=4))
    yield "ihl-0", eth(*UP, ipv4(ENB, SGW, segment, ihl=0))
    yield "ihl-beyond", eth(*UP, ipv4(ENB, SGW, b"", ihl=15))
    yield "total-length-long", eth(*UP, ipv4(ENB, SGW, segment, length=1400))
    yield "total-length-short", eth(*UP, ipv4(ENB, SGW, segment, length=30))
    yield "total-length-0", eth(*UP, ipv4(ENB, SGW, segment, length=0))
    yield "trailer", eth(*UP, ipv4(ENB, SGW, segment) + b"trailer!")
    yield "version-5", eth(*UP, b"\x55" + ipv4(ENB, SGW, segment)[1:])
    yield "version-6-as-4", eth(*UP, ipv6(ENB6, SGW6, segment), ETH_IPV4)
    yield "ttl-0", eth(*UP, ipv4(ENB, SGW, segment, ttl=0))
    yield "ttl-1", eth(*UP, ipv4(ENB, SGW, segment, ttl=1))
    yield "dscp-ecn", eth(*UP, ipv4(ENB, SGW, segment, tos=0xbb))
    yield "options", eth(*UP, ipv4(ENB, SGW, segment,
                                   options=b"\x94\4\0\0\1\1\1\0"))
    yield "options-source-route", eth(*UP, ipv4(
        ENB, SGW, segment, options=b"\x83\7\4\x0a\1\0\2\0"))
    yield "options-bad", eth(*UP, ipv4(ENB, SGW, segment,
                                       options=b"\x07\xff\4\0"))
    yield "evil-bit", eth(*UP, ipv4(ENB, SGW, segment, frag=0x8000))
    yield "fragment-overlap", eth(*UP, ipv4(ENB, SGW, b"f" * 64, frag=0x2001))
    yield "fragment-tiny", eth(*UP, ipv4(ENB, SGW, b"f" * 8, frag=0x2000))
    yield "fragment-beyond", eth(*UP, ipv4(ENB, SGW, b"f" * 64, frag=0x1fff))
    yield "land", eth(*UP, ipv4(ENB, ENB, segment))
    yield "martian", eth(*UP, ipv4("127.0.0.1", "255.255.255.255", segment))
    yield "sctp", eth(*UP, ipv4(ENB, SGW, struct.pack(
        "!HHII", 36412, 36412, 0, 0xdeadbeef) + b"\1\0\0\x14" + b"\7" * 16,
        SCTP))
    yield "gtp-c", eth(*UP, ipv4(ENB, SGW, udp(
        ENB, SGW, b"\x32\1\0\4\0\0\0\0\0\1\0\0", 2123, 2123)))
    yield "tcp", eth(*UP, ip_tcp(ENB, SGW, 1000, 2000, "SFRPAU"))
    yield "icmp", eth(*UP, ip_echo(ENB, SGW))
    yield "protocol-255", eth(*UP, ipv4(ENB, SGW, data, 255))
    yield "multicast", eth("01:00:5e:01:02:03", ENB_MAC, ipv4(
        ENB, "239.1.2.3", segment))
    yield "ip6", eth(*UP, ipv6(ENB6, SGW6, udp(ENB6, SGW6, data)))
    yield "ip6-hop-limit-0", eth(*UP, ipv6(ENB6, SGW6, segment, hlim=0))
    yield "ip6-length-wrong", eth(*UP, ipv6(ENB6, SGW6, segment, length=9))
    yield "ip6-length-beyond", eth(*UP, ipv6(ENB6, SGW6, segment,
                                             length=1300))
    yield "ip6-hop-by-hop-bad", eth(*UP, ipv6(
        ENB6, SGW6, b"\x11\x20\xc2\4" + segment, 0))
    yield "full-size", eth(*UP, ipv4(ENB, SGW, udp(ENB, SGW, b"F" * 1472)))
    yield "full-size-vlan", eth(*UP, ipv4(ENB, SGW, udp(
        ENB, SGW, b"F" * 1472)), vlan=100)


def _gtp_good():
    inner = _inner()
    pdu = _inner(1400)
    yield "gpdu", _gtp(gtpu(0x11, inner))
    yield "gpdu-checksum", eth(*UP, outer(ENB, SGW, gtpu(0x11, inner),
                                          cksum=0xbad3))
    yield "gpdu-source-port", _gtp(gtpu(0x11, inner), sport=50123)
    yield "gpdu-sequence", _gtp(gtpu(0x12, inner, seq=77))
    yield "gpdu-npdu", _gtp(gtpu(0x13, inner, npdu=9))
    yield "gpdu-spare-bit", _gtp(gtpu(0x14, inner, flags=0x38))
    yield "gpdu-dscp-ttl", _gtp(gtpu(0x15, inner), tos=0xb8, ttl=3)
    yield "gpdu-ext-pdcp", _gtp(gtpu(0x16, inner, seq=1,
                                     exts=[(EXT_PDCP, b"\1\2")]))
    yield "gpdu-ext-chain", _gtp(gtpu(0x17, inner, exts=[
        (EXT_PDCP, b"\1\2"), (EXT_UDP_PORT, b"\x08\x68")]))
    yield "gpdu-pdu-session", _gtp(gtpu(0x18, inner,
                                        exts=[pdu_session(9, True)]))
    yield "gpdu-pdu-session-down", _gtp(gtpu(0x19, inner, exts=[
        (0x85, b"\0\x89\x50\0\0\0")]))
    yield "gpdu-unknown-ext", _gtp(gtpu(0x1a, inner, exts=[(0xfe, b"??")]))
    yield "gpdu-inner-ip6", _gtp(gtpu(0x1b, ip_udp(UE6, HOST6, b"six")))
    yield "gpdu-inner-nothing", _gtp(gtpu(0x1c, b""))
    yield "gpdu-inner-not-ip", _gtp(gtpu(0x1d, b"\0\1not IP at all"))
    yield "gpdu-inner-gtp", _gtp(gtpu(0x1e, outer(UE, HOST, gtpu(1, inner))))
    yield "gpdu-inner-ping", _gtp(gtpu(0x1f, ip_echo(UE, "203.0.113.10")))
    yield "gpdu-inner-pong", _gtp(gtpu(0x20, ip_echo(
        "203.0.113.10", UE, reply=True)))
    yield "gpdu-inner-fragment", _gtp(gtpu(0x21, ipv4_fragments(
        ip_udp(UE, HOST, b"i" * 400), 200)[0]))
    yield "gpdu-trailer", _gtp(gtpu(0x22, inner)) + b"TRAIL"
    yield "gpdu-teid-0", _gtp(gtpu(0, inner))
    yield "gpdu-teid-max", _gtp(gtpu(0xffffffff, inner))
    yield "gpdu-ip6", _gtp6(gtpu(0x23, inner))
    yield "gpdu-ip6-no-checksum", _gtp6(gtpu(0x23, inner), cksum=0)
    yield "gpdu-ip6-ext", _gtp6(gtpu(0x24, ip_udp(UE6, HOST6, b"6"),
                                     exts=[pdu_session(5, True)]))
    for i, packet in enumerate(ipv4_fragments(
            outer(ENB, SGW, gtpu(0x25, pdu), ident=0x4242), 1000)):
        yield f"gpdu-fragment-{i}", eth(*UP, packet)
    for i, packet in enumerate(_fragments6(
            udp(ENB6, SGW6, gtpu(0x26, pdu), 2152, 2152))):
        yield f"gpdu-ip6-fragment-{i}", eth(*UP, packet)
    yield "echo-request", _gtp(gtpu(0, b"", ECHO_REQUEST, seq=3))
    yield "echo-response", _gtp(gtpu(0, b"\x0e\0", ECHO_RESPONSE, seq=3))
    yield "error-indication", _gtp(gtpu(
        0, b"\x10\0\0\0\x99\x85\0\4" + addr(ENB), ERROR_INDICATION, seq=0))
    yield "supported-extensions", _gtp(gtpu(
        0, b"\x8d\2\x85\xc0", SUPPORTED_EXTENSIONS, seq=0))
    yield "end-marker", _gtp(gtpu(0x27, b"", END_MARKER))


def _gtp_bad():
    inner = _inner()
    yield "gtp-empty", _gtp(b"")
    yield "gtp-1-byte", _gtp(b"\x30")
    yield "gtp-7-bytes", _gtp(gtpu(1, b"")[:7])
    yield "gtp-length-beyond", _gtp(gtpu(2, inner, length=2000))
    yield "gtp-length-short", _gtp(gtpu(2, inner, length=3))
    yield "gtp-length-0-ext", _gtp(gtpu(3, inner, flags=0x34, length=0))
    yield "gtp-optional-cut", _gtp(gtpu(4, b"", seq=1)[:10])
    yield "gtp-ext-length-0", _gtp(gtpu(5, inner,
                                        exts=[(0x85, b"\0\0\0\0", True)]))
    yield "gtp-ext-beyond", _gtp(gtpu(6, inner,
                                      exts=[(0x85, b"\xff\0\0\0", True)]))
    yield "gtp-ext-many", _gtp(gtpu(7, inner,
                                    exts=[(EXT_PDCP, b"\0\0")] * 20))
    yield "gtp-no-e-next-type", _gtp(gtpu(8, inner, flags=0x32,
                                          next_type=0x85))
    yield "gtp-version-2", _gtp(gtpu(9, inner, flags=0x48))
    yield "gtp-version-0", _gtp(gtpu(9, inner, flags=0x1e))
    yield "gtp-prime", _gtp(gtpu(9, inner, flags=0x20))
    yield "gtp-type-0", _gtp(gtpu(10, inner, 0))
    yield "gtp-type-16", _gtp(gtpu(10, inner, 16))
    yield "gtp-type-253", _gtp(gtpu(10, inner, 253))
    yield "gtp-ip-checksum-bad", eth(*UP, ipv4(ENB, SGW, udp(
        ENB, SGW, gtpu(11, inner), 2152, 2152), cksum=0xbad4))
    yield "gtp-udp-length-wrong", eth(*UP, ipv4(ENB, SGW, udp(
        ENB, SGW, gtpu(11, inner), 2152, 2152, length=12)))
    yield "gtp-ip-options", eth(*UP, ipv4(ENB, SGW, udp(
        ENB, SGW, gtpu(12, inner), 2152, 2152), options=b"\x94\4\0\0"))
    yield "gtp-over-tcp", eth(*UP, ip_tcp(ENB, SGW, 2152, 2152, "PA",
                                          payload=gtpu(13, inner)))
    yield "gtp-from-2152", _gtp(gtpu(14, inner), dport=33000)
    yield "gtp-ihl-short", eth(*UP, ipv4(ENB, SGW, udp(
        ENB, SGW, gtpu(15, inner), 2152, 2152), ihl=3))
    yield "gtp-total-length-short", eth(*UP, ipv4(ENB, SGW, udp(
        ENB, SGW, gtpu(16, inner), 2152, 2152), length=36))


def jumbo(mtu):
    """As large as the link takes it, and a G-PDU of that size."""
    yield f"mtu-{mtu}", eth(*UP, ipv4(ENB, SGW, udp(
        ENB, SGW, b"J" * (mtu - 28))))
    yield f"gpdu-mtu-{mtu}", _gtp(gtpu(0x30, _inner(mtu - 36 - 28)))


def turned(frame):
    """The same frame, from the other side: the addresses of the Ethernet
    header change places, unless it goes to a group."""
    if frame[0] & 1:
        return frame[:6] + mac(SGW_MAC) + frame[12:]
    return frame[6:12] + frame[:6] + frame[12:]


FRAMES = [*_link_layer(), *_vlan(), *_ip(), *_gtp_good(), *_gtp_bad()]
