# SPDX-License-Identifier: GPL-3.0-or-later
"""Why is this UE not diverted?  Set-ups that are broken, and what GET /explain
names as the reason."""

import pytest

from tofnet import packet as p
from tofnet.lab import SERVICE_IP
from tofnet.service import OTHER, answered, asks, diverted
from tofnet.wait import wait_until

UE = "10.45.21.1"
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


def test_a_ue_that_nobody_has_seen(net, api, explained):
    api.register()
    reason_is(explained, "seen", "No packet of this UE has been seen")


def test_a_service_that_is_not_registered(net, explained):
    net.bearer(UE).uplink(p.ip_udp(UE, OTHER, b"hello"))
    reason_is(explained, "service", "There is no service svc in force")
    reason_is(explained, "service", "No service with an address of the UE's",
              service=None)


def test_a_target_that_does_not_answer(net, api, explained):
    api.register()
    net.silent = True
    asks(net.bearer(UE))
    reason_is(explained, "proved", "without a reply")


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


def test_no_target(lab, net, explained):
    with lab.configured((TARGETS, "targets: []")):
        lab.api.register()
        asks(net.bearer(UE))
        reason_is(explained, "proved", "the Pinger has no target")
        lab.api.unregister()


def test_an_enodeb_that_is_not_configured(lab, net, explained):
    with lab.configured((r"sgw: sgw0", "sgw: sgw0, enodebs: [10.1.0.9/32]")):
        lab.api.register()
        asks(net.bearer(UE))
        reason_is(explained, "seen", "No packet of this UE has been seen")
        assert "s1u.enodebs" in explained(UE)["reason"]["advice"]
        lab.api.unregister()


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
