# SPDX-License-Identifier: GPL-3.0-or-later
"""GET /session, GET and DELETE /session/{id}, on what real traffic has
taught."""

import json
import os

import pytest

from tofnet import packet as p
from tofnet.background import Background
from tofnet.lab import SERVICE_IP, TOP
from tofnet.service import echo
from tofnet.wait import wait_until

OTHER = "203.0.113.77"
TOFCTL = os.path.join(TOP, "tofctl")
UE, SECOND = "10.45.6.1", "10.45.6.2"


def exchange(b, text):
    b.uplink(echo(b.ue, text))
    b.wait_downlink(lambda f: f.inner.payload == text)


def plain(b):
    return b.uplink(p.ip_udp(b.ue, OTHER, b"x"))


def learned(net, api, n, first=0):
    """Sessions of n UEs that have sent something."""
    bearers = []
    for i in range(first, first + n):
        b = net.bearer(f"10.47.{i // 250}.{i % 250 + 1}")
        plain(b)
        bearers.append(b)
    return bearers


def pages(api, query):
    """Page after page, as long as there is a cursor."""
    cursor = ""
    while cursor is not None:
        answer = api.get(f"/session?{query}&cursor={cursor}")
        assert answer.status == 200
        yield answer.json
        cursor = answer.headers.get("x-next-cursor")


def test_filter_by_ue(net, api):
    """The address in every space, and nobody else's."""
    for b in (net.bearer(UE), net.bearer(UE, sgw="10.1.0.12"),
              net.bearer(SECOND)):
        plain(b)
    wait_until(lambda: len(api.sessions()) == 3, what="three sessions")
    found = api.sessions(ue=UE)
    assert [s["ue"] for s in found] == [UE, UE]
    assert {s["bearers"][0]["uplink"]["sgw"] for s in found} == {
        "10.1.0.2", "10.1.0.12"}
    assert api.sessions(ue="10.45.6.99") == []


def test_filter_by_state(net, api):
    established, stale, embryonic = bearers = [
        net.bearer(f"10.45.6.{i}") for i in (1, 2, 3)]
    embryonic.silent = True
    for b in bearers:
        plain(b)
    for b in (established, stale):
        api.wait_proved(b.ue)
    stale.silent = True
    stale.end_marker()

    def by_state():
        return {state: [s["ue"] for s in api.sessions(state=state)]
                for state in ("embryonic", "established", "stale")}

    wait_until(lambda: by_state() == {
        "embryonic": [embryonic.ue], "established": [established.ue],
        "stale": [stale.ue]}, what="three states")
    assert api.sessions(state="stale", ue=established.ue) == []


def test_paging_through_sessions_that_change(net, api):
    """Whatever is there all the time is shown exactly once."""
    learned(net, api, 1000)
    wait_until(lambda: len(api.sessions()) == 1000, timeout=20,
               what="1000 sessions")
    all_ids = [s["id"] for s in api.sessions()]
    new = iter(range(1000, 1200))
    seen, purged = [], set()
    for i, page in enumerate(pages(api, "limit=100")):
        assert len(page) <= 100
        seen += [s["id"] for s in page]
        # Some that were shown, and some that are still to come, go; others
        # take their places.
        for victim in all_ids[i * 100 + 5:i * 100 + 150:29]:
            if victim not in purged:
                purged.add(victim)
                assert api.delete(f"/session/{victim}").status == 200
        learned(net, api, 5, next(new) * 5 - 4000)
    assert len(purged) > 30
    assert len(seen) == len(set(seen))
    assert set(all_ids) - purged <= set(seen)


def test_pages_of_a_filter_follow_the_link(net, api):
    learned(net, api, 30)
    wait_until(lambda: len(api.sessions(state="established")) == 30,
               timeout=10, what="30 sessions")
    answer = api.get("/session?state=established&limit=20")
    assert len(answer.json) == 20
    target, rel = answer.headers["link"].split("; ")
    assert rel == 'rel="next"' and "state=established" in target
    rest = api.get(target.strip("<>"))
    assert len(rest.json) == 10
    assert "link" not in rest.headers
    assert "x-next-cursor" not in rest.headers


@pytest.mark.parametrize("query", [
    "ue=10.45.0", "ue=edge", "state=Stale", "limit=0", "limit=10001",
    "limit=-1", "limit=1.5", "cursor=1", "cursor=0000000g",
    "state=stale&state=stale"])
def test_bad_value_is_a_problem(net, api, query):
    answer = api.get(f"/session?{query}")
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == 400
    assert query.partition("=")[0] in answer.json["detail"]


def test_empty_values_are_as_if_left_out(net, api):
    plain(net.bearer(UE))
    api.wait_proved(UE)
    answer = api.get("/session?ue=&state=&limit=&cursor=")
    assert [s["ue"] for s in answer.json] == [UE]


@pytest.mark.parametrize("key", ["00000000", "ffffffff", "1", "zzzzzzzz"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_no_such_session(net, api, method, key):
    answer = api.request(method, f"/session/{key}")
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_one_session(net, api):
    b = net.bearer(UE)
    plain(b)
    s = api.wait_proved(UE)
    answer = api.get(f"/session/{s['id']}")
    assert answer.status == 200
    assert answer.json["bearers"] == s["bearers"]
    assert answer.json["state"] == "established"
    assert 0 <= answer.json["evidenceAge"] < 10
    assert answer.json["services"] == []
    assert set(answer.json["counters"].values()) == {0}


def test_counters_grow_with_every_packet(net, api):
    api.register()
    b = net.bearer(UE)
    for n in range(1, 4):
        exchange(b, b"text %d" % n)

        def counted():
            c = api.session_of(UE)["counters"]
            return c["packetsUp"] == n and c["packetsDown"] == n

        wait_until(counted, timeout=10, what=f"{n} packets each way")


def test_purge_takes_the_session_out_of_the_data_plane(net, api):
    """The next service packet is held, and proved anew; until then nothing
    is delivered, and nothing goes down the old tunnel."""
    api.register()
    b = net.bearer(UE)
    exchange(b, b"before")
    s = api.session_of(UE)
    net.silent = True
    assert api.delete(f"/session/{s['id']}").status == 200
    assert api.get(f"/session/{s['id']}").status == 404
    mark, pings = net.enb.mark(), len(net.pings)
    b.uplink(echo(UE, b"after"))
    wait_until(lambda: len(net.pings) > pings, what="a ping")
    assert not [f for f in net.enb.since(mark) if b.is_downlink(f)]
    assert not api.session_of(UE)["bearers"][0]["proved"]
    net.silent = False
    b.wait_downlink(lambda f: f.inner.payload == b"after", since=mark)
    assert api.session_of(UE)["id"] != s["id"]


def test_purge_of_one_leaves_others_alone(net, api):
    api.register()
    one, two = net.bearer(UE), net.bearer(SECOND)
    for b in (one, two):
        exchange(b, b"before")
    pings = len(net.pings)
    assert api.delete(
        f"/session/{api.session_of(UE)['id']}").status == 200
    exchange(two, b"after")
    assert not [ping for ping in net.pings[pings:] if ping[1] is two]


class SlowStream(Background):
    """Some 20 packets a second to the service, which answers each."""

    def __init__(self, bearer):
        self.bearer = bearer
        super().__init__()

    def _run(self):
        while not self._end.wait(0.05):
            self.bearer.uplink(echo(self.bearer.ue, b"again"))


def test_top_shows_rates(lab, net, api):
    """Of packets of 33 bytes, both ways; nothing of a session without
    traffic."""
    api.register()
    exchange(net.bearer(SECOND), b"quiet")
    b = net.bearer(UE)
    exchange(b, b"first")
    wait_until(lambda: all(s["services"] and s["services"][0]["packetsDown"]
                           for s in api.sessions()), what="both to be counted")
    with SlowStream(b):
        shown = json.loads(lab.run("lab-tof", TOFCTL, "top", "--json").stdout)
    session, = shown["sessions"]
    service, = shown["services"]
    assert session["ue"] == UE
    assert (service["name"], service["serviceIP"]) == ("svc", SERVICE_IP)
    for rates in session, service:
        for way in "Up", "Down":
            assert 2 < rates[f"packets{way}"] < 30, shown
            assert rates[f"bytes{way}"] == pytest.approx(
                rates[f"packets{way}"] * 33)
