# SPDX-License-Identifier: GPL-3.0-or-later
"""tofctl trace: the packets of one UE, in lines and for Wireshark; and who may
not see them."""

import collections
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile

import pytest

from test_chain import FW_TOS, Function
from tofnet.emulator import ENB6, SGW6
from tofnet.lab import APP6, SERVICE_IP6, TOP, delete_flows, ofctl
from tofnet.netns import call_in, command_in, run_in
from tofnet.packet import ip_tcp, ip_udp
from tofnet.service import (
    OTHER, answered, diverted, echo, new_port, service_of, switched)
from tofnet.wait import PATIENCE, wait_until

UE, UE6, STRANGER = "10.45.31.1", "2001:db8:31:1::1", "10.45.31.2"
UE_GONE, UE6_GONE = "10.45.31.9", "2001:db8:31:9::1"
UNIX = "/run/tof-lab/api.sock"
LAB = "lab-tof", UNIX           # Whom to ask, and how.
NAT = "tof-app"
NETLINK_NETFILTER, NFULNL_MSG_CONFIG = 12, 4 << 8 | 1
NFULA_CFG_CMD, NFULNL_CFG_CMD_BIND, GROUP = 1, 1, 2152
N = 1000
AT_ONCE = 20                    # Packets under way.
GTPU6_LEN = 14 + 40 + 8 + 8 + 40 + 8    # Without a text.


@pytest.fixture(scope="module")
def allowed(lab):
    """A TOF that allows traces, to who comes by the Unix socket."""
    with lab.configured((r"(?m)^api: {", f"api: {{unix: {UNIX}, "),
                        (r"(?m)^registry:", "trace: {allow: yes}\nregistry:")):
        yield lab


@contextlib.contextmanager
def tracing(ue, *args, at=LAB):
    """tofctl, which traces 'ue'; it is asked to end, if it has not."""
    ns, unix = at
    with tempfile.TemporaryFile("w+") as out, \
            tempfile.TemporaryFile("w+") as err:
        p = subprocess.Popen(command_in(
            ns, os.path.join(TOP, "tofctl"), "-u", f"unix:{unix}", "trace",
            ue, *args), stdout=out, stderr=err)
        p.files = out, err
        try:
            yield p
        finally:
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
            p.wait(10 * PATIENCE)


def printed(p):
    """What it has printed, and its errors, once it ends by itself."""
    p.wait(20 * PATIENCE)
    for file in p.files:
        file.seek(0)
    out, err = (file.read() for file in p.files)
    assert p.returncode == 0, err
    return out, err


def shown(p, text):
    """Whether it has printed that by now."""
    return text in os.pread(p.files[0].fileno(), 1 << 20, 0).decode()


def ended(p):
    """The same, once it has been asked to end."""
    p.send_signal(signal.SIGTERM)
    return printed(p)


def by_socket(method, path, at=LAB):
    """The API's answer by the Unix socket: its status and what it says."""
    ns, unix = at
    done = subprocess.run(command_in(
        ns, "curl", "-s", "-X", method, "--unix-socket", unix, "-w",
        "\n%{http_code}", f"http://localhost{path}"), check=True,
        stdout=subprocess.PIPE, text=True, timeout=10 * PATIENCE)
    text, status = done.stdout.rsplit("\n", 1)
    return int(status), text


@pytest.fixture
def said(allowed):
    """What tofd has said in its log since the test began."""
    seen = len(allowed.log())
    return lambda: allowed.log()[seen:]


def is_running(at=LAB):
    return by_socket("GET", "/trace", at)[0] == 200


def starts(at=LAB):
    wait_until(lambda: is_running(at), 10, "the trace")


def fates(out):
    """How many UDP packets of a trace with --json have gone where."""
    packets = [json.loads(line) for line in out.splitlines()]
    return collections.Counter(
        (packet["direction"], packet["where"]) for packet in packets
        if packet["protocol"] == 17)


def fields(file, *names):
    """Of all packets, as tshark reads them; of a field that is there several
    times, the last one, which is the innermost."""
    command = ["tshark", "-r", file, "-d", "udp.port==7,data", "-T", "fields",
               "-E", "occurrence=l"]
    for name in names:
        command += ["-e", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def packets_on(file, interface, ue):
    """How often each UDP packet is there: (from the UE, its text)."""
    version = "ipv6" if ":" in ue else "ip"
    return collections.Counter(
        (src == ue, bytes.fromhex(data))
        for at, src, port, data in fields(
            file, "frame.interface_name", f"{version}.src", "udp.srcport",
            "data.data")
        if at == interface and port in ("7", "5000"))


def both_ways(texts):
    return {(up, text): 1 for up in (True, False) for text in texts}


def talks(b, n):
    """Sends 'n' packets to the echo service, each of which is answered; gives
    their texts."""
    texts = [b"packet %04d" % i for i in range(n)]
    for i in range(0, n, AT_ONCE):
        mark = b.net.enb.mark()
        for text in texts[i:i + AT_ONCE]:
            b.uplink(echo(b.ue, text))
        for text in texts[i:i + AT_ONCE]:
            b.wait_downlink(lambda f, t=text: f.inner.payload == t,
                            since=mark)
    return texts


@pytest.mark.parametrize("ue,kw", [
    (UE, {}), (UE6, {"enb": ENB6, "sgw": SGW6})], ids=["ipv4", "ipv6"])
def test_every_packet_is_in_the_file_both_ways(allowed, net, api, tmp_path,
                                               ue, kw):
    """From the first one on, which waits in tofd, on both sides of the
    tunnel."""
    api.register()
    api.register("six", SERVICE_IP6, APP6)
    file = tmp_path / "trace.pcapng"
    with tracing(ue, "60", f"--pcap={file}") as p:
        starts()
        texts = talks(net.bearer(ue, **kw), N)
        _, err = ended(p)
    assert " 0 lost" in err
    assert file.stat().st_mode & 0o777 == 0o600
    assert packets_on(file, "ue", ue) == both_ways(texts)
    if ":" in ue:               # The text is beyond 96 bytes there.
        sizes = collections.Counter(
            size for interface, size in fields(
                file, "frame.interface_name", "frame.len")
            if interface == "gtpu")
        assert sizes[str(GTPU6_LEN + len(texts[0]))] == 2 * N
    else:
        assert packets_on(file, "gtpu", ue) == both_ways(texts)


def test_a_ue_in_a_vlan_is_seen(allowed, net, api, tmp_path):
    api.register()
    file = tmp_path / "trace.pcapng"
    with tracing(UE, "60", f"--pcap={file}") as p:
        starts()
        texts = talks(net.bearer(UE, vlan=77), 5)
        ended(p)
    assert packets_on(file, "gtpu", UE) == both_ways(texts)
    assert packets_on(file, "ue", UE) == both_ways(texts)


def test_a_line_says_where_a_packet_went_and_why(allowed, net, api):
    api.register()
    b = net.bearer(UE)
    answered(b)
    with tracing(UE) as p:
        starts()
        answered(b)
        switched(net, b.uplink(echo(UE, b"to the Internet", dst=OTHER)))
        out, _ = ended(p)
    assert re.search(rf" up +{UE} > \S+ UDP, \d+ bytes: to the App "
                     r"\(decapsulated\)", out)
    assert re.search(rf" down +\S+ > {UE} UDP, \d+ bytes: to the eNodeB "
                     r"\(encapsulated\)", out)
    assert re.search(rf" up +{UE} > {OTHER} UDP, 43 bytes: to the SGW "
                     r"\(switched\)", out)


def test_no_packet_of_another_ue_is_shown(allowed, net, api):
    api.register()
    b, other = net.bearer(UE), net.bearer(STRANGER)
    with tracing(UE, "60", "--json") as p:
        starts()
        talks(b, 5)
        talks(other, 5)
        other.uplink(echo(STRANGER, b"to the first one", dst=UE))
        out, _ = ended(p)
    packets = [json.loads(line) for line in out.splitlines()]
    assert len(packets) >= 10
    for packet in packets:
        assert UE == packet["source" if packet["direction"] == "up"
                            else "destination"]


def test_96_bytes_of_a_packet_are_shown(allowed, net, api):
    api.register()
    b = net.bearer(UE)
    with tracing(UE, "60", "--json") as p:
        starts()
        b.uplink(echo(UE, b"x" * 500))
        b.wait_downlink(lambda f: f.inner.payload == b"x" * 500)
        out, _ = ended(p)
    packets = [json.loads(line) for line in out.splitlines()]
    packets = [packet for packet in packets if packet["protocol"] == 17]
    assert {packet["length"] for packet in packets} == {528}
    for side in ("frame", "packet"):
        assert {len(packet[side]) for packet in packets
                if side in packet} == {2 * 96}


@pytest.mark.parametrize("ue,kw", [
    (UE, {}), (UE6, {"enb": ENB6, "sgw": SGW6})], ids=["ipv4", "ipv6"])
def test_all_of_a_packet_is_shown_if_that_is_allowed(allowed, net, api, ue,
                                                     kw):
    data = os.urandom(700)
    with allowed.configured((r"trace: {allow: yes}",
                             "trace: {allow: yes, payload: yes}")):
        api.register()
        api.register("six", SERVICE_IP6, APP6)
        b = net.bearer(ue, **kw)
        answered(b)
        with tracing(ue, "60", "--json") as p:
            starts()
            b.uplink(echo(ue, data))
            b.wait_downlink(lambda f: f.inner.payload == data)
            out, _ = ended(p)
        api.clean()
    packets = [json.loads(line) for line in out.splitlines()]
    sides = {(packet["direction"], side): packet[side] for packet in packets
             if packet["protocol"] == 17 and packet["length"] > len(data)
             for side in ("frame", "packet") if side in packet}
    assert set(sides) == {(direction, side) for direction in ("up", "down")
                          for side in ("frame", "packet")}
    for shown in sides.values():
        assert shown.endswith(data.hex())


def test_a_packet_through_a_chain(allowed, net, api, datapath):
    """The eBPF programs show it on its way into the chain, and an answer once
    more when it has come out."""
    fw = Function("fw", "", FW_TOS)
    known = json.dumps({"fw": fw.config})
    try:
        with allowed.configured((r"functions: {}", f"functions: {known}")):
            api.register(chain=["fw"])
            b = diverted(net, UE)
            with tracing(UE, "60", "--json") as p:
                starts()
                for _ in range(3):
                    answered(b)
                out, _ = ended(p)
            api.clean()
    finally:
        fw.close()
    assert fates(out) == (
        {("up", "chain"): 3, ("down", "chain"): 3, ("down", "enb"): 3}
        if datapath == "xdp" else {("up", "app"): 3, ("down", "enb"): 3})


@pytest.mark.datapath("ovs")
@pytest.mark.parametrize("ue,kw", [
    (UE, {}), (UE6, {"enb": ENB6, "sgw": SGW6})], ids=["ipv4", "ipv6"])
def test_a_packet_that_open_vswitch_drops(allowed, net, api, ue, kw):
    api.register()
    api.register("six", SERVICE_IP6, APP6)
    b = diverted(net, ue, **kw)
    ofctl("br-tof", "add-flow", "table=0,cookie=0x7e57,priority=65000,"
          f"tun_id={b.up_teid:#x},actions=drop")
    try:
        with tracing(ue, "60") as p:
            starts()

            def is_told():
                b.uplink(echo(ue, b"into the void"))
                return shown(p, "Open vSwitch")

            wait_until(is_told, 15, "the packet", interval=0.2)
            out, _ = ended(p)
    finally:
        delete_flows(allowed, "br-tof", "cookie=0x7e57/-1")
    assert re.search(r" up .* UDP, \d+ bytes: to Open vSwitch "
                     r"\(not seen again\)", out)


@pytest.mark.parametrize("ue", [UE_GONE, UE6_GONE], ids=["ipv4", "ipv6"])
def test_a_packet_that_tofd_drops(allowed, net, api, ue):
    """An App sends to a UE that nobody knows: the trace, the metric and
    "explain" have one reason for it."""
    api.register()
    api.register("six", SERVICE_IP6, APP6)
    family = socket.AF_INET6 if ":" in ue else socket.AF_INET
    key = 'tof_down_dropped_total{reason="no_bearer"}'
    before = api.metrics()[key]

    def send():
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.sendto(b"nobody", (ue, 7777))

    def is_told():
        call_in("lab-app", send)
        return shown(p, "no bearer")

    with tracing(ue, "60") as p:
        starts()
        wait_until(is_told, 15, "the packet", interval=0.2)
        out, _ = ended(p)
    assert re.search(rf" down +\S+ > {ue} UDP, \d+ bytes: dropped "
                     r"\(no bearer\)", out)
    assert api.metrics()[key] > before
    step = next(s for s in api.get(f"/explain?ue={ue}").json["steps"]
                if s["step"] == "dropped")
    assert step["found"].endswith("no_bearer.")


# --- What the rules of NAT drop -----------------------------------------------

V4V6 = pytest.mark.parametrize("ue,kw", [
    (UE, {}), (UE6, {"enb": ENB6, "sgw": SGW6})], ids=["ipv4", "ipv6"])


def log_rules():
    """The rules in the NAT namespace that tell of packets."""
    return [line for line in run_in(NAT, "nft", "list",
                                    "ruleset").stdout.splitlines()
            if "log prefix" in line]


def reset(b):
    """A segment of no connection: NAT drops it."""
    b.uplink(ip_tcp(b.ue, service_of(b.ue), new_port(), 80, "R", seq=1))


def app_says(ue):
    """What is of no service: NAT drops it, too."""
    source = "2001:db8:5::20" if ":" in ue else "192.168.100.20"

    def send():
        family = socket.AF_INET6 if ":" in ue else socket.AF_INET
        with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
            s.sendto(ip_udp(source, ue, b"forged", 443, 5001), (ue, 0))

    call_in("lab-app", send)


def until_told(p, text, do):
    """Does that again and again."""
    def is_told():
        do()
        return shown(p, text)

    wait_until(is_told, 15, text, interval=0.2)


def both(net, api, ue, kw):
    """A UE that is diverted, and another one."""
    api.register()
    api.register("six", SERVICE_IP6, APP6)
    stranger = "2001:db8:31:2::1" if ":" in ue else STRANGER
    return diverted(net, ue, **kw), diverted(net, stranger, **kw)


@V4V6
def test_what_the_rules_of_nat_drop(allowed, net, api, ue, kw):
    """Both ways, and nothing of another UE; the rules that tell of it are
    there only meanwhile."""
    b, other = both(net, api, ue, kw)
    assert not log_rules()
    with tracing(ue, "60", "--json") as p:
        starts()
        assert log_rules()
        reset(other)
        app_says(other.ue)
        until_told(p, "invalid_from_ue", lambda: reset(b))
        until_told(p, "serves_no_service", lambda: app_says(ue))
        out, _ = ended(p)
    wait_until(lambda: not log_rules(), 10, "the rules to be as before")
    told = [json.loads(line) for line in out.splitlines()]
    told = [packet for packet in told if packet["where"] == "dropped"]
    assert {(packet["direction"], packet["reason"]) for packet in told} == {
        ("up", "invalid_from_ue"), ("down", "serves_no_service")}
    for packet in told:
        assert ue == packet["source" if packet["direction"] == "up"
                            else "destination"]
        assert len(packet["packet"]) == 2 * packet["length"]
    steps = api.get(f"/explain?ue={ue}").json["steps"]
    for reason in ("invalid_from_ue", "serves_no_service"):
        assert any(step["step"] == "dropped" and reason in step["found"]
                   for step in steps)


def test_the_rules_of_nat_are_made_anew_meanwhile(allowed, net, api):
    """Somebody takes one out: tofd sees that, though there are others."""
    b, _ = both(net, api, UE, {})
    with tracing(UE, "60") as p:
        starts()
        until_told(p, "invalid from ue", lambda: reset(b))
        before = allowed.mended()
        run_in(NAT, "nft", "flush", "chain", "inet", "tof_nat", "from_ue4")
        wait_until(lambda: allowed.mended() != before, 15, "it to be mended")
        wait_until(log_rules, 15, "the rules that tell")
        until_told(p, "serves no service", lambda: app_says(UE))
        ended(p)
    assert not log_rules()


def test_a_tofd_that_dies_leaves_no_trace(allowed, net, api):
    with tracing(UE, "60") as p:
        starts()
        assert log_rules()
        allowed.tofd("kill")
        p.kill()
    allowed.tofd("start")
    wait_until(api.healthy, 15, "tofd")
    assert not log_rules()


def test_without_nflog_the_rest_is_shown(allowed, said, net, api):
    """As if the kernel had none: somebody else has the group."""
    def bind():
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        command = struct.pack("=HHB3x", 8, NFULA_CFG_CMD, NFULNL_CFG_CMD_BIND)
        body = struct.pack("=BBH", 0, 0, socket.htons(GROUP)) + command
        s.send(struct.pack("=IHHII", 16 + len(body), NFULNL_MSG_CONFIG, 5, 1,
                           0) + body)
        assert not struct.unpack_from("=i", s.recv(4096), 16)[0]
        return s

    b, _ = both(net, api, UE, {})
    with call_in(NAT, bind):
        for _ in range(2):
            with tracing(UE, "60") as p:
                starts()
                until_told(p, "to the App", lambda: answered(b))
                ended(p)
    assert said().count("traces lack what the rules of the NAT") == 1
    assert not log_rules()


def test_there_is_one_at_a_time(allowed, net, api):
    with tracing(UE):
        starts()
        status, text = by_socket("POST", f"/trace?ue={STRANGER}")
        assert status == 409 and "only one at a time" in text
    wait_until(lambda: not is_running(), 10, "its end")
    status, _ = by_socket("POST", f"/trace?ue={STRANGER}")
    assert status == 200
    assert by_socket("DELETE", "/trace")[0] == 200


def test_it_ends_by_itself(said, net, api):
    with tracing(UE, "1") as p:
        _, err = printed(p)
    assert "0 packets seen" in err
    assert "its time is over" in said()
    assert not is_running()


def test_it_ends_when_its_reader_is_killed(said, net, api):
    with tracing(UE, "60") as p:
        starts()
        p.kill()
        p.wait()
        wait_until(lambda: "nobody looks at it" in said(), 20,
                   "the end of the trace")
    assert not is_running()


def test_an_address_that_two_ues_have_is_not_traced(said, net, api):
    """One of them might be somebody else."""
    api.register()
    answered(net.bearer(UE))
    with tracing(UE, "60") as p:
        starts()
        net.bearer(UE, sgw="10.1.0.3").uplink(echo(UE, b"another one"))
        printed(p)
    assert "another UE has this address" in said()
    status, text = by_socket("POST", f"/trace?ue={UE}")
    assert status == 409 and "Several UEs" in text


def test_nobody_is_traced_for_who_is_not_known(allowed, net, api):
    """On the loopback address no token is asked for; but that is for less."""
    for method in "POST", "GET", "DELETE":
        answer = api.request(method, f"/trace?ue={UE}")
        assert answer.status == 403
        assert "token" in answer.json["detail"]
    assert not is_running()


def test_who_has_asked_is_in_the_log(said, net, api):
    with tracing(UE, "60"):
        starts()
        assert re.search(rf"audit: uid 0.*POST /trace \({UE}, for 60 s\): 200",
                         said())


def test_it_is_off_unless_it_is_allowed(allowed, net, api):
    with allowed.configured((r"trace: {allow: yes}\n", "")):
        status, text = by_socket("POST", f"/trace?ue={UE}")
        assert status == 403 and "trace.allow" in text
