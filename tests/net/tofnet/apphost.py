# SPDX-License-Identifier: GPL-3.0-or-later
"""The host of the lab's Apps, and how it goes away and comes back."""

import contextlib
import json

from .netns import run_in

NS, DEV = "lab-app", "app0"
GATEWAYS = ("192.168.100.1", "fd00:100::1")


def ipv6_addresses(ns, dev):
    """Each with its prefix length.  The link-local one counts, too: without
    it the kernel does not ask again for a neighbour that it knows."""
    link, = json.loads(run_in(ns, "ip", "-6", "-j", "addr", "show", "dev",
                              dev).stdout)
    return [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"]]


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
    """Its link is down.  With it go all addresses of IPv6."""
    addresses = ipv6_addresses(ns, dev)
    run_in(ns, "ip", "link", "set", dev, "down")
    try:
        yield
    finally:
        run_in(ns, "ip", "link", "set", dev, "up")
        for address in addresses:
            run_in(ns, "ip", "addr", "replace", address, "dev", dev, "nodad")
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
