# SPDX-License-Identifier: GPL-3.0-or-later
"""tofd watches the wire: whatever cuts S1-U on this host is said at once, and
what tof-net can mend is mended, once.  (A single adapter: test_routed.py.)"""

import time

import pytest

from tofnet import netns
from tofnet import packet as p
from tofnet.emulator import ENB, ENB_MAC, SGW, SGW_MAC
from tofnet.lab import TOP
from tofnet.netns import bridge_nf
from tofnet.service import answered, establish
from tofnet.wait import wait_until

NETFILTER = "bridge/bridge-nf-call-iptables"
FORWARD = ("add table ip fw; add chain ip fw forward "
           "{ type filter hook forward priority 0; policy drop; }")
TOF_NET = f"{TOP}/scripts/tof-net"


@pytest.fixture
def link(lab, api):
    """`ip link` in lab-tof, with a tofd that has mended nothing yet."""
    lab.tofd("restart")
    wait_until(api.healthy, 15, "tofd")
    yield lambda *args: lab.run("lab-tof", "ip", "link", *args)
    lab.run("lab-tof", "env", "S1U_ENB=enb0", "S1U_SGW=sgw0",
            TOF_NET, "up")
    wait_until(api.healthy, 15, "S1-U to be whole")


@pytest.fixture
def firewall(lab):
    """Somebody's, who lets nothing be forwarded; and bridged packets meet it
    from when the function is called."""
    lab.run("lab-tof", "nft", FORWARD)
    yield lambda: bridge_nf("lab-tof", True)
    bridge_nf("lab-tof", False)
    lab.run("lab-tof", "nft", "delete", "table", "ip", "fw")


def netfilter():
    def read():
        with open(f"/proc/sys/net/{NETFILTER}", encoding="ascii") as f:
            return int(f.read())
    return netns.call_in("lab-tof", read)


def passes(net):
    """Does a frame get from the eNodeB to the SGW?"""
    frame = p.eth(SGW_MAC, ENB_MAC, p.ip_udp(ENB, SGW, b"wire", 1000, 2000))
    mark = net.sgw.mark()
    net.enb.send(frame)
    try:
        net.sgw.wait(frame, timeout=0.1, since=mark)
        return True
    except AssertionError:
        return False


def said(api, text, fault, health=503):
    """The status, the metric and the health, all at one time."""
    part = api.part("interception")
    return (text in part["detail"] and part["ready"] == (health == 200)
            and api.metrics()[f'tof_s1u_fault{{fault="{fault}"}}'] == 1
            and api.get("/healthz").status == health)


@pytest.mark.parametrize("change, text, fault", [
    (("set", "enb0", "nomaster"), "enb0 is in no bridge", "not_a_port"),
    (("set", "br-s1u", "down"), "the bridge is down", "bridge_down"),
    (("set", "sgw0", "down"), "sgw0 is down", "adapter_down"),
    (("set", "sgw0", "type", "bridge_slave", "isolated", "on"),
     "sgw0 is isolated", "blocked")],
    ids=["port", "bridge", "adapter", "isolated"])
def test_cut_is_said_and_mended(api, net, link, change, text, fault):
    link(*change)
    wait_until(lambda: said(api, text, fault), what="tofd to say so")
    wait_until(lambda: passes(net) and api.healthy(), 10, "S1-U to pass")
    assert api.metrics()[f'tof_s1u_fault{{fault="{fault}"}}'] == 0
    assert api.metrics()["tof_s1u_mendings_total"] == 1


def test_firewall_in_the_bridge_is_mended(api, net, link, firewall):
    # pylint: disable=unused-argument
    firewall()
    wait_until(lambda: said(api, "bridge-nf", "bridge_nf"),
               what="tofd to say so")
    wait_until(lambda: passes(net) and api.healthy(), 10, "S1-U to pass")
    assert netfilter() == 0


def test_who_insists_is_not_fought(lab, api, net, link, firewall):
    """A container platform switches it on again: that stays so, and health
    says what it means, until somebody ends it.  What is diverted is, still."""
    # pylint: disable=unused-argument,too-many-arguments
    api.register()
    b = establish(net)
    seen = len(lab.log())
    firewall()
    wait_until(lambda: "tof-net is done" in lab.log()[seen:]
               and api.healthy(), 10, "tofd to have it mended")
    firewall()
    wait_until(lambda: said(api, "bridge-nf", "bridge_nf"),
               what="tofd to say so")
    time.sleep(2)                       # Mended it was sooner.
    assert said(api, "bridge-nf", "bridge_nf") and not passes(net)
    assert api.metrics()["tof_s1u_mendings_total"] == 1
    answered(b)
    bridge_nf("lab-tof", False)
    wait_until(lambda: passes(net) and api.healthy(), what="S1-U to pass")


def test_wire_that_has_been_taken_down_stays_down(lab, api, link):
    """By whoever says `tof-net down`."""
    lab.run("lab-tof", TOF_NET, "down")
    wait_until(lambda: said(api, "enb0 and sgw0 are in no bridge",
                            "no_bridge"), 15, "tofd to say so")
    link("set", "enb0", "down")         # Which alone would be mended.
    time.sleep(2)                       # By now.
    assert api.metrics()["tof_s1u_mendings_total"] == 0
    assert "br-s1u" not in link("show").stdout


def test_offload_that_joins_packets_is_said_and_mended(lab, api, link):
    # pylint: disable=unused-argument
    lab.run("lab-tof", "ethtool", "-K", "enb0", "rx-udp-gro-forwarding", "on")
    wait_until(lambda: said(api, "rx-udp-gro-forwarding", "offload", 200),
               what="tofd to say so")
    wait_until(lambda: api.part("interception")["detail"] == "in force", 10,
               "tofd to mend it")
    assert "rx-udp-gro-forwarding: off" in lab.run(
        "lab-tof", "ethtool", "-k", "enb0").stdout


def test_missing_adapter_comes_back(api, net, link):
    """Its driver is loaded anew, say: it is no port any more."""
    link("set", "enb0", "down")
    link("set", "enb0", "name", "enb1")
    wait_until(lambda: "enb0" in api.part("interception")["detail"]
               and not api.healthy(), 10, "tofd to miss it")
    link("set", "enb1", "nomaster")
    link("set", "enb1", "name", "enb0")
    link("set", "enb0", "up")
    wait_until(lambda: passes(net) and api.healthy(), 20, "S1-U to pass")
