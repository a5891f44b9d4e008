# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that changes, but for its address, under traffic: its packets are
diverted all along."""

import contextlib
import itertools
import threading
import time

import pytest

from tofnet import packet as p
from tofnet.emulator import ENB6, SGW6
from tofnet.lab import APP, APP6, SERVICE_IP, SERVICE_IP6
from tofnet.netns import RawPort, run_in
from tofnet.service import answered, diverted, service_of
from tofnet.wait import wait_until

OTHER_APP, OTHER_APP6 = "192.168.100.11", "fd00:100::11"
TEXT = b"change-%06d"

paths = pytest.mark.parametrize("ue,kw", [
    ("10.45.13.1", {}),
    ("2001:db8:13:1::1", {"vlan": 100}),
    ("2001:db8:13:1::1", {"enb": ENB6, "sgw": SGW6})],
    ids=["4-in-4", "6-in-4-tagged", "6-in-6"])


@pytest.fixture(scope="module")
def other_app(lab):
    """A second address of the App's host, from which it sends nothing of its
    own accord."""
    for address in (OTHER_APP + "/24", OTHER_APP6 + "/64"):
        run_in("lab-app", "ip", "addr", "replace", address, "dev", "app0",
               *(["nodad", "preferred_lft", "0"] if ":" in address else []))
    yield {SERVICE_IP: OTHER_APP, SERVICE_IP6: OTHER_APP6}
    for address in (OTHER_APP + "/24", OTHER_APP6 + "/64"):
        run_in("lab-app", "ip", "addr", "del", address, "dev", "app0")


@contextlib.contextmanager
def traffic(b):
    """The UE sends to the service, about 2000 packets a second, in connections
    of a hundred packets each; gives a function that says how many."""
    numbers, ending, last = itertools.count(), threading.Event(), [0]

    def send():
        while not ending.is_set():
            last[0] = next(numbers)
            b.uplink(p.ip_udp(b.ue, service_of(b.ue), TEXT % last[0],
                              7000 + last[0] // 100, 9))
            time.sleep(0.0004)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield lambda: last[0]
    finally:
        ending.set()
        thread.join()


def change(api, name, ue, app, new_name=None, chain=None):
    answer = api.put(f"/service/{name}", {
        "name": new_name or name, "serviceIP": service_of(ue),
        "applicationIP": app, **({"chain": chain} if chain else {})})
    assert answer.status == 200, answer


def leaked(frames):
    return [f for f in frames if TEXT[:7] in f]


@paths
@pytest.mark.parametrize("what", ["name", "application"])
def test_a_change_moves_no_packet(net, api, other_app, ue, kw, what):
    service = service_of(ue)
    apps = [APP6 if ":" in ue else APP, other_app[service]]
    api.register(service=service, app=apps[0])
    b = diverted(net, ue, **kw)
    with RawPort("lab-app", "app0") as app:
        with traffic(b) as sent:
            for i in range(6):
                before = sent()
                if what == "name":
                    change(api, f"svc{i}" if i else "svc", ue, apps[0],
                           f"svc{i + 1}")
                else:
                    change(api, "svc", ue, apps[(i + 1) % 2])
                wait_until(lambda: sent() > before + 200, what="traffic")
        wait_until(lambda: any(TEXT % sent() in f for f in app.frames),
                   what="the last packet at the App")
        n = len({f[f.index(TEXT[:7]):] for f in leaked(app.frames)})
        assert n == sent() + 1
    assert not leaked(net.sgw.frames)
    answered(b, sport=9000)


def test_counters_of_a_service_go_with_its_new_name(net, api):
    api.register()
    b = diverted(net)

    def packets(name):
        return api.metrics().get(
            f'tof_service_packets_total{{service="{name}",direction="up"}}')

    counted = wait_until(lambda: packets("svc"), what="packets counted")
    change(api, "svc", b.ue, APP, "renamed")
    assert packets("renamed") >= counted and packets("svc") is None


def test_names_are_swapped(net, api):
    """The old names are free at once, and each address keeps its App."""
    api.register("one")
    api.register("two", "198.51.100.11")
    b = diverted(net)
    change(api, "one", b.ue, APP, "three")
    answer = api.put("/service/two", {
        "name": "one", "serviceIP": "198.51.100.11", "applicationIP": APP})
    assert answer.status == 200, answer
    change(api, "three", b.ue, APP, "two")
    assert {s["name"]: s["serviceIP"] for s in api.services()} == {
        "one": "198.51.100.11", "two": SERVICE_IP}
    mark = net.sgw.mark()
    text = answered(b).inner.payload
    assert not [f for f in net.sgw.since(mark) if text in f]
