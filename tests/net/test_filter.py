# SPDX-License-Identifier: GPL-3.0-or-later
"""The GTP Filter: what is switched, copied, held, diverted, and let out."""

import json

import pytest

from tofnet import packet as p
from tofnet.frames import ENB, ENB_MAC, SGW, SGW_MAC
from tofnet.lab import SERVICE_IP
from tofnet.netns import RawPort, run_in
from tofnet.service import OTHER, echo, establish, is_text, wait_stale
from tofnet.wait import wait_until



def counted(api, side, fate):
    return api.metrics().get(
        f'tof_filter_packets_total{{side="{side}",fate="{fate}"}}', 0)


# --- What Open vSwitch sends towards the eNodeBs -----------------------------

@pytest.fixture
def ovs_sends():
    """Sends frames as if Open vSwitch had."""
    with RawPort("lab-tof", "ovs-enb") as port:
        yield port.send


def built(teid, inner, **kw):
    """As it leaves: the filter gives it its IP id."""
    return p.eth(ENB_MAC, SGW_MAC, p.outer(SGW, ENB, p.gtpu(teid, inner, **kw),
                                           ident=p.OUTER_ID))


@pytest.mark.datapath("ovs")
@pytest.mark.parametrize("kw", [{}, {"exts": [p.pdu_session(9, False)]}],
                         ids=["plain", "pdu-session"])
def test_answers_of_a_proved_tunnel_leave(net, api, ovs_sends, kw):
    api.register()
    b = establish(net)
    frame = built(b.down_teid, p.ip_udp(SERVICE_IP, b.ue, b"built"), **kw)
    ovs_sends(frame)
    net.enb.wait(frame)


@pytest.mark.datapath("ovs")
def test_what_is_for_no_proved_tunnel_is_dropped(net, api, ovs_sends):
    """Another UE's address or TEID, another message, another header."""
    api.register()
    b = establish(net)
    other = establish(net, "10.45.6.2")
    answer = p.ip_udp(SERVICE_IP, b.ue, b"built")
    wrong = [
        built(other.down_teid, answer),
        built(b.down_teid + 1, answer),
        built(b.down_teid, p.ip_udp(SERVICE_IP, "10.45.6.3", b"x")),
        built(b.down_teid, answer, seq=1),
        built(b.down_teid, answer, exts=[(0xc0, b"\0\0")]),
        built(b.down_teid, b"", kind=p.END_MARKER),
        built(b.down_teid, b"not IP at all, or is it?"),
        p.eth(ENB_MAC, SGW_MAC, p.outer("10.1.0.3", ENB, p.gtpu(
            b.down_teid, answer))),
        p.eth(ENB_MAC, SGW_MAC, p.ip_echo(SGW, ENB)),
        p.eth(ENB_MAC, SGW_MAC, b"x" * 46, 0x88b5),
    ]
    before, mark = counted(api, "tof-enb", "guarded"), net.enb.mark()
    for frame in wrong:
        ovs_sends(frame)
    right = built(b.down_teid, answer)
    ovs_sends(right)
    net.enb.wait(right)
    assert net.enb.since(mark) == [right]
    wait_until(lambda: counted(api, "tof-enb", "guarded")
               == before + len(wrong), what="the counter")


@pytest.mark.datapath("ovs")
def test_nothing_leaves_by_a_tunnel_that_has_ended(net, api, ovs_sends):
    """From the moment on in which the agent knows, whatever the switch's
    cache may still say."""
    api.register()
    b, other = establish(net), establish(net, "10.45.6.2")
    end(net, api, b)
    mark = net.enb.mark()
    ovs_sends(built(b.down_teid, p.ip_udp(SERVICE_IP, b.ue, b"late")))
    right = built(other.down_teid, p.ip_udp(SERVICE_IP, other.ue, b"built"))
    ovs_sends(right)
    net.enb.wait(right)
    assert net.enb.since(mark) == [right]


def end(net, api, b):
    """The downlink tunnel of 'b' is known to have ended."""
    net.silent = True
    net.enb.wait(b.end_marker())
    wait_stale(api, b.ue)


@pytest.mark.datapath("ovs")
def test_new_downlink_tunnel_takes_the_old_ones_place(net, api, ovs_sends):
    api.register()
    b = establish(net)
    old = b.down_teid
    end(net, api, b)
    b.down_teid += 0x100
    net.silent = False
    b.uplink(echo(b.ue, b"moved"))
    b.wait_downlink(is_text(b"moved"))
    mark = net.enb.mark()
    answer = p.ip_udp(SERVICE_IP, b.ue, b"built")
    ovs_sends(built(old, answer))
    ovs_sends(built(b.down_teid, answer))
    net.enb.wait(built(b.down_teid, answer))
    assert built(old, answer) not in net.enb.since(mark)


def guards():
    return run_in("lab-tof", "nft", "list", "set", "netdev", "tof",
                  "down").stdout.count("ffff:10.45.")


@pytest.mark.datapath("ovs")
def test_guards_end_with_their_bearers(net, api):
    api.register()
    bearers = [establish(net, f"10.45.6.{i}") for i in range(1, 4)]
    wait_until(lambda: guards() == len(bearers), what="guards")
    api.clean()
    wait_until(lambda: guards() == 0, what="no guard")


@pytest.mark.datapath("ovs", "auto")
def test_restart_keeps_guards_of_bearers_and_no_others(lab, net, api):
    api.register()
    b = establish(net)
    lab.tofd("kill")
    run_in("lab-tof", "nft", "add", "element", "netdev", "tof", "down",
           "{ ::ffff:10.1.0.2 . ::ffff:10.1.0.1 . 0.0.0.9 . "
           "::ffff:10.45.6.250 }")
    assert guards() == 2
    b.uplink(echo(b.ue, b"meanwhile"))
    b.wait_downlink(is_text(b"meanwhile"))
    lab.tofd("start")
    wait_until(lambda: guards() == 1, what="the stray guard to go")
    b.uplink(echo(b.ue, b"after"))
    b.wait_downlink(is_text(b"after"))


# --- Rules and sets of another version ---------------------------------------

OLD = """table netdev tof {
    set services { type ipv4_addr; elements = { 198.51.100.10 } }
    set learned { type ipv4_addr . ipv4_addr . mark; flags timeout; }
    set divert { type ipv4_addr; flags timeout, dynamic; }
    set stamp { type mark; elements = { 1 } }
    map l2 { type ipv4_addr : mark; flags timeout, dynamic; }
    chain enb_gtp { drop; }
    chain enb { type filter hook ingress device "enb0" priority 0;
                udp dport 2152 goto enb_gtp; }
}"""


def test_rules_of_another_version_are_replaced(lab, net, api):
    api.register()
    establish(net)
    lab.tofd("kill")
    run_in("lab-tof", "nft", "delete", "table", "netdev", "tof")
    run_in("lab-tof", "nft", OLD)
    lab.tofd("start")
    wait_until(api.healthy, what="tofd")
    b = establish(net, "10.45.6.2")
    frame = b.uplink(p.ip_udp(b.ue, OTHER, b"x"))
    net.sgw.wait(frame)


def test_nft_can_list_the_rules(net, api):
    api.register()
    establish(net)
    run_in("lab-tof", "nft", "list", "ruleset")


# --- VLAN ---------------------------------------------------------------------

TAGS = [100, 5 << 13 | 7]


@pytest.mark.parametrize("tag", TAGS)
def test_tagged_bearer_is_learned_and_diverted(net, api, tag):
    api.register()
    b = net.bearer("10.45.6.1", vlan=tag)
    for text in (b"held", b"diverted", b"again"):
        mark = net.sgw.mark()
        b.uplink(echo(b.ue, text))
        f = b.wait_downlink(is_text(text))
        assert f.vlan == [tag]
        assert (f.src_mac, f.dst_mac) == (b.sgw_mac, b.enb_mac)
    assert not [f for f in net.sgw.since(mark) if b.is_uplink(f)]
    _, bearer, ping = net.pings[0]
    assert bearer is b and ping.vlan == [tag]


def test_tagged_packets_that_were_held_are_put_back(net, api):
    api.register()
    net.silent = True
    b = net.bearer("10.45.6.1", vlan=100)
    frame = b.uplink(echo(b.ue, b"in vain"))
    net.sgw.wait(frame, timeout=4)
    error = net.bearer("10.45.6.2", vlan=3 << 13 | 200).error_indication()
    net.sgw.wait(error)
    pong = b.downlink(p.ip_echo("203.0.113.10", b.ue, 9, 9, b"its own",
                                reply=True))
    net.enb.wait(pong)


def test_service_tag_is_switched(net, api):
    api.register()
    b = net.bearer("10.45.6.1", vlan=[(p.ETH_QINQ, 33)])
    frame = b.uplink(echo(b.ue, b"x"))
    net.sgw.wait(frame)
    assert api.session_of(b.ue) is None


@pytest.mark.datapath("ovs")
def test_room_for_all_bearers(lab):
    """A full set would refuse what else is in a transaction."""
    with lab.configured(("max: 1000000", "max: 1500000")):
        for name in "divert", "bound":
            listed = json.loads(lab.run(
                "lab-tof", "nft", "-j", "list", "set", "netdev", "tof",
                name).stdout)
            sizes = [o["set"]["size"] for o in listed["nftables"]
                     if "set" in o]
            assert sizes and sizes[0] > 1500000
