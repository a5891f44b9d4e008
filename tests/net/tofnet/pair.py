# SPDX-License-Identifier: GPL-3.0-or-later
"""Two labs, each at a site of its own, and what is between them.

    with Site() as site, Pair(here, Lab(..., site=site).up()) as pair:
        ...

The namespaces lab-tof of both have a cable between them, with ADDRESSES.  Each
has an App of its own, at the same addresses; share_app() connects both TOFs to
the first one's.

What the network does at a migration is done by hand: UEs' packets come in at
the other site (Emulator.take_over()), the App's go there (app_by())."""

from . import netns
from .lab import APP6
from .netns import run_in

ADDRESSES = ("10.255.0.1", "10.255.0.2")
PORT = 7677
LINK = "peer0"                  # In both namespaces lab-tof.


def listens(lab):
    """The section of tof.yaml of one that others follow."""
    return f"listen: {address_of(lab)}:{PORT}"


def follows(lab):
    """The section of tof.yaml of one that follows 'lab'."""
    return f"follow: {address_of(lab)}:{PORT}"


def address_of(lab):
    return ADDRESSES[lab.site.ns("") != ""]


class Pair:
    def __init__(self, a, b):
        self.a, self.b = a, b
        ends = [lab.site.ns("lab-tof") for lab in (a, b)]
        netns.veth(ends[0], LINK, ends[1], LINK)
        for ns, address in zip(ends, ADDRESSES):
            run_in(ns, "ip", "addr", "add", f"{address}/24", "dev", LINK)
            netns.wait_carrier(ns, LINK)

    def cut(self):
        """The cable between both is out."""
        self.a.run("lab-tof", "ip", "link", "set", LINK, "down")

    def mend(self):
        self.a.run("lab-tof", "ip", "link", "set", LINK, "up")

    def share_app(self):
        """The first App gets the second TOF's cable, too, as app1."""
        shared = self.a.site.ns("lab-app")
        self.b.run("lab-app", "ip", "link", "set", "app0", "netns", shared,
                   "name", "app1")
        run_in(shared, "ip", "link", "set", "app1", "up")
        for address in f"{APP6}/128", "fe80::10/64":
            run_in(shared, "ip", "addr", "add", address, "dev", "app1",
                   "nodad")

    def app_by(self, lab):
        """The App's way to everybody is by that lab's TOF."""
        dev = "app0" if lab is self.a else "app1"
        for family, gateway in (("-4", "192.168.100.1"),
                                ("-6", "fd00:100::1")):
            for to in ([gateway], ["default", "via", gateway]):
                self.a.run("lab-app", "ip", family, "route", "replace", *to,
                           "dev", dev)

    def close(self):
        self.app_by(self.a)
        run_in(self.a.site.ns("lab-tof"), "ip", "link", "del", LINK,
               check=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
