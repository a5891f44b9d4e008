# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts rest_driver, and calls a REST API, the driver's or a real tofd's."""

import http.client
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import tempfile
import urllib.parse

import pytest
import requests
from openapi import Contract

from tofnet import statelet, wait

TOP = pathlib.Path(__file__).resolve().parents[2]
DRIVER = pathlib.Path(os.environ.get("TOF_REST_DRIVER",
                                     TOP / "tests/net/rest_driver"))
WRAPPER = os.environ.get("TOF_REST_WRAPPER", "").split()
PATIENCE = (60 if WRAPPER else 20) * wait.PATIENCE


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Driver:
    """A running rest_driver; 'args' beside -l, which it chooses itself
    unless 'listen' is given."""

    def __init__(self, *args, listen=None):
        if not os.access(DRIVER, os.X_OK):
            pytest.skip(f"{DRIVER} is not built")
        self.port = free_port()
        self.address = listen or f"127.0.0.1:{self.port}"
        # Not a pipe, which would be full some day.
        self.errors = tempfile.TemporaryFile("a+")
        self.process = subprocess.Popen(
            [*WRAPPER, str(DRIVER), "-l", self.address, *args],
            stdout=subprocess.PIPE, stderr=self.errors, text=True)
        assert self.process.stdout.readline() == "ready\n", self.said()

    def said(self):
        """What it has said on standard error."""
        self.errors.seek(0)
        return self.errors.read()

    def stop(self):
        """Ends it; what it leaks or does wrong fails the test."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, self.said()
        self.errors.close()

    def reload(self):
        """What it says of it."""
        self.process.send_signal(signal.SIGHUP)
        return self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    def connect(self, source="127.0.0.1"):
        return Client(self.port, source)

    def memory(self):
        """The most it has taken so far, in bytes."""
        with open(f"/proc/{self.process.pid}/status",
                  encoding="ascii") as status:
            return 1024 * int(re.search(r"VmHWM:\s*(\d+)",
                                        status.read()).group(1))


class Client:
    """A bare connection, for what no HTTP library would send."""

    def __init__(self, port, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port),
                                               timeout=PATIENCE,
                                               source_address=(source, 0))

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes)
                            else text.encode())

    def read_until(self, text):
        """Reads until 'text' has come; returns all that came."""
        got = b""
        while text.encode() not in got:
            piece = self.socket.recv(65536)
            assert piece, f"closed after {got!r}"
            got += piece
        return got.decode()

    def read_bytes(self):
        """Reads until the server closes."""
        got = []
        try:
            while piece := self.socket.recv(65536):
                got.append(piece)
        except ConnectionResetError:
            pass
        return b"".join(got)

    def read_all(self):
        return self.read_bytes().decode()

    def read_some(self, seconds):
        """Reads once what comes in that time."""
        ready, _, _ = select.select([self.socket], [], [], seconds)
        return self.socket.recv(65536) if ready else b""

    def is_closed_within(self, seconds):
        ready, _, _ = select.select([self.socket], [], [], seconds)
        try:
            return bool(ready) and not self.socket.recv(65536)
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()


class Rest:
    """The API at 'url'.  Every answer is held against the contract."""

    def __init__(self, url, contract=None, **options):
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        for name, value in options.items():
            setattr(self.session, name, value)
        token = os.environ.get("TOF_TOKEN")
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"
        self.contract = contract or Contract(
            self.session.get(url + "/swagger.json", timeout=PATIENCE).json())

    def call(self, method, path, expect=None, **kwargs):
        answer = self.session.request(method, self.url + path,
                                      timeout=PATIENCE, **kwargs)
        self.contract.check(method, path, answer)
        if expect is not None:
            assert answer.status_code == expect, answer.text
        return answer

    def exact(self, method, path, expect):
        """Like call(), with the path as it is: requests would mend it."""
        url = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(url.netloc, timeout=PATIENCE)
        connection.request(method, path, headers={
            name: value for name, value in self.session.headers.items()
            if name == "Authorization"})
        got = connection.getresponse()
        answer = requests.Response()
        answer.status_code = got.status
        answer.headers.update(got.getheaders())
        answer._content = got.read()
        connection.close()
        self.contract.check(method, path, answer)
        assert answer.status_code == expect, answer.text
        return answer

    def raw(self, method, path, body, expect=None,
            content_type="application/json"):
        headers = {"Content-Type": content_type} if content_type else {}
        return self.call(method, path, expect, data=body, headers=headers)

    def snapshot(self):
        """The session table, as a list of statelets."""
        return statelet.split(self.call("GET", "/statelet", 200).content)

    def post_statelets(self, statelets, expect):
        answer = self.raw("POST", "/statelet", b"".join(statelets), expect,
                          content_type="application/octet-stream")
        return answer.json()

    def services(self):
        return self.call("GET", "/service", 200).json()

    def add(self, name, service_ip, application_ip="192.168.100.10",
            expect=200, **more):
        return self.call("POST", "/service", expect, json=dict(
            name=name, serviceIP=service_ip, applicationIP=application_ip,
            **more))
