# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks: an App whose host is there, but that does not do what it is
there for, is down."""

import contextlib
import socket
import threading
import time

import pytest

from tofnet.lab import APP, APP6, SERVICE_IP, SERVICE_IP6
from tofnet.netns import call_in
from tofnet.service import diverted, service_of
from tofnet.wait import PATIENCE, wait_until
from test_apps import BACK, GONE, status, wait_app
from test_bypass import bypassed_until_back, ues, wait_in_force

PORT = 8088
families = pytest.mark.parametrize("service,app", [
    (SERVICE_IP, APP), (SERVICE_IP6, APP6)], ids=["IPv4", "IPv6"])


class Server:
    """Listens in the App's host, and answers each request with 'answer', if
    that is not None."""

    def __init__(self, app=APP, answer=b"HTTP/1.1 200 OK\r\n\r\n"):
        self.answer, self.requests = answer, []
        self._sock = call_in("lab-app", self._listen, app)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @staticmethod
    def _listen(app):
        s = socket.create_server(
            (app, PORT), family=socket.AF_INET6 if ":" in app
            else socket.AF_INET)
        s.settimeout(0.05)
        return s

    def _serve(self):
        held = []
        while self._sock.fileno() >= 0:
            try:
                s = self._sock.accept()[0]
            except (socket.timeout, OSError):
                continue
            if self.answer is None:
                held.append(s)
                continue
            s.settimeout(0.2)
            with s, contextlib.suppress(OSError):
                self.requests.append(s.recv(1000))
                s.sendall(self.answer)
        for s in held:
            s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._sock.close()
        self._thread.join()


@contextlib.contextmanager
def dropping(lab, what):
    """The App's host drops that."""
    lab.run("lab-app", "nft", "add table inet deaf; add chain inet deaf in { "
            "type filter hook input priority 0; }; add rule inet deaf in "
            + what + " drop")
    try:
        yield
    finally:
        lab.run("lab-app", "nft", "delete table inet deaf")


def register(api, health, service=SERVICE_IP, app=APP, **kw):
    body = {"name": "svc", "serviceIP": service, "applicationIP": app,
            "health": health, **kw}
    answer = api.post("/service", body)
    assert answer.status == 200, answer
    assert answer.json == body
    assert api.services() == [body]


@pytest.mark.parametrize("health", [
    {"tcp": PORT}, {"http": "/ready?x=1", "port": PORT, "expect": 200}],
    ids=["tcp", "http"])
@families
def test_an_app_whose_process_ends_is_bypassed(net, api, service, app,
                                               health):
    """And gets new connections when it is back."""
    with Server(app):
        register(api, health, service, app)
        wait_app(api, "up")
        diverted(net, "2001:db8:33:1::1" if ":" in app else "10.45.33.1")
    assert "check is refused" in wait_app(api, "down", GONE)["reason"]
    wait_in_force(api, False)
    with Server(app):
        wait_app(api, "up", BACK)
        wait_in_force(api, True)


@ues
def test_a_process_that_ends_under_traffic(net, api, ue, kw):
    """Its host is there all the time, and answers what gets there."""
    app = APP6 if ":" in ue else APP
    with contextlib.ExitStack() as process:
        process.enter_context(Server(app))
        register(api, {"tcp": PORT}, service_of(ue), app)
        wait_app(api, "up")

        @contextlib.contextmanager
        def end():
            process.close()
            yield
            process.enter_context(Server(app))

        bypassed_until_back(net, api, diverted(net, ue, **kw), end, GONE)


def test_an_app_that_answers_with_another_status_is_down(api):
    with Server(answer=b"HTTP/1.1 503 Service Unavailable\r\n\r\n") as server:
        register(api, {"http": "/ready", "port": PORT, "expect": 204})
        assert wait_app(api, "down")["reason"] == \
            "its HTTP check is answered with another status"
        assert server.requests[0].startswith(
            b"GET /ready HTTP/1.1\r\nHost: 192.168.100.10:8088\r\n")
        server.answer = b"HTTP/1.0 204 No Content\r\n\r\n"
        wait_app(api, "up", BACK)


def test_an_app_that_hangs_is_down_and_stops_nobody(lab, api):
    """Neither where it accepts connections and says nothing, nor where it does
    not even do that."""
    with Server(answer=None):
        register(api, {"http": "/", "port": PORT, "expect": 200})
        assert wait_app(api, "down")["reason"] == \
            "its HTTP check is not answered"
    api.unregister()
    with dropping(lab, f"tcp dport {PORT}"):
        register(api, {"tcp": PORT})
        assert wait_app(api, "down")["reason"] == \
            "its TCP check is not answered"
        began = time.monotonic()
        for _ in range(20):
            assert api.get("/healthz").status == 200
        assert time.monotonic() - began < 5 * PATIENCE


@pytest.mark.parametrize("service,app,proto", [
    (SERVICE_IP, APP, "icmp type echo-request"),
    (SERVICE_IP6, APP6, "icmpv6 type echo-request")], ids=["IPv4", "IPv6"])
def test_an_app_that_is_pinged(lab, api, service, app, proto):
    register(api, {"icmp": True}, service, app)
    wait_app(api, "up")
    with dropping(lab, proto):
        assert wait_app(api, "down")["reason"] == \
            "its ICMP check is not answered"
    wait_app(api, "up", BACK)


def test_thresholds_and_interval_are_obeyed(api):
    """Down after five tries that fail, up after three that succeed, one every
    0.2 s."""
    with Server() as server:
        register(api, {"http": "/", "port": PORT, "expect": 200,
                       "interval": 0.2, "fall": 5, "rise": 3})
        wait_app(api, "up")
        server.answer = b"HTTP/1.1 500 Oh\r\n\r\n"
        began = len(server.requests)
        wait_app(api, "down")
        assert len(server.requests) - began >= 5 - 1
        server.answer = b"HTTP/1.1 200 OK\r\n\r\n"
        began, then = len(server.requests), time.monotonic()
        wait_app(api, "up", BACK)
        assert len(server.requests) - began >= 3
        assert time.monotonic() - then >= 2 * 0.2 - 0.05


def test_checks_of_one_app_are_their_services_own(api):
    """One service is bypassed, the other one is not."""
    with Server():
        register(api, {"tcp": PORT})
        api.register("plain", "198.51.100.34")
        wait_app(api, "up")
    wait_in_force(api, False, GONE + 1)
    assert status(api, "plain")["inForce"]
    assert status(api, "plain")["app"]["state"] == "up"


def test_a_check_survives_a_restart(lab, api):
    """Kept in the registry: the App is down still."""
    register(api, {"http": "/a", "port": PORT, "expect": 299, "interval": 0.3,
                   "fall": 1, "rise": 4}, on_failure="keep")
    body = api.services()
    wait_app(api, "down")
    lab.tofd("restart")
    wait_until(api.healthy, 15, "tofd")
    assert api.services() == body
    wait_app(api, "down")
    assert status(api)["inForce"]
