# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ends of a stream between TOFs, and what is said there: Follower connects
to a tofd, Leader waits for one that follows.  Either is a context manager."""

import dataclasses
import ipaddress
import socket
import struct
import time

from . import netns
from .statelet import LEN, sign

BEARER, INVALID, GONE, PATH, ALIVE = range(1, 6)
PROVED, BESIDE, DIVERTED = 1, 2, 4
HEAD = struct.Struct("!4sBBHBBBBIIIIQ")
AGE_UNIT = 10                   # ms.


def _put(address):
    a = ipaddress.ip_address(address)
    return a.packed if a.version == 6 else bytes(10) + b"\xff\xff" + a.packed


def _get(data):
    a = ipaddress.IPv6Address(data)
    return str(a.ipv4_mapped or a)


@dataclasses.dataclass
class Statelet:
    op: int
    time_ms: int = 0
    flags: int = 0
    teid_up: int = 0
    teid_down: int = 0
    addresses: tuple = ("::",) * 5      # UE, eNodeB, SGW, downlink ones.
    ages: tuple = (0, 0, 0)             # Heard, seen, proved, ms.
    qfi: int = 0                        # Of the downlink tunnel.

    def encode(self):
        data = HEAD.pack(b"TOFS", 1, self.op, 0, self.flags, self.qfi, 0, 0,
                         0x100, 0x100, self.teid_up, self.teid_down,
                         self.time_ms)
        data += b"".join(map(_put, self.addresses)) + b"\0"
        data += struct.pack("!3Hx", *(a // AGE_UNIT for a in self.ages))
        return sign(data + bytes(4))

    @staticmethod
    def decode(data):
        assert data[:5] == b"TOFS\x01" and len(data) == LEN, data
        assert sign(data) == data
        head = HEAD.unpack_from(data)
        return Statelet(
            head[2], head[12], head[4], head[10], head[11],
            tuple(_get(data[i:i + 16]) for i in range(36, 116, 16)),
            tuple(a * AGE_UNIT for a in struct.unpack_from("!3H", data, 117)))

    @property
    def ue(self):
        return self.addresses[0]


def alive(time_ms):
    return Statelet(ALIVE, time_ms).encode()


class Stream:
    def __init__(self, sock):
        self.sock = sock
        self._rest = b""

    def say(self, *statelets):
        self.sock.sendall(b"".join(s.encode() for s in statelets))

    def hear(self, wanted, timeout=5):
        """The next one for which wanted() holds; TimeoutError if none."""
        end = time.monotonic() + timeout
        while True:
            while len(self._rest) < LEN:
                self.sock.settimeout(max(0.001, end - time.monotonic()))
                more = self.sock.recv(65536)
                if not more:
                    raise ConnectionError("the stream has ended")
                self._rest += more
            s = Statelet.decode(self._rest[:LEN])
            self._rest = self._rest[LEN:]
            if wanted(s):
                return s

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


class Follower(Stream):
    def __init__(self, address, ns="lab-tof"):
        super().__init__(netns.call_in(ns, socket.create_connection,
                                       address, 5))


class Leader:
    """Where TOFs connect that follow."""

    def __init__(self, address, ns="lab-tof"):
        self.server = netns.call_in(ns, socket.create_server, address)

    def accept(self, timeout=10):
        self.server.settimeout(timeout)
        return Stream(self.server.accept()[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()
