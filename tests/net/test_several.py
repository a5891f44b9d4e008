# SPDX-License-Identifier: GPL-3.0-or-later
"""A service with several Apps: each UE has one of them, and keeps it as long as
that is there."""

import contextlib
import re
import select
import socket
import time

import pytest

from tofnet import apphost, packet as p
from tofnet.background import Background
from tofnet.lab import APP, APP6, TOP
from tofnet.netns import call_in
from tofnet.service import (
    diverted, is_syn_ack, is_text, new_port, service_of)
from tofnet.wait import PATIENCE, wait_until
from test_apps import BACK, GONE, status
from test_bypass import Connection, RealHost, wait_in_force

SECOND, SECOND6 = "192.168.100.11", "fd00:100::11"
PORT = 7007
FORGOTTEN = 7                   # Seconds, until connections to a dead App are.
UES4 = [f"10.45.34.{i}" for i in range(1, 13)]
UES6 = [f"2001:db8:34:{i:x}::1" for i in range(1, 13)]


class Servers(Background):
    """On each address a server, which says who it is: UDP and TCP."""

    def __init__(self, apps):
        self.udp = {call_in("lab-app", self._bind, app): app for app in apps}
        self.tcp = {call_in("lab-app", self._listen, app): app
                    for app in apps}
        self.connections = {}
        super().__init__()

    @staticmethod
    def _family(app):
        return socket.AF_INET6 if ":" in app else socket.AF_INET

    def _bind(self, app):
        s = socket.socket(self._family(app), socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_IP, 15, 1)              # IP_FREEBIND
        s.bind((app, PORT))
        return s

    def _listen(self, app):
        s = socket.socket(self._family(app), socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_IP, 15, 1)
        s.bind((app, PORT))
        s.listen()
        return s

    def _run(self):
        while not self._end.is_set():
            ready, _, _ = select.select(
                [*self.udp, *self.tcp, *self.connections], [], [], 0.05)
            for s in ready:
                with contextlib.suppress(OSError):
                    self._serve(s)

    def _serve(self, s):
        if s in self.udp:
            text, peer = s.recvfrom(2000)
            s.sendto(self.udp[s].encode() + b" " + text, peer)
        elif s in self.tcp:
            self.connections[s.accept()[0]] = self.tcp[s]
        elif text := s.recv(2000):
            s.sendall(self.connections[s].encode() + b" " + text)
        else:
            del self.connections[s]
            s.close()

    def __exit__(self, *exc):
        super().__exit__(*exc)
        for s in (*self.udp, *self.tcp, *self.connections):
            s.close()


def asks(b, sport):
    text = b"%s %d" % (b.ue.encode(), new_port())
    b.uplink(p.ip_udp(b.ue, service_of(b.ue), text, sport, PORT))
    return text


def who(b, sport=None):
    """Which App answers the UE; by a new flow if 'sport' is not given."""
    text = asks(b, sport or new_port())
    f = b.wait_downlink(lambda f: f.inner.payload.endswith(b" " + text))
    return f.inner.payload.split()[0].decode()


def put(api, ues, weights, **kw):
    """The service 'svc' has these Apps, with their weights."""
    body = {"name": "svc", "serviceIP": service_of(ues[0]), **kw,
            "applications": [{"ip": app, "weight": weight}
                             for app, weight in weights.items()]}
    method = api.put if any(s["name"] == "svc" for s in api.services()) \
        else api.post
    answer = method("/service" + ("/svc" if method == api.put else ""), body)
    assert answer.status == 200 and answer.json == body, answer


def wait_states(api, *states, timeout=GONE):
    def are_so():
        apps = status(api)["apps"]
        return apps if [app["state"] for app in apps] == list(states) else None
    return wait_until(are_so, timeout, f"Apps to be {states}")


@contextlib.contextmanager
def second_app(apps):
    with contextlib.ExitStack() as stack:
        stack.enter_context(apphost.has(apps[1], dev="app0"))
        yield stack


@pytest.fixture(name="both")
def fixture_both(request, net, api):
    """The service has two Apps; gives these, UEs, who serves each of them, and
    what takes the second App away."""
    ues, apps = request.param
    with second_app(apps) as second, Servers(apps):
        put(api, ues, dict.fromkeys(apps, 1))
        wait_states(api, "up", "up", timeout=BACK)
        bearers = [diverted(net, ue) for ue in ues]
        served = all_of(bearers)
        assert set(served) == set(apps)
        yield apps, bearers, served, second


def all_of(bearers, ports=None):
    """Who serves each of them."""
    return [who(b, port) for b, port in zip(bearers, ports or
                                            [None] * len(bearers))]


both_families = pytest.mark.parametrize(
    "both", [(UES4, (APP, SECOND)), (UES6, (APP6, SECOND6))], indirect=True,
    ids=["IPv4", "IPv6"])
ipv4 = pytest.mark.parametrize("both", [(UES4, (APP, SECOND))], indirect=True,
                               ids=["IPv4"])


@both_families
def test_each_ue_keeps_its_app(api, both):
    """One goes: its UEs have the other one, within the time that it takes to
    find that out, and the others notice nothing.  It comes back: all is as it
    was."""
    apps, bearers, served, second = both
    for _ in range(3):
        assert all_of(bearers) == served
    second.close()
    wait_states(api, "up", "down")
    assert status(api)["inForce"]
    assert set(all_of(bearers)) == {apps[0]}
    with apphost.has(apps[1], dev="app0"):
        wait_states(api, "up", "up", timeout=BACK)
        assert all_of(bearers) == served


@ipv4
def test_flows_go_on_where_they_are(api, both):
    """Though its App is drained, or gets less; new ones go to the other."""
    apps, bearers, served, _ = both
    ports = [new_port() for _ in bearers]
    assert all_of(bearers, ports) == served
    put(api, UES4, {apps[0]: 1, apps[1]: 0})
    assert all_of(bearers, ports) == served
    assert set(all_of(bearers)) == {apps[0]}
    put(api, UES4, {apps[0]: 0, apps[1]: 7})
    assert all_of(bearers, ports) == served
    assert set(all_of(bearers)) == {apps[1]}


@both_families
def test_connections_to_the_dead_one_are_reset(net, both):
    apps, bearers, served, second = both
    ues = [net.ue(bearers[served.index(app)].ue) for app in apps]
    for ue in ues:
        who(ue.bearer)

    def connect(ue):
        s = socket.create_connection((service_of(ue.bearer.ue), PORT), 5)
        s.settimeout((GONE + 2) * PATIENCE)
        return s

    def says(s, text):
        s.sendall(text)
        return s.recv(100).split()

    with contextlib.ExitStack() as stack:
        good, lost = (stack.enter_context(call_in(ue.ns, connect, ue))
                      for ue in ues)
        for s, app in ((good, apps[0]), (lost, apps[1])):
            assert says(s, b"one") == [app.encode(), b"one"]
        second.close()
        # Though its UE says nothing.
        with pytest.raises(ConnectionResetError):
            lost.recv(1)
        assert says(good, b"two") == [apps[0].encode(), b"two"]
        with call_in(ues[1].ns, connect, ues[1]) as again:
            assert says(again, b"three") == [apps[0].encode(), b"three"]


@both_families
def test_a_connection_that_begins_anew_goes_to_another_app(net, api, both):
    """By addresses and ports it is the same as one to the dead App, of which its
    UE has said nothing since."""
    apps, bearers, served, second = both
    b = bearers[served.index(apps[1])]
    old = Connection(b, 6100)
    second.close()
    wait_states(api, "up", "down")
    since = net.enb.mark()

    def begins():
        old.send("S", seq=90000, ack=0)
        return any((f := b.is_downlink(raw)) and is_syn_ack(f)
                   and f.inner.dport == 6100 for raw in net.enb.since(since))

    wait_until(begins, FORGOTTEN, "an answer to a SYN", interval=0.2)


@both_families
def test_explained(api, both):
    """It is told which App serves a UE, and whether that one is there."""
    apps, bearers, served, second = both
    steps = {}

    def explain(b):
        answer = api.get(f"/explain?ue={b.ue}&service=svc").json
        steps.update({step["step"]: step["found"] for step in answer["steps"]})
        return answer["reason"]

    for b, app in zip(bearers, served):
        assert not explain(b)
        assert f"goes to {app}, the one of its Apps" in steps["service"]
        assert f"the App {app} is known" in steps["app"]
    second.close()
    wait_states(api, "up", "down")
    for b in bearers[:3]:
        assert not explain(b)
        assert f"goes to {apps[0]}," in steps["service"]


@ipv4
def test_nobody_is_left(net, api, both):
    """The service is bypassed, and in force again with the first one that is
    back."""
    apps, bearers, _, second = both
    b = bearers[0]
    with RealHost(net), apphost.dead():
        wait_in_force(api, False, GONE)
        assert status(api)["reason"] == "its Apps are down"
        text = asks(b, new_port())
        assert b.wait_downlink(is_text(b"real " + text))
        second.close()
    wait_in_force(api, True)
    wait_states(api, "up", "down")
    assert set(all_of(bearers)) == {apps[0]}


@ipv4
def test_a_restarted_tofd_knows_who_is_down(lab, api, both):
    """Nothing goes to the dead one, before its App is known."""
    apps, bearers, served, second = both
    second.close()
    wait_states(api, "up", "down")
    lost = [b for b, app in zip(bearers, served) if app == apps[1]][:2]
    lab.tofd("stop")
    assert set(all_of(lost)) == {apps[0]}
    lab.tofd("start")
    end = time.monotonic() + 15 * PATIENCE
    while not api.healthy() or not api.services() \
            or status(api)["apps"][1]["state"] == "unknown":
        assert set(all_of(lost)) == {apps[0]}
        assert time.monotonic() < end
    wait_states(api, "up", "down")
    assert set(all_of(lost)) == {apps[0]}


@ipv4
def test_the_manual(lab, both):
    """doc/OPERATE.md takes one out of service."""
    apps, bearers, _, _ = both
    with open(f"{TOP}/doc/OPERATE.md", encoding="utf-8") as f:
        text = f.read().split("\n## Several Apps\n")[1].split("\n## ")[0]
    add, drain, alone = re.findall(r"(?m)^ {4}tofctl (.*)$", text)

    def do(words):
        lab.run("lab-tof", f"{TOP}/tofctl", *words.split())

    do("delete svc")
    do(add)
    assert set(all_of(bearers)) == set(apps)
    ports = [new_port() for _ in bearers]
    before = all_of(bearers, ports)
    do(drain)
    assert all_of(bearers, ports) == before
    assert set(all_of(bearers)) == {apps[0]}
    do(alone)
    assert set(all_of(bearers, ports)) == {apps[0]}
    do("delete edge")


def test_an_app_without_a_route_is_refused(api):
    answer = api.post("/service", {
        "name": "svc", "serviceIP": "198.51.100.10", "applications": [
            {"ip": APP}, {"ip": "192.168.100.1"}]})
    assert answer.status == 400 and "TOF itself" in answer.text
    assert not api.services()
