# SPDX-License-Identifier: GPL-3.0-or-later
"""Flows that Open vSwitch refuses: whose they are is not diverted, all others
are.  A table of br-tof gets a limit, as an operator may set one
(ovs-vswitchd.conf.db(5), Flow_Table)."""

import contextlib
import itertools

import pytest

from tofnet.lab import APP, SERVICE_IP, STATE, ofctl
from tofnet.netns import run_in
from tofnet.service import (
    answered, diverted, echo, is_text, new_port, switched)
from tofnet.wait import wait_until

pytestmark = pytest.mark.datapath("ovs")

OTHER_IP = "198.51.100.20"
INPUT, CLASSIFIER = 0, 1        # Tables of br-tof.


def vsctl(*args):
    with open(f"{STATE}/ovs-dir", encoding="utf-8") as f:
        tool = f"{f.read().strip()}/bin/ovs-vsctl"
    return run_in("lab-tof", tool, f"--db=unix:{STATE}/run/ovs/db.sock",
                  "--timeout=10", *args).stdout


def n_flows(table):
    return sum(line.lstrip().startswith("cookie=") for line in ofctl(
        "br-tof", "dump-flows", f"table={table}").splitlines())


@contextlib.contextmanager
def limited(table, n):
    """That table takes no more than 'n' flows."""
    vsctl("--", "--id=@t", "create", "flow_table", f"flow_limit={n}",
          "overflow_policy=refuse", "--", "set", "bridge", "br-tof",
          f"flow_tables:{table}=@t")
    try:
        yield
    finally:
        vsctl("clear", "bridge", "br-tof", "flow_tables")


def openflow_detail(api):
    part, = (part for part in api.get("/status").json["parts"]
             if part["name"] == "openflow")
    return part["detail"]


_count = itertools.count()


def is_answered(b, dst=SERVICE_IP):
    """From a port of its own: a connection that was switched stays so."""
    text = b"asks %d" % next(_count)
    b.uplink(echo(b.ue, text, dst, sport=new_port()))
    try:
        return b.wait_downlink(is_text(text), timeout=0.2)
    except AssertionError:
        return None


def test_bearer_that_is_refused_is_switched(lab, net, api):
    """The others go on; it is diverted when there is room."""
    api.register()
    b = diverted(net)
    with limited(INPUT, n_flows(INPUT)):
        refused = net.bearer("10.45.6.2")
        for i in range(3):
            switched(net, refused.uplink(echo(refused.ue, b"no %d" % i)), 1)
        assert "refuses" in openflow_detail(api)
        assert "refuses its flows" in lab.log()
        answered(b)
        api.register("other", OTHER_IP)
        assert is_answered(b, OTHER_IP)
    wait_until(lambda: is_answered(refused), what="it to be diverted")
    wait_until(lambda: "refuse" not in openflow_detail(api),
               what="the status to say so")


def test_service_that_is_refused(net, api):
    """Its registration fails; there is nothing of it afterwards."""
    api.register()
    b = diverted(net)
    with limited(CLASSIFIER, n_flows(CLASSIFIER)):
        answer = api.post("/service", {
            "name": "other", "serviceIP": OTHER_IP, "applicationIP": APP})
        assert answer.status == 500, answer
        assert [s["name"] for s in api.services()] == ["svc"]
        switched(net, b.uplink(echo(b.ue, b"not here", OTHER_IP)))
        diverted(net, "10.45.6.2")
        answered(b)
    api.register("other", OTHER_IP)
    assert is_answered(b, OTHER_IP)


def test_refused_service_leaves_others_and_new_bearers_alone(lab, net, api):
    """Of two, a switch that is started anew takes but one."""
    api.register()
    api.register("other", OTHER_IP)
    b = diverted(net)
    with limited(CLASSIFIER, n_flows(CLASSIFIER) - 1):
        lab.ovs("kill")
        lab.ovs("start")

        def works():
            return [ip for ip in (SERVICE_IP, OTHER_IP) if is_answered(b, ip)]

        taken, = wait_until(works, 15, "one of them")
        refused, = {SERVICE_IP, OTHER_IP} - {taken}
        switched(net, b.uplink(echo(b.ue, b"not now", refused)))
        new = net.bearer("10.45.6.2")
        wait_until(lambda: is_answered(new, taken), what="a new bearer")
    wait_until(lambda: is_answered(new, refused), what="the refused one")
