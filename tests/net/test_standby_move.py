# SPDX-License-Identifier: GPL-3.0-or-later
"""UEs with connections, whose packets the network sends to another TOF from
one moment on: S1-U of both ways, and then what the App answers."""

import contextlib
import socket
import threading
import time

import pytest

from tofnet.lab import APP, APP6
from tofnet.netns import call_in
from tofnet.service import service_of
from tofnet.wait import wait_until

PORT = 8080
CHUNK = bytes(range(256)) * 64          # 16 KiB
TRANSFER = 128 * CHUNK

ues = pytest.mark.parametrize("address", ["10.45.11.1", "2001:db8:11:1::1"],
                              ids=["IPv4", "IPv6"])


@pytest.fixture
def shared(both):
    """Both TOFs lead to one App."""
    if "app1" not in both.pair.a.run("lab-app", "ip", "-br", "link").stdout:
        both.pair.share_app()
    both.pair.app_by(both.pair.a)
    yield both
    both.pair.app_by(both.pair.a)


def app_of(address):
    return APP6 if ":" in address else APP


class App:
    """Listens in the App's host; serve(socket) is called for one
    connection."""

    def __init__(self, address, serve):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = call_in("lab-app", lambda: socket.create_server(
            (app_of(address), PORT), family=family))
        self._serve, self._stream = serve, None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with contextlib.suppress(OSError):
            self._stream, _ = self._listener.accept()
            self._serve(self._stream)

    def close(self):
        for s in (self._listener, self._stream):
            if s:
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)
                s.close()
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def slowly(stream):
    """All of TRANSFER in several seconds."""
    for at in range(0, len(TRANSFER), len(CHUNK)):
        stream.sendall(TRANSFER[at:at + len(CHUNK)])
        time.sleep(0.02)


def connect(ue, address):
    stream = ue.socket(socket.SOCK_STREAM)
    stream.settimeout(20)
    stream.connect((service_of(address), PORT))
    return stream


def read(stream, size):
    data = b""
    while len(data) < size:
        more = stream.recv(size - len(data))
        assert more, "it has ended"
        data += more
    return data


def migrate(both, ue):
    both.there.take_over_ue(ue)
    both.pair.app_by(both.pair.b)


def read_until_migrated(both, ue, stream):
    """A quarter of TRANSFER, which comes by way of the first TOF."""
    data = read(stream, len(TRANSFER) // 4)
    both.told(ue.bearer)
    migrate(both, ue)
    return data


@ues
def test_download_goes_on(shared, address):
    """The App sends, the UE only acknowledges."""
    with App(address, slowly):
        ue = shared.net.ue(address)
        with connect(ue, address) as stream:
            data = read_until_migrated(shared, ue, stream)
            data += read(stream, len(TRANSFER) - len(data))
        assert data == TRANSFER
        assert shared.there.enb.frames, "not by way of the second TOF"


@ues
def test_upload_goes_on(shared, address):
    got = []
    with App(address, lambda s: got.append(read(s, len(TRANSFER)))):
        ue = shared.net.ue(address)
        with connect(ue, address) as stream:
            sender = threading.Thread(target=slowly, args=(stream,))
            sender.start()
            wait_until(lambda: shared.b.session_of(address),
                       what="the UE to be told")
            shared.told(ue.bearer)
            migrate(shared, ue)
            sender.join()
            wait_until(lambda: got, 20, "all of it")
    assert got == [TRANSFER]
    assert shared.there.enb.frames, "not by way of the second TOF"


@ues
def test_idle_connection_goes_on_with_the_ues_next_word(shared, address):
    def answers(stream):
        while word := stream.recv(100):
            stream.sendall(word.upper())

    with App(address, answers):
        ue = shared.net.ue(address)
        with connect(ue, address) as stream:
            stream.sendall(b"here")
            assert read(stream, 4) == b"HERE"
            shared.told(ue.bearer)
            migrate(shared, ue)
            stream.sendall(b"there")
            assert read(stream, 5) == b"THERE"


@ues
def test_there_and_back(shared, address):
    with App(address, slowly):
        ue = shared.net.ue(address)
        with connect(ue, address) as stream:
            data = read_until_migrated(shared, ue, stream)
            data += read(stream, len(TRANSFER) // 4)
            shared.net.take_over_ue(ue)
            shared.pair.app_by(shared.pair.a)
            data += read(stream, len(TRANSFER) - len(data))
        assert data == TRANSFER
