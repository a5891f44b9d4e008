# SPDX-License-Identifier: GPL-3.0-or-later
"""Service chains: functions that stand between the UEs and the ME App.

Each function is a namespace with a bridge between two veths, and nftables on
it: "fw" counts, and drops what is for port 9; "mon" counts.  Both stamp what
they pass with a DSCP of their own, so that the next one shows which way a
packet has come.  "gone" is configured, and its ports are never there."""

import contextlib
import itertools
import json
import threading
import time

import pytest

from tofnet import netns
from tofnet import packet as p
from tofnet.lab import (
    APP6, SERVICE_IP, SERVICE_IP6, STATE, app_sends, datapath, flows, ofctl)
from tofnet.netns import RawPort, run_in
from tofnet.service import is_text, new_port
from tofnet.wait import wait_until

PLAIN_IP = "198.51.100.20"      # Of a service without a chain.
CONFIG = f"{STATE}/tof.yaml"
DROPPED_PORT = 9
FW_TOS, MON_TOS = 10 << 2, 12 << 2
# A lower priority than that of br_netfilter, which takes packets out of the
# way of all that come after it.
RULES = """
table bridge function {{
    counter up {{ }}
    counter down {{ }}
    counter dropped {{ }}
    chain forward {{
        type filter hook forward priority filter
        iifname "in0" counter name up
        iifname "out0" counter name down
        {drop}
        ip dscp set {dscp}
    }}
}}
"""
DROP = f"udp dport {DROPPED_PORT} counter name dropped drop"


class Function:
    """A function: what goes in at in0 comes out at out0, and back."""

    def __init__(self, name, drop, tos, host="lab-tof"):
        self.name, self.ns, self.host = name, f"lab-{name}", host
        self.ins = self.outs = None
        netns.add(self.ns)
        run_in(self.ns, "ip", "link", "add", "br0", "type", "bridge",
               "mcast_snooping", "0")
        netns.set_sysctl(self.ns, "ipv6/conf/br0/disable_ipv6", 1)
        run_in(self.ns, "ip", "link", "set", "br0", "up")
        run_in(self.ns, "nft", RULES.format(drop=drop, dscp=tos >> 2))
        self.plug()

    @property
    def config(self):
        return {"in": f"{self.name}0", "out": f"{self.name}1"}

    def plug(self):
        for inside, outside in (("in0", self.config["in"]),
                                ("out0", self.config["out"])):
            if not self.has(inside):
                netns.veth(self.host, outside, self.ns, inside)
                run_in(self.ns, "ip", "link", "set", inside, "master", "br0")
        # What came from the UEs, and what came from the app.
        self.ins, self.outs = RawPort(self.ns, "in0"), RawPort(self.ns, "out0")

    def has(self, inside):
        return run_in(self.ns, "ip", "link", "show", "dev", inside,
                      check=False).returncode == 0

    def unplug(self, *ends):
        """Removes the links of the ends: "in", "out" or both."""
        for port in (self.ins, self.outs):
            if port:
                port.close()
        self.ins = self.outs = None
        for end in ends or ("in", "out"):
            run_in(self.host, "ip", "link", "del", self.config[end])

    def counter(self, name):
        out = json.loads(run_in(self.ns, "nft", "-j", "list", "counter",
                                "bridge", "function", name).stdout)
        return out["nftables"][-1]["counter"]["packets"]

    def close(self):
        for port in (self.ins, self.outs):
            if port:
                port.close()
        # With the namespace they would go, too, but at some later time.
        for device in self.config.values():
            run_in(self.host, "ip", "link", "del", device, check=False)
        netns.delete(self.ns)


def configure(text):
    with open(CONFIG, "w", encoding="utf-8") as f:
        f.write(text)


@pytest.fixture(scope="module")
def made(lab):
    """The functions, and a tofd that knows them."""
    with open(CONFIG, encoding="utf-8") as f:
        saved = f.read()
    assert "functions: {}\n" in saved
    functions = {}
    try:
        functions["fw"] = Function("fw", DROP, FW_TOS)
        functions["mon"] = Function("mon", "", MON_TOS)
        known = {name: f.config for name, f in functions.items()}
        known["gone"] = {"in": "gone0", "out": "gone1"}
        configure(saved.replace("functions: {}",
                                f"functions: {json.dumps(known)}"))
        lab.tofd("restart")
        yield functions
        lab.api.clean()
    finally:
        configure(saved)
        for function in functions.values():
            function.close()
        lab.tofd("restart")


@pytest.fixture
def fw(made):
    return made["fw"]


@pytest.fixture
def mon(made):
    return made["mon"]


@pytest.fixture
def app(lab):
    with RawPort("lab-app", "app0") as port:
        yield port


def echo(ue, text, dst=SERVICE_IP, dport=7, sport=5000):
    return p.ip_udp(ue, dst, text, sport, dport)


def answered(b, text, dst=SERVICE_IP, timeout=3):
    """The echo of 'text' comes back to the UE; gives it, parsed."""
    b.uplink(echo(b.ue, text, dst))
    return b.wait_downlink(is_text(text), timeout)


def with_text(port, text):
    """The IP packets with that payload that arrived at a port."""
    return [i for f in port.frames if f[12:14] == b"\x08\x00"
            and (i := p.Inner.parse(f[14:])).payload == text]


def arrived(port, text):
    """The same, as soon as there is one."""
    return wait_until(lambda: with_text(port, text), what=f"{text} at a port")


def ovsdb_detail(api):
    part, = (part for part in api.get("/status").json["parts"]
             if part["name"] == "ovsdb")
    return part["detail"]


def switched_until_answered(net, b, text, timeout=5, dst=SERVICE_IP,
                            until=lambda: True):
    """Every packet, of a connection of its own, is either switched untouched or
    answered, from some on answered; they are sent until then, and until
    'until'."""
    frames = []

    def is_answered():
        frames.append(b.uplink(echo(b.ue, text, dst, sport=new_port())))
        try:
            b.wait_downlink(is_text(text), timeout=0.1)
        except AssertionError:
            return False
        return until()
    wait_until(is_answered, timeout, what="an answer through the chain")
    return frames


def test_both_directions_pass_the_function(net, fw, mon, app, api):
    api.register(chain=["fw"])
    b = net.bearer("10.45.5.1")
    up, down = fw.counter("up"), fw.counter("down")
    for i in range(3):
        text = b"through %d" % i
        f = answered(b, text)
        assert (f.inner.src, f.inner.dst) == (SERVICE_IP, b.ue)
        assert f.inner.tos == FW_TOS and f.inner.header_ok and f.inner.l4_ok
        one, = arrived(fw.ins, text)
        assert (one.src, one.dst) == (b.ue, SERVICE_IP)
        one, = arrived(fw.outs, text)
        assert (one.src, one.dst) == (SERVICE_IP, b.ue)
        one, = arrived(app, text)
        assert one.tos == FW_TOS
        assert not with_text(mon.ins, text) and not with_text(mon.outs, text)
    assert fw.counter("up") >= up + 3 and fw.counter("down") >= down + 3


def test_tcp_through_the_function(net, fw, api):
    api.register(chain=["fw"])
    ue = net.ue("10.45.5.1")
    up = fw.counter("up")
    assert ue.get(f"http://{SERVICE_IP}/") == "edge"
    assert fw.counter("up") > up


def test_what_the_function_drops_never_reaches_the_app(net, fw, app, api):
    api.register(chain=["fw"])
    b = net.bearer("10.45.5.1")
    answered(b, b"first")
    dropped, mark = fw.counter("dropped"), net.sgw.mark()
    b.uplink(echo(b.ue, b"forbidden", dport=DROPPED_PORT))
    wait_until(lambda: fw.counter("dropped") == dropped + 1,
               what="the function to drop it")
    answered(b, b"rest")
    assert arrived(app, b"rest") and not with_text(app, b"forbidden")
    assert not [f for f in net.sgw.since(mark) if (g := b.is_uplink(f))
                and g.inner.payload == b"forbidden"]


def test_ipv6_passes_the_functions(net, fw, mon, api):
    api.register("six", SERVICE_IP6, APP6, chain=["fw", "mon"])
    b = net.bearer("2001:db8:5:5::1")
    up, down = fw.counter("up"), mon.counter("down")
    for text in (b"one", b"two"):
        f = answered(b, text, SERVICE_IP6)
        assert (f.inner.src, f.inner.dst) == (SERVICE_IP6, b.ue)
        assert f.inner.l4_ok
    assert fw.counter("up") >= up + 2 and mon.counter("down") >= down + 2


def test_service_without_a_chain_beside_it(net, fw, app, api):
    api.register(chain=["fw"])
    api.register("plain", PLAIN_IP)
    b = net.bearer("10.45.5.1")
    answered(b, b"chained")
    f = answered(b, b"plain", PLAIN_IP)
    assert f.inner.src == PLAIN_IP and f.inner.tos == 0
    assert arrived(fw.ins, b"chained")
    assert not with_text(fw.ins, b"plain")
    assert not with_text(fw.outs, b"plain")
    b.uplink(echo(b.ue, b"allowed", PLAIN_IP, DROPPED_PORT))
    wait_until(lambda: with_text(app, b"allowed"), what="it at the app")


@pytest.mark.parametrize("chain", [["fw", "mon"], ["mon", "fw"]],
                         ids=["fw-mon", "mon-fw"])
def test_two_functions_in_order_both_ways(net, made, app, api, chain):
    fw_mon = [made[name] for name in chain]
    (first, first_tos), (last, last_tos) = (
        (f, FW_TOS if f.name == "fw" else MON_TOS) for f in fw_mon)
    api.register(chain=chain)
    b = net.bearer("10.45.5.1")
    text = "-".join(chain).encode()
    f = answered(b, text)
    tos = [arrived(port, text)[0].tos
           for port in (first.ins, last.ins, app, last.outs, first.outs)]
    assert tos == [0, first_tos, last_tos, 0, last_tos]
    assert f.inner.tos == first_tos


def test_services_share_a_function_in_different_chains(net, fw, mon, api):
    api.register(chain=["fw", "mon"])
    api.register("other", PLAIN_IP, chain=["mon"])
    b = net.bearer("10.45.5.1")
    assert answered(b, b"both").inner.tos == FW_TOS
    assert answered(b, b"one", PLAIN_IP).inner.tos == MON_TOS
    assert arrived(mon.ins, b"one") and not with_text(fw.ins, b"one")


def test_chain_is_changed(net, fw, api):
    api.register(chain=["fw"])
    b = net.bearer("10.45.5.1")
    answered(b, b"with")
    for chain, tos in (([], 0), (["mon"], MON_TOS), (["fw"], FW_TOS)):
        answer = api.put("/service/svc", {
            "name": "svc", "serviceIP": SERVICE_IP,
            "applicationIP": "192.168.100.10", "chain": chain})
        assert answer.status == 200, answer
        text = b"chain %d" % tos
        assert answered(b, text).inner.tos == tos
        if datapath() == "xdp":
            there = SERVICE_IP in ofctl("br-tof", "dump-flows")
            assert there == bool(chain), "only chains need flows"


def test_chain_is_changed_under_traffic(net, fw, mon, app, api):
    """No packet goes to the SGW meanwhile, with a chain or without."""
    api.register()
    b = net.bearer("10.45.5.1")
    answered(b, b"first")
    sent = itertools.count()
    for chain in (["fw"], ["mon", "fw"], [], ["mon"], []):
        ending = threading.Event()

        def send():
            while not ending.is_set():
                b.uplink(echo(b.ue, b"during %d" % next(sent)))
                time.sleep(0.001)

        thread = threading.Thread(target=send)
        thread.start()
        try:
            answer = api.put("/service/svc", {
                "name": "svc", "serviceIP": SERVICE_IP,
                "applicationIP": "192.168.100.10", "chain": chain})
        finally:
            ending.set()
            thread.join()
        assert answer.status == 200, answer
        answered(b, b"after %d" % next(sent))
    assert not [f for f in net.sgw.frames if b"during" in f]


def post(api, chain):
    return api.post("/service", {
        "name": "svc", "serviceIP": SERVICE_IP,
        "applicationIP": "192.168.100.10", "chain": chain})


@pytest.mark.parametrize("chain", [["nobody"], ["fw", "nobody"]])
def test_unknown_function(made, api, chain):
    answer = post(api, chain)
    assert answer.status == 400, answer
    assert "function" in answer.text
    assert api.services() == []


def test_function_that_is_not_there(net, made, api):
    """All else works; a service that needs it is refused, by name."""
    assert api.healthy()
    assert "gone0" in ovsdb_detail(api) and "gone" in ovsdb_detail(api)
    api.register("plain", PLAIN_IP)
    b = net.bearer("10.45.5.1")
    answered(b, b"plain", PLAIN_IP)
    answer = post(api, ["fw", "gone"])
    assert answer.status == 503, answer
    assert "port gone0 of function gone" in answer.text
    assert [s["name"] for s in api.services()] == ["plain"]
    frame = b.uplink(echo(b.ue, b"not ours"))
    net.sgw.wait(frame)
    # A service in force stays so if it is to get such a chain.
    answer = api.put("/service/plain", {
        "name": "plain", "serviceIP": PLAIN_IP,
        "applicationIP": "192.168.100.10", "chain": ["gone"]})
    assert answer.status == 503, answer
    answered(b, b"still", PLAIN_IP)


def past(net, b):
    """Answers of the service that the UE has got, but not by the function;
    the App sends some more first, after which a service without a chain
    shows that all have had their chance."""
    for i in range(5):
        app_sends(b.ue, b"past %d" % i)
    answered(b, b"plain", PLAIN_IP)
    return [f for raw in net.enb.frames if (f := b.is_downlink(raw))
            and f.inner.src == SERVICE_IP and f.inner.tos != FW_TOS]


@contextlib.contextmanager
def gone(fw, *ends):
    """The links to it are."""
    fw.unplug(*ends)
    try:
        yield
    finally:
        fw.plug()


@contextlib.contextmanager
def dead(fw, *ends):
    """The links to it are there, but nobody is behind them."""
    for end in ends:
        run_in(fw.ns, "ip", "link", "set", f"{end}0", "down")
    try:
        yield
    finally:
        for end in ends:
            run_in(fw.ns, "ip", "link", "set", f"{end}0", "up")


# Heartbeats do not pass Open vSwitch while it takes a port out; where that
# takes longer than they are waited for, all is switched meanwhile.
hurried = pytest.mark.hurried("Open vSwitch misses heartbeats while it takes "
                              "a port out")


@hurried
@pytest.mark.parametrize("how", [gone, dead])
@pytest.mark.parametrize("ends", [("in",), ("out",), ("in", "out")],
                         ids="-".join)
def test_function_goes_and_comes_back(net, fw, app, api, how, ends):
    """Without it the service's packets are switched: never past it to the
    app, and never lost for long; answers do not get past it either.  The
    other service notices nothing."""
    api.register(chain=["fw"])
    api.register("plain", PLAIN_IP)
    b = net.bearer("10.45.5.1")
    answered(b, b"before")
    with how(fw, *ends):
        assert not past(net, b)
        wait_until(lambda: "function fw" in ovsdb_detail(api),
                   what="the status to say so")
        assert not past(net, b)
        frame = wait_switched(net, b)
        assert frame and api.healthy()
        assert not with_text(app, b"while")
        assert not past(net, b)
        assert {s["name"] for s in api.services()} == {"svc", "plain"}
    switched_until_answered(net, b, b"after")
    assert arrived(fw.ins, b"after") and arrived(fw.outs, b"after")
    assert "function fw" not in ovsdb_detail(api)


@hurried
def test_one_of_two_functions_goes(net, fw, mon, app, api):
    """The other one does not stand in for it."""
    api.register(chain=["fw", "mon"])
    api.register("plain", PLAIN_IP)
    b = net.bearer("10.45.5.1")
    answered(b, b"before")
    with gone(fw):
        assert wait_switched(net, b)
        assert not past(net, b)
        assert not with_text(app, b"while")
    switched_until_answered(net, b, b"after")


def wait_switched(net, b):
    """From some packet on they are switched; gives that one."""
    def switched():
        frame = b.uplink(echo(b.ue, b"while"))
        try:
            return net.sgw.wait(frame, timeout=0.1,
                                since=max(0, net.sgw.mark() - 5))
        except AssertionError:
            return None
    return wait_until(switched, timeout=3, what="packets to be switched")


def test_service_waits_for_its_function_at_start(lab, net, fw, app, api):
    """tofd comes up without the function: healthy, the service is switched
    until the function is there."""
    api.register(chain=["fw"])
    api.register("plain", PLAIN_IP)
    b = net.bearer("10.45.5.1")
    answered(b, b"before")
    lab.tofd("stop")
    with gone(fw):
        lab.tofd("start")
        assert api.healthy()
        assert [s["name"] for s in api.services()] == ["plain", "svc"]
        assert wait_switched(net, b)
        assert not with_text(app, b"while")
        assert not past(net, b)
    switched_until_answered(net, b, b"after")


def test_function_is_replaced_while_tofd_is_down(lab, net, fw, api):
    api.register(chain=["fw"])
    b = net.bearer("10.45.5.1")
    answered(b, b"before")
    lab.tofd("stop")
    fw.unplug()
    fw.plug()
    lab.tofd("start")
    switched_until_answered(net, b, b"after")
    assert arrived(fw.ins, b"after") and arrived(fw.outs, b"after")


def test_restart_keeps_the_chain(lab, net, fw, api):
    api.register(chain=["fw", "mon"])
    b = net.bearer("10.45.5.1")
    answered(b, b"before")
    services, before = api.services(), flows(["br-tof"])
    assert [s["chain"] for s in services] == [["fw", "mon"]]
    lab.tofd("restart")
    after = flows(["br-tof"])
    assert set(after) == set(before)
    assert all(after[rule] >= before[rule] for rule in before)
    assert api.services() == services
    assert answered(b, b"after").inner.tos == FW_TOS
