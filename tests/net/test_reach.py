# SPDX-License-Identifier: GPL-3.0-or-later
"""Where nobody could be answered, nobody is diverted: a service is refused, or
its packets are switched; they never vanish."""

import socket

import pytest

from tofnet import packet as p
from tofnet.lab import APP, APP6, SERVICE_IP, SERVICE_IP6, STATE
from tofnet.netns import call_in, run_in
from tofnet.service import answered, diverted, echo, is_text, switched
from tofnet.wait import wait_until

NAT = "tof-app"
FAR, FAR6 = "172.16.9.9", "fd00:9::9"
FAR_SERVICE, FAR_SERVICE6 = "198.51.100.71", "2001:db8:5::71"
PORT = 7071
BOTH = pytest.mark.parametrize("ue,service,app", [
    ("10.45.8.1", FAR_SERVICE, FAR),
    ("2001:db8:45:8::1", FAR_SERVICE6, FAR6)])


def far(service=FAR_SERVICE, app=FAR):
    return {"name": "far", "serviceIP": service, "applicationIP": app}


def route(verb, app):
    run_in(NAT, "ip", "route", verb, app, "via", APP6 if ":" in app else APP)


@pytest.fixture
def reachable(lab):
    """FAR is on the host of the lab's App, and so is FAR6."""
    for app in (FAR, FAR6):
        lab.run("lab-app", "ip", "addr", "replace", app, "dev", "lo")
        route("replace", app)
    yield
    for app in (FAR, FAR6):
        run_in(NAT, "ip", "route", "del", app, check=False)
        lab.run("lab-app", "ip", "addr", "del", app, "dev", "lo")


class Far:
    """An application at FAR or FAR6."""

    def __init__(self, app):
        def make():
            s = socket.socket(socket.AF_INET6 if ":" in app
                              else socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((app, PORT))
            s.settimeout(0.3)
            return s
        self.sock = call_in("lab-app", make)

    def answers(self, b, service):
        """Whether it gets a packet of 'b', and 'b' its answer."""
        b.uplink(p.ip_udp(b.ue, service, b"ask", 5000, PORT))
        text, peer = self.sock.recvfrom(100)
        self.sock.sendto(b"answer", peer)
        b.wait_downlink(is_text(b"answer"))
        return text == b"ask"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


@pytest.mark.parametrize("service,app", [(FAR_SERVICE, FAR),
                                         (FAR_SERVICE6, FAR6)])
def test_app_without_a_route_is_refused(api, service, app):
    answer = api.post("/service", far(service, app))
    assert answer.status == 400
    assert "no route" in answer.json["detail"]
    api.register("far", service, APP6 if ":" in app else APP)
    assert api.put("/service/far", far(service, app)).status == 400
    assert api.services()[0]["applicationIP"] != app


@BOTH
def test_service_whose_route_goes_is_switched(net, api, reachable, ue,
                                              service, app):
    """And diverted again when there is a route; others go on all the time."""
    del reachable
    api.register("far", service, app)
    api.register()
    other = diverted(net, "10.45.8.9")
    b = net.bearer(ue)
    with Far(app) as server:
        wait_until(lambda: server.answers(b, service), what="an answer")
        route("del", app)

        def is_switched():
            frame = b.uplink(echo(ue, b"to whom it may concern", service))
            net.sgw.wait(net.forwarded(frame), timeout=0.3)
            return True

        wait_until(is_switched, what="packets to be switched")
        for text in (b"one", b"two", b"three"):
            switched(net, b.uplink(echo(ue, text, service)))
        assert answered(other)
        route("add", app)
        wait_until(lambda: server.answers(b, service), what="an answer")


def test_link_to_apps_that_goes_down_takes_its_routes(lab, net, api):
    """The kernel does not tell of these one by one.  tofd makes them anew."""
    api.register()
    b = diverted(net, "10.45.8.2")
    mended = lab.mended()
    lab.run(NAT, "ip", "link", "set", "app0", "down")
    wait_until(mended, what="tofd to set it up")
    wait_until(lambda: answered(b, timeout=0.3), what="an answer")


def test_service_of_the_registry_without_a_route_is_switched(lab, net, api):
    """Another member of the cluster has it, where there is a route."""
    row = {"name": "far", "service_ip": FAR_SERVICE, "application_ip": FAR}
    with open(f"{STATE}/ovs-dir", encoding="utf-8") as f:
        client = f.read().strip() + "/bin/ovsdb-client"
    lab.run("lab-tof", client, "transact",
            f"unix:{STATE}/run/ovs/db.sock",
            str(["TOF", {"op": "insert", "table": "Service",
                         "row": row}]).replace("'", '"'))
    wait_until(lambda: api.metrics()["tof_services_waiting"] == 1,
               what="tofd to see it")
    b = net.bearer("10.45.8.3")
    for text in (b"one", b"two", b"three"):
        switched(net, b.uplink(echo(b.ue, text, FAR_SERVICE)))


@pytest.mark.parametrize("ue", ["192.168.100.77", "fd00:100::77"])
def test_ue_with_an_address_of_the_apps_is_switched(net, api, ue):
    """An App would look for it in its own network."""
    api.register()
    api.register("six", SERVICE_IP6, APP6)
    b = net.bearer(ue)
    for text in (b"one", b"two", b"three"):
        switched(net, b.uplink(echo(ue, text)))
    assert answered(diverted(net, "10.45.8.4"))


@pytest.mark.parametrize("service,app", [(SERVICE_IP, APP),
                                         (SERVICE_IP6, APP6)])
def test_app_that_calls_a_service_is_told(api, service, app):
    """By an ICMP error: services are for UEs."""
    api.register("own", service, app)

    def call():
        with pytest.raises(OSError) as e:
            socket.create_connection((service, 80), timeout=5)
        assert not isinstance(e.value, TimeoutError), "silence"

    call_in("lab-app", call)
