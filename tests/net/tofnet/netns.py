# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces, and raw frames in them.

A socket belongs to the namespace that its maker was in, so a helper thread
enters the namespace, makes it, and ends; it is then used from anywhere."""

import ctypes
import os
import socket
import struct
import subprocess
import threading
import time

from .wait import PATIENCE, wait_until

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
TP_STATUS_VLAN_VALID = 0x10
TP_STATUS_VLAN_TPID_VALID = 0x40
# Frames by which tofd finds out whether a driver sends what XDP redirects to it
# (src/kernel/netdev.c), each from an interface to itself; as any host does, we
# take no notice.
PROBE = b"\x88\xb5" + bytes(46)
AUXDATA = struct.Struct("=IIIHHHH")

_libc = ctypes.CDLL(None, use_errno=True)


def call_in(ns, func, *args):
    """func(*args) by a thread that is in namespace 'ns' (None: our own)."""
    if ns is None:
        return func(*args)
    result = []

    def run():
        try:
            fd = os.open(f"/run/netns/{ns}", os.O_RDONLY)
            try:
                if _libc.setns(fd, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"setns {ns}")
            finally:
                os.close(fd)
            result.append((func(*args), None))
        except BaseException as e:  # pylint: disable=broad-except
            result.append((None, e))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    value, error = result[0]
    if error:
        raise error
    return value


def command_in(ns, *argv):
    """The command line that runs 'argv' in 'ns', with the host's mounts."""
    prefix = [] if ns is None else ["nsenter", f"--net=/run/netns/{ns}"]
    return prefix + [str(a) for a in argv]


def run_in(ns, *argv, check=True, timeout=30, **kw):
    """subprocess.run() in 'ns'; output as text."""
    p = subprocess.run(command_in(ns, *argv), text=True,
                       timeout=timeout * PATIENCE,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, check=False, **kw)
    if check and p.returncode:
        raise AssertionError(f"{ns}: {' '.join(map(str, argv))}: exit "
                             f"{p.returncode}\n{p.stdout}{p.stderr}")
    return p


def exists(ns):
    return os.path.exists(f"/run/netns/{ns}")


def add(ns):
    delete(ns)
    run_in(None, "ip", "netns", "add", ns)
    run_in(ns, "ip", "link", "set", "lo", "up")


def delete(ns):
    if exists(ns):
        run_in(None, "ip", "netns", "del", ns)


def veth(ns_a, dev_a, ns_b, dev_b, mtu=1500, ipv6=False):
    """A pair of veths, up, as the lab's: nothing is left for the receiver to
    compute or to put together."""
    run_in(ns_a, "ip", "link", "add", dev_a, "mtu", mtu, "type", "veth",
           "peer", "name", dev_b, "mtu", mtu, "netns", ns_b)
    for ns, dev in ((ns_a, dev_a), (ns_b, dev_b)):
        if not ipv6:
            set_sysctl(ns, f"ipv6/conf/{dev}/disable_ipv6", 1)
        run_in(ns, "ethtool", "-K", dev, "tx", "off", "txvlan", "off",
               "gro", "on")
        run_in(ns, "ip", "link", "set", dev, "up")


def set_sysctl(ns, key, value):
    """Writes /proc/sys/net/'key', which is that of whoever opens it."""
    def write():
        with open(f"/proc/sys/net/{key}", "w", encoding="ascii") as f:
            f.write(str(value))
    call_in(ns, write)


def bridge_nf(ns, on):
    """Whether nftables sees what bridges in 'ns' forward.  It is a module in
    some kernels."""
    if on and not os.path.exists("/proc/sys/net/bridge"):
        subprocess.run(["modprobe", "br_netfilter"], check=True)
    if os.path.exists("/proc/sys/net/bridge"):
        for key in ("iptables", "ip6tables", "arptables"):
            set_sysctl(ns, f"bridge/bridge-nf-call-{key}", int(on))


class Frame(bytes):
    """A frame as it was on the wire, VLAN tag and all, and when it came."""
    time = 0.0

    def __repr__(self):
        return f"<{len(self)}: {self.hex()}>"


class RawPort:
    """An interface of a namespace, by AF_PACKET: sends frames as given and
    keeps all that arrive but for those of which ignore() is true (what is sent
    from there is not shown)."""

    def __init__(self, ns, dev):
        self.ns, self.dev = ns, dev
        self.sock = call_in(ns, self._open)
        self.frames = []
        self._cond = threading.Condition()
        self._listeners = []
        self.ignore = lambda frame: False
        self._closing = False
        self._thread = threading.Thread(target=self._receive, daemon=True,
                                        name=f"{ns}/{dev}")
        self._thread.start()

    def _open(self):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        s.bind((self.dev, ETH_P_ALL))
        s.settimeout(0.1)
        return s

    @property
    def mac(self):
        return self.sock.getsockname()[4]

    def _receive(self):
        while not self._closing:
            try:
                data, aux, _, addr = self.sock.recvmsg(70000, 64)
            except socket.timeout:
                continue
            except OSError:
                if self._closing:
                    return
                continue        # The interface went down or away.
            if addr[2] == PACKET_OUTGOING:
                continue
            frame = Frame(_put_tag_back(data, aux))
            frame.time = time.monotonic()
            if frame[:6] == frame[6:12] and frame[12:] == PROBE:
                continue
            if self.ignore(frame):
                continue
            with self._cond:
                self.frames.append(frame)
                self._cond.notify_all()
            for listener in list(self._listeners):
                listener(frame)

    def listen(self, func):
        """func(frame) is called by the receiving thread."""
        self._listeners.append(func)

    def unlisten(self, func):
        self._listeners.remove(func)

    def send(self, frame):
        self.sock.send(bytes(frame))

    def mark(self):
        """For wait(since=...): only what comes from now on."""
        with self._cond:
            return len(self.frames)

    def since(self, mark):
        with self._cond:
            return self.frames[mark:]

    def clear(self):
        with self._cond:
            self.frames.clear()

    def wait(self, match, timeout=2, since=0, what="a frame"):
        """The first frame, from 'since' on, that is equal to 'match' (bytes)
        or for which match(frame) is true."""
        test = match if callable(match) else bytes(match).__eq__
        timeout *= PATIENCE
        end = time.monotonic() + timeout
        pos = since
        with self._cond:
            while True:
                for frame in self.frames[pos:]:
                    if test(frame):
                        return frame
                pos = len(self.frames)
                left = end - time.monotonic()
                if left <= 0 or not self._cond.wait(left):
                    if time.monotonic() < end:
                        continue
                    raise AssertionError(
                        f"{self.ns}/{self.dev}: waited {timeout} s for {what};"
                        f" came: {self.frames[since:]}")

    def close(self):
        self._closing = True
        self._thread.join()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _put_tag_back(data, aux):
    """The kernel takes the outermost VLAN tag off and tells it beside."""
    for level, kind, value in aux:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = AUXDATA.unpack(value[:20])
            if status & TP_STATUS_VLAN_VALID:
                if not status & TP_STATUS_VLAN_TPID_VALID:
                    tpid = 0x8100
                return data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
    return data


def wait_carrier(ns, dev, timeout=5):
    def is_up():
        return "LOWER_UP" in run_in(ns, "ip", "-o", "link", "show", "dev",
                                    dev).stdout
    wait_until(is_up, timeout, f"{ns}/{dev} to be up")
