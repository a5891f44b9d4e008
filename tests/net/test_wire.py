# SPDX-License-Identifier: GPL-3.0-or-later
"""tof-net alone, without tofd: the bridge is a wire, both ways."""

import json
import os

import pytest

from tofnet import netns
from tofnet.frames import FRAMES, jumbo, turned
from tofnet.netns import RawPort, run_in
from tofnet.wait import wait_until

MTU = 9000
NAMESPACES = ("wt-enb", "wt-tof", "wt-sgw")
TOF_NET = os.path.join(os.path.dirname(__file__), "../../scripts/tof-net")
NAMES = {**os.environ, "S1U_ENB": "enb0", "S1U_SGW": "sgw0"}


def tof_net(*args, check=True, env=None):
    return run_in("wt-tof", TOF_NET, *args, check=check, env=env or NAMES)


@pytest.fixture(scope="module")
def topology():
    for ns in NAMESPACES:
        netns.add(ns)
    try:
        # Two namespaces more would do for this; the middle one shows that it
        # needs nothing of what the kernel switches on in a new one.
        netns.veth("wt-enb", "s1u0", "wt-tof", "enb0", MTU)
        netns.veth("wt-sgw", "s1u0", "wt-tof", "sgw0", MTU)
        yield
    finally:
        for ns in NAMESPACES:
            netns.delete(ns)


@pytest.fixture(scope="module")
def wire(topology):
    tof_net("up")
    for ns in ("wt-enb", "wt-sgw"):
        netns.wait_carrier(ns, "s1u0")
    wait_until(lambda: tof_net("status", check=False).returncode == 0,
               what="the wire")
    with RawPort("wt-enb", "s1u0") as enb, RawPort("wt-sgw", "s1u0") as sgw:
        yield enb, sgw


def crosses(source, sink, frame):
    """Sends and expects it, whole and once, and nothing sent back."""
    mark, back = sink.mark(), source.mark()
    source.send(frame)
    sink.wait(frame, since=mark, what=frame.hex())
    assert sink.since(mark) == [frame]
    assert source.since(back) == []


ALL = FRAMES + list(jumbo(MTU))


@pytest.mark.parametrize("name, frame", ALL, ids=[n for n, _ in ALL])
def test_uplink(wire, name, frame):
    enb, sgw = wire
    crosses(enb, sgw, frame)


@pytest.mark.parametrize("name, frame", ALL, ids=[n for n, _ in ALL])
def test_downlink(wire, name, frame):
    enb, sgw = wire
    crosses(sgw, enb, turned(frame))


def test_order_and_burst(wire):
    """A thousand in a row arrive all, in order."""
    enb, sgw = wire
    burst = [FRAMES[0][1] + i.to_bytes(4, "big") for i in range(1000)]
    mark = sgw.mark()
    for frame in burst:
        enb.send(frame)
    wait_until(lambda: len(sgw.since(mark)) >= len(burst), what="the burst")
    assert sgw.since(mark) == burst


def test_up_again_interrupts_nothing(wire):
    enb, sgw = wire
    before = run_in("wt-tof", "ip", "-j", "link").stdout
    tof_net("up")
    after = run_in("wt-tof", "ip", "-j", "link").stdout
    assert json.loads(before) == json.loads(after)
    crosses(enb, sgw, FRAMES[0][1])


def test_bridge_has_no_address(wire):
    out = run_in("wt-tof", "ip", "-j", "addr", "show", "br-s1u").stdout
    assert json.loads(out)[0]["addr_info"] == []


def test_down_removes_tables_and_leaves_the_adapters_up(wire):
    enb, sgw = wire
    for table in ("tof", "tof_hold", "other"):
        run_in("wt-tof", "nft", "add", "table", "netdev", table)
    try:
        tof_net("down")
        tof_net("down")
        links = {link["ifname"]: link for link in json.loads(
            run_in("wt-tof", "ip", "-j", "link").stdout)}
        assert "br-s1u" not in links
        for dev in ("enb0", "sgw0"):
            assert "UP" in links[dev]["flags"]
            assert "master" not in links[dev]
        tables = run_in("wt-tof", "nft", "list", "tables").stdout
        assert tables.split() == ["table", "netdev", "other"]
        assert tof_net("status", check=False).returncode == 3
    finally:
        tof_net("up")
    crosses(enb, sgw, FRAMES[0][1])


def test_missing_adapter_is_named_and_nothing_left(topology):
    netns.add("wt-none")
    try:
        p = run_in("wt-none", TOF_NET, "up", check=False, env=NAMES)
        assert p.returncode == 1
        assert "enb0" in p.stderr and "sgw0" in p.stderr
        assert "br-s1u" not in run_in("wt-none", "ip", "link").stdout
    finally:
        netns.delete("wt-none")


def test_adapter_of_another_bridge_is_not_taken(topology):
    netns.add("wt-other")
    try:
        netns.veth("wt-other", "enb0", "wt-other", "p0")
        netns.veth("wt-other", "sgw0", "wt-other", "p1")
        run_in("wt-other", "ip", "link", "add", "br0", "type", "bridge")
        run_in("wt-other", "ip", "link", "set", "sgw0", "master", "br0")
        p = run_in("wt-other", TOF_NET, "up", check=False, env=NAMES)
        assert p.returncode == 1
        assert "sgw0" in p.stderr and "br0" in p.stderr
        assert "br-s1u" not in run_in("wt-other", "ip", "link").stdout
    finally:
        netns.delete("wt-other")


@pytest.mark.parametrize("text", [
    "s1u:\n  enb: enb0   # inline\n  sgw: sgw0\napps: {interface: app0}\n",
    "---\ns1u: {enb: enb0, sgw: 'sgw0'}\napps: {interface: app0}\n",
    "apps:\n  interface: app0\ns1u:\n  # two\n  enb: \"enb0\"\n  sgw: sgw0\n",
], ids=["block", "flow", "last"])
def test_comes_up_without_tofd(wire, tmp_path, text):
    """Fail-open: even where tofd cannot be run to read its configuration."""
    conf = tmp_path / "tof.yaml"
    conf.write_text(text)
    env = {**os.environ, "TOFD": "/bin/false"}
    tof_net("up", "-c", conf, env=env)
    assert "enb0 <-> sgw0" in tof_net("status", "-c", conf, env=env).stdout


def test_single_adapter_forwards(topology):
    netns.add("wt-one")
    try:
        netns.veth("wt-one", "s1u0", "wt-enb", "far0")
        env = {**os.environ, "S1U_INTERFACE": "s1u0"}
        run_in("wt-one", TOF_NET, "up", env=env)
        run_in("wt-one", TOF_NET, "status", env=env)
        forwards = run_in("wt-one", "cat",
                          "/proc/sys/net/ipv4/conf/s1u0/forwarding").stdout
        assert forwards.strip() == "1"
        assert "br-s1u" not in run_in("wt-one", "ip", "link").stdout
    finally:
        netns.delete("wt-one")
