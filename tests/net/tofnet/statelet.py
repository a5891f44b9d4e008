# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of the session table (src/session/statelet.c)."""

LEN = 128
OPERATION, UP_TEID, DOWN_TEID, UE = 5, 20, 24, 36      # Offsets.


def _table():
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
        yield crc


_TABLE = list(_table())


def split(snapshot):
    assert len(snapshot) % LEN == 0
    return [snapshot[i:i + LEN] for i in range(0, len(snapshot), LEN)]


def put(record, offset, new):
    """'record' with 'new' at 'offset', and the checksum that it had."""
    return record[:offset] + new + record[offset + len(new):]


def sign(record):
    """'record' with a checksum that is right (CRC-32C)."""
    crc = 0xffffffff
    for byte in record[:-4]:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xff]
    return record[:-4] + (crc ^ 0xffffffff).to_bytes(4, "big")
