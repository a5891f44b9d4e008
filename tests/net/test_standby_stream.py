# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream between two TOFs: who speaks it wrongly, who does not listen, who
is not let in; and what configuration of it is refused."""

import itertools
import os
import socket
import subprocess

import pytest

from tofnet import netns
from tofnet import packet as p
from tofnet.replication import (
    BEARER, GONE, Follower, Leader, Statelet, Stream, alive)
from tofnet.lab import TOP
from tofnet.pair import ADDRESSES, PORT, follows, listens
from tofnet.service import OTHER, answered
from tofnet.standby import section, shows
from tofnet.statelet import LEN
from tofnet.tls import Authority
from tofnet.wait import wait_until

pytestmark = pytest.mark.datapath("xdp")        # No matter which one.

UE, TEID = "10.45.10.1", 0x5afec0de
FOLLOWERS_MAX = UNKNOWN_OF_ADDRESS_MAX = 16


@pytest.fixture(scope="module")
def led(following):
    """What the second TOF follows beside the first one."""
    ns = following.a.site.ns("lab-tof")
    with Leader((ADDRESSES[0], PORT + 1), ns) as leader, \
            following.b.configured(section(
                f"follow: [{ADDRESSES[0]}:{PORT}, {leader.address}]")):
        yield leader


def wait_logged(lab, text):
    wait_until(lambda: text in lab.log(), what=f"{text!r} to be logged")


def follower(both):
    """Of the first TOF.  It is cut off after a few seconds, as it says only
    once that it is alive."""
    f = Follower((ADDRESSES[0], PORT), both.pair.b.site.ns("lab-tof"))
    f.say(alive())
    return f


def is_bearer(b):
    return lambda s: (s.op, s.up_teid) == (BEARER, b.up_teid)


# --- Nonsense ----------------------------------------------------------------

def statelet(**kw):
    return Statelet(**{"ue": UE, "up_teid": TEID, "down_teid": TEID + 1, **kw})


def torn(data, at, by=1):
    return data[:at] + bytes([data[at] ^ by]) + data[at + 1:]


GOOD = statelet().encode()
GARBAGE = {
    "magic": torn(GOOD, 0),
    "version": statelet(version=2).encode(),
    "operation": statelet(op=99).encode(),
    "checksum": torn(GOOD, LEN - 1),
    "content": torn(GOOD, 21),
    "http": b"HTTP/1.1 400 Bad Request\r\n".ljust(2 * LEN),
    "zeros": bytes(LEN),
    "noise": os.urandom(100 * LEN),
    "shifted": b"\0" + 3 * GOOD,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_refused(led, both, garbage):
    """The connection ends, the log says why, and nothing is taken over from
    it; what others say still counts."""
    with led.accept() as tofd:
        tofd.send(garbage)
        assert tofd.is_ended()
        wait_logged(both.pair.b, f"{led.address}: what it says is no statelet")
        assert not both.b.session_of(UE)
        both.learned("10.45.9.1")


def test_half_a_record_is_forgotten_with_its_connection(led, both):
    with led.accept() as tofd:
        tofd.send(GOOD[:100])
    with led.accept() as tofd:
        tofd.send(GOOD[100:] + bytes(100))
        assert tofd.is_ended()
    with led.accept() as tofd:
        tofd.send(GOOD)
        wait_until(lambda: both.b.session_of(UE), what="a whole record")


def test_record_in_pieces(led, both):
    with led.accept() as tofd:
        for byte in alive().encode() + GOOD:
            tofd.send(bytes([byte]))
        wait_until(lambda: both.b.session_of(UE), what="the record")


STRANGE = {
    "teid-0": {"up_teid": 0},
    "ue-is-loopback": {"ue": "127.0.0.1"},
    "ue-is-multicast": {"ue": "224.0.0.1"},
    "ue-is-nothing": {"ue": "0.0.0.0"},
}


@pytest.mark.parametrize("what", STRANGE.values(), ids=STRANGE.keys())
def test_nothing_is_learned_of(led, both, what):
    """Well-formed, but no bearer that a TOF would learn of by itself."""
    with led.accept() as tofd:
        tofd.say(statelet(**what),
                 Statelet("10.45.10.2", TEID + 2, TEID + 3))
        wait_until(lambda: both.b.session_of("10.45.10.2"),
                   what="the next one")
        assert [s["ue"] for s in both.b.sessions()] == ["10.45.10.2"]


def test_proof_without_a_way_to_the_enodeb_is_worth_nothing(led, both):
    """Nobody has said which Ethernet header leads from that SGW to that
    eNodeB."""
    with led.accept() as tofd:
        tofd.say(statelet(enb="10.1.0.77", sgw="10.1.0.78"))
        s = wait_until(lambda: both.b.session_of(UE), what="the record")
        assert not s["bearers"][0]["proved"]


def test_old_proof_does_not_become_fresh(led, both):
    both.learned("10.45.9.1")           # The way to the eNodeB is known.
    b = both.there.bearer(UE, TEID, TEID + 1)
    with led.accept() as tofd:
        tofd.say(statelet(proved_age=11_000))
        wait_until(lambda: both.b.session_of(UE), what="the record")
        answered(b)
        assert [ping for ping in both.there.pings if ping[1] is b]


def test_purge_of_somebody_elses_bearer_is_no_purge(led, both):
    """The TEID is the same, the UE is another one."""
    b = both.learned("10.45.9.1")
    with led.accept() as tofd:
        tofd.say(Statelet("10.45.9.2", b.up_teid, 7, op=GONE), statelet())
        wait_until(lambda: both.b.session_of(UE), what="the next record")
        assert shows(both.b, b)


def test_silence_is_no_connection(led, both):
    with led.accept() as tofd:
        assert tofd.is_ended()
    wait_logged(both.pair.b, f"{led.address}: it has fallen silent")


# --- Followers ---------------------------------------------------------------

def test_follower_that_says_something_else_is_no_tof(both):
    with follower(both) as f:
        f.send(b"GET / HTTP/1.1\r\n\r\n".ljust(LEN))
        assert f.is_ended()
    both.learned("10.45.9.1")
    wait_logged(both.pair.a, "it is no TOF")


def test_follower_that_says_nothing_is_cut_off(both):
    """Nothing more."""
    with follower(both) as f:
        assert f.is_ended()
    both.learned("10.45.9.1")


def test_number_of_followers_is_bounded(both):
    """Those that are there already go on; and there is room when one has
    gone."""
    others = [follower(both) for _ in range(FOLLOWERS_MAX - 1)]
    try:
        for f in others:
            f.hear()
        with follower(both) as f, pytest.raises(ConnectionError):
            f.hear()
        both.learned("10.45.9.1")
        others.pop().sock.close()
        wait_until(lambda: both.a.part("followers")["detail"].startswith(
            f"{FOLLOWERS_MAX - 1} "), what="the one to have gone")
        with follower(both) as f:
            f.hear()
    finally:
        for f in others:
            f.sock.close()


REFUSED = "tof_standby_refused_total"


def refused(both, reason):
    return both.a.metrics()[f'{REFUSED}{{reason="{reason}"}}']


def test_who_does_not_say_what_it_is_keeps_no_follower_out(both):
    """However many connections it holds, it is told nothing, and they end
    after a few seconds."""
    ns = both.pair.b.site.ns("lab-tof")
    silent = refused(both, "silent")
    others = [Follower((ADDRESSES[0], PORT), ns) for _ in range(100)]
    try:
        b = both.learned("10.45.9.1")
        with follower(both) as f:
            f.hear(is_bearer(b))
        wait_until(lambda: both.a.metrics()["tof_standby_followers"] == 1,
                   what="the one follower that is left")
        assert refused(both, "gave_way") >= 100 - UNKNOWN_OF_ADDRESS_MAX
        assert all(f.is_ended() for f in others)
        assert refused(both, "silent") > silent
    finally:
        for f in others:
            f.sock.close()


def test_follower_that_lives_and_does_not_read_is_cut_off(both):
    """What it is not told takes no memory for long."""
    cut_off = both.a.metrics()["tof_standby_cut_off_total"]

    def connect():
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.connect((ADDRESSES[0], PORT))
        return sock

    n = itertools.count()
    sock = netns.call_in(both.pair.b.site.ns("lab-tof"), connect)
    with Stream(sock) as f:
        def is_cut_off():
            f.say(alive())
            for i in itertools.islice(n, 20):
                b = both.net.bearer(f"10.47.{i // 250}.{i % 250 + 1}",
                                    enb=f"10.1.{i // 250 + 2}.{i % 250 + 1}")
                b.uplink(p.ip_udp(b.ue, OTHER, b"x"))
                both.net.forget(b)
            return both.a.metrics()["tof_standby_cut_off_total"] > cut_off

        try:
            wait_until(is_cut_off, 60, "it to be cut off")
        except ConnectionError:
            assert both.a.metrics()["tof_standby_cut_off_total"] > cut_off
    both.learned("10.45.9.1")


def test_stopped_follower_stops_nobody_and_is_cut_off(both):
    """And is told everything when it goes on."""
    with both.pair.b.stopped():
        b = both.net.bearer("10.45.9.1")
        answered(b)
        with follower(both) as f:
            f.hear(is_bearer(b))
        wait_until(lambda: both.a.part("followers")["detail"].startswith(
            "0 "), 10, what="it to be cut off")
    both.told(b)


def test_follower_leaves_at_any_byte(both):
    b = both.learned("10.45.9.1")
    for i in (1, LEN - 1, LEN, LEN + 1):
        with follower(both) as f:
            f.sock.recv(i)
    with follower(both) as f:
        f.hear(is_bearer(b))


# --- Both ways ---------------------------------------------------------------

@pytest.fixture(scope="class")
def mutual(following):
    a, b = following.a, following.b
    with a.configured(section(listens(a), follows(b))), \
            b.configured(section(listens(b), follows(a))):
        yield


@pytest.mark.usefixtures("mutual")
class TestBothWays:
    @pytest.fixture(autouse=True)
    def connected(self, both):
        wait_until(lambda: "connected" in both.a.part("standby")["detail"],
                   what="the first TOF to follow")

    def test_each_shows_what_the_other_one_has_learned(self, both):
        here = both.learned("10.45.9.1")
        there = both.there.bearer("10.45.9.2")
        there.uplink(p.ip_udp(there.ue, OTHER, b"x"))
        both.b.wait_proved(there.ue)
        for b in here, there:
            wait_until(lambda b=b: shows(both.a, b) and shows(both.b, b),
                       what=f"{b.ue} to be known to both")

    def test_there_and_back_again(self, both):
        b = both.diverted("10.45.9.1")
        for _ in range(2):
            answered(both.there.take_over(b))
            answered(b)
        assert not both.there.pings

    def test_purge_is_a_purge_at_both(self, both):
        """What one has told does not come back from the other one."""
        b = both.diverted("10.45.9.1")
        session = both.a.session_of(b.ue)
        assert both.a.delete(f"/session/{session['id']}").status == 200
        wait_until(lambda: both.b.session_of(b.ue) is None, what="the purge")
        both.heard_more()
        assert both.a.session_of(b.ue) is None

    def test_what_was_replicated_is_not_passed_on(self, both):
        """But what the TOF has seen itself."""
        b = both.learned("10.45.9.1")
        with Follower((ADDRESSES[1], PORT)) as f:
            f.say(alive())
            own = both.there.bearer("10.45.9.2")
            own.uplink(p.ip_udp(own.ue, OTHER, b"x"))
            assert not any(map(is_bearer(b), f.until(is_bearer(own))))
            here = both.there.take_over(b)
            here.uplink(p.ip_udp(here.ue, OTHER, b"x"))
            answered(here)
            f.hear(is_bearer(b))


# --- TLS ---------------------------------------------------------------------

def by_tls(authority, name, *keys):
    return (section(*keys),
            ("(?m)^run_dir:", f"{authority.section(name)}run_dir:"))


def test_follows_by_tls(following, both, tmp_path):
    """Each knows the other one by its name."""
    authority = Authority(tmp_path / "authority")
    a, b = following.a, following.b
    with a.configured(*by_tls(authority, "a", listens(a), "names: [x, b]")), \
            b.configured(*by_tls(authority, "b", follows(a), "names: a")):
        both.wait_connected()
        both.clean()
        both.register()
        bearer = both.diverted("10.45.9.1")
        answered(both.there.take_over(bearer))
        assert not both.there.pings


@pytest.mark.parametrize("at", "ab")
def test_a_tof_of_another_name_is_none(following, both, tmp_path, at):
    """Though its certificate is of the same authority."""
    authority = Authority(tmp_path / "authority")
    a, b = following.a, following.b
    names = {"a": ["names: x"], "b": []} if at == "a" else {
        "a": [], "b": ["names: [x, b]"]}
    with a.configured(*by_tls(authority, "a", listens(a), *names["a"])), \
            b.configured(*by_tls(authority, "b", follows(a), *names["b"])):
        if at == "a":
            wait_until(lambda: refused(both, "name"), 10, "a refusal")
        else:
            wait_until(lambda: "another name" in both.b.part("standby")[
                "detail"], 10, "a refusal")
        assert both.a.metrics()["tof_standby_told_total"] == 0
        assert both.b.metrics()["tof_standby_heard_total"] == 0


# --- Configuration -----------------------------------------------------------

CONFIG = """\
s1u: {enb: enb0, sgw: sgw0}
apps: {interface: app0, address: 192.168.100.1/24}
"""
BAD = {
    "standby: {listen: 10.255.0.1}": "standby.listen",
    "standby: {listen: '10.255.0.1:0'}": "standby.listen",
    "standby: {listen: '10.255.0.1:65536'}": "standby.listen",
    "standby: {listen: 'tof-2:7677'}": "standby.listen",
    "standby: {listen: [1, 2]}": "standby.listen",
    "standby: {follow: 10.255.0.1}": "standby.follow",
    "standby: {follow: ['10.255.0.1:7677', 'x']}": "standby.follow",
    "standby: {follow: {a: b}}": "standby.follow",
    "standby: {leader: '10.255.0.1:7677'}": "leader",
    "standby: 10.255.0.1:7677": "standby",
    "standby: {names: tof-2}": "standby.names",
    "tls: {cert: /x, key: /x}": "tls",
    "tls: {cert: x, key: /x, ca: /x}": "tls.cert",
    "tls: {cert: /x, key: /x, ca: /x, more: /x}": "more",
}


@pytest.mark.parametrize("text,key", BAD.items(), ids=BAD.keys())
def test_bad_value_names_line_and_key(tmp_path, text, key):
    path = tmp_path / "tof.yaml"
    path.write_text(f"{CONFIG}\n{text}\n")
    told = subprocess.run([os.path.join(TOP, "tofd"), "-t", "-c", path],
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    assert told.returncode == 78
    assert f"{path}:4: " in told.stdout and key in told.stdout
