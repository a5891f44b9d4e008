# SPDX-License-Identifier: GPL-3.0-or-later
"""Real captures, replayed through the TOF: what it learns is what the
signalling in the same capture says.

The oracle is S1AP, NGAP and PFCP, as tshark reads them.  Nothing of that
reaches the TOF.  Each leg (S1-U, S5, N3) is replayed alone, its peers'
addresses mapped to some of the lab's S1-U, the rest as it was (but for UDP's
checksum, which is left out).

Nobody answers the Pinger in a capture.  So there are two runs: "observed"
(pairing: observed) pairs by the capture's own downlink packets, and nothing
but the capture is on the wire; "proved" (the default) has an SGW that answers
the Pinger in the tunnel that the signalling named for that UE."""

import ipaddress
import itertools
import os
import struct
import subprocess
from dataclasses import dataclass

import pytest

from tofnet import packet as p
from tofnet.emulator import ENB_MAC, SGW_MAC
from tofnet.lab import TOP
from tofnet.wait import wait_until

CAPTURES = os.path.join(TOP, "tests/captures")
ACCESS, CORE = "10.1.0.31", "10.1.0.32"        # In the lab.


@dataclass
class Leg:
    capture: str
    access: str                 # Address of the eNodeB's end in the capture.
    core: str
    signalled: object           # Gives {(uplink TEID, downlink TEID)}.


def tshark(capture, display_filter, *fields):
    """The values of each frame: a list a field."""
    command = ["tshark", "-r", os.path.join(CAPTURES, capture), "-Y",
               display_filter, "-T", "fields", "-E", "separator=|"]
    for field in fields:
        command += ["-e", field]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True).stdout
    return [[v.split(",") if v else [] for v in line.split("|")]
            for line in out.splitlines()]


def pair_by(rows, access, core):
    """'rows': (key, [address], [TEID]).  What one key names at the core and at
    the access network answers each other."""
    ends = {}
    for key, addresses, teids in rows:
        for address, teid in zip(addresses, teids):
            ends.setdefault(key, {}).setdefault(address, set()).add(
                int(teid, 16))
    return {pair for of_key in ends.values() for pair in itertools.product(
        of_key.get(core, ()), of_key.get(access, ()))}


def s1ap(leg):
    return pair_by([(ue[0], addresses, teids) for ue, addresses, teids
                    in tshark(leg.capture, "s1ap.gTP_TEID",
                              "s1ap.ENB_UE_S1AP_ID",
                              "s1ap.transportLayerAddressIPv4",
                              "s1ap.gTP_TEID")], leg.access, leg.core)


def ngap(leg):
    return pair_by([(ue[0], addresses, teids) for ue, addresses, teids
                    in tshark(leg.capture, "sctp && ngap.gTP_TEID",
                              "ngap.RAN_UE_NGAP_ID",
                              "ngap.TransportLayerAddressIPv4",
                              "ngap.gTP_TEID")], leg.access, leg.core)


def pfcp(leg):
    """By session, which the user plane names in its answer to an
    establishment, and which a modification names."""
    rows, asked = [], {}
    for kind, seq, seid, teids, at, out_teids, out_at in tshark(
            leg.capture, f"pfcp && ip.addr == {leg.core}", "pfcp.msg_type",
            "pfcp.seqno", "pfcp.seid", "pfcp.f_teid.teid",
            "pfcp.f_teid.ipv4_addr", "pfcp.outer_hdr_creation.teid",
            "pfcp.outer_hdr_creation.ipv4"):
        said = at + out_at, teids + out_teids
        if kind == ["50"]:
            asked[seq[0]] = said
        elif kind == ["51"] and seq[0] in asked:
            rows.append((seid[-1], *asked.pop(seq[0])))
            rows.append((seid[-1], *said))
        elif kind == ["52"]:
            rows.append((seid[0], *said))
    return pair_by(rows, leg.access, leg.core)


LEGS = {
    "lte-s1u-s1ap": Leg("srsenb.pcapng", "127.0.1.1", "127.0.0.6", s1ap),
    "lte-s5-pfcp": Leg("srsenb.pcapng", "127.0.0.6", "127.0.0.7", pfcp),
    "5g-n3-ngap": Leg("testregistration.pcapng", "127.0.0.2", "127.0.0.7",
                      ngap),
    "5g-n3-pfcp": Leg("testregistration.pcapng", "127.0.0.2", "127.0.0.7",
                      pfcp),
}


def packets(leg):
    """(is uplink, IP packet with mapped addresses, inner packet, TEID) of each
    G-PDU of the leg, in order."""
    pcap = subprocess.run(
        ["tshark", "-r", os.path.join(CAPTURES, leg.capture), "-Y",
         f"gtp.message == 255 && ip.addr == {leg.access} "
         f"&& ip.addr == {leg.core}", "-F", "pcap", "-w", "-"], check=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    mapped = {leg.access: ACCESS, leg.core: CORE}
    at = 24
    while at < len(pcap):
        length, = struct.unpack_from("<I", pcap, at + 8)
        ip = pcap[at + 16 + 16:at + 16 + length]       # Linux cooked.
        at += 16 + length
        src, dst = (str(ipaddress.ip_address(ip[i:i + 4])) for i in (12, 16))
        if {src, dst} != {leg.access, leg.core}:
            continue
        segment = ip[20:26] + b"\0\0" + ip[28:]         # No UDP checksum.
        ip = p.ipv4(mapped[src], mapped[dst], segment, ttl=ip[8], tos=ip[1])
        f = p.GtpFrame.parse(p.eth(SGW_MAC, ENB_MAC, ip))
        yield src == leg.access, ip, f.inner, f.teid


def with_traffic(pairs, frames):
    """Those pairs whose two tunnels carried packets from and to one UE."""
    up, down = {}, {}
    for is_up, _, inner, teid in frames:
        (up if is_up else down).setdefault(teid, set()).add(
            inner.src if is_up else inner.dst)
    return {(u, d) for u, d in pairs
            if up.get(u, set()) & down.get(d, set())}


def learned(api):
    """The pairs of tunnels that are proved now."""
    return {(b["uplink"]["teid"], b["downlink"]["teid"])
            for s in api.sessions() for b in s["bearers"] if b["proved"]
            and (b["uplink"]["sgw"], b["downlink"]["enb"]) == (CORE, ACCESS)}


class Replay:
    """Sends the frames of a leg, and keeps what the TOF shows meanwhile."""

    def __init__(self, net, api, frames):
        self.net, self.api, self.frames = net, api, frames
        self.learned = set()
        self.up, self.down = {}, {}     # UE -> TEID, so far.

    def look(self, pair):
        self.learned |= learned(self.api)
        return pair in self.learned

    def is_known(self, up_teid):
        return any(b["uplink"]["teid"] == up_teid
                   for s in self.api.sessions() for b in s["bearers"])

    def run(self, signalled, observed):
        for is_up, ip, inner, teid in self.frames:
            if is_up:
                self.net.enb.send(p.eth(SGW_MAC, ENB_MAC, ip))
            else:
                self.net.sgw.send(p.eth(ENB_MAC, SGW_MAC, ip))
            ue = inner.src if is_up else inner.dst
            if is_up and self.up.get(ue) != teid:
                # In the capture the answer takes its time.
                wait_until(lambda teid=teid: self.is_known(teid),
                           what=f"{ue} in uplink TEID {teid}")
            (self.up if is_up else self.down)[ue] = teid
            pair = self.up.get(ue), self.down.get(ue)
            if pair in signalled and pair not in self.learned \
                    and (observed or not is_up):
                wait_until(lambda pair=pair: self.look(pair),
                           what=f"{ue} in uplink, downlink TEID {pair}")
        self.look(None)


def sent_untouched(net, frames):
    """Every frame has come out at the other side as it went in."""
    out = {True: set(net.sgw.frames), False: set(net.enb.frames)}
    return all((p.eth(SGW_MAC, ENB_MAC, ip) if is_up
                else p.eth(ENB_MAC, SGW_MAC, ip)) in out[is_up]
               for is_up, ip, _, _ in frames)


def show(title, pairs):
    print(f"{title}: " + (", ".join(
        f"{CORE}/{u} <-> {ACCESS}/{d}" for u, d in sorted(pairs)) or "none"))


def check(net, api, leg, observed):
    frames = list(packets(leg))
    signalled = with_traffic(leg.signalled(leg), frames)
    assert frames and signalled
    replay = Replay(net, api, frames)
    replay.run(signalled, observed)
    show("signalled", signalled)
    show("learned  ", replay.learned)
    assert replay.learned == signalled
    wait_until(lambda: sent_untouched(net, frames), what="every frame")


@pytest.fixture
def observing(lab):
    with lab.configured((r"targets: \[[^]]*\]", "targets: []"),
                        ("pairing: proved", "pairing: observed")):
        yield lab


@pytest.mark.parametrize("leg", LEGS.values(), ids=LEGS.keys())
class TestReplay:
    @pytest.mark.usefixtures("observing")
    def test_observed(self, net, api, leg):
        check(net, api, leg, True)
        assert not net.pings

    def test_proved(self, net, api, leg):
        """The SGW answers in the tunnel that was signalled."""
        frames = list(packets(leg))
        for up, down in with_traffic(leg.signalled(leg), frames):
            for ue in {inner.src for is_up, _, inner, teid in frames
                       if is_up and teid == up}:
                net.bearer(ue, up, down, enb=ACCESS, sgw=CORE)
        check(net, api, leg, False)
