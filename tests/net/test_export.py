# SPDX-License-Identifier: GPL-3.0-or-later
"""tofctl export and import: what one TOF has learned, another one knows; and
never more than that."""

import os

import pytest

from test_ipv6 import UE4, UE6, families, register, says
from tofnet import statelet
from tofnet.lab import STATE, TOP
from tofnet.service import app_socket, is_text, wait_stale
from tofnet.wait import wait_until

TOFCTL = os.environ.get("TOF_TOFCTL", os.path.join(TOP, "tofctl"))
MANY = 10000


@pytest.fixture
def snapshot(tmp_path):
    return tmp_path / "snapshot"


@pytest.fixture
def forget(lab):
    """Makes the TOF one that has never heard of anybody."""
    def run():
        lab.tofd("kill")
        os.remove(f"{STATE}/state/sessions.journal")
        lab.tofd("start")
        wait_until(lab.api.healthy, 15, "tofd")
        assert lab.api.sessions() == []
    return run


def export(lab, file):
    lab.run("lab-tof", TOFCTL, "export", file)


def take(lab, file):
    """Imports 'file'; gives how many were (imported, refused)."""
    words = lab.run("lab-tof", TOFCTL, "import", file).stdout.split()
    return int(words[0]), int(words[3])


def converse(b, text):
    """The UE asks its service, and is answered."""
    says(b, text)
    return b.wait_downlink(is_text(text))


def established(net, ue, **kw):
    b = net.bearer(ue, **kw)
    converse(b, b"first " + ue.encode())
    return b


@pytest.fixture
def exported(lab, net, api, snapshot, forget):
    """A UE that only the snapshot knows, and that the network has let go."""
    register(api)
    old = established(net, UE4)
    export(lab, snapshot)
    net.forget(old)
    forget()
    return old


def tunnels(session):
    return [(b["uplink"], b["downlink"]) for b in session["bearers"]]


@pytest.mark.parametrize("ue,kw", [(UE4, {}), *families.args[1]],
                         ids=["4-over-4", *families.kwargs["ids"]])
def test_imported_session_is_diverted_after_one_proof(lab, net, api, snapshot,
                                                      forget, ue, kw):
    register(api)
    b = established(net, ue, **kw)
    before = api.session_of(ue)
    export(lab, snapshot)
    forget()
    pings, mark = len(net.pings), net.enb.mark()

    assert take(lab, snapshot) == (1, 0)
    session = api.session_of(ue)
    assert session["state"] == "stale"
    assert not session["bearers"][0]["proved"]
    assert tunnels(session) == tunnels(before)

    converse(b, b"second")
    assert len(net.pings) == pings + 1
    assert [f.inner.payload for raw in net.enb.since(mark)
            if (f := b.is_downlink(raw))] == [b"second"]
    assert api.session_of(ue)["id"] == session["id"]
    assert api.wait_proved(ue)["state"] == "established"


def test_dual_stack_ue_is_imported_whole(lab, net, api, snapshot, forget):
    register(api)
    v4 = established(net, UE4)
    v6 = established(net, UE6, up_teid=v4.up_teid, down_teid=v4.down_teid)
    before = [api.session_of(ue) for ue in (UE4, UE6)]
    export(lab, snapshot)
    forget()
    assert take(lab, snapshot) == (2, 0)
    for b, session in zip((v4, v6), before):
        assert tunnels(api.session_of(b.ue)) == tunnels(session)
        converse(b, b"again")


def test_nothing_goes_down_an_imported_tunnel_before_it_is_proved(
        lab, net, api, snapshot, forget):
    """An App may open a connection to a UE that has only been told of: it is
    asked after first."""
    register(api)
    b = established(net, UE4)
    export(lab, snapshot)
    forget()
    take(lab, snapshot)
    mark, pings = net.enb.mark(), len(net.pings)
    net.silent = True
    app_socket().sendto(b"hello", (UE4, 5001))
    wait_until(lambda: len(net.pings) > pings, what="a ping")
    assert not [f for f in net.enb.since(mark) if b.is_downlink(f)]
    net.silent = False
    b.wait_downlink(is_text(b"hello"), since=mark)


def test_import_leaves_alone_what_has_been_heard_since(lab, net, api,
                                                       snapshot):
    """The UE has another downlink tunnel by now, and goes on without a new
    proof."""
    register(api)
    b = established(net, UE4)
    export(lab, snapshot)
    b.end_marker()
    b.down_teid ^= 0x40000000
    wait_stale(api, UE4)
    converse(b, b"moved")
    before, pings = api.wait_proved(UE4), len(net.pings)
    assert take(lab, snapshot) == (0, 1)
    assert tunnels(api.session_of(UE4)) == tunnels(before)
    converse(b, b"after")
    assert api.session_of(UE4)["bearers"][0]["proved"]
    assert len(net.pings) == pings


def test_import_takes_no_tunnel_from_its_new_owner(lab, net, api, snapshot,
                                                   exported):
    """Both TEIDs of the snapshot's UE are others' now."""
    up = established(net, "10.45.6.2", up_teid=exported.up_teid)
    down = established(net, "10.45.6.3", down_teid=exported.down_teid)
    pings = len(net.pings)
    assert take(lab, snapshot) == (0, 1)
    assert api.session_of(UE4) is None
    for b in (up, down):
        assert api.session_of(b.ue)["bearers"][0]["proved"]
        converse(b, b"mine")
    assert len(net.pings) == pings


def test_uplink_teid_of_an_import_may_be_reused(lab, net, api, snapshot,
                                                exported):
    """Who is heard in the tunnel has it, and only he is answered."""
    take(lab, snapshot)
    mark = net.enb.mark()
    new = established(net, "10.45.6.2", up_teid=exported.up_teid)
    converse(new, b"mine")
    assert api.session_of(UE4) is None
    assert not [f for f in net.enb.since(mark) if exported.is_downlink(f)]


def test_snapshot_that_is_damaged(lab, net, api, snapshot, forget):
    register(api)
    established(net, UE4)
    established(net, "10.45.6.2")
    export(lab, snapshot)
    data = snapshot.read_bytes()
    assert len(data) == 2 * statelet.LEN
    forget()
    changed = data[:-1] + bytes([data[-1] ^ 1])
    for bad, status in ((data[:-1], 2), (changed, 1),
                        (b"#!/bin/sh\n", 2)):
        snapshot.write_bytes(bad)
        done = lab.run("lab-tof", TOFCTL, "import", snapshot, check=False)
        assert done.returncode == status
        assert str(snapshot) in done.stderr
    assert api.sessions() == []


def many(example):
    """Records like 'example', of as many UEs."""
    for i in range(MANY):
        record = statelet.put(example, statelet.UP_TEID,
                              (0x10000000 + i).to_bytes(4, "big"))
        record = statelet.put(record, statelet.DOWN_TEID,
                              (0x90000000 + i).to_bytes(4, "big"))
        yield statelet.sign(statelet.put(
            record, statelet.UE + 12, (0x0a300000 + i).to_bytes(4, "big")))


def test_ten_thousand(lab, net, api, snapshot, forget):
    """They come in, are there after a restart, go out again; and a UE among
    them is served."""
    register(api)
    b = established(net, UE4)
    export(lab, snapshot)
    records = list(many(snapshot.read_bytes()))
    snapshot.write_bytes(b"".join(records))

    def stale():
        return api.get("/status").json["bearers"]["stale"]

    try:
        assert take(lab, snapshot) == (MANY, 0)
        assert stale() == MANY
        lab.tofd("restart")
        wait_until(api.healthy, 15, "tofd")
        assert stale() == MANY

        one = net.bearer("10.48.4.210", 0x10000000 + 1234, 0x90000000 + 1234)
        converse(one, b"one of many")
        assert api.session_of(one.ue)["bearers"][0]["proved"]
        converse(b, b"and who was here")

        export(lab, snapshot)
        # Without identifiers, times, and what is said of proofs.
        assert {r[20:28] + r[36:116] for r in records} <= {
            r[20:28] + r[36:116]
            for r in statelet.split(snapshot.read_bytes())}
    finally:
        forget()
