# SPDX-License-Identifier: GPL-3.0-or-later
"""What one TOF tells another one, as a test says it (tofnet.statelet), and both
ends of such a stream."""

import dataclasses
import ipaddress
import socket
import struct
import time

from .netns import call_in
from .statelet import LEN, OPERATION, UP_TEID, sign

BEARER, INVALID, GONE, PATH, ALIVE = range(1, 6)
_HEAD = struct.Struct("!4sBBHBBBBIIIIQ")
PROVED, DIVERTED = 1, 4


def _addr(text):
    a = ipaddress.ip_address(text)
    return a.packed if a.version == 6 else b"\0" * 10 + b"\xff\xff" + a.packed


@dataclasses.dataclass
class Statelet:
    """A bearer, as fresh as can be."""
    ue: str
    up_teid: int
    down_teid: int
    op: int = BEARER
    enb: str = "10.1.0.1"
    sgw: str = "10.1.0.2"
    down_enb: str = None
    down_sgw: str = None
    flags: int = PROVED | DIVERTED
    heard_age: int = 0          # Each in units of 10 ms.
    seen_age: int = 0
    proved_age: int = 0
    number: int = 1
    version: int = 1
    time_ms: int = None

    def encode(self):
        time_ms = int(time.time() * 1000) if self.time_ms is None \
            else self.time_ms
        body = _HEAD.pack(b"TOFS", self.version, self.op, 0, self.flags, 0, 0,
                          0, self.number, self.number, self.up_teid,
                          self.down_teid, time_ms)
        for a in (self.ue, self.enb, self.sgw, self.down_enb or self.enb,
                  self.down_sgw or self.sgw):
            body += _addr(a)
        body += struct.pack("!BHHHB", 0, self.heard_age, self.seen_age,
                            self.proved_age, 0)
        return sign(body + bytes(4))


def alive():
    """Nothing else to say."""
    body = _HEAD.pack(b"TOFS", 1, ALIVE, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                      int(time.time() * 1000))
    return sign(body.ljust(LEN, b"\0"))


def op_of(record):
    return record[OPERATION]


def teids_of(record):
    return struct.unpack_from("!II", record, UP_TEID)


def ends(stream):
    """Waits until the other side closes the connection, whatever it says
    before that."""
    try:
        while stream.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


class Leader:
    """What a TOF follows, and is none: the test says what it says."""

    def __init__(self, ns, address, port):
        self.address = f"{address}:{port}"
        self._listener = call_in(ns, socket.create_server, (address, port))
        self._listener.settimeout(10)
        self.stream = None

    def accept(self):
        """Until it is connected to, maybe again."""
        self.drop()
        self.stream, _ = self._listener.accept()
        self.stream.settimeout(10)
        return self

    def say(self, data):
        self.stream.sendall(data)

    def is_left(self):
        return ends(self.stream)

    def drop(self):
        if self.stream:
            self.stream.close()
            self.stream = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop()
        self._listener.close()


class Follower:
    """What follows a TOF, and is none.  It is cut off after a few seconds, as
    it says only once that it is alive."""

    def __init__(self, ns, address, port):
        self.stream = call_in(ns, socket.create_connection, (address, port),
                              10)
        self.stream.sendall(alive())

    def record(self):
        """The next one; b"" at the end."""
        data = b""
        while len(data) < LEN:
            more = self.stream.recv(LEN - len(data))
            if not more:
                return b""
            data += more
        return data

    def until(self, op, up_teid):
        """All records up to the first one that says 'op' of that tunnel."""
        records = []
        while not records or (op_of(records[-1]), teids_of(records[-1])[0]) \
                != (op, up_teid):
            records.append(self.record())
            assert records[-1], "the end, and it was not said"
        return records

    def is_cut_off(self):
        return ends(self.stream)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
