# SPDX-License-Identifier: GPL-3.0-or-later
"""Reload (SIGHUP): what becomes of the configuration, and of packets."""

import os

import pytest

from tofnet import packet as p
from tofnet.background import Stream
from tofnet.lab import STATE
from tofnet.service import OTHER, echo, establish
from tofnet.wait import wait_until

UNIX = f"{STATE}/reload.sock"


def said_since(lab):
    """A function that gives what the log says from now on."""
    seen = len(lab.log())
    return lambda: lab.log()[seen:]


def exchanged(net, b, stream):
    """Waits until each packet has come to the SGW or been answered."""
    def arrived():
        switched = {f.inner.payload for raw in net.sgw.frames
                   if (f := p.GtpFrame.parse(raw)) and f.kind == p.GPDU}
        answers = {f.inner.payload for raw in net.enb.frames
                   if (f := b.is_downlink(raw))}
        return {t for t, _ in stream.sent} <= switched | answers
    wait_until(arrived, 5, "every packet, at the SGW or answered")


def another_configuration(lab):
    """Whatever it may be."""
    return lab.reloaded(more("privacy: hash"))


def more(line):
    """A change that adds a line."""
    return r"(?m)^registry:", f"{line}\nregistry:"


def with_api(key):
    """A change that adds a key to section "api"."""
    return r"(?m)^api: {", f"api: {{{key}, "


def test_a_wrong_configuration_leaves_the_old_one_in_force(lab, api):
    api.register()
    said = said_since(lab)
    with lab.reloaded(more("nonsense: 1")):
        assert "nonsense" in said() and "stays so" in said()
        assert "starting anew" not in said()
        assert [s["name"] for s in api.services()] == ["svc"]


def test_another_configuration_is_taken_up(lab, api):
    """By the same process."""
    api.register()
    pid, said = lab.pid(), said_since(lab)
    with lab.reloaded(with_api(f"unix: {UNIX}")):
        assert "starting anew" in said()
        assert os.path.exists(UNIX)
        wait_until(lambda: api.services() and api.healthy(), 10, "the service")
        assert lab.pid() == pid
    assert not os.path.exists(UNIX)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("vlan", [None, 77], ids=["untagged", "vlan"])
def test_packets_that_are_held_go_on_first(lab, net, api, family, vlan):
    """Their UE's Pinger gets no replies, so that they wait."""
    api.register()
    api.register("six", "2001:db8:5::10", "fd00:100::10")
    b = net.bearer("10.45.8.1" if family == "ipv4" else "2001:db8:45:8::1",
                   silent=True, vlan=vlan)
    frames = [b.uplink(echo(b.ue, b"held %d" % i)) for i in range(5)]
    wait_until(lambda: api.metrics()["tof_hold_packets"] == 5,
               what="packets to be held")
    with another_configuration(lab):
        for frame in frames:
            net.sgw.wait(net.forwarded(frame), what="a held packet")
        assert net.sgw.frames.count(net.forwarded(frames[0])) == 1


@pytest.mark.parametrize("how", ["in_place", "anew"])
def test_no_packet_is_lost(lab, net, api, how):
    """Of a UE that is diverted, of one that is not, and of one whose packets
    wait; and the first one is diverted all the time."""
    api.register()
    b, plain = establish(net), net.bearer("10.45.8.2")
    silent = net.bearer("10.45.8.3", silent=True)
    with Stream(b, lambda t: echo(b.ue, t)) as diverted, \
            Stream(silent, lambda t: echo(silent.ue, t)) as held, \
            Stream(plain, lambda t: p.ip_udp(plain.ue, OTHER, t)) as switched:
        streams = diverted, held, switched
        wait_for(streams, 50)
        said = said_since(lab)
        if how == "in_place":
            lab.reload()
        else:
            with another_configuration(lab):
                wait_for(streams, 100)
        wait_for(streams, 100)
    assert said().count("starting anew") == (0 if how == "in_place" else 2)
    for bearer, stream in zip((b, silent, plain), streams):
        exchanged(net, bearer, stream)


def wait_for(streams, n):
    """That many more packets of each."""
    before = [len(stream.sent) for stream in streams]
    wait_until(lambda: all(len(stream.sent) > m + n
                           for stream, m in zip(streams, before)),
               what="traffic")


def with_token(api, token):
    return api.get("/service", headers={
        "Authorization": f"Bearer {token}"}).status


def test_the_token_is_read_in_place(lab, api, tmp_path):
    file = tmp_path / "token"
    file.write_text("first\n")
    with lab.configured(with_api(f"token_file: {file}")):
        pid, said = lab.pid(), said_since(lab)
        assert with_token(api, "first") == 200
        file.write_text("second\n")
        lab.reload()
        assert with_token(api, "first") == 401
        assert with_token(api, "second") == 200
        file.write_text("")
        lab.reload()
        assert "has no text" in said()
        assert with_token(api, "second") == 200
        assert "starting anew" not in said() and lab.pid() == pid
        file.write_text("second\n")
