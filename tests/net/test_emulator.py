# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests' own tools, with the wire alone: if these fail, so will the
others, and not for the TOF's sake."""

import pytest

from tofnet import packet as p
from tofnet.emulator import TARGET, Emulator
from tofnet.lab import lab_sh
from tofnet.netns import run_in


@pytest.fixture(scope="module")
def plain():
    try:
        lab_sh("up", "--no-tof", "--peers", "none")
        with Emulator() as net:
            yield net
    finally:
        lab_sh("down")


@pytest.fixture
def quiet(plain):
    plain.clear()
    yield plain
    plain.clear()


def test_sgw_answers_a_ping_in_its_bearer(quiet):
    b = quiet.bearer("10.45.1.1", qfi=9, vlan=100)
    b.uplink(p.ip_echo(b.ue, TARGET, 77, 5, b"cookie"))
    f = b.wait_downlink(lambda f: f.inner.is_echo_reply)
    assert (f.inner.src, f.inner.dst) == (TARGET, b.ue)
    assert (f.inner.ident, f.inner.seq, f.inner.payload) == (77, 5, b"cookie")
    assert f.inner.l4_ok and f.inner.header_ok
    assert f.qfi == 9 and f.vlan == [100]
    assert quiet.pings[0][1] is b


def test_silent_sgw(quiet):
    b = quiet.bearer("10.45.1.2")
    b.silent = True
    b.uplink(p.ip_echo(b.ue, TARGET))
    b.wait_uplink()
    other = quiet.bearer("10.45.1.3")
    other.uplink(p.ip_echo(other.ue, TARGET))
    other.wait_downlink()
    assert len(quiet.enb.frames) == 1


def test_no_kernel_answers(quiet):
    """Neither ARP nor ping nor a closed port."""
    sgw_mac = quiet.sgw.mac.hex(":")
    me = quiet.enb.mac.hex(":")
    arp = p.eth("ff:ff:ff:ff:ff:ff", me, bytes.fromhex("0001080006040001")
                + p.mac(me) + p.addr("10.1.0.1") + b"\0" * 6
                + p.addr("10.1.0.2"), p.ETH_ARP)
    quiet.enb.send(arp)
    for body in (p.ip_echo("10.1.0.1", "10.1.0.2"),
                 p.ip_udp("10.1.0.1", "10.1.0.2", b"x", 2152, 2152),
                 p.ip_tcp("10.1.0.1", "10.1.0.2", 1, 2152),
                 p.ip_echo("fd01::1", "fd01::2"),
                 p.ip_udp("fd01::1", "fd01::2", b"x", 2152, 2152)):
        quiet.enb.send(p.eth(sgw_mac, me, body))
    b = quiet.bearer("10.45.1.4")
    b.uplink(p.ip_echo(b.ue, TARGET))       # What comes last, last.
    b.wait_downlink()
    assert len(quiet.enb.frames) == 1, quiet.enb.frames


def test_ue_has_a_stack(quiet):
    """A UE's own ping goes up and the answer reaches its kernel."""
    ue = quiet.ue("10.45.1.5")
    ue.run("ping", "-c", "1", "-W", "2", TARGET)


def test_own_packets_agree_with_scapy(quiet):
    scapy = pytest.importorskip("scapy.all")
    gtp = pytest.importorskip("scapy.contrib.gtp")
    b = quiet.bearer("10.45.1.6", 0x1234, 0x5678, qfi=7)
    frame = scapy.Ether(b.uplink_frame(p.ip_udp(b.ue, "192.0.2.1", b"x")))
    g = frame[gtp.GTP_U_Header]
    assert (g.teid, g.gtp_type, g.E, g.length) == (0x1234, 255, 1, 8 + 29)
    assert g[scapy.IP].dst == "192.0.2.1"
    own = p.ip_udp("10.0.0.1", "10.0.0.2", b"abc", 1, 2)
    theirs = scapy.IP(src="10.0.0.1", dst="10.0.0.2", id=0) \
        / scapy.UDP(sport=1, dport=2) / b"abc"
    assert own == bytes(theirs)
    six = p.ip_echo("fd00::1", "fd00::2", 3, 4, b"abc")
    theirs = scapy.IPv6(src="fd00::1", dst="fd00::2") \
        / scapy.ICMPv6EchoRequest(id=3, seq=4, data=b"abc")
    assert six == bytes(theirs)


def test_hosts_answer(quiet):
    app = run_in("lab-app", "curl", "-s", "-g", "http://[fd00:100::10]/any")
    assert app.stdout == "edge\n"
    host = run_in("lab-sgw", "curl", "-s", "http://203.0.113.10/any")
    assert host.stdout == "internet\n"
    run_in("lab-sgw", "ping", "-c", "1", "-W", "2", "203.0.113.10")
    echo = run_in("lab-app", "bash", "-c",
                  "exec 3<>/dev/udp/192.168.100.10/7; printf hello >&3; "
                  "head -c 5 <&3; exec 4<>/dev/tcp/fd00:100::10/7; "
                  "printf there >&4; head -c 5 <&4")
    assert echo.stdout == "hellothere"
