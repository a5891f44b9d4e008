# SPDX-License-Identifier: GPL-3.0-or-later
"""The eBPF programs' tables, as they are in the kernel."""

import contextlib
import ctypes
import mmap
import os

BPF_OBJ_GET, BPF_OBJ_GET_INFO_BY_FD = 7, 15
SYS_BPF = 321                   # x86-64, as the programs are.

_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command, attributes):
    union = ctypes.create_string_buffer(attributes, len(attributes))
    result = _libc.syscall(SYS_BPF, command, union, len(union))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _words(*words):
    return b"".join(w.to_bytes(8, "little") for w in words)


def pins():
    """The directory of what the lab's programs have pinned."""
    return f"/sys/fs/bpf/tof/{os.stat('/run/netns/lab-tof').st_ino}"


def _length(fd):
    """In bytes, of an array: "value_size" rounded up to 8, "max_entries"."""
    info = ctypes.create_string_buffer(64)
    _bpf(BPF_OBJ_GET_INFO_BY_FD, fd.to_bytes(4, "little")
         + len(info).to_bytes(4, "little") + _words(ctypes.addressof(info)))
    size, n = (int.from_bytes(info.raw[i:i + 4], "little") for i in (12, 16))
    return (size + 7) // 8 * 8 * n


@contextlib.contextmanager
def programs_map(name):
    """A table that is mapped into memory, to be read and written."""
    path = ctypes.create_string_buffer(f"{pins()}/{name}".encode())
    fd = _bpf(BPF_OBJ_GET, _words(ctypes.addressof(path), 0))
    try:
        with mmap.mmap(fd, _length(fd)) as table:
            yield table
    finally:
        os.close(fd)
