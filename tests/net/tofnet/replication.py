# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ends of a stream between TOFs (src/persist/replicate_send.h), and what
is said there: a Follower connects to a tofd, a Leader waits for one that
follows.  Neither says anything by itself; and a tofd says nothing to a
follower that has not said yet that it is alive().  All of them are context
managers."""

import dataclasses
import ipaddress
import socket
import struct
import time

from .emulator import ENB, SGW
from .netns import call_in
from .statelet import LEN, sign

BEARER, INVALID, GONE, PATH, ALIVE = range(1, 6)
PROVED, PAIRED, DIVERTED = 1, 2, 4
_HEAD = struct.Struct("!4sBBHBBBBIIIIQ")
_ADDRESSES = slice(36, 116)
_AGES = struct.Struct("!3H")
_AGES_OFFSET = 117
_AGE_UNIT = 10                  # ms.
_TO_COME = 1 << 62
_ID = 0x100                     # Of bearer and session: slot 1.


def _put(address):
    a = ipaddress.ip_address(address)
    return a.packed if a.version == 6 else bytes(10) + b"\xff\xff" + a.packed


def _get(data):
    a = ipaddress.IPv6Address(data)
    return str(a.ipv4_mapped or a)


@dataclasses.dataclass
class Statelet:
    """A bearer, unless 'op' says something else; as fresh as can be: a record
    of a time to come has not been under way."""
    ue: str
    up_teid: int
    down_teid: int
    op: int = BEARER
    enb: str = ENB
    sgw: str = SGW
    down_enb: str = None        # None: the same.
    down_sgw: str = None
    flags: int = PROVED | DIVERTED
    heard_age: int = 0          # ms.
    seen_age: int = 0
    proved_age: int = 0
    qfi: int = 0                # Of the downlink tunnel.
    time_ms: int = _TO_COME     # By the follower's clock.
    version: int = 1

    def encode(self):
        data = _HEAD.pack(b"TOFS", self.version, self.op, 0, self.flags,
                          self.qfi, 0, 0, _ID, _ID, self.up_teid,
                          self.down_teid, self.time_ms)
        for a in (self.ue, self.enb, self.sgw, self.down_enb or self.enb,
                  self.down_sgw or self.sgw):
            data += _put(a)
        ages = self.heard_age, self.seen_age, self.proved_age
        data += bytes(1) + _AGES.pack(*(a // _AGE_UNIT for a in ages))
        return sign(data.ljust(LEN, b"\0"))

    @staticmethod
    def decode(data):
        """Of PATH and ALIVE only 'op' and 'time_ms' count."""
        assert data[:5] == b"TOFS\x01" and len(data) == LEN, data
        assert sign(data) == data
        head = _HEAD.unpack_from(data)
        a = data[_ADDRESSES]
        ue, enb, sgw, down_enb, down_sgw = (
            _get(a[i:i + 16]) for i in range(0, len(a), 16))
        ages = (a * _AGE_UNIT for a in _AGES.unpack_from(data, _AGES_OFFSET))
        return Statelet(ue, head[10], head[11], head[2], enb, sgw, down_enb,
                        down_sgw, head[4], *ages, head[5], head[12])


def alive(time_ms=1):
    """Nothing else to say, at that time by the clock of who says so."""
    return Statelet("::", 0, 0, op=ALIVE, enb="::", sgw="::", flags=0,
                    time_ms=time_ms)


class Stream:
    TIMEOUT = 10

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(self.TIMEOUT)
        self._rest = b""

    def say(self, *statelets):
        self.send(b"".join(s.encode() for s in statelets))

    def send(self, data):
        """Bytes, of statelets or not."""
        self.sock.settimeout(self.TIMEOUT)
        self.sock.sendall(data)

    def until(self, wanted, timeout=TIMEOUT):
        """What is said up to the first statelet for which wanted() holds;
        TimeoutError if none, ConnectionError at the end of the stream."""
        end = time.monotonic() + timeout
        said = []
        while not said or not wanted(said[-1]):
            while len(self._rest) < LEN:
                self.sock.settimeout(max(0.001, end - time.monotonic()))
                more = self.sock.recv(65536)
                if not more:
                    raise ConnectionError("the stream has ended")
                self._rest += more
            said.append(Statelet.decode(self._rest[:LEN]))
            self._rest = self._rest[LEN:]
        return said

    def hear(self, wanted=lambda _: True, timeout=TIMEOUT):
        """The first one for which wanted() holds, as until()."""
        return self.until(wanted, timeout)[-1]

    def is_ended(self):
        """Waits until the other side ends the stream, whatever it says before
        that."""
        self.sock.settimeout(self.TIMEOUT)
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


class Follower(Stream):
    def __init__(self, address, ns="lab-tof"):
        super().__init__(call_in(ns, socket.create_connection, address,
                                 self.TIMEOUT))


class Leader:
    """Where TOFs connect that follow."""

    def __init__(self, address, ns="lab-tof"):
        self.address = f"{address[0]}:{address[1]}"    # As in tof.yaml.
        self._listener = call_in(ns, socket.create_server, address)
        self._listener.settimeout(Stream.TIMEOUT)

    def accept(self):
        """The stream to the next one that connects."""
        return Stream(self._listener.accept()[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()
