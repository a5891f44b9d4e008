# SPDX-License-Identifier: GPL-3.0-or-later
"""tofctl against rest_driver: what it prints, and its exit codes."""

import json
import os
import pathlib
import subprocess

import pytest
from restdriver import TOP, Driver, free_port

TOFCTL = pathlib.Path(os.environ.get("TOF_TOFCTL", TOP / "tofctl"))
SESSIONS = 12000                # More than a page.


@pytest.fixture(scope="module")
def driver():
    if not os.access(TOFCTL, os.X_OK):
        pytest.skip(f"{TOFCTL} is not built")
    with Driver("-s", str(SESSIONS)) as running:
        yield running


@pytest.fixture
def tofctl(driver):
    def run(*args, expect=0, url=f"http://{driver.address}"):
        done = subprocess.run([str(TOFCTL), *args], capture_output=True,
                              text=True, timeout=60,
                              env={**os.environ, "TOF_URL": url})
        assert done.returncode == expect, done.stderr
        if expect:
            assert "tofctl" in done.stderr.splitlines()[0]
            return done.stderr
        return done.stdout
    return run


def test_services(tofctl):
    tofctl("add", "edge", "198.51.100.10", "192.168.100.10", "fw", "dpi")
    tofctl("add", "edge6", "2001:db8::10", "fd00:100::10")
    lines = [line.split() for line in tofctl("services").splitlines()]
    assert lines[1:] == [
        ["edge", "198.51.100.10", "192.168.100.10", "fw,dpi"],
        ["edge6", "2001:db8::10", "fd00:100::10", "-"]]
    shown = json.loads(tofctl("-j", "set", "edge", "198.51.100.11",
                              "192.168.100.10"))
    assert shown == {"name": "edge", "serviceIP": "198.51.100.11",
                     "applicationIP": "192.168.100.10"}
    assert tofctl("delete", "edge") == ""
    assert tofctl("delete", "2001:db8::10") == ""
    assert json.loads(tofctl("-j", "services")) == []


def test_refusals(tofctl):
    assert "multicast" in tofctl("add", "edge", "224.0.0.1", "10.0.0.1",
                                 expect=1)
    tofctl("delete", "no/body", expect=1)
    tofctl("session", "zzz", expect=1)
    tofctl("sessions", "edge", expect=1)
    tofctl("add", "fail-1", "198.51.100.10", "192.168.100.10", expect=1)


def test_sessions(tofctl):
    assert len(tofctl("sessions").splitlines()) == SESSIONS + 1
    assert len(json.loads(tofctl("-j", "sessions"))) == SESSIONS
    session, = json.loads(tofctl("-j", "sessions", "10.45.0.2"))
    shown = tofctl("session", session["id"])
    assert session["id"] in shown
    assert ["edge", "10.45.0.2", str(int(session["id"], 16)), "2", "3",
            "4"] in [line.split() for line in shown.splitlines()]
    tofctl("purge", session["id"])
    tofctl("session", session["id"], expect=1)


def test_the_rest(tofctl):
    assert "interception" in tofctl("status")
    assert tofctl("health") == "ok\n"
    assert len(tofctl("peers").splitlines()) == 1 + 16 + 2
    assert "# TYPE " in tofctl("metrics")
    assert "purge SESSION_ID" in tofctl("-h")
    assert tofctl("-V").startswith("tofctl ")


def test_wrong_command_lines(tofctl):
    for args in ((), ("nothing",), ("add", "edge"), ("services", "x"),
                 ("-x",), ("session",), ("-t", "/nonexistent", "status"),
                 ("-u", "gopher://x", "status")):
        tofctl(*args, expect=2)


def test_no_server(tofctl):
    tofctl("status", expect=3, url=f"http://127.0.0.1:{free_port()}")
    tofctl("-u", "unix:/nonexistent", "status", expect=3)


def test_unix_socket_and_token(tofctl, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    path = str(tmp_path / "api.sock")
    with Driver("-u", path, "-t", str(token)):
        tofctl("-u", "unix:" + path, "services", expect=1)
        tofctl("-u", "unix:" + path, "-t", str(token), "services")


def test_health_of_an_ill_tof(tofctl):
    with Driver("-m", "openflow") as running:
        assert "openflow" in tofctl("health", expect=1,
                                    url=f"http://{running.address}")
