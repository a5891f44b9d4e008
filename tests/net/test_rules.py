# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule table of the GTP Filter (doc/ARCHITECTURE.md), line by line: IPv4
and IPv6 outside and inside, with and without a VLAN tag."""

import pytest

from tofnet import packet as p
from tofnet.emulator import ENB, ENB6, SGW, SGW6, TARGET, TARGET6
from tofnet.lab import APP, APP6, SERVICE_IP, SERVICE_IP6, app_sends
from tofnet.service import echo, is_text, wait_stale
from tofnet.wait import wait_until

UE4, UE6 = "10.45.7.1", "2001:db8:7:1::1"
SPOOFED4, SPOOFED6 = "10.45.7.99", "2001:db8:7:99::1"
OTHER4, OTHER6 = "203.0.113.77", "2001:db8:77::77"
OVER6 = {"enb": ENB6, "sgw": SGW6}

paths = pytest.mark.parametrize("ue,kw", [
    (UE4, {}), (UE6, {"vlan": 5 << 13 | 7}), (UE4, OVER6),
    (UE6, {**OVER6, "vlan": 100})],
    ids=["4-in-4", "6-in-4-tagged", "4-in-6", "6-in-6-tagged"])


def is6(b):
    return ":" in b.ue


def service_of(b):
    return SERVICE_IP6 if is6(b) else SERVICE_IP


def register(api, b):
    api.register(service=service_of(b), app=APP6 if is6(b) else APP)


def to_service(b, text, source=None):
    return echo(source or b.ue, text, dst=service_of(b))


def to_other(b, text):
    return p.ip_udp(b.ue, OTHER6 if is6(b) else OTHER4, text)


def establish(net, api, ue, kw):
    """A bearer that has been diverted."""
    b = net.bearer(ue, **kw)
    register(api, b)
    b.uplink(to_service(b, b"first"))
    b.wait_downlink(is_text(b"first"))
    return b


def mapped(address):
    return "::ffff:" + address


def framed(b, packet):
    """'packet' as the eNodeB sends it."""
    return p.eth(b.sgw_mac, b.enb_mac, packet, vlan=b.vlan)


def switched(net, frame, since=0):
    net.enb.send(frame)
    net.sgw.wait(frame, since=since)


def app_was_not_reached(net, b, text, since):
    """A later packet of 'b' is answered, and nothing of 'text' was."""
    b.uplink(to_service(b, b"later"))
    b.wait_downlink(is_text(b"later"), since=since)
    assert not [f for f in net.enb.since(since) if (g := b.is_downlink(f))
                and g.inner.payload == text]


# --- Rules 1 and 6: what is looked at no further ------------------------------

def not_gtpu(b):
    message = p.gtpu(b.up_teid, to_service(b, b"odd"))

    def udp(gtp, **kw):
        return p.outer(b.enb, b.sgw, gtp, **kw)
    yield "another port", udp(message, dport=2153)
    yield "version 2", udp(p.gtpu(b.up_teid, to_service(b, b"odd"),
                                  flags=0x50))
    yield "GTP'", udp(p.gtpu(b.up_teid, to_service(b, b"odd"), flags=0x20))
    yield "not UDP", p.ip(b.enb, b.sgw, p.udp(
        b.enb, b.sgw, message, 2152, 2152), p.SCTP)


def no_service_packet(b):
    inner = to_service(b, b"odd")

    def udp(*args, **kw):
        return p.outer(b.enb, b.sgw, p.gtpu(*args, **kw))
    yield "another type", udp(b.up_teid, inner, kind=p.SUPPORTED_EXTENSIONS)
    yield "End Marker from an eNodeB", udp(b.up_teid, inner,
                                           kind=p.END_MARKER)
    yield "TEID 0", udp(0, inner)
    yield "9 extensions", udp(b.up_teid, inner, exts=[(0xc0, b"\0\0")] * 9)
    yield "extension of length 0", udp(b.up_teid, inner, exts=[
        (0xc0, b"\0\0\0\0", True)])
    yield "not IP", udp(b.up_teid, b"\x15" + inner[1:])


@paths
def test_what_is_no_gpdu_to_a_service_is_switched(net, api, ue, kw):
    """Even in a tunnel that is diverted."""
    b = establish(net, api, ue, kw)
    mark = net.enb.mark()
    for _, packet in (*not_gtpu(b), *no_service_packet(b)):
        switched(net, framed(b, packet))
    app_was_not_reached(net, b, b"odd", mark)


def mapped_packets(b):
    """Packets of IPv6 in which an IPv4 address has the form of IPv6."""
    own = mapped(UE4)
    for src, dst in ((UE6, mapped(SERVICE_IP)), (own, SERVICE_IP6),
                     (own, mapped(SERVICE_IP))):
        yield p.outer(b.enb, b.sgw, p.gtpu(b.up_teid, echo(src, b"odd", dst)))
    for enb, sgw in ((mapped(ENB), mapped(SGW)), (ENB6, mapped(SGW)),
                     (mapped(ENB), SGW6)):
        whole = p.outer(enb, sgw, p.gtpu(b.up_teid, to_service(
            b, b"odd" * 300)))
        yield whole
        yield from p.fragments(whole, 800, 0x333)


@paths
def test_ipv4_addresses_in_the_form_of_ipv6_are_nobodys(net, api, ue, kw):
    """As the filter's keys have them, but in IPv6 they belong to no service,
    no UE and no peer."""
    api.register("four")
    api.register("six", SERVICE_IP6, APP6)
    b = net.bearer(ue, **kw)
    for text in (b"held", b"diverted"):
        b.uplink(to_service(b, text))
        b.wait_downlink(is_text(text))
    mark = net.enb.mark()
    fates = {("enb", "inner_mapped"): 3, ("enb", "outer_mapped"): 6,
             ("sgw", "inner_mapped"): 1}
    before = {fate: counted(api, *fate) for fate in fates}
    for packet in mapped_packets(b):
        switched(net, framed(b, packet))
    frame = b.downlink(p.ip_echo(mapped(TARGET), UE6, reply=True))
    net.enb.wait(frame)
    app_was_not_reached(net, b, b"odd", mark)
    wait_until(lambda: all(counted(api, *fate) == before[fate] + n
                           for fate, n in fates.items()), what="all counted")


def odd_lengths(b):
    inner = to_service(b, b"odd")
    message = p.gtpu(b.up_teid, inner)
    too_long = p.gtpu(b.up_teid, inner, length=300)

    def udp(gtp, length=None):
        cksum = None if ":" in b.enb and length is None else 0
        return p.udp(b.enb, b.sgw, gtp, 2152, 2152, length=length,
                     cksum=cksum)
    yield p.ip(b.enb, b.sgw, udp(too_long))
    yield p.ip(b.enb, b.sgw, udp(too_long, 316))
    yield p.ip(b.enb, b.sgw, udp(message, 316))


@paths
def test_lengths_beyond_the_packet_are_switched(net, api, ue, kw):
    """GTP's beyond UDP's, both beyond IP's, UDP's beyond IP's."""
    b = establish(net, api, ue, kw)
    mark = net.enb.mark()
    for packet in odd_lengths(b):
        switched(net, framed(b, packet))
    app_was_not_reached(net, b, b"odd", mark)


@paths
def test_bytes_behind_the_message_are_no_hindrance(net, api, ue, kw):
    b = establish(net, api, ue, kw)
    for text in (b"one", b"two"):
        net.enb.send(framed(b, p.outer(b.enb, b.sgw, p.gtpu(
            b.up_teid, to_service(b, text)) + b"TRAILER")))
        b.wait_downlink(is_text(text))


@paths
def test_outer_options_are_no_hindrance(net, api, ue, kw):
    """IPv4 options; IPv6 hop-by-hop and destination options."""
    b = establish(net, api, ue, kw)
    segment = p.udp(b.enb, b.sgw, p.gtpu(
        b.up_teid, to_service(b, b"options")), 2152, 2152)
    if ":" in b.enb:
        packet = p.ipv6(b.enb, b.sgw, bytes([60, 0, 1, 4, 0, 0, 0, 0])
                        + bytes([17, 0, 1, 4, 0, 0, 0, 0]) + segment, 0)
    else:
        packet = p.ipv4(b.enb, b.sgw, segment, options=b"\x94\4\0\0")
    net.enb.send(framed(b, packet))
    b.wait_downlink(is_text(b"options"))


# --- Rule 2: fragments --------------------------------------------------------

def fragments(b, inner, ident, size=800):
    """The G-PDU in several frames, as an eNodeB sends it."""
    return [framed(b, packet) for packet in p.fragments(p.outer(
        b.enb, b.sgw, p.gtpu(b.up_teid, inner)), size, ident)]


def send_all(port, frames):
    for frame in frames:
        port.send(frame)
    return frames


def long(text, n=1300):
    """An answer of 1300 bytes fits into a tunnel."""
    return text * n


@paths
def test_fragments_for_a_service_reach_the_app(net, api, ue, kw):
    """Of a bearer never seen before, then of one that is diverted."""
    b = net.bearer(ue, **kw)
    register(api, b)
    for ident, text in enumerate((b"a", b"b", b"c"), 0x12345600 if ":" in b.enb
                                 else 100):
        mark = net.sgw.mark()
        send_all(net.enb, fragments(b, to_service(b, long(text)), ident))
        b.wait_downlink(is_text(long(text)))
    assert not [f for f in net.sgw.since(mark)
                if b.up_teid.to_bytes(4, "big") in f
                and not p.GtpFrame.parse(f).inner.is_echo_request]


@paths
def test_fragments_held_in_vain_go_on_in_order(net, api, ue, kw):
    """As fragments again, as the packet is larger than the MTU."""
    net.silent = True
    b = net.bearer(ue, **kw)
    register(api, b)
    whole = p.outer(b.enb, b.sgw, p.gtpu(b.up_teid, to_service(
        b, long(b"v", 1450))), ident=0x777)
    send_all(net.enb, [framed(b, f) for f in p.fragments(whole, 800, 0x777)])
    header = len(framed(b, b""))

    def arrived():
        return [f[header:] for f in net.sgw.frames
                if not (g := p.GtpFrame.parse(f))
                or not g.inner.is_echo_request]

    wait_until(lambda: p.reassemble(arrived()) == whole, 5, "the packet at the SGW")
    assert all(len(packet) <= 1500 for packet in arrived())


@paths
def test_other_fragments_are_switched_untouched(net, api, ue, kw):
    b = establish(net, api, ue, kw)
    sent = []
    for i in range(20):
        sent += send_all(net.enb, fragments(b, to_other(b, long(b"o")),
                                            500 + i))
    net.sgw.wait(sent[-1])
    assert [f for f in net.sgw.frames if f in sent] == sent


def test_fragments_of_another_packet_with_that_id_are_switched(net, api):
    """While those of a service packet are being held."""
    b = establish(net, api, UE4, {})
    other = net.bearer("10.45.7.2", enb="10.1.0.5")
    first, *rest = fragments(b, to_service(b, long(b"h")), 900)
    net.enb.send(first)
    stray = send_all(net.enb, fragments(other, to_other(other, long(b"s")),
                                        900)[1:])
    net.sgw.wait(stray[-1])
    send_all(net.enb, rest)
    b.wait_downlink(is_text(long(b"h")))


def test_fragments_without_tofd_are_switched(lab, net, api):
    b = net.bearer(UE4)
    register(api, b)
    lab.tofd("kill")
    try:
        frames = fragments(b, to_service(b, long(b"t")), 77)

        def all_switched():
            mark = net.sgw.mark()
            send_all(net.enb, frames)
            net.sgw.wait(frames[-1], timeout=0.3, since=mark)
            return [f for f in net.sgw.since(mark) if f in frames] == frames

        wait_until(all_switched, what="the fragments at the SGW")
    finally:
        lab.tofd("start")
        wait_until(api.healthy, what="tofd")


# --- Rules 3, 4 and 5 ---------------------------------------------------------

@paths
def test_error_indications_of_others_are_put_back(net, api, ue, kw):
    b = net.bearer(ue, **kw)
    net.sgw.wait(b.error_indication())
    net.enb.wait(b.error_indication(from_enb=False))


@paths
def test_end_marker_is_switched_and_ends_the_proof(net, api, ue, kw):
    b = establish(net, api, ue, kw)
    net.silent = True
    net.enb.wait(b.end_marker())
    wait_stale(api, b.ue)


@paths
def test_echo_replies_that_are_not_ours_are_put_back(net, api, ue, kw):
    b = net.bearer(ue, **kw)
    target = TARGET6 if is6(b) else TARGET
    net.enb.wait(b.downlink(p.ip_echo(target, b.ue, 9, 9, b"its own",
                                      reply=True)))


# --- Rules 7, 8 and 9 ---------------------------------------------------------

def counted(api, side, fate):
    return api.metrics().get(
        f'tof_filter_packets_total{{side="{side}",fate="{fate}"}}', 0)


@pytest.mark.datapath("ovs", "auto")
@paths
def test_held_once_then_diverted_by_the_kernel(net, api, ue, kw):
    b = establish(net, api, ue, kw)

    def is_diverted():
        before = counted(api, "enb", "diverted")
        b.uplink(to_service(b, b"x"))
        b.wait_downlink(is_text(b"x"))
        wait_until(lambda: counted(api, "enb", "diverted") > before, 1.5)
        return True

    wait_until(is_diverted, what="diversion")


@paths
def test_foreign_source_in_a_diverted_tunnel_is_switched(net, api, ue, kw):
    b = establish(net, api, ue, kw)
    mark = net.enb.mark()
    spoofed = SPOOFED6 if is6(b) else SPOOFED4
    switched(net, framed(b, p.outer(b.enb, b.sgw, p.gtpu(
        b.up_teid, to_service(b, b"spoofed", spoofed)))))
    app_was_not_reached(net, b, b"spoofed", mark)


def copies(api):
    return sum(v for k, v in api.metrics().items()
               if k.startswith("tof_queue_packets_total"))


def from_other(b, ue):
    return p.ip_udp(OTHER6 if is6(b) else OTHER4, ue, b"y")


@paths
def test_copied_until_learned(net, api, ue, kw):
    """Both directions: the session is there, and later packets are not
    copied."""
    b = net.bearer(ue, **kw)
    b.uplink(to_other(b, b"x"))
    api.wait_proved(b.ue)
    b.downlink(from_other(b, b.ue))

    def none_is_copied():
        before = copies(api)
        for _ in range(5):
            b.uplink(to_other(b, b"x"))
            net.enb.wait(b.downlink(from_other(b, b.ue)))
        return copies(api) == before

    wait_until(none_is_copied, what="no more copies")


@paths
def test_foreign_destination_in_a_learned_tunnel_ends_the_proof(net, api, ue,
                                                                kw):
    """The downlink TEID has been given to another UE: its first packet is
    switched untouched, and what the app sends to the old UE from then on waits
    until the SGW has shown a tunnel again."""
    b = establish(net, api, ue, kw)

    def none_is_copied():
        before = copies(api)
        for _ in range(5):
            net.enb.wait(b.downlink(from_other(b, b.ue)))
        return copies(api) == before

    wait_until(none_is_copied, what="the downlink tunnel to be learned")
    net.silent = True
    net.enb.wait(b.downlink(from_other(b, SPOOFED6 if is6(b) else SPOOFED4)))
    wait_stale(api, b.ue)
    mark, asked = net.enb.mark(), len(net.pings)

    def asks():
        """What meets Open vSwitch's cache as it was before is dropped."""
        app_sends(b.ue, b"late", app=APP6 if is6(b) else APP)
        return b in [ping[1] for ping in net.pings[asked:]]

    wait_until(asks, what="a ping", interval=0.05)
    assert not [f for f in net.enb.since(mark) if b.is_downlink(f)]
    net.silent = False
    b.wait_downlink(is_text(b"late"), since=mark)
