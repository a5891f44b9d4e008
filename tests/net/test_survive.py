# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever dies, the network stays up; what comes back finds its state.  What
else can be broken is in tests/faults."""

import copy
import os
import re
import subprocess
import time
from ipaddress import IPv4Address

import pytest

from tofnet import packet as p
from tofnet.background import Stream
from tofnet.lab import STATE, TOP, flows, lab_sh
from tofnet.netns import RawPort
from tofnet.service import (
    OTHER, answered, diverted, echo, establish, is_text, new_port)
from tofnet.wait import wait_until

IN_VAIN = {"TOF_LAB_PATIENCE": "2"}     # tofd will not be healthy.


def answers(b):
    """Whether the app answers a packet of 'b'."""
    text = b"try %f" % time.monotonic()
    b.uplink(echo(b.ue, text))
    b.wait_downlink(is_text(text), timeout=0.3)
    return True


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        user, system = f.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_tofd_killed_under_traffic(lab, net, api):
    """Switched packets lost: none.  Diverted bearers go on.  The next tofd
    has everything again, pings nobody, and programs nothing twice."""
    lab.tofd("restart")         # Paths that nobody uses any more are gone.
    wait_until(api.healthy, what="tofd")
    api.register()
    b = establish(net)
    plain = net.bearer("10.45.4.2")
    plain.uplink(p.ip_udp(plain.ue, OTHER, b"x"))
    api.wait_proved(plain.ue)
    before = api.sessions()
    services = api.services()

    with Stream(plain, lambda t: p.ip_udp(plain.ue, OTHER, t)) as switched, \
            Stream(b, lambda t: echo(b.ue, t)) as diverted:
        wait_until(lambda: len(diverted.sent) > 50, what="traffic")
        known = flows()
        lab.tofd("kill")
        n = len(diverted.sent)
        wait_until(lambda: len(diverted.sent) > n + 200, what="traffic")
        pings = len(net.pings)
        lab.tofd("start")
        wait_until(api.healthy, what="tofd")
        n = len(diverted.sent)
        wait_until(lambda: len(diverted.sent) > n + 100, what="traffic")

    for _, frame in switched.sent:
        net.sgw.wait(frame, what="a switched packet")
    texts = {f.inner.payload for raw in net.enb.frames
             if (f := b.is_downlink(raw))}
    wait_until(lambda: {t for t, _ in diverted.sent} <= {
        f.inner.payload for raw in net.enb.frames
        if (f := b.is_downlink(raw))}, what="every answer")
    assert texts
    assert len(net.pings) == pings

    def identity(sessions):
        """Without "proved": when what is not diverted was, is not known."""
        return sorted((s["id"], s["ue"], s["state"], [
            (b["id"], b["uplink"], b["downlink"]) for b in s["bearers"]])
                      for s in sessions)

    assert identity(api.sessions()) == identity(before)
    assert api.services() == services
    after = flows()
    assert set(after) == set(known)
    assert all(after[rule] >= known[rule] for rule in known)


def test_bearers_of_other_peers_are_proved_anew(lab, net, api):
    """Their eNodeBs are not configured for a while, so that the next tofd does
    not adopt them: the one after that proves them again, and makes paths and
    flows at once of which Open vSwitch's cache knows how it was without."""
    api.register()
    bearers = [diverted(net, f"10.45.5.{i}", enb=f"10.1.1.{i}")
               for i in range(1, 41)]
    with lab.configured(
            (r"s1u:.*", "s1u: {enb: enb0, sgw: sgw0, "
             "enodebs: [10.1.2.0/24], sgws: [10.1.0.2/32]}")):
        for b in bearers:
            net.sgw.wait(b.uplink(echo(b.ue, b"stranger")),
                         what="the stranger's packet at the SGW")
    for b in bearers:
        for text in (b"held", b"diverted"):
            b.uplink(echo(b.ue, text, sport=new_port()))
            b.wait_downlink(is_text(text), what=f"{text} of {b.ue}")


def test_journal_that_is_behind_revives_no_tunnel(lab, net, api):
    """A service request of the UE has given it another downlink tunnel, and
    the journal could not be written any more: the kernel diverts a bearer by
    the same uplink tunnel as the journal's, but the journal's downlink tunnel
    may be another person's by now."""
    journal = f"{STATE}/state/sessions.journal"
    api.register()
    b = establish(net)
    wait_until(lambda: api.session_of(b.ue)["bearers"][0]["proved"],
               what="the proof to be journalled")
    with open(journal, "rb") as f:
        before = f.read()
    old = copy.copy(b)
    b.end_marker()
    b.down_teid ^= 0x40000000
    wait_until(lambda: answers(b), what="the new tunnel")
    lab.tofd("kill")
    with open(journal, "wb") as f:
        f.write(before)
    mark = net.enb.mark()
    lab.tofd("start")
    wait_until(api.healthy, what="tofd")
    guards = lab.run("lab-tof", "nft", "list", "set", "netdev", "tof", "down")
    assert str(IPv4Address(old.down_teid)) not in guards.stdout
    wait_until(lambda: answers(b), what="an answer")
    assert not [f for f in net.enb.since(mark) if old.is_downlink(f)]


def start_another(lab, tmp_path, *command):
    """A tofd of the same run_dir, but with a state_dir of its own."""
    config = tmp_path / "tof.yaml"
    config.write_text(re.sub("state_dir:.*", f"state_dir: {tmp_path}",
                             lab.config()))
    return subprocess.Popen([*command, f"{TOP}/tofd", "-c", config],
                            stderr=subprocess.PIPE, text=True)


def test_second_tofd_of_a_run_dir_is_refused(lab, net, api, tmp_path):
    """Although it is in another network namespace: Open vSwitch's sockets are
    files."""
    api.register()
    b = establish(net)
    other = start_another(lab, tmp_path, "unshare", "--net")
    _, errors = other.communicate(timeout=15)
    assert other.returncode == 1
    assert len(errors.splitlines()) == 1 and str(lab.pid()) in errors, errors
    assert api.healthy()
    answered(b)


def test_next_tofd_waits_for_one_that_is_ending(lab, net, api, tmp_path):
    api.register()
    b = establish(net)
    other = start_another(lab, tmp_path, "nsenter", "--net=/run/netns/lab-tof")
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(0.5)
        lab.tofd("kill")
        wait_until(api.healthy, what="the second tofd")
        answered(b)
    finally:
        other.terminate()
        other.communicate()
        lab.tofd("start")


def test_never_seen_ue_while_tofd_is_dead_is_switched(lab, net, api):
    api.register()
    establish(net)
    lab.tofd("kill")
    try:
        b = net.bearer("10.45.4.3")
        frame = b.uplink(echo(b.ue, b"nobody home"))
        net.sgw.wait(frame, what="the service packet at the SGW")
    finally:
        lab.tofd("start")


def test_stopped_tofd_holds_nothing_for_long(lab, net, api):
    """SIGSTOP: its tables stay, but the lease ends."""
    api.register()
    establish(net)
    with lab.stopped():
        b = net.bearer("10.45.4.4")

        def passes():
            frame = b.uplink(echo(b.ue, b"anyone?"))
            try:
                net.sgw.wait(frame, timeout=0.2)
                return True
            except AssertionError:
                return False

        wait_until(passes, timeout=2.5, what="the lease to end")


@pytest.mark.datapath("ovs")
def test_vswitchd_killed(lab, net, api):
    """Service packets are switched within a second, and diverted again
    when it is back."""
    api.register()
    b = establish(net)
    with Stream(b, lambda t: echo(b.ue, t)) as stream:
        wait_until(lambda: len(stream.sent) > 50, what="traffic")
        lab.ovs("kill")
        killed = time.monotonic()
        mark = len(stream.sent)

        def reaches_sgw():
            frames = set(net.sgw.frames)
            return any(frame in frames for _, frame in stream.sent[mark:])

        wait_until(reaches_sgw, timeout=3, what="a switched service packet")
        sent = {frame for _, frame in stream.sent[mark:]}
        first = next(f.time for f in net.sgw.frames if f in sent)
        assert first - killed <= 1.0, "the bound that the TOF promises"
        n = len(stream.sent)
        wait_until(lambda: len(stream.sent) > n + 100, what="traffic")
        answered_then = stream.sent[n:n + 100]
        for _, frame in answered_then:
            net.sgw.wait(frame, what="a switched service packet")

        lab.ovs("start")
        wait_until(api.healthy, timeout=10, what="Open vSwitch")
        n = len(stream.sent)
        wait_until(lambda: len(stream.sent) > n + 50, what="traffic")
        text = stream.sent[n + 49][0]
        b.wait_downlink(is_text(text), what="an answer through OVS")


@pytest.mark.datapath("ovs")
def test_open_vswitch_restarted_under_traffic(lab, net, api):
    """Packets are switched before it ends: none is lost on its way up."""
    api.register()
    b = establish(net)

    def goes_on(n=200):
        n += len(stream.sent)
        wait_until(lambda: len(stream.sent) > n, what="traffic")

    with RawPort("lab-app", "app0") as app:
        with Stream(b, lambda t: echo(b.ue, t)) as stream:
            goes_on()
            lab.ovs("stop")
            goes_on()
            lab.ovs("start")
            wait_until(api.healthy, timeout=10, what="Open vSwitch")
            goes_on()
        numbered = re.compile(re.escape(b.ue.encode()) + rb"-\d{6}")

        def lost():
            return {text for text, _ in stream.sent} - {
                text for frame in [*net.sgw.frames, *app.frames]
                for text in numbered.findall(frame)}

        wait_until(lambda: not lost(), what="every packet at the SGW or the "
                   "App")


@pytest.mark.datapath("ovs")
def test_switch_goes_on_without_its_database(lab, net, api):
    """ovsdb-server is dead for a while: what is diverted stays so, a new UE's
    packets are diverted, and ovs-vswitchd does not spin.  Only services
    cannot be changed."""
    api.register()
    b = diverted(net, "10.45.4.1")
    switch = int(open(f"{STATE}/run/ovs/ovs-vswitchd.pid",
                      encoding="ascii").read())
    try:
        with Stream(b, lambda t: echo(b.ue, t)) as stream:
            lab.ovs("kill-database")
            wait_until(lambda: not api.part("ovsdb")["ready"],
                       what="tofd to see that it is gone")
            used, since = cpu_seconds(switch), time.monotonic()
            n = len(stream.sent)
            # Twelve times as long as heartbeats may be missing.
            wait_until(lambda: time.monotonic() - since > 4,
                       timeout=10, what="heartbeats to be missed")
            assert answered(net.bearer("10.45.4.2"))
            spent = cpu_seconds(switch) - used
            assert spent < 0.5 * (time.monotonic() - since), spent
        for text, frame in stream.sent[n:]:
            b.wait_downlink(is_text(text), what=f"the answer to {text}")
            assert frame not in net.sgw.frames
        assert api.part("endpoint")["ready"]
        assert api.post("/service", {
            "name": "late", "serviceIP": "198.51.100.99",
            "applicationIP": "192.168.100.10"}).status == 503
    finally:
        lab.ovs("start")
    wait_until(api.healthy, timeout=10, what="the database")
    wait_until(lambda: answers(b), 5, "an answer")
    api.register("late", "198.51.100.99")


@pytest.mark.datapath("ovs")
def test_ovs_missing_at_start_is_a_wait(lab, net, api):
    """tofd waits and says so; meanwhile S1-U is a wire."""
    api.register()
    lab.tofd("stop")
    lab.ovs("stop")
    # It is not healthy, as it should be.
    lab_sh("tofd", "start", check=False, env=IN_VAIN)
    try:
        status = wait_until(lambda: api.get("/status"), what="the API")
        parts = {part["name"]: part for part in status.json["parts"]}
        assert not parts["openflow"]["ready"]
        health = api.get("/healthz")
        assert health.status == 503
        assert health.headers["content-type"] == "application/problem+json"
        assert api.post("/service", {
            "name": "late", "serviceIP": "198.51.100.99",
            "applicationIP": "192.168.100.10"}).status == 503
        b = net.bearer("10.45.4.5")
        frame = b.uplink(echo(b.ue, b"x"))
        net.sgw.wait(frame)
    finally:
        lab.ovs("start")
    wait_until(api.healthy, timeout=15, what="tofd to find OVS")
    b.uplink(echo(b.ue, b"now"))
    b.wait_downlink(is_text(b"now"))


REMADE = """ip link del ovs-ue
ip link add ovs-ue type veth peer ue0 netns tof-app
ip link set ovs-ue up
ip -n tof-app link set ue0 up"""


@pytest.mark.datapath("ovs")
@pytest.mark.parametrize("ns, what", [
    ("lab-tof", "ip link set ovs-enb down"),
    ("lab-tof", "ip link set tof-sgw down"),
    ("lab-tof", "ip link set ovs-ue down"),
    ("tof-app", "ip link set ue0 down"),
    ("tof-app", "nft flush chain netdev tof_nat ingress"),
    ("lab-tof", REMADE),
], ids=["ovs-enb", "tof-sgw", "ovs-ue", "ue0", "rules", "remade"])
def test_port_that_is_deaf_while_tofd_is_dead(lab, net, api, ns, what):
    """Heartbeats pass every port that packets pass, so the kernel notices by
    itself: 350 ms, and the time that this test takes to do it."""
    api.register()
    b = establish(net)
    with Stream(b, lambda t: echo(b.ue, t)) as stream:
        lab.tofd("kill")
        n = len(stream.sent)
        wait_until(lambda: len(stream.sent) > n + 50, what="traffic")
        b.wait_downlink(is_text(stream.sent[n + 30][0]))
        began, mark = time.monotonic(), len(stream.sent)
        lab.run(ns, "sh", "-ec", what)
        done = time.monotonic()

        def switched():
            frames = {bytes(f): f.time for f in net.sgw.frames}
            return next((frames[f] for _, f in stream.sent[mark:]
                         if f in frames), None)

        first = wait_until(switched, 3, "a switched service packet")
        lab.tofd("start")
        wait_until(api.healthy, 15, "tofd")
        wait_until(lambda: answers(b), 5, "an answer")
    assert first - done <= 0.6, (first - began, first - done)


@pytest.mark.datapath("ovs")
@pytest.mark.parametrize("sets", [["divert"], ["divert", "bound"]])
def test_diverted_bearers_that_somebody_else_takes_out_are_put_back(
        lab, net, api, sets):
    """With "bound" alone the UE would be taken for a stranger, whose packets
    are switched; without both it is held, and delivered all the same."""
    api.register()
    b = establish(net)

    def elements():
        return lab.run("lab-tof", "nft", "list", "set", "netdev", "tof",
                       "divert").stdout.count(f"ffff:{b.ue}")

    wait_until(elements, what="the bearer to be diverted")
    lab.run("lab-tof", "nft", "; ".join(f"flush set netdev tof {name}"
                                        for name in sets))
    wait_until(lambda: answers(b) and elements(), 5, "it to be back")


def test_restarted_tofd_remembers_ethernet_headers(lab, net, api):
    """Those of answers, too, which the kernel knows for a minute only."""
    api.register()
    b = establish(net)
    lab.tofd("stop")
    lab.run("lab-tof", "nft", "flush", "map", "netdev", "tof", "l2")
    lab.tofd("start")
    wait_until(api.healthy, what="tofd")
    answered(b)


def test_learn_services_learns_only_who_talks_to_one(lab, net, api):
    config = f"{STATE}/tof.yaml"
    with open(config, encoding="utf-8") as f:
        saved = f.read()
    assert "learn: all" in saved or "learn:" not in saved
    try:
        with open(config, "w", encoding="utf-8") as f:
            f.write(saved.replace("learn: all\n", "")
                    + "\nlearn: services\n")
        lab.tofd("restart")
        api.register()
        plain = net.bearer("10.45.4.6")
        frame = plain.uplink(p.ip_udp(plain.ue, OTHER, b"x"))
        net.sgw.wait(frame)
        establish(net, "10.45.4.7")
        assert [s["ue"] for s in api.sessions()] == ["10.45.4.7"]
    finally:
        with open(config, "w", encoding="utf-8") as f:
            f.write(saved)
        lab.tofd("restart")


def test_missing_adapter_is_a_wait_that_status_shows(lab, net, api):
    config = f"{STATE}/tof.yaml"
    with open(config, encoding="utf-8") as f:
        saved = f.read()
    assert "enb: enb0" in saved
    try:
        with open(config, "w", encoding="utf-8") as f:
            f.write(saved.replace("enb: enb0", "enb: enb9"))
        lab_sh("tofd", "restart", check=False, env=IN_VAIN)
        parts = wait_until(lambda: {
            part["name"]: part for part in api.get("/status").json["parts"]},
            what="the API")
        assert not parts["interception"]["ready"]
        assert "enb9" in parts["interception"]["detail"]
        assert api.get("/healthz").status == 503
        used = cpu_seconds(lab.pid())
        time.sleep(1)
        assert cpu_seconds(lab.pid()) - used < 0.5, "it waits, busily"
        b = net.bearer("10.45.4.8")
        frame = b.uplink(echo(b.ue, b"x"))
        net.sgw.wait(frame)
    finally:
        with open(config, "w", encoding="utf-8") as f:
            f.write(saved)
        lab.tofd("restart")


def test_malformed_is_switched_and_counted_by_reason(net, api):
    api.register()
    b = net.bearer("10.45.4.9")
    good = echo(b.ue, b"x")
    for name, kw in (("length", {"length": 200}),
                     ("inner", {})):
        before = api.metrics().get(
            f'tof_packets_malformed_total{{reason="{name}"}}', 0)
        inner = good if kw else good[:2] + b"\xff\xff" + good[4:]
        frame = b.uplink(inner, **kw)
        net.sgw.wait(frame)
        wait_until(lambda: api.metrics()[
            f'tof_packets_malformed_total{{reason="{name}"}}'] > before,
            what=f"reason {name}")
    assert api.session_of(b.ue) is None
    b.uplink(good, flags=0x34, exts=[(0xc0, b"\0\0\0\0", True)])
    wait_until(lambda: api.metrics().get(
        'tof_filter_packets_total{side="enb",fate="extension_chain"}'),
        what="the filter's counter")
