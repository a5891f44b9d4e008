# SPDX-License-Identifier: GPL-3.0-or-later
"""A service whose App is down is bypassed: its packets go to the SGW, and the
App gets them again when it is back."""

import contextlib
import itertools
import json
import socket
import time

import pytest

from tofnet import apphost, packet as p
from tofnet.background import Background, Stream
from tofnet.emulator import ENB6, SGW6
from tofnet.lab import APP, APP6, SERVICE_IP, SERVICE_IP6, STATE
from tofnet.netns import call_in
from tofnet.service import (
    OTHER, answered, asks, diverted, echo, is_syn_ack, is_text, service_of,
    switched, syn)
from tofnet.wait import PATIENCE, wait_until
from test_apps import BACK, GONE, LINK_GONE, SILENT, status, wait_app
from test_many_services import change

OTHER6 = "2001:db8:203::77"     # As OTHER.
MANY = 1000                     # Services.
TRIES = 3                       # Of a segment, by its UE.
HOST, APPS = b"real ", b""      # How answers of the service's real host
                                # begin, and the App's.
ends = pytest.mark.parametrize("end,within", [
    (apphost.dead, GONE), (apphost.unplugged, LINK_GONE)],
    ids=["host", "link"])
ues = pytest.mark.parametrize("ue,kw", [
    ("10.45.32.1", {}),
    ("10.45.32.2", {"vlan": 132}),
    ("2001:db8:32:1::1", {}),
    ("2001:db8:32:2::1", {"enb": ENB6, "sgw": SGW6})],
    ids=["4", "4-tagged", "6-in-4", "6-in-6"])


class RealHost:
    """The host that has the service's address, behind the SGW: answers UDP."""

    def __init__(self, net):
        self.net = net

    def _answer(self, raw):
        f = p.GtpFrame.parse(raw)
        if not f or f.kind != p.GPDU or f.inner.proto != p.UDP \
                or f.inner.dst not in (SERVICE_IP, SERVICE_IP6):
            return
        for b in self.net.bearers:
            if b.is_uplink(raw):
                b.downlink(p.ip_udp(f.inner.dst, b.ue,
                                    HOST + f.inner.payload, f.inner.dport,
                                    f.inner.sport))

    def __enter__(self):
        self.net.sgw.listen(self._answer)
        return self

    def __exit__(self, *_):
        self.net.sgw.unlisten(self._answer)


class Asking(Background):
    """A UE asks the service 50 times a second, each time anew."""

    def __init__(self, b):
        self.b, self.asked = b, {}
        super().__init__()

    def _run(self):
        for n in itertools.count():
            if self._end.wait(0.02):
                return
            text = b"%s-%06d" % (self.b.ue.encode(), n)
            self.asked[text] = time.monotonic()
            self.b.uplink(echo(self.b.ue, text, sport=10000 + n % 20000))

    def answers(self, who):
        """When they came, by what was asked; 'who': HOST or APPS."""
        told = {f.inner.payload: raw.time for raw in self.b.net.enb.since(0)
                if (f := self.b.is_downlink(raw)) and f.inner.proto == p.UDP}
        return {text: told[who + text] for text in list(self.asked)
                if who + text in told}

    def wait_answer(self, who, since, within):
        """One to what is asked from then on comes soon."""
        wait_until(lambda: any(self.asked[text] > since
                               for text in self.answers(who)),
                   within + 1, f"an answer {who + b'...'!r}")


def register(api, ue, **kw):
    body = {"name": "svc", "serviceIP": service_of(ue),
            "applicationIP": APP6 if ":" in ue else APP, **kw}
    answer = api.post("/service", body)
    assert answer.status == 200, answer
    wait_app(api, "up")
    wait_in_force(api, True)


def wait_in_force(api, in_force, timeout=BACK):
    wait_until(lambda: status(api)["inForce"] == in_force, timeout,
               f"inForce {in_force}")


def bypassed_until_back(net, api, b, end, within):
    """An App ends and comes back under traffic of 'b'.  What is only switched
    loses nothing meanwhile."""
    ue, dst = (("2001:db8:32:9::1", OTHER6) if ":" in b.ue
               else ("10.45.32.9", OTHER))
    other = diverted(net, ue)
    stream = Stream(other, lambda text: p.ip_udp(ue, dst, text))
    with RealHost(net), Asking(b) as asking, stream:
        asking.wait_answer(APPS, time.monotonic(), 1)
        with end():
            asking.wait_answer(HOST, time.monotonic(), within)
            wait_in_force(api, False)
        asking.wait_answer(APPS, time.monotonic(), BACK + 1)
        wait_in_force(api, True)

    def lost():
        came = {f.inner.payload for raw in net.sgw.since(0)
                if (f := other.is_uplink(raw)) and f.inner.proto == p.UDP}
        return [text for text, _ in stream.sent if text not in came]

    wait_until(lambda: not lost(), what="all that is only switched")


@ends
@ues
def test_an_app_that_ends_is_bypassed_until_it_is_back(net, api, ue, kw, end,
                                                       within):
    register(api, ue)
    bypassed_until_back(net, api, diverted(net, ue, **kw), end, within)


def connected(ue, port=80):
    """A connection to the service, of a UE with a stack."""
    def connect():
        s = socket.create_connection((service_of(ue.bearer.ue), port), 5)
        s.settimeout((GONE + 1) * PATIENCE)
        return s
    return call_in(ue.ns, connect)


@pytest.mark.parametrize("address", ["10.45.32.3", "2001:db8:32:3::1"],
                         ids=["IPv4", "IPv6"])
def test_connections_to_an_app_that_is_down_are_reset(net, api, address):
    """Idle ones, too; none of their packets gets to the real host, and the App
    can have new ones when it is back."""
    register(api, address)
    ue = net.ue(address)
    answered(ue.bearer)
    since = net.sgw.mark()
    with connected(ue) as s, apphost.dead():
        with pytest.raises(ConnectionResetError):
            s.recv(1)
        port = s.getsockname()[1]
    assert not [f for raw in net.sgw.since(since)
                if (f := ue.bearer.is_uplink(raw))
                and f.inner.proto == p.TCP and f.inner.sport == port
                and "R" not in f.inner.flags]
    wait_app(api, "up", BACK)
    wait_in_force(api, True)
    connected(ue).close()


class Connection:
    """A TCP connection of a UE without a stack: it says nothing of its own
    accord."""

    def __init__(self, b, sport):
        self.b, self.sport, self.seq = b, sport, 1000
        self.send("S", ack=0)
        self.seq += 1
        self.ack = b.wait_downlink(
            lambda f: is_syn_ack(f) and f.inner.dport == sport).inner.seq + 1
        self.send("A")

    def send(self, flags, payload=b"", **kw):
        """Gives the frame that the eNodeB sent."""
        return self.b.uplink(p.ip_tcp(
            self.b.ue, service_of(self.b.ue), self.sport, 80, flags,
            **{"seq": self.seq, "ack": getattr(self, "ack", 0), **kw},
            payload=payload))

    def is_reset(self, f):
        return f.inner.proto == p.TCP and f.inner.dport == self.sport \
            and "R" in f.inner.flags and f.inner.seq == self.ack

    def reset_by(self, flags, payload=b""):
        """What it sends is answered with a reset, and goes nowhere else.  What
        nobody answers a UE sends again, as it must where heartbeats have been
        late, on a machine that is busy, and a segment was switched for that."""
        net = self.b.net
        for _ in range(TRIES):
            since, sgw = net.enb.mark(), net.sgw.mark()
            frame = net.forwarded(self.send(flags, payload))

            def was_reset():
                return any((f := self.b.is_downlink(raw)) and self.is_reset(f)
                           for raw in net.enb.since(since))

            def was_switched():
                return frame in net.sgw.since(sgw)

            wait_until(lambda: was_reset() or was_switched(),
                       what="a reset, or the segment at the SGW")
            if not was_switched():
                return
        raise AssertionError("each segment was switched")


@ues
def test_a_connection_is_reset_whenever_its_ue_sends(lab, net, api, ue, kw):
    """Though it is late, and tofd has been restarted; but not when it has begun
    anew, at the real host."""
    register(api, ue)
    b = diverted(net, ue, **kw)
    late, anew = Connection(b, 6000), Connection(b, 6001)
    with apphost.dead():
        wait_in_force(api, False, GONE)
        late.reset_by("PA", b"late")
        late.reset_by("FA")
        lab.tofd("restart")
        wait_until(api.healthy, 15, "tofd")
        wait_app(api, "down")
        wait_until(lambda: api.session_of(ue), what="the session")
        late.reset_by("PA", b"later")

        since = net.enb.mark()
        switched(net, anew.send("S", seq=9000, ack=0))
        for flags in ("A", "PA", "FA"):
            switched(net, anew.send(flags, seq=9001, ack=77))
        other = p.ip_tcp(b.ue, service_of(b.ue), 6002, 80, "PA", 1, 1)
        switched(net, b.uplink(other))
        assert not [raw for raw in net.enb.since(since)
                    if (f := b.is_downlink(raw)) and f.inner.proto == p.TCP]


@ues
def test_what_begins_at_the_real_host_stays_there(lab, net, api, ue, kw):
    """A TCP connection that began while the App was down goes on where it is,
    when that is back, and tofd has been restarted; one that begins anew goes to
    the App, as UDP does, of which nobody knows where it began."""
    register(api, ue)
    b = diverted(net, ue, **kw)

    def sends(flags, text=b""):
        ack = 0 if flags == "S" else 77
        return b.uplink(p.ip_tcp(b.ue, service_of(b.ue), 6003, 80, flags, 9001,
                                 ack, payload=text))

    with apphost.dead():
        wait_in_force(api, False, GONE)
        for flags in ("S", "A"):
            switched(net, sends(flags))
        switched(net, b.uplink(echo(b.ue, b"one")))
    wait_in_force(api, True)
    switched(net, sends("PA", b"two"))
    answered(b)
    lab.tofd("restart")
    wait_until(api.healthy, 15, "tofd")
    switched(net, sends("PA", b"three"))
    sends("S")
    b.wait_downlink(lambda f: is_syn_ack(f) and f.inner.dport == 6003)


def test_all_services_of_an_app_are_bypassed_at_once(lab, net, api):
    """When its link goes; and they are all in force again."""
    rows = change(lab, [{"op": "insert", "table": "Service", "row": {
        "name": f"many-{i}", "service_ip": f"198.18.{i // 250}.{i % 250 + 1}",
        "application_ip": APP}} for i in range(MANY)])

    def bypassed(n):
        return lambda: api.metrics()["tof_services_bypassed"] == n

    def in_force():
        metrics = api.metrics()
        return metrics["tof_services"] == MANY \
            and not metrics["tof_services_waiting"]

    try:
        wait_until(in_force, 30, "all to be in force")
        with apphost.unplugged():
            wait_until(bypassed(MANY), LINK_GONE + 1, "all to be bypassed")
        wait_until(in_force, BACK + 30, "all to be in force again")
    finally:
        change(lab, [{"op": "delete", "table": "Service",
                      "where": [["_uuid", "==", row["uuid"]]]}
                     for row in rows])
        wait_until(lambda: not api.metrics()["tof_services"], 30,
                   "all of them to go")


def test_an_app_is_kept_if_that_is_asked_for(net, api):
    """Packets go nowhere else, and a connection goes on when it is back."""
    register(api, "10.45.32.4", on_failure="keep")
    assert api.services()[0]["on_failure"] == "keep"
    b = diverted(net, "10.45.32.4")
    since = net.sgw.mark()
    with apphost.dead():
        wait_app(api, "down")
        for _ in range(5):
            asks(b)
        assert status(api)["inForce"]
    wait_app(api, "up", BACK)
    assert answered(b)
    assert not [raw for raw in net.sgw.since(since)
                if (f := b.is_uplink(raw)) and f.inner.dst == SERVICE_IP]


def test_keep_and_bypass_may_be_exchanged_while_it_is_down(net, api):
    body = {"name": "svc", "serviceIP": SERVICE_IP, "applicationIP": APP}
    register(api, "10.45.32.5")
    b = diverted(net, "10.45.32.5")
    with apphost.dead():
        wait_in_force(api, False, GONE)
        assert api.put("/service/svc",
                       {**body, "on_failure": "keep"}).status == 200
        wait_in_force(api, True)
        assert api.put("/service/svc", body).status == 200
        wait_in_force(api, False, GONE)
        text = asks(b)
        net.sgw.wait(lambda raw: (f := b.is_uplink(raw))
                     and f.inner.payload == text)
    assert api.services() == [body]


def test_a_service_of_an_app_that_is_down_is_taken(net, api):
    """And bypassed; in force as soon as the App is there."""
    api.register("svc", SERVICE_IP, SILENT)
    wait_app(api, "down")
    api.register("second", "198.51.100.33", SILENT)
    assert not status(api, "second")["inForce"]
    assert status(api, "second")["reason"] == "its App is down"
    b = net.bearer("10.45.32.6")
    text = asks(b)
    net.sgw.wait(lambda raw: (f := b.is_uplink(raw))
                 and f.inner.payload == text)
    with apphost.has(SILENT, dev="app0"):
        wait_in_force(api, True, BACK)
        b.uplink(syn(b.ue))
        b.wait_downlink(is_syn_ack)


def test_a_row_whose_app_is_down_is_taken_and_bypassed(lab, api):
    """Another TOF of the fleet may have another App there."""
    with open(f"{STATE}/ovs-dir", encoding="utf-8") as f:
        client = f.read().strip() + "/bin/ovsdb-client"
    lab.run("lab-tof", client, "transact", f"unix:{STATE}/run/ovs/db.sock",
            json.dumps(["TOF", {"op": "insert", "table": "Service", "row": {
                "name": "svc", "service_ip": SERVICE_IP,
                "application_ip": "192.168.100.1"}}]))
    wait_until(lambda: not status(api)["inForce"]
               and "TOF itself" in status(api)["reason"], what="the reason")


def test_a_restarted_tofd_goes_on_with_what_is_in_force(lab, net, api):
    """Nothing gets to the dead App in between, nor while there is no tofd."""
    register(api, "10.45.32.7")
    b = diverted(net, "10.45.32.7")
    with RealHost(net), Asking(b) as asking, contextlib.ExitStack() as end:
        end.enter_context(apphost.dead())
        asking.wait_answer(HOST, time.monotonic(), GONE)
        wait_in_force(api, False)
        bypassed = time.monotonic()
        lab.tofd("stop")
        asking.wait_answer(HOST, time.monotonic(), 1)
        lab.tofd("start")
        wait_until(api.healthy, 15, "tofd")
        wait_app(api, "down")
        settled = time.monotonic()
        asking.wait_answer(HOST, settled, 1)
        answers = asking.answers(HOST)
        assert not [text for text, asked in asking.asked.items()
                    if bypassed < asked < settled and text not in answers]
        end.close()
        asking.wait_answer(APPS, time.monotonic(), BACK + 1)


def test_explained(net, api):
    register(api, "10.45.32.8")
    b = diverted(net, "10.45.32.8")
    with apphost.dead():
        wait_in_force(api, False, GONE)
        explained = api.get(f"/explain?ue={b.ue}&service=svc").json
        assert explained["reason"]["step"] == "app"
        assert "is not in force" in next(
            step["found"] for step in explained["steps"]
            if step["step"] == "service")
        assert api.metrics()["tof_services_bypassed"] == 1
    wait_in_force(api, True, BACK)
    assert b.wait_downlink(is_text(asks(b)))
