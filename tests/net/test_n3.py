# SPDX-License-Identifier: GPL-3.0-or-later
"""5G, that is N3: PDU Session Containers (3GPP TS 38.415).  A bearer whose
proof came with a container gets answers with one, uplink packets of the TOF's
own have what the UE's have, and on LTE there are none."""

import pytest

from tofnet import packet as p
from tofnet.service import echo, establish, is_text, switched, wait_stale

QFIS = [0, 1, 9, 63]
DOWN, UP = 0, 1


def container(f):
    """(PDU type, QFI) of the only extension header, of one unit, or None."""
    if not f.exts:
        return None
    assert f.flags == 0x34 and f.seq is None and f.npdu is None
    (kind, content), = f.exts
    assert kind == p.EXT_PDU_SESSION and len(content) == 2
    assert f.length == 8 + len(f.payload)
    assert content[0] & 0x0f == 0 and content[1] & 0xc0 == 0
    return content[0] >> 4, content[1]


def qfi_of(api, b):
    return api.session_of(b.ue)["bearers"][0]["downlink"]["qfi"]


@pytest.mark.parametrize("qfi", QFIS)
def test_answers_carry_the_qfi_of_the_proof(net, api, qfi):
    api.register()
    b = net.bearer("10.45.6.1", qfi=qfi)
    for text in (b"held", b"diverted"):
        b.uplink(echo(b.ue, text))
        f = b.wait_downlink(is_text(text))
        assert container(f) == (DOWN, qfi)
        assert f.inner.header_ok and f.inner.l4_ok and f.ip.header_ok
    assert qfi_of(api, b) == qfi


@pytest.mark.parametrize("qfi", QFIS)
def test_own_packet_carries_an_uplink_container(net, api, qfi):
    b = net.bearer("10.45.6.1", qfi=qfi)
    b.uplink(p.ip_udp(b.ue, "203.0.113.77", b"x"))
    api.wait_proved(b.ue)
    _, bearer, ping = net.pings[0]
    assert bearer is b and container(ping) == (UP, qfi)
    assert ping.inner.header_ok and ping.inner.l4_ok


def test_uplink_and_downlink_have_their_own(net, api):
    api.register()
    b = net.bearer("10.45.6.1", qfi=7)
    b.uplink(echo(b.ue, b"x"), exts=[p.pdu_session(3, True)])
    f = b.wait_downlink(is_text(b"x"))
    assert container(f) == (DOWN, 7)
    assert container(net.pings[0][2]) == (UP, 3)


def test_uplink_with_container_is_diverted(net, api):
    """And what is inside is delivered, whatever else the header has."""
    api.register()
    b = establish(net, "10.45.6.1", qfi=5)
    mark = net.sgw.mark()
    long = (p.EXT_PDU_SESSION, bytes([0x18, 5, 1, 2, 3, 4]))
    for i, kw in enumerate([
            {}, {"seq": 77}, {"exts": [long]},
            {"exts": [(0xc0, b"\x12\x34"), p.pdu_session(5, True)]}]):
        text = b"packet %d" % i
        b.uplink(echo(b.ue, text), **kw)
        assert container(b.wait_downlink(is_text(text))) == (DOWN, 5)
    assert not [f for f in net.sgw.since(mark) if (g := b.is_uplink(f))
                and not g.inner.is_echo_request]


def test_no_container_on_lte(net, api):
    """Not even when other bearers of the same peers have them."""
    api.register()
    five = establish(net, "10.45.6.1", qfi=5)
    four = establish(net, "10.45.6.2")
    for b, wanted in ((four, None), (five, (DOWN, 5)), (four, None)):
        mark = net.enb.mark()
        b.uplink(echo(b.ue, b"again"))
        f = b.wait_downlink(is_text(b"again"), since=mark)
        assert container(f) == wanted
    assert f.flags == 0x30
    assert qfi_of(api, four) == 0
    assert [container(ping) for _, b, ping in net.pings if b is four] \
        == [None] * len([1 for _, b, _ in net.pings if b is four])


def test_uplink_container_is_not_sent_back(net, api):
    """A UPF that sends none gets no container in answers, though the UE's
    packets have one."""
    api.register()
    b = net.bearer("10.45.6.1")
    for text in (b"held", b"diverted"):
        b.uplink(echo(b.ue, text), exts=[p.pdu_session(9, True)])
        assert container(b.wait_downlink(is_text(text))) is None


def test_two_qos_flows_in_a_tunnel(net, api):
    """It is one bearer, and answers take the flow that was proved last."""
    api.register()
    b = establish(net, "10.45.6.1", qfi=1)
    mark = net.enb.mark()
    b.uplink(echo(b.ue, b"other"), exts=[p.pdu_session(2, True)])
    f = b.wait_downlink(is_text(b"other"), since=mark)
    assert container(f) == (DOWN, 1)
    assert len(api.session_of(b.ue)["bearers"]) == 1


def test_qfi_follows_a_new_proof(net, api):
    api.register()
    b = establish(net, "10.45.6.1", qfi=1)
    b.qfi = 2
    b.end_marker()
    wait_stale(api, b.ue)
    b.uplink(echo(b.ue, b"changed"))
    assert container(b.wait_downlink(is_text(b"changed"))) == (DOWN, 2)
    assert qfi_of(api, b) == 2


def test_end_marker_with_container_ends_the_proof(net, api):
    api.register()
    b = establish(net, "10.45.6.1", qfi=9)
    frame = b.downlink_frame(b"", kind=p.END_MARKER)
    assert p.GtpFrame.parse(frame).qfi == 9
    net.sgw.send(frame)
    net.enb.wait(frame, what="the End Marker at the gNB")
    wait_stale(api, b.ue)


def test_other_traffic_with_containers_is_switched(net, api):
    api.register()
    b = establish(net, "10.45.6.1", qfi=9)
    switched(net, b.uplink(p.ip_udp(b.ue, "203.0.113.77", b"x")))
    frame = b.downlink(p.ip_udp("203.0.113.77", b.ue, b"y"))
    net.enb.wait(frame, what="the frame at the gNB")
