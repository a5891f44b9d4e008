# SPDX-License-Identifier: GPL-3.0-or-later
"""The REST API's server as such: clients that misbehave or leave, tokens, TLS,
other sockets, the end.  With rest_driver only."""

import concurrent.futures
import os
import signal
import socket
import ssl
import subprocess
import time

import pytest
import requests
from restdriver import (
    DRIVER, PATIENCE, WRAPPER, Client, Driver, Rest, free_port)

from tofnet import statelet
from tofnet.lab import TOP
from tofnet.wait import wait_until

if "TOF_URL" in os.environ:
    pytest.skip("only with rest_driver", allow_module_level=True)

TOKEN = "s3cret-token"
GET = "GET /service HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(name, ip, extra=""):
    body = (f'{{"name":"{name}","serviceIP":"{ip}",'
            '"applicationIP":"192.168.100.10"}')
    return (f"POST /service HTTP/1.1\r\nHost: localhost\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n{body}")


@pytest.fixture
def driver():
    with Driver("-s", "1000") as running:
        yield running


@pytest.fixture
def rest(driver):
    return Rest(f"http://127.0.0.1:{driver.port}")


def wait_for(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
    return True


# Clients that misbehave.

def test_client_leaves_while_suspended(driver, rest):
    for i in range(20):
        client = driver.connect()
        client.send(post(f"slow-{i}", f"198.51.100.{i + 1}"))
        client.close()
    # What was asked for is done all the same.
    assert wait_for(lambda: len(rest.services()) == 20)
    rest.call("GET", "/healthz", 200)


def test_client_resets_while_suspended(driver, rest):
    for i in range(20):
        client = driver.connect()
        client.send(GET + post(f"slow-{i}", f"198.51.100.{i + 1}"))
        # With this answer the server has read the other request also.
        client.read_until("\r\n\r\n")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 b"\1\0\0\0\0\0\0\0")
        client.close()
    assert wait_for(rest.services)


def test_client_leaves_at_any_byte(driver, rest):
    text = post("edge", "198.51.100.10")
    for i in range(len(text)):
        client = driver.connect()
        client.send(text[:i])
        client.close()
    # One address has so many connections at most, until it is seen that they
    # have been closed.
    wait_until(lambda: rest.call("GET", "/healthz", 200),
               what="the server to have seen all of them leave")
    assert rest.services() == []


def test_client_closes_its_side(driver, rest):
    client = driver.connect()
    client.send(post("slow-1", "198.51.100.1"))
    client.socket.shutdown(socket.SHUT_WR)
    client.read_all()
    assert wait_for(lambda: len(rest.services()) == 1)


def test_pipelined_requests(driver):
    client = driver.connect()
    client.send(post("slow-1", "198.51.100.1") + post("slow-2", "198.51.100.2")
                + GET + "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"
                + "DELETE /service/slow-1 HTTP/1.1\r\nHost: localhost\r\n"
                "Connection: close\r\n\r\n")
    answers = client.read_all()
    statuses = [line.split()[1] for line in answers.splitlines()
                if line.startswith("HTTP/1.1 ")]
    assert statuses == ["200", "200", "200", "404", "200"]


def test_byte_by_byte(driver):
    client = driver.connect()
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in post("edge", "198.51.100.10"):
        client.send(byte)
    assert " 200 " in client.read_until("\r\n\r\n")


def test_absolute_target(driver):
    client = driver.connect()
    client.send("GET http://example.com/service HTTP/1.1\r\n"
                "Host: localhost\r\n"
                "Connection: close\r\n\r\n")
    assert client.read_all().endswith("[]\n")


def test_exports_beside_each_other(rest):
    """Each is whole, also those that share a connection."""
    n = len(rest.snapshot())

    def exports(_):
        own = Rest(rest.url, rest.contract)
        for _ in range(3):
            assert len(own.snapshot()) == n
            own.call("HEAD", "/statelet", 200)
        own.session.close()

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        for _ in pool.map(exports, range(10)):
            pass


def test_client_leaves_during_an_export():
    with Driver("-s", "100000") as driver:
        for i in range(20):
            client = driver.connect()
            client.send("GET /statelet HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if i % 2:
                assert client.socket.recv(1)
            client.close()
        rest = Rest(f"http://127.0.0.1:{driver.port}")
        assert len(rest.snapshot()) == 66666


def test_export_to_an_http_1_0_client(driver, rest):
    """It ends with the connection."""
    client = driver.connect()
    client.send("GET /statelet HTTP/1.0\r\n\r\n")
    head, data = client.read_bytes().split(b"\r\n\r\n", 1)
    assert b"chunked" not in head
    assert len(data) == len(rest.snapshot()) * statelet.LEN


def test_export_is_not_kept_in_memory():
    with Driver("-s", "300000") as driver:
        client = driver.connect()
        before = driver.memory()
        client.send("GET /statelet HTTP/1.0\r\n\r\n")
        assert len(client.read_bytes()) > 200000 * 128
        assert driver.memory() - before < 4 << 20


def test_http_1_0(driver):
    client = driver.connect()
    client.send("GET /service HTTP/1.0\r\n\r\n")
    assert client.read_all().endswith("[]\n")


@pytest.mark.parametrize("text", [
    "\r\n\r\n", "x\r\n\r\n", "GET\r\n\r\n", "GET /service\r\n\r\n",
    "GET  /service HTTP/9.9\r\n\r\n", "\0" * 100, "G" * 100000,
    "GET /" + "a" * 100000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET / HTTP/1.1\r\n" + "A: b\r\n" * 20000 + "\r\n",
    "POST /service HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "POST /service HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
    "99999999999999999999999\r\n\r\n",
    "POST /service HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    "POST /service HTTP/1.1\r\nHost: localhost\r\n"
    "Transfer-Encoding: chunked\r\n\r\n"
    "zzz\r\n", "\x16\x03\x01\x02\x00\x01\x00",
], ids=lambda t: repr(t)[:30])
def test_not_http(driver, rest, text):
    client = driver.connect()
    try:
        client.send(text)
        assert b" 200 " not in client.read_some(0.5)
    except OSError:
        pass                    # Closed on it, which is as good.
    client.close()
    rest.call("GET", "/healthz", 200)


def test_expect_continue(driver):
    """An answer known early comes before the body."""
    client = driver.connect()
    client.send("POST /service HTTP/1.1\r\nHost: localhost\r\n"
                "Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
    assert client.read_until("\r\n\r\n").startswith("HTTP/1.1 413 ")
    client = driver.connect()
    client.send("POST /service HTTP/1.1\r\nHost: localhost\r\n"
                "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert client.read_until("\r\n\r\n").startswith("HTTP/1.1 100 ")
    client.send("{}")
    assert " 400 " in client.read_until("\r\n\r\n")


def test_slow_clients(driver, rest):
    """A silent client is closed after 15 s, one that sends a byte now and
    then after 30 s; others are served meanwhile."""
    silent, dripping = driver.connect(), driver.connect()
    dripping.send("POST /service HTTP/1.1\r\n")
    started = time.monotonic()
    ended = {}
    while len(ended) < 2 and time.monotonic() - started < 50:
        for name, client in (("silent", silent), ("dripping", dripping)):
            if name not in ended and client.is_closed_within(0.5):
                ended[name] = time.monotonic() - started
        if "dripping" not in ended:
            try:
                dripping.send("X: y\r\n")
            except (BrokenPipeError, ConnectionResetError):
                pass
        rest.call("GET", "/healthz", 200)
    assert 12 < ended["silent"] < 20
    assert 25 < ended["dripping"] < 40


HOLD = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "


def held(driver, n, source="127.0.0.1"):
    """So many connections from 'source' that ask for nothing yet."""
    clients = []
    for _ in range(n):
        client = driver.connect(source)
        try:
            client.send(HOLD)
        except OSError:
            pass                # Given up again.
        clients.append(client)
    return clients


def asks(driver, source="127.0.0.1"):
    """How long an answer takes to one who comes and asks."""
    started = time.monotonic()
    client = driver.connect(source)
    client.send(GET)
    assert " 200 " in client.read_until("\r\n\r\n")
    client.close()
    return time.monotonic() - started


def metric(rest, name):
    text = rest.call("GET", "/metrics", 200).text
    return int(next(line.rsplit(" ", 1)[1] for line in text.splitlines()
                    if line.startswith(name + " ")))


GIVEN_UP = "tof_api_clients_given_up_total"


@pytest.mark.parametrize("sources", [
    ["127.0.0.1"], [f"127.0.0.{i}" for i in range(2, 9)]],
    ids=["one-address", "many-addresses"])
def test_who_asks_is_answered_though_others_hold_connections(driver, rest,
                                                             sources):
    """Those that hold them come back at once; the one who asks has one of
    their addresses."""
    others = []
    for _ in range(2):
        for source in sources:
            others += held(driver, 300 // len(sources), source)
        assert asks(driver, sources[0]) < PATIENCE / 5
    reason = "address" if len(sources) == 1 else "connections"
    assert metric(rest, f'{GIVEN_UP}{{reason="{reason}"}}') > 100
    assert metric(rest, "tof_api_clients_refused_total") == 0
    for client in others:
        client.close()


def test_an_address_with_many_connections_costs_others_none(driver):
    first = driver.connect("127.0.0.2")
    first.send(HOLD)
    others = held(driver, 300)
    first.send("y\r\n\r\n")
    assert " 200 " in first.read_until("\r\n\r\n")
    assert all(client.is_closed_within(PATIENCE) for client in others[:236])
    assert not any(client.is_closed_within(0) for client in others[236:])


def test_who_waits_for_a_change_is_not_given_up(driver):
    waiting = driver.connect()
    waiting.send(post("slow-1", "198.51.100.1"))
    others = held(driver, 100)
    assert " 200 " in waiting.read_until("\r\n\r\n")
    for client in others:
        client.close()


LISTING = "GET /session?limit=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_answers_that_nobody_reads_are_not_kept_in_memory():
    """The first ones make room; who reads gets all of his."""
    n = 4096                    # As many as a page has at most.
    with Driver("-s", str(n)) as driver:
        rest = Rest(f"http://127.0.0.1:{driver.port}")
        whole = rest.call("GET", "/session?limit=10000", 200)
        assert len(whole.json()) == n and len(whole.content) > 1 << 20
        before = driver.memory()
        others = [driver.connect() for _ in range(60)]
        for client in others:
            client.send(LISTING)
        wait_for(lambda: metric(rest, f'{GIVEN_UP}{{reason="memory"}}'),
                 PATIENCE)
        whole = rest.call("GET", "/session?limit=10000", 200)
        assert len(whole.json()) == n
        assert driver.memory() - before < 100 << 20
        for client in others:
            client.close()
        wait_for(lambda: metric(rest, "tof_api_answer_bytes") == 0, PATIENCE)


def test_lines_about_refused_changes_are_bounded(token_file):
    """Anybody can ask, but not fill the log."""
    running = Driver("-t", token_file)
    client = running.connect()
    for i in range(300):
        client.send(post(f"x-{i}", "198.51.100.1"))
        assert " 401 " in client.read_until("}")
    rest = Rest(f"http://127.0.0.1:{running.port}",
                headers={"Authorization": "Bearer " + TOKEN})
    dropped = metric(rest, "tof_api_refusals_unlogged_total")
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(timeout=PATIENCE)
    log = running.said()
    assert log.count("audit: ") == 300 - dropped < 150


# A million sessions.

def ran(driver):
    """Processor time of a driver so far, in seconds."""
    with open(f"/proc/{driver.process.pid}/schedstat",
              encoding="ascii") as stat:
        return int(stat.read().split()[0]) / 1e9


@pytest.fixture(scope="module")
def million():
    with Driver("-s", "1000000") as running:
        yield running


@pytest.mark.parametrize("path", [
    "/session?limit=25", "/session?limit=10000", "/session?enb=10.9.9.9",
    "/session?state=stale&sgw=10.9.9.9", "/session?ue=10.50.0.1", "/peer",
    "/status", "/metrics", "/history", "/service", "/"])
def test_no_request_takes_long_with_a_million_sessions(million, path):
    """Less than 100 ms of the processor's time."""
    rest = Rest(f"http://127.0.0.1:{million.port}")
    before = ran(million)
    rest.call("GET", path, 200)
    assert ran(million) - before < 0.1


def test_what_is_rare_is_found_page_by_page(million):
    """A page that finds nothing leads on."""
    rest = Rest(f"http://127.0.0.1:{million.port}")
    path, pages = "/session?enb=10.9.9.9", 0
    while path:
        answer = rest.call("GET", path, 200)
        assert answer.json() == []
        path = answer.links.get("next", {}).get("url")
        pages += 1
    assert 5 < pages < 20


# The end.

def test_ends_with_requests_under_way():
    running = Driver("-s", "1000")
    clients = [running.connect() for _ in range(30)]
    for i, client in enumerate(clients):
        client.send(post(f"slow-{i}", f"198.51.100.{i + 1}") if i % 3
                    else "GET /session?limit=10000 HTTP/1.1\r\n"
                    "Host: localhost\r\n\r\n"
                    if i % 2 else post("half", "198.51.100.99")[:-5])
    assert " 200 " in clients[3].read_until("\r\n\r\n")
    running.stop()


# Access.

@pytest.fixture
def token_file(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    return str(file)


@pytest.mark.parametrize("header, status", [
    (None, 401), ("", 401), ("Bearer", 401), ("Bearer ", 401),
    ("Bearer wrong", 401), ("Bearer " + TOKEN[:-1], 401),
    ("Bearer " + TOKEN + "x", 401), ("Bearer " + TOKEN + TOKEN, 401),
    ("Basic " + TOKEN, 401), (TOKEN, 401),
    ("Bearer " + TOKEN, 200), ("bearer " + TOKEN, 200),
])
def test_token(token_file, header, status):
    with Driver("-t", token_file) as running:
        url = f"http://127.0.0.1:{running.port}"
        headers = {} if header is None else {"Authorization": header}
        contract = Rest(url, headers={
            "Authorization": "Bearer " + TOKEN}).contract
        for method, path in (("GET", "/service"), ("POST", "/service"),
                             ("DELETE", "/service/x"), ("GET", "/nothing"),
                             ("PATCH", "/service")):
            answer = requests.request(method, url + path, headers=headers,
                                      timeout=15)
            contract.check(method, path, answer)
            assert (answer.status_code == 401) == (status == 401)
            assert ("WWW-Authenticate" in answer.headers) == (status == 401)
            if status == 401:
                assert "Allow" not in answer.headers
        answer = requests.get(url + "/healthz", timeout=15)
        assert answer.status_code == 200


@pytest.mark.parametrize("content, text", [
    (b"\0secret\n", "has a NUL byte"), (b"sec\0ret\n", "has a NUL byte"),
    (b"\0", "has a NUL byte"), (b"", "has no text"),
    (b" \t\r\n\n", "has no text"), (b" secret\n", "begins with a space"),
    (b"one\ntwo\n", "is no token"), (b"tab\there\n", "is no token"),
    (b"x" * 4097, "is too long for a token"), (b"x" * 70000, "is too long"),
    (None, "Is a directory"),
], ids=range(11))
def test_token_file_that_is_none(tmp_path, content, text):
    """It is said at the start, not when the first client comes."""
    file = tmp_path / "token"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    done = subprocess.run(
        [*WRAPPER, str(DRIVER), "-l", f"127.0.0.1:{free_port()}",
         "-t", str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert f"api.token_file: {file}: {text}" in done.stderr


@pytest.mark.parametrize("content", [
    TOKEN, TOKEN + " \t\r\n", TOKEN + "\n\n", "x" * 4096, "with spaces in it"],
    ids=range(5))
def test_token_is_a_line(tmp_path, content):
    """Without white space at its end."""
    file = tmp_path / "token"
    file.write_text(content)
    with Driver("-t", str(file)) as running:
        url = f"http://127.0.0.1:{running.port}"
        for token, status in ((content.strip(), 200), ("", 401), ("x", 401)):
            answer = requests.get(url + "/service", timeout=15, headers={
                "Authorization": "Bearer " + token})
            assert answer.status_code == status


def test_unix_socket(tmp_path):
    path = str(tmp_path / "api.sock")
    with Driver("-u", path) as running:
        client = Client(running.port)
        client.close()
        client.socket = socket.socket(socket.AF_UNIX)
        client.socket.connect(path)
        client.send("GET /service HTTP/1.0\r\n\r\n")
        assert client.read_all().endswith("[]\n")
        assert os.stat(path).st_mode & 0o007 == 0
    assert not os.path.exists(path)


    # A name means nothing there: no browser comes that way.
    with Driver("-u", path) as running:
        client = Client(running.port)
        client.close()
        client.socket = socket.socket(socket.AF_UNIX)
        client.socket.connect(path)
        client.send("GET /service HTTP/1.1\r\nHost: anything\r\n"
                    "Connection: close\r\n\r\n")
        assert client.read_all().endswith("[]\n")


@pytest.mark.parametrize("headers", [
    {"Host": "attacker.example"}, {"Origin": "http://attacker.example"},
    {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
    {"Host": "attacker.example", "Origin": "http://attacker.example"},
], ids=str)
def test_pages_of_other_sites_change_nothing(driver, rest, headers):
    for method, path in (("POST", "/service"), ("DELETE", "/service/edge"),
                         ("GET", "/service"), ("GET", "/healthz")):
        answer = rest.call(method, path, 403, headers=headers, json={
            "name": "edge", "serviceIP": "198.51.100.10",
            "applicationIP": "192.168.100.10"} if method == "POST" else None)
        assert answer.json()["detail"].startswith("The header ")
    assert rest.services() == []


@pytest.mark.parametrize("headers", [
    {}, {"Host": "localhost"}, {"Host": socket.gethostname()},
    {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"},
], ids=str)
def test_clients_of_this_host_are_answered(rest, headers):
    rest.call("GET", "/service", 200, headers=headers)


@pytest.mark.parametrize("args, listens", [
    ([], False), (["-a"], True), (["-t"], True)], ids=str)
def test_other_hosts_need_a_token(token_file, args, listens):
    """Or that somebody has said that they need none."""
    port = free_port()
    args = args + [token_file] * (args == ["-t"])
    with Driver(*args, listen=f"0.0.0.0:{port}"):
        with socket.socket() as client:
            error = client.connect_ex(("127.0.0.1", port))
    assert (not error) == listens


def test_changes_leave_a_line(tmp_path):
    running = Driver("-s", "1000")
    rest = Rest(f"http://127.0.0.1:{running.port}")
    rest.add("edge", "198.51.100.10")
    rest.call("DELETE", "/service/no%0Aline", 404)
    rest.services()
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(timeout=30)
    log = running.said()
    lines = [line.split("audit: ")[1] for line in log.splitlines()
             if "audit: " in line]
    assert len(lines) == 2, log
    assert lines[0].startswith("127.0.0.1:")
    assert lines[0].endswith(": POST /service (edge: 198.51.100.10 to "
                             "192.168.100.10): 200")
    assert lines[1].endswith(": DELETE /service/no%0Aline: 404")


def test_ipv6():
    port = free_port()
    with Driver(listen=f"[::1]:{port}"):
        Rest(f"http://[::1]:{port}").call("GET", "/healthz", 200)


def test_interface():
    with Driver("-i", "lo") as running:
        Rest(f"http://127.0.0.1:{running.port}").call("GET", "/healthz", 200)


def certify(directory):
    """A new key and certificate, as the same files."""
    key, cert = str(directory / "key.pem"), str(directory / "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True)
    return cert, key


def test_tls(tmp_path):
    cert, key = certify(tmp_path)
    with Driver("-c", cert, "-k", key, "-s", "1000") as running:
        rest = Rest(f"https://127.0.0.1:{running.port}", verify=cert)
        rest.add("slow-1", "198.51.100.10")
        assert len(rest.call("GET", "/session?limit=1000").json()) == 1000
        client = running.connect()
        client.send(GET)
        assert " 200 " not in client.read_all()
        rest.call("DELETE", "/service/slow-1", 200)


# What is read again while it runs.

def certificate_of(running):
    return ssl.get_server_certificate(("127.0.0.1", running.port),
                                      timeout=PATIENCE).strip()


def text_of(file):
    with open(file, encoding="ascii") as f:
        return f.read().strip()


def test_another_certificate(tmp_path):
    """The Unix socket's connections are left alone, and so is what has been
    asked for by those that are closed."""
    cert, key = certify(tmp_path)
    unix = str(tmp_path / "api.sock")
    with Driver("-c", cert, "-k", key, "-u", unix) as running:
        first = certificate_of(running)
        rest = Rest(f"https://127.0.0.1:{running.port}", verify=False)
        local = socket.socket(socket.AF_UNIX)
        local.connect(unix)
        asking = concurrent.futures.ThreadPoolExecutor()
        asked = [asking.submit(rest.add, f"slow-{i}", f"198.51.100.1{i}")
                 for i in range(3)]
        local.sendall(post("slow-9", "198.51.100.19").encode())
        time.sleep(0.1)
        certify(tmp_path)
        assert running.reload() == "reloaded"
        assert certificate_of(running) == text_of(cert) != first
        assert b" 200 " in local.recv(65536)
        for one in asked:
            one.exception()
        names = {s["name"] for s in rest.call("GET", "/service", 200).json()}
        assert "slow-9" in names
        local.close()


def test_a_certificate_that_does_not_fit_changes_nothing(tmp_path):
    cert, key = certify(tmp_path)
    with Driver("-c", cert, "-k", key) as running:
        first, old_key = certificate_of(running), text_of(key)
        certify(tmp_path)
        with open(key, "w", encoding="ascii") as f:
            f.write(old_key)
        assert "not usable" in running.reload()
        assert certificate_of(running) == first


def test_another_token(token_file):
    with Driver("-t", token_file) as running:
        def status(token):
            return requests.get(
                f"http://127.0.0.1:{running.port}/service", timeout=PATIENCE,
                headers={"Authorization": f"Bearer {token}"}).status_code

        assert (status(TOKEN), status("other")) == (200, 401)
        with open(token_file, "w", encoding="ascii") as f:
            f.write("other\n")
        assert running.reload() == "reloaded"
        assert (status(TOKEN), status("other")) == (401, 200)
        with open(token_file, "w", encoding="ascii"):
            pass
        assert "has no text" in running.reload()
        assert status("other") == 200


@pytest.mark.parametrize("option", [["-t"], []], ids=["check", "run"])
def test_a_wrong_file_is_a_wrong_configuration(tmp_path, option):
    """So a reload finds it, and no init system tries again and again."""
    path = tmp_path / "tof.yaml"
    path.write_text("s1u: {enb: a, sgw: b}\n"
                    "apps: {interface: c, address: 192.168.100.1/24}\n"
                    "api: {token_file: /nonexistent}\n")
    done = subprocess.run([os.path.join(TOP, "tofd"), *option, "-c", path],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 78, done.stderr
    assert "api.token_file: /nonexistent: No such file" in done.stderr


@pytest.mark.parametrize("args, text", [
    (["-l", "127.0.0.1:{busy}"], "127.0.0.1:{busy}: bind: Address already"),
    (["-a", "-l", "192.0.2.1:80"], "bind: Cannot assign requested address"),
    (["-l", "localhost"], "is not ADDRESS:PORT"),
    (["-l", "127.0.0.1:99999"], "is not ADDRESS:PORT"),
    (["-l", "127.0.0.1:{free}", "-i", "nosuchif0"], "nosuchif0: No such dev"),
    (["-l", "127.0.0.1:{free}", "-t", "/nonexistent"],
     "api.token_file: /nonexistent: No such file"),
    (["-l", "127.0.0.1:{free}", "-t", "/dev/null"], "has no text"),
    (["-l", "127.0.0.1:{free}", "-c", "/etc/hostname"], "one needs the other"),
    (["-l", "127.0.0.1:{free}", "-c", "/etc/hosts", "-k", "/etc/hosts"],
     "api.tls_cert, api.tls_key: not usable"),
    (["-u", "/nonexistent/api.sock"], "api.unix: cannot listen on"),
])
def test_cannot_start(args, text):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        names = {"busy": busy.getsockname()[1], "free": free_port()}
        done = subprocess.run(
            [*WRAPPER, str(DRIVER), *(arg.format(**names) for arg in args)],
            capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert text.format(**names) in done.stderr
