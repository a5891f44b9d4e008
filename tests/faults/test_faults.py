# SPDX-License-Identifier: GPL-3.0-or-later
"""One fault after the other, while packets of all kinds go on (see
tofnet.witness): none that is switched is lost, the kernel switches what nobody
can divert any more, and all are served again without anybody's help."""

import itertools
import os
import shutil
import signal
import time
from dataclasses import dataclass
from typing import Callable

import pytest

from tofnet.lab import (
    APP, APP6, SERVICE_IP, SERVICE_IP6, STATE, TOP, flows, ofctl)
from tofnet.netns import run_in
from tofnet.wait import PATIENCE, wait_until
from tofnet.witness import Witness

NET_UP = ("env", "S1U_ENB=enb0", "S1U_SGW=sgw0", f"{TOP}/scripts/tof-net",
          "up")


@dataclass
class Fault:
    name: str                   # For scripts/faults.sh.
    what: str                   # For doc/RELIABILITY.md.
    act: Callable
    undo: Callable = None       # If it does not end by itself.
    sign: str = None            # How tofd shows that it has seen it.
    lasts: float = 0.3          # Seconds from act() to undo().
    datapath: str = None
    gap: float = 1.5            # Seconds: diverted packets may be lost so long
    cuts: bool = False          # It cuts S1-U itself.
    thorough: bool = False      # Only scripts/faults.sh tries it.


def sh(ns, *commands):
    """Runs commands in a namespace."""
    def act(lab):
        for command in commands:
            lab.run(ns, *command.split())
    return act


def tofd(verb):
    return lambda lab: lab.tofd(verb)


def ovs(verb):
    return lambda lab: lab.ovs(verb)


def then(*acts):
    def act(lab):
        for one in acts:
            one(lab)
    return act


def start_tofd_alone(lab):
    """It will not be healthy before there is an Open vSwitch."""
    lab.sh("tofd", "start", check=False, env={"TOF_LAB_PATIENCE": "1"})


def ovs_pid(daemon):
    with open(f"{STATE}/run/ovs/{daemon}.pid", encoding="ascii") as f:
        return int(f.read())


def signals(daemon, signo):
    return lambda lab: os.kill(ovs_pid(daemon), signo)


def remove_pins(_):
    inode = os.stat("/run/netns/lab-tof").st_ino
    shutil.rmtree(f"/sys/fs/bpf/tof/{inode}")


def pins_then_tofd(lab):
    """They are put back, so that the programs go on without tofd."""
    before = put_back(lab.api)
    remove_pins(lab)
    wait_until(lambda: put_back(lab.api) > before, what="pins")
    lab.tofd("kill")


def refused(*command):
    """Somebody tries, and the kernel does not let him."""
    def act(lab):
        assert lab.run("lab-tof", *command, check=False).returncode
    return act


def delete_flows(bridge):
    return lambda lab: ofctl(bridge, "del-flows")


# --- The table ---------------------------------------------------------------

KILLS = {"tofd": tofd("kill"), "vswitchd": ovs("kill"),
         "ovsdb": ovs("kill-database")}
STARTS = {"tofd, then Open vSwitch": then(start_tofd_alone, ovs("start")),
          "Open vSwitch, then tofd": then(ovs("start"), tofd("start")),
          "Open vSwitch": ovs("start")}

PROCESSES = [
    Fault("tofd-stopped", "tofd is stopped for 3 s (SIGSTOP)",
          lambda lab: lab.signal("STOP"), lambda lab: lab.signal("CONT"),
          lasts=3),
    Fault("tofd-killed", "tofd is killed, and started a second later",
          tofd("kill"), tofd("start"), lasts=1),
    Fault("tofd-ended", "tofd is ended, and started a second later",
          tofd("stop"), tofd("start"), lasts=1, thorough=True),
    Fault("vswitchd-stopped", "ovs-vswitchd is stopped for 2 s",
          signals("ovs-vswitchd", signal.SIGSTOP),
          signals("ovs-vswitchd", signal.SIGCONT), lasts=2, thorough=True),
    Fault("ovsdb-stopped", "ovsdb-server is stopped for 3 s",
          signals("ovsdb-server", signal.SIGSTOP),
          signals("ovsdb-server", signal.SIGCONT), lasts=3, thorough=True),
    Fault("vswitchd-killed", "ovs-vswitchd is killed, and started 2 s later",
          ovs("kill"), ovs("start"), lasts=2, thorough=True),
    Fault("ovsdb-killed", "ovsdb-server is killed, and started 2 s later",
          ovs("kill-database"), ovs("start"), lasts=2, thorough=True),
    Fault("ovs-stopped", "Open vSwitch is ended in order, and started again",
          ovs("stop"), ovs("start"), lasts=1, thorough=True),
] + [
    Fault("-".join(("killed", *order, *(["tofd-first"] if "tofd," in start
                                        else []))),
          f"{', '.join(order)} are killed in this order; started: {start}",
          then(*(KILLS[name] for name in order)), act, lasts=1, thorough=True)
    for n in (2, 3) for order in itertools.permutations(KILLS, n)
    for start, act in STARTS.items()
    if "tofd" in order or "then" not in start
    if "tofd" not in order or "then" in start]

FILTER = [
    Fault(name, f"`nft {command}`", sh("lab-tof", f"nft {command}"),
          sign="mended", thorough=thorough)
    for name, command, thorough in (
        ("ruleset", "flush ruleset", False),
        ("table", "flush table netdev tof", False),
        ("table-deleted", "delete table netdev tof", True),
        ("chain-enb", "flush chain netdev tof enb", False),
        ("chain-inner", "flush chain netdev tof sgw_i8", False))
] + [
    Fault("hold-deleted", "`nft delete table netdev tof_hold`: refused, tofd "
          "owns it", refused("nft", "delete", "table", "netdev", "tof_hold"),
          thorough=True),
] + [
    Fault(f"set-{name}", f"`nft flush set netdev tof {name}`",
          sh("lab-tof", f"nft flush set netdev tof {name}"), sign="put_back",
          datapath=datapath)
    for name, datapath in (("pingers", None), ("services", None),
                           ("down", "ovs"), ("down_bound", "ovs"),
                           ("lengths", "ovs"))
]

LEARN = [
    Fault(name, f"`{command}` in `{ns}`", sh(ns, command), sign="put_back")
    for name, ns, command in (
        ("learn-ruleset", "tof-learn", "nft flush ruleset"),
        ("learn-chain", "tof-learn", "nft flush chain netdev tof_learn q2"),
        ("learn-table", "tof-learn", "nft delete table netdev tof_learn"),
        ("q2-down", "tof-learn", "ip link set q2 down"),
        ("q3-down", "tof-learn", "ip link set q3 down"),
        ("tof-q2-down", "lab-tof", "ip link set tof-q2 down"))
]

NAT = [
    Fault(name, f"`{command}` in `tof-app`", sh("tof-app", command), sign=sign,
          thorough=thorough)
    for name, command, sign, thorough in (
        ("nat-ruleset", "nft flush ruleset", "mended", False),
        ("nat-chain", "nft flush chain inet tof_nat from_ue4", "mended",
         False),
        ("nat-table", "nft delete table netdev tof_nat", "mended", False),
        ("nat-services4", "nft flush map inet tof_nat services4", "put_back",
         False),
        ("nat-services6", "nft flush map inet tof_nat services6", "put_back",
         False),
        ("nat-service", "nft delete element inet tof_nat services4 "
         f"{{ {SERVICE_IP} : {APP} }}", "put_back", False),
        ("ue0-down", "ip link set ue0 down", "mended", False),
        ("ue0-deleted", "ip link del ue0", "mended", True),
        ("app0-down", "ip link set app0 down", "mended", False))
]

LINKS = [
    Fault(f"{link}-{verb}", f"`ip link {command.format(link)}`",
          sh("lab-tof", f"ip link {command.format(link)}"), sign="mended",
          datapath=datapath)
    for verb, command, links in (
        ("deleted", "del {}", (("tof-enb", "ovs"), ("ovs-sgw", "ovs"),
                               ("tof-hb0", "ovs"), ("ovs-ue", "ovs"),
                               ("tof-ue", "xdp"), ("tof-q2", None))),
        ("down", "set {} down", (("tof-enb", "ovs"), ("ovs-sgw", "ovs"),
                                 ("tof-hb1", "ovs"), ("ovs-ue", "ovs"))))
    for link, datapath in links
]

ENDPOINTS = [
    Fault(f"flows-{bridge}", f"`ovs-ofctl del-flows {bridge}`",
          delete_flows(bridge), sign="put_back", datapath="ovs")
    for bridge in ("br-gtp", "br-tof")
] + [
    Fault("pins", "the pins of the eBPF programs and tables are removed",
          remove_pins, sign="put_back", datapath="xdp", thorough=True),
    Fault("pins-then-tofd", "the same, and tofd is killed when it has put them "
          "back", pins_then_tofd, tofd("start"), lasts=1, gap=0.1,
          datapath="xdp"),
    Fault("pins-and-tofd", "the same, but tofd is killed at once",
          then(remove_pins, tofd("kill")), tofd("start"), lasts=1,
          datapath="xdp", thorough=True),
    Fault("xdp-off", "`ip link set enb0 xdp off`: refused",
          refused("ip", "link", "set", "enb0", "xdp", "off"), datapath="xdp",
          thorough=True),
]

WIRE = [
    Fault("enb0-down", "`enb0` is down for 1 s",
          sh("lab-tof", "ip link set enb0 down"),
          sh("lab-tof", "ip link set enb0 up"), lasts=1),
    Fault("sgw0-down", "`sgw0` is down for 1 s",
          sh("lab-tof", "ip link set sgw0 down"),
          sh("lab-tof", "ip link set sgw0 up"), lasts=1),
    Fault("enb0-renamed", "`enb0` has another name for 2 s",
          sh("lab-tof", "ip link set enb0 down",
             "ip link set enb0 name enb9", "ip link set enb9 up"),
          sh("lab-tof", "ip link set enb9 down",
             "ip link set enb9 name enb0", "ip link set enb0 up"), lasts=2),
    Fault("enb0-removed", "`enb0` is gone for 2 s (to another namespace)",
          sh("lab-tof", "ip link set enb0 netns lab-pdn"),
          then(sh("lab-pdn", "ip link set enb0 netns lab-tof"),
               sh("lab-tof", "ip link set enb0 up")), lasts=2),
    Fault("bridge-removed", "`br-s1u` is removed for 2 s",
          sh("lab-tof", "ip link del br-s1u"),
          lambda lab: lab.run("lab-tof", *NET_UP), lasts=2),
]
for fault in WIRE:
    fault.cuts, fault.thorough, fault.gap = True, True, 20

NAMESPACES = [
    Fault(f"{ns}-unmounted", f"the name of the namespace `{ns}` is removed",
          lambda lab, ns=ns: run_in(None, "ip", "netns", "del", ns),
          sign="mended", gap=3, thorough=True)
    for ns in ("tof-app", "tof-learn")
]

FAULTS = (PROCESSES + FILTER + LEARN + NAT + LINKS + ENDPOINTS + WIRE
          + NAMESPACES)


def as_parameter(fault):
    marks = []
    if fault.datapath:
        marks.append(pytest.mark.datapath(fault.datapath))
    if fault.thorough:
        marks.append(pytest.mark.thorough)
    return pytest.param(fault, id=fault.name, marks=marks)


# --- The test ----------------------------------------------------------------

def put_back(api):
    """How often tofd has put something back."""
    return sum(value for name, value in api.metrics().items()
               if name.startswith("tof_mended_total"))


def noticed(lab, fault):
    """A function that says whether tofd has noticed it."""
    if fault.sign == "mended":
        return lab.mended()
    if fault.sign == "put_back":
        before = put_back(lab.api)
        return lambda: put_back(lab.api) > before
    return lambda: True


@pytest.mark.parametrize("fault", map(as_parameter, FAULTS))
def test_fault(lab, net, api, fault, record):
    # pylint: disable=too-many-arguments
    if fault.cuts:
        lab.tofd("restart")     # One that has mended nothing of the kind yet.
    api.register()
    api.register("six", SERVICE_IP6, APP6)
    known = set(flows())
    with Witness(net, api) as w:
        w.goes_on(0.2)
        seen = noticed(lab, fault)
        begun = time.monotonic()
        try:
            fault.act(lab)
            w.goes_on(fault.lasts)
            w.new_ues()
        finally:
            if fault.undo:
                w.goes_on(0.2)
                begun = time.monotonic()
                fault.undo(lab)
        w.wait_served(begun, seen)
        w.goes_on(0.2)
    o = w.outcome()
    record(fault.name, what=fault.what, lost_up=o.lost_up, sent=len(w.up),
           lost_down=o.lost_down, known=vars(o.known), new=vars(o.new),
           back=o.back, ends=bool(fault.undo), cuts=fault.cuts)
    if not fault.cuts:
        assert (o.lost_up, o.lost_down) == (0, 0), o
    assert o.known.gap <= fault.gap * PATIENCE, o
    if fault.name.startswith("flows"):
        wait_until(lambda: known <= set(flows()), what="every flow")
