# SPDX-License-Identifier: GPL-3.0-or-later
"""Why is this UE not diverted?  Set-ups that are broken, and what GET /explain
names as the reason."""

import contextlib
import os
import re
import struct

import pytest

from tofnet import packet as p
from tofnet.emulator import ENB6, SGW6
from tofnet.lab import (
    APP, APP6, SERVICE_IP, SERVICE_IP6, TOP, delete_flows, ofctl)
from tofnet.programs import programs_map
from tofnet.service import OTHER, answered, asks, diverted, service_of
from tofnet.wait import wait_until

UE, UE6 = "10.45.21.1", "2001:db8:21:1::1"
TARGETS = r"targets: \[[^]]*\]"


@pytest.fixture
def explained(api):
    def ask(ue, service=None):
        query = f"/explain?ue={ue}" + (f"&service={service}" if service
                                       else "")
        return api.get(query).json
    return ask


def step(explanation, name):
    return next(s for s in explanation["steps"] if s["step"] == name)


def reason_is(explained, name, text, ue=UE, service="svc"):
    """The reason of a UE's not being diverted is that step, in these
    words."""
    def is_so():
        reason = explained(ue, service)["reason"]
        return reason and reason["step"] == name and text in reason["found"]
    wait_until(is_so, what=f"the reason {text}")
    assert explained(ue, service)["reason"].get("advice")


def test_a_ue_that_is_diverted(net, api, explained):
    api.register()
    diverted(net, UE)
    explanation = explained(UE, "svc")
    assert explanation["reason"] is None
    assert "It is diverted" in step(explanation, "diverted")["found"]
    assert SERVICE_IP in step(explanation, "service")["found"]
    assert step(explanation, "answers")["found"].startswith("2 packets")
    assert "and 2 (" in step(explanation, "answers")["found"]


def test_ipv6_is_counted_and_looked_up_likewise(net, api, explained):
    api.register("svc", SERVICE_IP6, APP6)
    diverted(net, UE6, enb=ENB6, sgw=SGW6)
    explanation = explained(UE6, "svc")
    assert explanation["reason"] is None
    assert f"neighbour {APP6} answers" in step(explanation, "app")["found"]
    assert step(explanation, "answers")["found"].startswith("2 packets")


def test_a_neighbour_that_is_unknown_in_ipv6(net, api, explained):
    api.register("svc", SERVICE_IP6, "fd00:100::99")
    asks(net.bearer(UE6, enb=ENB6, sgw=SGW6))
    reason_is(explained, "app", "does not answer neighbour discovery", ue=UE6)


def test_a_gateway_that_is_unknown(lab, net, api, explained):
    """The App lies behind it."""
    route = ("192.0.2.0/24", "via", "192.168.100.98", "dev", "app0")
    lab.run("tof-app", "ip", "route", "add", *route)
    try:
        api.register(app="192.0.2.5")
        asks(net.bearer(UE))
        reason_is(explained, "app", "neighbour 192.168.100.98, which is the "
                  "way to the App 192.0.2.5, is unknown")
        api.unregister()
    finally:
        lab.run("tof-app", "ip", "route", "del", *route)


@pytest.mark.parametrize("ns, what, lacks", [
    ("lab-tof", "set netdev tof services", "The filter has no element"),
    ("tof-app", "map inet tof_nat services4", "The NAT has no entry"),
], ids=["filter", "nat"])
def test_what_the_data_plane_lacks(lab, api, explained, ns, what, lacks):
    """tofd puts it back: so it is taken out until that has been seen."""
    def is_told():
        lab.run(ns, "nft", "flush " + what)
        reason = explained(UE, "svc")["reason"]
        return reason["step"] == "entry" and lacks in reason["found"]

    api.register()
    wait_until(is_told, what=lacks)
    wait_until(lambda: step(explained(UE, "svc"), "entry")["verdict"] == "ok",
               10, "it to be put back")


def empty_set(name):
    """Takes all elements out of one of the filter's."""
    return lambda lab, bearer: lab.run(
        "lab-tof", "nft", f"flush set netdev tof {name}")


def delete_flow(_lab, bearer):
    ofctl("br-tof", "del-flows", f"table=0,cookie=0x{bearer['id']}/-1")


def entry_in(table, bearer_id):
    """Where the uplink tunnel of a bearer is in the programs' table: struct
    xdp_entry, 32 bytes."""
    wanted, at = struct.pack("<I", bearer_id), -1
    while (at := table.find(wanted, at + 1)) >= 0:
        if at % 32 == 8 and table[at - 4] & 3 == 1:
            return at - 8
    return None


def take_entry_out(_lab, bearer):
    """As xdp_table_release() does."""
    with programs_map("sessions") as table:
        at = entry_in(table, int(bearer["id"], 16))
        if at is not None:
            table[at + 4] = 0


@pytest.mark.parametrize("ue, kw", [
    (UE, {}), (UE6, {"enb": ENB6, "sgw": SGW6})], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("take, lacks", [
    pytest.param(empty_set("divert"), 'set "divert" has no element',
                 marks=pytest.mark.datapath("ovs"), id="divert"),
    pytest.param(empty_set("down"), "has no guard for it",
                 marks=pytest.mark.datapath("ovs"), id="guard"),
    pytest.param(delete_flow, "has deleted flows of Open vSwitch",
                 marks=pytest.mark.datapath("ovs"), id="flow"),
    pytest.param(take_entry_out, "no entry for its uplink tunnel",
                 marks=pytest.mark.datapath("xdp"), id="entry"),
])
def test_what_the_data_plane_lacks_of_a_bearer(lab, net, api, explained, ue,
                                               kw, take, lacks):
    """tofd holds it for diverted all the time, and puts it back: so it is
    taken out until that has been seen."""
    def is_told():
        take(lab, bearer)
        reason = explained(ue, "svc")["reason"]
        return (reason["step"] == "entry" and lacks in reason["found"]
                and reason["subject"] == f"bearer {bearer['id']}")

    api.register("svc", service_of(ue), APP6 if ":" in ue else APP)
    b = diverted(net, ue, **kw)
    bearer, = api.session_of(ue)["bearers"]
    wait_until(is_told, what=lacks)
    wait_until(lambda: answered(b) and not explained(ue, "svc")["reason"], 15,
               "it to be put back", interval=0.1)
    found = [s["found"] for s in explained(ue, "svc")["steps"]
             if s["step"] == "entry"]
    assert "had a sign of the UE" in found[-1]


@contextlib.contextmanager
def left_element(lab, _bearer):
    """What brings it back, as it was before the bearer was given up."""
    shown = lab.run("lab-tof", "nft", "list set netdev tof divert").stdout
    kept = re.search(r"elements = {([^}]*)}", shown)[1]
    kept = re.sub(r" expires \w+", "", kept)
    yield lambda: lab.run("lab-tof", "nft", "add element netdev tof divert "
                          f"{{{kept}}}")
    lab.run("lab-tof", "nft", "flush set netdev tof divert")


@contextlib.contextmanager
def left_flow(lab, bearer):
    cookie = f"cookie=0x{bearer['id']}"
    yield lambda: ofctl("br-tof", "add-flow", f"table=0,{cookie},priority=7,"
                        "tun_id=0x7fffff01,actions=drop")
    delete_flows(lab, "br-tof", f"{cookie}/-1")


@contextlib.contextmanager
def left_entry(lab, bearer):
    with programs_map("sessions") as table:
        at = entry_in(table, int(bearer["id"], 16))
        kept = table[at:at + 32]

    def put_back():
        with programs_map("sessions") as table:
            table[at:at + 32] = kept

    yield put_back
    take_entry_out(lab, bearer)


@contextlib.contextmanager
def left_template(_lab, bearer):
    """struct xdp_template, 64 bytes, begins with the bearer's number."""
    number = int(bearer["id"], 16)

    def put(value):
        with programs_map("templates") as table:
            struct.pack_into("<I", table, (number >> 8) * 64, value)

    yield lambda: put(number)
    put(0)


@pytest.mark.parametrize("ue, kw", [
    (UE, {}), (UE6, {"enb": ENB6, "sgw": SGW6})], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("left, what", [
    pytest.param(left_element, 'set "divert" has an element',
                 marks=pytest.mark.datapath("ovs"), id="divert"),
    pytest.param(left_flow, "Open vSwitch has a flow for it",
                 marks=pytest.mark.datapath("ovs"), id="flow"),
    pytest.param(left_entry, "has an entry that diverts its uplink tunnel",
                 marks=pytest.mark.datapath("xdp"), id="entry"),
    pytest.param(left_template, "has a template for its answers",
                 marks=pytest.mark.datapath("xdp"), id="template"),
])
def test_what_is_left_of_a_bearer_that_was_given_up(
        lab, net, api, explained, ue, kw, left, what):
    def told():
        return [s for s in explained(ue, "svc")["steps"]
                if s["step"] == "entry"
                and s.get("subject") == f"bearer {bearer['id']}"]

    api.register("svc", service_of(ue), APP6 if ":" in ue else APP)
    b = diverted(net, ue, **kw)
    bearer, = api.session_of(ue)["bearers"]
    with left(lab, bearer) as bring_back:
        net.silent = True
        b.end_marker()
        wait_until(lambda: not told(), what="the bearer to be given up")
        bring_back()
        one, = wait_until(told, 20, "explain to tell of what is left")
        assert one["verdict"] == "wrong" and what in one["found"]
        assert one["advice"]


@pytest.mark.parametrize("ns, where, element, what", [
    ("lab-tof", "netdev tof services", f"::ffff:{SERVICE_IP}",
     "The filter has an element"),
    ("tof-app", "inet tof_nat services4", f"{SERVICE_IP} : {APP}",
     "The NAT has an entry"),
], ids=["filter", "nat"])
def test_what_is_left_of_a_service(lab, api, explained, ns, where, element,
                                   what):
    api.register()
    api.unregister()
    assert not [s for s in explained(UE, SERVICE_IP)["steps"]
                if s["step"] == "entry"]
    lab.run(ns, "nft", f"add element {where} {{ {element} }}")
    try:
        told = step(explained(UE, SERVICE_IP), "entry")
        assert told["verdict"] == "wrong" and what in told["found"]
    finally:
        lab.run(ns, "nft", f"delete element {where} {{ {element} }}")


def test_a_service_that_waits(lab, net, api, explained):
    """It is registered, and the way to its App is gone."""
    route = ("192.0.2.0/24", "via", "192.168.100.10", "dev", "app0")
    lab.run("tof-app", "ip", "route", "add", *route)
    api.register(app="192.0.2.5")
    assert step(explained(UE, "svc"), "service")["verdict"] == "ok"
    lab.run("tof-app", "ip", "route", "del", *route)
    reason_is(explained, "service", "Service svc is not in force: there is no "
              "route")
    api.unregister()


def test_a_ue_that_nobody_has_seen(net, api, explained):
    api.register()
    reason_is(explained, "seen", "No packet of this UE has been seen")


def test_a_ue_with_an_address_of_the_apps(net, api, explained):
    api.register()
    ue = "192.168.100.77"
    net.bearer(ue).uplink(p.ip_udp(ue, OTHER, b"hello"))
    reason_is(explained, "address", "in a network of theirs", ue=ue)


def test_a_service_that_is_not_registered(net, explained):
    net.bearer(UE).uplink(p.ip_udp(UE, OTHER, b"hello"))
    reason_is(explained, "service", "There is no service svc in force")
    reason_is(explained, "service", "No service with an address of the UE's",
              service=None)


def test_targets_that_answer_nobody_are_told(net, api):
    """Health is degraded, and /healthz stays 200; until one answers."""
    api.register()
    net.silent = True
    bearers = [net.bearer(f"10.45.22.{i}") for i in range(1, 5)]
    for b in bearers:
        asks(b)
    wait_until(lambda: api.get("/healthz").json["status"] == "degraded", 30,
               "targets to be silent")
    assert "no target answers" in api.get("/healthz").json["reason"]
    assert api.metrics()['tof_part_ready{part="pinger"}'] == 0
    net.silent = False
    answered(net.bearer("10.45.22.9"))
    wait_until(lambda: api.get("/healthz").json == {"status": "ok"}, 5,
               "it to be ok")


def test_another_ue_with_the_same_address(net, api, explained):
    api.register()
    for sgw in ("10.1.0.2", "10.1.0.3"):
        answered(net.bearer(UE, sgw=sgw))
    assert "2 UEs have this address" in step(explained(UE),
                                             "address")["found"]


def test_a_ue_that_has_not_asked_for_the_service(net, api, explained):
    api.register()
    net.bearer(UE).uplink(p.ip_udp(UE, OTHER, b"hello"))
    api.wait_proved(UE)
    explanation = explained(UE, "svc")
    assert explanation["reason"] is None
    assert "has not sent to a service" in step(explanation,
                                               "diverted")["found"]


def test_a_ue_that_is_silent(net, api, explained):
    """Its proof is not good any more; it is proved again when it sends."""
    api.register()
    b = net.bearer(UE)
    answered(b)
    wait_until(lambda: step(explained(UE, "svc"),
                            "proved")["verdict"] == "open", 15,
               "the proof to end")
    assert "silent since" in step(explained(UE, "svc"), "proved")["found"]
    answered(b)
    assert step(explained(UE, "svc"), "proved")["verdict"] == "ok"


def life_of_a_ue(lab, net):
    """What the log says of one that is diverted, moves, and ends."""
    for module in ("agent", "detect", "divert"):
        assert lab.api.put(f"/log/{module}", {"level": "dbg"}).status == 200
    before = len(lab.log())
    lab.api.register()
    b = diverted(net, UE)
    b.enb = "10.1.0.9"
    answered(b)
    session = lab.api.session_of(UE)
    lab.api.delete(f"/session/{session['id']}")
    lab.api.put("/log/any", {"level": "info"})
    lab.api.unregister()
    return "\n".join(line for line in lab.log()[before:].splitlines()
                     if "bearer " in line)


def test_the_log_tells_the_life_of_a_ue(lab, net):
    said = life_of_a_ue(lab, net)
    places = [said.index(f"of UE {UE}, TEID 0x")]
    for text in ("proved: downlink TEID 0x", ": diverted",
                 "eNodeB 10.1.0.9 sends for it now", "has ended: deleted"):
        places.append(said.index(text))
    assert places == sorted(places), said


@pytest.mark.parametrize("how, shown", [("shorten", "10.45.21.0/24"),
                                        ("hash", "#")])
def test_addresses_of_ues_can_be_kept_out_of_the_log(lab, net, how, shown):
    with lab.configured((r"learn: all", f"learn: all\nprivacy: {how}")):
        said = life_of_a_ue(lab, net)
    assert f"of UE {shown}" in said
    assert UE not in said


@pytest.mark.parametrize("query", ["", "?ue=", "?ue=x", "?service=svc",
                                   "?ue=10.1.2.3&ue=10.1.2.3"])
def test_a_question_about_nobody(api, query):
    answer = api.get("/explain" + query)
    assert answer.status == 400
    assert answer.json["detail"].startswith("The query must be ue=")


# Ten set-ups that are broken.  Each is a context in which UE asks for the
# service, or has asked; what GET /explain and the last line of tofctl say is
# the cause.

TOFCTL = os.path.join(TOP, "tofctl")


@contextlib.contextmanager
def no_target(lab, net):
    with lab.configured((TARGETS, "targets: []")):
        lab.api.register()
        asks(net.bearer(UE))
        yield


@contextlib.contextmanager
def silent_target(lab, net):
    lab.api.register()
    net.silent = True
    asks(net.bearer(UE))
    yield


@contextlib.contextmanager
def app_down(lab, net):
    """Its host is there, and nothing answers."""
    lab.run("lab-app", "nft", "add table inet down; add chain inet down in "
            "{ type filter hook input priority 0; }; add rule inet down in "
            "udp dport 7 drop")
    try:
        lab.api.register()
        asks(net.bearer(UE))
        yield
    finally:
        lab.run("lab-app", "nft", "delete table inet down")


@contextlib.contextmanager
def neighbour_unknown(lab, net):
    lab.api.register(app="192.168.100.99")
    asks(net.bearer(UE))
    yield


@contextlib.contextmanager
def not_registered(_lab, net):
    net.bearer(UE).uplink(p.ip_udp(UE, SERVICE_IP, b"hello"))
    yield


@contextlib.contextmanager
def stranger_enodeb(lab, net):
    with lab.configured((r"sgw: sgw0", "sgw: sgw0, enodebs: [10.1.0.9/32]")):
        lab.api.register()
        asks(net.bearer(UE))
        yield


@contextlib.contextmanager
def two_of_one_address(lab, net):
    lab.api.register()
    for sgw in ("10.1.0.2", "10.1.0.3"):
        answered(net.bearer(UE, sgw=sgw))
    yield


@contextlib.contextmanager
def silent_ue(lab, net):
    lab.api.register()
    diverted(net, UE)
    yield


@contextlib.contextmanager
def wrong_vlan(lab, net):
    """The eNodeB's port is in another VLAN than the SGW's."""
    lab.api.register()
    net.silent = True
    b = net.bearer(UE, enb="10.1.0.66", enb_mac="0e:0e:0b:00:00:66")
    b.downlink(p.ip_udp(OTHER, UE, b"hello"))
    b.vlan = 300
    asks(b)
    yield


@contextlib.contextmanager
def full_table(lab, net):
    with lab.configured(("max: 1000000", "max: 2")):
        lab.api.register()
        for other in ("10.45.21.8", "10.45.21.9"):
            answered(net.bearer(other))
        asks(net.bearer(UE))
        yield


@pytest.mark.parametrize("broken, cause", [
    (no_target, "the Pinger has no target"),
    (silent_target, "Its downlink tunnel is not proved: pinged"),
    (app_down, "The App of service svc has not answered: 1 packets"),
    (neighbour_unknown, "192.168.100.99, is unknown: it does not answer ARP"),
    (not_registered, "There is no service svc in force"),
    (stranger_enodeb, "Its packets come from eNodeB 10.1.0.1"),
    (two_of_one_address, "2 UEs have this address"),
    (silent_ue, "the UE has been silent since"),
    (wrong_vlan, "The VLANs differ: eNodeB 10.1.0.66 sends in VLAN 300"),
    (full_table, "the session table is full: 2 bearers"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_the_last_line_names_the_cause(lab, net, explained, broken, cause):
    def named():
        said = lab.run("lab-tof", TOFCTL, "explain", UE, "svc").stdout
        assert cause in said.splitlines()[-1], said
        return True

    with broken(lab, net):
        wait_until(named, 15, f"explain to say {cause}", interval=0.1)
        reason = explained(UE, "svc")["reason"]
        assert not reason or reason["advice"]
