# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether Apps are there: tofd finds it out, and says so."""

import contextlib
import datetime
import time

import pytest

from tofnet import apphost
from tofnet.lab import APP, APP6, SERVICE_IP, SERVICE_IP6, TOP
from tofnet.wait import wait_until

SILENT, SILENT6 = "192.168.100.77", "fd00:100::77"
GONE = 2                        # Seconds, until an App that has ended is down,
BACK = 2                        # and until one that is back is up.
LINK_GONE = 0.2

families = pytest.mark.parametrize("service,app", [
    (SERVICE_IP, APP), (SERVICE_IP6, APP6)], ids=["IPv4", "IPv6"])


def status(api, name="svc"):
    answer = api.get(f"/service/{name}/status")
    assert answer.status == 200, answer
    return answer.json


def wait_app(api, state, timeout=GONE, name="svc"):
    """Until the App of a service is in that state; gives what is said."""
    def is_so():
        app = status(api, name)["app"]
        return app if app["state"] == state else None
    return wait_until(is_so, timeout, f"the App to be {state}")


def ago(since):
    """Seconds."""
    then = datetime.datetime.fromisoformat(since.replace("Z", "+00:00"))
    return time.time() - then.timestamp()


@families
def test_an_app_that_answers_is_up(api, service, app):
    api.register("svc", service, app)
    wait_app(api, "up")


@pytest.mark.parametrize("service,app,how", [
    (SERVICE_IP, SILENT, "ARP"),
    (SERVICE_IP6, SILENT6, "neighbour discovery")], ids=["IPv4", "IPv6"])
def test_an_app_that_never_answers_is_down(api, service, app, how):
    api.register("svc", service, app)
    assert wait_app(api, "down")["reason"] == f"it does not answer {how}"


@families
def test_an_app_whose_host_dies_is_down(api, service, app):
    """And up when it is back."""
    api.register("svc", service, app)
    up = wait_app(api, "up")
    with apphost.dead():
        down = wait_app(api, "down")
        assert "does not answer" in down["reason"]
        assert down["since"] > up["since"]
    assert wait_app(api, "up", BACK)["since"] > down["since"]


@families
def test_an_app_whose_link_goes_is_down_at_once(api, service, app):
    api.register("svc", service, app)
    wait_app(api, "up")
    with apphost.unplugged():
        down = wait_app(api, "down", LINK_GONE)
        assert down["reason"] == "the adapter that leads to it is down"
    wait_app(api, "up", BACK + 1)       # Its link is up some time later.


@pytest.mark.parametrize("service,app,gateway", [
    (SERVICE_IP, "192.0.2.5", SILENT),
    (SERVICE_IP6, "2001:db8:6::5", SILENT6)], ids=["IPv4", "IPv6"])
def test_an_app_behind_a_gateway(lab, api, service, app, gateway):
    """It is there if the gateway is."""
    with contextlib.ExitStack() as cleanup:
        lab.run("tof-app", "ip", "route", "add", app, "via", gateway, "dev",
                "app0")
        cleanup.callback(lab.run, "tof-app", "ip", "route", "del", app)
        api.register("svc", service, app)
        assert f"the gateway {gateway}" in wait_app(api, "down")["reason"]
        cleanup.enter_context(apphost.has(gateway, dev="app0"))
        wait_app(api, "up", BACK)
        api.unregister()


def test_the_kernel_is_asked_twice_before_an_app_is_back(api):
    """One answer may be the last."""
    api.register("svc", SERVICE_IP, SILENT)
    wait_app(api, "down")
    with apphost.has(SILENT, dev="app0"):
        began = time.monotonic()
        wait_app(api, "up", BACK)
        assert time.monotonic() - began >= 0.5


@pytest.mark.parametrize("service,app", [
    (SERVICE_IP, "192.168.100.1"), (SERVICE_IP6, "fd00:100::1")],
    ids=["IPv4", "IPv6"])
def test_the_tof_itself_is_no_app(api, service, app):
    body = {"name": "self", "serviceIP": service, "applicationIP": app}
    answer = api.post("/service", body)
    assert answer.status == 400
    assert "of the TOF itself" in answer.json["detail"]
    api.register("self", service, APP6 if ":" in app else APP)
    assert api.put("/service/self", body).status == 400


def test_a_plain_service_has_three_members(api):
    api.register()
    for path in ("/service", "/service/svc"):
        found = api.get(path).json
        assert (found[0] if path == "/service" else found) == {
            "name": "svc", "serviceIP": SERVICE_IP, "applicationIP": APP}


def test_its_state_is_told_everywhere(lab, api):
    """In the status, the lists, the metrics, the log, and by tofctl."""
    api.register()
    wait_app(api, "up")
    lost = api.metrics()["tof_apps_lost_total"]
    assert api.get("/status").json["apps"] == {
        "unknown": 0, "up": 1, "down": 0, "areDown": []}
    seen = len(lab.log())
    with apphost.dead():
        app = wait_app(api, "down")
        assert 0 <= ago(app["since"]) < 60
        assert api.get("/service?view=status").json == [status(api)]
        apps = api.get("/status").json["apps"]
        assert (apps["down"], apps["areDown"]) == (
            1, [{"address": APP, **app}])
        metrics = api.metrics()
        assert metrics['tof_apps{state="down"}'] == 1
        assert metrics["tof_apps_lost_total"] == lost + 1
        assert metrics['tof_service_app_down{service="svc"}'] == 1
        assert 0 <= time.time() - metrics[
            'tof_service_app_since_seconds{service="svc"}'] < 60
        assert f"App {APP} is down: it does not answer ARP" \
            in lab.log()[seen:]
        row = lab.run("lab-tof", f"{TOP}/tofctl",
                      "services").stdout.splitlines()[1].split()
        assert row[-2:] == ["down", app["since"]]
        steps = api.get("/explain?ue=10.45.31.1&service=svc").json["steps"]
        told = next(step for step in steps if step["step"] == "app")
        assert told["verdict"] == "wrong"
        assert "does not answer ARP" in told["found"]
    wait_app(api, "up", BACK)
    assert f"App {APP} is up" in lab.log()[seen:]
