# SPDX-License-Identifier: GPL-3.0-or-later
"""The host of the lab's Apps, and how it goes away and comes back."""

import contextlib

from .netns import run_in, set_sysctl

NS, DEV = "lab-app", "app0"
GATEWAYS = ("192.168.100.1", "fd00:100::1")


@contextlib.contextmanager
def dead(ns=NS, dev=DEV):
    """It hears nothing and says nothing, and its link stays."""
    run_in(ns, "nft", "add table netdev dead; " + "; ".join(
        f"add chain netdev dead {hook} {{ type filter hook {hook} device "
        f"{dev} priority -500; policy drop; }}"
        for hook in ("ingress", "egress")))
    try:
        yield
    finally:
        run_in(ns, "nft", "delete table netdev dead")


@contextlib.contextmanager
def unplugged(ns=NS, dev=DEV):
    """Its link is down."""
    set_sysctl(ns, f"ipv6/conf/{dev}/keep_addr_on_down", 1)
    run_in(ns, "ip", "link", "set", dev, "down")
    try:
        yield
    finally:
        run_in(ns, "ip", "link", "set", dev, "up")
        for gateway in GATEWAYS:
            run_in(ns, "ip", "route", "replace", "default", "via", gateway)


@contextlib.contextmanager
def has(address, ns=NS, dev="lo"):
    """It has one more address, which may be behind it."""
    v6 = ":" in address
    length = 128 if v6 else 32
    run_in(ns, "ip", "addr", "replace", f"{address}/{length}", "dev", dev,
           *(["nodad"] if v6 else []))
    try:
        yield
    finally:
        run_in(ns, "ip", "addr", "del", f"{address}/{length}", "dev", dev,
               check=False)
