# SPDX-License-Identifier: GPL-3.0-or-later
"""What sessions and services exchange is counted exactly, and leaves records,
whatever ends or dies."""

import contextlib
import json
import os
import re
import signal
import zlib

import pytest

from tofnet import packet as p
from tofnet.lab import (
    APP, APP6, SERVICE_IP, SERVICE_IP6, STATE, lab_sh)
from tofnet.service import app_socket, echo, wait_stale
from tofnet.wait import wait_until

CONFIG, FILE = f"{STATE}/tof.yaml", f"{STATE}/state/usage.jsonl"
SECOND_IP = "198.51.100.11"
OTHER = "203.0.113.77"
END = 30                # Seconds: until an end's record is there, under load.


def exchange(b, text, dst=SERVICE_IP):
    b.uplink(echo(b.ue, text, dst))
    b.wait_downlink(lambda f: f.inner.payload == text
                    and f.inner.src == dst)


def read(path=FILE):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def records(ue, event=None, path=FILE):
    return [r for r in read(path) if r["ue"] == ue
            and event in (None, r["event"])]


def wait_end(ue, n=1, path=FILE):
    """The record of the n-th session of that address that ends."""
    return wait_until(lambda: records(ue, "end", path)[n - 1], END,
                      f"the record of {ue}")


def counts(packets_up, bytes_up, packets_down, bytes_down):
    return {"packetsUp": packets_up, "bytesUp": bytes_up,
            "packetsDown": packets_down, "bytesDown": bytes_down}


def service(name, ip, *numbers):
    return {"name": name, "serviceIP": ip, **counts(*numbers)}


def same(n_packets, n_bytes):
    """An echo's counters: as much down as up."""
    return n_packets, n_bytes, n_packets, n_bytes


def counted(lab):
    """Bearers that the kernel has counts of."""
    out = [lab.run("tof-app", "nft", "list", "set", "inet", "tof_nat",
                   name).stdout for name in ("up4", "down4")]
    return set(re.findall(r"0x([0-9a-f]{8}) \.", "".join(out)))


def shown(api, ue):
    s = api.session_of(ue)
    return s and s["services"]


def purge(api, ue):
    s = api.session_of(ue)
    assert api.delete(f"/session/{s['id']}").status == 200
    return s


@contextlib.contextmanager
def configured(lab, api, lines, without=()):
    """tofd runs with these lines in its configuration."""
    with open(CONFIG, encoding="utf-8") as f:
        before = f.read()
    kept = [line for line in before.splitlines(True)
            if not line.startswith(tuple(without) + ("usage:",))]
    try:
        with open(CONFIG, "w", encoding="utf-8") as f:
            f.write("".join(kept) + lines + "\n")
        lab.tofd("restart")
        wait_until(api.healthy, what="tofd")
        yield
    finally:
        with open(CONFIG, "w", encoding="utf-8") as f:
            f.write(before)
        lab.tofd("restart")
        wait_until(api.healthy, what="tofd")


@pytest.fixture
def ue(request):
    """A UE address of this test's own."""
    number = zlib.crc32(request.node.nodeid.encode()) % 60000
    return f"10.45.{number // 250 + 10}.{number % 250 + 1}"


def test_purged_session_leaves_a_record_of_exact_counts(net, api, ue):
    """What was held, what was diverted; IP packets and bytes."""
    api.register("edge")
    b = net.bearer(ue)
    for i in range(5):
        exchange(b, b"text %d" % i)
    s = purge(api, ue)
    r = wait_end(ue)
    assert r["reason"] == "deleted"
    assert r["session"] == s["id"]
    assert r["bearers"] == [{"id": s["bearers"][0]["id"], "uplink": {
        "sgw": b.sgw, "teid": b.up_teid}}]
    numbers = same(5, 5 * (28 + 6))
    assert r["services"] == [service("edge", SERVICE_IP, *numbers)]
    assert r["totals"] == counts(*numbers)
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
    assert re.match(stamp, r["time"]) and re.match(stamp, r["since"])
    assert r["since"] < r["time"]


def test_services_are_told_apart(net, api, ue):
    api.register("one")
    api.register("two", SECOND_IP, APP)
    b = net.bearer(ue)
    exchange(b, b"1")
    for _ in range(3):
        exchange(b, b"22", SECOND_IP)
    wait_until(lambda: sorted(shown(api, ue), key=str) == [
        service("one", SERVICE_IP, *same(1, 29)),
        service("two", SECOND_IP, *same(3, 90))], what="the counters")
    purge(api, ue)
    assert wait_end(ue)["totals"] == counts(*same(4, 119))


def test_counters_of_a_session_grow(net, api, ue):
    api.register("edge")
    b = net.bearer(ue)
    for n in (1, 2, 3):
        exchange(b, b"%d" % n)
        wait_until(lambda n=n: shown(api, ue) == [
            service("edge", SERVICE_IP, *same(n, n * 29))],
            what="the counters")
    total = 'tof_service_packets_total{service="edge",direction="up"}'
    wait_until(lambda: api.metrics()[total] >= 2, timeout=10, what=total)


def two_bearers(net, ue):
    """One UE's: the gateway answers both pings by the default bearer."""
    default = net.bearer(ue)
    return default, net.bearer(ue, down_teid=default.down_teid)


def test_bearers_of_a_ue_are_one_session(net, api, ue):
    api.register("edge")
    bearers = two_bearers(net, ue)
    for b, text in zip(bearers, (b"xy", b"yx")):
        exchange(b, text)
    purge(api, ue)
    r = wait_end(ue)
    assert {b["uplink"]["teid"] for b in r["bearers"]} == {
        b.up_teid for b in bearers}
    assert r["totals"] == counts(*same(2, 60))
    assert len(records(ue)) == 1


def test_reused_tunnel_ends_the_session(net, api, ue):
    """What the one has used is never the other's."""
    api.register("edge")
    b = net.bearer(ue)
    exchange(b, b"first")
    b.end_marker()
    wait_stale(api, ue)
    other = ue.replace("10.45.", "10.44.")
    heir = net.bearer(other, up_teid=b.up_teid)
    net.forget(b)
    exchange(heir, b"second one")
    assert wait_end(ue)["reason"] == "reused"
    assert wait_end(ue)["totals"] == counts(*same(1, 33))
    purge(api, other)
    assert wait_end(other)["totals"] == counts(*same(1, 38))


def test_bearer_that_goes_before_its_session(lab, net, api, ue):
    """Its identifier will be used again: the kernel's counts are deleted, the
    sums are not."""
    api.register("edge")
    first, second = two_bearers(net, ue)
    exchange(first, b"xy")
    exchange(second, b"yx")
    ids = {b["uplink"]["teid"]: b["id"]
           for b in api.session_of(ue)["bearers"]}
    first.end_marker()
    wait_until(lambda: not api.session_of(ue)["bearers"][0]["proved"],
               what="the bearer to be stale")
    other = ue.replace("10.45.", "10.44.")
    heir = net.bearer(other, up_teid=first.up_teid)
    net.forget(first)
    exchange(heir, b"xyz")
    wait_until(lambda: ids[first.up_teid] not in counted(lab), END,
               "the counts to be deleted")
    assert ids[second.up_teid] in counted(lab)
    exchange(second, b"zz")
    wait_until(lambda: shown(api, ue) == [
        service("edge", SERVICE_IP, *same(3, 90))], what="the counters")
    purge(api, ue)
    r = wait_end(ue)
    assert {b["id"] for b in r["bearers"]} == set(ids.values())
    assert r["totals"] == counts(*same(3, 90))
    wait_until(lambda: ids[second.up_teid] not in counted(lab), END,
               "all counts to be deleted")
    assert shown(api, other) == [
        service("edge", SERVICE_IP, *same(1, 31))]


def test_counts_that_nobody_knows_are_deleted(lab, net, api, ue):
    """A session that ends just before kill -9, which nothing has saved."""
    api.register("edge")
    b = net.bearer(ue)
    exchange(b, b"x")
    bearer, = api.session_of(ue)["bearers"]
    assert bearer["id"] in counted(lab)
    purge(api, ue)
    lab.tofd("kill")
    lab.tofd("start")
    wait_until(api.healthy, what="tofd")
    wait_until(lambda: bearer["id"] not in counted(lab), END,
               "the counts to be deleted")


def test_session_without_diverted_traffic_leaves_none(net, api, ue):
    api.register("edge")
    quiet = net.bearer(ue)
    quiet.uplink(p.ip_udp(ue, OTHER, b"x"))
    api.wait_proved(ue)
    other = ue.replace("10.45.", "10.44.")
    b = net.bearer(other)
    exchange(b, b"x")
    purge(api, ue)
    purge(api, other)
    wait_end(other)
    assert records(ue) == []


def test_service_that_goes_stays_in_the_record(net, api, ue):
    """Its flows are flushed; another service takes its address."""
    api.register("old")
    b = net.bearer(ue)
    exchange(b, b"old")
    wait_until(lambda: shown(api, ue), what="the counters")
    api.unregister("old")
    api.register("new")
    exchange(b, b"new!")
    wait_until(lambda: len(shown(api, ue)) == 2, what="the counters")
    purge(api, ue)
    assert wait_end(ue)["services"] == [
        service("old", SERVICE_IP, *same(1, 31)),
        service("new", SERVICE_IP, *same(1, 32))]


def test_app_opens_a_connection_and_is_counted(net, api, ue):
    """tofd itself sends what comes without a bearer."""
    api.register("edge")
    b = net.bearer(ue)
    exchange(b, b"first")

    with app_socket() as app:
        app.sendto(b"hello", (b.ue, 7777))
        f = b.wait_downlink(lambda f: f.inner.payload == b"hello")
        b.uplink(p.ip_udp(ue, SERVICE_IP, b"me too", 7777, f.inner.sport))
        assert app.recv(100) == b"me too"
    purge(api, ue)
    assert wait_end(ue)["totals"] == counts(2, 33 + 34, 2, 33 + 33)


def test_tcp_is_counted(net, api, ue):
    """As many bytes as the UE's stack has sent and received."""
    api.register("edge")
    stack = net.ue(ue)
    body = stack.get(f"http://{SERVICE_IP}/")
    assert body

    def closed():
        """Nothing more will be sent down."""
        states = stack.run("ss", "-Htan").stdout.splitlines()
        return all(line.startswith("TIME-WAIT") for line in states)

    wait_until(closed, what="the connection to be closed")
    purge(api, ue)
    r = wait_end(ue)
    down = [f for raw in list(net.enb.frames)
            if (f := stack.bearer.is_downlink(raw))]
    assert r["totals"]["bytesDown"] == sum(len(f.payload) for f in down)
    assert r["totals"]["packetsDown"] == len(down)
    assert r["totals"]["packetsUp"] >= 3


def test_ipv6_is_counted(net, api):
    """The UE is its prefix, whatever address it takes."""
    api.register("six", SERVICE_IP6, APP6)
    prefix, sizes = "2001:db8:45:77::", []
    b = net.bearer(prefix + "1")
    for host, text in (("1", b"one"), ("2", b"three")):
        b.ue = prefix + host
        exchange(b, text, SERVICE_IP6)
        sizes.append(48 + len(text))
    s, = api.sessions(ue=prefix + "1")
    before = len(records(s["ue"], "end"))
    assert api.delete(f"/session/{s['id']}").status == 200
    r = wait_end(s["ue"], before + 1)
    assert r["ue"] == prefix + "/64"
    assert r["services"] == [
        service("six", SERVICE_IP6, *same(2, sum(sizes)))]


def test_interim_records_while_there_is_traffic(lab, net, api, ue):
    with configured(lab, api, "usage: {interval_seconds: 1}"):
        api.register("edge")
        b = net.bearer(ue)
        exchange(b, b"1")
        first = wait_until(lambda: records(ue, "interim")[0], END,
                           "an interim record")
        assert first["reason"] is None
        exchange(b, b"2")
        wait_until(lambda: records(ue, "interim")[-1]["totals"]
                   == counts(*same(2, 58)), END, "the second one")
        n = len(records(ue))
        # Another one's records show that intervals go by.
        other = ue.replace("10.45.", "10.44.")
        c = net.bearer(other)
        for i in range(2):
            exchange(c, b"3")
            wait_until(lambda i=i: records(other)[i], END, "another's record")
        assert len(records(ue)) == n
        purge(api, ue)
        assert wait_end(ue)["totals"] == counts(*same(2, 58))
        sums = [r["totals"]["packetsUp"] for r in records(ue)]
        assert sums == sorted(sums)


def test_idle_session_leaves_a_record(lab, net, api, ue):
    with configured(lab, api, "sessions: {idle_seconds: 3, "
                    "evidence_seconds: 2}", without=("sessions:",)):
        api.register("edge")
        exchange(net.bearer(ue), b"x")
        assert wait_end(ue)["reason"] == "idle"


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_nothing_is_lost_or_counted_twice_by(lab, net, api, ue, how):
    api.register("edge")
    b = net.bearer(ue)
    exchange(b, b"before")
    wait_until(lambda: shown(api, ue) == [
        service("edge", SERVICE_IP, *same(1, 34))], what="the counters")
    before = api.session_of(ue)["id"]
    lab.tofd("stop" if how == "restart" else "kill")
    exchange(b, b"meanwhile")
    lab.tofd("start")
    wait_until(api.healthy, what="tofd")
    exchange(b, b"after")
    purge(api, ue)
    r = wait_end(ue)
    assert r["session"] == before
    assert r["totals"] == counts(*same(3, 3 * 28 + 6 + 9 + 5))
    numbers = [r["seq"] for r in read()]
    assert numbers == sorted(set(numbers))


def test_session_that_ends_just_before_tofd_does(lab, net, api, ue):
    """Its record is the next one's first work."""
    api.register("edge")
    b = net.bearer(ue)
    exchange(b, b"x")
    purge(api, ue)
    lab.tofd("restart")
    wait_until(api.healthy, what="tofd")
    assert wait_end(ue)["reason"] == "deleted"
    assert wait_end(ue)["totals"] == counts(*same(1, 29))
    assert len(records(ue, "end")) == 1


def test_hup_opens_the_file_of_records_anew(lab, net, api, ue):
    """logrotate: renamed, then SIGHUP; the next records are in a new file."""
    api.register("edge")
    exchange(net.bearer(ue), b"x")
    purge(api, ue)
    wait_end(ue)
    old = f"{FILE}.1"
    os.rename(FILE, old)
    os.kill(lab.pid(), signal.SIGHUP)
    wait_until(lambda: os.path.exists(FILE), what="a new file")
    other = ue.replace("10.45.", "10.44.")
    exchange(net.bearer(other), b"x")
    purge(api, other)
    seq = wait_end(other)["seq"]
    assert records(other, path=old) == []
    assert seq == read(old)[-1]["seq"] + 1
    os.unlink(old)


def usage_status(api):
    return next(part for part in api.get("/status").json["parts"]
                if part["name"] == "usage")


def test_records_wait_for_a_file_that_cannot_be_written(lab, net, api, ue):
    path = f"{STATE}/later/usage.jsonl"
    with configured(lab, api, f"usage: {{file: {path}}}"):
        api.register("edge")
        exchange(net.bearer(ue), b"x")
        purge(api, ue)
        wait_until(lambda: not usage_status(api)["ready"], END,
                   "the status to say so")
        assert "No such file" in usage_status(api)["detail"]
        assert api.metrics()["tof_usage_write_errors_total"] >= 1
        os.mkdir(os.path.dirname(path))
        assert wait_end(ue, path=path)["totals"] == counts(*same(1, 29))
        wait_until(lambda: usage_status(api)["ready"], END, "the status")
    lab_sh("tofd", "stop")
    os.unlink(path)
    os.rmdir(os.path.dirname(path))
    lab_sh("tofd", "start")


def test_records_can_be_switched_off(lab, net, api, ue):
    before = len(read())
    with configured(lab, api, 'usage: {file: ""}'):
        assert usage_status(api) == {"name": "usage", "ready": True,
                                     "detail": "off"}
        api.register("edge")
        exchange(net.bearer(ue), b"x")
        wait_until(lambda: shown(api, ue), what="the counters")
        purge(api, ue)
        wait_until(lambda: api.metrics()["tof_usage_records_total"] == 1,
                   END, "a record that goes nowhere")
    assert len(read()) == before
