# SPDX-License-Identifier: GPL-3.0-or-later
"""What is a proof and what is none: replies to the Pinger that come late, go
to somebody else, or are made up.  No UE gets any that is ours."""

import pytest

from tofnet import packet as p
from tofnet.emulator import SGW, TARGET, TARGET6
from tofnet.service import OTHER, answered
from tofnet.wait import wait_until

UE, UE6 = "10.45.6.1", "2001:db8:45:6::1"
OTHER_UE = {UE: "10.45.6.2", UE6: "2001:db8:45:7::1"}
OTHER6 = "2001:db8:9::77"
TAG = 8                         # Bytes at the end of a ping.

both_families = pytest.mark.parametrize("address", [UE, UE6],
                                        ids=["ipv4", "ipv6"])


def pinged(net, address, **kw):
    """A UE that has been seen, and the ping (an IP packet) that nobody has
    answered yet."""
    net.silent = True
    b = net.bearer(address, **kw)
    b.uplink(p.ip_udp(b.ue, OTHER6 if ":" in address else OTHER, b"hello"))
    wait_until(lambda: any(ping[1] is b for ping in net.pings), what="a ping")
    return b, next(f.payload for _, who, f in net.pings if who is b)


def consumed(net, api, b, packet):
    """Sends 'packet' down to 'b': it is ours, and ends here."""
    late, mark = api.metrics()["tof_pinger_late_total"], net.enb.mark()
    b.downlink(packet)
    wait_until(lambda: api.metrics()["tof_pinger_late_total"] == late + 1,
               what="a reply that proves nothing")
    assert not net.enb.since(mark)


def changed(packet, **kw):
    """A reply, but for some of its parts."""
    inner = p.Inner.parse(packet)
    parts = {"src": inner.src, "dst": inner.dst, "ident": inner.ident,
             "seq": inner.seq, "payload": inner.payload, **kw}
    return p.ip_echo(**parts, reply=True)


def forget(api, b):
    """Nothing is known of a UE any more."""
    session = api.session_of(b.ue)
    assert api.delete(f"/session/{session['id']}").status == 200
    wait_until(lambda: not api.session_of(b.ue), what="it to be forgotten")


@both_families
def test_late_reply_is_consumed(net, api, address):
    """Also if nothing is known any more of what was asked."""
    b, ping = pinged(net, address)
    reply = p.echo_reply_to(ping)
    forget(api, b)
    consumed(net, api, b, reply)
    assert not api.session_of(b.ue)


@both_families
def test_reply_to_an_earlier_tofd_is_consumed(lab, net, api, address):
    b, ping = pinged(net, address)
    lab.signal("KILL")
    lab.tofd("restart")
    wait_until(api.healthy, 15, "tofd")
    consumed(net, api, b, p.echo_reply_to(ping))
    assert api.session_of(b.ue)["state"] != "established"


@both_families
def test_reply_to_another_ue_proves_nothing(net, api, address):
    """A cookie is good for the UE that was pinged, in whatever tunnel its
    reply comes; and for nobody else."""
    b, ping = pinged(net, address)
    other, _ = pinged(net, OTHER_UE[address])
    reply = p.echo_reply_to(ping)
    consumed(net, api, b, changed(reply, dst=other.ue))
    consumed(net, api, other, changed(reply, dst=other.ue))
    for ue in b, other:
        assert api.session_of(ue.ue)["state"] == "embryonic"
    b.downlink(reply)
    api.wait_proved(b.ue)


@both_families
def test_sgw_may_answer_from_another_address(net, api, address):
    b, ping = pinged(net, address)
    b.sgw = "10.1.0.14"
    b.downlink(p.echo_reply_to(ping))
    api.wait_proved(b.ue)
    down = api.session_of(b.ue)["bearers"][0]["downlink"]
    assert (down["sgw"], down["teid"]) == ("10.1.0.14", b.down_teid)
    assert b.sgw != SGW


@both_families
def test_own_ping_of_a_ue_is_its_own(net, api, address):
    """However much it looks like one of ours."""
    b, ping = pinged(net, address)
    reply = p.Inner.parse(p.echo_reply_to(ping))
    target = TARGET6 if ":" in address else TARGET
    for payload in (b"abcdefgh" * 7, reply.payload[:-TAG],
                    reply.payload[:-TAG] + bytes(TAG),
                    reply.payload[:-1] + bytes([reply.payload[-1] ^ 1])):
        mark = net.enb.mark()
        sent = b.downlink(p.ip_echo(target, b.ue, reply.ident, reply.seq,
                                    payload, reply=True))
        net.enb.wait(lambda raw, sent=sent: raw == net.forwarded(sent),
                     since=mark, what="the UE's own reply")
    mark = net.enb.mark()
    sent = b.downlink(changed(p.echo_reply_to(ping), seq=reply.seq + 1))
    net.enb.wait(lambda raw: raw == net.forwarded(sent), since=mark)
    assert api.session_of(b.ue)["state"] == "embryonic"


def test_cookie_of_one_bearer_proves_no_other(net, api):
    """Two UEs with one address behind two SGWs: an attacker's reply with the
    victim's identifier, and all that the attacker knows, is none."""
    attacker, ping = pinged(net, UE, sgw="10.1.0.3",
                            sgw_mac="0e:05:09:00:00:03")
    victim, asked = pinged(net, UE)
    own, its = (p.Inner.parse(p.echo_reply_to(x)) for x in (ping, asked))
    assert own.payload[8:24] != its.payload[8:24]
    mixed = own.payload[:4] + its.payload[4:8] + own.payload[8:]
    mark = net.enb.mark()
    sent = attacker.downlink(changed(p.echo_reply_to(ping), payload=mixed))
    net.enb.wait(lambda raw: raw == sent, since=mark)
    attacker.downlink(p.echo_reply_to(ping))
    wait_until(lambda: any(s["state"] == "established"
                           for s in api.sessions(ue=UE)), what="its own proof")
    bearers = {b["uplink"]["teid"]: b["proved"] for s in api.sessions(ue=UE)
               for b in s["bearers"]}
    assert bearers == {attacker.up_teid: True, victim.up_teid: False}
    net.silent = False
    api.register()
    answered(victim)
