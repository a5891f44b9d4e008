# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's table of connections in a namespace, filled by ctnetlink."""

import itertools
import socket
import struct

from .netns import call_in, run_in

NETLINK_NETFILTER = 12
CT_NEW = 1 << 8                 # The subsystem, and IPCTNL_MSG_CT_NEW.
REQUEST, CREATE = 1, 0x400
NESTED = 0x8000
ORIG, REPLY, STATUS, TIMEOUT, MARK = 1, 2, 3, 7, 8      # CTA_*
SEEN_REPLY, ASSURED, CONFIRMED = 2, 4, 8                # IPS_*


def _attr(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value \
        + bytes(-len(value) % 4)


def _tuple(kind, src, dst):
    (host, port), (host2, port2) = src, dst
    return _attr(kind | NESTED, _attr(1 | NESTED, _attr(1, host)
                                      + _attr(2, host2))
                 + _attr(2 | NESTED, _attr(1, bytes([socket.IPPROTO_UDP]))
                         + _attr(2, struct.pack("!H", port))
                         + _attr(3, struct.pack("!H", port2))))


def _entry(src, dst, mark, seconds):
    body = struct.pack("=BBH", socket.AF_INET, 0, 0) \
        + _tuple(ORIG, src, dst) + _tuple(REPLY, dst, src) \
        + _attr(STATUS, struct.pack("!I", SEEN_REPLY | ASSURED | CONFIRMED)) \
        + _attr(TIMEOUT, struct.pack("!I", seconds)) \
        + _attr(MARK, struct.pack("!I", mark))
    return struct.pack("=IHHII", 16 + len(body), CT_NEW, REQUEST | CREATE,
                       0, 0) + body


def count(ns):
    return int(run_in(ns, "cat",
                      "/proc/sys/net/netfilter/nf_conntrack_count").stdout)


def maximum(ns):
    return int(run_in(ns, "cat",
                      "/proc/sys/net/netfilter/nf_conntrack_max").stdout)


def fill(ns, total, dst="198.51.100.200", mark=0, seconds=600):
    """Until there are 'total' entries, of UDP flows that the kernel keeps."""
    far = socket.inet_aton(dst), 7
    missing = total - count(ns)
    sources = itertools.product(range(0x0a630001, 0x0a6300ff),
                                range(1024, 65536))
    with call_in(ns, socket.socket, socket.AF_NETLINK, socket.SOCK_RAW,
                 NETLINK_NETFILTER) as s:
        while missing > 0:
            some = list(itertools.islice(sources, min(missing, 100)))
            s.send(b"".join(_entry((struct.pack("!I", host), port), far, mark,
                                   seconds) for host, port in some))
            missing -= len(some)
    assert count(ns) >= total * 0.99, (count(ns), total)


def empty(ns):
    run_in(ns, "conntrack", "-F", timeout=60)
